"""Roles, types and tasks from what a person named, and the sentence for each contradiction."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from pipeline_core.errors import InvalidDefinition, NotFound
from pipeline_core.records import ColumnType, Role, Schema, Task, TimeUnit
from pipeline_core.stages.schema import DefineRequest, propose

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROWS = 120


def table() -> pa.Table:
    start = datetime(2024, 1, 1, tzinfo=UTC)
    return pa.table({
        "key": [f"k{i}" for i in range(ROWS)],
        "when": [start + timedelta(hours=i) for i in range(ROWS)],
        "opened": ["2024-01-01", "2024-01-02"] * 60,
        "stamp_time": [1_700_000_000 + i for i in range(ROWS)],
        "day": list(range(ROWS)),
        "amount": [i / 7 for i in range(ROWS)],
        "zone": [i % 5 for i in range(ROWS)],
        "city": ["Rome", "Oslo", "Bonn"] * 40,
        "sex": ["f", "m"] * 60,
        "always": ["x"] * ROWS,
        "never": pa.nulls(ROWS),
        "y": ["yes", "no", "no"] * 40,
        "won": [True, False] * 60,
        "many": [f"l{i % 30}" for i in range(ROWS)],
    })


def request(**named: Any) -> DefineRequest:
    return DefineRequest(**({"model": "m", "target": "y", "defined_at": NOW} | named))


def roles(schema: Schema) -> dict[str, str]:
    return {c.name: c.role.value for c in schema.columns}


def test_defaults() -> None:
    schema = propose(table(), request(time="when", id="key", protected=("sex",), exclude=("won",)))
    assert roles(schema) == {
        "key": "id",
        "when": "time",
        "opened": "excluded",
        "stamp_time": "excluded",
        "day": "feature",
        "amount": "feature",
        "zone": "feature",
        "city": "feature",
        "sex": "protected",
        "always": "excluded",
        "never": "excluded",
        "y": "target",
        "won": "excluded",
        "many": "feature",
    }
    assert [c.column_id for c in schema.columns][::13] == ["c001", "c014"]
    assert {c.name: c.type.value for c in schema.columns if c.type is not ColumnType.NUMBER} == {
        "key": "category",
        "when": "timestamp",
        "opened": "timestamp",
        "city": "category",
        "sex": "category",
        "always": "category",
        "y": "category",
        "won": "category",
        "many": "category",
    }
    assert (schema.task, schema.time_unit, schema.model, schema.defined_at) == (Task.BINARY, TimeUnit.CLOCK, "m", NOW)
    assert (schema.classes, schema.baselines, schema.grids) == ((), (), ())


def test_near_unique_text_is_excluded_unless_a_person_keeps_it() -> None:
    assert roles(propose(table(), request()))["key"] == "excluded"
    assert roles(propose(table(), request(features=("key", "always"))))["key"] == "feature"


@pytest.mark.parametrize(
    ("named", "unit", "kind"),
    [
        ({"time": "when"}, TimeUnit.CLOCK, ColumnType.TIMESTAMP),
        ({"time": "opened"}, TimeUnit.CLOCK, ColumnType.TIMESTAMP),
        ({"time": "stamp_time"}, TimeUnit.CLOCK, ColumnType.TIMESTAMP),
        ({"time": "day"}, TimeUnit.DAY, ColumnType.NUMBER),
        ({"time": "amount"}, TimeUnit.ROW, ColumnType.NUMBER),
        ({}, TimeUnit.NONE, None),
    ],
)
def test_event_time(named: dict[str, str], unit: TimeUnit, kind: ColumnType | None) -> None:
    schema = propose(table(), request(**named))
    assert schema.time_unit is unit
    assert (schema.time.type if schema.time else None) is kind


@pytest.mark.parametrize(
    ("target", "task"),
    [
        ("y", Task.BINARY),
        ("won", Task.BINARY),
        ("city", Task.MULTICLASS),
        ("zone", Task.MULTICLASS),
        ("amount", Task.REGRESSION),
        ("day", Task.REGRESSION),
    ],
)
def test_task_of_a_target(target: str, task: Task) -> None:
    schema = propose(table(), request(target=target))
    assert schema.task is task
    assert schema.target.type is (ColumnType.NUMBER if task is Task.REGRESSION else ColumnType.CATEGORY)


def test_a_person_may_say_the_task_and_the_types() -> None:
    assert propose(table(), request(target="zone", task=Task.REGRESSION)).target.type is ColumnType.NUMBER
    assert propose(table(), request(target="many", task=Task.MULTICLASS)).task is Task.MULTICLASS
    schema = propose(table(), request(types={"zone": ColumnType.CATEGORY, "opened": ColumnType.CATEGORY}))
    named = {c.name: c for c in schema.columns}
    assert (named["zone"].type, named["zone"].role) == (ColumnType.CATEGORY, Role.FEATURE)
    assert (named["opened"].type, named["opened"].role) == (ColumnType.CATEGORY, Role.FEATURE)


@pytest.mark.parametrize("where", ["target", "time", "id", "protected", "exclude", "features", "types"])
def test_an_unknown_column_is_named_with_the_nearest(where: str) -> None:
    wrong: Any = {"protected": ("amuont",), "exclude": ("amuont",), "features": ("amuont",)}.get(where, "amuont")
    wrong = {"amuont": ColumnType.NUMBER} if where == "types" else wrong
    with pytest.raises(NotFound, match=r"'amuont' is not in the file\. Did you mean 'amount'\?"):
        propose(table(), request(**{where: wrong}))


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ({"time": "y"}, "'y' was named as target and time"),
        ({"protected": ("city",), "exclude": ("city",)}, "'city' was named as protected and excluded"),
        ({"time": "city"}, "'city' cannot be the event time"),
        ({"time": "never"}, "'never' cannot be the event time"),
        ({"id": "city"}, "120 rows have 3 distinct values and 0 nulls"),
        ({"target": "always"}, "has 1 distinct value in 120 rows"),
        ({"target": "never"}, "has 0 distinct values"),
        ({"target": "when"}, "is a time; a number or a category is allowed"),
        ({"target": "many"}, "text with 30 levels; up to 20"),
        ({"target": "city", "task": Task.BINARY}, "has 3 distinct values; a binary task needs exactly 2"),
        ({"target": "city", "task": Task.REGRESSION}, "is text; regression needs numbers"),
        ({"target": "city", "positive": "Rome"}, r"positive class \('Rome'\) was named, but the task is multiclass"),
        ({"features": ("when",)}, "'when' is a time and cannot be a feature"),
        ({"id": "key", "types": {"key": ColumnType.NUMBER}}, "is the id and is stored as category"),
        ({"exclude": tuple(n for n in table().column_names if n != "y")}, "would have no feature"),
    ],
)
def test_contradictions(named: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidDefinition, match=said):
        propose(table(), request(**named))


def test_naming_a_column_twice_in_one_list_is_no_contradiction() -> None:
    assert roles(propose(table(), request(exclude=("won", "won"))))["won"] == "excluded"
