from __future__ import annotations

import doctest

import numpy as np
import pytest
from scipy.stats import binomtest

from pipeline_core.errors import NotEnough
from pipeline_core.stats import intervals
from pipeline_core.stats.intervals import bootstrap, percentile_interval, rows_for_margin, wilson


def test_examples_hold() -> None:
    assert doctest.testmod(intervals).failed == 0


@pytest.mark.parametrize(("hits", "rows"), [(0, 10), (3, 10), (10, 10), (850, 1000)])
def test_wilson_is_scipys(hits: int, rows: int) -> None:
    theirs = binomtest(hits, rows).proportion_ci(method="wilson")
    assert wilson(hits, rows) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_half_width_at_accuracy_85_is_as_published() -> None:
    halves = {n: (lambda ends: (ends[1] - ends[0]) / 2)(wilson(0.85 * n, n)) for n in (200, 500, 1000, 5000)}
    assert {n: round(100 * half, 1) for n, half in halves.items()} == {200: 4.9, 500: 3.1, 1000: 2.2, 5000: 1.0}


def test_bootstrap_repeats_itself_and_agrees_with_the_closed_form() -> None:
    values = np.random.default_rng(1).normal(size=2000)

    def mean(weights: np.ndarray) -> np.ndarray:
        return (weights @ values / weights.sum(axis=-1))[..., np.newaxis]

    first = bootstrap(mean, values.size, seed=3)
    assert np.array_equal(first, bootstrap(mean, values.size, seed=3))
    assert first.shape == (200, 1)
    assert first.std() == pytest.approx(values.std() / np.sqrt(values.size), rel=0.15)


def test_how_many_repeats_are_summed_at_once_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def total(weights: np.ndarray) -> np.ndarray:
        return weights @ np.arange(7.0)[:, np.newaxis]

    together = bootstrap(total, 7, seed=3)
    monkeypatch.setattr(intervals, "CELLS_AT_ONCE", 40)
    assert np.array_equal(together, bootstrap(total, 7, seed=3))


def test_percentiles_ignore_a_few_undefined_repeats_and_refuse_many() -> None:
    assert percentile_interval(np.append(np.zeros(95), np.full(5, np.nan))) == (0.0, 0.0)
    assert percentile_interval(np.append(np.zeros(80), np.full(20, np.nan))) == (None, None)


def test_rows_for_a_margin_grow_with_the_square() -> None:
    assert rows_for_margin(0.02, 1000, margin=0.01) == pytest.approx(
        4 * rows_for_margin(0.01, 1000, margin=0.01), abs=4
    )


def test_nothing_to_say_is_an_error_with_a_way_out() -> None:
    with pytest.raises(NotEnough, match="0 rows"):
        wilson(0, 0)
    with pytest.raises(NotEnough, match="0 rows"):
        bootstrap(lambda weights: weights, 0, seed=1)
    with pytest.raises(NotEnough, match="margin"):
        rows_for_margin(0.1, 10, margin=0)
