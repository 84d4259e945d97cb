"""What is conspicuously common, counted by hand and against numpy."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_core.stats import spikes
from pipeline_core.stats.spikes import common_values, counted_quantiles, decimals_of, rows_needed, standing_out


def test_examples_hold() -> None:
    assert doctest.testmod(spikes, extraglobs={"np": np}).failed == 0


@pytest.mark.parametrize(("rows", "needed"), [(1, 5), (5_000, 5), (5_001, 6), (1_000_000, 1_000)])
def test_a_common_value_has_five_rows_and_a_thousandth(rows: int, needed: int) -> None:
    assert rows_needed(rows) == needed


def test_a_smooth_hump_does_not_stand_out_but_a_heap_on_it_does() -> None:
    places = np.arange(100)
    n = np.round(3_000 * np.exp(-(((places - 50) / 15) ** 2))).astype(np.int64)
    assert not standing_out(n, rows=int(n.sum())).any()
    n[[30, 52, 53]] += [300, 400, 800]
    assert np.flatnonzero(standing_out(n, rows=int(n.sum()))).tolist() == [30, 52, 53]


def test_of_few_values_each_is_common() -> None:
    n = np.array([1_000, 4, 5] + [10] * 17)
    assert standing_out(n, rows=1_000).tolist() == [True, False] + [True] * 18


def test_the_commonest_are_kept_in_order() -> None:
    values = np.arange(200.0)
    n = np.ones(200, dtype=np.int64)
    n[[10, 60, 110, 160]] = [50, 90, 50, 4]
    assert common_values(values, n, rows=int(n.sum()), most=20) == ((60.0, 90), (10.0, 50), (110.0, 50))
    assert common_values(values, n, rows=int(n.sum()), most=2) == ((60.0, 90), (10.0, 50))
    assert common_values(values[:0], n[:0], rows=0, most=2) == ()


@given(
    values=st.lists(st.integers(-50, 50), min_size=1, max_size=80),
    wanted=st.lists(st.floats(0, 1), min_size=1, max_size=10),
)
def test_quantiles_of_values_are_the_rows_nearest_below(values: list[int], wanted: list[float]) -> None:
    keys, n = np.unique(np.array(values, dtype=np.float64), return_counts=True)
    found = counted_quantiles((keys, keys), n, np.array(wanted))
    assert found.tolist() == np.quantile(np.array(values, dtype=np.float64), wanted, method="lower").tolist()


def test_rows_of_a_cell_lie_evenly_in_it() -> None:
    low, high = np.array([0.0, 10.0]), np.array([10.0, 30.0])
    found = counted_quantiles((low, high), np.array([2, 2]), np.array([0.0, 0.4, 0.7, 1.0]))
    assert found.tolist() == [2.5, 7.5, 15.0, 25.0]


@pytest.mark.parametrize(
    ("values", "decimals"),
    [([], None), ([1.0, -3.0], 0), ([0.25, 1.5], 2), ([0.1 + 0.2], None), ([1e300], 0), ([0.123456], 6)],
)
def test_decimals(values: list[float], decimals: int | None) -> None:
    assert decimals_of(np.array(values)) == decimals
