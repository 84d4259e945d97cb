"""One in-memory DuckDB: its settings, and its errors as sentences.

Neighbours: ``duck`` and what it is made of send statements. It refuses extensions from the network, and to write
anything but spilled rows into the folder that it is given.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import duckdb
import pyarrow as pa

from pipeline_core.errors import Unreadable

STREAMED_ROWS = 122_880


class Connection:
    """A DuckDB that forgets everything when it is closed.

    Parameters
    ----------
    threads : int or None
        At most this many; None: two, which cost the least CPU on shared cores.
    memory_limit : str
        DuckDB's own limit; beyond it it spills to ``work``.
    work : Path or None
        Scratch folder for spilling; None: never spill.
    """

    def __init__(self, threads: int | None, *, memory_limit: str, work: Path | None) -> None:
        self._settings: dict[str, str | bool | int | float | list[str]] = {
            "threads": threads or min(2, os.cpu_count() or 1),
            "memory_limit": memory_limit,
            "perfect_ht_threshold": 18,
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "temp_directory": str(work) if work else "",
        }

    @cached_property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        # opened when it is first asked: half of the clicks on a chart are answered from stored counts alone
        return duckdb.connect(":memory:", config=self._settings)

    def close(self) -> None:
        """Give the memory back."""
        if "_connection" in self.__dict__:
            self._connection.close()

    def register(self, name: str, table: pa.Table) -> None:
        """Make a table known by a name, until the end.

        Parameters
        ----------
        name : str
            Unquoted.
        table : pa.Table
            It must live as long as it is used.
        """
        self._connection.register(name, table)

    @contextmanager
    def registered(self, name: str, table: pa.Table) -> Generator[None]:
        """Make a table known by a name for a while.

        Parameters
        ----------
        name : str
            Unquoted.
        table : pa.Table
            Any.
        """
        self._connection.register(name, table)
        try:
            yield
        finally:
            self._connection.unregister(name)

    def run(self, statement: str) -> None:
        """Run a statement that gives nothing.

        Parameters
        ----------
        statement : str
            SQL.

        Raises
        ------
        Unreadable
            A file is missing, is no Parquet or has other columns; or memory is too small.
        """
        with _translated():
            self._connection.execute(statement).fetchall()

    def table(self, statement: str) -> pa.Table:
        """Run a statement and give its rows.

        Parameters
        ----------
        statement : str
            SQL.

        Returns
        -------
        pa.Table

        Raises
        ------
        Unreadable
            As ``run``.
        """
        with _translated():
            return self._connection.sql(statement).to_arrow_table()

    def stream(self, statement: str) -> Iterator[pa.RecordBatch]:
        """Run a statement and give its rows bit by bit.

        Parameters
        ----------
        statement : str
            SQL; nothing else may run before the last bit is taken.

        Yields
        ------
        pa.RecordBatch

        Raises
        ------
        Unreadable
            As ``run``.
        """
        with _translated():
            yield from self._connection.sql(statement).to_arrow_reader(STREAMED_ROWS)


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
