"""Score intervals of two shares against published answers, and what holds for all of them."""

from __future__ import annotations

import doctest
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_core.stats import proportions
from pipeline_core.stats.proportions import (
    Shares,
    difference_interval,
    difference_z,
    ratio_interval,
    ratio_z,
)


def shares(hits: int, rows: int, other_hits: int, other_rows: int) -> Shares:
    return Shares(hits=hits, rows=rows, other_hits=other_hits, other_rows=other_rows)


@st.composite
def counted(draw: st.DrawFn) -> Shares:
    rows, other_rows = draw(st.integers(1, 300)), draw(st.integers(1, 300))
    return shares(draw(st.integers(0, rows)), rows, draw(st.integers(0, other_rows)), other_rows)


def test_the_examples_are_right() -> None:
    assert doctest.testmod(proportions).failed == 0


def test_the_ratio_of_koopmans_example() -> None:
    low, high = ratio_interval(shares(36, 40, 16, 80))
    assert (round(low, 3), round(high, 3)) == (2.940, 7.152)


def test_the_difference_of_newcombes_example() -> None:
    low, high = difference_interval(shares(56, 70, 48, 80))  # Newcombe 1998, table II, method 5 (Mee)
    assert (round(low, 4), round(high, 4)) == (0.0533, 0.3377)


def test_at_equality_both_are_the_pooled_z_test() -> None:
    found = shares(30, 100, 20, 150)
    pooled = 50 / 250
    z = (0.3 - 20 / 150) / math.sqrt(pooled * (1 - pooled) * (1 / 100 + 1 / 150))
    assert ratio_z(found, 1.0) == pytest.approx(z, abs=1e-12)
    assert difference_z(found, 0.0) == pytest.approx(z, abs=1e-12)


@given(counted())
def test_the_ends_are_where_the_test_just_rejects(found: Shares) -> None:
    low, high = difference_interval(found)
    assert -1 <= low <= found.difference + 1e-9
    assert found.difference - 1e-9 <= high <= 1
    if low > -1 + 1e-6:
        assert difference_z(found, low) == pytest.approx(1.959964, abs=1e-3)
    low, high = ratio_interval(found)
    assert 0 <= low <= high
    if low > 0:
        assert ratio_z(found, low) == pytest.approx(1.959964, abs=1e-3)
    if math.isfinite(high) and high > 0:
        assert ratio_z(found, high) == pytest.approx(-1.959964, abs=1e-3)


@given(counted())
def test_the_ratio_turned_round_has_the_interval_turned_round(found: Shares) -> None:
    low, high = ratio_interval(found)
    back = ratio_interval(shares(found.other_hits, found.other_rows, found.hits, found.rows))
    assert back[0] == pytest.approx(0.0 if high == math.inf else 1 / high, rel=1e-6)
    assert back[1] == pytest.approx(math.inf if low == 0 else 1 / low, rel=1e-6)


@pytest.mark.parametrize(
    ("found", "interval"),
    [
        (shares(0, 10, 0, 20), (0.0, math.inf)),
        (shares(0, 10, 4, 20), (0.0, 1.591494)),
        (shares(10, 10, 0, 20), (6.206355, math.inf)),
    ],
)
def test_nobody_on_one_side_leaves_the_ratio_open(found: Shares, interval: tuple[float, float]) -> None:
    assert ratio_interval(found) == pytest.approx(interval, abs=1e-6)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    random = np.random.default_rng(3)
    counts = zip(random.binomial(60, 0.15, 600).tolist(), random.binomial(400, 0.25, 600).tolist(), strict=True)
    held = [(ratio_interval(found), difference_interval(found)) for found in (shares(x, 60, y, 400) for x, y in counts)]
    ratios = np.mean([low <= 0.6 <= high for (low, high), _ in held])
    gaps = np.mean([low <= -0.1 <= high for _, (low, high) in held])
    assert 0.93 <= ratios <= 0.975
    assert 0.93 <= gaps <= 0.975
