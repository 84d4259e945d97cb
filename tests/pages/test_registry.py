"""The page "Registry": empty, with a champion, and through the rollback."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.release import descent, reads
from pipeline_core.flows.lineage import lineage
from pipeline_core.flows import release
from pipeline_core.store.home import Store
from tests.pages import loans
from tests.pages.conftest import fill

PAGE = "release/registry.py"
Visit = Callable[..., AppTest]


def test_without_a_model_it_leads_to_the_definition(home: Store, visit: Visit) -> None:
    at = visit(PAGE)
    assert not at.exception
    assert at.button(key="empty_go").label == "Define a model"


def test_without_a_champion_it_leads_to_training(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "defined")
    at = visit(PAGE)
    assert at.title[0].value == "loans has no champion"
    assert at.button(key="empty_go").label == "Train a version"


def test_one_sentence_answers_what_data_and_what_metric(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "champion")
    at = visit(PAGE)
    answer = at.title[0].value
    made = lineage(home, loans.MODEL)
    auc = made.metrics["auc"]
    assert "**v1** is champion of **loans**, made from 1 batch (800 rows, 6–17 Jan 2025): " in answer
    assert f"validation AUC {auc.value:.3f} (" in answer
    assert "Promoted by **Ada** on " in loans.said(at)
    assert "because: “the first one”." in loans.said(at)
    assert at.button(key="rollback").disabled


def test_the_chain_names_each_link_by_its_hash(home: Store, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "champion")
    made = lineage(home, loans.MODEL)
    links = descent.links(made, reads.shelf(home, loans.MODEL), kept=True)
    assert [link[0] for link in links] == ["Batches", "Dataset", "Run", "Version", "Verdict", "Promotion"]
    assert links[1][2] == f"`{made.dataset.sha256[:10]}`"
    assert links[3][2] == f"`{made.artifact_sha256[:10]}` :material/check: file kept"
    assert links[4][1] == "promote"


def test_the_download_is_the_lineage_record(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "champion")
    at = visit(PAGE)
    assert at.get("download_button")[0].proto.label == "Download the lineage"
    assert json.loads(reads.lineage_text(lineage(home, loans.MODEL)))["promoted_by"] == "Ada"


def test_rollback_brings_the_former_champion_back(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "challenged")
    release.promote(home, loans.MODEL, version=2, by="Grace", reason="newer")
    at = visit(PAGE)
    assert at.button(key="rollback").label == "Roll back to v1"
    at.session_state["person_name"] = "Ada"
    at.session_state["confirm_rollback_reason"] = "complaints"
    at.button(key="rollback").click().run()
    assert "v2 stops scoring at once and v1 takes its place" in loans.said(at)
    at.button(key="confirm_rollback_yes").click().run()
    assert not at.exception
    champion = home.models.champion(loans.MODEL)
    assert champion is not None
    assert champion.version == 1
    assert "**v1** is champion of **loans**" in at.title[0].value
    assert "Rolled back by **Ada** on " in loans.said(at)
    assert at.toast[0].value == "v1 is champion of loans again. The check is running; its result comes by itself."
    assert [job.verb for job in home.jobs.list()] == ["check"]
    assert [m.action for m in home.models.promotions(loans.MODEL)] == ["rollback", "promote", "promote"]


def test_two_who_confirm_the_same_rollback_go_back_once(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "challenged")
    loans.promote_again(home)
    release.challenge(home, loans.MODEL, version=3)
    release.promote(home, loans.MODEL, version=3, by="Grace", reason="newest")
    sessions = [visit(PAGE), visit(PAGE)]
    for at in sessions:
        assert at.button(key="rollback").label == "Roll back to v2"
        at.session_state["person_name"] = "Ada"
        at.session_state["confirm_rollback_reason"] = "complaints"
        at.button(key="rollback").click().run()
    for at in sessions:
        at.button(key="confirm_rollback_yes").click().run()
        assert not at.exception
    assert "has moved since you looked" in loans.said(sessions[1])
    champion = home.models.champion(loans.MODEL)
    assert champion is not None
    assert champion.version == 2


def test_a_model_goes_only_when_its_name_is_typed(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "champion")
    fill(home, model="cards", champion=False)
    at = visit(PAGE, model="loans")
    at.button(key="remove").click().run()
    assert "**loans** goes, with 3 batches, 1,800 rows, 1 version and 1 alert, and all their files." in loans.said(at)
    at.text_input(key="confirm_remove_name").set_value("loan")
    at.button(key="confirm_remove_yes").click().run()
    assert home.models.names() == ("cards", "loans")
    at.button(key="remove").click().run()
    at.text_input(key="confirm_remove_name").set_value("loans")
    at.button(key="confirm_remove_yes").click().run()
    assert not at.exception
    assert home.models.names() == ("cards",)
    assert at.sidebar.selectbox(key="model").value == "cards"
    assert "loans is removed." in [toast.value for toast in at.toast]
    assert not at.warning


def test_the_last_model_can_be_removed_without_a_champion(home: Store, visit: Visit) -> None:
    fill(home, champion=False)
    at = visit(PAGE, model="loans")
    at.button(key="remove").click().run()
    at.text_input(key="confirm_remove_name").set_value("loans")
    at.button(key="confirm_remove_yes").click().run()
    assert not at.exception
    assert home.models.names() == ()
    assert at.button(key="empty_go").label == "Define a model"


@pytest.mark.parametrize("page", ["release/training.py", "release/challenge.py", PAGE, "intake/batches.py"])
def test_a_hostile_name_is_read_and_never_rendered(seeded: Store, visit: Visit, page: str) -> None:
    at = visit(page)
    assert not at.exception
    assert ":red[a]" not in loans.said(at).replace(":\u2060red", "")
    assert "<b>" not in loans.said(at)
