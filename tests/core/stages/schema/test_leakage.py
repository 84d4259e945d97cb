"""Suspects, on made columns and on the real ones; a control without any."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipeline_core.policy import Policy
from pipeline_core.records import Finding, Schema, Severity
from pipeline_core.sources import files
from pipeline_core.stages.schema import DefineRequest, propose, suggest, suspects
from pipeline_core.stages.schema.leakage import ROWS_LOOKED_AT
from pipeline_core.stages.validation import type_rows

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROWS = 2_000


def random() -> np.random.Generator:
    return np.random.default_rng(11)


def found(columns: dict[str, Any], target: str = "y", **named: Any) -> list[tuple[str | None, str]]:
    table = pa.table(columns)
    schema = propose(table, DefineRequest(model="m", target=target, defined_at=NOW, **named))
    return [(f.column, f.severity.value) for f in suspects(table, schema)]


def noise(columns: int = 3, rows: int = ROWS) -> dict[str, Any]:
    rng = np.random.default_rng(3)  # not that of the columns beside it
    return {f"n{i}": rng.normal(size=rows) for i in range(columns)} | {"s": rng.choice(["a", "b", "c"], rows)}


def labels(rows: int = ROWS) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 2, rows)


def test_a_copy_of_a_class_in_any_dress() -> None:
    y = labels()
    columns = noise() | {
        "text": np.where(y == 1, "won", "lost"),
        "money": np.where(y == 1, 100.0, 5.0) + random().random(ROWS),
        "gaps": pa.array(random().random(ROWS), mask=y == 1),
        "y": y,
    }
    assert {name for name, _ in found(columns)} == {"text", "money", "gaps"}
    assert {severity for _, severity in found(columns)} == {"warning"}


def test_strong_is_not_suspect() -> None:
    y = labels()
    columns = noise() | {"strong": y + random().normal(0, 0.6, ROWS), "y": y}  # AUC about .88
    assert found(columns) == []


def test_a_number_that_is_the_target_in_another_unit() -> None:
    rng = random()
    y = rng.normal(50, 10, ROWS)
    columns = noise() | {"fahrenheit": y * 1.8 + 32, "rough": y + rng.normal(0, 3, ROWS), "y": y}
    assert found(columns) == [("fahrenheit", "warning")]


@pytest.mark.parametrize("how", ["sum", "difference", "product", "ratio", "three"])
def test_columns_that_are_the_target_together(how: str) -> None:
    rng = random()
    a, b, c = (rng.integers(2, 100, ROWS).astype(float) for _ in range(3))
    y = {"sum": a + b, "difference": b - a, "product": a * b, "ratio": b / a, "three": a + b - c}[how]
    columns = noise() | {"a": a, "b": b, "y": y} | ({"c": c} if how == "three" else {})
    names = {"a", "b", "c"} if how == "three" else {"a", "b"}
    assert {name for name, _ in found(columns)} == names


def test_a_sum_that_nearly_always_holds_in_sorted_rows() -> None:
    rng = random()
    a, b = np.repeat(np.arange(1.0, 21.0), ROWS // 20), np.full(ROWS, 3.0) + rng.integers(0, 2, ROWS)
    y = a + b
    y[::150] += 1  # 14 rows of 2,000 were corrected by hand
    noisy = noise() | {"a": a, "b": b * 10, "y": a + b * 10}
    assert {name for name, _ in found(noisy)} == {"a", "b"}
    wide = noise() | {"a": a * 100, "b": b * 1_000, "y": (y - a - b) + a * 100 + b * 1_000}
    assert {name for name, _ in found(wide)} == {"a", "b"}


def test_columns_near_the_end_of_numbers_raise_nothing() -> None:
    huge = np.where(np.arange(ROWS) % 2 == 0, 1e38, 1e-300) * random().random(ROWS)
    assert found(noise() | {"huge": huge, "tiny": huge[::-1] * 1e-8, "y": labels()}) == []
    assert found(noise() | {"huge": huge, "tiny": huge[::-1] * 1e-8, "y": random().normal(size=ROWS)}) == []


def test_of_many_classes_pairs_are_not_tried() -> None:
    columns = noise() | {"copy": np.arange(ROWS) % 3, "y": np.arange(ROWS) % 3}
    assert found(columns) == [("copy", "warning")]


def test_sums_of_nothing_tell_nothing() -> None:
    rng = random()
    rare = [np.where(rng.random(ROWS) < 0.004, rng.integers(1, 9, ROWS), 0) for _ in range(3)]
    assert found(noise() | {"a": rare[0], "b": rare[1], "y": rare[2].astype(float) + 0.5 * (rare[2] > 0)}) == []


def test_a_ratio_that_ranks_the_classes() -> None:
    rng = random()
    fare, tips = rng.uniform(5, 50, ROWS), rng.uniform(0, 15, ROWS)
    columns = noise() | {"fare": fare, "tips": tips, "y": tips / fare > 0.3}
    assert {name for name, _ in found(columns)} == {"fare", "tips"}
    columns["tolls"] = tips * 1.01  # a second pair with the same fare: each column is named once
    assert sorted(name or "" for name, _ in found(columns)) == ["fare", "tips", "tolls"]


@pytest.mark.parametrize(
    ("name", "hinted"),
    [
        ("duration", True),
        ("CallDuration", True),
        ("loan_outcome", True),
        ("paid_at_hour", True),
        ("claim_total_paid", True),
        ("poutcome", False),
        ("resulting", False),
        ("education_num", False),
        ("y2", False),
    ],
)
def test_a_name_is_a_hint(name: str, hinted: bool) -> None:
    assert found(noise() | {name: random().normal(size=ROWS), "y": labels()}) == [(name, "info")] * hinted


def test_a_name_that_repeats_the_target() -> None:
    columns = noise() | {"income_level": random().normal(size=ROWS), "income": labels()}
    assert found(columns, target="income") == [("income_level", "info")]


def test_what_is_no_feature_is_no_suspect() -> None:
    y = labels()
    columns = noise() | {"copy": y, "sex": np.where(y == 1, "f", "m"), "y": y}
    assert found(columns, exclude=("copy",), protected=("sex",)) == []


def test_few_rows_give_hints_only() -> None:
    y = labels(199)
    assert found(noise(rows=199) | {"copy": y, "duration": y, "y": y}) == [("duration", "info")]


def test_rows_without_a_target_do_not_count() -> None:
    y = labels()
    unknown = np.arange(ROWS) % 2 == 0
    columns = noise() | {"copy": np.where(unknown, 7, y), "y": pa.array(y, mask=unknown)}
    assert found(columns) == [("copy", "warning")]


def test_a_large_file_is_sampled() -> None:
    rows = ROWS_LOOKED_AT + 5_000
    y = np.arange(rows) % 2
    table = pa.table(noise(rows=rows) | {"copy": y, "y": y})
    (finding,) = suspects(table, propose(table, DefineRequest(model="m", target="y", defined_at=NOW)))
    assert f"AUC 1.000 on {ROWS_LOOKED_AT:,} rows" in finding.message


def test_a_finding_says_what_where_and_what_to_do() -> None:
    y = labels()
    table = pa.table(noise() | {"<b>copy</b>": y, "y": y})
    schema = propose(table, DefineRequest(model="m", target="y", defined_at=NOW))
    typed = type_rows(table, schema, sha256="a" * 64, received_at=NOW).rows
    (finding,) = suspects(typed, schema)
    assert (finding.code, finding.column, finding.severity) == ("leakage_suspect", "<b>copy</b>", Severity.WARNING)
    assert finding.value == pytest.approx(1.0)
    assert finding.message == (
        "Column '<b>copy</b>' alone nearly decides the target 'y': AUC 1.000 on 2,000 rows; from 0.98 on a feature is"
        " held for a copy of the answer. Find out when its value is known: if that is after the prediction, exclude it."
    )
    assert finding.allowed == "AUC below 0.98"
    assert suspects(table, schema) == (finding,)  # as read and as typed say the same


def schema_of(table: pa.Table, target: str, **named: Any) -> Schema:
    return propose(table, DefineRequest(model="m", target=target, defined_at=NOW, **named))


@pytest.mark.parametrize(
    ("name", "target", "expected"),
    [
        ("adult_census", "income", set()),
        ("noaa_weather", "target", set()),
        ("bank_marketing", "y", {("duration", "info")}),
        ("bike_sharing_hourly", "cnt", {("casual", "warning"), ("registered", "warning")}),
        ("chicago_taxi", "big_tipper", {("fare", "warning"), ("tips", "warning")}),
        ("compas_two_years", "two_year_recid", {("is_recid", "info"), ("is_violent_recid", "info")}),
    ],
)
def test_real_files(real_data: Path, name: str, target: str, expected: set[tuple[str, str]]) -> None:
    table = files.read(real_data / f"{name}.parquet", policy=Policy())
    schema = schema_of(table, target)
    said: tuple[Finding, ...] = suspects(table, schema)
    assert {(f.column, f.severity.value) for f in said} == expected
    typed = type_rows(table, schema, sha256="a" * 64, received_at=NOW).rows
    assert {(f.column, f.severity.value) for f in suspects(typed, schema)} == expected
    guess = suggest(table)
    doubted = {c.name for c in guess.columns if "as if it knew the target" in c.why}
    assert doubted == {f.column for f in guess.suspects if f.severity is Severity.WARNING}
    if guess.target == target:
        assert {(f.column, f.severity.value) for f in guess.suspects} == expected
