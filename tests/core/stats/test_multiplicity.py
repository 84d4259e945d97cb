from __future__ import annotations

import doctest
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from pipeline_core.stats import multiplicity
from pipeline_core.stats.multiplicity import benjamini_hochberg, holm, next_level

P15 = [
    2.90e-14,
    0.00143,
    0.06514,
    0.00174,
    0.00171,
    3.61e-5,
    0.79149,
    0.27201,
    0.28295,
    7.59e-8,
    0.69274,
    0.30443,
    0.000487,
    0.72342,
    0.54757,
]


def test_examples_hold() -> None:
    assert doctest.testmod(multiplicity).failed == 0


def test_the_fifteen_p_values_of_the_verification_pack() -> None:
    rejected = np.flatnonzero(benjamini_hochberg(P15) <= 0.05) + 1
    assert rejected.tolist() == [1, 2, 4, 5, 6, 10, 13]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_adjusted_as_scipy_does(p_values: list[float]) -> None:
    assert benjamini_hochberg(p_values) == pytest.approx(false_discovery_control(p_values), abs=1e-12)


def test_no_test_needs_no_adjustment() -> None:
    assert benjamini_hochberg([]).tolist() == []


# --- Holm ---------------------------------------------------------------------------------------


def test_holms_known_example() -> None:
    """Four tests: .005 against .05/4, .01 against .05/3 and .03 against .05/2, which stops it."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02], abs=1e-12)
    assert (holm([0.01, 0.04, 0.03, 0.005]) <= 0.05).tolist() == [True, False, False, True]
    assert holm([]).tolist() == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_rejects_what_bonferroni_rejects_and_equal_weights_change_nothing(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert np.all(adjusted <= np.minimum(1, np.array(p_values) * len(p_values)) + 1e-12)
    assert np.all(adjusted >= np.array(p_values) - 1e-12)
    weights = [1 / len(p_values)] * len(p_values)
    assert holm(p_values, weights=weights) == pytest.approx(adjusted, abs=1e-12)


def test_each_next_level_is_stricter_and_all_together_spend_alpha() -> None:
    levels = [next_level([0.5] * tried, alpha=0.05) for tried in range(2_000)]
    assert levels[:4] == pytest.approx([0.025, 0.05 / 6, 0.05 / 12, 0.05 / 20])
    assert all(later < earlier for earlier, later in itertools.pairwise(levels))
    assert sum(levels) == pytest.approx(0.05, abs=1e-4)
    assert sum(levels) < 0.05


@given(st.lists(st.floats(0, 1), max_size=8), st.floats(0, 1))
def test_the_next_level_is_where_weighted_holm_begins_to_reject(earlier: list[float], p_value: float) -> None:
    level = next_level(earlier, alpha=0.05)
    weights = [1 / (k * (k + 1)) for k in range(1, len(earlier) + 2)]
    if abs(p_value - level) > 1e-9:
        assert (holm([*earlier, p_value], weights=weights)[-1] <= 0.05 + 1e-12) == (p_value < level)
