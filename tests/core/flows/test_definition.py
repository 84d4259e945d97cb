"""How a model begins, and what a second definition may change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pipeline_core.clock import day_in, midnight
from pipeline_core.errors import InvalidDefinition, NotFound
from pipeline_core.flows import arrival
from pipeline_core.flows.arrival import receive
from pipeline_core.flows.definition import define, preview
from pipeline_core.records import BatchStatus, ColumnType, Finding, Role, Severity, Task, TimeUnit
from pipeline_core.store.home import Store
from tests.core.flows.deliveries import START, columns, parquet


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "home") as opened:
        yield opened


def wide(**more: Any) -> dict[str, Any]:
    return columns() | {"flat": ["x"] * 400, "note": [f"n{i}" for i in range(400)]} | more


def test_define_keeps_the_schema_and_the_first_batch(store: Store, tmp_path: Path) -> None:
    made = define(store, "loans-1", parquet(tmp_path, wide()), target="y", time="when", source="first")
    assert made.schema == store.models.schema("loans-1")
    assert (made.schema.task, made.schema.positive, made.schema.classes) == (Task.BINARY, "yes", ("no", "yes"))
    assert (made.schema.time_unit, made.schema.schema_version) == (TimeUnit.CLOCK, 1)
    assert (made.batch.batch_id, made.batch.status, made.batch.labelled_rows) == ("b-0001", BatchStatus.ACCEPTED, 400)
    # every 'north' has the same answer in these rows, which no honest feature has
    assert (made.batch.source, [(f.code, f.column) for f in made.batch.findings]) == (
        "first",
        [("leakage_suspect", "city")],
    )
    assert [g.column_id for g in made.schema.grids] == ["c002", "c003", "c004", "c005", "c006"]
    assert store.batches.counts("loans-1").num_rows > 0


@pytest.mark.parametrize("name", ["", "Loans", "a b", "-a", "a/b", "..", "a" * 61, "é", "a\n"])
def test_names_that_no_model_may_have(store: Store, tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidDefinition, match="lower-case letters, digits, '-' and '_' are allowed, up to 60"):
        define(store, name, parquet(tmp_path, columns()), target="y")


@pytest.mark.parametrize("name", ["a", "a" * 60, "0_x-y"])
def test_names_that_a_model_may_have(store: Store, tmp_path: Path, name: str) -> None:
    assert define(store, name, parquet(tmp_path, columns()), target="y").schema.model == name


def test_a_definition_that_fails_leaves_nothing(store: Store, tmp_path: Path) -> None:
    path = parquet(tmp_path, columns())
    with pytest.raises(NotFound, match="Did you mean 'amount'"):
        define(store, "m", path, target="y", exclude=("amuont",))
    with pytest.raises(NotFound, match="Class 'Yes'"):
        define(store, "m", path, target="y", positive="Yes")
    late = columns()
    late["when"][:8] = [None] * 8
    with pytest.raises(InvalidDefinition, match=r"would be quarantined under its own definition\. Column 'when'"):
        define(store, "m", parquet(tmp_path, late), target="y", time="when")
    assert store.models.names() == ()


def test_defining_again_is_a_new_schema_version_of_the_same_rows(store: Store, tmp_path: Path) -> None:
    path = parquet(tmp_path, wide(flag=[i % 5 for i in range(400)]))
    first = define(store, "m", path, target="y", time="when", exclude=("flag",))
    second = define(store, "m", path, target="y", time="when", exclude=("city",), protected=("flat",), positive="no")
    assert (second.schema.schema_version, second.schema.positive) == (2, "no")
    assert second.batch.duplicate
    assert second.schema.grids == first.schema.grids
    assert [c.column_id for c in second.schema.columns] == [c.column_id for c in first.schema.columns]
    assert {c.name: c.role for c in second.schema.columns} == {
        "when": Role.TIME,
        "amount": Role.FEATURE,
        "city": Role.EXCLUDED,
        "y": Role.TARGET,
        "flat": Role.PROTECTED,
        "note": Role.EXCLUDED,
        "flag": Role.FEATURE,
    }
    assert store.models.schema("m", 1) == first.schema


def test_a_new_file_in_another_order_keeps_the_internal_names(store: Store, tmp_path: Path) -> None:
    first = define(store, "m", parquet(tmp_path, columns()), target="y", time="when")
    later = columns(200, day=30)
    shuffled = {name: later[name] for name in ("y", "city", "when", "amount")} | {
        "amount": [int(v) for v in later["amount"]]
    }
    second = define(store, "m", parquet(tmp_path, shuffled, "second.parquet"), target="y", time="when")
    assert second.schema.columns == first.schema.columns
    assert (second.batch.batch_id, second.batch.schema_version) == ("b-0002", 2)
    assert store.batches.read_rows("m", "b-0002")["c003"][0].as_py() == "Rome"


@pytest.mark.parametrize(
    ("content", "named", "said"),
    [
        (columns() | {"new": [1, 2] * 200}, {"time": "when"}, "with other columns: 'new' is new"),
        ({k: v for k, v in columns().items() if k != "city"}, {"time": "when"}, "'city' is missing"),
        (columns(), {}, "column 'when' is time and timestamp; this definition makes it excluded"),
        (columns(), {"time": "when", "target": "city"}, "column 'city' is feature and category"),
        (columns(), {"time": "when", "types": {"amount": ColumnType.CATEGORY}}, "'amount' is feature and number"),
        (
            columns() | {"y": ["a", "b"] * 200},
            {"time": "when"},
            "with the classes no, yes; this file makes it binary with a, b",
        ),
    ],
)
def test_what_stored_rows_forbid(
    store: Store, tmp_path: Path, content: dict[str, Any], named: dict[str, Any], said: str
) -> None:
    define(store, "m", parquet(tmp_path, columns()), target="y", time="when")
    with pytest.raises(InvalidDefinition, match=said):
        define(store, "m", parquet(tmp_path, content, "second.parquet"), **({"target": "y"} | named))
    assert store.models.schema("m").schema_version == 1


def test_what_was_not_counted_cannot_become_a_feature(store: Store, tmp_path: Path) -> None:
    many = wide(code=[i * 1.5 for i in range(400)])
    path = parquet(tmp_path, many | {"when": [START + timedelta(minutes=i) for i in range(400)]})
    made = define(store, "m", path, target="y", time="when")
    without = made.schema.by_name("note")
    assert without is not None
    assert without.role is Role.EXCLUDED
    assert define(store, "m", path, target="y", time="when", features=("note",)).schema.schema_version == 2
    long = {k: v * 3 for k, v in many.items()} | {"note": [f"n{i}" for i in range(1_200)]}
    path = parquet(tmp_path, long, "long.parquet")
    define(store, "n", path, target="y")
    with pytest.raises(InvalidDefinition, match="'note' was not counted, because it was excluded"):
        define(store, "n", path, target="y", features=("note",))


def test_preview_stores_nothing(store: Store, tmp_path: Path) -> None:
    before = {p.relative_to(store.home) for p in store.home.rglob("*")}
    seen = preview(store, parquet(tmp_path, wide()))
    assert seen.rows.num_rows == 20
    assert (seen.suggestion.target, seen.suggestion.time, seen.suggestion.rows) == ("y", "when", 400)
    assert (seen.unpacked.reading.format, seen.unpacked.doubts) == ("parquet", ())
    assert {p.relative_to(store.home) for p in store.home.rglob("*")} == before
    assert store.models.names() == ()


def test_defining_again_keeps_the_positive_class_unless_another_is_named(store: Store, tmp_path: Path) -> None:
    path = parquet(tmp_path, columns())
    guess = define(store, "n", path, target="y", time="when").schema.positive
    other = "no" if guess == "yes" else "yes"
    define(store, "m", path, target="y", time="when", positive=other)
    assert define(store, "m", path, target="y", time="when").schema.positive == other
    assert define(store, "m", path, target="y", time="when", positive=guess).schema.positive == guess
    with pytest.raises(
        InvalidDefinition, match="of task binary with the classes no, yes; this file makes it multiclass"
    ):
        define(store, "m", path, target="y", time="when", task=Task.MULTICLASS)


def test_a_quarantined_file_defines_a_model_and_is_its_batch_or_does_neither(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    define(store, "m", parquet(tmp_path, columns()), target="y", time="when")
    gaps = columns(300, day=40)
    gaps["city"] = [None if i % 2 else c for i, c in enumerate(gaps["city"])]
    path = parquet(tmp_path, gaps, "gaps.parquet")
    assert receive(store, "m", path).status is BatchStatus.QUARANTINED
    with monkeypatch.context() as patched:
        # between the first look at it and the transaction another batch makes it unacceptable
        judged = arrival.judge
        bad = Finding(code="x", column=None, severity=Severity.ERROR, message="Meanwhile.")
        seen = iter([(), (bad,)])

        def second_thoughts(*given: Any, **more: Any) -> arrival.Judged:
            return replace(judged(*given, **more), findings=next(seen), batch_id="b-0099")

        patched.setattr(arrival, "judge", second_thoughts)
        patched.setattr("pipeline_core.flows.definition.judge", second_thoughts)
        with pytest.raises(InvalidDefinition, match="cannot be defined by this file"):
            define(store, "m", path, target="y", time="when")
    assert store.models.schema("m").schema_version == 1
    made = define(store, "m", path, target="y", time="when")
    assert (made.schema.schema_version, made.batch.batch_id, made.batch.status) == (2, "b-0003", BatchStatus.ACCEPTED)
    assert (made.batch.schema_version, made.batch.duplicate) == (2, False)


def test_days_are_counted_in_the_zone_that_was_named(store: Store, tmp_path: Path) -> None:
    zone = ZoneInfo("America/New_York")
    path = parquet(tmp_path, columns())
    made = define(store, "m", path, target="y", time="when", zone=zone.key)
    assert made.schema.zone == store.models.schema("m").zone == zone.key
    events = [when.replace(tzinfo=UTC) for when in columns()["when"]]
    days = Counter(midnight(event, zone) for event in events)
    assert store.day_counts.rows("m") == dict(sorted(days.items()))
    ((_, past),) = [(row["rows"], row["rows_by_day"]) for row in store.batches.past("m").to_pylist()]
    assert dict(past) == {str(date.fromordinal(day_in(zone, day))): rows for day, rows in sorted(days.items())}
    again = define(store, "m", path, target="y", time="when", exclude=("city",))
    assert (again.schema.schema_version, again.schema.zone) == (2, zone.key)
    with pytest.raises(
        InvalidDefinition, match=r"counted by days of America/New_York; this definition says UTC\. Keep"
    ):
        define(store, "m", path, target="y", time="when", zone="UTC")


def test_a_zone_has_to_be_one_and_needs_a_clock(store: Store, tmp_path: Path) -> None:
    path = parquet(tmp_path, columns() | {"place": list(range(400))})
    with pytest.raises(InvalidDefinition, match=r"^'Europe/Berln' is no time zone; .* Did you mean 'Europe/Berlin'\?$"):
        define(store, "m", path, target="y", time="when", zone="Europe/Berln")
    with pytest.raises(
        InvalidDefinition, match=r"event time of 'm' counts rows and knows no clock; .* Leave the zone out"
    ):
        define(store, "m", path, target="y", time="place", zone="Europe/Berlin")
    assert define(store, "m", path, target="y", time="place", zone="UTC").schema.zone == "UTC"
