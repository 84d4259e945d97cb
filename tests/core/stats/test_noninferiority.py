from __future__ import annotations

import doctest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_core.stats import noninferiority
from pipeline_core.stats.intervals import rows_for_margin
from pipeline_core.stats.noninferiority import lower_bound, p_value, power

VALUES = st.floats(-0.2, 0.2)
ERRORS = st.floats(0.001, 0.1)


def test_examples_hold() -> None:
    assert doctest.testmod(noninferiority).failed == 0


@given(value=VALUES, error=ERRORS, margin=st.floats(0, 0.05), level=st.floats(0.001, 0.2))
def test_bound_and_p_value_are_two_sides_of_one_test(value: float, error: float, margin: float, level: float) -> None:
    p, low = p_value(value, error, margin=margin), lower_bound(value, error, level=level)
    if abs(p - level) > 1e-9:
        assert (p < level) == (low > -margin)


def test_the_power_at_equality_is_that_of_the_notes() -> None:
    """AUC .80, a fifth positive, correlation .9: .85 at 5,000 rows and .33 at 1,000, one-sided 5 %."""
    error = 0.01 / 2.681  # of 5,000 rows
    assert power(error, margin=0.01, level=0.05) == pytest.approx(0.85, abs=0.001)
    assert power(error * 5**0.5, margin=0.01, level=0.05) == pytest.approx(0.33, abs=0.01)


@given(error=ERRORS, margin=st.floats(0.001, 0.05), level=st.floats(0.001, 0.2))
def test_the_rows_that_are_needed_have_the_power_that_is_promised(error: float, margin: float, level: float) -> None:
    needed = rows_for_margin(error, 100_000, margin=margin, alpha=level)
    shrunk = error * (100_000 / needed) ** 0.5
    assert power(shrunk, margin=margin, level=level) == pytest.approx(0.8, abs=0.01)


def test_two_models_that_always_say_the_same_are_no_worse_unless_nothing_is_allowed() -> None:
    assert p_value(0.0, 0.0, margin=0.01) == pytest.approx(0.0)
    assert p_value(0.0, 0.0, margin=0.0) == pytest.approx(1.0)
    assert np.isclose(p_value(-0.01, 0.01, margin=0.01), 0.5)
