"""What a column looks like before it has a role."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from pipeline_core.records import ColumnType, TimeUnit
from pipeline_core.stages.schema.looks import Look, look


def seen(name: str, values: pa.Array) -> Look:
    return look(pa.table({name: values}))[name]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (pa.array([1, 2]), ColumnType.NUMBER),
        (pa.array([1.5, None]), ColumnType.NUMBER),
        (pa.array([Decimal("1.5")]), ColumnType.NUMBER),
        (pa.nulls(2), ColumnType.NUMBER),
        (pa.array(["a", "b"]), ColumnType.CATEGORY),
        (pa.array(["007", "12"]), ColumnType.CATEGORY),
        (pa.array([True, False]), ColumnType.CATEGORY),
        (pa.array(["2024-01-01", " ", None]), ColumnType.TIMESTAMP),
        (pa.array(["2024-01-01", "soon"]), ColumnType.CATEGORY),
        (pa.array([" ", None], pa.string()), ColumnType.CATEGORY),
        (pa.array([date(2024, 1, 1)]), ColumnType.TIMESTAMP),
        (pa.array([datetime(2024, 1, 1, tzinfo=UTC)], pa.timestamp("ns", "UTC")), ColumnType.TIMESTAMP),
    ],
)
def test_natural_types(values: pa.Array, kind: ColumnType) -> None:
    assert seen("x", values).type is kind


def test_counts_leave_nulls_blanks_and_no_numbers_apart() -> None:
    text = seen("x", pa.array(["a", " a ", "", None, "b"]))
    assert (text.rows, text.nulls, text.distinct) == (5, 2, 2)
    number = seen("x", pa.array([1.0, float("nan"), float("inf"), 3.0]))
    assert (number.nulls, number.distinct, number.low, number.high, number.whole) == (2, 2, 1.0, 3.0, True)


@pytest.mark.parametrize(
    ("values", "constant"),
    [([1, 1], True), ([None, None], True), ([1, None], False), ([1, 2], False)],
)
def test_constant(values: list[int | None], constant: bool) -> None:
    assert seen("x", pa.array(values, pa.int64())).constant is constant


@pytest.mark.parametrize(
    ("values", "near", "constant"),
    [
        (["x"] * 1_999 + ["y"], True, False),
        ([None] * 1_998 + ["y", "z"], True, False),
        (["x"] * 1_997 + ["y", "y", None], False, False),
        ([str(i) for i in range(2_000)], False, False),
        (["x"] * 10, True, True),
        ([], True, True),
    ],
)
def test_near_constant(values: list[str | None], near: bool, constant: bool) -> None:
    column = seen("x", pa.array(values, pa.string()))
    assert (column.near_constant, column.constant) == (near, constant)


def test_near_unique_text_needs_many_levels_and_a_large_share() -> None:
    assert seen("x", pa.array([f"n{i}" for i in range(51)])).near_unique_text
    assert not seen("x", pa.array([f"n{i}" for i in range(50)])).near_unique_text
    assert not seen("x", pa.array([f"n{i % 60}" for i in range(120)])).near_unique_text
    assert seen("x", pa.array([f"n{i % 61}" for i in range(120)])).near_unique_text
    assert not seen("x", pa.array(list(range(100)))).near_unique_text


@pytest.mark.parametrize(
    ("name", "values", "unit", "is_time"),
    [
        ("when", pa.array([datetime(2024, 1, 1, tzinfo=UTC)]), TimeUnit.CLOCK, True),
        ("trip_timestamp", pa.array([1_357_000_200, 1_483_116_300]), TimeUnit.CLOCK, True),
        ("census_tract", pa.array([17_031_081_500, 17_031_980_000]), TimeUnit.CLOCK, False),
        ("time_ms", pa.array([1_357_000_200_000, 1_483_116_300_000]), TimeUnit.CLOCK, True),
        ("time", pa.array([0, 1_483_116_300]), TimeUnit.ROW, False),
        ("day_index", pa.array([0, 18_158]), TimeUnit.DAY, False),
        ("Day", pa.array([1.0, 2.0, None]), TimeUnit.DAY, False),
        ("day_share", pa.array([0.1, 0.2]), TimeUnit.ROW, False),
        ("row_order", pa.array([0, 41_187]), TimeUnit.ROW, False),
        ("city", pa.array(["a"]), None, False),
        ("flag", pa.array([True]), None, False),
        ("empty", pa.nulls(2), None, False),
    ],
)
def test_how_it_would_count_as_event_time(name: str, values: pa.Array, unit: TimeUnit | None, is_time: bool) -> None:
    assert (seen(name, values).time_unit, seen(name, values).is_time) == (unit, is_time)


def test_unique() -> None:
    assert seen("x", pa.array(["a", "b"])).unique
    assert not seen("x", pa.array(["a", "a"])).unique
    assert not seen("x", pa.array(["a", None])).unique
    assert not seen("x", pa.array(["a"])).unique
