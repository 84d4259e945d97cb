"""Cell by cell: what is stored, what fails, and that nothing fails silently."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_core.records import ColumnType
from pipeline_core.stages.validation import KINDS, convert
from pipeline_core.stages.validation.conversion import arrived_name, convert_cells

NUMBER, CATEGORY, TIMESTAMP = ColumnType.NUMBER, ColumnType.CATEGORY, ColumnType.TIMESTAMP


def converted(values: pa.Array | list[Any], to: ColumnType) -> list[Any]:
    array = values if isinstance(values, pa.Array) else pa.array(values)
    return convert(pa.chunked_array([array]), to).to_pylist()


# --- number -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "stored"),
    [
        (pa.array([1, None, -3]), [1.0, None, -3.0]),
        (pa.array([1.5, float("nan"), float("inf"), float("-inf")]), [1.5, None, None, None]),
        (pa.array([True, False, None]), [1.0, 0.0, None]),
        (pa.array([Decimal("1.50"), None]), [1.5, None]),
        (pa.array(["1", " 2.5 ", "-3e2", "+4", ".5", "5."]), [1.0, 2.5, -300.0, 4.0, 0.5, 5.0]),
        (pa.array(["1", "x", "", None, "1,5", "0x10", "1e999", "nan", "1 2"]), [1.0] + [None] * 8),
        (pa.nulls(2), [None, None]),
        (pa.array([date(2024, 1, 1)]), [None]),
        (pa.array([2**64 - 1], pa.uint64()), [2.0**64]),
    ],
)
def test_numbers(values: pa.Array, stored: list[float | None]) -> None:
    assert converted(values, NUMBER) == stored


# --- category -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "stored"),
    [
        (pa.array([" a ", "", "  ", None, "b"]), ["a", None, None, None, "b"]),
        (pa.array([3, None]), ["3", None]),
        (pa.array([3.0, 2.5, float("nan"), float("inf"), -0.0]), ["3", "2.5", None, None, "0"]),
        (pa.array([17_031_081_500.0, 1e300]), ["17031081500", "1e+300"]),
        (pa.array(["3.0", "3", "-4.00", "1.50", "v1.0", "007"]), ["3", "3", "-4", "1.50", "v1.0", "007"]),
        (pa.array([True, False]), ["true", "false"]),
        (pa.array(["True", "FALSE", "truely"]), ["true", "false", "truely"]),
        (pa.array([Decimal("2.00")]), ["2"]),
        (pa.array([date(2024, 1, 1)]), ["2024-01-01"]),
        (pa.array([1], pa.timestamp("s", "Europe/Berlin")), ["1970-01-01 00:00:01.000000"]),
        (pa.nulls(2), [None, None]),
    ],
)
def test_categories(values: pa.Array, stored: list[str | None]) -> None:
    assert converted(values, CATEGORY) == stored


def test_the_same_label_from_every_format_is_one_category() -> None:
    forms = [pa.array([1]), pa.array([1.0]), pa.array(["1"]), pa.array(["1.0"]), pa.array([" 1 "])]
    assert {converted(f, CATEGORY)[0] for f in forms} == {"1"}


def test_many_chunks_share_their_levels() -> None:
    column = pa.chunked_array([["a", " b"], ["b ", None], [], ["c"]])
    assert convert(column, CATEGORY).to_pylist() == ["a", "b", "b", None, "c"]
    assert convert(pa.chunked_array([], pa.string()), CATEGORY).to_pylist() == []


@given(st.lists(st.one_of(st.none(), st.integers(-(2**53), 2**53))))
def test_whole_numbers_are_written_without_a_point_whatever_they_arrive_as(values: list[int | None]) -> None:
    expected = [None if v is None else str(v) for v in values]
    for kind in (pa.int64(), pa.float64()):
        stored = converted(pa.array(values, pa.int64()).cast(kind, safe=False), CATEGORY)
        assert [s for s, v in zip(stored, values, strict=True) if v is None or abs(v) < 2**53] == [
            e for e, v in zip(expected, values, strict=True) if v is None or abs(v) < 2**53
        ]


# --- types -----------------------------------------------------------------------------------------


def test_words_for_arrived_types() -> None:
    kinds = [
        pa.null(),
        pa.bool_(),
        pa.int8(),
        pa.float32(),
        pa.decimal128(5, 2),
        pa.timestamp("s"),
        pa.date32(),
        pa.string(),
    ]
    words = ["empty", "true/false", "integer", "decimal", "decimal", "timestamp", "date", "text"]
    assert [arrived_name(k) for k in kinds] == words
    assert arrived_name(pa.time32("s")) == "time32[s]"


@pytest.mark.parametrize("kind", [pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.large_string())])
def test_text_is_text_however_it_is_packed(kind: pa.DataType) -> None:
    packed = pa.array([" 1.0", "x", None, "x"]).cast(kind)
    assert arrived_name(kind) == "text"
    assert converted(packed, CATEGORY) == ["1", "x", None, "x"]
    assert converted(packed, NUMBER) == [1.0, None, None, None]
    assert marks(packed, NUMBER) == {"parsed": [0], "trimmed": [0], "failed": [1, 3]}


def test_small_floats_and_times_of_day() -> None:
    assert converted(pa.array(np.array([1.5, np.inf], np.float16)), NUMBER) == [1.5, None]
    noon = pa.array([43_200], pa.time32("s"))
    assert converted(noon, CATEGORY) == ["12:00:00"]
    assert (marks(noon, NUMBER), marks(noon, TIMESTAMP)) == ({"failed": [0]}, {"failed": [0]})
    assert converted(pa.array([b"ab", None]), CATEGORY) == ["ab", None]


# --- marks --------------------------------------------------------------------------------------


def marks(values: pa.Array, to: ColumnType, us_each: float | None = None) -> dict[str, list[int]]:
    """Give the places of the cells that were changed, by kind."""
    made = convert_cells(values, to, us_each=us_each)
    return {kind: np.flatnonzero(mask).tolist() for kind, mask in made.marks.items() if mask.any()}


@pytest.mark.parametrize(
    ("values", "to", "changed"),
    [
        (pa.array([1.0, None, -2.5]), NUMBER, {}),
        (pa.array([1.0, float("nan"), float("-inf"), 1e39, None]), NUMBER, {"nan": [1], "failed": [2, 3]}),
        (pa.array([True, None, False]), NUMBER, {"boolean": [0, 2]}),
        (pa.array([1, 2**53, -(2**53)]), NUMBER, {}),
        (pa.array([1, 2**53 + 1, None, 2**53 + 2, 2**63 - 1, -(2**63), 2**62]), NUMBER, {"rounded": [1, 4]}),
        (pa.array([2**64 - 1, 2**63, 2**63 + 1], pa.uint64()), NUMBER, {"rounded": [0, 2]}),
        (pa.array([Decimal("1.50"), None]), NUMBER, {}),
        (pa.array([Decimal("1234567890123456.75"), Decimal("9007199254740993.00"), None]), NUMBER, {"rounded": [1]}),
        (
            pa.array(["1", " 2", "x", "  ", None, "1e999"]),
            NUMBER,
            {"parsed": [0, 1], "trimmed": [1], "failed": [2, 5], "null_word": [3]},
        ),
        (pa.array([date(2024, 1, 1), None]), NUMBER, {"failed": [0]}),
        (pa.nulls(3), NUMBER, {}),
        (pa.array(["a", " a", "TRUE", "1.0", "1.50", "", None, "a"]), CATEGORY,
         {"trimmed": [1], "case": [2], "whole_number": [3], "null_word": [5]}),
        (pa.array([" True ", " 7.00"]), CATEGORY, {"trimmed": [0, 1], "case": [0], "whole_number": [1]}),
        (pa.array([3.0, 2.5, None, float("nan"), float("inf"), 3.0]), CATEGORY,
         {"whole_number": [0, 5], "nan": [3], "failed": [4]}),
        (pa.array([3, None]), CATEGORY, {}),
        (pa.array([Decimal("2.00"), Decimal("2.50")]), CATEGORY, {"whole_number": [0]}),
        (pa.array([[1, 2], None, [3]]), CATEGORY, {"nested": [0, 2]}),
        (pa.array([datetime(2024, 1, 1, tzinfo=UTC)], pa.timestamp("us", "UTC")), TIMESTAMP, {}),
        (pa.array([1_000, 1_001, None, -1], pa.timestamp("ns")), TIMESTAMP, {"rounded": [1, 3]}),
        (pa.array([10**14, 0], pa.timestamp("s")), TIMESTAMP, {"failed": [0]}),
        (
            pa.array(["2024-01-01", " 2024-01-01", "2024-01-01T01:00+01:00", "2024-01-01T00:00Z", "2024-01-01 00:00+00:00",
                      "2024-01-01T00:00:00.1234567", "2024-01-01T00:00:00.1234560", "soon", "", None]),
            TIMESTAMP,
            {"parsed": [0, 1, 2, 3, 4, 5, 6], "trimmed": [1], "zone": [2], "rounded": [5], "failed": [7], "null_word": [8]},
        ),
        (pa.array([True, None]), TIMESTAMP, {"failed": [0]}),
    ],
)  # fmt: skip
def test_every_change_of_a_cell_is_marked(values: pa.Array, to: ColumnType, changed: dict[str, list[int]]) -> None:
    assert marks(values, to) == changed
    assert set(changed) <= set(KINDS)


@given(st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)), min_size=1))
def test_a_whole_number_is_marked_as_rounded_exactly_where_the_double_is_another_one(values: list[int | None]) -> None:
    lost = [i for i, v in enumerate(values) if v is not None and int(float(v)) != v]
    assert marks(pa.array(values, pa.int64()), NUMBER).get("rounded", []) == lost


def test_a_clean_column_is_passed_on_as_it_is() -> None:
    for values, to in (
        (pa.array([1.0, None, 3.0]), NUMBER),
        (pa.array([0, None], pa.timestamp("us")), TIMESTAMP),
    ):
        cells = convert_cells(values, to).cells
        assert cells.buffers()[1].address == values.buffers()[1].address
