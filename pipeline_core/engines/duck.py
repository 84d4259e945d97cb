"""Counts values on DuckDB: one ``GROUP BY`` a column, raw rows never leave SQL unless they decide.

Answers "how often does each cell occur, by bucket of time?" and "which values lie in these few
cells?". What the counts mean is for ``stages/profiling``; what the store holds is for the store:
this engine works in memory on Parquet files that it is given, and refuses to write.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline_core.engines import dense
from pipeline_core.engines import expressions as sql
from pipeline_core.engines.connection import Connection
from pipeline_core.engines.facts import column_facts
from pipeline_core.engines.rowfacts import repeats, times
from pipeline_core.errors import InvalidDefinition
from pipeline_core.records import COUNTS, BatchFacts, Grid, Schema
from pipeline_core.sql import identifier, moment
from pipeline_core.stats.gaps import gaps_of
from pipeline_core.stats.grids import CELLS, firsts_of
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
        self._connection = Connection(threads, memory_limit=memory_limit, work=work)
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
        parts = self._dense(source, grids, buckets)
        for grid in grids:
            if grid.column_id not in parts:
                parts[grid.column_id] = self._count(grid, source, bucket)
        return pa.concat_tables([parts[g.column_id] for g in grids])

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
        found = self._connection.table(
            f"SELECT {sql.NAMED_BUCKETS['day']}::TIMESTAMP AS day, count(*) AS n FROM {self._from(rows)}"
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
        return self._connection.table(f"SELECT row_id, event_at, {bucket} AS bucket FROM {source} ORDER BY place").cast(
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

    def facts(self, file: Path, schema: Schema, *, counts: pa.Table) -> BatchFacts:
        """Describe a batch: its columns, rows that repeat, columns that are null together, and when it happened.

        Parameters
        ----------
        file : Path
            Typed rows as Parquet, in the order of arrival, with a column for each of the schema.
        schema : Schema
            With grids and baselines.
        counts : pa.Table
            ``COUNTS`` of all these rows, of any buckets.

        Returns
        -------
        BatchFacts

        Raises
        ------
        Unreadable
            The file is missing or is not Parquet, or a column is not what the schema says.
        """
        columns = column_facts(self._connection.table, file, schema, counts=counts)
        by_id = {c.column_id: c for c in columns}
        gaps = gaps_of({c.column_id: by_id[c.column_id].nulls for c in schema.features})
        found = repeats(self._connection.table, self._connection.stream, file, schema, gaps=gaps)
        missing = by_id[schema.id.column_id].nulls if schema.id else 0
        when = times(file)
        return BatchFacts(
            rows=found.rows,
            columns=columns,
            null_patterns=found.null_patterns,
            repeated_rows=found.repeated_rows,
            repeated_ids=found.rows - missing - found.distinct_ids if schema.id else 0,
            missing_ids=missing,
            untimed_rows=when.untimed_rows,
            unordered_rows=when.unordered_rows,
            first_event_at=when.first_event_at,
            last_event_at=when.last_event_at,
            rows_by_day=when.rows_by_day,
            rows_by_hour=when.rows_by_hour,
        )

    def _reread(self, rows: Rows, grid: Grid, cells: Floats, buckets: Buckets) -> dict[datetime | None, Reread]:
        if not len(cells) or not rows.files:
            return {}
        source, bucket = self._source(rows, [grid], buckets)
        firsts = firsts_of(grid)
        wanted = np.flatnonzero(np.isin(firsts, cells))
        statement = (
            f"SELECT bucket, bin AS cell, value FROM (SELECT {bucket} AS bucket, {sql.cell(grid)} AS cell,"
            f" {sql.number(grid)} AS value FROM {source} WHERE {sql.within(cells, grid)}) JOIN wanted USING (cell)"
            " ORDER BY bucket, value"
        )
        with self._connection.registered(
            "wanted", pa.table({"cell": pa.array(wanted, pa.uint16()), "bin": firsts[wanted]})
        ):
            found = self._connection.table(statement)
        cell, value = found.column("cell").to_numpy(), found.column("value").to_numpy()
        return {key: Reread(cells=cell[at], values=value[at]) for key, at in _runs(found.column("bucket")).items()}

    def _dense(self, source: str, grids: Sequence[Grid], buckets: Buckets) -> dict[str, pa.Table]:
        """Count what can be counted in arrays."""
        binned = [g for g in grids if dense.suited(g)]
        if not binned or not isinstance(buckets, str):
            return {}
        days = dense.Days()
        if buckets == "day":
            first, last = sql.DAY.format("min(event_at)"), sql.DAY.format("max(event_at)")
            (ends,) = self._connection.table(f"SELECT {first} AS a, {last} AS b FROM {source}").to_pylist()
            days = days if ends["a"] is None else dense.Days(first=ends["a"], count=ends["b"] - ends["a"] + 1)
        return dense.counts(self._connection.stream, source, binned, days=days) if dense.fits(binned, days) else {}

    def _count(self, grid: Grid, source: str, bucket: str) -> pa.Table:
        bins = pa.table({"cell": pa.array(np.arange(CELLS), pa.uint16()), "bin": firsts_of(grid)})
        with self._connection.registered("bins", bins):
            return self._connection.table(sql.count(grid, source, bucket, firsts="bins")).cast(COUNTS)

    def _source(self, rows: Rows, grids: Sequence[Grid], buckets: Buckets) -> tuple[str, str]:
        """Give the FROM clause and the expression of the bucket."""
        scan = self._from(rows)
        if isinstance(buckets, int):
            self._place(scan, [g.column_id for g in grids], buckets)
            return "placed", "make_timestamp(win)"
        if isinstance(buckets, str):
            return scan, sql.NAMED_BUCKETS[buckets]
        if not buckets:
            raise InvalidDefinition("No window starts were given: at least one is needed to put rows into windows.")
        starts = ", ".join(f"({moment(s)})" for s in sorted(buckets))
        return f"({scan} ASOF JOIN (VALUES {starts}) AS starts(start) ON event_at >= start)", "start"

    def _from(self, rows: Rows) -> str:
        scan = sql.scan(rows.files)
        if rows.without is not None and rows.without.num_rows:
            if not any(table is rows.without for table in self._without):
                self._without.append(rows.without)
                self._connection.register(f"without_{id(rows.without)}", rows.without)
            named = f"{scan.removesuffix(')')}, filename = true)"
            scan = f"{named} r ANTI JOIN without_{id(rows.without)} w ON r.filename = w.file AND r.row_number = w.row_number"
        return f"(FROM {scan}{sql.between(rows.since, rows.until)})"

    def _place(self, scan: str, columns: Sequence[str], size: int) -> None:
        """Keep the columns with the number of each row's window, as they are read more than once."""
        if size < 1:
            raise InvalidDefinition(f"A window of {size} rows: at least 1 row is allowed.")
        if self._placed and self._placed[0] == (scan, size) and self._placed[1].issuperset(columns):
            return
        kept = "".join(f", {identifier(c)}" for c in columns)
        self._connection.run(
            f"CREATE OR REPLACE TEMP TABLE placed AS SELECT *, place // {int(size)} AS win FROM (SELECT row_id, event_at{kept},"
            f" row_number() OVER (ORDER BY event_at, row_number, row_id) - 1 AS place FROM {scan})"
        )
        self._placed = ((scan, size), frozenset(columns))


def _runs(buckets: pa.ChunkedArray) -> dict[datetime | None, slice]:
    """Say where each bucket stands in rows that are ordered by bucket."""
    # not run_end_encode: it tells nulls apart by what lies beneath them
    encoded = buckets.combine_chunks().dictionary_encode(null_encoding="encode")
    ends = np.cumsum(np.bincount(encoded.indices.to_numpy(zero_copy_only=False), minlength=len(encoded.dictionary)))
    keys = [None if key is None else key.replace(tzinfo=UTC) for key in encoded.dictionary.to_pylist()]
    return {key: slice(int(a), int(b)) for key, a, b in zip(keys, [0, *ends[:-1]], ends, strict=True)} if keys else {}
