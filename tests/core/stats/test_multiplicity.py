from __future__ import annotations

import doctest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from pipeline_core.stats import multiplicity
from pipeline_core.stats.multiplicity import benjamini_hochberg, holm

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


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]).tolist() == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_holm_lies_between_the_p_values_and_bonferroni(p_values: list[float]) -> None:
    given_ = np.array(p_values)
    adjusted = holm(p_values)
    assert (adjusted >= given_).all()
    assert (adjusted <= np.minimum(given_ * given_.size, 1) + 1e-12).all()
    assert adjusted.min() == pytest.approx(min(given_.min() * given_.size, 1))
