from __future__ import annotations

import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import norm, wasserstein_distance

from pipeline_core.errors import NotEnough
from pipeline_core.stats import distances
from pipeline_core.stats.distances import js_distance, ks_distance, psi, wasserstein

counts = st.lists(st.integers(0, 30), min_size=2, max_size=25)


def test_examples_hold() -> None:
    assert doctest.testmod(distances).failed == 0


def test_the_verification_pack() -> None:
    flat, sloped = [0.25] * 4, [0.4, 0.3, 0.2, 0.1]
    assert js_distance(flat, sloped) == pytest.approx(0.166930, abs=5e-7)
    assert psi(np.array(flat) * 1e6, np.array(sloped) * 1e6, smoothing=0) == pytest.approx(0.228217, abs=5e-7)
    assert ks_distance([1, 1, 1, 1, 1, 0, 0], [0, 0, 1, 1, 1, 1, 1])[0] == pytest.approx(0.4, abs=1e-15)


@pytest.mark.parametrize(
    ("shift", "ks", "psi_deciles", "js", "w1"),
    [
        (0.10, 0.0399, 0.0096, 0.0353, 0.100),
        (0.20, 0.0797, 0.0383, 0.0705, 0.200),
        (0.25, 0.0995, 0.0598, 0.0880, 0.250),
        (0.1**0.5, 0.1256, 0.0956, 0.1111, 0.316),
        (0.50, 0.1974, 0.2377, 0.1741, 0.500),
        (1.00, 0.3829, 0.9261, 0.3338, 1.00),
    ],
)
def test_the_conversion_table(shift: float, ks: float, psi_deciles: float, js: float, w1: float) -> None:
    edges = np.linspace(-9, 10, 20_001)
    base, moved = np.diff(norm.cdf(edges)), np.diff(norm.cdf(edges - shift))
    assert ks_distance(base, moved)[0] == pytest.approx(ks, abs=6e-5)
    assert js_distance(base, moved) == pytest.approx(js, abs=6e-5)
    assert wasserstein(edges[1:], base, moved) == pytest.approx(w1, abs=1e-3)
    cuts = norm.ppf(np.linspace(0, 1, 11))
    deciles, now = np.diff(norm.cdf(cuts)) * 1e7, np.diff(norm.cdf(cuts - shift)) * 1e7
    assert psi(deciles, now, smoothing=0) == pytest.approx(psi_deciles, abs=6e-5)


@settings(deadline=None, max_examples=60)
@given(counts, counts)
def test_js_and_wasserstein_are_scipys(first: list[int], second: list[int]) -> None:
    size = min(len(first), len(second))
    base, now = np.array(first[:size]), np.array(second[:size])
    if not base.sum() or not now.sum():
        with pytest.raises(NotEnough, match="0 rows"):
            js_distance(base, now)
        return
    assert js_distance(base, now) == pytest.approx(float(jensenshannon(base, now)), abs=1e-7)
    assert js_distance(base, now) == pytest.approx(js_distance(now, base), abs=1e-12)
    values = np.arange(size) ** 2
    one, two = np.repeat(values, base), np.repeat(values, now)
    assert wasserstein(values, base, now) == pytest.approx(wasserstein_distance(one, two), abs=1e-9)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.floats(-50, 50), min_size=2, max_size=80),
    st.lists(st.floats(-50, 50), min_size=2, max_size=80),
    st.integers(1, 30),
)
def test_cells_bound_the_exact_distance(one: list[float], two: list[float], cells: int) -> None:
    edges = np.linspace(-50, 50.0001, cells + 1)
    base, now = np.histogram(one, edges)[0], np.histogram(two, edges)[0]
    assert base.sum() == len(one)
    low, high, index = ks_distance(base, now)
    points = np.array(one + two)
    below_one, below_two = (np.searchsorted(np.sort(side), points, side="right") / len(side) for side in (one, two))
    exact = float(np.abs(below_one - below_two).max())
    assert low - 1e-12 <= exact <= high + 1e-12
    assert abs(base[: index + 1].sum() / len(one) - now[: index + 1].sum() / len(two)) == pytest.approx(low, abs=1e-12)


def test_psi_refuses_where_noise_would_pass_for_drift() -> None:
    with pytest.raises(NotEnough, match="by chance alone"):
        psi([20] * 10, [20] * 10)
