"""One DuckDB file in one process: a cursor per thread, one writer at a time, and a revision.

Neighbours: ``ownership`` holds the lock that makes this process the only one; the rooms (``batches``, ``models``,
``signals``, ``jobs``) speak SQL through ``rows``, ``table`` and ``run`` only. Foreign exceptions of ``duckdb`` are
translated here and nowhere else. It refuses to hand out a connection: since DuckDB 2.0 results stream, and an
unread one would block the connection's next statement, so every answer is fetched at once.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from pipeline_core.clock import Clock, machine_clock
from pipeline_core.errors import PipelineError, Stale, StoreBroken
from pipeline_core.sql import identifier, text
from pipeline_core.store.migrations import MIGRATIONS

_CONFIG = {
    # nothing is downloaded, and no Python variable is readable from SQL by its name
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",
}
_BROKEN = (
    duckdb.FatalException,
    duckdb.InternalException,
    duckdb.IOException,
    duckdb.SerializationException,
    duckdb.InvalidInputException,
)


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


@contextmanager
def translated(path: Path) -> Generator[None]:
    """Turn what DuckDB raises into what the house raises, naming the file.

    Parameters
    ----------
    path : Path
        The store's file.

    Yields
    ------
    None

    Raises
    ------
    StoreBroken
        The file or one beside it is damaged, unreadable or cannot be written.
    Stale
        Two writers met.
    PipelineError
        Anything else that DuckDB refuses.
    """
    try:
        yield
    except duckdb.TransactionException as error:
        if "conflict" in str(error).lower():
            raise Stale(f"Another write to {path} came first. Reload and try again.") from error
        raise StoreBroken(
            f"{path} cannot be written: {_cause(error)}. Check the free disk space, then start again."
        ) from error
    except duckdb.OutOfMemoryException as error:
        raise PipelineError(f"Memory ran out: {_cause(error)}. Choose fewer rows, or free memory.") from error
    except duckdb.Error as error:
        # a wrong checksum comes as the plain class
        if isinstance(error, _BROKEN) or "corrupt" in str(error).lower():
            raise StoreBroken(
                f"{path} cannot be trusted: {_cause(error)}. Stop the app, and put back a copy of the home folder; what"
                " was received since then is in its raw folder, file by file."
            ) from error
        raise PipelineError(f"The store {path} refused a statement: {_cause(error)}. Please report this.") from error


def _cause(error: Exception) -> str:
    """Give the first line of what DuckDB says: behind it come excerpts of our own statements."""
    return str(error).split("\n", maxsplit=1)[0].rstrip(" .!")


@dataclass(slots=True)
class _Open:
    """A transaction that a thread has open."""

    revises: bool = False
    failed: bool = False
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
        self._cursors: weakref.WeakSet[Any] = weakref.WeakSet()
        self._cursors_lock = threading.Lock()
        self._closed = False
        if path.exists() and path.stat().st_size == 0:
            path.unlink()  # a process died between making the file and writing its head: nothing was in it
        with translated(path):
            self._root = duckdb.connect(str(path), config=_CONFIG)
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
        with translated(self.path):
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
        with translated(self.path):
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
        with translated(self.path):
            cursor.register("incoming", table)
        try:
            yield
        finally:
            with translated(self.path):
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
            for act in opened.on_commit:
                act()

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
        with self._writer, self._cursors_lock:
            self._closed = True
            for cursor in list(self._cursors):
                cursor.close()
            self._root.close()

    def _cursor(self) -> Any:
        if self._closed:
            raise StoreBroken(f"{self.path} was closed. Open the store again.")
        cursor = getattr(self._local, "cursor", None)
        if cursor is None:
            with self._cursors_lock:
                cursor = self._root.cursor()
                self._cursors.add(cursor)
            self._local.cursor = cursor
        return cursor

    def _commit(self, opened: _Open) -> int:
        if opened.failed:
            raise StoreBroken("A part of this transaction failed, so nothing of it was written. Try again.")
        revision = self._revision
        if opened.revises:
            sql = "UPDATE meta SET number = number + 1 WHERE name = 'revision' RETURNING number"
            revision = int(self.rows(sql)[0][0])
        self.run("COMMIT")
        return revision

    def _roll_back(self, opened: _Open) -> None:
        try:
            with translated(self.path):
                self._cursor().execute("ROLLBACK")
        except PipelineError:
            # a failed COMMIT, or a dead instance, has already undone it; the first error is the one to tell
            self._local.cursor = None
        for act in opened.on_rollback:
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
