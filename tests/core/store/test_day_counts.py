"""Counts add up over batches, by day and by window."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyarrow as pa

from pipeline_core.records import COUNTS, Grid
from pipeline_core.stages import profiling
from pipeline_core.store import Store
from pipeline_core.store.day_counts import GROUPED_DAYS_MIN
from tests.core.store import made


def summed(table: pa.Table) -> list[dict[str, Any]]:
    found = profiling.add(table).sort_by([(name, "ascending") for name in ("column_id", "bucket", "cell", "level")])
    return found.to_pylist()


def test_many_days_are_put_together_by_the_store(store: Store) -> None:
    rows = [f"r{i}" for i in range(GROUPED_DAYS_MIN + 3)]
    made.add_batch(store, rows)
    days = {made.day(n): made.day(0) for n in range(GROUPED_DAYS_MIN)}
    windows = store.day_counts.windows("bank", days)
    assert len(summed(windows)) == windows.num_rows
    assert summed(windows) == summed(store.day_counts.windows("bank", {**days, made.day(90): made.day(90)}))
    assert sum(windows["n"].to_pylist()) == 2 * GROUPED_DAYS_MIN


def test_counts_add_up_by_day_and_by_window(store: Store) -> None:
    made.add_batch(store, ["a", "b", "c"])
    made.add_batch(store, ["d", "e"], first_day=1)
    counts = store.batches.counts("bank")
    assert counts.schema == COUNTS
    days = [made.day(n).replace(tzinfo=None) for n in range(3)]
    numbers = [(r["bucket"], r["cell"], r["n"]) for r in counts.to_pylist() if r["column_id"] == "c001"]
    assert numbers == [
        (days[0], 10.0, 1), (days[1], 10.0, 1), (days[1], 20.0, 1), (days[2], 20.0, 1), (days[2], 30.0, 1),
    ]  # fmt: skip
    assert sum(store.batches.counts("bank", since=made.day(1), until=made.day(2))["n"].to_pylist()) == 4
    assert sum(store.batches.counts("bank", batch_ids=["b-0002"])["n"].to_pylist()) == 4
    assert store.batches.counts("bank", batch_ids=[]).num_rows == 0
    weeks = {made.day(0): made.day(0), made.day(1): made.day(0), made.day(2): made.day(2)}
    windows = store.day_counts.windows("bank", weeks)
    assert windows.schema == COUNTS
    assert [(r["bucket"], r["cell"], r["level"], r["n"]) for r in summed(windows)] == [
        (days[0], 10.0, None, 2), (days[0], 20.0, None, 1), (days[2], 20.0, None, 1), (days[2], 30.0, None, 1),
        (days[0], None, "a", 2), (days[0], None, "b", 1), (days[2], None, "a", 1), (days[2], None, "b", 1),
    ]  # fmt: skip
    late = store.day_counts.windows("bank", {made.day(2): made.day(2)}, batch_ids=["b-0002"])
    assert late["n"].to_pylist() == [1, 1]
    one = store.day_counts.windows("bank", weeks, columns=["c001"])
    assert summed(one) == [r for r in summed(windows) if r["column_id"] == "c001"]
    assert store.day_counts.windows("bank", {}) == COUNTS.empty_table()


def test_rows_are_counted_by_day(store: Store) -> None:
    made.add_batch(store, ["a", "b", "c"])
    made.add_batch(store, ["d", "e"], first_day=1)
    assert store.day_counts.rows("bank") == {}  # no column is counted
    counted = replace(made.schema(), schema_version=2, grids=(Grid(column_id="c002", kind="level"),))
    store.models.define(counted)
    assert store.day_counts.rows("bank") == {made.day(0): 1, made.day(1): 2, made.day(2): 2}
    assert store.day_counts.rows("bank", span=(made.day(1), made.day(2))) == {made.day(1): 2}
    assert store.day_counts.rows("bank", batch_ids=["b-0002"]) == {made.day(1): 1, made.day(2): 1}
    assert store.day_counts.rows("bank", batch_ids=[]) == {}
