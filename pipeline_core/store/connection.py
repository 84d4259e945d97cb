"""The open DuckDB file: a cursor for each thread, its errors in our words, and a new start after a fatal one.

Neighbours: ``database`` speaks SQL through the cursors, ``wal`` helps where the file cannot be opened for its log.
Foreign exceptions of ``duckdb`` are translated here and nowhere else. It refuses to go on as if nothing had been when
DuckDB was invalidated in the middle of a transaction: the instance gets another number.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb

from pipeline_core.clock import Clock
from pipeline_core.errors import PipelineError, Stale, StoreBroken
from pipeline_core.store.wal import open_without

LOGGER = logging.getLogger(__name__)
_CONFIG = {
    # nothing is downloaded, and no Python variable is readable from SQL by its name
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",
    # whatever the size of a batch, its owner stays small: beyond this, sorts and joins go to the disk
    "memory_limit": "500MB",
    "threads": str(min(4, os.cpu_count() or 1)),
}
_SPILL = ("work", "spill")
_BROKEN = (
    duckdb.FatalException,
    duckdb.InternalException,
    duckdb.IOException,
    duckdb.SerializationException,
    duckdb.InvalidInputException,
)


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
        if "no space left" in str(error).lower():
            raise StoreBroken(f"{path} cannot be written: {_cause(error)}. Free disk space, then try again.") from error
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


class Connection:
    """One open file. Threads may share it; each has a cursor of its own.

    Parameters
    ----------
    path : Path
        The DuckDB file; made when absent.
    now : callable
        What the time is: names what is set aside of a broken file.

    Attributes
    ----------
    instance : int
        How often the file had to be opened again.
    notices : tuple of str
        Sentences about what was found damaged.

    Raises
    ------
    StoreBroken
        The file is damaged.
    """

    def __init__(self, path: Path, *, now: Clock) -> None:
        self.path = path
        self.instance = 0
        self.notices: tuple[str, ...] = ()
        self._now = now
        self._local = threading.local()
        self._cursors: weakref.WeakSet[Any] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._closed = self._dead = False
        with translated(path):
            self._root = self._connect()

    def cursor(self) -> Any:
        """Give this thread's cursor, of a file that was opened again if it had to be.

        Returns
        -------
        cursor

        Raises
        ------
        StoreBroken
            It was closed, or cannot be opened again.
        """
        if self._closed:
            raise StoreBroken(f"{self.path} was closed. Open the store again.")
        if self._dead:
            self._reopen()
        instance, cursor = getattr(self._local, "cursor", None) or (-1, None)
        if instance != self.instance:
            with self._lock:
                instance, cursor = self.instance, self._root.cursor()
                self._cursors.add(cursor)
            self._local.cursor = (instance, cursor)
        return cursor

    def forget_cursor(self) -> None:
        """Let this thread have a new cursor: nobody knows what state the old one is in."""
        self._local.cursor = None

    @contextmanager
    def speaking(self) -> Generator[None]:
        """Translate what a statement raises, and notice when DuckDB answers nobody any more.

        Yields
        ------
        None

        Raises
        ------
        StoreBroken
            See ``translated``.
        """
        try:
            with translated(self.path):
                yield
        except StoreBroken as error:
            self._dead |= isinstance(error.__cause__, duckdb.FatalException)
            raise

    def close(self) -> None:
        """Close the file for every thread; calling it again does nothing."""
        with self._lock:
            self._closed = True
            self._drop()

    def _reopen(self) -> None:
        with self._lock:
            if not self._dead:
                return
            self._drop()
            with translated(self.path):
                self._root = self._connect()
            self.instance += 1
            self._dead = False
            LOGGER.warning("%s was opened again after a fatal error.", self.path)

    def _drop(self) -> None:
        for connection in [*self._cursors, self._root]:
            with suppress(duckdb.Error):  # of a dead instance; nothing can be done about it
                connection.close()
        self._cursors.clear()

    def _connect(self) -> Any:
        def connect() -> Any:
            spill = self.path.parent.joinpath(*_SPILL)
            return duckdb.connect(str(self.path), config={**_CONFIG, "temp_directory": str(spill)})

        try:
            return connect()
        except duckdb.Error as error:
            connection, notice = open_without(self.path, connect, error=error, at=self._now())
            self.notices = (*self.notices, notice)
            return connection
