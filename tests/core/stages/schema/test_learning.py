"""Classes, baselines and grids, with figures that can be counted by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipeline_core.errors import InvalidDefinition, NotFound
from pipeline_core.records import ColumnBaseline, Grid, Schema, Task
from pipeline_core.stages.schema import DefineRequest, learn, propose
from pipeline_core.stages.validation import type_rows
from pipeline_core.stats.grids import cells_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def learned(columns: dict[str, Any], **named: Any) -> Schema:
    table = pa.table(columns)
    request = DefineRequest(**({"model": "m", "target": "y", "defined_at": NOW} | named))
    proposed = propose(table, request)
    return learn(proposed, type_rows(table, proposed, sha256="a" * 64, received_at=NOW).rows)


def baseline(schema: Schema, name: str) -> ColumnBaseline:
    column = schema.by_name(name)
    assert column is not None
    return next(b for b in schema.baselines if b.column_id == column.column_id)


def grid(schema: Schema, name: str) -> Grid | None:
    column = schema.by_name(name)
    assert column is not None
    return next((g for g in schema.grids if g.column_id == column.column_id), None)


@pytest.mark.parametrize(
    ("labels", "classes", "positive"),
    [
        (["yes", "no", "no"], ("no", "yes"), "yes"),
        ([1, 0, 0], ("0", "1"), "1"),
        ([1.0, 0.0, 1.0], ("0", "1"), "1"),
        ([True, False, False], ("false", "true"), "true"),
        ([-1, 1, 1], ("-1", "1"), "1"),
        ([">50K", "<=50K", "<=50K"], ("<=50K", ">50K"), ">50K"),
        (["good", "bad", "good"], ("bad", "good"), "bad"),
        (["b", "a", "a", "b"], ("a", "b"), "a"),
    ],
)
def test_classes_and_the_positive_one(labels: list[Any], classes: tuple[str, ...], positive: str) -> None:
    schema = learned({"x": list(range(len(labels))), "y": labels})
    assert (schema.classes, schema.positive) == (classes, positive)


def test_the_positive_class_as_named() -> None:
    assert learned({"x": [1, 2, 3], "y": ["yes", "no", "no"]}, positive="no").positive == "no"
    with pytest.raises(NotFound, match=r"Class 'Yes' is not in target 'y'\. Did you mean 'yes'"):
        learned({"x": [1, 2, 3], "y": ["yes", "no", "no"]}, positive="Yes")


def test_classes_that_typing_leaves() -> None:
    with pytest.raises(InvalidDefinition, match="has the classes '1'; a binary task needs exactly 2"):
        learned({"x": [1, 2, 3], "y": ["1", "1.0", "1"]})
    assert learned({"x": [1, 2, 3], "y": ["a", "b", "c"]}).classes == ("a", "b", "c")
    regression = learned({"x": [1, 2, 1], "y": [1, 2, 3]}, task=Task.REGRESSION)
    assert (regression.classes, regression.positive) == ((), None)


def test_baseline_of_a_number() -> None:
    schema = learned({"x": [4.0, 1.0, None, 1.0, 2.0], "y": [0, 1, 0, 1, 0]})
    known = baseline(schema, "x")
    assert (known.rows, known.null_share, known.distinct) == (5, 0.2, 3)
    assert (known.low, known.high, known.mean) == (1.0, 4.0, 2.0)
    assert known.levels == {"1": 0.5, "2": 0.25, "4": 0.25}
    assert known.levels_complete
    assert len(known.quantiles) == 1_001
    assert (known.quantiles[0], known.quantiles[500], known.quantiles[-1]) == (1.0, 1.0, 4.0)


def test_a_number_of_more_than_20_values_has_no_levels() -> None:
    known = baseline(learned({"x": list(range(21)), "y": [0, 1, 0] * 7}), "x")
    assert (known.levels, known.levels_complete) == ({}, False)


def test_baseline_of_a_category_keeps_the_200_commonest() -> None:
    levels = [f"l{i:03d}" for i in range(250)]
    schema = learned({"x": levels * 2 + levels[240:] + [None], "y": ([0, 1] * 256)[:511]})
    known = baseline(schema, "x")
    assert (known.distinct, len(known.levels), known.levels_complete) == (250, 200, False)
    assert known.levels["l240"] == pytest.approx(3 / 510)
    assert known.null_share == pytest.approx(1 / 511)
    assert next(iter(known.levels)) == "l240"


def without_bins(grid: Grid | None) -> Grid | None:
    return grid and replace(grid, starts=())


def test_grids() -> None:
    numbers = np.arange(1_000, dtype=np.float64)
    schema = learned(
        {
            "cells": numbers,
            "value": np.repeat(numbers[:500], 2),
            "point": np.append(np.zeros(998), [1.0, 2.0]),
            "text": ["a", "b"] * 500,
            "gone": numbers,
            "flat": ["x"] * 1_000,
            "key": [f"k{i}" for i in range(1_000)],
            "y": [0, 1] * 500,
        },
        exclude=("gone",),
        id="key",
        protected=("text",),
    )
    assert without_bins(grid(schema, "cells")) == Grid(column_id="c001", kind="cells", centre=499.5, spread=499.5)
    assert grid(schema, "value") == Grid(column_id="c002", kind="value")
    assert grid(schema, "point") == Grid(column_id="c003", kind="value")
    assert grid(schema, "text") == Grid(column_id="c004", kind="level")
    assert without_bins(grid(schema, "gone")) == Grid(column_id="c005", kind="cells", centre=499.5, spread=499.5)
    assert grid(schema, "flat") == Grid(column_id="c006", kind="level")
    assert grid(schema, "key") is None
    assert grid(schema, "y") == Grid(column_id="c008", kind="level")


def test_an_excluded_column_of_many_values_is_not_counted() -> None:
    schema = learned({"x": [1, 2] * 600, "gone": list(range(1_200)), "y": [0, 1] * 600}, exclude=("gone",))
    assert grid(schema, "gone") is None
    assert baseline(schema, "gone").distinct == 1_200


def test_spread_falls_back_where_the_quartiles_meet() -> None:
    numbers = np.concatenate([np.zeros(50_000), np.arange(1, 11_001)])
    schema = learned({"x": numbers, "y": np.arange(61_000) % 2})
    expected = Grid(column_id="c001", kind="cells", centre=0.0, spread=float(np.std(numbers)))
    assert without_bins(grid(schema, "x")) == expected


def test_bins_of_a_number_follow_its_rows_and_its_spikes() -> None:
    numbers = np.append(np.random.default_rng(3).normal(50, 10, 20_000), np.full(400, 61.25))
    schema = learned({"x": numbers, "y": np.arange(20_400) % 2})
    found = grid(schema, "x")
    assert found is not None
    assert found.starts[0] == 0
    bins, n = np.unique(cells_of(numbers, found), return_counts=True)
    assert np.sort(n)[-1] >= 400
    assert np.sort(n)[-2] <= 20_400 / 1_300
    assert bins[n.argmax()] == cells_of(np.array([61.25]), replace(found, starts=()))[0]


def test_spikes_are_learned_with_their_share() -> None:
    random = np.random.default_rng(3)
    numbers = np.append(random.normal(50, 10, 9_880), np.repeat([0.0, 61.25, -1.0], [80, 30, 10]))
    known = baseline(learned({"x": [*numbers, None], "n": np.arange(10_001) % 3, "y": np.arange(10_001) % 2}), "x")
    assert known.spikes == ((0.0, 0.008), (61.25, 0.003), (-1.0, 0.001))
    assert baseline(learned({"x": random.poisson(90, 5_000), "y": np.arange(5_000) % 2}), "x").spikes == ()


def test_columns_that_are_null_together_are_learned() -> None:
    gap = [None] * 20 + [1.5] * 80
    schema = learned({"a": gap, "b": gap, "c": [None] * 5 + ["x"] * 95, "d": range(100), "y": [0, 1] * 50})
    assert schema.null_patterns == ((("c001", "c002"), 0.15), (("c001", "c002", "c003"), 0.05))
    assert learned({"a": gap, "y": [0, 1] * 50}).null_patterns == ()


def test_a_category_that_each_day_has_one_of_follows_the_calendar() -> None:
    start = datetime(2024, 1, 30, tzinfo=UTC)
    days = [start + timedelta(days=i // 20, hours=i % 20) for i in range(80)]
    columns = {
        "when": days,
        "month": [f"{d:%b}" for d in days],
        "city": ["Rome", "Oslo"] * 40,
        "flag": ["x"] * 79 + ["y"],
        "y": [0, 1] * 40,
    }
    schema = learned(columns, time="when")
    follows = {schema.by_id(b.column_id).name: b.follows_calendar for b in schema.baselines}
    assert follows == {"when": False, "month": True, "city": False, "flag": False, "y": False}
    assert not baseline(learned(columns, exclude=("when",)), "month").follows_calendar


def test_one_row_a_day_says_nothing_about_the_calendar() -> None:
    days = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=i) for i in range(80)]
    schema = learned({"when": days, "city": ["Rome", "Oslo"] * 40, "y": [0, 1] * 40}, time="when")
    assert not baseline(schema, "city").follows_calendar


def test_timestamps_have_a_short_baseline_and_ids_none() -> None:
    schema = learned(
        {"when": [NOW, NOW, None], "key": ["a", "b", "c"], "x": [1, 2, 1], "y": [0, 1, 0]}, exclude=("when",), id="key"
    )
    when = baseline(schema, "when")
    assert (when.rows, when.distinct, when.low, when.quantiles) == (3, 1, None, ())
    assert {b.column_id for b in schema.baselines} == {"c001", "c003", "c004"}
