"""Counts of binned columns by day in plain arrays: several columns in one scan, no hash table.

Answers the same as ``expressions.count`` where bins and days are few enough for one number each: DuckDB reads and places
the rows, numpy puts cells together and adds up. Neighbours: ``duck`` runs it and counts what does not fit. It refuses
windows other than days or everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline_core.engines import expressions as sql
from pipeline_core.records import COUNTS, Grid
from pipeline_core.stats.grids import CELLS, firsts_of

NUMBERS_MAX = 8_000_000
"""Counts that are held at once: 64 MB."""
AT_ONCE = 4
"""Columns in one scan: each costs DuckDB several megabytes a thread while it is read."""

Ints = npt.NDArray[np.int64]
Stream = Callable[[str], Iterator[pa.RecordBatch]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """So many days from ``first`` (days after 1970) on; none: one bucket for all rows."""

    first: int = 0
    count: int = 0


def suited(grid: Grid) -> bool:
    """Say whether a column is binned.

    Parameters
    ----------
    grid : Grid
        Of any kind.

    Returns
    -------
    bool
    """
    return grid.kind == "cells" and bool(grid.starts)


def fits(grids: Sequence[Grid], days: Days) -> bool:
    """Say whether the counts of these columns are few enough.

    Parameters
    ----------
    grids : sequence of Grid
        Binned.
    days : Days
        Of the rows.

    Returns
    -------
    bool
    """
    return (days.count + 1) * sum(len(g.starts) + 1 for g in grids) <= NUMBERS_MAX


def counts(stream: Stream, source: str, grids: Sequence[Grid], *, days: Days) -> dict[str, pa.Table]:
    """Count binned columns by day.

    Parameters
    ----------
    stream : callable
        Runs a statement and gives its rows bit by bit.
    source : str
        FROM clause.
    grids : sequence of Grid
        Binned.
    days : Days
        All days of the rows.

    Returns
    -------
    dict of str to pa.Table
        ``COUNTS`` of each column.
    """
    found: dict[str, pa.Table] = {}
    for at in range(0, len(grids), AT_ONCE):
        some = grids[at : at + AT_ONCE]
        sums = _summed(stream, source, some, days)
        found |= {g.column_id: _table(g, n, days) for g, n in zip(some, sums, strict=True)}
    return found


def _summed(stream: Stream, source: str, grids: Sequence[Grid], days: Days) -> list[Ints]:
    """Count by day and bin, day after day."""
    # what has no cell is counted in one more; what has no day, too
    cells = ", ".join(f"coalesce({sql.cell(g)}::UINTEGER, {CELLS}::UINTEGER)" for g in grids)
    day = f"coalesce({sql.DAY.format('event_at')} - {days.first}, {days.count})" if days.count else "0"
    places = [_places(g) for g in grids]
    found = [np.zeros((days.count + 1) * (len(g.starts) + 1), dtype=np.int64) for g in grids]
    for batch in stream(f"SELECT {day}::BIGINT, {cells} FROM {source}"):
        at = batch.column(0).to_numpy()
        for i, place in enumerate(places):
            bins = place[batch.column(i + 1).to_numpy()]
            if days.count:
                bins += at * (len(grids[i].starts) + 1)
            found[i] += np.bincount(bins, minlength=len(found[i]))
    return found


def _places(grid: Grid) -> Ints:
    """Give the number of the bin of each cell, and of no cell."""
    firsts = firsts_of(grid)
    return np.append(np.searchsorted(np.array(grid.starts), firsts), len(grid.starts))


def _table(grid: Grid, n: Ints, days: Days) -> pa.Table:
    used = np.flatnonzero(n)
    day, place = np.divmod(used, len(grid.starts) + 1)
    bucket = (days.first + day).astype("datetime64[D]").astype("datetime64[us]")
    cell = np.append(np.array(grid.starts, dtype=np.float64), np.nan)[place]
    return pa.table(
        {
            "column_id": pa.repeat(pa.scalar(grid.column_id), len(used)),
            "bucket": pa.array(bucket, pa.timestamp("us"), mask=day == days.count),
            "cell": pa.array(cell, mask=place == len(grid.starts)),
            "level": pa.nulls(len(used), pa.string()),
            "n": n[used],
        },
        schema=COUNTS,
    )
