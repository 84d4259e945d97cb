"""Guesses for the screen, on made tables and on the real ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline_core.policy import Policy
from pipeline_core.records import ColumnType, Role, Task, TimeUnit
from pipeline_core.sources import files
from pipeline_core.stages.schema import suggest


def test_every_column_gets_a_role_and_a_reason() -> None:
    start = datetime(2024, 1, 1, tzinfo=UTC)
    table = pa.table({
        "row": list(range(60)),
        "loan_id": [f"k{i}" for i in range(60)],
        "created": [start + timedelta(days=i) for i in range(60)],
        "event_time": [start + timedelta(hours=i) for i in range(60)],
        "Gender": ["f", "m", None] * 20,
        "note": [f"text {i}" for i in range(60)],
        "one": ["x"] * 60,
        "amount": [1.5, 2.5, 2.5] * 20,
        "label": [0, 1, 0] * 20,
        "last": [3, 4, 5] * 20,
    })
    guess = suggest(table)
    assert (guess.rows, guess.target, guess.time, guess.id) == (60, "label", "event_time", "loan_id")
    assert (guess.task, guess.time_unit) == (Task.BINARY, TimeUnit.CLOCK)
    assert guess.protected == ("Gender",)
    assert guess.exclude == ("row", "created", "note", "one")
    gender = next(c for c in guess.columns if c.name == "Gender")
    assert (gender.type, gender.role, gender.distinct, gender.examples) == (
        ColumnType.CATEGORY,
        Role.PROTECTED,
        2,
        ("f", "m"),
    )
    assert gender.null_share == pytest.approx(1 / 3)
    assert {c.name: c.why for c in guess.columns}["row"] == "it counts the rows"
    assert all(c.why for c in guess.columns)


def test_columns_that_hardly_vary_stay_features_and_say_so() -> None:
    table = pa.table({"rare": ["x"] * 1_999 + ["y"], "z": list(range(2_000)), "y": [0, 1] * 1_000})
    guess = {c.name: (c.role, c.why) for c in suggest(table).columns}
    assert guess["rare"] == (Role.FEATURE, "nearly all rows have the same value: it will hardly help")


def test_suspects_are_shown_beside_the_guesses() -> None:
    table = pa.table({"n": [i % 7 for i in range(400)], "copy": ["won", "lost"] * 200, "y": [0, 1] * 200})
    guess = suggest(table)
    assert [(f.code, f.column, f.severity.value) for f in guess.suspects] == [("leakage_suspect", "copy", "warning")]
    why = {c.name: c.why for c in guess.columns}
    assert why["copy"] == "it looks as if it knew the target: keep it only if it is known before"
    assert (guess.exclude, suggest(table.slice(0, 20)).suspects) == ((), ())


def test_a_table_with_nothing_to_predict() -> None:
    guess = suggest(pa.table({"a": ["x", "x"], "b": pa.nulls(2)}))
    assert (guess.target, guess.time, guess.id, guess.task, guess.time_unit) == (None, None, None, None, TimeUnit.NONE)


def test_epoch_numbers_and_days_serve_as_time_where_there_is_no_timestamp() -> None:
    tract = [17_031_081_500, 17_031_980_000, 17_031_081_501, 17_031_081_502]
    table = pa.table({"tract": tract, "start_time": [1_700_000_000, 5, 6, 7], "y": [0, 1, 0, 1]})
    assert suggest(table).time is None
    table = pa.table({"tract": tract, "start_time": [1_700_000_000 + i for i in range(4)], "y": [0, 1, 0, 1]})
    assert suggest(table).time == "start_time"
    table = pa.table({"day": [1, 2, 3, 4], "y": [0, 1, 0, 1]})
    assert (suggest(table).time, suggest(table).time_unit) == ("day", TimeUnit.DAY)
    assert suggest(pa.table({"weekday": [1, 2, 1, 2], "y": [0, 1, 0, 1]})).time is None


@pytest.mark.parametrize(
    ("name", "target", "time", "task"),
    [
        ("bank_marketing", "y", "contact_month", Task.BINARY),
        ("bike_sharing_hourly", "cnt", "timestamp", Task.REGRESSION),
        ("chicago_taxi", "big_tipper", "trip_start", Task.BINARY),
        ("adult_census", "income", None, Task.BINARY),
        ("noaa_weather", "target", "day_index", Task.BINARY),
        ("compas_two_years", "two_year_recid", "compas_screening_date", Task.BINARY),
    ],
)
def test_real_files(real_data: Path, name: str, target: str, time: str | None, task: Task) -> None:
    guess = suggest(files.read(real_data / f"{name}.parquet", policy=Policy()))
    assert (guess.target, guess.time, guess.task) == (target, time, task)
