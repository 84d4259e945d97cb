"""Rates and gaps equal fairlearn's, on its toy and on random rows."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from fairlearn import metrics as fair
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_core.records import Measured, NotMeasured
from pipeline_core.stats import fairness
from pipeline_core.stats.fairness import Treated, counts, group_rates, spread
from pipeline_core.stats.intervals import wilson


def toy() -> Treated:
    """Give fairlearn's 10 rows (statistics.md 8)."""
    y, said = (np.array([float(c) for c in digits]) for digits in ("0110101101", "0110011100"))
    return Treated(y=y, said=said, score=said, codes=np.array([0] * 5 + [1] * 5), names=("a", "b"))


def random(rows: int, groups: int, seed: int) -> Treated:
    made = np.random.default_rng(seed)
    y, score = (made.random(rows) < 0.4).astype(float), made.random(rows)
    names = tuple(f"g{at}" for at in range(groups))
    return Treated(y=y, said=np.round(score), score=score, codes=made.integers(0, groups, rows), names=names)


def value(figure: Measured | NotMeasured) -> float:
    assert isinstance(figure, Measured)
    return figure.value


def test_the_examples_are_right() -> None:
    assert doctest.testmod(fairness).failed == 0


def test_fairlearns_toy_to_twelve_digits() -> None:
    found = spread(toy())
    assert value(found.demographic_parity_difference) == pytest.approx(0.2, abs=1e-12)
    assert value(found.demographic_parity_ratio) == pytest.approx(2 / 3, abs=1e-12)
    assert value(found.equal_opportunity_difference) == pytest.approx(0.0, abs=1e-12)
    assert value(found.equalized_odds_difference) == pytest.approx(0.5, abs=1e-12)


def test_the_rates_of_the_toy() -> None:
    a, b = group_rates(toy())
    assert (a.rows, a.positives) == (5, 3)
    assert [value(f) for f in (a.selection, a.tpr, a.fpr, a.ppv, a.calibration)] == pytest.approx([
        0.4, 2 / 3, 0.0, 1.0, -0.2
    ])  # fmt: skip
    assert [value(f) for f in (b.selection, b.tpr, b.fpr, b.ppv, b.calibration)] == pytest.approx([
        0.6, 2 / 3, 0.5, 2 / 3, 0.0
    ])  # fmt: skip
    assert isinstance(b.tpr, Measured)
    assert (b.tpr.low, b.tpr.high, b.tpr.rows) == (*wilson(2, 3), 3)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 6))
def test_what_is_measured_is_fairlearns(seed: int, groups: int) -> None:
    rows = random(300, groups, seed)
    told = {"sensitive_features": rows.codes}
    found = spread(rows)
    for name in fairness.GroupSpread.__slots__:
        assert value(getattr(found, name)) == pytest.approx(getattr(fair, name)(rows.y, rows.said, **told), abs=1e-12)
    rates = {"selection": fair.selection_rate, "tpr": fair.true_positive_rate, "fpr": fair.false_positive_rate}
    table = fair.MetricFrame(metrics=rates, y_true=rows.y, y_pred=rows.said, **told).by_group
    for place, group in enumerate(group_rates(rows)):
        for name in rates:
            assert value(getattr(group, name)) == pytest.approx(table[name][place], abs=1e-12)


def test_rows_in_no_group_count_among_all_rows_only() -> None:
    rows = toy()
    rows = Treated(y=rows.y, said=rows.said, score=rows.score, codes=np.array([0] * 5 + [-1] * 5), names=("a",))
    each, whole = counts(rows)
    assert (each[0].rows, whole.rows, (whole - each[0]).rows) == (5, 10, 5)
    assert isinstance(spread(rows).demographic_parity_difference, NotMeasured)


def test_a_rate_of_nobody_is_not_measured() -> None:
    y, said = np.array([0.0, 0, 1, 1]), np.array([0.0, 0, 1, 0])
    rows = Treated(y=y, said=said, score=said, codes=np.array([0, 0, 1, 1]), names=("a", "b"))
    a, b = group_rates(rows)
    assert a.tpr == NotMeasured(reason="the group has no positive row")
    assert a.ppv == NotMeasured(reason="nobody in the group is selected")
    assert b.fpr == NotMeasured(reason="the group has no negative row")
    found = spread(rows)
    assert found.equal_opportunity_difference == NotMeasured(reason="a group has no positive row")
    assert found.equalized_odds_difference == NotMeasured(reason="a group has no positive row")
    assert value(found.demographic_parity_difference) == pytest.approx(0.5)
