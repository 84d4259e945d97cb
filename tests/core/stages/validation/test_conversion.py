"""Cell by cell: what is stored, what fails, and that nothing fails silently."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_core.records import Column, ColumnType, Role, Schema, Severity, Task, TimeUnit
from pipeline_core.stages.validation import NOT_STORED, convert, type_rows
from pipeline_core.stages.validation.conversion import arrived_name

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
NUMBER, CATEGORY, TIMESTAMP = ColumnType.NUMBER, ColumnType.CATEGORY, ColumnType.TIMESTAMP
SHA = "0123456789abcdef" * 4


def converted(values: pa.Array | list[Any], to: ColumnType) -> list[Any]:
    array = values if isinstance(values, pa.Array) else pa.array(values)
    return convert(pa.chunked_array([array]), to).to_pylist()


def moment(*parts: int) -> datetime:
    return datetime(*parts)  # type: ignore[arg-type]  # ruff: ignore[call-datetime-without-tzinfo]  # stored naive, meant as UTC


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


# --- timestamp ----------------------------------------------------------------------------------

NEW_YEAR = moment(2024, 1, 1)


@pytest.mark.parametrize(
    ("values", "stored"),
    [
        (pa.array([date(2024, 1, 1), None]), [NEW_YEAR, None]),
        (pa.array([date(2024, 1, 1)], pa.date64()), [NEW_YEAR]),
        (pa.array([NEW_YEAR], pa.timestamp("s")), [NEW_YEAR]),
        (pa.array([NEW_YEAR], pa.timestamp("ms")), [NEW_YEAR]),
        (pa.array([1_704_067_200_123_456_789], pa.timestamp("ns")), [moment(2024, 1, 1, 0, 0, 0, 123_456)]),
        (
            pa.array([datetime(2024, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))], pa.timestamp("us", "UTC")),
            [NEW_YEAR],
        ),
        (pa.array([10**14], pa.timestamp("s")), [None]),
        (pa.array(["2024-01-01", " 2024-01-01 00:00 ", "2024-01-01T00:00:00"]), [NEW_YEAR] * 3),
        (pa.array(["2024-01-01T01:00:00+01:00", "2024-01-01 00:00:00Z", "2024-01-01"]), [NEW_YEAR] * 3),
        (pa.array(["2024-01-01T00:00:00.123456789Z"]), [moment(2024, 1, 1, 0, 0, 0, 123_456)]),
        (pa.array(["2024-01-01", "2024-02-30", "", "soon", "2024", "01/02/2024", None]), [NEW_YEAR] + [None] * 6),
        (pa.array(["0000-01-01", "9999-12-31"]), [None, moment(9999, 12, 31)]),
        (pa.array([1_704_067_200]), [NEW_YEAR]),
        (pa.array([1_704_067_200_000]), [NEW_YEAR]),
        (pa.array([1_704_067_200_000_000.0, None]), [NEW_YEAR, None]),
        (pa.array([1_704_067_200_000_000_000]), [NEW_YEAR]),
        (pa.array([1, 2]), [None, None]),
        (pa.array([True]), [None]),
        (pa.array([float("nan")]), [None]),
        (pa.nulls(1), [None]),
    ],
)
def test_timestamps(values: pa.Array, stored: list[datetime | None]) -> None:
    assert converted(values, TIMESTAMP) == stored


@given(st.datetimes(), st.sampled_from(["s", "ms", "us"]))
def test_every_moment_of_the_calendar_survives(when: datetime, unit: str) -> None:
    whole = when.replace(microsecond=0)
    if whole.replace(hour=0) <= moment(9999, 12, 31):
        assert converted(pa.array([whole], pa.timestamp(unit)), TIMESTAMP) == [whole]
        assert converted(pa.array([whole.isoformat(sep=" ")]), TIMESTAMP) == [whole]


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


# --- rows ---------------------------------------------------------------------------------------


def schema(
    *columns: tuple[str, ColumnType, Role], unit: TimeUnit = TimeUnit.NONE, classes: tuple[str, ...] = ()
) -> Schema:
    return Schema(
        model="m",
        schema_version=1,
        task=Task.BINARY,
        columns=tuple(
            Column(column_id=f"c{i:03d}", name=name, type=kind, role=role)
            for i, (name, kind, role) in enumerate(columns, start=1)
        ),
        baselines=(),
        grids=(),
        time_unit=unit,
        classes=classes,
        defined_at=NOW,
    )


X, Y = ("x", NUMBER, Role.FEATURE), ("y", CATEGORY, Role.TARGET)


def test_rows_have_keys_and_internal_names() -> None:
    typed = type_rows(pa.table({"y": [1, 0], "x": ["1.5", None]}), schema(X, Y), sha256=SHA, received_at=NOW)
    assert typed.rows.to_pylist() == [
        {"row_id": "0123456789ab-0", "row_number": 0, "event_at": moment(2026, 1, 1, 12), "c001": 1.5, "c002": "1"},
        {
            "row_id": "0123456789ab-1",
            "row_number": 1,
            "event_at": moment(2026, 1, 1, 12, 0, 0, 1),
            "c001": None,
            "c002": "0",
        },
    ]
    assert [str(t) for t in typed.rows.schema.types] == ["string", "int64", "timestamp[us]", "double", "string"]
    assert typed.failures == ()
    assert [(a.column, a.arrived, a.stored, a.null_share, a.low, a.high, a.distinct) for a in typed.arrivals] == [
        ("x", "text", "number", 0.5, 1.5, 1.5, 1),
        ("y", "integer", "category", 0.0, None, None, 2),
    ]


def test_ids_and_event_times_come_from_their_columns() -> None:
    columns = (("key", CATEGORY, Role.ID), ("t", TIMESTAMP, Role.TIME), X, Y)
    table = pa.table({"key": [7.0, None], "t": ["2024-01-01", "soon"], "x": [1, 2], "y": ["a", "b"]})
    rows = type_rows(table, schema(*columns, unit=TimeUnit.CLOCK), sha256=SHA, received_at=NOW).rows
    assert rows["row_id"].to_pylist() == ["7", "0123456789ab-1"]
    assert rows["event_at"].to_pylist() == [NEW_YEAR, None]


@pytest.mark.parametrize(
    ("unit", "value", "at"),
    [
        (TimeUnit.DAY, 0, moment(1970, 1, 1)),
        (TimeUnit.DAY, 18_158, moment(2019, 9, 19)),
        (TimeUnit.DAY, -1, moment(1969, 12, 31)),
        (TimeUnit.DAY, 10**9, None),
        (TimeUnit.ROW, 90, moment(1970, 1, 1, 0, 1, 30)),
        (TimeUnit.ROW, 0.5, moment(1970, 1, 1, 0, 0, 0, 500_000)),
    ],
)
def test_days_and_row_orders(unit: TimeUnit, value: float, at: datetime | None) -> None:
    columns = schema(("t", NUMBER, Role.TIME), X, Y, unit=unit)
    rows = type_rows(pa.table({"t": [value], "x": [1], "y": ["a"]}), columns, sha256=SHA, received_at=NOW).rows
    assert rows["event_at"].to_pylist() == [at]


def test_missing_and_extra_columns_cost_nothing() -> None:
    typed = type_rows(pa.table({"x": [1, 2], "new": ["a", None]}), schema(X, Y), sha256=SHA, received_at=NOW)
    assert typed.rows["c002"].to_pylist() == [None, None]
    assert [(a.column, a.stored, a.null_share) for a in typed.arrivals] == [
        ("x", "number", 0.0),
        ("new", NOT_STORED, 0.5),
    ]


def test_one_impossible_column_never_costs_the_others() -> None:
    table = pa.table({"x": [date(2024, 1, 1)] * 5, "z": [1, 2, 3, 4, 5], "y": ["a", "b", "a", "b", "a"]})
    typed = type_rows(table, schema(X, ("z", NUMBER, Role.FEATURE), Y), sha256=SHA, received_at=NOW)
    assert typed.rows["c001"].null_count == 5
    assert typed.rows["c002"].to_pylist() == [1.0, 2.0, 3.0, 4.0, 5.0]
    (failure,) = typed.failures
    assert (failure.code, failure.column, failure.value) == ("type_changed", "x", 1.0)


def test_a_failure_names_count_share_examples_and_rows() -> None:
    cells = ["1", "oops", "3", "", None, "n/a", "7", "x" * 60, "9", "?"]
    typed = type_rows(pa.table({"x": cells, "y": ["a", "b"] * 5}), schema(X, Y), sha256=SHA, received_at=NOW)
    (failure,) = typed.failures
    assert failure.severity is Severity.WARNING
    assert failure.value == pytest.approx(0.4)
    assert failure.message == (
        "Column 'x' arrived as text: 4 of 10 rows (40.0 %) are not a number up to 1e38 ('oops' at row_number 1, 'n/a' at"
        f" row_number 5, '{'x' * 40}' at row_number 7, …) and were kept as nulls."
    )
    assert typed.arrivals[0].failed_rows == 4
    assert typed.arrivals[0].null_share == pytest.approx(0.6)


def test_infinity_fails_and_nan_is_a_null() -> None:
    table = pa.table({"x": [1.0, float("nan"), float("inf")], "y": ["a", "b", "a"]})
    typed = type_rows(table, schema(X, Y), sha256=SHA, received_at=NOW)
    assert typed.arrivals[0].failed_rows == 1
    assert "'inf' at row_number 2" in typed.failures[0].message


def test_a_label_of_no_class_is_a_row_without_a_label() -> None:
    table = pa.table({"x": [1, 2, 3, 4], "y": ["yes", "maybe", None, "no"]})
    typed = type_rows(table, schema(X, Y, classes=("no", "yes")), sha256=SHA, received_at=NOW)
    assert typed.rows["c002"].to_pylist() == ["yes", None, None, "no"]
    (finding,) = typed.failures
    assert (finding.code, finding.column, finding.value) == ("target_unknown", "y", 0.25)
    assert "'maybe' at row_number 1" in finding.message
    assert finding.allowed == "'no', 'yes'"


def test_hostile_names_and_cells_are_only_values() -> None:
    name = "'; DROP TABLE batches; --"
    table = pa.table({name: ["<script>", "=1+1", "{x}", "%s"], "y": ["a", "b", "a", "b"]})
    typed = type_rows(table, schema((name, CATEGORY, Role.FEATURE), Y), sha256=SHA, received_at=NOW)
    assert typed.rows["c001"].to_pylist() == ["<script>", "=1+1", "{x}", "%s"]
    assert typed.arrivals[0].column == name
