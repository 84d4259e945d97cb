"""The map from numbers to cells."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline_core.records import Grid
from pipeline_core.stats.grids import BINS, CELLS, bin_starts, cells_of, edges_of, firsts_of, lasts_of, spread_of

numbers = st.floats(allow_nan=False, allow_infinity=False)
GRID = Grid(column_id="c001", kind="cells", centre=2.0, spread=3.0)


@given(values=st.lists(numbers, min_size=2, max_size=50), centre=numbers, spread=st.floats(1e-300, 1e300))
def test_the_order_of_cells_is_the_order_of_values(values: list[float], centre: float, spread: float) -> None:
    grid = Grid(column_id="c001", kind="cells", centre=centre, spread=spread)
    cells = cells_of(np.sort(np.array(values)), grid)
    assert np.all(np.diff(cells) >= 0)
    assert cells[0] >= 0
    assert cells[-1] < CELLS


def test_the_largest_numbers_fall_into_the_end_cells() -> None:
    big = np.finfo(float).max
    assert cells_of(np.array([-big, big]), GRID).tolist() == [0, CELLS - 1]
    assert cells_of(np.array([2.0]), GRID).tolist() == [32767.0]
    assert np.isnan(cells_of(np.array([np.nan]), GRID)).all()


@given(value=st.floats(-1e4, 1e4))
def test_a_value_lies_between_the_edges_of_its_cell(value: float) -> None:
    low, high = edges_of(cells_of(np.array([value]), GRID), GRID)
    assert low[0] - 1e-9 <= value <= high[0] + 1e-9


def test_the_end_cells_are_given_by_their_inner_edge() -> None:
    low, high = edges_of(np.array([0.0, CELLS - 1.0]), GRID)
    assert low[0] == high[0] < -98_000
    assert low[1] == high[1] > 98_000


def test_values_are_their_own_cells() -> None:
    grid = Grid(column_id="c001", kind="value")
    cells = cells_of(np.array([-0.0, 1.5]), grid)
    assert cells.tolist() == [0.0, 1.5]
    assert not np.signbit(cells[0])
    assert [side.tolist() for side in edges_of(cells, grid)] == [[0.0, 1.5], [0.0, 1.5]]


def test_a_column_without_a_spread_is_still_cut() -> None:
    spreads = [spread_of(Grid(column_id="c001", kind="cells", spread=s)) for s in (0.0, float("inf"), 3.0)]
    assert spreads == [1.0, 1.0, 3.0]


def binned(values: np.ndarray) -> Grid:
    rows = np.bincount(cells_of(values, GRID).astype(np.intp), minlength=CELLS)
    return replace(GRID, starts=bin_starts(rows))


def test_without_bins_every_cell_is_for_itself() -> None:
    assert firsts_of(GRID).tolist() == list(range(CELLS))
    assert lasts_of(np.array([5.0]), GRID).tolist() == [5.0]


def test_a_bin_holds_about_a_two_thousandth_of_the_rows() -> None:
    values = np.random.default_rng(5).lognormal(1, 1, 200_000)
    grid = binned(values)
    assert len(grid.starts) <= BINS
    _, n = np.unique(cells_of(values, grid), return_counts=True)
    assert n.max() <= len(values) * 1.15 / 2_000


def test_a_heavy_cell_is_alone() -> None:
    values = np.append(np.linspace(-9, 9, 30_000), np.full(500, 2.5))
    grid = binned(values)
    heavy = cells_of(np.array([2.5]), replace(grid, starts=()))
    assert {int(heavy[0]), int(heavy[0]) + 1} <= set(grid.starts)
    assert cells_of(np.array([2.5]), grid).tolist() == heavy.tolist()


def test_a_small_file_leaves_bins_where_it_has_no_rows() -> None:
    grid = binned(np.array([1.0, 2.0, 3.0]))
    assert BINS * 0.95 <= len(grid.starts) <= BINS
    assert np.diff(grid.starts).max() < 40
    assert len(bin_starts(np.zeros(CELLS, dtype=np.int64))) == BINS


@given(seed=st.integers(0, 500), values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30))
def test_bins_keep_the_order_and_hold_their_values(seed: int, values: list[float]) -> None:
    grid = binned(np.random.default_rng(seed).standard_t(2, 3_000))
    ordered = np.sort(np.array(values))
    bins = cells_of(ordered, grid)
    assert np.all(np.diff(bins) >= 0)
    assert set(bins.astype(int)) <= set(grid.starts)
    low, high = edges_of(bins, grid)
    inside = (bins > 0) & (lasts_of(bins, grid) < CELLS - 1)
    room = 1e-9 * (1 + np.abs(ordered))
    assert np.all((low - room <= ordered)[inside])
    assert np.all((ordered <= high + room)[inside])


def test_values_without_a_place_have_no_bin() -> None:
    assert np.isnan(cells_of(np.array([np.nan]), binned(np.arange(10.0)))).all()
