"""Counts of many windows over the same keys, and sums of them."""

from __future__ import annotations

import doctest
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_core.records import COUNTS
from pipeline_core.stats import cubes as module
from pipeline_core.stats.columns import ColumnCounts
from pipeline_core.stats.cubes import Cube, cube, cubes

DAYS = [datetime(2026, 3, d, tzinfo=UTC) for d in range(1, 5)]


def counts(*rows: tuple[str, datetime | None, float | None, str | None, int]) -> pa.Table:
    names = ("column_id", "bucket", "cell", "level", "n")
    columns = dict(zip(names, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(names, ())
    columns["bucket"] = [b and b.replace(tzinfo=None) for b in columns["bucket"]]
    return pa.table(columns, schema=COUNTS)


def same(one: ColumnCounts, two: ColumnCounts) -> None:
    assert (one.keys.tolist(), one.n.tolist(), one.nulls) == (two.keys.tolist(), two.n.tolist(), two.nulls)


def test_examples_hold() -> None:
    assert doctest.testmod(module).failed == 0


def test_windows_go_in_and_come_out() -> None:
    numbers = [
        ColumnCounts(keys=np.array([1.0, 4.0]), n=np.array([2, 1]), nulls=3),
        ColumnCounts(keys=np.array([]), n=np.array([], dtype=np.int64), nulls=7),
        ColumnCounts(keys=np.array([2.0]), n=np.array([5])),
    ]
    made = cube([*numbers, None])
    assert (made.windows, made.known.tolist(), made.rows.tolist()) == (4, [3, 0, 5, 0], [6, 7, 5, 0])
    assert made.null_shares.tolist() == [0.5, 1.0, 0.0, 0.0]
    for place, counted in enumerate(numbers):
        same(made.window(place), counted)
    assert cube([None, None]).n.shape == (2, 0)


def test_levels_go_with_windows_of_nulls_only() -> None:
    levels = ColumnCounts(keys=np.array(["a", "b"], dtype=object), n=np.array([1, 2]))
    made = cube([levels, ColumnCounts(keys=np.empty(0), n=np.empty(0, np.int64), nulls=4)])
    assert (made.keys.tolist(), made.n.tolist(), made.nulls.tolist()) == (["a", "b"], [[1, 2], [0, 0]], [0, 4])


def test_more_keys_change_no_count() -> None:
    made = cube([ColumnCounts(keys=np.array([2.0, 5.0]), n=np.array([3, 4]), nulls=1)])
    wider = made.on(np.array([1.0, 2.0, 3.0, 5.0]))
    assert (wider.n.tolist(), wider.nulls.tolist()) == ([[0, 3, 0, 4]], [1])
    assert made.on(made.keys) is made


def test_a_table_of_counts_becomes_one_cube_a_column() -> None:
    found = cubes(
        counts(
            ("c2", DAYS[2], 5.0, None, 1),
            ("c1", DAYS[0], None, "b", 2),
            ("c2", DAYS[0], None, None, 7),
            ("c1", DAYS[1], None, "a", 3),
            ("c2", DAYS[2], 1.0, None, 4),
            ("c2", DAYS[2], 5.0, None, 10),
            ("c2", DAYS[3], 9.0, None, 99),
            ("c2", None, 1.0, None, 99),
            ("c3", DAYS[1], None, None, 8),
        ),
        [DAYS[2], DAYS[0], DAYS[1]],
    )
    assert list(found) == ["c2", "c1", "c3"]
    assert found["c2"].nulls.tolist() == [0, 7, 0]
    same(found["c2"].window(0), ColumnCounts(keys=np.array([1.0, 5.0]), n=np.array([4, 11])))
    assert (found["c1"].keys.tolist(), found["c1"].n.tolist()) == (["a", "b"], [[0, 0], [0, 2], [3, 0]])
    assert (found["c3"].n.shape, found["c3"].nulls.tolist()) == ((3, 0), [0, 0, 8])
    assert cubes(counts(), DAYS) == {}


def test_one_moment_is_one_bucket_whatever_zone_it_is_written_in() -> None:
    from datetime import timezone

    tokyo = DAYS[1].astimezone(timezone(timedelta(hours=9)))
    found = cubes(counts(("c1", DAYS[1], 1.0, None, 2)), [tokyo])["c1"]
    assert found.n.tolist() == [[2]]


@pytest.mark.parametrize("share", [0.02, 0.4, 0.98])
@settings(deadline=None)
@given(seed=st.integers(0, 1_000))
def test_selections_are_sums(share: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    n, nulls = random.integers(0, 9, (40, 6)), random.integers(0, 5, 40)
    chosen = random.random((15, 40)) < share
    chosen[3] = chosen[4]
    made = Cube(keys=np.arange(6.0), n=n, nulls=nulls).selected(chosen)
    assert made.n.tolist() == (chosen.astype(int) @ n).tolist()
    assert made.nulls.tolist() == (chosen.astype(int) @ nulls).tolist()


def test_nothing_chosen_is_a_window_without_rows() -> None:
    one = cube([ColumnCounts(keys=np.array([1.0]), n=np.array([4]), nulls=2)])
    empty = one.selected(np.zeros((2, 1), dtype=bool))
    assert (empty.rows.tolist(), empty.windows) == ([0, 0], 2)
    assert cube([]).selected(np.zeros((3, 0), dtype=bool)).rows.tolist() == [0, 0, 0]
    assert one.selected(np.zeros((0, 1), dtype=bool)).windows == 0
