"""What DuckDB is told beside what is counted: scans, spans and buckets as SQL text.

Neighbours: ``counting`` writes what is counted, ``duck`` runs both, ``facts`` asks about one batch. Every name and path passes through ``pipeline_core.sql``;
it refuses to run anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline_core.records import Grid
from pipeline_core.sql import identifier, moment, text
from pipeline_core.stats.grids import CELLS, edges_of, lasts_of

Floats = npt.NDArray[np.float64]

SPANS_MAX = 16
BESIDE_SHARE = 0.01
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


def typed(grid: Grid) -> str:
    """Write the column as what it is counted by: a double, or text.

    Parameters
    ----------
    grid : Grid
        Whose column.

    Returns
    -------
    str
    """
    return f"CAST({identifier(grid.column_id)} AS VARCHAR)" if grid.kind == "level" else number(grid)


def within(bins: Floats, grid: Grid, *, between: Floats | None = None) -> str:
    """Keep the values in and right around these cells or bins: comparing is cheaper than placing.

    Parameters
    ----------
    bins : array of float
        As they are counted, ascending, at least one.
    grid : Grid
        Of kind ``cells``.
    between : array of float, (bins - 1,), optional
        The share of rows between a bin and the next; none: by cells.

    Returns
    -------
    str
        A condition: as few spans as leave ``BESIDE_SHARE`` of the rows to be read for nothing, at most ``SPANS_MAX``.
    """
    firsts, lasts = bins, lasts_of(bins, grid)
    gaps = (firsts[1:] - lasts[:-1] - 1) / CELLS if between is None else between
    order = np.argsort(-gaps, kind="stable")
    # each span is compared with every row: what is hardly worth it is not left out
    beside = np.cumsum(gaps[order][::-1])[::-1]
    count = min(int((beside > BESIDE_SHARE).sum()), SPANS_MAX - 1)
    begins = np.append(0, np.sort(order[:count]) + 1)
    ends = np.append(begins[1:], len(bins)) - 1
    spans = [_span(first, last, grid) for first, last in zip(firsts[begins], lasts[ends], strict=True)]
    return " OR ".join(spans)


def _span(first: float, last: float, grid: Grid) -> str:
    # one cell more on each side for rounding; the two outermost cells have no outer edge
    low, high = edges_of(np.array([first - 1, last + 1]), replace(grid, starts=()))
    limits = [f"{number(grid)} >= {double(low[0])}"] if first > 1 else []
    limits += [f"{number(grid)} <= {double(high[1])}"] if last < CELLS - 2 else []
    return f"({' AND '.join(limits)})" if limits else "true"
