"""The block of the challenge page that puts a challenger in shadow, and says how it does beside the champion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.release import shadowwords
from pages.ui import verdicts
from pages.ui.wording import State
from pipeline_core.flows import intake, release, shadow
from pipeline_core.flows.compute import in_process
from pipeline_core.store.home import Store
from tests.pages import loans

PAGE = "release/challenge.py"
Visit = Callable[..., AppTest]


def score(home: Store, folder: Path, week: int, *, labelled: bool = True) -> str:
    batch = intake.receive(home, loans.MODEL, loans.file(folder, week, labelled=labelled))
    intake.score(home, loans.MODEL, batch_id=batch.batch_id)
    return batch.batch_id


def test_it_is_offered_with_what_it_does_and_started_by_a_person(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "challenger")
    at = visit(PAGE)
    assert "v2 can score every batch right after champion v1. Callers get the champion's answer" in loans.said(at)
    at.session_state["person_name"] = "Grace"
    at.session_state["confirm_shadow_reason"] = "a week beside it first"
    at.button(key="shadow_start").click().run()
    at.button(key="confirm_shadow_yes").click().run()
    assert not at.exception
    kept = shadow.current(home, loans.MODEL)
    assert kept is not None
    assert (kept.version, kept.started_by, kept.reason) == (2, "Grace", "a week beside it first")
    assert "**v2** has scored no live row beside v1 yet; the next batch that v1 scores, it scores too." in loans.said(
        at
    )
    assert at.toast[0].value == "v2 scores beside v1 from the next batch on."


def test_without_name_and_reason_nothing_starts(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "challenger")
    at = visit(PAGE)
    at.button(key="shadow_start").click().run()
    at.button(key="confirm_shadow_yes").click().run()
    assert shadow.current(home, loans.MODEL) is None


def test_it_says_how_far_they_agree_and_lists_where_they_differ(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "challenger")
    shadow.start(home, loans.MODEL, version=2, by="*Ada*", reason="[see](http://x.example)")
    score(home, tmp_path, 9)
    at = visit(PAGE)
    found = shadow.report(home, loans.MODEL)
    said = loans.said(at)
    assert "**v2** has scored 500 live rows beside v1 since" in said
    assert f"they agree on {shadowwords.share(found.agreement)}" in said
    assert "\\*Ada\\*" in said
    assert "[see](http://x.example)" not in said
    assert "500 live rows have a label: enough for the gate to be asked." in said
    table = next(t.value for t in at.dataframe if "Score of v2" in t.value.columns)
    assert len(table) == 200
    assert table["Row"].iloc[0] == found.most_different[0].row_id
    assert table["Score of v2"].iloc[0] == found.most_different[0].shadow_score
    groups = next(t.value for t in at.dataframe if "Group" in t.value.columns)
    assert sorted(groups["Group"]) == ["gender: f", "gender: m"]
    assert groups["Rows"].sum() == 500
    assert any("KS distance" in str(chart.proto) for chart in at.get("plotly_chart"))


def test_the_gate_is_asked_by_a_button_and_moves_nothing(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "challenger")
    shadow.start(home, loans.MODEL, version=2, by="Ada", reason="to see")
    score(home, tmp_path, 9)
    at = visit(PAGE)
    at.button(key="shadow_ask").click().run()
    loans.finish_jobs(at)
    live = home.shadows.list(loans.MODEL)[0].live
    assert live is not None
    assert live.rows == 500
    found = shadow.report(home, loans.MODEL)
    assert shadowwords.state(found) is verdicts.state(live)
    assert shadowwords.state(replace(found, shadow=replace(found.shadow, live=None))) is State.UNKNOWN
    assert shadowwords.state(replace(found, errors=1)) is State.WATCH
    assert "**The gate on 500 labelled live rows**" in loans.said(at)
    assert home.models.verdict(loans.MODEL, 2) is None
    assert at.button(key="promote").disabled


def test_few_rows_errors_and_a_name_of_another_shadow_are_told(
    home: Store, visit: Visit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loans.take(home, tmp_path, "challenger")
    shadow.start(home, loans.MODEL, version=2, by="Ada", reason="to see")
    few = intake.receive(home, loans.MODEL, loans.file(tmp_path, 9, rows=60, labelled=False))
    intake.score(home, loans.MODEL, batch_id=few.batch_id)

    def broken(*_args: object) -> None:
        raise ValueError("<b>no</b> [luck](http://x.example)")

    monkeypatch.setattr(shadow, "loaded", broken)
    score(home, tmp_path, 10)
    release.train(home, loans.MODEL, estimator="logistic_regression", compute=in_process)
    at = visit(PAGE, challenger="2")
    said = loans.said(at)
    assert "That is too little to rely on: 200 rows are asked for." in said
    assert "v2 failed on 1 batch; callers got the champion's answer all the same." in said
    assert "[luck](http://x.example)" not in said
    other = visit(PAGE, challenger="3")
    assert other.button(key="shadow_start").disabled
    assert "v2 is in shadow since" in loans.said(other)


def test_it_is_stopped_with_a_reason_and_what_it_scored_stays(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "challenger")
    shadow.start(home, loans.MODEL, version=2, by="Ada", reason="to see")
    score(home, tmp_path, 9)
    at = visit(PAGE)
    at.session_state["person_name"] = "Grace"
    at.session_state["confirm_unshadow_reason"] = "enough seen"
    at.button(key="shadow_stop").click().run()
    at.button(key="confirm_unshadow_yes").click().run()
    assert not at.exception
    assert shadow.current(home, loans.MODEL) is None
    said = loans.said(at)
    assert "by Grace: “enough seen”." in said
    assert "has scored 500 live rows beside v1" in said
    assert not at.button(key="shadow_start").disabled
