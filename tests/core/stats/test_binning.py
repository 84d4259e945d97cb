"""Bars, points and levels for people."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_core.stats.binning import BINS_MAX, POINTS_MAX, bin_edges, cdf_points, rebin, top_levels


def test_few_values_get_a_bar_each() -> None:
    values, n = np.array([0.0, 1.0, 5.0]), np.array([1, 2, 3])
    edges = bin_edges(values, values, (n, n))
    assert edges.tolist() == [-0.5, 0.5, 3.0, 7.0]
    assert rebin(values, n, edges).tolist() == [1, 2, 3]


def test_one_value_gets_one_bar() -> None:
    value, n = np.array([3.0]), np.array([9])
    assert bin_edges(value, value, (n, n)).tolist() == [2.5, 3.5]


def test_many_values_get_round_even_bins_and_two_for_the_tails() -> None:
    values = np.concatenate([[-1000.0], np.arange(0.0, 100.0, 0.5), [9000.0]])
    n = np.full(len(values), 100)
    n[[0, -1]] = 1
    edges = bin_edges(values, values, (n, n))
    assert edges[[0, -1]].tolist() == [-1000.0, 9000.0]
    assert edges[1:-1].tolist() == np.arange(0.0, 100.1, 5.0).tolist()
    assert rebin(values, n, edges)[[0, 1, -1]].tolist() == [1, 1000, 1]


def test_whole_numbers_are_never_cut_between() -> None:
    values = np.arange(0.0, 60.0)
    n = np.ones(60, dtype=np.int64)
    edges = bin_edges(values, values, (n, n))
    assert np.all(edges % 1 == 0)
    assert np.all(np.diff(edges)[1:-1] == 2)


def test_a_spike_with_far_tails_shows_the_tails() -> None:
    values = np.linspace(-50, 50, 61)
    n = np.ones(61, dtype=np.int64)
    n[30] = 1_000_000
    edges = bin_edges(values, values, (n, n))
    assert edges.tolist() == np.arange(-50.0, 50.1, 5.0).tolist()


@given(
    values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=300, unique=True),
    current=st.integers(0, 5),
)
def test_no_row_is_lost_and_there_are_never_too_many_bars(values: list[float], current: int) -> None:
    cells = np.sort(np.array(values))
    counts = (np.arange(len(cells)) % 7 + 1, np.full(len(cells), current))
    edges = bin_edges(cells, cells, counts)
    assert 2 <= len(edges) <= BINS_MAX + 1
    assert np.all(np.diff(edges) > 0)
    assert edges[0] <= cells[0]
    assert edges[-1] >= cells[-1]
    assert rebin(cells, counts[0], edges).sum() == counts[0].sum()


def test_cumulative_shares_keep_their_widest_gap() -> None:
    at = np.arange(5000.0)
    base = np.ones(5000, dtype=np.int64)
    current = np.where(at < 1234, 0, 1)
    points, gap_at = cdf_points(at, base, current)
    gaps = [abs(f - g) for _, f, g in points]
    assert len(points) <= POINTS_MAX
    assert gap_at == pytest.approx(1233.0)
    assert max(gaps) == pytest.approx(1234 / 5000)
    assert points[-1] == (4999.0, 1.0, 1.0)


def test_levels_beyond_twenty_are_put_together() -> None:
    levels = [f"l{i:02d}" for i in range(30)]
    base = np.array([100 - i for i in range(30)])
    current = np.zeros(30, dtype=np.int64)
    current[29] = 50
    names, before, now = top_levels(levels, base, current)
    assert names == (*levels[:19], "l29", "other")
    assert before.sum() == base.sum()
    assert now.tolist() == [0] * 19 + [50, 0]


def test_a_level_called_other_is_not_mixed_up_with_the_others() -> None:
    levels = ["other", *[f"l{i:02d}" for i in range(25)]]
    names, _, _ = top_levels(levels, np.arange(26, 0, -1), np.ones(26, dtype=np.int64))
    assert names[0] == "other"
    assert names[-1] == "other levels"
