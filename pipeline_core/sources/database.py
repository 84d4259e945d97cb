"""What does a query say that was not read yet? Its answer as Parquet files, in portions.

The answer streams in as record batches over ADBC (PostgreSQL, SQLite) or in portions over SQLAlchemy (other drivers of
``_READ_ONLY``'s databases, where it is known how a session is made read-only and how its texts compare) and is written to Parquet as it comes, so that memory does not grow with it. With a cursor column (one that only grows,
such as a number or a time of insertion) a file ends where the value of that column changes, and the next run goes on
behind the last value; without one the whole answer is one file. Neighbour: ``feed`` is the shape, ``portions`` cuts
and writes. It refuses to write into a database: a query is a subselect in a read-only session. It refuses databases that
nobody has tried: another reading of quotes or another order of texts loses rows without a word.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pyarrow as pa

from pipeline_core.errors import InvalidDefinition, NotFound, PipelineError, Unreadable
from pipeline_core.sources.feed import Delivery, Setup, imported, noted
from pipeline_core.sources.portions import Cursor, Portions
from pipeline_core.sql import identifier, text

REQUIRED = ("dsn", "query")
OPTIONAL = ("cursor", "start")

_FETCHED_ROWS = 10_000
_READ_ONLY = {
    "sqlite": "PRAGMA query_only = ON",
    "postgresql": "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
}
"""The databases that may be asked over SQLAlchemy, with what makes their session read-only."""


class Database:
    """A query. Settings: ``dsn``, ``query``, ``cursor`` (a column of the answer), ``start`` (read behind this value).

    Parameters
    ----------
    setup : Setup
        The settings.
    """

    def __init__(self, setup: Setup) -> None:
        self.notes: list[str] = []
        self._setup = setup
        self._dsn = setup.get("dsn")
        self._scheme = urlsplit(self._dsn).scheme.lower()
        self._column = setup.get("cursor")
        self._quoted = identifier(self._column) if self._column else ""
        self._query = setup.get("query").strip().rstrip(";")

    def deliveries(self, cursor: str | None, *, folder: Path) -> Generator[Delivery]:
        """Hand over what lies behind the last value, in files of ``batch_rows`` cut where the value changes.

        Parameters
        ----------
        cursor : str or None
            The last value that was kept.
        folder : Path
            Where to write.

        Yields
        ------
        Delivery

        Raises
        ------
        Unreadable
            The database does not answer, or refuses the query.
        NotFound
            A driver is not installed, or the database is not there.
        """
        self.notes.clear()
        after = _after(cursor, self._setup.get("start") or None)
        portions = Portions(
            self._setup.name,
            column=self._column,
            rows_max=self._setup.batch_rows,
            bytes_max=self._setup.bytes_max,
        )
        with closing(self._batches(after)) as batches:
            for number in itertools.count():
                path = folder / f"{number:08d}.parquet"
                with self._told():
                    written = portions.write(path, batches, place=f"behind {after}")
                if written is None:
                    break
                span = self._told_span(after, written.upto)
                after = written.upto
                cursor = _place(after)
                yield Delivery(path=path, name=f"{self._setup.name}: {span}", cursor=cursor, rows=written.rows)

    def settled(self, cursor: str) -> None:
        """Do nothing: the place is the caller's."""

    def close(self) -> None:
        """Do nothing: a connection lives as long as its answer is read."""

    def _told_span(self, after: object, upto: object) -> str:
        if not self._column:
            return "the whole answer"
        return f"{self._column} {'from the beginning' if after is None else f'after {after}'} to {upto}"

    def _statement(self, query: str, column: str, behind: str | None) -> str:
        """Give the query with its order and its beginning."""
        if not self._column:
            return f"SELECT * FROM ({query}\n) AS feed_rows"
        more = "" if behind is None else f" AND {column} > {behind}"
        return f"SELECT * FROM ({query}\n) AS feed_rows WHERE {column} IS NOT NULL{more} ORDER BY {column}"

    def _literally(self, after: Cursor) -> str:
        """Give the statement with its value as a literal: PostgreSQL's COPY, by which ADBC reads, binds none."""
        return self._statement(self._query, self._quoted, None if after is None else _literal(after))

    def _batches(self, after: Cursor) -> Generator[pa.RecordBatch]:
        ask = {"postgresql": self._from_postgres, "postgres": self._from_postgres, "sqlite": self._from_sqlite}
        with closing(ask.get(self._scheme, self._from_any)(after)) as answers:
            yield from answers

    def _from_postgres(self, after: Cursor) -> Generator[pa.RecordBatch]:
        driver = imported(_postgres, package="adbc-driver-postgresql")
        with closing(driver.connect(self._dsn)) as connection, closing(connection.cursor()) as cursor:
            cursor.execute(_READ_ONLY["postgresql"])
            connection.commit()
            self._say_nulls(lambda sql: _first_row(cursor, sql), self._query, self._quoted)
            cursor.execute(self._literally(after))
            yield from cursor.fetch_record_batch()

    def _from_sqlite(self, after: Cursor) -> Generator[pa.RecordBatch]:
        path = Path(self._dsn.split(":", 1)[1].removeprefix("///"))
        if not path.is_file():
            raise NotFound(
                f"Source {self._setup.name!r}: there is no file {path}. Check dsn (sqlite:////absolute/path.db)."
            )
        driver = imported(_sqlite, package="adbc-driver-sqlite")
        uri = f"file:{quote(str(path.resolve()))}?mode=ro"
        with closing(driver.connect(uri)) as connection, closing(connection.cursor()) as cursor:
            self._say_nulls(lambda sql: _first_row(cursor, sql), self._query, self._quoted)
            # a column's type is found in the first portion, so it is a large one
            cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": "65536"})
            cursor.execute(self._literally(after))
            yield from cursor.fetch_record_batch()

    def _from_any(self, after: Cursor) -> Generator[pa.RecordBatch]:
        library = imported(_sqlalchemy, package="sqlalchemy")
        engine = library.create_engine(self._dsn)
        try:
            read_only = _READ_ONLY.get(engine.dialect.name)
            if read_only is None:
                raise InvalidDefinition(
                    f"Source {self._setup.name!r}: {engine.dialect.name} is no database that was tried here, and a wrong guess"
                    f" about its quotes or its order loses rows; {', '.join(sorted(_READ_ONLY))} are allowed. Export the rows"
                    " to a folder instead."
                )
            column = engine.dialect.identifier_preparer.quote_identifier(self._column)
            # a colon of the query names no value of ours
            query, column = self._query.replace(":", "\\:"), column.replace(":", "\\:")
            with engine.connect() as connection:
                connection.exec_driver_sql(read_only)
                connection.commit()
                self._say_nulls(lambda sql: connection.execute(library.text(sql)).first(), query, column)
                streamed = connection.execution_options(stream_results=True, yield_per=_FETCHED_ROWS)
                sql = self._statement(query, column, None if after is None else ":after")
                answer = streamed.execute(library.text(sql), {} if after is None else {"after": after})
                names = list(answer.keys())
                for part in answer.partitions(_FETCHED_ROWS):
                    columns = [_array(list(values)) for values in zip(*part, strict=True)]
                    yield pa.RecordBatch.from_arrays(columns, names=names)
        finally:
            engine.dispose()

    def _say_nulls(self, first_row: Callable[[str], Any], query: str, column: str) -> None:
        if not self._column:
            return
        if first_row(f"SELECT 1 FROM ({query}\n) AS feed_rows WHERE {column} IS NULL LIMIT 1") is not None:
            self.notes.append(f"Rows without a value in the cursor column {self._column!r} are left out.")

    @contextmanager
    def _told(self) -> Generator[None]:
        try:
            yield
        except PipelineError:
            raise
        except Exception as error:  # ruff: ignore[blind-except] - each driver has its own tree of errors, all mean the same
            raise Unreadable(
                f"Source {self._setup.name!r}: the database says: {self._setup.hide(error)}. Check dsn and query, then run"
                " again; nothing is lost."
            ) from None


def _place(after: Cursor) -> str:
    """Note a value as JSON; of an exact number every digit, which a number of JSON does not promise."""
    exact = isinstance(after, Decimal)
    return json.dumps({"after": str(after), "exact": True} if exact else {"after": after})


def _after(cursor: str | None, start: Cursor) -> Cursor:
    said = noted(cursor)
    after: Cursor = said.get("after", start)
    return Decimal(str(after)) if said.get("exact") else after


def _literal(value: Cursor) -> str:
    """Write a cursor's value into SQL; a quoted text takes the type of the column that it is compared with."""
    if isinstance(value, int | float) and math.isfinite(value):
        return repr(value)
    return text(str(value))


def _array(values: list[Any]) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if v is None else str(v) for v in values])


def _first_row(cursor: Any, sql: str) -> Any:
    cursor.execute(sql)
    return cursor.fetchone()


def _postgres() -> Any:
    from adbc_driver_postgresql import dbapi

    return dbapi


def _sqlite() -> Any:
    from adbc_driver_sqlite import dbapi

    return dbapi


def _sqlalchemy() -> Any:
    import sqlalchemy

    return sqlalchemy
