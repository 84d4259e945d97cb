"""What the door wants to know of one batch, from its counts and two scans.

Answers "how many nulls, how many values, how low, how high, which values are common, which rows repeat?" for a file of
typed rows. Neighbours: ``duck`` counts and runs the statements, ``expressions`` writes parts of them, ``rowfacts`` looks
at whole rows; ``stages/validation`` judges. It refuses to keep a row, and to say what is usual.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline_core.engines import expressions as sql
from pipeline_core.engines.rowfacts import Run
from pipeline_core.records import Column, ColumnBaseline, ColumnFacts, Grid, Role, Schema
from pipeline_core.sql import identifier
from pipeline_core.stats.columns import ColumnCounts
from pipeline_core.stats.counted import by_column
from pipeline_core.stats.grids import edges_of
from pipeline_core.stats.spikes import (
    common_values,
    counted_quantiles,
    decimals_of,
    rows_needed,
    standing_out,
)

SPIKES_MAX = 20
QUANTILES = 101
EXACT_DISTINCT_MAX = 10_000
TOLERANCE = 1e-9

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Told = Mapping[str, Any]

_WANTED = frozenset({Role.FEATURE, Role.PROTECTED, Role.TARGET, Role.ID, Role.TIME})
_SKETCHED_MAX = EXACT_DISTINCT_MAX * 1.2  # the sketch is right to a few percent


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One column and what is known of it before it is read."""

    column: Column
    grid: Grid | None
    counted: ColumnCounts | None
    asked: Floats = field(default_factory=lambda: np.empty(0))

    @property
    def name(self) -> str:
        return self.column.column_id

    @property
    def celled(self) -> bool:
        return self.grid is not None and self.grid.kind == "cells"


def column_facts(run: Run, file: Path, schema: Schema, *, counts: pa.Table) -> tuple[ColumnFacts, ...]:
    """Describe each column of a batch that is counted or has a part in the model.

    Parameters
    ----------
    run : callable
        Runs a statement and gives its rows.
    file : Path
        Typed rows as Parquet.
    schema : Schema
        With grids and baselines.
    counts : pa.Table
        ``COUNTS`` of all rows of the file by the grids, of any buckets.

    Returns
    -------
    tuple of ColumnFacts
        In the order of the schema.
    """
    parts = list(_parts(schema, by_column(counts)))
    told = _scanned(run, file, parts)
    found = []
    for part in parts:
        if part.counted is None:
            found.append(_uncounted(part, told))
        elif part.celled:
            found.append(_celled(run, file, part, told))
        else:
            found.append(_valued(part, part.counted))
    return tuple(found)


def asked_values(baseline: ColumnBaseline | None) -> Floats:
    """List the values that a broken extract likes to put in place of nulls.

    Parameters
    ----------
    baseline : ColumnBaseline or None
        Of the column.

    Returns
    -------
    array of float
        0, -1, mean and median of the baseline, and these two rounded as its values are; each once.
    """
    values = [0.0, -1.0]
    if baseline is not None and baseline.mean is not None:
        points = np.array(baseline.quantiles)
        decimals = decimals_of(points)
        middle = [points[len(points) // 2]] if len(points) else []
        for value in (baseline.mean, *middle):
            values.append(float(value))
            if decimals is not None:
                values.append(round(float(value), decimals) + 0.0)
    return np.array(list(dict.fromkeys(values)))


def _parts(schema: Schema, counted: Mapping[str, ColumnCounts]) -> Iterator[_Part]:
    grids = {g.column_id: g for g in schema.grids}
    baselines = {b.column_id: b for b in schema.baselines}
    for column in schema.columns:
        grid = grids.get(column.column_id)
        if grid is None and column.role not in _WANTED:
            continue
        number = grid is not None and grid.kind != "level"
        yield _Part(
            column=column,
            grid=grid,
            counted=None if grid is None else counted.get(column.column_id),
            asked=asked_values(baselines.get(column.column_id)) if number else np.empty(0),
        )


def _scanned(run: Run, file: Path, parts: Iterable[_Part]) -> Told:
    """Read what counts do not tell, all columns in one scan; those of few values a second time to count them."""
    wanted = [p for p in parts if p.celled or p.counted is None]
    if not wanted:
        return {}
    source = sql.scan([file])
    asked = [f"{expression} AS {identifier(name)}" for p in wanted for name, expression in _figures(p).items()]
    told = _one(run, f"SELECT count(*) AS n, {', '.join(asked)} FROM {source}")
    few = [p.name for p in wanted if told[f"{p.name} distinct"] <= _SKETCHED_MAX]
    if few:
        exact = ", ".join(f"count(DISTINCT {identifier(c)}) AS {identifier(f'{c} distinct')}" for c in few)
        told |= _one(run, f"SELECT {exact} FROM {source}")
    return told


def _near(values: Floats, asked: Floats) -> npt.NDArray[np.bool_]:
    return np.asarray(np.abs(values[:, None] - asked) <= TOLERANCE * np.abs(asked))


def _one(run: Run, statement: str) -> dict[str, Any]:
    row: dict[str, Any] = run(statement).to_pylist()[0]
    return row


def _figures(part: _Part) -> dict[str, str]:
    """Give the aggregates of one column by name."""
    named, column = part.name, identifier(part.name)
    found = {f"{named} known": f"count({column})", f"{named} distinct": f"approx_count_distinct({column})"}
    if part.grid is None or not part.celled:
        return found
    found |= {f"{named} {what}": f"{what}({_double(part)})" for what in ("min", "max", "avg")}
    for place, wanted in enumerate(part.asked.tolist()):
        low, high = sorted((wanted * (1 - TOLERANCE), wanted * (1 + TOLERANCE)))
        within = f"{_double(part)} BETWEEN {sql.double(low)} AND {sql.double(high)}"
        # count(*) FILTER costs three times as much
        found[f"{named} asked {place}"] = f"coalesce(sum(CASE WHEN {within} THEN 1 ELSE 0 END), 0)::BIGINT"
    return found


def _double(part: _Part) -> str:
    return f"CAST({identifier(part.name)} AS DOUBLE)"


def _uncounted(part: _Part, told: Told) -> ColumnFacts:
    known, rows = told[f"{part.name} known"], told["n"]
    distinct = told[f"{part.name} distinct"]
    return ColumnFacts(column_id=part.name, rows=rows, nulls=rows - known, distinct=min(known, distinct))


def _valued(part: _Part, counted: ColumnCounts) -> ColumnFacts:
    """Describe a column whose counts hold the values themselves."""
    keys, n = counted.keys, counted.n
    known = int(n.sum())
    plain = ColumnFacts(column_id=part.name, rows=known + counted.nulls, nulls=counted.nulls, distinct=len(n))
    if part.grid is None or part.grid.kind == "level":
        return plain
    asked = tuple((float(v), int(rows)) for v, rows in zip(part.asked, n @ _near(keys, part.asked), strict=True))
    if not known:
        return replace(plain, asked=asked)
    return replace(
        plain,
        low=float(keys[0]),
        high=float(keys[-1]),
        mean=float(keys @ n / known),
        quantiles=_quantiles((keys, keys), n),
        spikes=common_values(keys, n, rows=known, most=SPIKES_MAX),
        asked=asked,
    )


def _celled(run: Run, file: Path, part: _Part, told: Told) -> ColumnFacts:
    """Describe a column whose counts hold cells; only rows of heavy cells are read again."""
    counted, grid, name = part.counted, part.grid, part.name
    if counted is None or grid is None:
        return _uncounted(part, told)
    known = int(counted.n.sum())
    plain = ColumnFacts(
        column_id=name,
        rows=known + counted.nulls,
        nulls=counted.nulls,
        distinct=min(known, told[f"{name} distinct"]),
        asked=tuple((float(v), told[f"{name} asked {i}"]) for i, v in enumerate(part.asked)),
    )
    if not known:
        return plain
    low, high = told[f"{name} min"], told[f"{name} max"]
    edges = edges_of(counted.keys, grid)
    inside = np.clip(edges[0], low, high), np.clip(edges[1], low, high)
    # the two outermost cells are given by their inner edge only
    inside[0][0], inside[1][-1] = low, high
    return replace(
        plain,
        low=low,
        high=high,
        mean=told[f"{name} avg"],
        quantiles=(low, *_quantiles(inside, counted.n)[1:-1], high),
        spikes=_spikes(run, file, grid, counted=counted, known=known),
    )


def _quantiles(edges: tuple[Floats, Floats], n: Ints) -> tuple[float, ...]:
    return tuple(counted_quantiles(edges, n, np.linspace(0, 1, QUANTILES)).tolist())


def _spikes(run: Run, file: Path, grid: Grid, *, counted: ColumnCounts, known: int) -> tuple[tuple[float, int], ...]:
    heavy = standing_out(counted.n, rows=known)
    if not heavy.any():
        return ()
    value = sql.number(grid)
    found = run(
        f"SELECT value, n FROM (SELECT {value} + 0.0::DOUBLE AS value, count(*) AS n FROM {sql.scan([file])}"
        f" WHERE {sql.within(counted.keys[heavy], grid)} GROUP BY ALL)"
        f" WHERE n >= {rows_needed(known)} ORDER BY n DESC, value LIMIT {SPIKES_MAX}"
    )
    return tuple(zip(found.column("value").to_pylist(), found.column("n").to_pylist(), strict=True))
