"""A file that is understood and whose rows are yet to be read: slices, and afterwards what reading did to them.

Neighbours: ``files`` makes it from what a format's reader ``opened``; a flow reads the slices and asks what was
``unpacked``. It refuses a file that turns out to hold no row, and a cell that is a document.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc

from pipeline_core.errors import Unreadable
from pipeline_core.records import Doubt, Reading, Unpacked
from pipeline_core.sources import simple
from pipeline_core.sources.opened import SLICE_ROWS, Asked, Ledger, Opened, arrived_columns, no_rows, printable

ALLOWED = "Allowed are CSV, JSON lines, Parquet, Arrow and Excel, also as .gz or .zst"


class Incoming:
    """A file that is understood, and whose rows are yet to be read; a context manager.

    Parameters
    ----------
    asked : Asked
        The file.
    opened : Opened
        What its format's reader made of it.
    """

    def __init__(self, asked: Asked, opened: Opened) -> None:
        self._asked = asked
        self._opened = opened
        self._ledger = Ledger()
        self._rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    @property
    def names(self) -> list[str]:
        """The columns' names: trimmed, normalised (NFC), unique whatever their case."""
        return list(self._opened.schema.names)

    @property
    def schema(self) -> pa.Schema:
        """Names and types of every slice."""
        return self._opened.schema

    @property
    def reading(self) -> Reading:
        """How it is read; complete for its format."""
        return self._opened.reading

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """What its content leaves open."""
        return self._opened.doubts

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out."""
        return self._opened.notes

    def slices(self) -> Iterator[pa.Table]:
        """Give the rows, at most ``SLICE_ROWS`` at a time, all slices of the same schema.

        Yields
        ------
        pa.Table
            Of int, float, decimal, bool, string, timestamp without a zone (UTC), date or null.

        Raises
        ------
        Unreadable
            The file turns out to be broken, to hold no row, or to unfold to more than is allowed.
        """
        self._ledger, self._rows = Ledger(), 0
        with Translated(self._asked.label):
            for part in self._opened.parts(self._ledger):
                for start in range(0, part.num_rows, SLICE_ROWS):
                    piece = part.slice(start, SLICE_ROWS)
                    _check_cells(piece, self._rows, self._asked.label)
                    self._rows += piece.num_rows
                    yield piece
        if not self._rows:
            raise Unreadable(no_rows(self._asked.label))

    def unpacked(self) -> Unpacked:
        """Tell what was read, once the slices were.

        Returns
        -------
        Unpacked
        """
        return Unpacked(
            rows=self._rows,
            columns=arrived_columns(self._opened.schema, self._ledger),
            reading=self._opened.reading,
            doubts=self._opened.doubts,
            notes=self._opened.notes,
        )


class Translated:
    """Says in one sentence what a foreign reader complains about; a context manager.

    Parameters
    ----------
    label : str
        What the file is called in messages.
    """

    def __init__(self, label: str) -> None:
        self._label = label

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, pa.ArrowException | OSError):
            cause = printable(str(error).split("\n", maxsplit=1)[0], most=300).rstrip(". ")
            raise Unreadable(
                f"File {self._label!r} cannot be read: {cause}. {ALLOWED}. Write it again and check that it arrived"
                " whole."
            ) from error


def _check_cells(piece: pa.Table, first_row: int, label: str) -> None:
    for name, column in zip(piece.column_names, piece.columns, strict=True):
        if not pa.types.is_string(column.type):
            continue
        longest = pc.max(pc.binary_length(column)).as_py() or 0
        if longest > simple.CELL_BYTES_MAX:
            row = first_row + pc.index(pc.binary_length(column), longest).as_py()
            raise Unreadable(
                f"File {label!r}: row {row:,} of column {printable(name)!r} is a text of {longest:,} bytes; up to"
                f" {simple.CELL_BYTES_MAX:,} are allowed. Leave that column out, or mend the cell (a quote that is never"
                " closed?)."
            )
