"""What was done to the cells of a column: counted by kind, with examples, and never left out.

``Marks`` say which cells of a slice a conversion changed, ``Ledger`` adds them up over a batch, ``merge_changes`` puts
what reading did before what typing did. Neighbours: ``conversion`` makes the marks, ``rows`` keeps a ledger per
column, a screen shows it. It refuses to judge: a change is no finding until somebody says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline_core.records import EXAMPLES_MAX, Change, ColumnArrival, Example, Unpacked
from pipeline_core.stages.validation.cells import FAILED, Mask

KINDS = {
    FAILED: "the cell is no value of the column's type and became a null",
    "null_word": "the cell held a blank or a word for 'no value' and became a null",
    "nan": "the cell held NaN (not a number) and became a null",
    "no_class": "the label is no class of the model and became a null",
    "trimmed": "blanks at the ends of the text were cut off",
    "whole_number": "a whole number that is a category is written without its point (3.0 is 3)",
    "case": "true and false are written in small letters",
    "boolean": "true became 1 and false became 0",
    "parsed": "text was read as a number or a time",
    "epoch": "a number was read as a time since 1970",
    "zone": "a time with a zone of its own was turned into UTC",
    "rounded": "digits were lost: a number beyond 15 digits, a time finer than a microsecond",
    "nested": "a list or a structure is kept as its text",
}
"""The kinds of change that typing makes, with what each means."""

TEXT_MAX = 200


@dataclass(slots=True)
class Entry:
    """One kind of change in one column, as far as it has been counted."""

    rows: int = 0
    examples: list[Example] = field(default_factory=list)


@dataclass(slots=True)
class Ledger:
    """What was done to one column, slice after slice."""

    entries: dict[str, Entry] = field(default_factory=dict)

    def add(self, marks: Mapping[str, Mask], *, arrived: pa.Array, stored: pa.Array, first_row: int) -> None:
        """Count the changes of a slice.

        Parameters
        ----------
        marks : mapping of str to array of bool
            By kind of change: which cells of the slice.
        arrived, stored : pa.Array
            The cells before and after.
        first_row : int
            The row number of the slice's first cell.
        """
        for kind, mask in marks.items():
            rows = int(np.count_nonzero(mask))
            if not rows:
                continue
            entry = self.entries.setdefault(kind, Entry())
            entry.rows += rows
            wanted = EXAMPLES_MAX - len(entry.examples)
            if wanted > 0:
                places = np.flatnonzero(mask)[:wanted].tolist()
                entry.examples.extend(_example(arrived[i], stored[i], row_number=first_row + i) for i in places)

    def rows(self, kind: str) -> int:
        """Give how many cells were changed in that way."""
        return self.entries[kind].rows if kind in self.entries else 0

    def examples(self, kind: str) -> tuple[Example, ...]:
        """Give the first cells that were changed in that way."""
        return tuple(self.entries[kind].examples) if kind in self.entries else ()

    def changes(self) -> tuple[Change, ...]:
        """Give what was done so far, in the order of ``KINDS``."""
        kinds = sorted(self.entries, key=list(KINDS).index)
        return tuple(Change(kind=k, rows=self.rows(k), examples=self.examples(k)) for k in kinds)


def merge_changes(unpacked: Unpacked, arrivals: Iterable[ColumnArrival]) -> tuple[ColumnArrival, ...]:
    """Put what reading changed before what typing changed, column by column.

    Where reading has a word of its own for what a column arrived as (text of which it made numbers), that word stands.

    Parameters
    ----------
    unpacked : Unpacked
        What the file was found to hold.
    arrivals : iterable of ColumnArrival
        Of the same file, as typed.

    Returns
    -------
    tuple of ColumnArrival
        In the order of ``arrivals``.
    """
    read = {column.name: column for column in unpacked.columns}
    merged = []
    for arrival in arrivals:
        before = read.get(arrival.column)
        if before is None:
            merged.append(arrival)
        else:
            changes = (*before.changes, *arrival.changes)
            merged.append(replace(arrival, arrived=before.arrived or arrival.arrived, changes=changes))
    return tuple(merged)


def as_text(value: Any) -> str:
    """Write a cell as a person would: ``2.5``, ``2024-05-01 12:30:00``, no more than ``TEXT_MAX`` characters.

    Parameters
    ----------
    value : Any
        A Python value.

    Returns
    -------
    str
    """
    if isinstance(value, datetime):
        text = value.isoformat(sep=" ")
    elif isinstance(value, date):
        text = value.isoformat()
    elif isinstance(value, float):
        text = repr(value).removesuffix(".0")
    else:
        text = str(value)
    return text if len(text) <= TEXT_MAX else f"{text[: TEXT_MAX - 1]}…"


def _example(arrived: pa.Scalar, stored: pa.Scalar, *, row_number: int) -> Example:
    became = stored.as_py()
    return Example(
        row_number=row_number, arrived=_arrived_text(arrived), stored=None if became is None else as_text(became)
    )


def _arrived_text(cell: pa.Scalar) -> str:
    try:
        return as_text(cell.as_py())
    except (ValueError, OverflowError):
        # a time beyond what Python's calendar holds: said in ticks
        return as_text(cell.cast(pa.int64()).as_py())
