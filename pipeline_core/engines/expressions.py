"""What DuckDB is told: scans, cells and buckets as SQL text.

Neighbours: ``duck`` runs it, ``facts`` asks it about one batch. Every name and path passes through ``pipeline_core.sql``;
it refuses to run anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline_core.errors import InvalidDefinition
from pipeline_core.records import Grid
from pipeline_core.sql import identifier, moment, text
from pipeline_core.stats.grids import CELLS, HALF, edges_of, lasts_of, spread_of

Floats = npt.NDArray[np.float64]

SPANS_MAX = 32
DAY = "(CAST({} AS DATE) - DATE '1970-01-01')"
"""Days after 1970 (UTC) of a time."""
NAMED_BUCKETS = {"day": "date_trunc('day', event_at)", "one": "NULL::TIMESTAMP"}


def scan(files: Sequence[Path]) -> str:
    """Read Parquet files; a column that one of them lacks is null there.

    Parameters
    ----------
    files : sequence of Path
        At least one.

    Returns
    -------
    str
    """
    paths = ", ".join(text(str(f)) for f in files)
    # union_by_name reads every footer first: only needed where files may differ
    return f"read_parquet([{paths}]{', union_by_name = true' if len(files) > 1 else ''})"


def between(since: datetime | None, until: datetime | None) -> str:
    """Write a WHERE clause for ``since <= event_at < until``, or nothing.

    Parameters
    ----------
    since, until : datetime or None
        Aware; None: no limit on that side.

    Returns
    -------
    str
    """
    limits = [f"event_at >= {moment(since)}"] if since else []
    limits += [f"event_at < {moment(until)}"] if until else []
    return f" WHERE {' AND '.join(limits)}" if limits else ""


def number(grid: Grid) -> str:
    """Write the column as a double.

    Parameters
    ----------
    grid : Grid
        Whose column.

    Returns
    -------
    str
    """
    # DOUBLE first: integer minus decimal literal would be decimal arithmetic, 20 times slower
    return f"CAST({identifier(grid.column_id)} AS DOUBLE)"


def double(value: float) -> str:
    """Write a number so that it is read back as the same double.

    Parameters
    ----------
    value : float
        Finite.

    Returns
    -------
    str
    """
    return f"{float(value)!r}::DOUBLE"


def cell(grid: Grid) -> str:
    """Write ``stats.grids.cells_of`` of single cells in SQL, NULL for NaN.

    Parameters
    ----------
    grid : Grid
        Of kind ``cells``.

    Returns
    -------
    str
        Of type USMALLINT.
    """
    value, centre, scale = number(grid), double(grid.centre), double(spread_of(grid))
    below = f"{double(HALF)} * ({scale} / ({scale} + ({centre} - {value})))"
    above = f"{double(2 * HALF)} - {double(HALF)} * ({scale} / ({scale} + ({value} - {centre})))"
    # floor first: a cast alone rounds
    return f"TRY_CAST(floor(CASE WHEN {value} >= {centre} THEN {above} ELSE {below} END) AS USMALLINT)"


def within(bins: Floats, grid: Grid) -> str:
    """Keep the values in and right around these cells or bins: comparing is cheaper than placing.

    Parameters
    ----------
    bins : array of float
        As they are counted, ascending, at least one.
    grid : Grid
        Of kind ``cells``.

    Returns
    -------
    str
        A condition; where many parts would be needed it is one span over all.
    """
    firsts, lasts = bins, lasts_of(bins, grid)
    begins = np.flatnonzero(np.append(True, firsts[1:] > lasts[:-1] + 1))
    if len(begins) > SPANS_MAX:
        begins = begins[:1]
    ends = np.append(begins[1:], len(bins)) - 1
    spans = [_span(first, last, grid) for first, last in zip(firsts[begins], lasts[ends], strict=True)]
    return " OR ".join(spans)


def _span(first: float, last: float, grid: Grid) -> str:
    # one cell more on each side for rounding; the two outermost cells have no outer edge
    low, high = edges_of(np.array([first - 1, last + 1]), replace(grid, starts=()))
    limits = [f"{number(grid)} >= {double(low[0])}"] if first > 1 else []
    limits += [f"{number(grid)} <= {double(high[1])}"] if last < CELLS - 2 else []
    return f"({' AND '.join(limits)})" if limits else "true"


def key(grid: Grid) -> tuple[str, str]:
    """Write what a column is counted by.

    Parameters
    ----------
    grid : Grid
        Of any kind.

    Returns
    -------
    cell, level : str

    Raises
    ------
    InvalidDefinition
        There is no such kind.
    """
    if grid.kind == "level":
        return "NULL::DOUBLE", f"CAST({identifier(grid.column_id)} AS VARCHAR)"
    if grid.kind == "value":
        value = number(grid)
        # + 0.0 makes -0.0 the same value as 0.0; nullif(x, NaN) is optimised away by Parquet's minimum and maximum
        return f"CASE WHEN isnan({value}) THEN NULL ELSE {value} + 0.0::DOUBLE END", "NULL::VARCHAR"
    if grid.kind == "cells":
        return cell(grid), "NULL::VARCHAR"
    raise InvalidDefinition(f"Grid kind {grid.kind!r} of {grid.column_id}: 'value', 'cells' or 'level' is allowed.")


def count(grid: Grid, source: str, bucket: str, *, firsts: str) -> str:
    """Count one column by bucket and key.

    Parameters
    ----------
    grid : Grid
        Of any kind.
    source, bucket : str
        FROM clause, and the expression of the bucket in it.
    firsts : str
        The table that says which ``bin`` a ``cell`` is in, where the grid puts cells together.

    Returns
    -------
    str
        A statement that gives ``records.COUNTS``.
    """
    cell_, level = key(grid)
    # the small integer itself is grouped, so that DuckDB can count into an array instead of a hash table
    counted = (
        f"(SELECT {bucket} AS bucket, {cell_} AS cell, {level} AS level, count(*) AS n FROM {source} GROUP BY ALL)"
    )
    column_id = text(grid.column_id)
    if grid.starts and grid.kind == "cells":
        return (
            f"SELECT {column_id} AS column_id, bucket, CAST(bin AS DOUBLE) AS cell, level, sum(n)::BIGINT AS n"
            f" FROM {counted} LEFT JOIN {firsts} USING (cell) GROUP BY ALL"
        )
    return f"SELECT {column_id} AS column_id, bucket, CAST(cell AS DOUBLE) AS cell, level, n FROM {counted}"
