"""Rows fall into groups that people can name, and nobody disappears unsaid."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_core.stats import groups
from pipeline_core.stats.groups import Groups, bands, crossed, levels


def test_the_examples_are_right() -> None:
    assert doctest.testmod(groups).failed == 0


def test_rare_levels_are_pooled_where_they_make_a_group() -> None:
    found = levels([*"aaaa", *"bbbb", *"cc", *"dd"], rows_min=4)
    assert found.names == ("a", "b", "2 rarer levels together")
    assert found.codes.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert not found.left_out


def test_one_rare_level_is_left_out_and_told() -> None:
    found = levels([*"aaaa", "b"], rows_min=2)
    assert (found.names, found.codes.tolist()) == (("a",), [0, 0, 0, 0, -1])
    assert found.left_out == "'b' (1 row): fewer than 2 rows"


def test_more_levels_than_anybody_reads_are_pooled() -> None:
    values = [f"level {at:02d}" for at in range(20) for _ in range(3 + (at < 12))]
    found = levels(values, rows_min=3)
    assert found.names[-1] == "8 rarer levels together"
    assert len(found.names) == groups.LEVELS_MAX + 1


def test_no_value_is_a_group_of_its_own() -> None:
    assert levels(["a", None, None, "a"], rows_min=2).names == ("a", groups.NOT_STATED)


def test_bands_are_round_and_in_order() -> None:
    ages = np.arange(18.0, 91.0)
    found = bands(ages, quantiles=np.quantile(ages, np.linspace(0, 1, 1001)).tolist(), rows_min=1)
    assert found.names == ("under 40", "40 to 49", "50 to 69", "70 and over")
    assert [found.names[code] for code in found.codes[[0, 22, 32, 52]]] == list(found.names)


def test_bands_follow_the_baseline_not_the_rows() -> None:
    learned = np.linspace(0, 100, 1001).tolist()
    assert bands(np.arange(20.0), quantiles=learned, rows_min=1).names == ("under 20",)


def test_a_number_with_few_values_is_taken_by_value() -> None:
    assert bands(np.array([0.0, 1.0, 1.0, 0.0, 2.0]), quantiles=(), rows_min=1).names == ("0", "1", "2")


def test_parts_of_a_number_are_told_as_such() -> None:
    values = np.linspace(0.0, 1.0, 101)
    assert bands(values, quantiles=(), rows_min=1).names == (
        "under 0.2",
        "0.2 to under 0.4",
        "0.4 to under 0.8",
        "0.8 and over",
    )


def test_crossed_cells_with_few_rows_are_left_out() -> None:
    one, two = levels([*"aaab"], rows_min=1), levels([*"xxyx"], rows_min=1)
    found = crossed(one, two, rows_min=2)
    assert (found.names, found.codes.tolist()) == (("a, x",), [0, 0, -1, -1])
    assert found.left_out == "'a, y' (1 row), 'b, x' (1 row): fewer than 2 rows"


@given(st.lists(st.sampled_from([*"abcdefghijklmnop", None]), min_size=1, max_size=80), st.integers(1, 9))
def test_each_group_has_enough_rows_and_the_rest_is_told(values: list[str | None], rows_min: int) -> None:
    found = levels(values, rows_min=rows_min)
    counts = np.bincount(found.codes[found.codes >= 0], minlength=len(found.names))
    assert (counts >= rows_min).all()
    assert bool(found.left_out) is bool((found.codes < 0).any())


@pytest.mark.parametrize("quantiles", [(), (5.0, 5.0, 5.0)])
def test_a_number_without_spread_is_cut_once_at_most(quantiles: tuple[float, ...]) -> None:
    found: Groups = bands(np.array([5.0] * 9 + list(range(20, 27))), quantiles=quantiles or [5.0] * 5, rows_min=1)
    assert found.names == ("5 and over",)
