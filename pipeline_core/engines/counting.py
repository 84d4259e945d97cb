"""What is counted, written once for every engine: the cell, the level and the bin of a row, as Ibis expressions.

Answers "which SQL counts these columns by bucket, in this engine's dialect?". Neighbours: ``duck`` and ``spark`` run the
text with their own clients, ``dense`` counts in numpy what is few enough; ``stats.grids.places_of`` is the same arithmetic there.
 It refuses to run anything. Ibis is imported when the first statement is compiled (0.2 s), and each is compiled once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline_core.errors import InvalidDefinition
from pipeline_core.records import Grid
from pipeline_core.stats.grids import CELLS, HALF, firsts_of, spread_of

SOURCE, BINS = "source", "bins"
"""The tables that a statement reads: rows with ``bucket`` and a double or text for each grid; ``column_id``, ``cell``, ``bin``."""

_BINNED = (0,)  # which starts does not change the text: they are in the table of bins


class Dialect(StrEnum):
    """What a statement is written for; the values are Ibis' names."""

    DUCKDB = "duckdb"
    SPARK = "databricks"  # Ibis' plain pyspark dialect cannot be compiled unless its backend and Java are there


def counts(grids: Sequence[Grid], dialect: Dialect) -> str:
    """Write the statement that counts columns by bucket and key.

    Parameters
    ----------
    grids : sequence of Grid
        At least one.
    dialect : Dialect
        Of the engine.

    Returns
    -------
    str
        It reads ``SOURCE`` and, where cells are put together, ``BINS``; it gives ``records.COUNTS``.

    Raises
    ------
    InvalidDefinition
        A grid is of no known kind.
    """
    return _counts(tuple(_plain(g) for g in grids), dialect)


def binned(grid: Grid) -> bool:
    """Say whether a column's cells are put together in bins.

    Parameters
    ----------
    grid : Grid
        Of any kind.

    Returns
    -------
    bool
    """
    return grid.kind == "cells" and bool(grid.starts)


def bins(grids: Sequence[Grid], small: pa.DataType) -> pa.Table:
    """Give the table that says which bin each cell is in.

    Parameters
    ----------
    grids : sequence of Grid
        Columns whose cells are put together; the others are left out.
    small : pa.DataType
        Of cells.

    Returns
    -------
    pa.Table
        ``column_id``, ``cell``, ``bin``.
    """
    own = [g for g in grids if binned(g)]
    firsts = [firsts_of(g) for g in own]
    return pa.table({
        "column_id": np.repeat(np.array([g.column_id for g in own], dtype=object), CELLS),
        "cell": pa.array(np.tile(np.arange(CELLS), len(own)), small),
        "bin": pa.array(np.concatenate([*firsts, []]).astype(np.int64), small),
    })


def _plain(grid: Grid) -> Grid:
    return replace(grid, starts=_BINNED if binned(grid) else ())


@lru_cache(maxsize=256)
def _counts(grids: tuple[Grid, ...], dialect: Dialect) -> str:
    import ibis

    rows = _rows(grids)
    parts = [_column(rows, grid, dialect) for grid in grids]
    return str(ibis.to_sql(parts[0] if len(parts) == 1 else ibis.union(*parts), dialect=dialect.value, pretty=False))


def _rows(grids: Sequence[Grid]) -> Any:
    import ibis

    types = {g.column_id: "string" if g.kind == "level" else "float64" for g in grids}
    return ibis.table({"bucket": "timestamp", **types}, name=SOURCE)


def _column(rows: Any, grid: Grid, dialect: Dialect) -> Any:
    """Count one column."""
    import ibis

    keys = {"bucket": rows.bucket, **_key(rows[grid.column_id], grid, dialect)}
    found = rows.group_by(**keys).agg(n=rows.count())
    if binned(grid):
        # on the counted rows only: a thousandth of all
        bins = ibis.table({"column_id": "string", "cell": _small(dialect), "bin": _small(dialect)}, name=BINS)
        own = bins.filter(bins.column_id == grid.column_id).select("cell", "bin")
        found = found.left_join(own, "cell").group_by("bucket", "level", cell="bin").agg(n=lambda t: t.n.sum())
    return found.select(
        column_id=ibis.literal(grid.column_id),
        bucket="bucket",
        cell=found.cell.cast("float64"),
        level="level",
        n=found.n.cast("int64"),
    )


def _key(column: Any, grid: Grid, dialect: Dialect) -> dict[str, Any]:
    """Say what a column is counted by."""
    import ibis

    if grid.kind == "level":
        return {"cell": ibis.null("float64"), "level": column}
    if grid.kind == "value":
        # + 0.0 makes -0.0 the same value as 0.0
        value = ibis.cases((column.isnan(), None), else_=column + _number(0.0))
    elif grid.kind == "cells":
        value = _cell(column, grid).cast(_small(dialect))
    else:
        raise InvalidDefinition(f"Grid kind {grid.kind!r} of {grid.column_id}: 'value', 'cells' or 'level' is allowed.")
    return {"cell": value, "level": ibis.null("string")}


def _cell(number: Any, grid: Grid) -> Any:
    """Write ``stats.grids.places_of``; none for NaN."""
    import ibis

    centre, scale = _number(grid.centre), _number(spread_of(grid))
    part = _number(HALF) * (scale / (scale + (number - centre).abs()))
    # |part - 2 HALF| above the centre is 2 HALF - part; both branches are constants, so that part is worked out once.
    # NaN is above all numbers; it must go before floor, which makes a whole number
    above = ibis.cases((number.isnan(), None), else_=_number(2 * HALF))
    return (part - ibis.cases((number >= centre, above), else_=_number(0.0))).abs().floor()


def _small(dialect: Dialect) -> str:
    """Name the type of cells: DuckDB counts 16 bits into an array instead of a hash table, Spark has none without sign."""
    return "uint16" if dialect is Dialect.DUCKDB else "int32"


def _number(value: float) -> Any:
    """Write a number as a text that is cast: read back as the same double, and never taken for a decimal."""
    import ibis

    return ibis.literal(repr(float(value))).cast("float64")
