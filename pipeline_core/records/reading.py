"""How a file was read, and what reading and typing did to its cells: the ledger of a batch."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

EXAMPLES_MAX = 20
"""Examples kept of each kind of change in a column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How a file is read: what a person asked for, or what was used. None: found out from the content.

    ``format`` is csv, json, parquet, arrow or excel; ``encoding`` a Python codec; ``delimiter`` one character;
    ``decimal`` ``.`` or ``,``; ``date_order`` ymd, dmy or mdy; ``header`` whether the first row holds names;
    ``names`` those of a file without; ``nulls`` cells that mean "no value" beside the usual words; ``sheet`` of a
    workbook.
    """

    format: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    decimal: str | None = None
    date_order: str | None = None
    header: bool | None = None
    names: tuple[str, ...] = ()
    nulls: tuple[str, ...] = ()
    sheet: str | None = None

    def over(self, other: Reading) -> Reading:
        """Give what is said here, and what the other one says where this one is silent."""
        said = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) not in {None, ()}}
        return replace(other, **said)


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """A choice that the content does not settle. ``topic`` is a field of ``Reading``; ``chosen`` was taken.

    ``options`` are what a person may say instead, ``message`` says why it matters and which flag settles it;
    ``blocking``: nothing is stored before somebody has said.
    """

    topic: str
    chosen: str
    options: tuple[str, ...]
    message: str
    column: str | None = None
    blocking: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One cell: its row (from 0 in the file), what arrived, what it became (None: a null)."""

    row_number: int
    arrived: str
    stored: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One kind of change in one column: ``rows`` cells, with up to ``EXAMPLES_MAX`` of them.

    ``kind`` is a word of ``docs/findings.md`` (the ledger): null_word, trimmed, decimal_comma, thousands,
    date_order, boolean, whole_number, case, nested, epoch, failed ...
    """

    kind: str
    rows: int
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivedColumn:
    """A column of a file: its name, the word for its type (``text``, ``integer``, ...), and what reading changed."""

    name: str
    arrived: str
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked:
    """What a file was found to hold. ``notes`` tell what was left out ("114 empty rows at the end")."""

    rows: int
    columns: tuple[ArrivedColumn, ...]
    reading: Reading
    doubts: tuple[Doubt, ...] = ()
    notes: tuple[str, ...] = ()
