"""Columns that are null together."""

from __future__ import annotations

import doctest

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline_core.stats import gaps
from pipeline_core.stats.gaps import GAPS_MAX, PATTERNS_MAX, gaps_of, named, null_patterns


def test_examples_hold() -> None:
    assert doctest.testmod(gaps, extraglobs={"np": np}).failed == 0


def test_columns_with_the_most_nulls_get_a_bit() -> None:
    nulls = {f"c{i:03d}": i for i in range(100)}
    chosen = gaps_of(nulls)
    assert (len(chosen), chosen[0], chosen[-1]) == (GAPS_MAX, "c099", "c037")


def test_at_most_20_patterns_the_commonest_first() -> None:
    found = named([f"c{i}" for i in range(9)], {code: 1 + code for code in range(512)})
    assert len(found) == PATTERNS_MAX
    assert found[0] == (tuple(f"c{i}" for i in range(9)), 512)
    assert [rows for _, rows in found] == sorted((rows for _, rows in found), reverse=True)


@given(rows=st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), max_size=60))
def test_patterns_are_what_a_count_by_hand_gives(rows: list[tuple[bool, bool, bool]]) -> None:
    masks = {f"c{i}": np.array([row[i] for row in rows], dtype=np.bool_) for i in range(3)}
    by_hand = {tuple(f"c{i}" for i in range(3) if row[i]): rows.count(row) for row in rows if sum(row) > 1}
    assert dict(null_patterns(masks)) == by_hand


def test_the_last_bit_is_a_bit_too() -> None:
    masks = {f"c{i:03d}": np.ones(2, dtype=np.bool_) for i in range(GAPS_MAX)}
    assert null_patterns(masks) == ((tuple(masks), 2),)
