"""Whole slices: keys, arrivals, failures, the ledger, and the rows that break a rule."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_core.records import Change, Column, ColumnType, Example, Role, Schema, Severity, Task, TimeUnit
from pipeline_core.stages.validation import NOT_STORED, Typing, type_rows
from pipeline_core.stages.validation.rows import EXTRA_LEVELS_MAX

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
NUMBER, CATEGORY, TIMESTAMP = ColumnType.NUMBER, ColumnType.CATEGORY, ColumnType.TIMESTAMP
SHA = "0123456789abcdef" * 4


def moment(*parts: int) -> datetime:
    return datetime(*parts)  # type: ignore[arg-type]  # ruff: ignore[call-datetime-without-tzinfo]  # stored naive, meant as UTC


NEW_YEAR = moment(2024, 1, 1)


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
        ("x", "text", "number", 0.5, 1.5, 1.5, None),
        ("y", "integer", "category", 0.0, None, None, None),
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


# --- slice by slice -----------------------------------------------------------------------------


def typed_in(parts: list[pa.Table], of: Schema) -> tuple[Typing, pa.Table]:
    typing = Typing(of, sha256=SHA, received_at=NOW)
    return typing, pa.concat_tables([typing.rows(part) for part in parts])


CELLS = st.one_of(
    st.none(), st.sampled_from(["1", " 2 ", "x", "", "True", "3.0", "2024-01-01", "2024-01-01T05:00+05:00"])
)


@settings(deadline=None)
@given(st.lists(st.tuples(CELLS, CELLS, CELLS, CELLS), min_size=1, max_size=40), st.integers(1, 9))
def test_slices_give_what_the_whole_gives(cells: list[tuple[str | None, ...]], each: int) -> None:
    of = schema(
        ("key", CATEGORY, Role.ID), ("t", TIMESTAMP, Role.TIME), X, Y, unit=TimeUnit.CLOCK, classes=("1", "true")
    )
    columns = [pa.array(column, pa.string()) for column in zip(*cells, strict=True)]
    table = pa.table(dict(zip(("key", "t", "x", "y"), columns, strict=True)))
    whole, rows = typed_in([table], of)
    sliced, parts = typed_in([table.slice(i, each) for i in range(0, len(cells), each)], of)
    assert parts.to_pylist() == rows.to_pylist()
    assert sliced.arrivals() == whole.arrivals()
    assert sliced.failures() == whole.failures()
    assert sliced.aside().to_pylist() == whole.aside().to_pylist()


def test_row_numbers_ids_and_arrival_times_run_on() -> None:
    part = pa.table({"x": [1, 2], "y": ["a", "b"]})
    rows = typed_in([part, part.slice(0, 0), part], schema(X, Y))[1]
    assert rows["row_number"].to_pylist() == [0, 1, 2, 3]
    assert rows["row_id"].to_pylist() == [f"0123456789ab-{i}" for i in range(4)]
    assert rows["event_at"].to_pylist() == [moment(2026, 1, 1, 12, 0, 0, i) for i in range(4)]


def test_reordered_columns_and_an_empty_slice_have_the_stored_shape() -> None:
    of = schema(X, Y)
    rows = typed_in([pa.table({"y": pa.array([], pa.string()), "x": pa.array([], pa.int64())})], of)[1]
    assert (rows.column_names, rows.num_rows) == (["row_id", "row_number", "event_at", "c001", "c002"], 0)
    assert Typing(of, sha256=SHA, received_at=NOW).arrivals() == ()


def test_the_unit_of_epoch_times_is_that_of_the_first_slice_with_times() -> None:
    of = schema(("t", TIMESTAMP, Role.TIME), X, Y, unit=TimeUnit.CLOCK)
    parts = [
        pa.table({"t": pa.array(t, pa.int64()), "x": [1.0] * len(t), "y": ["a"] * len(t)})
        for t in ([None], [1_704_067_200_000], [1_704_067_200])
    ]
    typing, rows = typed_in(parts, of)
    # the last one is seconds: in the milliseconds of the file it lies in January 1970
    assert rows["event_at"].to_pylist() == [None, NEW_YEAR, moment(1970, 1, 20, 17, 21, 7, 200_000)]
    assert typing.arrivals()[0].changes == (
        Change(
            kind="epoch",
            rows=2,
            examples=(
                Example(row_number=1, arrived="1704067200000", stored="2024-01-01 00:00:00"),
                Example(row_number=2, arrived="1704067200", stored="1970-01-20 17:21:07.200000"),
            ),
        ),
    )


def test_the_ledger_counts_all_and_shows_twenty() -> None:
    part = pa.table({"x": pa.array([True] * 15), "y": ["True"] * 15})
    arrivals = typed_in([part, part], schema(X, Y))[0].arrivals()
    (boolean,), (case,) = arrivals[0].changes, arrivals[1].changes
    assert (boolean.kind, boolean.rows, [e.row_number for e in boolean.examples]) == ("boolean", 30, list(range(20)))
    assert boolean.examples[0] == Example(row_number=0, arrived="True", stored="1")
    assert (case.kind, case.rows, case.examples[19]) == (
        "case",
        30,
        Example(row_number=19, arrived="True", stored="true"),
    )


def test_a_failure_carries_its_examples_from_every_slice() -> None:
    parts = [pa.table({"x": [cell] * 8, "y": ["a"] * 8}) for cell in ("1", "oops", "n/a", "?")]
    (failure,) = typed_in(parts, schema(X, Y))[0].failures()
    assert failure.value == pytest.approx(0.75)
    assert [(e.row_number, e.arrived, e.stored) for e in failure.examples][7:9] == [
        (15, "oops", None),
        (16, "n/a", None),
    ]
    assert len(failure.examples) == 20
    assert "24 of 32 rows (75.0 %)" in failure.message


def test_an_unknown_column_is_described_as_far_as_it_is_known() -> None:
    part = pa.table({
        "x": [1, 2, 3], "y": ["a", "b", "a"], "n": [5, None, 2], "s": ["u", "v", "u"], "e": pa.nulls(3), "l": [[1], [2], None]
    })  # fmt: skip
    many = {"many": [f"v{i}" for i in range(EXTRA_LEVELS_MAX + 1)]}
    extra = {a.column: a for a in typed_in([part, part], schema(X, Y))[0].arrivals() if a.stored == NOT_STORED}
    shown = {name: (a.arrived, a.low, a.high, a.distinct, a.null_share) for name, a in extra.items()}
    assert shown == {
        "n": ("integer", 2.0, 5.0, 2, 1 / 3),
        "s": ("text", None, None, 2, 0.0),
        "e": ("empty", None, None, 0, 1.0),
        "l": ("list<item: int64>", None, None, None, 1 / 3),
    }
    (only,) = typed_in([pa.table(many)], schema(X, Y))[0].arrivals()
    assert (only.column, only.distinct) == ("many", None)


# --- rows that break a rule ---------------------------------------------------------------------


def test_rows_are_set_aside_by_the_first_rule_that_they_break() -> None:
    of = schema(
        ("key", CATEGORY, Role.ID),
        ("t", TIMESTAMP, Role.TIME),
        X,
        ("p", NUMBER, Role.PROTECTED),
        Y,
        unit=TimeUnit.CLOCK,
    )
    first = pa.table({
        "key": ["a", "b", None, "a"],
        "t": ["2024-01-01", "soon", None, "2024-01-02"],
        "x": ["1", "2", "3", "4"],
        "p": ["1", "2", "3", "no number, but no rule either"],
        "y": ["u", "v", "u", "v"],
    })
    second = pa.table({
        "key": ["c", "b", "d", "e"],
        "t": ["2026-01-02T12:00:00", "2024-01-01", "2026-01-02T12:00:00.000001", None],
        "x": ["1", "2", "3", "oops"],
        "p": ["1", "2", "3", "4"],
        "y": ["u", "v", "u", "v"],
    })
    aside = typed_in([first, second], of)[0].aside()
    assert [str(t) for t in aside.schema.types] == [
        "int64",
        *["dictionary<values=string, indices=int16, ordered=0>"] * 2,
    ]
    assert [tuple(row.values()) for row in aside.to_pylist()] == [
        (1, "c002", "it is not a time (ISO 8601, or a number of seconds to nanoseconds since 1970)"),
        (2, "c002", "it has no event time"),
        (3, "c001", "its id is that of a row before it"),
        (5, "c001", "its id is that of a row before it"),
        (6, "c002", "its event time is more than a day after the file was received"),
        (7, "c003", "it is not a number up to 1e38"),
    ]


def test_a_clean_batch_sets_nothing_aside() -> None:
    of = schema(("t", NUMBER, Role.TIME), X, Y, unit=TimeUnit.ROW)
    typing, _ = typed_in([pa.table({"t": [1, 10**9], "x": [1, None], "y": [None, "a"]})], of)
    assert typing.aside().num_rows == 0
    assert typing.aside().column_names == ["row_number", "column_id", "reason"]


def test_columns_that_are_not_there_break_no_rule_about_rows() -> None:
    of = schema(("key", CATEGORY, Role.ID), ("t", TIMESTAMP, Role.TIME), X, Y, unit=TimeUnit.CLOCK)
    typing, rows = typed_in([pa.table({"x": [1, 2], "y": ["a", "b"]})], of)
    assert typing.aside().num_rows == 0
    assert (rows["event_at"].null_count, rows["row_id"].null_count) == (2, 0)


def test_a_slice_of_many_chunks_is_typed_as_one() -> None:
    part = pa.concat_tables([pa.table({"x": ["1"], "y": ["a"]}), pa.table({"x": ["oops", "3"], "y": ["b", "a"]})])
    typing, rows = typed_in([part], schema(X, Y))
    assert rows["c001"].to_pylist() == [1.0, None, 3.0]
    assert [e.row_number for e in typing.failures()[0].examples] == [1]
