"""What the first file teaches about each column: classes, baseline, and the grid that counts use.

Neighbours: ``proposal`` said what the columns are, ``validation`` compares later batches with the
baseline, the engine counts by the grid. It refuses rows that have not been typed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline_core.errors import InvalidDefinition, NotFound, nearest
from pipeline_core.records import Column, ColumnBaseline, ColumnType, Grid, Role, Schema, Task, TimeUnit
from pipeline_core.stages.schema.repeating import Calendar
from pipeline_core.stats.gaps import null_patterns
from pipeline_core.stats.grids import CELLS, bin_starts, cells_of
from pipeline_core.stats.spikes import common_values

LEVELS_KEPT = 200
NUMBER_LEVELS_MAX = 20
QUANTILES = 1_001
SPIKES_KEPT = 50
VALUE_CELLS_MAX = 10_000
EXCLUDED_CELLS_MAX = 1_000
CALENDAR_ROWS_MIN = 10
"""Rows a day, on average, below which one level a day says nothing."""

_POSITIVE = frozenset({"1", "yes", "true", "y", "t", "positive", "pos"})
_COUNTED = frozenset({Role.FEATURE, Role.TARGET, Role.PROTECTED})

Floats = npt.NDArray[np.float64]


def learn(schema: Schema, rows: pa.Table) -> Schema:
    """Add to a proposed schema what its first file teaches.

    Baselines cover every number and category but the id; their level shares are of rows with a value,
    nulls apart. Grids cover what is counted: features, target, protected columns, and excluded ones of
    few values, which a later definition may want back.

    Parameters
    ----------
    schema : Schema
        As proposed.
    rows : pa.Table
        Typed rows of the same file.

    Returns
    -------
    Schema
        With classes, positive class, baselines, grids, and the columns that are null together.

    Raises
    ------
    NotFound
        The positive class that was asked for is no class.
    InvalidDefinition
        The target has not the classes that the task needs.
    """
    classes, positive = _classes(schema, rows.column(schema.target.column_id))
    days = _days(schema, rows)
    baselines, grids = [], []
    for column in schema.columns:
        if column.role is Role.ID:
            continue
        values = rows.column(column.column_id)
        baseline, grid = _learn_column(column, values)
        if column.type is ColumnType.CATEGORY and days is not None:
            baseline = replace(baseline, follows_calendar=_follows(values, days))
        baselines.append(baseline)
        if grid is not None and (column.role in _COUNTED or _may_return(column, baseline)):
            grids.append(grid)
    return replace(
        schema,
        columns=_with_calendar(schema, rows),
        classes=classes,
        positive=positive,
        baselines=tuple(baselines),
        grids=tuple(grids),
        null_patterns=_null_patterns(schema, rows),
    )


def _null_patterns(schema: Schema, rows: pa.Table) -> tuple[tuple[tuple[str, ...], float], ...]:
    features = [c.column_id for c in schema.features if rows.column(c.column_id).null_count]
    found = null_patterns({c: rows.column(c).is_null().to_numpy() for c in features})
    return tuple((columns, n / rows.num_rows) for columns, n in found)


def _days(schema: Schema, rows: pa.Table) -> pa.ChunkedArray | None:
    if schema.time_unit not in {TimeUnit.CLOCK, TimeUnit.DAY}:
        return None
    return pc.floor_temporal(rows.column("event_at"), unit="day")


def _with_calendar(schema: Schema, rows: pa.Table) -> tuple[Column, ...]:
    # days that are only numbered have no calendar
    if schema.time_unit is not TimeUnit.CLOCK:
        return schema.columns
    when = Calendar(rows.column("event_at"), zone=schema.zone)
    kinds = {ColumnType.NUMBER, ColumnType.CATEGORY}
    return tuple(
        replace(c, calendar=c.role is Role.FEATURE and c.type in kinds and when.repeated_by(rows.column(c.column_id)))
        for c in schema.columns
    )


def _follows(values: pa.ChunkedArray, days: pa.ChunkedArray) -> bool:
    pairs = pa.table({"day": days, "level": values}).group_by(["day", "level"]).aggregate([])
    by_day = pc.count_distinct(pairs.column("day"), mode="all").as_py()
    if pc.count_distinct(pairs.column("level"), mode="all").as_py() < 2 or len(values) < CALENDAR_ROWS_MIN * by_day:
        return False
    return bool(pairs.num_rows == by_day)


def _may_return(column: Column, baseline: ColumnBaseline) -> bool:
    # counted although excluded, so that a later definition can make a feature of it without a recount
    return column.role is Role.EXCLUDED and baseline.distinct <= EXCLUDED_CELLS_MAX


def _classes(schema: Schema, target: pa.ChunkedArray) -> tuple[tuple[str, ...], str | None]:
    if schema.task is Task.REGRESSION:
        return (), None
    counted = _levels(target.drop_null())
    classes = tuple(sorted(counted))
    needed = 2 if schema.task is Task.BINARY else None
    if len(classes) < 2 or (needed is not None and len(classes) != needed):
        shown = ", ".join(repr(c) for c in classes[:12])
        raise InvalidDefinition(
            f"Target {schema.target.name!r} has the classes {shown or '(none)'}; a {schema.task} task needs"
            f" {'exactly' if needed else 'at least'} 2. Correct the labels, or choose another task or target."
        )
    if schema.task is Task.MULTICLASS:
        return classes, None
    return classes, _positive(schema, counted)


def _positive(schema: Schema, counted: dict[str, int]) -> str:
    asked = schema.positive
    if asked is not None:
        if asked not in counted:
            raise NotFound(f"Class {asked!r} is not in target {schema.target.name!r}. {nearest(asked, counted)}")
        return asked
    likely = [c for c in counted if c.casefold() in _POSITIVE]
    # ">50K" against "<=50K": the class above the threshold is the event
    likely = likely or [c for c in counted if c.startswith(">")]
    if len(likely) == 1:
        return likely[0]
    return min(sorted(counted), key=lambda c: counted[c])


def _learn_column(column: Column, values: pa.ChunkedArray) -> tuple[ColumnBaseline, Grid | None]:
    rows = len(values)
    known = values.drop_null()
    plain: dict[str, Any] = {
        "column_id": column.column_id,
        "rows": rows,
        "null_share": values.null_count / rows if rows else 0.0,
    }
    if column.type is ColumnType.TIMESTAMP:
        return ColumnBaseline(**plain, distinct=pc.count_distinct(known).as_py()), None
    if column.type is ColumnType.CATEGORY:
        return _category_baseline(plain, known), Grid(column_id=column.column_id, kind="level")
    numbers = np.sort(known.to_numpy())
    baseline = _number_baseline(plain, numbers)
    return baseline, _number_grid(column.column_id, numbers, distinct=baseline.distinct, rows=rows)


def _category_baseline(plain: dict[str, Any], known: pa.ChunkedArray) -> ColumnBaseline:
    counted = _levels(known)
    commonest = sorted(counted, key=lambda level: (-counted[level], level))[:LEVELS_KEPT]
    return ColumnBaseline(
        **plain,
        distinct=len(counted),
        levels={level: counted[level] / len(known) for level in commonest},
        levels_complete=len(commonest) == len(counted),
    )


def _number_baseline(plain: dict[str, Any], numbers: Floats) -> ColumnBaseline:
    if not len(numbers):
        return ColumnBaseline(**plain, distinct=0)
    starts = np.flatnonzero(np.concatenate(([True], np.diff(numbers) > 0)))
    values, n = numbers[starts], np.diff(np.append(starts, len(numbers)))
    levels: dict[str, float] = {}
    if len(starts) <= NUMBER_LEVELS_MAX:
        levels = {f"{v:.15g}": float(s) for v, s in zip(values, n / len(numbers), strict=True)}
    places = np.linspace(0, len(numbers) - 1, QUANTILES).astype(np.intp)
    return ColumnBaseline(
        **plain,
        distinct=len(starts),
        low=float(numbers[0]),
        high=float(numbers[-1]),
        mean=float(numbers.mean()),
        levels=levels,
        levels_complete=bool(levels),
        quantiles=tuple(numbers[places].tolist()),
        spikes=tuple(
            (value, rows / len(numbers))
            for value, rows in common_values(values + 0.0, n, rows=len(numbers), most=SPIKES_KEPT)
        ),
    )


def _number_grid(column_id: str, numbers: Floats, *, distinct: int, rows: int) -> Grid:
    if distinct <= VALUE_CELLS_MAX and distinct <= rows / 2:
        return Grid(column_id=column_id, kind="value")
    low, centre, high = np.quantile(numbers, (0.25, 0.5, 0.75))
    spread = next((float(s) for s in (high - low, numbers.std()) if s > 0 and np.isfinite(s)), 1.0)
    grid = Grid(column_id=column_id, kind="cells", centre=float(centre), spread=spread)
    rows_by_cell = np.bincount(cells_of(numbers, grid).astype(np.intp), minlength=CELLS)
    return replace(grid, starts=bin_starts(rows_by_cell))


def _levels(known: pa.ChunkedArray) -> dict[str, int]:
    return {row["values"]: row["counts"] for row in known.value_counts().to_pylist()}
