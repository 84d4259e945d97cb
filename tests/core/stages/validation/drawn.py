"""Twenty columns of known distributions, drawn anew for each batch: what a clean source looks like."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline_core.records import Finding, Schema
from pipeline_core.stages.schema import DefineRequest, learn, propose
from pipeline_core.stages.validation import TypedRows, type_rows
from tests.core.stages.validation.made import NOW, findings_of, with_spikes

START = datetime(2025, 1, 6)  # ruff: ignore[call-datetime-without-tzinfo] - as a file has it
ROWS = 5_000
MANY = 1 / np.arange(1, 151) / np.sum(1 / np.arange(1, 151))


def drawn(seed: int, rows: int = ROWS, *, day: int = 0) -> dict[str, Any]:
    """Give one day of a source."""
    random = np.random.default_rng(seed)

    def gaps(values: np.ndarray, share: float) -> pa.Array:
        values = values.astype(float)
        values[random.random(rows) < share] = np.nan
        return pa.array(values, from_pandas=True)

    def levels(names: list[str], shares: Any, nulls: float = 0.0) -> pa.Array:
        values = random.choice(np.array(names, dtype=object), rows, p=shares)
        values[random.random(rows) < nulls] = None
        return pa.array(values.tolist(), pa.string())

    heaped = np.round(random.exponential(300, rows) / 50) * 50
    return {
        "normal": gaps(random.normal(100, 15, rows), 0),
        "gauss": gaps(random.normal(5, 2, rows), 0.10),
        "lognormal": gaps(random.lognormal(3, 1, rows).round(2), 0),
        "amount": gaps(random.lognormal(8, 0.8, rows).round(2), 0.12),
        "whole": gaps(random.integers(17, 90, rows), 0),
        "age": gaps(random.normal(40, 12, rows).clip(17, 90).round(), 0.08),
        "clicks": gaps(random.poisson(3, rows), 0),
        "visits": gaps(random.poisson(6, rows), 0.05),
        "rain": gaps(np.where(random.random(rows) < 0.6, 0, random.exponential(5, rows)).round(1), 0),
        "temperature": gaps(random.normal(12, 9, rows).round(1), 0.02),
        "part": gaps(random.beta(2, 5, rows), 0.30),
        "flag": gaps((random.random(rows) < 0.2), 0),
        "price": gaps(np.exp(random.normal(3, 1, rows)).round() - 0.01, 0.10),
        "heaped": gaps(heaped + np.where(random.random(rows) < 0.5, 0, random.integers(-20, 20, rows)), 0.05),
        "big": gaps(random.lognormal(10, 2, rows).round(), 0),
        "residual": gaps(random.normal(0, 1, rows).round(3), 0.15),
        "city": levels(["Rome", "Oslo", "São Paulo", "Bern"], [0.4, 0.3, 0.2, 0.1]),
        "plan": levels(["a", "b", "c"], [0.70, 0.25, 0.05], 0.10),
        "many": levels([f"c{i}" for i in range(150)], MANY),
        "rare": levels(["x", "y", "z"], [0.98, 0.019, 0.001]),
        "when": [START + timedelta(days=day, seconds=86_400 * i / rows) for i in range(rows)],
        "y": pa.array(np.where(random.random(rows) < 0.3, "yes", "no").tolist()),
    }


@cache
def schema(seed: int = 0, rows: int = ROWS) -> Schema:
    """Give what a first file teaches."""
    table = pa.table(drawn(seed, rows))
    request = DefineRequest(model="m", target="y", time="when", id=None, protected=(), defined_at=NOW)
    proposed = propose(table, request)
    typed_rows = type_rows(table, proposed, sha256="a" * 64, received_at=NOW).rows
    return with_spikes(learn(proposed, typed_rows), typed_rows)


def typed(columns: dict[str, Any], of: Schema | None = None) -> TypedRows:
    return type_rows(pa.table(columns), of or schema(), sha256="b" * 64, received_at=NOW)


def numbers(columns: dict[str, Any], name: str) -> np.ndarray:
    """Give a column as floats that may be changed, NaN for nulls."""
    return np.array(columns[name].to_numpy(zero_copy_only=False), dtype=np.float64)


def with_numbers(columns: dict[str, Any], name: str, values: np.ndarray) -> dict[str, Any]:
    return columns | {name: pa.array(values, from_pandas=True)}


def said(columns: dict[str, Any], of: Schema | None = None, **context: Any) -> dict[tuple[str, str | None], Finding]:
    """Give the findings by code and column."""
    return {(str(f.code), f.column): f for f in findings_of(typed(columns, of), of or schema(), **context)}
