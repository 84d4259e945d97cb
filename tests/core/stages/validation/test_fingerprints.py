"""The article's incident, drawn and caught by name; and what must not be taken for it."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from pipeline_core.policy import Policy
from pipeline_core.records import Severity
from tests.core.stages.validation.drawn import ROWS, drawn, numbers, said, schema, typed, with_numbers
from tests.core.stages.validation.made import findings_of

CLEAN = int(os.environ.get("CLEAN_BATCHES", "40"))
GAPPY = ("gauss", "amount", "age", "visits", "temperature", "part", "price", "heaped", "residual")
FILLED = {
    "0": lambda values: 0.0,
    "-1": lambda values: -1.0,
    "the mean": lambda values: float(np.nanmean(values)),
}


def filled(name: str, how: str, rows: int, *, seed: int = 5) -> dict[str, pa.Array]:
    """Give a batch of 5,000 rows in which so many nulls of a column became a value."""
    columns = drawn(seed, day=1)
    values = numbers(columns, name)
    gaps = np.flatnonzero(np.isnan(values))[:rows]
    values[gaps] = FILLED[how](values)
    return with_numbers(columns, name, values)


@pytest.mark.parametrize("how", FILLED)
@pytest.mark.parametrize("name", GAPPY)
def test_nulls_that_became_a_value_in_two_percent_of_the_rows_are_named(name: str, how: str) -> None:
    columns = drawn(5, day=1)
    gaps = int(np.isnan(numbers(columns, name)).sum())
    found = said(filled(name, how, min(gaps, ROWS // 50)))
    finding = found["imputed", name]
    assert (finding.severity, finding.rule != "") == (Severity.WARNING, True)
    assert str(finding.value).startswith(how)
    assert [key for key in found if key[0] == "imputed"] == [("imputed", name)]


@pytest.mark.parametrize("how", FILLED)
@pytest.mark.parametrize("name", ["gauss", "amount", "part", "residual"])
def test_half_a_percent_is_found_where_values_hardly_repeat(name: str, how: str) -> None:
    found = said(filled(name, how, ROWS // 200))
    assert ("imputed", name) in found
    assert len([key for key in found if key[0] == "imputed"]) == 1


@pytest.mark.parametrize(("name", "how"), [("amount", "0"), ("amount", "-1"), ("part", "-1"), ("part", "0")])
def test_two_percent_of_the_nulls_are_a_dozen_rows_and_enough(name: str, how: str) -> None:
    gaps = int(np.isnan(numbers(drawn(5, day=1), name)).sum())
    assert 10 <= gaps // 50 <= 32
    assert ("imputed", name) in said(filled(name, how, gaps // 50))


def test_the_sentence_says_what_became_what() -> None:
    finding = said(filled("gauss", "0", 400))["imputed", "gauss"]
    assert "null -> 0: the share of nulls fell from" in finding.message
    assert "by about as much" in finding.message
    assert "fingerprint_rows_min" in finding.rule


def test_any_value_counts() -> None:
    columns = drawn(5, day=1)
    values = numbers(columns, "age")
    values[np.flatnonzero(np.isnan(values))[:25]] = -999
    assert said(with_numbers(columns, "age", values))["imputed", "age"].value == "-999"


def test_four_rows_are_too_few_and_the_policy_says_how_many() -> None:
    assert ("imputed", "part") not in said(filled("part", "-1", 4))
    columns, strict = filled("part", "-1", 25), replace(Policy(), fingerprint_rows_min=26)
    assert not [f for f in findings_of(typed(columns), schema(), strict) if f.code == "imputed"]


def test_a_column_that_moved_is_not_filled() -> None:
    columns = drawn(6, day=1)
    for name, move in (("temperature", -15.0), ("age", 9.0), ("visits", 2.0), ("gauss", 4.0)):
        columns = with_numbers(columns, name, numbers(columns, name) + move)
    assert [key for key in said(columns) if key[0] == "imputed"] == []


def test_more_zeros_where_zeros_are_usual_need_fewer_nulls() -> None:
    columns = drawn(6, day=1)
    rain = numbers(columns, "rain")
    rain[np.flatnonzero(rain > 0)[:1_000]] = 0.0
    assert ("imputed", "rain") not in said(with_numbers(columns, "rain", rain))


def test_a_source_comes_by_new_values_of_its_own() -> None:
    columns = drawn(6, day=1)
    clicks, whole = numbers(columns, "clicks"), numbers(columns, "whole")
    clicks[:250], whole[:400] = 15.0, 35.0
    columns = with_numbers(with_numbers(columns, "clicks", clicks), "whole", whole)
    assert [key for key in said(columns) if key[0] == "imputed"] == []
    clicks[:25] = -1.0
    assert ("imputed", "clicks") in said(with_numbers(columns, "clicks", clicks))


def test_a_category_that_took_the_nulls() -> None:
    columns = drawn(6, day=1)
    plans = [plan or "a" for plan in columns["plan"].to_pylist()]
    finding = said(columns | {"plan": pa.array(plans)})["imputed", "plan"]
    assert finding.value == "'a'"
    assert "null -> 'a': the share of nulls fell" in finding.message
    grown = ["a" if plan == "b" else plan for plan in columns["plan"].to_pylist()]
    assert ("imputed", "plan") not in said(columns | {"plan": pa.array(grown)})


def test_clean_batches_are_let_through() -> None:
    """500 in full: ``CLEAN_BATCHES=500``; at most 2 % may have an error, and few a warning."""
    told: Counter[tuple[str, str | None]] = Counter()
    errors = warned = 0
    for number in range(CLEAN):
        random = np.random.default_rng(number)
        columns = drawn(1_000 + number, int(random.integers(1_000, 5_001)), day=1)
        found = said(columns, schema(number % 3))
        told.update(found.keys())
        errors += any(f.severity is Severity.ERROR for f in found.values())
        warned += any(f.severity is Severity.WARNING for f in found.values())
    print(f"{CLEAN} clean batches: {errors} with an error, {warned} with a warning: {told.most_common(8)}")
    assert errors <= 0.02 * CLEAN
    assert warned <= 0.10 * CLEAN
    assert sum(n for (code, _), n in told.items() if code in {"imputed", "unit_jump"}) <= 0.02 * CLEAN
