"""The page "Challenge": empty, undecided, decided, and through its buttons up to the promotion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from streamlit.testing.v1 import AppTest

from pages.release import rulings
from pipeline_core.records import Decision, Stage
from pipeline_core.store.home import Store
from tests.pages import loans

PAGE = "release/challenge.py"
Visit = Callable[..., AppTest]


def test_without_a_model_it_leads_to_the_definition(home: Store, visit: Visit) -> None:
    at = visit(PAGE)
    assert not at.exception
    assert at.button(key="empty_go").label == "Define a model"


def test_without_a_version_it_leads_to_training(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "defined")
    at = visit(PAGE)
    assert "**loans** has no version yet" in at.title[0].value
    assert at.button(key="challenge_train").label == "Train a challenger"


def test_without_a_challenger_it_says_who_is_champion_and_why(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "champion")
    at = visit(PAGE)
    assert "**v1** is champion of **loans** since" in at.title[0].value
    assert "promoted by Ada: “the first one”" in at.title[0].value
    assert at.page_link[0].value == "See the champion in the registry"


def test_the_button_asks_the_gate(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "challenger")
    at = visit(PAGE)
    assert "**v2** has not been compared with champion v1 yet" in at.title[0].value
    assert at.button(key="promote").disabled
    assert "Promotion needs a verdict: run the challenge first." in loans.said(at)
    at.button(key="challenge_run").click().run()
    loans.finish_jobs(at)
    verdict = home.models.verdict(loans.MODEL, 2)
    assert verdict is not None
    assert verdict.verdict is Decision.PROMOTE
    assert "**v2 may replace champion v1**: AUC " in at.title[0].value
    assert not at.button(key="promote").disabled
    assert "0 of 760 evaluation rows were in the training data of v2 or v1" in loans.said(at).replace("\\", "")
    keys = [chart.key for chart in at.get("plotly_chart")]
    assert keys == ["verdict_differences", "verdict_slices", "bias_0", "verdict_curves"]


def test_the_dialog_says_the_consequences_and_wants_a_name(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "challenged")
    at = visit(PAGE)
    at.button(key="promote").click().run()
    assert "v1 is retired and can be rolled back to" in loans.said(at)
    at.button(key="confirm_promote_yes").click().run()
    assert not at.exception
    assert len(home.models.promotions(loans.MODEL)) == 1


def test_with_name_and_reason_the_dialog_promotes(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "challenged")
    at = visit(PAGE)
    at.session_state["person_name"] = "Grace"
    at.session_state["confirm_promote_reason"] = "as good, and newer"
    at.button(key="promote").click().run()
    at.button(key="confirm_promote_yes").click().run()
    assert not at.exception
    move = home.models.promotions(loans.MODEL)[0]
    assert (move.version, move.by, move.reason) == (2, "Grace", "as good, and newer")
    assert at.toast[0].value == "v2 is champion of loans. The check is running; its result comes by itself."
    assert [job.verb for job in home.jobs.list()] == ["check"]
    champion = home.models.champion(loans.MODEL)
    assert champion is not None
    assert champion.version == 2
    assert "**v2** is champion of **loans** since" in at.title[0].value


def test_another_session_sees_the_new_champion_at_its_next_rerun(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "challenged")
    first, second = visit(PAGE), visit("release/registry.py")
    assert "**v1** is champion" in second.title[0].value
    first.session_state["person_name"] = "Grace"
    first.session_state["confirm_promote_reason"] = "newer"
    first.button(key="promote").click().run()
    first.button(key="confirm_promote_yes").click().run()
    second.run()
    assert "**v2** is champion" in second.title[0].value


def test_a_verdict_from_before_a_move_promotes_nothing(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "challenged")
    loans.promote_again(home)
    at = visit(PAGE, challenger="3")
    assert at.button(key="promote").disabled
    assert home.models.version(loans.MODEL, 2).stage is Stage.CHAMPION


def test_retrain_queues_a_training(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "challenger")
    at = visit(PAGE)
    at.button(key="challenge_retrain").click().run()
    assert [job.verb for job in home.jobs.list()] == ["train"]
    loans.finish_jobs(at)
    assert home.models.next_version(loans.MODEL) == 4


def test_a_champion_of_other_classes_is_the_reason_why_nothing_is_promoted(home: Store, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "challenged")
    verdict = home.models.verdict(loans.MODEL, 2)
    assert verdict is not None
    alone = {name: replace(pair, decides=False) for name, pair in verdict.metrics.items()}
    other = replace(verdict, verdict=Decision.INSUFFICIENT, metrics=alone)
    assert rulings.promotion_block(other, other.epoch) == (
        "The verdict is open: champion v1 predicts other classes, so that the two cannot be compared."
    )
    few = replace(verdict, verdict=Decision.INSUFFICIENT)
    assert "too few labelled rows" in (rulings.promotion_block(few, few.epoch) or "")
