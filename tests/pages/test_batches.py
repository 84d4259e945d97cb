"""The page "Batches": empty, the list, one batch in full, and through its uploads and buttons."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from pipeline_core.flows import intake
from pipeline_core.records import BatchStatus, Loss
from pipeline_core.service import host
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
    assert "batch_score" not in [b.key for b in at.button]
    at.button(key="batch_resend").click().run()
    assert "came in for **loans**" in at.title[0].value


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
    at.button(key="arrival_open").click().run()
    assert at.query_params["batch"] == "b-0004"
    assert "**b-0004**" in at.title[0].value


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


def ambiguous(folder: Path, week: int) -> Path:
    """Write a day of loans whose dates can be read day first or month first."""
    path = loans.file(folder, week, rows=100, labelled=False)
    table = pd.read_csv(path)
    times = pd.to_datetime(table["opened_at"])
    table["opened_at"] = times.dt.strftime("%d/%m/%Y %H:%M:%S")
    table.to_csv(path, index=False)
    return path


def unreadable(folder: Path, week: int, share: int = 5) -> Path:
    """Write a week of loans in which every n-th amount is no number."""
    path = loans.file(folder, week)
    table = pd.read_csv(path, dtype=str)
    table.loc[::share, "amount"] = "n.v."
    table.to_csv(path, index=False)
    return path


def test_a_file_that_can_be_read_in_two_ways_is_kept_until_somebody_answers(
    home: Store, visit: Visit, tmp_path: Path
) -> None:
    loans.take(home, tmp_path, "champion")
    at = send(visit(PAGE), ambiguous(tmp_path, 5), "receive")
    assert "is kept, and nothing of it is stored yet." in loans.said(at)
    assert not at.error
    assert len(home.batches.list(loans.MODEL)) == 3
    assert at.radio(key="arrival_ask_date_order").value is None
    at.radio(key="arrival_ask_date_order").set_value("dmy").run()
    assert not at.exception
    kept = home.batches.list(loans.MODEL)[0]
    assert (kept.batch_id, kept.status, kept.source) == ("b-0004", BatchStatus.ACCEPTED, "loans-5.csv")
    assert kept.first_event_at == datetime(2025, 2, 10, tzinfo=UTC)
    assert "**b-0004** (loans\\-5\\.csv, 100 rows) is **accepted**" in loans.said(at)
    assert "arrival_send" in [b.key for b in at.button]


def test_a_file_that_waits_for_an_answer_can_be_dropped(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "champion")
    at = send(visit(PAGE), ambiguous(tmp_path, 5), "receive")
    at.button(key="arrival_drop").click().run()
    assert not at.exception
    assert "arrival_send" in [b.key for b in at.button]
    assert len(home.batches.list(loans.MODEL)) == 3


def test_offending_rows_are_shown_as_they_arrived_and_marked(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "champion")
    refused = intake.receive(home, loans.MODEL, unreadable(tmp_path, 5), source="week-5.csv")
    assert refused.status is BatchStatus.QUARANTINED
    at = visit(PAGE, batch=refused.batch_id)
    shown = at.dataframe[0].value
    assert shown["Row"].tolist()[:3] == [0, 5, 10]
    assert set(shown["Offending"]) == {"amount"}
    assert set(shown["amount"]) == {"n.v."}
    assert "20 rows** that the findings give as examples" in loans.said(at)
    ledger = next(frame.value for frame in at.dataframe if "What was done" in frame.value)
    assert ledger.iloc[0][["Column", "Cells", "Share"]].tolist() == ["amount", 100, "20.0 %"]


def decide(at: AppTest, what: str) -> AppTest:
    """Answer the dialog of a decision with name and reason."""
    at.button(key=f"batch_{what}").click().run()
    at.text_input(key=f"confirm_{what}_by").set_value("Grace <b>")
    at.text_area(key=f"confirm_{what}_reason").set_value("The sender *confirmed* it")
    at.button(key=f"confirm_{what}_yes").click().run()
    assert not at.exception
    return at


def test_a_quarantined_batch_is_taken_in_by_name_and_reason(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "champion")
    refused = intake.receive(home, loans.MODEL, unreadable(tmp_path, 5), source="week-5.csv")
    at = decide(visit(PAGE, batch=refused.batch_id), "readmit")
    taken = home.batches.get(loans.MODEL, refused.batch_id)
    assert taken.status is BatchStatus.ACCEPTED
    assert taken.ruling is not None
    assert (taken.ruling.decided_by, taken.ruling.reason) == ("Grace <b>", "The sender *confirmed* it")
    assert "was quarantined and is **accepted by a person**" in at.title[0].value
    assert "Taken in by **Grace \\<b\\>**" in loans.said(at)
    assert "“The sender \\*confirmed\\* it”" in loans.said(at)
    assert "batch_score" in [b.key for b in at.button]


def test_a_quarantined_batch_is_discarded_and_stays_on_record(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "champion")
    at = decide(visit(PAGE, batch="b-0003"), "discard")
    assert home.batches.get(loans.MODEL, "b-0003").status is BatchStatus.DISCARDED
    assert "was **discarded**: its file is gone" in at.title[0].value
    assert "A discarded batch is never scored." in loans.said(at)
    assert not {"batch_readmit", "batch_discard", "batch_raw"} & {b.key for b in at.button}
    at.button(key="batch_back").click().run()
    assert at.dataframe[0].value.set_index("Batch")["Status"].map(list)["b-0003"] == ["discarded"]


def test_a_rule_is_changed_where_it_fired_and_the_batch_judged_again(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "champion")
    refused = intake.receive(home, loans.MODEL, unreadable(tmp_path, 5), source="week-5.csv")
    at = visit(PAGE, batch=refused.batch_id)
    at.button(key="batch_again").click().run()
    assert not at.exception
    assert home.batches.get(loans.MODEL, refused.batch_id).status is BatchStatus.QUARANTINED
    at.session_state["finding_0_why"] = True
    at.run()
    text = loans.said(at).replace("\\", "")
    assert "are always told; more than 1.0 %" in text
    assert "On the 2 accepted batches before, today's limit would never have fired." in text
    at.get_by_key("finding_0_word").set_value("warning")
    at.button(key="finding_0_change").click().run()
    assert "Fill in your name and the reason first" in loans.said(at)
    assert home.models.severities(loans.MODEL) == {}
    at.get_by_key("finding_0_word").set_value("warning")
    at.text_input(key="finding_0_by").set_value("Ada")
    at.text_input(key="finding_0_reason").set_value("known at the sender")
    at.button(key="finding_0_change").click().run()
    assert not at.exception
    amount = home.models.schema(loans.MODEL).by_name("amount")
    assert home.models.severities(loans.MODEL) == {("type_changed", amount.column_id): "warning"}
    assert "**type changed** in amount: **warning**" in loans.said(at)
    at.button(key="batch_again").click().run()
    assert not at.exception
    assert at.query_params["batch"] == "b-0005"
    assert home.batches.get(loans.MODEL, "b-0005").status is BatchStatus.ACCEPTED
    at.button(key="rule_0_back").click().run()
    at.text_input(key="rule_back_by").set_value("Ada")
    at.text_area(key="rule_back_reason").set_value("mended")
    at.button(key="rule_back_yes").click().run()
    assert not at.exception
    assert home.models.severities(loans.MODEL) == {}


def test_what_was_lost_is_brought_back_from_its_file(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "champion")
    home.files.batch_rows(loans.MODEL, "b-0002").unlink()
    host.stop()
    store = host.host().store
    assert [loss.batch_id for loss in store.losses] == ["b-0002"]
    at = visit(PAGE)
    assert "its rows are gone. The file as received is still here." in at.error[0].value
    at.button(key="losses_restore").click().run()
    assert not at.exception
    assert store.losses == ()
    assert at.toast[0].value == "1 batch is whole again."
    assert not at.error
    assert store.batches.read_rows(loans.MODEL, "b-0002").num_rows == 500


def test_what_was_lost_is_said_above_the_page(
    home: Store, visit: Visit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loans.take(home, tmp_path, "defined")
    lost = Loss(
        model=loans.MODEL, batch_id="b-0007", sha256="0" * 64, source="<b>week</b>.csv", rows=500,
        status=BatchStatus.ACCEPTED, missing="rows", raw_kept=False, acknowledged_at=datetime(2025, 3, 3, tzinfo=UTC),
    )  # fmt: skip
    monkeypatch.setattr(Store, "losses", (lost, replace(lost, model="another")))
    for page in (PAGE, "watch/overview.py"):
        at = visit(page)
        assert not at.exception
        assert len(at.error) == 1
        assert "**b\\-0007** (\\<b\\>week\\<\\/b\\>\\.csv, 500 rows" in at.error[0].value
        assert "its rows are gone. Ask the sender for the file and send it again." in at.error[0].value


@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02", b"a,b\n1"])
def test_what_is_no_table_is_said_in_a_sentence(home: Store, visit: Visit, tmp_path: Path, content: bytes) -> None:
    loans.take(home, tmp_path, "defined")
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    at = send(visit(PAGE), path, "receive")
    assert at.error
