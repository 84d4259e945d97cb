"""A window is ranked among healthy ones, exactly."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_core.stats import calibration
from pipeline_core.stats.calibration import SPREAD_MIN, calibrated


def test_examples_hold() -> None:
    assert doctest.testmod(calibration).failed == 0


def by_hand(healthy: np.ndarray, current: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """The recipe of the statistics notes (1.3), row by row."""
    rows = np.vstack([healthy, current])
    z = np.empty_like(rows)
    for place in range(len(rows)):
        others = np.delete(rows, place, axis=0)
        z[place] = (rows[place] - others.mean(axis=0)) / np.maximum(others.std(axis=0, ddof=1), SPREAD_MIN)
    largest = z.max(axis=1)
    each = (1 + (largest[:-1, None] >= z[-1]).sum(axis=0)) / len(rows)
    return float((largest >= largest[-1]).sum() / len(rows)), each, z[-1]


@settings(deadline=None)
@given(seed=st.integers(0, 1_000), healthy=st.integers(3, 30), columns=st.integers(1, 8))
def test_it_follows_the_recipe(seed: int, healthy: int, columns: int) -> None:
    random = np.random.default_rng(seed)
    past, now = random.gamma(3, 0.02, (healthy, columns)), random.gamma(3, 0.03, (4, columns))
    found = calibrated(past, now)
    assert found.healthy == healthy
    for place in range(4):
        p, each, z = by_hand(past, now[place])
        assert found.p_window[place] == pytest.approx(p)
        assert found.p_each[place] == pytest.approx(each)
        assert found.z[place] == pytest.approx(z, rel=1e-6, abs=1e-9)
        assert found.p_window[place] == found.p_each[place].min()


def test_healthy_windows_stand_out_as_often_as_they_should() -> None:
    random = np.random.default_rng(5)
    hits = 0
    for _ in range(400):
        # columns depend on each other and have tails of their own
        rows = random.gamma(2, 0.02, (40, 1)) * random.gamma(2, 1, (40, 30))
        hits += int(calibrated(rows[1:], rows[:1]).p_window[0] <= 0.05)
    assert 6 <= hits <= 34  # 20 are expected, 4.4 the standard deviation


def test_a_column_that_never_moved_is_measured_by_the_smallest_spread() -> None:
    past = np.column_stack([np.zeros(30), np.linspace(0.01, 0.05, 30)])
    found = calibrated(past, [[0.0, 0.03], [0.04, 0.03], [1e-12, 0.03]])
    assert found.z[:, 0] == pytest.approx([0.0, 0.04 / SPREAD_MIN, 0.0], abs=1e-6)
    assert found.p_each[:, 0].tolist()[1] == pytest.approx(1 / 31)
    assert found.p_each[2, 0] > 0.5
    coarser = calibrated(past, [[0.04, 0.03]], spread_min=[0.01, 0.01])
    assert coarser.z[0, 0] == pytest.approx(4.0)


def test_single_nulls_here_and_there_do_not_shout_down_a_real_move() -> None:
    random = np.random.default_rng(6)
    nulls = (random.random((40, 60)) < 0.02) * 0.001  # one null in 1,000 rows of one window in fifty
    past = np.hstack([random.normal(0.03, 0.008, (40, 60)), nulls])
    now = np.append(random.normal(0.03, 0.008, 60), np.zeros(60))[None]
    now[0, 7] = 0.12
    assert calibrated(past, now).p_each[0, 7] == pytest.approx(1 / 41)
    # believed to the last digit they would: almost every healthy window then has a column that moved for the first time
    assert calibrated(past, now, spread_min=1e-9).p_each[0, 7] > 0.05


def test_what_was_not_measured_says_nothing() -> None:
    random = np.random.default_rng(7)
    past, now = random.normal(0.05, 0.01, (30, 3)), np.array([[0.05, np.nan, 0.2]])
    wild = past.copy()
    wild[4, 1] = 99.0
    assert calibrated(wild, now).p_each[0, 2] == pytest.approx(1 / 31)
    assert np.isnan(calibrated(past, now).p_each[0, 1])
    few = past.copy()
    few[2:, 2] = np.nan
    found = calibrated(few, now)
    assert np.isnan(found.p_each[0, 2])
    assert np.isnan(found.limits[2])
    empty = np.vstack([past, np.full((5, 3), np.nan)])
    assert calibrated(empty, now).healthy == 30
    assert calibrated(empty, now).p_window == pytest.approx(calibrated(past, now).p_window)


def test_without_a_past_or_without_figures_nothing_stands_out() -> None:
    nothing = calibrated(np.empty((0, 2)), [[0.1, 0.2]])
    assert (nothing.p_window.tolist(), nothing.healthy, np.isnan(nothing.limits).all()) == ([1.0], 0, True)
    assert calibrated([[0.1], [0.2], [0.1], [0.2]], [[np.nan]]).p_window.tolist() == [1.0]
    assert calibrated([[0.1], [0.2], [0.1], [0.2]], np.empty((0, 1))).p_each.shape == (0, 1)


def test_many_windows_are_taken_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(8)
    past, now = random.normal(size=(25, 4)), random.normal(size=(11, 4))
    whole = calibrated(past, now)
    monkeypatch.setattr(calibration, "_AT_ONCE", 300)
    parts = calibrated(past, now)
    assert parts.p_each.tolist() == whole.p_each.tolist()
    assert parts.p_window.tolist() == whole.p_window.tolist()


def test_limits_are_what_most_healthy_values_are_at_most() -> None:
    past = np.arange(1, 101)[:, None] / 100
    assert calibrated(past, [[0.5]]).limits[0] == pytest.approx(0.96)
    assert (past <= calibrated(past, [[0.5]], share=0.5).limits[0]).mean() >= 0.5
