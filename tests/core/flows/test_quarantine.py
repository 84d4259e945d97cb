"""What the door refused is taken in or thrown away by a person, with name and reason, and stays what it was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline_core.errors import InvalidDefinition, NotFound, Quarantined
from pipeline_core.flows import intake
from pipeline_core.records import BatchReport, BatchStatus
from pipeline_core.store.home import Store
from tests.core.flows.deliveries import columns, parquet


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "home") as opened:
        intake.define(opened, "m", parquet(tmp_path, columns(), "first.parquet"), target="y", time="when")
        yield opened


@pytest.fixture
def refused(store: Store, tmp_path: Path) -> BatchReport:
    """Half of the towns are null, and three amounts are no numbers."""
    content = columns(300, day=10)
    content["city"] = [None if i % 2 else c for i, c in enumerate(content["city"])]
    content["amount"] = [str(a) for a in content["amount"]]
    content["amount"][7], content["amount"][100], content["amount"][250] = "seven", "n.a.", "EUR 5"
    report = intake.receive(store, "m", parquet(tmp_path, content, "bad.parquet"))
    assert report.status is BatchStatus.QUARANTINED
    return report


def test_a_batch_that_a_person_takes_in_keeps_its_id_and_its_findings(store: Store, refused: BatchReport) -> None:
    taken = intake.readmit(store, "m", refused.batch_id, by=" Ada ", reason="the new branch has no town")
    assert (taken.batch_id, taken.status, taken.rows, taken.labelled_rows) == ("b-0002", BatchStatus.ACCEPTED, 300, 300)
    assert taken.ruling is not None
    assert (taken.ruling.decided_by, taken.ruling.reason) == ("Ada", "the new branch has no town")
    assert [f.code for f in taken.findings] == [f.code for f in refused.findings]
    assert store.batches.get("m", "b-0002") == taken
    assert store.batches.read_rows("m", "b-0002").num_rows == 300
    assert not [a for a in store.signals.alerts("m") if a.acknowledged_at is None]
    assert intake.receive(store, "m", store.batches.raw_path(refused)).duplicate


def test_a_discarded_batch_loses_its_file_and_is_judged_anew_when_it_comes_again(
    store: Store, refused: BatchReport, tmp_path: Path
) -> None:
    raw = store.batches.raw_path(refused)
    copy = tmp_path / "again.parquet"
    copy.write_bytes(raw.read_bytes())
    gone = intake.discard(store, "m", refused.batch_id, by="Ada", reason="a test export")
    assert (gone.status, gone.findings) == (BatchStatus.DISCARDED, refused.findings)
    assert not raw.exists()
    assert not [a for a in store.signals.alerts("m") if a.acknowledged_at is None]
    with pytest.raises(Quarantined, match="discarded"):
        store.batches.read_rows("m", refused.batch_id)
    again = intake.receive(store, "m", copy)
    assert (again.batch_id, again.status, again.duplicate) == ("b-0003", BatchStatus.QUARANTINED, False)


@pytest.mark.parametrize(("by", "reason"), [("", "why"), ("Ada", "  ")])
def test_a_decision_needs_a_name_and_a_reason(store: Store, refused: BatchReport, by: str, reason: str) -> None:
    for decide in (intake.readmit, intake.discard):
        with pytest.raises(InvalidDefinition, match="needs a name and a reason"):
            decide(store, "m", refused.batch_id, by=by, reason=reason)
    assert store.batches.get("m", refused.batch_id) == refused


def test_only_what_is_in_quarantine_is_decided_about(store: Store, refused: BatchReport) -> None:
    with pytest.raises(InvalidDefinition, match="b-0001 of 'm' is accepted; a decision is allowed on quarantined"):
        intake.discard(store, "m", "b-0001", by="Ada", reason="why")
    intake.discard(store, "m", refused.batch_id, by="Ada", reason="why")
    with pytest.raises(InvalidDefinition, match="is discarded"):
        intake.readmit(store, "m", refused.batch_id, by="Ada", reason="why")
    with pytest.raises(NotFound):
        intake.readmit(store, "m", "b-0099", by="Ada", reason="why")


def test_the_offending_rows_are_shown_as_they_arrived(store: Store, refused: BatchReport) -> None:
    shown = intake.offending(store, "m", refused.batch_id)
    assert {7, 100, 250} <= set(shown.numbers)
    row = shown.rows.to_pylist()[shown.numbers.index(100)]
    assert row["amount"] == "n.a."
    assert "amount" in shown.cells[100]
    assert len(shown.numbers) == shown.rows.num_rows
