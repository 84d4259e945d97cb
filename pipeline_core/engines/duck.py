"""Counts values on DuckDB: one ``GROUP BY`` a column, raw rows never leave SQL unless they decide.

Answers "how often does each cell occur, by bucket of time?" and "which values lie in these few
cells?". What the counts mean is for ``stages/profiling``; what the store holds is for the store:
this engine works in memory on Parquet files that it is given, and refuses to write.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline_core.errors import InvalidDefinition, Unreadable
from pipeline_core.records import COUNTS, Grid
from pipeline_core.sql import identifier, moment, text
from pipeline_core.stats.grids import CELLS, HALF, edges_of, spread_of
from pipeline_core.stats.refinement import Reread, ks_bound, ks_refined

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Pair = tuple[Floats, Ints, Ints]
"""Keys in ascending order, and the rows of baseline and window at each."""

Buckets = Literal["day", "one"] | Sequence[datetime] | int
"""How rows are put together: by UTC day; all in one (bucket null); by the greatest of some starts
that is not after the row (rows before the first are left out); or by so many rows in the order of
``event_at``, ``row_number`` (bucket: the window's number in microseconds after 1970)."""

_NOTHING = Reread(cells=np.empty(0, np.int64), values=np.empty(0))
_ROW_WINDOWS = pa.schema([
    ("row_id", pa.string()),
    ("event_at", pa.timestamp("us")),
    ("bucket", pa.timestamp("us")),
])


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Typed rows in Parquet files, of which ``since <= event_at < until`` are meant.

    ``without``: rows that are not meant, by ``file`` and ``row_number``.
    """

    files: tuple[Path, ...]
    since: datetime | None = None
    until: datetime | None = None
    without: pa.Table | None = field(default=None, compare=False)


class DuckEngine:
    """An in-memory DuckDB that counts Parquet files; use it as a context manager.

    Parameters
    ----------
    threads : int, optional
        At most this many; two threads cost the least CPU on shared cores.
    memory_limit : str
        DuckDB's own limit; beyond it it spills to ``work``.
    work : Path, optional
        Scratch folder for spilling; none: never spill.
    """

    def __init__(self, *, threads: int | None = None, memory_limit: str = "1GB", work: Path | None = None) -> None:
        settings: dict[str, str | bool | int | float | list[str]] = {
            "threads": threads or min(2, os.cpu_count() or 1),
            "memory_limit": memory_limit,
            "perfect_ht_threshold": 18,
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "temp_directory": str(work) if work else "",
        }
        self._connection = duckdb.connect(":memory:", config=settings)
        self._without: list[pa.Table] = []
        self._placed: tuple[tuple[str, int], frozenset[str]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the memory back."""
        self._connection.close()

    def counts(
        self,
        files: Sequence[Path],
        grids: Sequence[Grid],
        *,
        buckets: Buckets = "day",
        since: datetime | None = None,
        until: datetime | None = None,
        without: pa.Table | None = None,
    ) -> pa.Table:
        """Count the cells of each column by bucket, in one scan of each column.

        Parameters
        ----------
        files : sequence of Path
            Parquet files of typed rows; a column that one of them lacks is null there.
        grids : sequence of Grid
            One for each column to count.
        buckets : Buckets
            How rows are put together.
        since, until : datetime, optional
            Only rows with ``since <= event_at < until``.
        without : pa.Table, optional
            As in ``Rows``.

        Returns
        -------
        pa.Table
            ``records.COUNTS``; counts of disjoint files or times add up. Nulls (and NaN) are the row
            whose cell and level are null.

        Raises
        ------
        Unreadable
            A file is missing or is not Parquet, or a column is not what its grid says.
        """
        rows = Rows(files=tuple(files), since=since, until=until, without=without)
        if not rows.files or not grids:
            return COUNTS.empty_table()
        source, bucket = self._source(rows, grids, buckets)
        return pa.concat_tables([self._table(_count(g, source, bucket)).cast(COUNTS) for g in grids])

    def days(self, rows: Rows) -> dict[datetime, int]:
        """Count rows by day.

        Parameters
        ----------
        rows : Rows
            What to count; rows without an event time are on no day.

        Returns
        -------
        dict of datetime to int
            Midnight UTC to rows, in time order.

        Raises
        ------
        Unreadable
            A file is missing or is not Parquet.
        """
        if not rows.files:
            return {}
        found = self._table(
            f"SELECT {_NAMED_BUCKETS['day']}::TIMESTAMP AS day, count(*) AS n FROM {self._from(rows)}"
            " WHERE event_at IS NOT NULL GROUP BY ALL ORDER BY day"
        )
        midnights = [day.replace(tzinfo=UTC) for day in found.column("day").to_pylist()]
        return dict(zip(midnights, found.column("n").to_pylist(), strict=True))

    def row_windows(self, rows: Rows, grids: Sequence[Grid], *, size: int) -> pa.Table:
        """Cut rows into windows of so many, in the order of ``event_at``, ``row_number``, ``row_id``.

        Parameters
        ----------
        rows : Rows
            What to cut.
        grids : sequence of Grid
            The columns that will be counted next; they are read in the same pass.
        size : int
            Rows in a window; the last one may have fewer.

        Returns
        -------
        pa.Table
            ``row_id``, ``event_at``, ``bucket`` (as in ``counts``), in that order.

        Raises
        ------
        InvalidDefinition
            The size is below 1.
        Unreadable
            A file is missing or is not Parquet.
        """
        if not rows.files:
            return _ROW_WINDOWS.empty_table()
        source, bucket = self._source(rows, grids, size)
        return self._table(f"SELECT row_id, event_at, {bucket} AS bucket FROM {source} ORDER BY place").cast(
            _ROW_WINDOWS
        )

    def exact_ks(
        self,
        base: Rows,
        current: Rows,
        grid: Grid,
        *,
        pairs: Mapping[datetime | None, Pair],
        buckets: Buckets = "one",
    ) -> dict[datetime | None, float]:
        """Give the exact KS distance of a column in each window, reading only rows in cells that decide.

        Parameters
        ----------
        base, current : Rows
            The rows that were counted.
        grid : Grid
            How the column was counted.
        pairs : mapping of datetime or None to Pair
            Bucket to keys and counts of baseline and window; both must have rows that are not null.
        buckets : Buckets
            As the rows of ``current`` were counted.

        Returns
        -------
        dict of datetime or None to float
            ``scipy.stats.ks_2samp(...).statistic`` by bucket. A window whose rows are not those that were counted is
            left out.

        Raises
        ------
        Unreadable
            A file is missing or is not Parquet.
        """
        bounds = {bucket: ks_bound(before, now) for bucket, (_, before, now) in pairs.items()}
        if grid.kind != "cells":
            return {bucket: bound.low for bucket, bound in bounds.items()}
        wanted = [pairs[bucket][0][bound.open_cells] for bucket, bound in bounds.items()]
        cells = np.unique(np.concatenate([*wanted, []]))
        before = self._reread(base, grid, cells, "one").get(None, _NOTHING)
        now = self._reread(current, grid, cells, buckets)
        found = {
            bucket: ks_refined(keys, (old, new), (before, now.get(bucket, _NOTHING)), found=bounds[bucket])
            for bucket, (keys, old, new) in pairs.items()
        }
        return {bucket: distance for bucket, distance in found.items() if distance is not None}

    def _reread(self, rows: Rows, grid: Grid, cells: Floats, buckets: Buckets) -> dict[datetime | None, Reread]:
        if not len(cells) or not rows.files:
            return {}
        source, bucket = self._source(rows, [grid], buckets)
        statement = (
            f"SELECT bucket, cell::INTEGER AS cell, value FROM (SELECT {bucket} AS bucket, {_cell(grid)} AS cell,"
            f" {_number(grid)} AS value FROM {source}{_near(cells, grid)}) WHERE cell IN (SELECT cell FROM wanted)"
            " ORDER BY bucket, value"
        )
        with self._registered("wanted", pa.table({"cell": pa.array(cells.astype(np.int32))})):
            found = self._table(statement)
        cell, value = found.column("cell").to_numpy(), found.column("value").to_numpy()
        return {key: Reread(cells=cell[at], values=value[at]) for key, at in _runs(found.column("bucket")).items()}

    def _source(self, rows: Rows, grids: Sequence[Grid], buckets: Buckets) -> tuple[str, str]:
        """Give the FROM clause and the expression of the bucket."""
        scan = self._from(rows)
        if isinstance(buckets, int):
            self._place(scan, [g.column_id for g in grids], buckets)
            return "placed", "make_timestamp(win)"
        if isinstance(buckets, str):
            return scan, _NAMED_BUCKETS[buckets]
        if not buckets:
            raise InvalidDefinition("No window starts were given: at least one is needed to put rows into windows.")
        starts = ", ".join(f"({moment(s)})" for s in sorted(buckets))
        return f"({scan} ASOF JOIN (VALUES {starts}) AS starts(start) ON event_at >= start)", "start"

    def _from(self, rows: Rows) -> str:
        scan = _scan(rows.files)
        if rows.without is not None and rows.without.num_rows:
            if not any(table is rows.without for table in self._without):
                self._without.append(rows.without)
                self._connection.register(f"without_{id(rows.without)}", rows.without)
            named = f"{scan.removesuffix(')')}, filename = true)"
            scan = f"{named} r ANTI JOIN without_{id(rows.without)} w ON r.filename = w.file AND r.row_number = w.row_number"
        return f"(FROM {scan}{_between(rows)})"

    def _place(self, scan: str, columns: Sequence[str], size: int) -> None:
        """Keep the columns with the number of each row's window, as they are read more than once."""
        if size < 1:
            raise InvalidDefinition(f"A window of {size} rows: at least 1 row is allowed.")
        if self._placed and self._placed[0] == (scan, size) and self._placed[1].issuperset(columns):
            return
        kept = "".join(f", {identifier(c)}" for c in columns)
        self._run(
            f"CREATE OR REPLACE TEMP TABLE placed AS SELECT *, place // {int(size)} AS win FROM (SELECT row_id, event_at{kept},"
            f" row_number() OVER (ORDER BY event_at, row_number, row_id) - 1 AS place FROM {scan})"
        )
        self._placed = ((scan, size), frozenset(columns))

    @contextmanager
    def _registered(self, name: str, table: pa.Table) -> Generator[None]:
        self._connection.register(name, table)
        try:
            yield
        finally:
            self._connection.unregister(name)

    def _run(self, statement: str) -> None:
        with _translated():
            self._connection.execute(statement).fetchall()

    def _table(self, statement: str) -> pa.Table:
        with _translated():
            return self._connection.sql(statement).to_arrow_table()


_NAMED_BUCKETS = {"day": "date_trunc('day', event_at)", "one": "NULL::TIMESTAMP"}


@contextmanager
def _translated() -> Generator[None]:
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise Unreadable(f"Counting needs more memory than the engine may use: {_first_line(error)}") from error
    except duckdb.Error as error:
        raise Unreadable(
            f"The stored rows cannot be counted: {_first_line(error)} Receive the file again if it was removed by hand."
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".") + "."


def _scan(files: Sequence[Path]) -> str:
    paths = ", ".join(text(str(f)) for f in files)
    # union_by_name reads every footer first: only needed where files may differ
    return f"read_parquet([{paths}]{', union_by_name = true' if len(files) > 1 else ''})"


def _between(rows: Rows) -> str:
    limits = [f"event_at >= {moment(rows.since)}"] if rows.since else []
    limits += [f"event_at < {moment(rows.until)}"] if rows.until else []
    return f" WHERE {' AND '.join(limits)}" if limits else ""


def _number(grid: Grid) -> str:
    # DOUBLE first: integer minus decimal literal would be decimal arithmetic, 20 times slower
    return f"CAST({identifier(grid.column_id)} AS DOUBLE)"


def _cell(grid: Grid) -> str:
    """Write ``stats.grids.cells_of`` in SQL, NULL for NaN."""
    number, centre, scale = _number(grid), f"{grid.centre!r}::DOUBLE", f"{spread_of(grid)!r}::DOUBLE"
    below = f"{HALF!r}::DOUBLE * ({scale} / ({scale} + ({centre} - {number})))"
    above = f"{2 * HALF!r}::DOUBLE - {HALF!r}::DOUBLE * ({scale} / ({scale} + ({number} - {centre})))"
    # floor first: a cast alone rounds
    return f"TRY_CAST(floor(CASE WHEN {number} >= {centre} THEN {above} ELSE {below} END) AS USMALLINT)"


def _near(cells: Floats, grid: Grid) -> str:
    """Keep the values around these cells: comparing is cheaper than placing; one cell more on each side for rounding."""
    number = _number(grid)
    first, last = cells.min() - 1, cells.max() + 1
    low, high = edges_of(np.array([first, last]), grid)
    limits = [f"{number} >= {float(low[0])!r}::DOUBLE"] if first >= 1 else []
    limits += [f"{number} <= {float(high[1])!r}::DOUBLE"] if last <= CELLS - 2 else []
    return f" WHERE {' AND '.join(limits)}" if limits else ""


def _key(grid: Grid) -> tuple[str, str]:
    """Give the expressions of cell and level."""
    if grid.kind == "level":
        return "NULL::DOUBLE", f"CAST({identifier(grid.column_id)} AS VARCHAR)"
    if grid.kind == "value":
        number = _number(grid)
        # + 0.0 makes -0.0 the same value as 0.0; nullif(x, NaN) is optimised away by Parquet's minimum and maximum
        return f"CASE WHEN isnan({number}) THEN NULL ELSE {number} + 0.0::DOUBLE END", "NULL::VARCHAR"
    if grid.kind == "cells":
        return _cell(grid), "NULL::VARCHAR"
    raise InvalidDefinition(f"Grid kind {grid.kind!r} of {grid.column_id}: 'value', 'cells' or 'level' is allowed.")


def _count(grid: Grid, source: str, bucket: str) -> str:
    cell, level = _key(grid)
    # the small integer itself is grouped, so that DuckDB can count into an array instead of a hash table
    return (
        f"SELECT {text(grid.column_id)} AS column_id, bucket, CAST(cell AS DOUBLE) AS cell, level, n FROM"
        f" (SELECT {bucket} AS bucket, {cell} AS cell, {level} AS level, count(*) AS n FROM {source} GROUP BY ALL)"
    )


def _runs(buckets: pa.ChunkedArray) -> dict[datetime | None, slice]:
    """Say where each bucket stands in rows that are ordered by bucket."""
    # not run_end_encode: it tells nulls apart by what lies beneath them
    encoded = buckets.combine_chunks().dictionary_encode(null_encoding="encode")
    ends = np.cumsum(np.bincount(encoded.indices.to_numpy(zero_copy_only=False), minlength=len(encoded.dictionary)))
    keys = [None if key is None else key.replace(tzinfo=UTC) for key in encoded.dictionary.to_pylist()]
    return {key: slice(int(a), int(b)) for key, a, b in zip(keys, [0, *ends[:-1]], ends, strict=True)} if keys else {}
