"""Counts of a column beside the quantiles of its baseline."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from pipeline_core.records import COUNTS, Grid
from pipeline_core.stages.validation.tallies import Tally, tallies
from pipeline_core.stats.grids import cells_of

VALUE = Grid(column_id="c001", kind="value")
LEVEL = Grid(column_id="c002", kind="level")
CELLS = Grid(column_id="c003", kind="cells", centre=0.0, spread=1.0)


def row(column_id: str, n: int, *, cell: float | None = None, level: str | None = None, day: int | None = 1) -> dict:
    bucket = None if day is None else datetime(2025, 1, day)  # ruff: ignore[call-datetime-without-tzinfo] - as counts have it
    return {"column_id": column_id, "bucket": bucket, "cell": cell, "level": level, "n": n}


def counted(values: np.ndarray, grid: Grid) -> Tally:
    cells, n = np.unique(cells_of(values, grid), return_counts=True)
    rows = [row(grid.column_id, int(k), cell=float(c)) for c, k in zip(cells, n, strict=True)]
    return tallies(pa.Table.from_pylist(rows, COUNTS), [grid])[grid.column_id]


def test_days_add_up_and_nulls_are_apart() -> None:
    rows = [
        row("c002", 2, level="b"),
        row("c001", 3, cell=5.0),
        row("c001", 4, cell=-1.0, day=2),
        row("c001", 5, cell=5.0, day=None),
        row("c001", 9),
        row("c002", 1, level="b", day=2),
        row("c002", 7),
    ]
    found = tallies(pa.Table.from_pylist(rows, COUNTS), [VALUE, LEVEL, CELLS])
    assert (found["c001"].first.tolist(), found["c001"].n.tolist(), found["c001"].known) == ([-1.0, 5.0], [4, 8], 12)
    assert (dict(found["c002"].levels), found["c002"].known) == ({"b": 3}, 3)
    assert found["c003"].known == 0


def test_nothing_counted_is_nothing_known() -> None:
    assert tallies(COUNTS.empty_table(), [VALUE])["c001"].known == 0


def test_rows_outside_a_range() -> None:
    tally = counted(np.array([1.0, 2.0, 2.0, 3.0, 9.0]), VALUE)
    assert tally.outside(2.0, 3.0) == (1, 1)
    assert tally.outside(0.0, 10.0) == (0, 0)
    binned = Grid(column_id="c003", kind="cells", starts=(0, 30_000, 40_000))
    # the bin of the upper end reaches further: what lies in it is not surely outside
    assert counted(np.array([-5.0, 0.0, 0.9, 50.0]), binned).outside(-0.05, 0.1) == (1, 2)


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=60), st.integers(0, 9))
def test_the_distance_is_exact_where_the_baseline_is_its_quantiles(values: list[int], seed: int) -> None:
    base = np.sort(np.random.default_rng(seed).integers(-4, 6, 40).astype(float))
    now = np.array(values, dtype=float)
    for grid in (VALUE, CELLS):
        assert counted(now, grid).ks_distance(base) == pytest.approx(ks_2samp(base, now).statistic, abs=1e-12)
