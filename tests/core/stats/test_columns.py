from __future__ import annotations

import doctest

import numpy as np
import pytest
from scipy.stats import chi2_contingency, ks_2samp

from pipeline_core.stats import columns
from pipeline_core.stats.columns import ColumnCounts, aligned, compare_levels, compare_numbers, null_test


def levels(nulls: int = 0, **rows: int) -> ColumnCounts:
    names = sorted(rows)
    return ColumnCounts(keys=np.array(names, dtype=object), n=np.array([rows[name] for name in names]), nulls=nulls)


def numbers(values: np.ndarray, nulls: int = 0) -> ColumnCounts:
    keys, n = np.unique(values, return_counts=True)
    return ColumnCounts(keys=keys.astype(float), n=n, nulls=nulls)


def test_examples_hold() -> None:
    assert doctest.testmod(columns).failed == 0


def test_counts_know_their_rows_and_mean() -> None:
    counted = numbers(np.array([1.0, 1.0, 4.0]), nulls=1)
    assert (counted.known, counted.rows, counted.null_share, counted.mean) == (3, 4, 0.25, 2.0)
    assert levels(a=1).mean is None
    empty = ColumnCounts(keys=np.array([]), n=np.array([], dtype=np.int64))
    assert (empty.rows, empty.null_share, empty.mean) == (0, 0.0, None)


def test_a_column_of_nulls_aligns_with_levels() -> None:
    empty = ColumnCounts(keys=np.array([]), n=np.array([], dtype=np.int64), nulls=9)
    keys, base, now = aligned(levels(a=3, b=4), empty)
    assert (keys.tolist(), base.tolist(), now.tolist()) == (["a", "b"], [3, 4], [0, 0])


def test_numbers_move_as_scipy_says() -> None:
    random = np.random.default_rng(1)
    one, two = random.integers(0, 90, 5000).astype(float), random.integers(5, 95, 800).astype(float)
    move = compare_numbers(numbers(one, nulls=50), numbers(two))
    theirs = ks_2samp(one, two, method="asymp")
    assert (move.test.effect, move.test.p_value) == pytest.approx((theirs.statistic, theirs.pvalue), abs=1e-9)
    assert move.sizes == (5000, 800)
    assert move.effect_high == pytest.approx(theirs.statistic + 1.358 * np.sqrt(5800 / 4_000_000), abs=1e-4)
    assert move.smallest_detectable(0.05) == pytest.approx(1.358 * np.sqrt(5800 / 4_000_000), abs=1e-4)


def test_cells_are_bounded_above_by_what_they_may_hide_unless_the_distance_is_given() -> None:
    base, now = numbers(np.repeat([0.0, 1.0], [600, 400])), numbers(np.repeat([0.0, 1.0], [500, 500]))
    as_values, as_cells = compare_numbers(base, now), compare_numbers(base, now, celled=True)
    assert as_values.test == as_cells.test
    assert as_cells.effect_high - as_values.effect_high == pytest.approx(0.5, abs=1e-12)
    exact = compare_numbers(base, now, celled=True, exact=0.12)
    assert exact.test.effect == pytest.approx(0.12)
    assert exact.effect_high == pytest.approx(as_values.effect_high + 0.02, abs=1e-12)


def test_null_is_a_level() -> None:
    move = compare_levels(levels(a=500, b=400, nulls=100), levels(a=300, b=100, nulls=100))
    theirs = chi2_contingency([[500, 400, 100], [300, 100, 100]], correction=False)
    assert (move.test.statistic, move.test.p_value) == pytest.approx((theirs.statistic, theirs.pvalue), abs=1e-9)
    assert (move.levels, move.new_levels, move.new_excess, move.new_p_value) == (3, {}, 0.0, 1.0)
    assert move.smallest_detectable(0.05) == pytest.approx(np.sqrt(5.9915 * (1 / 1000 + 1 / 500) / 8), abs=1e-5)


def test_new_levels_are_weighed_against_levels_seen_once() -> None:
    move = compare_levels(levels(a=990, b=10), levels(a=480, c=15, d=5))
    assert move.new_levels == {"c": 0.03, "d": 0.01}
    assert move.new_excess == pytest.approx(0.04)
    assert move.new_p_value < 1e-6
    open_ended = {f"city{i}": 1 for i in range(40)}  # the baseline itself met a new level every 25 rows
    expected = compare_levels(levels(a=960, **open_ended), levels(a=480, c=15, d=5))
    assert expected.new_excess == pytest.approx(0.0, abs=1e-12)
    assert expected.new_p_value == pytest.approx(1.0)


def test_new_levels_of_a_number_are_written_as_numbers() -> None:
    move = compare_levels(numbers(np.repeat([1.0, 2.0], 50)), numbers(np.repeat([1.0, 3.0, 2.5], [50, 30, 20])))
    assert move.new_levels == {"3": 0.3, "2.5": 0.2}


def test_null_share_test() -> None:
    changed = null_test(levels(a=880, nulls=120), levels(a=1000))
    assert changed.effect == pytest.approx(-0.12)
    assert changed.p_value < 1e-20
