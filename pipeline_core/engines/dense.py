"""Counts of celled columns by day in plain arrays: several columns in one scan, no hash table.

Answers the same as ``counting.counts`` where cells and days are few enough for one number each: DuckDB reads the rows,
numpy says in which cells they are and adds up, in two thirds of the time. Neighbours: ``duck`` runs it and counts what does not fit. It refuses
windows other than days or everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline_core.engines import counting
from pipeline_core.engines import expressions as sql
from pipeline_core.records import COUNTS, Grid
from pipeline_core.sql import identifier
from pipeline_core.stats.grids import CELLS, firsts_of, places_of

NUMBERS_MAX = 8_000_000
"""Counts that are held at once: 64 MB."""
AT_ONCE = 2
"""Columns in one scan: each costs DuckDB several megabytes a thread while it is read."""

Ints = npt.NDArray[np.int64]
Stream = Callable[[str], Iterator[pa.RecordBatch]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """So many days from ``first`` (days after 1970) on; none: one bucket for all rows."""

    first: int = 0
    count: int = 0


def suited(grid: Grid) -> bool:
    """Say whether a column is counted by cell.

    Parameters
    ----------
    grid : Grid
        Of any kind.

    Returns
    -------
    bool
    """
    return grid.kind == "cells"


def fits(grids: Sequence[Grid], days: Days) -> bool:
    """Say whether the counts of these columns are few enough.

    Parameters
    ----------
    grids : sequence of Grid
        Of kind ``cells``.
    days : Days
        Of the rows.

    Returns
    -------
    bool
    """
    return (days.count + 1) * sum(_width(g) for g in grids) <= NUMBERS_MAX


def counts(stream: Stream, grids: Sequence[Grid], *, days: Days) -> dict[str, pa.Table]:
    """Count columns by day and cell, or bin.

    Parameters
    ----------
    stream : callable
        Runs a statement and gives its rows bit by bit; it knows ``counting.SOURCE``.
    grids : sequence of Grid
        Of kind ``cells``.
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
        sums = _by_day(stream, some, days) if days.count else _at_once(stream, some)
        found |= {g.column_id: _table(g, n, days) for g, n in zip(some, sums, strict=True)}
    return found


def _at_once(stream: Stream, grids: Sequence[Grid]) -> list[Ints]:
    """Count single cells, and put them together when all rows are read."""
    found = [np.zeros(CELLS + 1, dtype=np.int64) for _ in grids]
    for batch in stream(f"SELECT {_columns(grids)} FROM {counting.SOURCE}"):
        for i in range(len(found)):
            found[i] += np.bincount(places_of(_numbers(batch.column(i)), grids[i]), minlength=CELLS + 1)
    # bins are far below 2 ** 53 rows, so that weights are exact
    return [np.bincount(_bins(g), n, minlength=_width(g)).astype(np.int64) for g, n in zip(grids, found, strict=True)]


def _by_day(stream: Stream, grids: Sequence[Grid], days: Days) -> list[Ints]:
    """Count by day and bin, day after day."""
    # what has no day is counted in one more
    day = f"coalesce({sql.DAY.format('bucket')} - {days.first}, {days.count})::BIGINT"
    places = [_bins(g) for g in grids]
    found = [np.zeros((days.count + 1) * _width(g), dtype=np.int64) for g in grids]
    for batch in stream(f"SELECT {day}, {_columns(grids)} FROM {counting.SOURCE}"):
        at = batch.column(0).to_numpy()
        for i, place in enumerate(places):
            bins = place[places_of(_numbers(batch.column(i + 1)), grids[i])]
            bins += at * _width(grids[i])
            found[i] += np.bincount(bins, minlength=len(found[i]))
    return found


def _columns(grids: Sequence[Grid]) -> str:
    return ", ".join(identifier(g.column_id) for g in grids)


def _numbers(column: pa.Array) -> npt.NDArray[np.float64]:
    """Give a column of doubles, with NaN for null."""
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)


def _starts(grid: Grid) -> Ints:
    return np.array(grid.starts, dtype=np.int64) if grid.starts else np.arange(CELLS)


def _width(grid: Grid) -> int:
    return (len(grid.starts) or CELLS) + 1


def _bins(grid: Grid) -> Ints:
    """Give the number of the bin of each cell, and of no cell."""
    return np.append(np.searchsorted(_starts(grid), firsts_of(grid)), _width(grid) - 1)


def _table(grid: Grid, n: Ints, days: Days) -> pa.Table:
    used = np.flatnonzero(n)
    day, place = np.divmod(used, _width(grid))
    bucket = (days.first + day).astype("datetime64[D]").astype("datetime64[us]")
    cell = np.append(_starts(grid).astype(np.float64), np.nan)[place]
    return pa.table(
        {
            "column_id": pa.repeat(pa.scalar(grid.column_id), len(used)),
            "bucket": pa.array(bucket, pa.timestamp("us"), mask=day == days.count),
            "cell": pa.array(cell, mask=place == _width(grid) - 1),
            "level": pa.nulls(len(used), pa.string()),
            "n": n[used],
        },
        schema=COUNTS,
    )
