"""What is remembered of a column: extremes, and how far it is filled."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_core.sources import forms
from pipeline_core.sources.evidence import Edge, Evidence, as_numbers, without_words

NULLS = pa.array(forms.NULL_WORDS)


@given(st.lists(st.lists(st.integers(-5, 5), min_size=1), min_size=1))
def test_an_edge_is_the_least_its_rows_and_the_next(parts: list[list[int]]) -> None:
    low, high = Edge(1), Edge(-1)
    for part in parts:
        low.take(np.array(part, float))
        high.take(np.array(part, float))
    values = sorted(value for part in parts for value in part)
    others = [v for v in values if v > values[0]]
    assert (low.value, low.rows, low.next) == (values[0], values.count(values[0]), others[0] if others else np.inf)
    assert (-high.value, high.rows) == (values[-1], values.count(values[-1]))


@pytest.mark.parametrize(
    ("parts", "filled"),
    [
        ([["1", None]], 1),
        ([["1"], [None]], 1),
        ([[None], ["x"]], 2),
        ([["x", " "]], 1),
        ([["x", "NA"]], 2),
        ([[None]], 0),
    ],
)
def test_how_far_a_column_is_filled(parts: list[list[str | None]], filled: int) -> None:
    column = Evidence(all_forms=forms.all_forms(told=False), wanted=frozenset(), nulls=NULLS)
    row = 0
    for part in parts:
        column.look(pa.array(part, pa.string()), row)
        row += len(part)
    assert column.filled == filled


def test_plain_numbers() -> None:
    assert as_numbers(pa.array(["1", None]))[1] is True
    assert as_numbers(pa.array(["1", "2.5"]))[0].to_pylist() == [1.0, 2.5]
    assert as_numbers(pa.array(["1", "2"]), whole=False)[0].type == pa.float64()
    for bad in ("x", "007", "nan", "0x1f", "-01", "+01"):
        assert as_numbers(pa.array(["1", bad]))[0] is None


def test_words_are_nulls_after_trimming() -> None:
    assert without_words(pa.array([" NA ", "x ", None, ""]), NULLS).to_pylist() == [None, "x", None, None]
