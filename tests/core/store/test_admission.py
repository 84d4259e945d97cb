"""What a batch brings is written with it or not at all, and what a person decides about a refused one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline_core.errors import InvalidDefinition, NotFound, Quarantined, Stale
from pipeline_core.records import BatchReport, BatchStatus, Finding, Measure, Ruling, Severity
from pipeline_core.stages.alerts import batch_alerts
from pipeline_core.store import Store
from pipeline_core.store.history import ASIDE
from tests.core.store import made
from tests.core.store.made import known

ACCEPTED, QUARANTINED, DISCARDED = BatchStatus.ACCEPTED, BatchStatus.QUARANTINED, BatchStatus.DISCARDED
RULING = Ruling(decided_by="Ada", decided_at=made.day(9), reason="the supplier confirmed it")
NULLS = Measure(code="nulls", column_id="c001", value=0.25)
FINDING = Finding(code="nulls", column="income", severity=Severity.ERROR, message="Too many.")


def aside(folder: Path) -> Path:
    table = pa.table({"row_number": [7], "column_id": ["c001"], "reason": ["no number"]}, schema=ASIDE)
    return made.file(table, folder, "aside.parquet")


def refuse(store: Store, content: bytes = b"refused", *, rows: int = 2) -> BatchReport:
    """Keep a quarantined batch with its alert, as the door does."""
    with store.work_dir() as work, store.transaction():
        raw = work / "file.csv"
        raw.write_bytes(content)
        told = made.report(store.batches.next_id("bank"), rows, content, status=QUARANTINED)
        kept = store.batches.add(replace(told, findings=(FINDING,)), raw=raw, measures=[NULLS])
        assert len(store.signals.add_alerts(batch_alerts(kept, shares={}, policy=store.policy))) == 1
    return kept


def readmit(store: Store, batch_id: str, rows: pa.Table) -> BatchReport:
    with store.work_dir() as work:
        counts = made.file(made.day_counts(rows), work, "counts.parquet")
        return store.batches.rule(
            "bank", batch_id, ruling=RULING, status=ACCEPTED, rows=made.file(rows, work), counts=counts,
            measures=[replace(NULLS, value=0.75)], aside=aside(work),
        )  # fmt: skip


def test_counts_of_a_file_are_those_of_a_table_without_what_is_on_no_day(store: Store, tmp_path: Path) -> None:
    rows = made.typed_rows(["a", "b", "c"])
    made.add_batch(store, ["a", "b", "c"])
    blank = made.day_counts(rows).slice(0, 1).set_column(1, "bucket", pa.nulls(1, pa.timestamp("us")))
    counts = made.file(pa.concat_tables([made.day_counts(rows), blank]), tmp_path, "counts.parquet")
    store.models.define(made.schema("other"))
    told = made.report("b-0001", 3, b"x", model="other")
    store.batches.add(told, rows=made.file(rows, tmp_path), counts=counts)
    assert store.batches.counts("other") == store.batches.counts("bank")


def test_content_that_is_accepted_already_is_not_taken_in_once_more(store: Store) -> None:
    refused = refuse(store)
    with store.work_dir() as work:
        raw = work / "file.csv"
        raw.write_bytes(b"refused")
        told = made.report("b-0002", 1, b"refused")
        store.batches.add(told, raw=raw, rows=made.file(made.typed_rows(["x"]), work))
    with pytest.raises(Stale, match="is accepted already, as batch b-0002"):
        readmit(store, refused.batch_id, made.typed_rows(["x"]))
    assert store.batches.get("bank", refused.batch_id).status is QUARANTINED


def test_rows_without_a_target_bring_no_labels(store: Store, tmp_path: Path) -> None:
    rows = made.file(made.typed_rows(["a"], target=["yes"]).drop_columns(["c003"]), tmp_path)
    assert store.batches.add(made.report("b-0001", 1, b"x"), rows=rows).labelled_rows == 0
    assert known(store) == {}


def test_rows_that_were_set_aside_are_kept_beside_the_others(store: Store, tmp_path: Path) -> None:
    rows = made.file(made.typed_rows(["a"]), tmp_path)
    told = replace(made.report("b-0001", 1, b"x"), set_aside_rows=1)
    store.batches.add(told, rows=rows, aside=aside(tmp_path))
    assert store.batches.read_aside("bank", "b-0001").to_pylist() == [
        {"row_number": 7, "column_id": "c001", "reason": "no number"}
    ]
    assert [p.name for p in store.batches.rows_paths("bank")] == ["b-0001.parquet"]
    made.add_batch(store, ["b"])
    assert store.batches.read_aside("bank", "b-0002") == ASIDE.empty_table()
    refused = refuse(store)
    with pytest.raises(Quarantined):
        store.batches.read_aside("bank", refused.batch_id)
    home = store.home
    store.close()
    with Store.open(home) as again:  # it is no stray
        assert again.batches.read_aside("bank", "b-0001").num_rows == 1
        assert not (home / "lost").exists()


def test_a_batch_is_taken_in_by_a_person_under_its_own_id(store: Store) -> None:
    refused = refuse(store, rows=3)
    made.add_batch(store, ["z"], first_day=5)
    rows = made.typed_rows(["a", "b"], target=["yes", "no"])
    ruled = readmit(store, "b-0001", rows)
    # one of the three rows was set aside; what was found stays
    assert ruled == replace(refused, status=ACCEPTED, ruling=RULING, rows=2, labelled_rows=2)
    assert store.batches.get("bank", "b-0001") == ruled
    assert store.batches.list("bank", status=ACCEPTED)[1] == ruled
    assert store.batches.read_rows("bank", "b-0001") == rows
    assert store.batches.read_aside("bank", "b-0001").num_rows == 1
    assert store.batches.counts("bank", batch_ids=["b-0001"])["n"].to_pylist() == [1] * 4
    assert store.batches.measures("bank").to_pylist() == [
        {"batch_id": "b-0001", "code": "nulls", "column_id": "c001", "value": 0.75}
    ]
    assert known(store) == {"a": ("yes", 1), "b": ("no", 1)}
    assert store.batches.labels("bank")["received_at"].to_pylist() == [made.day(9).replace(tzinfo=None)] * 2
    assert store.batches.raw_path(ruled).read_bytes() == b"refused"
    (alert,) = store.signals.alerts("bank")
    assert (alert.acknowledged_by, alert.note, alert.acknowledged_at) == ("Ada", RULING.reason, made.day(9))
    with pytest.raises(Stale, match="is accepted by now"):
        readmit(store, "b-0001", rows)
    assert store.batches.find("bank", refused.sha256) == ruled  # sent again it is known


def test_a_batch_is_thrown_away_and_judged_anew_when_it_comes_again(store: Store) -> None:
    refused = refuse(store)
    other = refuse(store, b"other")
    raw = store.batches.raw_path(refused)
    ruled = store.batches.rule("bank", "b-0001", ruling=RULING, status=DISCARDED)
    assert ruled == replace(refused, status=DISCARDED, ruling=RULING)
    assert not raw.exists()
    with pytest.raises(NotFound, match="no file is kept"):
        store.batches.raw_path(ruled)
    assert store.batches.find("bank", refused.sha256) is None
    assert store.batches.list("bank") == (other, ruled)
    assert [a.acknowledged_by for a in store.signals.alerts("bank", open_only=True)] == [None]
    with pytest.raises(Quarantined, match="is discarded"):
        store.batches.read_rows("bank", "b-0001")
    again = refuse(store)
    assert (again.batch_id, again.duplicate) == ("b-0003", False)
    assert store.batches.raw_path(again).read_bytes() == b"refused"


def test_a_file_that_another_batch_names_stays(store: Store) -> None:
    refused = refuse(store)
    store.models.define(made.schema("other"))
    with store.work_dir() as work:
        raw = work / "f.csv"
        raw.write_bytes(b"refused")
        twin = store.batches.add(
            made.report("b-0001", 1, b"refused", model="other"), raw=raw, rows=made.file(made.typed_rows(["a"]), work)
        )
    store.batches.rule("bank", refused.batch_id, ruling=RULING, status=DISCARDED)
    assert store.batches.raw_path(twin).read_bytes() == b"refused"


def test_a_decision_that_cannot_be_made_changes_nothing(store: Store) -> None:
    refused = refuse(store)
    with pytest.raises(NotFound, match="Did you mean 'b-0001'"):
        store.batches.rule("bank", "b-01", ruling=RULING, status=DISCARDED)
    with pytest.raises(InvalidDefinition, match="quarantined already"):
        store.batches.rule("bank", "b-0001", ruling=RULING, status=QUARANTINED)
    with pytest.raises(InvalidDefinition, match="brings no rows"):
        store.batches.rule("bank", "b-0001", ruling=RULING, status=ACCEPTED)
    with pytest.raises(ZeroDivisionError), store.transaction():
        readmit(store, "b-0001", made.typed_rows(["a", "b"]))
        raise ZeroDivisionError
    assert store.batches.list("bank") == (refused,)
    assert store.batches.labelled_rows("bank") == 0
    assert store.batches.counts("bank").num_rows == 0
    assert not [p for p in (store.home / "rows").rglob("*") if p.is_file()]
    assert len(store.signals.alerts("bank", open_only=True)) == 1
    assert readmit(store, "b-0001", made.typed_rows(["a", "b"])).status is ACCEPTED
