"""One DuckDB file in one process: statements, transactions with one writer at a time, and a revision.

Neighbours: ``ownership`` holds the lock that makes this process the only one, ``connection`` gives each thread its
cursor; the rooms (``batches``, ``models``, ``signals``, ``jobs``) speak SQL through ``rows``, ``table`` and ``run`` only.
It refuses to hand out a connection: since DuckDB 2.0 results stream, and an unread one would block the connection's next
statement, so every answer is fetched at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from pipeline_core.clock import Clock, machine_clock
from pipeline_core.errors import PipelineError, StoreBroken
from pipeline_core.sql import identifier, text
from pipeline_core.store.connection import Connection
from pipeline_core.store.migrations import MIGRATIONS


def parquet(paths: Sequence[Path]) -> str:
    """Give the SQL that reads typed row files as one table; ``filename`` says which file a row is from.

    Parameters
    ----------
    paths : sequence of Path
        At least one file.

    Returns
    -------
    str
    """
    files = ", ".join(text(p) for p in paths)
    return f"read_parquet([{files}], union_by_name=true, filename=true, hive_partitioning=false)"


def naive(moment: datetime | None) -> datetime | None:
    """Give an aware moment as the naive UTC timestamp that tables and Parquet hold.

    Parameters
    ----------
    moment : datetime or None
        Aware; None stays None.

    Returns
    -------
    datetime or None
    """
    return moment.astimezone(UTC).replace(tzinfo=None) if moment else None


def aware(moment: datetime | None) -> datetime | None:
    """Give a stored timestamp as an aware moment in UTC.

    Parameters
    ----------
    moment : datetime or None
        Naive UTC; None stays None.

    Returns
    -------
    datetime or None
    """
    return moment.replace(tzinfo=UTC) if moment else None


@dataclass(slots=True)
class _Open:
    """A transaction that a thread has open."""

    revises: bool = False
    failed: bool = False
    doubtful: bool = False
    instance: int = 0
    on_commit: list[Callable[[], None]] = field(default_factory=list)
    on_rollback: list[Callable[[], None]] = field(default_factory=list)


class Database:
    """The open file. Threads may share it.

    Parameters
    ----------
    path : Path
        The DuckDB file; made when absent.
    clock : callable
        What the time is, wherever a row keeps one.

    Raises
    ------
    StoreBroken
        The file is damaged, or was written by a newer program.
    """

    def __init__(self, path: Path, *, clock: Clock = machine_clock) -> None:
        self.path = path
        self.now = clock
        self._local = threading.local()
        self._writer = threading.RLock()
        if path.exists() and path.stat().st_size == 0:
            path.unlink()  # a process died between making the file and writing its head: nothing was in it
        self.connection = Connection(path, now=clock)
        self._revision = 0
        try:
            self._migrate()
            self._revision = int(self.rows("SELECT number FROM meta WHERE name = 'revision'")[0][0])
        except BaseException:
            self.close()
            raise

    @property
    def revision(self) -> int:
        """The number of committed transactions that changed what pages show."""
        return self._revision

    @property
    def in_transaction(self) -> bool:
        """Whether this thread has a transaction open."""
        return getattr(self._local, "open", None) is not None

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run a statement and give all of its rows.

        Parameters
        ----------
        sql : str
            One statement with ``?`` for each parameter.
        parameters : sequence
            Their values.

        Returns
        -------
        list of tuple
        """
        with self.connection.speaking():
            found: list[tuple[Any, ...]] = self._cursor().execute(sql, list(parameters)).fetchall()
            return found

    def table(self, sql: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> pa.Table:
        """Run a query and give all of its rows as an Arrow table.

        Parameters
        ----------
        sql : str
            One query with ``?`` for each parameter, or ``$name``.
        parameters : sequence or mapping
            Their values.

        Returns
        -------
        pa.Table
        """
        with self.connection.speaking():
            given = dict(parameters) if isinstance(parameters, Mapping) else list(parameters)
            return self._cursor().sql(sql, params=given).to_arrow_table()

    def run(self, sql: str, parameters: Sequence[object] = ()) -> None:
        """Run a statement for its effect; inside ``transaction`` where it changes a table.

        Parameters
        ----------
        sql : str
            One statement with ``?`` for each parameter.
        parameters : sequence
            Their values.
        """
        self.rows(sql, parameters)

    @contextmanager
    def incoming(self, table: pa.Table) -> Generator[None]:
        """Make an Arrow table readable as ``incoming`` for this thread's statements inside.

        Parameters
        ----------
        table : pa.Table
            What to read.

        Yields
        ------
        None
        """
        cursor = self._cursor()
        with self.connection.speaking():
            cursor.register("incoming", table)
        try:
            yield
        finally:
            with suppress(duckdb.Error):  # a dead instance knows it no more
                cursor.unregister("incoming")

    @contextmanager
    def transaction(self, *, revises: bool = True) -> Generator[None]:
        """All or nothing for the writes inside; one writer at a time; joins the one this thread has open.

        Parameters
        ----------
        revises : bool
            Whether pages that cached a reading should read again afterwards.

        Yields
        ------
        None

        Raises
        ------
        StoreBroken
            The commit failed, or a part inside failed and was carried on from.
        """
        current: _Open | None = getattr(self._local, "open", None)
        if current is not None:
            current.revises |= revises
            try:
                yield
            except BaseException:
                current.failed = True  # half of a joined part may be written: the whole must not commit
                raise
            return
        with self._writer:
            opened = _Open(revises=revises)
            self.run("BEGIN")
            opened.instance = self.connection.instance
            self._local.open = opened
            try:
                yield
                revision = self._commit(opened)
            except BaseException:
                self._local.open = None
                self._roll_back(opened)
                raise
            self._local.open = None
            self._revision = revision
            with ExitStack() as acts:  # each of them, whatever becomes of the others
                for act in reversed(opened.on_commit):
                    acts.callback(act)

    def after_commit(self, act: Callable[[], None]) -> None:
        """Do something once the open transaction is committed."""
        self._local.open.on_commit.append(act)

    def after_rollback(self, act: Callable[[], None]) -> None:
        """Do something should the open transaction be rolled back."""
        self._local.open.on_rollback.append(act)

    def append(self, table: str, rows: pa.Table, *, constants: Mapping[str, object]) -> None:
        """Add the rows of an Arrow table, with the same value in each row for some columns.

        Parameters
        ----------
        table : str
            Where to.
        rows : pa.Table
            Columns by the table's names.
        constants : mapping of str to object
            Column name to its value.
        """
        names = [*constants, *rows.column_names]
        values = ", ".join(["?"] * len(constants) + [identifier(n) for n in rows.column_names])
        into = ", ".join(identifier(n) for n in names)
        with self.incoming(rows):
            self.run(
                f"INSERT INTO {identifier(table)} ({into}) SELECT {values} FROM incoming", list(constants.values())
            )

    def close(self) -> None:
        """Close the file for every thread; calling it again does nothing."""
        with self._writer:
            self.connection.close()

    def _cursor(self) -> Any:
        cursor = self.connection.cursor()
        opened: _Open | None = getattr(self._local, "open", None)
        if opened is not None and opened.instance != self.connection.instance:
            raise StoreBroken(
                "The database had to be opened again, so nothing of this transaction was written. Try again."
            )
        return cursor

    def _commit(self, opened: _Open) -> int:
        if opened.failed:
            raise StoreBroken("A part of this transaction failed, so nothing of it was written. Try again.")
        revision = self._revision
        if opened.revises:
            sql = "UPDATE meta SET number = number + 1 WHERE name = 'revision' RETURNING number"
            revision = int(self.rows(sql)[0][0])
        opened.doubtful = True
        self.run("COMMIT")
        return revision

    def _roll_back(self, opened: _Open) -> None:
        try:
            self.run("ROLLBACK")
        except PipelineError:
            # a failed COMMIT, or a dead instance, has already undone it; the first error is the one to tell
            self.connection.forget_cursor()
        if opened.doubtful and opened.instance != self.connection.instance:
            return  # it may be on the disk after all: its files stay, and the next open sees what belongs to what
        for act in opened.on_rollback:
            with suppress(PipelineError):
                act()

    def _migrate(self) -> None:
        self.run("CREATE TABLE IF NOT EXISTS schema_migrations (number INTEGER, applied_at TIMESTAMP)")
        done = int(self.rows("SELECT coalesce(max(number), 0) FROM schema_migrations")[0][0])
        if done > len(MIGRATIONS):
            raise StoreBroken(
                f"{self.path} has format {done}; this program knows formats up to {len(MIGRATIONS)}. "
                "Install the newer program that wrote it."
            )
        for number, statements in enumerate(MIGRATIONS[done:], start=done + 1):
            with self.transaction(revises=False):
                for statement in statements:
                    self.run(statement)
                self.run("INSERT INTO schema_migrations VALUES (?, ?)", [number, naive(self.now())])
