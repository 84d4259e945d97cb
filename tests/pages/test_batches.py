"""The page "Batches": empty, the list, one batch in full, and through its uploads and buttons."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pipeline_core.records import BatchStatus
from pipeline_core.store.home import Store
from tests.pages import loans

PAGE = "intake/batches.py"
Visit = Callable[..., AppTest]


def send(at: AppTest, path: Path, what: str) -> AppTest:
    """Upload a file and say what to do with it."""
    at.file_uploader(key="arrival_file").upload(path.name, path.read_bytes())
    at.radio(key="arrival_what").set_value(what)
    at.button(key="arrival_send").click().run()
    assert not at.exception
    return at


def test_without_a_model_it_leads_to_the_definition(home: Store, visit: Visit) -> None:
    at = visit(PAGE)
    assert not at.exception
    assert at.button(key="empty_go").label == "Define a model"


def test_the_sentence_counts_and_names_what_is_quarantined(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "champion")
    at = visit(PAGE)
    assert "**2 batches** with 1,300 rows came in for **loans**; **1 is quarantined** (b\\-0003)" in at.title[0].value
    table = at.dataframe[0].value
    assert table["Batch"].tolist() == ["b-0003", "b-0002", "b-0001"]
    assert [list(s) for s in table["Status"]] == [["quarantined"], ["accepted"], ["accepted"]]
    assert table["Scored"].tolist() == ["no", "yes", "no"]


def test_a_picked_row_opens_the_batch(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "champion")
    at = visit(PAGE)
    at.session_state["batches_0"] = {"selection": {"rows": [0], "columns": [], "cells": []}}
    at.run()
    assert at.query_params["batch"] == "b-0003"
    assert "is **quarantined**" in at.title[0].value


def test_a_quarantined_batch_says_why_and_cannot_be_scored(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "champion")
    at = visit(PAGE, batch="b-0003")
    assert "It is kept as received, and is never trained on or scored" in at.title[0].value
    text = loans.said(at)
    assert "column\\_missing" in text
    assert "A quarantined batch is never scored." in text
    assert at.button(key="batch_score").disabled


def test_an_accepted_batch_is_scored_by_its_button(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "champion")
    at = visit(PAGE, batch="b-0001")
    at.button(key="batch_score").click().run()
    assert not at.exception
    assert home.signals.has_predictions(loans.MODEL, 1, batch_id="b-0001")
    assert "What the champion said about 800 rows" in loans.said(at)
    assert at.button(key="batch_score").disabled


def test_an_unknown_batch_names_the_nearest(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "champion")
    at = visit(PAGE, batch="b-0009")
    assert not at.exception
    assert "There is no batch b\\-0009 here" in at.title[0].value
    at.button(key="batch_back").click().run()
    assert "came in for **loans**" in at.title[0].value


def test_a_file_is_received_and_scored(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "champion")
    at = send(visit(PAGE), loans.file(tmp_path, 5, labelled=False), "score")
    assert "**b-0004** (loans\\-5\\.csv, 500 rows) is **accepted**" in loans.said(at)
    assert "v1 scored 500 rows: " in loans.said(at)
    assert "The check is running; its result comes by itself." in loans.said(at)
    assert [job.verb for job in home.jobs.list()] == ["check"]
    assert home.batches.get(loans.MODEL, "b-0004").source == "loans-5.csv"
    assert at.page_link[-1].value == "Open b-0004"


def test_a_broken_file_is_quarantined_and_not_scored(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "champion")
    at = send(visit(PAGE), loans.file(tmp_path, 6, broken=True), "score")
    assert "is **quarantined**" in at.error[0].value
    assert home.batches.get(loans.MODEL, "b-0004").status is BatchStatus.QUARANTINED
    assert not home.signals.has_predictions(loans.MODEL, 1, batch_id="b-0004")


def test_the_same_file_twice_adds_nothing(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "champion")
    at = send(visit(PAGE), loans.file(tmp_path, 1), "receive")
    assert "This content is already known: it is **b-0002**" in loans.said(at)
    assert len(home.batches.list(loans.MODEL)) == 3


def test_labels_are_joined_and_counted(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "champion")
    at = send(visit(PAGE), loans.file(tmp_path, 5, labelled=False), "score")
    at = send(at, loans.labels(tmp_path, 5), "labels")
    assert (
        "500 labels read: **500 new**, 0 changed, 0 known before; 500 belong to rows that were scored."
        in loans.said(at)
    )
    assert home.batches.labelled_rows(loans.MODEL) == 1_800


def test_without_a_file_it_asks_for_one(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "defined")
    at = visit(PAGE)
    assert at.radio(key="arrival_what").options == ["Receive", "Take as labels"]
    at.button(key="arrival_send").click().run()
    assert "No file was chosen" in at.warning[0].value


@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02", b"a,b\n1"])
def test_what_is_no_table_is_said_in_a_sentence(home: Store, visit: Visit, tmp_path: Path, content: bytes) -> None:
    loans.take(home, tmp_path, "defined")
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    at = send(visit(PAGE), path, "receive")
    assert at.error
