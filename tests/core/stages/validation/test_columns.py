"""Columns that are new, gone, renamed or moved; rows that were set aside."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pipeline_core.policy import Policy
from pipeline_core.records import ColumnArrival, Example, Finding, Severity
from pipeline_core.stages.validation import NOT_STORED, Context, check
from tests.core.stages.validation.drawn import drawn, schema, typed
from tests.core.stages.validation.made import NOW, batch_of


def brief(
    columns: dict[str, Any], *, extra: tuple[ColumnArrival, ...] = (), **more: Any
) -> list[tuple[str, str | None]]:
    batch = batch_of(typed(columns), schema(), **more)
    batch = replace(batch, arrivals=(*(a for a in batch.arrivals if a.stored != NOT_STORED), *extra))
    return [(str(f.code), f.column) for f in checked(batch)]


def checked(batch: Any, policy: Policy | None = None) -> tuple[Finding, ...]:
    return check(batch, schema(), policy=policy or Policy(), context=Context(received_at=NOW)).findings


def arrival(name: str, arrived: str = "decimal", **more: Any) -> ColumnArrival:
    return ColumnArrival(column=name, arrived=arrived, stored=NOT_STORED, **({"null_share": 0.0} | more))


def without(name: str) -> dict[str, Any]:
    columns = drawn(14, 1_000, day=1)
    del columns[name]
    return columns


@pytest.mark.parametrize(
    ("name", "extra", "renamed"),
    [
        ("normal", arrival("Normal_"), True),
        ("normal", arrival("zzz", low=40.0, high=155.0), True),
        ("normal", arrival("zzz", low=40.0, high=900.0), False),
        ("normal", arrival("zzz", low=40.0, high=155.0, null_share=0.4), False),
        ("normal", arrival("zzz"), False),
        ("normal", arrival("normal2", arrived="timestamp"), False),
        ("temperature", arrival("temp"), True),
        ("city", arrival("town", arrived="text", distinct=4), True),
        ("city", arrival("town", arrived="text", distinct=5), False),
        ("city", arrival("CITY", arrived="text"), True),
    ],
)
def test_a_missing_and_a_new_column_may_be_one(name: str, extra: ColumnArrival, renamed: bool) -> None:
    found = brief(without(name), extra=(extra,))
    expected = [("column_missing", name), ("column_renamed", name)] if renamed else [("column_missing", name)]
    assert found == [*expected, ("column_extra", extra.column)]


def test_a_name_is_given_once() -> None:
    columns = without("normal")
    del columns["gauss"]
    found = brief(columns, extra=(arrival("normal_x", low=40.0, high=155.0),))
    assert [f for f in found if f[0] == "column_renamed"] == [("column_renamed", "normal")]


def test_another_order_is_a_note() -> None:
    names = [c.name for c in schema().columns]
    batch = batch_of(typed(drawn(14, 1_000, day=1)), schema(), names=(names[1], names[0], *names[2:], "new"))
    (finding,) = checked(batch)
    assert (finding.code, finding.severity, finding.value) == ("columns_reordered", Severity.INFO, 2.0)
    assert checked(replace(batch, names=(*names, "new"))) == ()
    assert checked(replace(batch, names=tuple(names[3:]))) == ()


def test_rows_that_were_set_aside() -> None:
    batch = batch_of(typed(drawn(14, 1_000, day=1)), schema(), set_aside_rows=10)
    (finding,) = checked(batch, replace(Policy(), set_aside_share_max=0.05))
    assert (finding.code, finding.severity, finding.value) == ("set_aside", Severity.INFO, 10 / 1_010)
    assert "10 of 1,010 rows (1.0 %)" in finding.message
    assert finding.allowed == "at most 5.0 %"


def test_a_failure_keeps_its_examples_and_an_unknown_one_is_passed_on() -> None:
    example = Example(row_number=3, arrived="oops")
    failed = Finding(
        code="type_changed", column="big", severity=Severity.WARNING, message="no.", value=0.5, examples=(example,)
    )
    other = Finding(code="leakage_suspect", column="city", severity=Severity.WARNING, message="it knows.")
    batch = batch_of(
        typed(drawn(14, 1_000, day=1)),
        schema(),
    )
    error, warning = checked(replace(batch, failures=(failed, other)))
    assert (error.severity, error.examples, error.allowed) == (Severity.ERROR, (example,), "at most 1.0 %")
    assert (warning.code, warning.column, warning.message) == ("leakage_suspect", "city", "it knows.")
