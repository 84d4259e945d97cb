from __future__ import annotations

import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, fisher_exact, ks_2samp, kstwo

from pipeline_core.errors import NotEnough
from pipeline_core.stats import twosample
from pipeline_core.stats.distances import js_distance
from pipeline_core.stats.twosample import (
    chi2_test,
    ks_p_value,
    ks_test_counts,
    merged_levels,
    share_test,
    smallest_detectable_js,
    smallest_detectable_ks,
)


def test_examples_hold() -> None:
    assert doctest.testmod(twosample).failed == 0


@settings(deadline=None, max_examples=80)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=200), st.lists(st.integers(0, 9), min_size=1, max_size=200))
def test_ks_is_scipys_with_ties(one: list[int], two: list[int]) -> None:
    if len(one) * len(two) / (len(one) + len(two)) <= 0.5:
        return  # scipy rounds the pairs to 0 and gives NaN; one row on each side is worth no more than p = 1 here
    theirs = ks_2samp(one, two, method="asymp")
    ours = ks_test_counts(np.bincount(one, minlength=10), np.bincount(two, minlength=10))
    assert ours.statistic == pytest.approx(theirs.statistic, abs=1e-12)
    assert ours.p_value == pytest.approx(theirs.pvalue, abs=1e-9)
    assert ours.effect == ours.statistic


@pytest.mark.parametrize("sizes", [(20_000, 1_000), (1_000_000, 500_000)])
def test_ks_is_scipys_on_large_samples(sizes: tuple[int, int]) -> None:
    random = np.random.default_rng(1)
    one, two = random.integers(0, 300, sizes[0]), random.integers(0, 301, sizes[1])
    theirs = ks_2samp(one, two, method="asymp")
    ours = ks_test_counts(np.bincount(one, minlength=301), np.bincount(two, minlength=301))
    assert (ours.statistic, ours.p_value) == pytest.approx((theirs.statistic, theirs.pvalue), abs=1e-9)


@pytest.mark.parametrize("rows", [20_002, 40_000, 200_000])
def test_the_fast_way_for_large_samples_is_scipys(rows: int) -> None:
    pairs = rows // 2
    for scaled in (2.1, 2.2000001, 2.5, 3.0, 6.0, 18.0, 40.0):
        distance = np.sqrt(scaled / pairs)
        assert ks_p_value(distance, rows, rows) == pytest.approx(float(kstwo.sf(distance, pairs)), abs=1e-9)
    assert ks_p_value(0.9, rows, rows) == pytest.approx(0.0, abs=1e-300)


def test_ks_of_a_row_each_is_no_evidence() -> None:
    assert ks_p_value(1.0, 1, 1) == pytest.approx(1.0)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(6, 400), st.integers(6, 400)), min_size=2, max_size=12))
def test_chi2_is_scipys_where_nothing_is_rare(pairs: list[tuple[int, int]]) -> None:
    base, now = np.array(pairs).T
    theirs = chi2_contingency(np.array([base, now]), correction=False)
    if theirs.expected_freq.min() < 5:
        return
    ours = chi2_test(base, now)
    assert (ours.statistic, ours.p_value) == pytest.approx((theirs.statistic, theirs.pvalue), abs=1e-9)
    assert ours.effect == js_distance(base, now)


def test_one_stray_row_decides_no_p_value() -> None:
    """Chi-squared alone says 1e-217 here, because the expected count of the third level is 0.001."""
    stray = chi2_test([500_000, 500_000, 0], [500, 500, 1])
    assert stray.p_value > 0.9
    two = chi2_test([1_000_000, 0], [1_000, 1])
    assert two.p_value == pytest.approx(fisher_exact([[1_000_000, 0], [1_000, 1]])[1])
    assert two.p_value == pytest.approx(0.001, abs=1e-4)


def test_rare_and_new_levels_are_one_level_last() -> None:
    base, now = merged_levels([900, 80, 15, 5, 0, 0], [850, 90, 2, 3, 55, 0])
    assert (base.tolist(), now.tolist()) == ([900, 80, 15, 5], [850, 90, 2, 58])
    base, now = merged_levels([900, 80, 5, 2, 0], [850, 90, 1, 1, 58])
    assert (base.tolist(), now.tolist()) == ([900, 80, 7], [850, 90, 60])
    assert sum(map(sum, merged_levels([3, 1, 2], [9, 9, 9]))) == 33
    theirs = chi2_contingency([[900, 80, 7], [850, 90, 60]], correction=False)
    assert chi2_test([900, 80, 5, 2, 0], [850, 90, 1, 1, 58]).p_value == pytest.approx(theirs.pvalue, abs=1e-15)


def test_one_level_only_says_nothing() -> None:
    test = chi2_test([50], [70])
    assert (test.statistic, test.p_value, test.effect) == (0.0, 1.0, 0.0)


def test_all_rows_on_levels_that_are_new_is_the_largest_effect() -> None:
    test = chi2_test([500, 500, 0], [0, 0, 300])
    assert test.effect == pytest.approx(np.sqrt(np.log(2)), abs=1e-12)
    assert test.p_value < 1e-200


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 50), st.integers(0, 50), st.integers(1, 400), st.integers(1, 400))
def test_share_test_is_chi2_or_fisher(hits: int, now_hits: int, misses: int, now_misses: int) -> None:
    ours = share_test(hits, hits + misses, now_hits, now_hits + now_misses)
    assert ours.effect == pytest.approx(now_hits / (now_hits + now_misses) - hits / (hits + misses), abs=1e-12)
    if hits + now_hits == 0:
        assert (ours.statistic, ours.p_value) == (0.0, 1.0)
        return
    table = [[hits, misses], [now_hits, now_misses]]
    theirs = chi2_contingency(table, correction=False)
    expected = theirs.pvalue if theirs.expected_freq.min() >= 5 else fisher_exact(table)[1]
    assert ours.statistic == pytest.approx(theirs.statistic, abs=1e-9)
    assert ours.p_value == pytest.approx(expected, abs=1e-9)


def test_detectable_distances_are_the_critical_values() -> None:
    scale = np.sqrt((20_000 + 1_000) / (20_000 * 1_000))
    assert smallest_detectable_ks(20_000, 1_000, 0.05) == pytest.approx(1.358 * scale, rel=1e-3)
    assert smallest_detectable_ks(20_000, 1_000, 0.05 / 60) == pytest.approx(1.973 * scale, rel=1e-3)
    # a table whose distance is the smallest detectable one has a p-value near alpha
    distance = smallest_detectable_js(10_000, 10_000, levels=2, alpha=0.05)
    moved = 5000 + round(10_000 * distance * np.sqrt(2))
    assert chi2_test([5000, 5000], [moved, 10_000 - moved]).p_value == pytest.approx(0.05, abs=0.005)


def test_an_empty_side_is_an_error() -> None:
    for call in (
        lambda: ks_p_value(0.1, 0, 5),
        lambda: chi2_test([0, 0], [1, 2]),
        lambda: share_test(0, 0, 1, 2),
        lambda: smallest_detectable_ks(0, 1, 0.05),
        lambda: smallest_detectable_js(0, 1, levels=2, alpha=0.05),
    ):
        with pytest.raises(NotEnough, match="at least 1"):
            call()
