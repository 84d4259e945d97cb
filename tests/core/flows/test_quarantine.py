"""What the door refused is taken in or thrown away by a person, with name and reason, and stays what it was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from pipeline_core.errors import InvalidDefinition, NotFound, Quarantined
from pipeline_core.flows import arrival, intake, judging
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


def commas(month: int, *, holes: bool = False) -> str:
    """Numbers with commas in one column and points in another, as no single order for the file could have it."""
    lines = ["when;a;b;y"]
    for i in range(300):
        amount = "" if holes and i % 2 else f"{i % 90},5"
        lines.append(f"2025-{month:02d}-{1 + i // 24:02d} {i % 24:02d}:00;{amount};{i % 7}.25;{'yn'[i % 2]}")
    return "\n".join(lines)


def test_taken_in_it_is_read_as_it_was_judged(tmp_path: Path) -> None:
    (tmp_path / "first.csv").write_text(commas(1), encoding="utf-8")
    (tmp_path / "bad.csv").write_text(commas(2, holes=True), encoding="utf-8")
    with Store.open(tmp_path / "other") as opened:
        intake.define(opened, "m", tmp_path / "first.csv", target="y", time="when")
        report = intake.receive(opened, "m", tmp_path / "bad.csv")
        assert report.status is BatchStatus.QUARANTINED
        taken = intake.readmit(opened, "m", report.batch_id, by="Ada", reason="why")
        rows = opened.batches.read_rows("m", taken.batch_id)
        assert (rows.column("c002").null_count, rows.column("c003").null_count) == (150, 0)


def keyed(rows: int, *, amount: float, bad: bool = False) -> dict[str, Any]:
    content = {"key": [f"k{i}" for i in range(rows)], **columns(rows)}
    content["amount"] = [amount] * (rows // 2) + content["amount"][rows // 2 :]
    if bad:
        content["city"] = [None] * rows
    return content


@pytest.fixture
def keyed_store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "keyed") as opened:
        first = parquet(tmp_path, keyed(400, amount=1.0), "keyed.parquet")
        intake.define(opened, "m", first, target="y", time="when", id="key")
        yield opened


def counted(store: Store) -> int:
    counts = store.batches.counts("m")
    return pc.sum(counts.filter(pc.equal(counts["column_id"], "c003"))["n"]).as_py() or 0


def chosen(store: Store, tmp_path: Path) -> dict[str, int]:
    store.batches.select("m", to=tmp_path / "chosen.parquet")
    rows = pq.read_table(tmp_path / "chosen.parquet").column("batch_id").value_counts().to_pylist()
    return {row["values"]: row["counts"] for row in rows}


def left(store: Store) -> dict[str, int]:
    counts = {name: store.batches.counts("m", batch_ids=[name]) for name in ("b-0001", "b-0002", "b-0003")}
    return {n: s for n, c in counts.items() if (s := pc.sum(c.filter(pc.equal(c["column_id"], "c003"))["n"]).as_py())}


def test_a_batch_taken_in_late_yields_to_what_came_since(keyed_store: Store, tmp_path: Path) -> None:
    store = keyed_store
    late = intake.receive(store, "m", parquet(tmp_path, keyed(300, amount=2.0, bad=True), "bad.parquet"))
    newer = intake.receive(store, "m", parquet(tmp_path, keyed(200, amount=3.0), "good.parquet"))
    assert (late.status, newer.status) == (BatchStatus.QUARANTINED, BatchStatus.ACCEPTED)
    taken = intake.readmit(store, "m", late.batch_id, by="Ada", reason="why")
    assert taken.status is BatchStatus.ACCEPTED
    assert left(store) == chosen(store, tmp_path) == {"b-0001": 100, "b-0002": 100, "b-0003": 200}
    assert counted(store) == 400


def test_labels_of_a_batch_taken_in_late_yield_as_its_rows_do(keyed_store: Store, tmp_path: Path) -> None:
    store = keyed_store
    content = keyed(300, amount=2.0, bad=True)
    content["y"] = ["no"] * 300
    late = intake.receive(store, "m", parquet(tmp_path, content, "bad.parquet"))
    fresh = pa.table({"key": ["k1", "k2"], "y": ["yes", "yes"]})
    pq.write_table(fresh, tmp_path / "labels.parquet")
    intake.labels(store, "m", tmp_path / "labels.parquet")
    intake.readmit(store, "m", late.batch_id, by="Ada", reason="why")
    said = {row["row_id"]: row["value"] for row in store.batches.labels("m").to_pylist()}
    assert [said[f"k{i}"] for i in range(4)] == ["no", "yes", "yes", "no"]


def test_what_is_taken_in_while_a_batch_is_judged_is_not_counted_twice(
    keyed_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = keyed_store
    late = intake.receive(store, "m", parquet(tmp_path, keyed(300, amount=2.0, bad=True), "bad.parquet"))
    judge = arrival.judge

    def meanwhile(*told: Any, **more: Any) -> Any:
        judged = judge(*told, **more)
        monkeypatch.setattr(arrival, "judge", judge)
        intake.readmit(store, "m", late.batch_id, by="Ada", reason="why")
        return judged

    monkeypatch.setattr(arrival, "judge", meanwhile)
    intake.receive(store, "m", parquet(tmp_path, keyed(200, amount=3.0), "good.parquet"))
    assert counted(store) == 400
    assert left(store) == chosen(store, tmp_path)


def test_what_comes_in_while_a_batch_is_taken_in_is_not_counted_twice(
    keyed_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = keyed_store
    late = intake.receive(store, "m", parquet(tmp_path, keyed(300, amount=2.0, bad=True), "bad.parquet"))
    judge = judging.judge

    def meanwhile(*told: Any, **more: Any) -> Any:
        judged = judge(*told, **more)
        monkeypatch.setattr(judging, "judge", judge)
        intake.receive(store, "m", parquet(tmp_path, keyed(200, amount=3.0), "good.parquet"))
        return judged

    monkeypatch.setattr(judging, "judge", meanwhile)
    intake.readmit(store, "m", late.batch_id, by="Ada", reason="why")
    assert counted(store) == 400
    assert left(store) == chosen(store, tmp_path)


def test_one_content_is_never_accepted_twice(store: Store, refused: BatchReport, tmp_path: Path) -> None:
    store.policy = replace(store.policy, failed_share_max=0.9)
    for finding in refused.findings:
        code = finding.code
        store.models.set_severity("m", code=code, severity="info", by="Ada", reason="why")
    again = intake.receive(store, "m", store.batches.raw_path(refused))
    assert (again.batch_id, again.status) == ("b-0003", BatchStatus.ACCEPTED)
    closed = store.batches.get("m", "b-0002")
    assert closed.status is BatchStatus.DISCARDED
    assert closed.ruling is not None
    assert "accepted as b-0003" in closed.ruling.reason
    with pytest.raises(InvalidDefinition, match="b-0002 of 'm' is discarded"):
        intake.readmit(store, "m", "b-0002", by="Ada", reason="why")
    assert store.batches.raw_path(again).is_file()


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
