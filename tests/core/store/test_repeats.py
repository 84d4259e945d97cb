"""A stored row whose id comes again is found, taken from the counts of its batch, and named to those who scan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipeline_core.records import BatchStatus, Column, ColumnType, Role, Schema
from pipeline_core.stages import profiling
from pipeline_core.store import Store
from pipeline_core.store.repeats import REPEATS
from tests.core.store import made

KEY = Column(column_id="c004", name="key", type=ColumnType.CATEGORY, role=Role.ID)
WHEN = Column(column_id="c005", name="when", type=ColumnType.TIMESTAMP, role=Role.TIME)


def schema(*more: Column) -> Schema:
    plain = made.schema()
    return replace(plain, columns=(*plain.columns, *more))


def find(store: Store, schema: Schema, rows: pa.Table) -> pa.Table:
    with store.work_dir() as work:
        return store.repeats.find(schema, made.file(rows, work))


def again(store: Store, ids: list[str], *, first_day: int = 0) -> pa.Table:
    """Receive as the door does: look up, add, and write down what is replaced."""
    rows = made.typed_rows(ids, first_day=first_day)
    found = find(store, schema(KEY, WHEN), rows)
    parts = []
    for batch_id, old in store.repeats.rows("bank", found).items():
        counts = made.day_counts(old)
        parts.append(counts.append_column("batch_id", pa.array([batch_id] * counts.num_rows)))
    with store.transaction():
        batch = made.add_batch(store, ids, first_day=first_day)
        if parts:
            store.repeats.add(batch, found, counts=pa.concat_tables(parts))
    return found


def total(store: Store, *batch_ids: str) -> int:
    return pc.sum(store.batches.counts("bank", batch_ids=batch_ids or None)["n"]).as_py() or 0


def test_known_ids_are_found_by_batch_with_their_event_time(store: Store) -> None:
    made.add_batch(store, ["a", "b", "c"])
    made.add_batch(store, ["d"], first_day=3)
    made.add_batch(store, ["e"], first_day=9, status=BatchStatus.QUARANTINED)
    rows = made.typed_rows(["x", "b", "d", "e"])  # on day 0, 1, 2, 3
    found = find(store, schema(KEY, WHEN), rows)
    assert found.schema == REPEATS
    assert found.to_pylist() == [
        {"batch_id": "b-0001", "row_number": 1, "same": True, "replaced_by": None},
        {"batch_id": "b-0002", "row_number": 0, "same": False, "replaced_by": None},
    ]
    blank = rows.set_column(2, "event_at", pa.nulls(4, pa.timestamp("us")))
    assert find(store, schema(KEY, WHEN), blank)["same"].to_pylist() == [True, True]


def test_without_an_event_time_the_features_tell(store: Store) -> None:
    made.add_batch(store, ["a", "b", "c"], target=["yes", "no", "no"])
    rows = made.typed_rows(["a", "c"], first_day=50)  # c was on the third line
    assert find(store, schema(KEY), rows)["same"].to_pylist() == [True, False]
    empty = rows.set_column(3, "c001", pa.nulls(2, pa.float64()))
    assert find(store, schema(KEY), empty)["same"].to_pylist() == [False, False]


def test_ids_that_nobody_has_seen_repeat_nothing_and_leave_nothing_behind(store: Store) -> None:
    made.add_batch(store, ["a"])
    assert find(store, schema(KEY, WHEN), made.typed_rows(["b"])) == REPEATS.empty_table()
    assert store._database.rows("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'repeated'") == [(0,)]


def test_generated_ids_and_a_first_batch_repeat_nothing(store: Store) -> None:
    rows = made.typed_rows(["a"])
    assert find(store, schema(KEY), rows) == REPEATS.empty_table()
    made.add_batch(store, ["a"])
    assert find(store, schema(), rows) == REPEATS.empty_table()
    assert store.repeats.replaced("bank", ["b-0001"]).num_rows == 0


def test_replaced_rows_leave_the_counts_and_are_named(store: Store) -> None:
    again(store, ["a", "b", "c"])
    again(store, ["x", "b", "c", "d"])
    assert (total(store), total(store, "b-0001"), total(store, "b-0002")) == (10, 2, 8)
    left = store.batches.counts("bank", batch_ids=["b-0001"]).to_pylist()
    assert [(r["cell"], r["level"], r["n"]) for r in left] == [(10.0, None, 1), (None, "a", 1)]
    file = str(store.batches.rows_paths("bank", ["b-0001"])[0])
    assert store.repeats.replaced("bank", ["b-0001", "b-0002"]).to_pylist() == [
        {"file": file, "row_number": 1},
        {"file": file, "row_number": 2},
    ]
    # a third time: the second batch's rows go, those that went before do not go twice
    assert again(store, ["x", "b"])["batch_id"].to_pylist() == ["b-0002", "b-0002"]
    assert (total(store), total(store, "b-0001"), total(store, "b-0002"), total(store, "b-0003")) == (10, 2, 4, 4)
    assert store.repeats.replaced("bank", ["b-0002"])["row_number"].to_pylist() == [0, 1]
    windows = store.day_counts.windows("bank", {made.day(n): made.day(n // 2 * 2) for n in range(9)})
    assert min(profiling.add(windows)["n"].to_pylist()) >= 0


def test_rows_of_a_batch_that_is_taken_in_late_yield_to_newer_ones(store: Store, tmp_path: Path) -> None:
    made.add_batch(store, ["a", "b", "c"])
    late = made.add_batch(store, ["x", "b", "c"], status=BatchStatus.QUARANTINED)
    again(store, ["y", "b"])
    with store.work_dir() as work:
        rows = made.file(made.typed_rows(["x", "b", "c"]), work)
        found = store.repeats.find(schema(KEY, WHEN), rows, batch=late)
    assert found.to_pylist() == [
        {"batch_id": "b-0001", "row_number": 2, "same": True, "replaced_by": None},
        {"batch_id": "b-0002", "row_number": 1, "same": True, "replaced_by": "b-0003"},
    ]


def test_what_was_replaced_moves_and_goes_with_the_model(store: Store, tmp_path: Path) -> None:
    with Store.open(tmp_path / "other") as other:
        other.models.define(made.schema())
        again(other, ["a", "b"])
        again(other, ["x", "b"])
    store.models.remove("bank")
    store.absorb(tmp_path / "other", "bank")
    assert store.repeats.replaced("bank", ["b-0001"])["row_number"].to_pylist() == [1]
    assert total(store) == 6
    store.models.remove("bank")
    assert store._database.rows("SELECT count(*) FROM replaced") == [(0,)]
