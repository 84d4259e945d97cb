"""Conversions by name, of whole columns and of parts; growth is none."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline_core.records import Severity
from tests.core.stages.validation.drawn import drawn, numbers, said, with_numbers

CONVERTED = [
    ("normal", lambda v: v * 10, "times 10"),
    ("normal", lambda v: v * 100, "times 100"),
    ("normal", lambda v: v * 1_000, "times 1,000"),
    ("amount", lambda v: v / 100, "divided by 100"),
    ("amount", lambda v: v / 1_000, "divided by 1,000"),
    ("whole", lambda v: v / 10, "divided by 10"),
    ("whole", lambda v: v * 2.54, "inches to centimetres"),
    ("part", lambda v: v * 100, "times 100"),
    ("gauss", lambda v: v * 1.609344, "miles to kilometres"),
    ("lognormal", lambda v: v * 0.45359237, "pounds to kilograms"),
    ("temperature", lambda v: v * 1.8 + 32, "Celsius to Fahrenheit"),
    ("temperature", lambda v: v + 273.15, "Celsius to Kelvin"),
    ("gauss", lambda v: -v, "another sign"),
    ("clicks", lambda v: v * 60, "minutes to seconds"),
]


@pytest.mark.parametrize(("name", "convert", "named"), CONVERTED)
def test_a_column_in_another_unit(name: str, convert: object, named: str) -> None:
    columns = drawn(7, 3_000, day=1)
    finding = said(with_numbers(columns, name, convert(numbers(columns, name))))["unit_jump", name]
    assert str(finding.value).startswith(named)
    assert finding.severity is Severity.WARNING
    assert "unit_fit_max" in finding.rule


@pytest.mark.parametrize(
    ("name", "factor", "named"),
    [
        ("normal", 10, "times 10"),
        ("normal", 1_000, "times 1,000"),
        ("normal", 0.01, "divided by 100"),
        ("whole", 10, "times 10"),
        ("lognormal", 1_000, "times 1,000"),
    ],
)
def test_a_tenth_of_the_rows_in_another_unit(name: str, factor: float, named: str) -> None:
    columns = drawn(7, 3_000, day=1)
    values = numbers(columns, name)
    values[::10] *= factor
    finding = said(with_numbers(columns, name, values))["unit_jump", name]
    assert str(finding.value).startswith(named)
    assert "in about" in finding.message


@pytest.mark.parametrize("factor", [1.2, 1.35, 1.85, 4.0])
def test_growth_is_no_unit(factor: float) -> None:
    columns = drawn(8, 3_000, day=1)
    for name in ("whole", "normal", "gauss", "lognormal", "residual"):
        columns = with_numbers(columns, name, numbers(columns, name) * factor)
    columns = with_numbers(columns, "clicks", np.round(numbers(columns, "clicks") * 1.609344))
    assert [(c, f.value) for (code, c), f in said(columns).items() if code == "unit_jump"] == []


def test_a_few_wild_rows_are_no_unit() -> None:
    columns = drawn(8, 3_000, day=1)
    values = numbers(columns, "normal")
    values[:30] = 1e12
    found = said(with_numbers(columns, "normal", values))
    assert ("unit_jump", "normal") not in found
    assert ("out_of_range", "normal") in found


def test_a_handful_of_rows_is_not_fitted() -> None:
    columns = {name: values[:49] for name, values in drawn(8, 3_000, day=1).items()}
    values = numbers(columns, "normal") * 1_000
    assert ("unit_jump", "normal") not in said(with_numbers(columns, "normal", values))
