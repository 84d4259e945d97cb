"""KS as an interval, then exactly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from pipeline_core.records import Grid
from pipeline_core.stats.grids import cells_of
from pipeline_core.stats.refinement import Bound, Reread, ks_bound, ks_refined

COARSE = Grid(column_id="c001", kind="cells", centre=0.0, spread=1e6)
samples = st.lists(st.floats(-1e3, 1e3) | st.sampled_from([0.0, 1.0, 2.0]), min_size=2, max_size=60)


def counted(base: np.ndarray, current: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    cells = [cells_of(side, COARSE) for side in (base, current)]
    keys = np.unique(np.concatenate(cells))
    return keys, tuple(np.array([(side == key).sum() for key in keys]) for side in cells)  # type: ignore[return-value]


def reread(values: np.ndarray) -> Reread:
    ordered = np.sort(values)
    return Reread(cells=cells_of(ordered, COARSE).astype(np.int64), values=ordered)


@given(base=samples, current=samples)
def test_the_interval_holds_the_exact_distance_and_the_rows_give_it(base: list[float], current: list[float]) -> None:
    one, two = np.array(base), np.array(current)
    keys, counts = counted(one, two)
    found = ks_bound(*counts)
    exact = ks_2samp(one, two, method="asymp").statistic
    assert found.low - 1e-12 <= exact <= found.high + 1e-12
    assert ks_refined(keys, counts, (reread(one), reread(two))) == pytest.approx(exact, abs=1e-12)


def test_a_cell_with_rows_of_one_side_only_is_never_open() -> None:
    found = ks_bound(np.array([5, 0, 5]), np.array([0, 10, 0]))
    assert (found.low, found.high, found.open_cells.any()) == (0.5, 0.5, False)


def test_without_open_cells_no_row_is_needed() -> None:
    nothing = Reread(cells=np.empty(0, np.int64), values=np.empty(0))
    counts = (np.array([3, 0]), np.array([0, 4]))
    assert ks_refined(np.array([1.0, 2.0]), counts, (nothing, nothing)) == pytest.approx(1.0)


def test_rows_that_were_not_counted_give_no_answer() -> None:
    keys, counts = counted(np.array([0.1, 0.2]), np.array([0.2, 0.3]))
    assert ks_refined(keys, counts, (reread(np.array([0.1])), reread(np.array([0.2, 0.3])))) is None


def test_more_rows_than_asked_for_do_no_harm() -> None:
    counts = (np.array([1, 2]), np.array([1, 2]))
    found = Bound(low=0.0, high=1.0, possible=np.array([0.5, 1.0]), open_cells=np.array([False, True]))
    base = Reread(cells=np.array([1, 2, 2]), values=np.array([0.1, 5.0, 6.0]))
    current = Reread(cells=np.array([1, 2, 2]), values=np.array([0.2, 7.0, 8.0]))
    assert ks_refined(np.array([1.0, 2.0]), counts, (base, current), found=found) == pytest.approx(2 / 3)
