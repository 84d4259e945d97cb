from __future__ import annotations

import doctest

import pytest
from scipy.stats import binomtest

from pipeline_core.stats import discordance
from pipeline_core.stats.discordance import mcnemar


def test_examples_hold() -> None:
    assert doctest.testmod(discordance).failed == 0


def test_the_table_of_the_verification_pack() -> None:
    """[[59, 6], [16, 80]]: 22 discordant rows, which is few enough for the exact test."""
    p_value, chi2 = mcnemar(6, 16)
    assert p_value == pytest.approx(0.0524788, abs=5e-8)
    assert chi2 is None
    p_value, chi2 = mcnemar(6, 16, exact=False)
    assert chi2 == pytest.approx(3.681818, abs=5e-7)
    assert p_value == pytest.approx(0.0550, abs=1e-4)


@pytest.mark.parametrize(("first", "second"), [(0, 0), (1, 0), (12, 12), (3, 21), (24, 0)])
def test_few_discordant_rows_are_counted_out(first: int, second: int) -> None:
    p_value, chi2 = mcnemar(first, second)
    expected = binomtest(first, first + second).pvalue if first + second else 1.0
    assert chi2 is None
    assert p_value == pytest.approx(expected, abs=1e-12)
    assert mcnemar(second, first) == (p_value, None)


def test_from_25_on_it_is_chi_squared() -> None:
    assert mcnemar(13, 12) == (1, 0)
    assert mcnemar(20, 5)[1] == pytest.approx(14**2 / 25)
    assert mcnemar(0, 0, exact=False) == (1, 0)
