"""Counts add up over batches, by day and by window."""

from __future__ import annotations

from pipeline_core.records import COUNTS
from pipeline_core.store import Store
from tests.core.store import made


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
    windows = store.batches.window_counts("bank", [made.day(0), made.day(2)], end=made.day(3))
    assert windows.schema == COUNTS
    assert [(r["bucket"], r["cell"], r["level"], r["n"]) for r in windows.to_pylist()] == [
        (days[0], 10.0, None, 2), (days[0], 20.0, None, 1), (days[2], 20.0, None, 1), (days[2], 30.0, None, 1),
        (days[0], None, "a", 2), (days[0], None, "b", 1), (days[2], None, "a", 1), (days[2], None, "b", 1),
    ]  # fmt: skip
    late = store.batches.window_counts("bank", [made.day(2)], end=made.day(3), batch_ids=["b-0002"])
    assert late["n"].to_pylist() == [1, 1]
    assert store.batches.window_counts("bank", [], end=made.day(3)) == COUNTS.empty_table()
