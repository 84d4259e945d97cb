"""Many tests at once say what each of them says alone."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstwo

from pipeline_core.stats import tails, twosample
from pipeline_core.stats.tails import ks_p_values, level_tests, share_p_values


def test_examples_hold() -> None:
    assert doctest.testmod(tails).failed == 0


@pytest.mark.parametrize(
    ("pairs", "off"), [(3, 1e-12), (140, 1e-12), (141, 1e-5), (1_000, 1e-7), (1_001, 2e-8), (20_000, 1e-7)]
)
def test_distances_are_as_likely_as_scipy_says(pairs: int, off: float) -> None:
    d = np.concatenate([np.sqrt(np.linspace(0, 40, 120) / pairs), [0.5, 0.999, 1.0]])
    d = d[d <= 1]
    rows = np.full(len(d), 2.0 * pairs)
    assert ks_p_values(d, rows, rows) == pytest.approx(kstwo.sf(d, pairs), abs=off)


def test_far_tails_keep_their_digits() -> None:
    d = np.sqrt(np.linspace(2.2, 60, 50) / 900)
    rows = np.full(50, 1800.0)
    assert ks_p_values(d, rows, rows) == pytest.approx(kstwo.sf(d, 900), rel=1e-9)


def test_sizes_and_the_one_row_rule_are_those_of_a_single_test() -> None:
    for d, n, m in ((0.3, 1, 1), (0.5, 2, 3), (0.07, 20_000, 1_000), (0.02, 9_000_000, 40_000), (0.4, 30, 17)):
        assert ks_p_values(np.array([d]), np.array([float(n)]), np.array([float(m)]))[0] == pytest.approx(
            twosample.ks_p_value(d, n, m), abs=1e-5
        )


def test_what_cannot_be_tested_is_nan() -> None:
    d, none, some = np.array([0.1, np.nan]), np.array([0.0, 5.0]), np.array([5.0, 5.0])
    assert np.isnan(ks_p_values(d, none, some)).all()
    assert np.isnan(share_p_values(none, none, some, some)).tolist() == [True, False]
    found = level_tests(np.array([[0.0, 0.0], [1.0, 2.0]]), np.array([[3.0, 4.0], [0.0, 0.0]]))
    assert np.isnan(found.effect).all()
    assert np.isnan(found.p_value).all()
    assert found.levels.tolist() == [0, 0]


@settings(deadline=None)
@given(seed=st.integers(0, 10_000), symmetric=st.booleans())
def test_shares_are_tested_as_one_by_one(seed: int, symmetric: bool) -> None:
    random = np.random.default_rng(seed)
    n = random.integers(1, 3_000, 12)
    m = n if symmetric else random.integers(1, 400, 12)
    p = random.choice([0, 0.001, 0.01, 0.5, 0.99, 1], 12)
    a, c = random.binomial(n, p), random.binomial(m, np.clip(p * random.choice([1, 1, 3, 50], 12), 0, 1))
    ours = share_p_values(*(side.astype(float) for side in (a, n, c, m)))
    one = [twosample.share_test(*(int(x) for x in row)).p_value for row in zip(a, n, c, m, strict=True)]
    assert ours == pytest.approx(one, rel=1e-9, abs=1e-300)


def test_hundreds_of_hits_where_none_were_expected_are_never_chance() -> None:
    found = share_p_values(np.array([0.0, 0.0]), np.array([1e9, 1e9]), np.array([300.0, 3_000.0]), np.array([1e4, 1e4]))
    assert found.max() < 1e-200


@settings(deadline=None)
@given(seed=st.integers(0, 10_000))
def test_levels_are_merged_and_tested_as_one_by_one(seed: int) -> None:
    random = np.random.default_rng(seed)
    levels = random.integers(1, 12)
    shares = random.dirichlet(np.full(levels, 0.3))
    others = random.dirichlet(np.full(levels, 0.3)) if random.random() < 0.3 else shares
    base = random.multinomial(random.integers(1, 2_000), shares, size=4)
    now = random.multinomial(random.integers(1, 300), others, size=4)
    ours = level_tests(base.astype(float), now.astype(float))
    for place in range(4):
        one = twosample.chi2_test(base[place], now[place])
        assert (ours.statistic[place], ours.p_value[place], ours.effect[place]) == pytest.approx(
            (one.statistic, one.p_value, one.effect), rel=1e-9, abs=1e-9
        )
        assert ours.levels[place] == max(2, len(twosample.merged_levels(base[place], now[place])[0]))
