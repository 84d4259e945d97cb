"""A table on a Spark cluster, counted there: only counts come back.

Answers "how many rows has each day, and how many fall into each cell, of a table that this machine cannot hold?". Neighbours:
``counting`` writes the statement, ``localtime`` says where days begin, ``duck`` is the same over files here. It refuses to
fetch a row. PySpark is an extra (``requirements-spark.txt``) and is imported when a session is asked for.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from types import TracebackType
from typing import Any, Self
from zoneinfo import ZoneInfo

import pyarrow as pa

from pipeline_core.clock import day_in
from pipeline_core.engines import counting
from pipeline_core.engines.localtime import in_utc, on_the_wall
from pipeline_core.errors import Unreadable
from pipeline_core.policy import NUMBER_MAX
from pipeline_core.records import COUNTS, Grid
from pipeline_core.sql import moment

_NUMBERS = {"tinyint", "smallint", "int", "bigint", "float", "double", "boolean", "string"}
_WHOLE_NUMBERS = {"tinyint", "smallint", "int", "bigint"}
_TIMES = {"timestamp", "timestamp_ntz", "date", "string"}
_EXACT_WHOLE_MAX = 2**53
_BUCKETS, _TYPED = "buckets", "typed"
_LOOPBACK = "127.0.0.1"
_UTC = pa.timestamp("us", "UTC")


class SparkEngine:
    """A table or Parquet folder on Spark; use it as a context manager.

    Where ``PYSPARK_SUBMIT_ARGS`` or ``SPARK_REMOTE`` name a cluster, that one; otherwise all cores here, on loopback only.

    Parameters
    ----------
    source : str
        A path (it holds a ``/`` or a ``:``) of Parquet files, or the name of a table that the session knows.
    columns : mapping of str to str
        Column id to the name of the column in the table; only these are read, those that the table lacks are left out.
    time : str
        The column of the event time, by its name in the table: a timestamp (without a zone: UTC), a date, or ISO text.
    zone : ZoneInfo
        Whose midnights days begin at.

    Raises
    ------
    Unreadable
        PySpark or Java is not installed, there is no such table, or it has no usable event time.
    """

    def __init__(self, source: str, *, columns: Mapping[str, str], time: str, zone: ZoneInfo) -> None:
        self.source, self.zone = source, zone
        self._spark = _session()
        self._cached: Any = None
        self.rows = self._opened(source)
        given = {name: at for at, name in enumerate(self.rows.columns)}
        kinds = [kind for _, kind in self.rows.dtypes]
        # by position from here on: no name of a stranger is ever part of a statement
        self.rows = self.rows.toDF(*(f"x{at}" for at in range(len(kinds))))
        if time not in given or kinds[given[time]] not in _TIMES:
            what = f"there as {kinds[given[time]]}" if time in given else f"not among {', '.join(map(repr, given))}"
            raise Unreadable(
                f"{source!r} has no event time: column {time!r} is {what}. A timestamp, a date or ISO 8601 text is needed."
            )
        self._time = f"CAST(x{given[time]} AS TIMESTAMP)"
        self._columns = {c: (f"x{given[n]}", kinds[given[n]]) for c, n in columns.items() if n in given}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Forget the views and what is cached for them; the cluster's session stays for the next."""
        for view in (counting.SOURCE, _TYPED, counting.BINS, _BUCKETS):
            self._spark.catalog.dropTempView(view)
        self._release()

    def days(self, *, since: datetime | None = None) -> dict[datetime, int]:
        """Count rows by day of the zone.

        Parameters
        ----------
        since : datetime, optional
            Only rows from then on.

        Returns
        -------
        dict of datetime to int
            Midnight (UTC) to rows, in time order; rows without an event time are on no day.

        Raises
        ------
        Unreadable
            Spark could not read it.
        """
        found = self._sql(
            f"SELECT {self._day(since)} AS bucket, count(*) AS n FROM {{rows}} {self._where(since)} GROUP BY 1 ORDER BY 1"
        )
        found = in_utc(found.set_column(0, "bucket", found["bucket"].cast(pa.timestamp("us"))), self.zone)
        starts = [begin.replace(tzinfo=UTC) for begin in found["bucket"].to_pylist()]
        return dict(zip(starts, found["n"].to_pylist(), strict=True))

    def counts(
        self, grids: Sequence[Grid], *, buckets: Mapping[datetime, datetime], since: datetime | None = None
    ) -> pa.Table:
        """Count the cells of each column by bucket.

        Parameters
        ----------
        grids : sequence of Grid
            One for each column; those that the table lacks, or has as a type that cannot be counted, are left out.
        buckets : mapping of datetime to datetime
            The midnight of each day that is wanted to the bucket it belongs to, both aware.
        since : datetime, optional
            Only rows from then on.

        Returns
        -------
        pa.Table
            ``records.COUNTS``, bit by bit what ``DuckEngine`` gives for the same typed rows.

        Raises
        ------
        Unreadable
            Spark could not read it.
        """
        typed = {g: text for g in grids if (text := self._typed(g)) is not None}
        if not typed or not buckets:
            return COUNTS.empty_table()
        days = [date.fromordinal(day_in(self.zone, day)) for day in buckets]
        laid = pa.table({"day": pa.array(days, pa.date32()), "bucket": pa.array(list(buckets.values()), _UTC)})
        self._view(_BUCKETS, laid)
        # each column's query reads the bins: kept once, they are not written into each plan again
        self._release()
        self._cached = self._view(counting.BINS, counting.bins(list(typed), pa.int32())).cache()
        columns = ", ".join(f"{text} AS {g.column_id}" for g, text in typed.items())
        with _reading(self.source):
            self._spark.sql(
                f"SELECT day_, {columns} FROM (SELECT *, CAST({self._day(since)} AS DATE) AS day_ FROM {{rows}} {self._where(since)})",
                rows=self.rows,
            ).createOrReplaceTempView(_TYPED)
            self._spark.sql(
                f"SELECT b.bucket, t.* FROM {_TYPED} t JOIN {_BUCKETS} b ON t.day_ = b.day"
            ).createOrReplaceTempView(counting.SOURCE)
            found = self._spark.sql(counting.counts(list(typed), counting.Dialect.SPARK)).toArrow()
        return found.set_column(1, "bucket", found["bucket"].cast(pa.timestamp("us"))).cast(COUNTS)

    def _opened(self, source: str) -> Any:
        with _reading(source):
            return self._spark.read.parquet(source) if "/" in source or ":" in source else self._spark.table(source)

    def _sql(self, statement: str) -> pa.Table:
        with _reading(self.source):
            return self._spark.sql(statement, rows=self.rows).toArrow()

    def _view(self, name: str, table: pa.Table) -> Any:
        with _quietly():
            rows = self._spark.createDataFrame(table)
            rows.createOrReplaceTempView(name)
        return rows

    def _release(self) -> None:
        # not the catalog's whole cache: others on the cluster may share it
        if self._cached is not None:
            self._cached.unpersist()
        self._cached = None

    def _where(self, since: datetime | None) -> str:
        return f"WHERE {self._time} IS NOT NULL" + ("" if since is None else f" AND {self._time} >= {moment(since)}")

    def _day(self, since: datetime | None) -> str:
        first = since or datetime(1970, 1, 1, tzinfo=UTC)
        wall = on_the_wall(self.zone, first, datetime(2101, 1, 1, tzinfo=UTC))
        return f"date_trunc('day', {wall.replace('event_at', self._time)})"

    def _typed(self, grid: Grid) -> str | None:
        """Write a column as ``flows.taking`` would have typed it; None where it is not there or cannot be."""
        name, kind = self._columns.get(grid.column_id, ("", ""))
        decimal = kind.startswith("decimal")
        if not name or not (decimal or kind in _NUMBERS):
            return None
        number = f"CAST({name} AS DOUBLE)" if kind != "string" else f"TRY_CAST(trim({name}) AS DOUBLE)"
        if grid.kind != "level":
            return f"CASE WHEN abs({number}) <= {NUMBER_MAX!r}D THEN {number} END"
        if kind == "string":
            whole = f"regexp_replace(trim({name}), '^([+-]?[0-9]+)\\\\.0+$', '$1')"
            return f"nullif(CASE WHEN lower({whole}) IN ('true', 'false') THEN lower({whole}) ELSE {whole} END, '')"
        if kind in _WHOLE_NUMBERS or kind == "boolean":
            return f"CAST({name} AS STRING)"
        # floor gives a whole number, and fails where that is too large
        exact = f"CASE WHEN abs({number}) < {_EXACT_WHOLE_MAX} THEN {number} = floor({number}) END"
        finite = f"abs({number}) <= {NUMBER_MAX!r}D"
        return f"CASE WHEN {exact} THEN CAST(CAST({number} AS BIGINT) AS STRING) WHEN {finite} THEN CAST({number} AS STRING) END"


def _session() -> Any:
    try:
        with _quietly():
            from pyspark.sql import SparkSession
    except ImportError as error:
        raise Unreadable(
            "PySpark is not installed, so no table can be counted on Spark. Install it with `pip install -r requirements-spark.txt`."
        ) from error
    builder = SparkSession.builder.appName("pipeline monitor")
    if not {"PYSPARK_SUBMIT_ARGS", "SPARK_REMOTE"} & set(os.environ):
        builder = builder.master("local[*]").config("spark.ui.enabled", "false").config("spark.log.level", "ERROR")
        builder = builder.config("spark.driver.bindAddress", _LOOPBACK).config("spark.driver.host", _LOOPBACK)
        # all counts of a column's cells pass through the driver; its default of 1 GB ends in the middle of them, silently
        builder = builder.config("spark.driver.memory", "4g")
        # counts are few; 200 shuffle tasks for each column would be most of the work
        builder = builder.config("spark.sql.shuffle.partitions", os.cpu_count() or 2)
    try:
        session = builder.getOrCreate().newSession()
    except Exception as error:
        raise Unreadable(
            f"No Spark session could be had ({_first_line(error)}). Spark needs Java 17 or later on this machine, or SPARK_REMOTE"
            " with the address of a cluster."
        ) from error
    session.conf.set("spark.sql.session.timeZone", "UTC")
    return session


@contextmanager
def _quietly() -> Generator[None]:
    # PySpark warns of every pandas newer than its own, which nothing here goes through
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


@contextmanager
def _reading(source: str) -> Generator[None]:
    try:
        yield
    except Exception as error:  # PySpark's errors share no base that can be named without it
        raise Unreadable(
            f"Spark could not read {source!r}: {_first_line(error)} A table that the session knows, or a path of Parquet files,"
            " is allowed."
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
