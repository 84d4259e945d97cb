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
from zoneinfo import ZoneInfo

import pyarrow as pa

from pipeline_core.engines import counting, dense, rereading
from pipeline_core.engines import expressions as sql
from pipeline_core.engines.connection import Connection
from pipeline_core.engines.facts import column_facts
from pipeline_core.engines.localtime import in_utc, on_the_wall
from pipeline_core.engines.rereading import Pair
from pipeline_core.engines.rowfacts import repeats, times
from pipeline_core.errors import InvalidDefinition
from pipeline_core.records import COUNTS, BatchFacts, Grid, Schema
from pipeline_core.sql import identifier, moment
from pipeline_core.stats.gaps import gaps_of

_UTC = ZoneInfo("UTC")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Buckets = Literal["day", "one"] | ZoneInfo | Sequence[datetime] | int
"""How rows are put together: by UTC day; all in one (bucket null); by the greatest of some starts
that is not after the row (rows before the first are left out); or by so many rows in the order of
``event_at``, ``row_number`` (bucket: the window's number in microseconds after 1970)."""

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
        self._placed: dict[tuple[str, int], tuple[str, frozenset[str]]] = {}

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
        self._look(rows, grids, buckets)
        parts = self._dense(grids, buckets)
        for grid in grids:
            if grid.column_id not in parts:
                parts[grid.column_id] = self._count(grid)
        table = pa.concat_tables([parts[g.column_id] for g in grids])
        return in_utc(table, buckets) if isinstance(buckets, ZoneInfo) else table

    def days(
        self, rows: Rows, *, buckets: ZoneInfo | Literal["one"] | Sequence[datetime] = _UTC
    ) -> dict[datetime, int]:
        """Count rows by day, or by other buckets.

        Parameters
        ----------
        rows : Rows
            What to count; rows without an event time are on no day.
        buckets : ZoneInfo, "one" or sequence of datetime
            Whose midnights days begin at; or one bucket (1970); or the starts of windows, the last of which is open.

        Returns
        -------
        dict of datetime to int
            The start of each bucket that has rows (UTC) to rows, in time order.

        Raises
        ------
        Unreadable
            A file is missing or is not Parquet.
        """
        if not rows.files:
            return {}
        source, bucket = self._source(rows, (), buckets)
        found = self._connection.table(
            f"SELECT {bucket}::TIMESTAMP AS bucket, count(*) AS n FROM {source}"
            " WHERE event_at IS NOT NULL GROUP BY ALL ORDER BY bucket"
        )
        if isinstance(buckets, ZoneInfo):
            found = in_utc(found, buckets)
        starts = [
            _EPOCH if start is None else start.replace(tzinfo=UTC) for start in found.column("bucket").to_pylist()
        ]
        return dict(zip(starts, found.column("n").to_pylist(), strict=True))

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

    def sample(
        self, rows: Rows, columns: Sequence[str], *, count: int, seed: int, row_ids: pa.Array | None = None
    ) -> pa.Table:
        """Draw rows without order: those whose hashed id, with the seed, is least.

        Parameters
        ----------
        rows : Rows
            What to draw from.
        columns : sequence of str
            Which columns, by their names in the files, beside ``row_id`` and ``event_at``.
        count : int
            At most so many rows; the same rows give the same sample.
        seed : int
            Of the draw.
        row_ids : pa.Array, optional
            Only rows with these ids.

        Returns
        -------
        pa.Table

        Raises
        ------
        Unreadable
            A file is missing or is not Parquet, or none of them has a column.
        """
        names = ", ".join(["row_id", "event_at", *(identifier(c) for c in columns)])
        ids = pa.array([], pa.string()) if row_ids is None else row_ids
        kept = "" if row_ids is None else " WHERE row_id IN (SELECT row_id FROM wanted_ids)"
        with self._connection.registered("wanted_ids", pa.table({"row_id": ids.cast(pa.string())})):
            return self._connection.table(
                f"SELECT {names} FROM {self._from(rows)}{kept} ORDER BY hash(row_id, {int(seed)}), row_id LIMIT {int(count)}"
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

        def look(rows: Rows, wanted: Grid, how: Buckets) -> str | None:
            return self._look(rows, [wanted], how) if rows.files else None

        def count(rows: Rows, wanted: Grid) -> pa.Table:
            return self.counts(
                rows.files, [wanted], buckets="one", since=rows.since, until=rows.until, without=rows.without
            )

        again = rereading.Again(look=look, count=count, stream=self._connection.stream)
        return rereading.exact_ks(again, (base, current), grid, pairs=pairs, buckets=buckets)

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
        when = times(file, ZoneInfo(schema.zone))
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

    def _dense(self, grids: Sequence[Grid], buckets: Buckets) -> dict[str, pa.Table]:
        """Count what can be counted in arrays."""
        celled = [g for g in grids if dense.suited(g)]
        if not celled or not isinstance(buckets, str | ZoneInfo):
            return {}
        days = dense.Days()
        if buckets != "one":
            first, last = sql.DAY.format("min(bucket)"), sql.DAY.format("max(bucket)")
            (ends,) = self._connection.table(f"SELECT {first} AS a, {last} AS b FROM {counting.SOURCE}").to_pylist()
            days = days if ends["a"] is None else dense.Days(first=ends["a"], count=ends["b"] - ends["a"] + 1)
        return dense.counts(self._connection.stream, celled, days=days) if dense.fits(celled, days) else {}

    def _count(self, grid: Grid) -> pa.Table:
        statement = counting.counts([grid], counting.Dialect.DUCKDB)
        if not counting.binned(grid):
            return self._connection.table(statement).cast(COUNTS)
        with self._connection.registered(counting.BINS, counting.bins([grid], pa.uint16())):
            return self._connection.table(statement).cast(COUNTS)

    def _look(self, rows: Rows, grids: Sequence[Grid], buckets: Buckets) -> str:
        """Make the rows known as ``counting.SOURCE``: a bucket, and each column as what it is counted by."""
        source, bucket = self._source(rows, grids, buckets)
        columns = [f"{sql.typed(g)} AS {identifier(g.column_id)}" for g in grids]
        self._connection.run(
            f"CREATE OR REPLACE TEMP VIEW {counting.SOURCE} AS SELECT {', '.join([f'{bucket} AS bucket', *columns])} FROM {source}"
        )
        return counting.SOURCE

    def _source(self, rows: Rows, grids: Sequence[Grid], buckets: Buckets) -> tuple[str, str]:
        """Give the FROM clause and the expression of the bucket."""
        scan = self._from(rows)
        if isinstance(buckets, int):
            return self._place(scan, [g.column_id for g in grids], buckets), "make_timestamp(win)"
        if isinstance(buckets, ZoneInfo):
            return scan, f"date_trunc('day', {self._wall(scan, buckets)})"
        if isinstance(buckets, str):
            return scan, sql.NAMED_BUCKETS[buckets]
        if not buckets:
            raise InvalidDefinition("No window starts were given: at least one is needed to put rows into windows.")
        starts = ", ".join(f"({moment(s)})" for s in sorted(buckets))
        return f"({scan} ASOF JOIN (VALUES {starts}) AS starts(start) ON event_at >= start)", "start"

    def _wall(self, scan: str, zone: ZoneInfo) -> str:
        """Write the time as clocks in a zone showed it."""
        if zone.key == _UTC.key:
            return "event_at"
        (ends,) = self._connection.table(f"SELECT min(event_at) AS a, max(event_at) AS b FROM {scan}").to_pylist()
        if ends["a"] is None:
            return "event_at"
        return on_the_wall(zone, ends["a"].replace(tzinfo=UTC), ends["b"].replace(tzinfo=UTC))

    def _from(self, rows: Rows) -> str:
        scan = sql.scan(rows.files)
        if rows.without is not None and rows.without.num_rows:
            if not any(table is rows.without for table in self._without):
                self._without.append(rows.without)
                self._connection.register(f"without_{id(rows.without)}", rows.without)
            named = f"{scan.removesuffix(')')}, filename = true)"
            scan = f"{named} r ANTI JOIN without_{id(rows.without)} w ON r.filename = w.file AND r.row_number = w.row_number"
        return f"(FROM {scan}{sql.between(rows.since, rows.until)})"

    def _place(self, scan: str, columns: Sequence[str], size: int) -> str:
        """Keep the columns with the number of each row's window, as they are read more than once; give the table's name."""
        if size < 1:
            raise InvalidDefinition(f"A window of {size} rows: at least 1 row is allowed.")
        name, known = self._placed.get((scan, size), (f"placed_{len(self._placed)}", None))
        if known is None or not known.issuperset(columns):
            kept = "".join(f", {identifier(c)}" for c in columns)
            self._connection.run(
                f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT *, place // {int(size)} AS win FROM (SELECT row_id, event_at{kept},"
                f" row_number() OVER (ORDER BY event_at, row_number, row_id) - 1 AS place FROM {scan})"
            )
            self._placed[scan, size] = name, frozenset(columns)
        return name
