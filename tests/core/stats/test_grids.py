"""The map from numbers to cells."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline_core.records import Grid
from pipeline_core.stats.grids import CELLS, cells_of, edges_of, spread_of

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
