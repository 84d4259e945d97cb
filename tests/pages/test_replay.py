"""The replay page: what would the watch have said of a history?"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from pages.watch import replaywords
from pipeline_core.flows.history import LeftOut
from pipeline_core.flows.replayed import ReplayReport, ReplayWindow
from pipeline_core.records import AlertLevel, Job, JobStatus, Measured, Rule, dump
from pipeline_core.store import Store
from tests.pages.conftest import HOSTILE, fill, schema, week

Visit = Callable[..., AppTest]
PAGE = "watch/replay.py"


def window(number: int, *, level: AlertLevel = AlertLevel.NONE) -> ReplayWindow:
    loud = level is not AlertLevel.NONE
    return ReplayWindow(
        start=week(number), end=week(number + 1), rows=200, replayed_rows=200, labelled_rows=150 if number < 3 else 0,
        alert=level, reasons=("data_drift",) if loud else (), weighted_drift=0.2 if loud else 0.04, weighted_limit=0.08, calibrated=True,
        drifted_features=(HOSTILE,) if loud else (), top_feature=HOSTILE if loud else None,
        realised={"auc": Measured(value=0.77, low=0.7, high=0.82, rows=150)} if number < 3 else {},
        messages=(f"{HOSTILE}: distribution moved",) if loud else (),
    )  # fmt: skip


def report(*windows: ReplayWindow, **changes: Any) -> ReplayReport:
    told = ReplayReport(
        model="loans", version=1, window="7d", source="<b>history</b>.csv", rows=1_000, replayed_rows=800,
        left_out=LeftOut(trained_rows=200), batches=len(windows), quarantined=0, label_delay="30d", until=None, reference=0.78,
        windows=windows, rule=Rule(words="Calibrated on 30 healthy windows.", calibrated=True, healthy_windows=30),
    )  # fmt: skip
    return replace(told, **changes)


def replayed(store: Store, told: ReplayReport) -> None:
    job = store.jobs.add("replay", "loans", arguments={})
    store.jobs.update(job.job_id, status=JobStatus.DONE, result={"answer": 0, **dump(told)}, ended_at=week(9))


WINDOWS = (window(0), window(1, level=AlertLevel.WATCH), window(2), window(3, level=AlertLevel.PAGE))


def test_empty_states_hold_the_way_out(home: Store, visit: Visit) -> None:
    assert visit(PAGE).button(key="empty_go").label == "Define a model"
    fill(home, champion=False)
    assert visit(PAGE).button(key="empty_go").label == "Train the first version"


def test_before_the_first_replay_the_form_is_open(seeded: Store, visit: Visit) -> None:
    at = visit(PAGE)
    assert not at.exception
    assert "No history was replayed against v1 of loans yet." in at.title[0].value
    assert at.button(key="replay_go").label == "Replay"
    assert any("The store stays as it is" in caption.value for caption in at.caption)


def test_nothing_is_sent_without_a_history(seeded: Store, visit: Visit) -> None:
    at = visit(PAGE)
    at.button(key="replay_go").click().run()
    assert at.warning[0].value.startswith("No history was chosen. Upload a file")


def test_a_path_that_is_not_there_is_said(seeded: Store, visit: Visit) -> None:
    at = visit(PAGE)
    at.text_input(key="replay_path").set_value("/nowhere/history.csv")
    at.button(key="replay_go").click().run()
    assert not at.exception
    assert "history" in at.error[0].value
    assert not seeded.jobs.list(active=True)


def test_the_form_asks_the_verb_with_what_was_chosen(
    seeded: Store, visit: Visit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[tuple[Any, ...]] = []

    def submit(*said: Any, file: Path | None = None) -> Job:
        asked.append((*said, file))
        return seeded.jobs.add("replay", "loans", arguments={})

    monkeypatch.setattr("pages.ui.session.submit", submit)
    file = tmp_path / "history.csv"
    file.write_text("income\n1\n")
    at = visit(PAGE)
    at.text_input(key="replay_path").set_value(str(file))
    at.selectbox(key="replay_window").set_value("7d/1d")
    at.selectbox(key="replay_delay").set_value("30d")
    at.date_input(key="replay_until").set_value(week(4).date())
    at.button(key="replay_go").click().run()
    assert not at.exception
    arguments = {"window": "7d/1d", "label-delay": "30d", "until": "2025-03-31", "source": "history.csv"}
    assert asked == [("replay", "loans", arguments, file)]
    assert at.button(key="replay_go").disabled, "one replay at a time"


def test_the_answer_says_how_often_it_would_have_paged_and_since_when(seeded: Store, visit: Visit) -> None:
    replayed(seeded, report(*WINDOWS))
    at = visit(PAGE)
    assert not at.exception
    assert at.title[0].value.startswith(":red[:material/error:] **1** of 4 windows of \\<b\\>history")
    assert at.title[0].value.endswith("would have paged, the first in the week of 24 Mar 2025.")
    table = next(item.value for item in at.dataframe if "Weighted drift" in item.value.columns)
    assert table["Alert"].tolist() == ["OK", "Watch", "OK", "Page"]
    spec = json.loads(at.get("plotly_chart")[0].proto.spec)
    assert "<b>**x**" not in spec["layout"]["title"]["text"]
    shown = [fact.value for fact in at.markdown]
    assert "**800 of 1,000**" in shown
    assert "**30 days later**" in shown


def test_a_picked_window_says_why(seeded: Store, visit: Visit) -> None:
    replayed(seeded, report(*WINDOWS))
    at = visit(PAGE)
    assert any("the week of 24 Mar 2025**" in item.value.replace("\\", "") for item in at.markdown), (
        "the first that pages"
    )
    at.session_state["replay_table"] = {"selection": {"rows": [0], "columns": [], "cells": []}}
    at.run()
    assert any(item.value == "Nothing would have been raised." for item in at.markdown)


@pytest.mark.parametrize(
    ("windows", "said"),
    [
        (WINDOWS[:2], "None of 2 windows of .* would have paged, \\*\\*1\\*\\* would have been logged"),
        (WINDOWS[:1], "None of 1 window of .* would have raised anything"),
        ((), "None of 0 windows of .* would have raised anything"),
    ],
)
def test_a_quiet_history_says_so(seeded: Store, visit: Visit, windows: tuple[ReplayWindow, ...], said: str) -> None:
    replayed(seeded, report(*windows))
    at = visit(PAGE)
    assert not at.exception
    assert re.search(said, at.title[0].value)


def test_an_answer_about_an_older_champion_says_so(seeded: Store, visit: Visit) -> None:
    replayed(seeded, report(*WINDOWS, version=7, quarantined=2))
    at = visit(PAGE)
    assert at.info[0].value.startswith("This is about v7, which is no longer the champion.")
    assert any("would have quarantined 2 batches of 4" in caption.value for caption in at.caption)


def test_without_labels_or_figures_there_is_no_second_lane() -> None:
    blank = replace(WINDOWS[3], weighted_drift=None, weighted_limit=None, calibrated=False, realised={})
    assert replaywords.metric([blank]) is None
    assert replaywords.primary(blank) is None
    assert replaywords.rows(report(blank), schema())[0]["metric"] is None
