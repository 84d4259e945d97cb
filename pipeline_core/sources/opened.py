"""What the readers of the single formats are asked, and what they give back: names, a choice of reading, slices.

Neighbours: every format's module takes an ``Asked`` and gives an ``Opened``; ``files`` chooses the module and hands the
slices on. ``Ledger`` is where a reader says what it did to a cell. It refuses nothing: it only holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline_core.policy import Policy
from pipeline_core.records import EXAMPLES_MAX, ArrivedColumn, Change, Doubt, Example, Reading

# a small file can unfold into gigabytes (dictionaries, compression): the limit is on what it unfolds to
UNFOLDED_FACTOR = 4
SLICE_ROWS = 65_536
SHOWN_CHARACTERS = 40
EXAMPLE_CHARACTERS = 200

_WORDS = (
    (pa.types.is_null, "empty"),
    (pa.types.is_boolean, "true/false"),
    (pa.types.is_integer, "integer"),
    (pa.types.is_floating, "decimal"),
    (pa.types.is_decimal, "decimal"),
    (pa.types.is_timestamp, "timestamp"),
    (pa.types.is_date, "date"),
    (pa.types.is_string, "text"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A file and how it is to be read: ``reading`` is an order, ``remembered`` settles what content leaves open.

    ``label`` is its name in messages; ``work`` a folder that is thrown away; ``partial``: only the beginning is there,
    so that its end may be torn.
    """

    path: Path
    label: str
    reading: Reading
    remembered: Reading
    policy: Policy
    work: Path
    partial: bool = False

    @property
    def limit(self) -> int:
        """How many bytes the file may unfold to."""
        return UNFOLDED_FACTOR * self.policy.upload_bytes_max

    def at(self, path: Path) -> Asked:
        """Give the same order for another file: what this one unfolded to."""
        return replace(self, path=path)

    def settled(self, topic: str) -> Any:
        """Give what was asked on a topic, or else what is remembered; None (or nothing) where nobody has said."""
        return getattr(self.reading, topic) or getattr(self.remembered, topic)


class Ledger:
    """What reading changed, by column name and kind; counts every cell, keeps the first few."""

    def __init__(self) -> None:
        self._kinds: dict[str, dict[str, tuple[int, list[Example]]]] = {}

    def add(
        self, column: str, kind: str, *, changed: pa.Array, arrived: pa.Array, stored: pa.Array | None, first_row: int
    ) -> None:
        """Count the changed cells of a slice and keep examples.

        Parameters
        ----------
        column : str
            Its display name.
        kind : str
            A word of the ledger.
        changed : pa.Array
            Of bool, one a row; null is no.
        arrived : pa.Array
            The cells as they arrived.
        stored : pa.Array or None
            What they became; None: a null each.
        first_row : int
            The row number of the slice's first row.
        """
        rows = pc.sum(changed).as_py() or 0
        if not rows:
            return
        known, examples = self._kinds.setdefault(column, {}).get(kind, (0, []))
        if len(examples) < EXAMPLES_MAX:
            for at in _places(changed, EXAMPLES_MAX - len(examples)):
                now = None if stored is None else _shown(stored[at].as_py())
                examples.append(
                    Example(row_number=first_row + at, arrived=_shown(arrived[at].as_py()) or "", stored=now)
                )
        self._kinds[column][kind] = (known + rows, examples)

    def changes(self, column: str) -> tuple[Change, ...]:
        """Give what was changed in a column, by kind: where a slice ends makes no difference."""
        kinds = self._kinds.get(column, {})
        return tuple(Change(kind=kind, rows=rows, examples=tuple(some)) for kind, (rows, some) in sorted(kinds.items()))


Parts = Callable[[Ledger], Iterator[pa.Table]]
"""Gives the slices from the beginning, whatever their length; says in the ledger what it changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A file of one format, understood but not yet read: ``parts`` gives its rows, with the columns of ``schema``.

    ``reading`` is what is used; ``doubts`` are what its content leaves open, ``notes`` what was left out.
    """

    schema: pa.Schema
    parts: Parts
    reading: Reading
    doubts: tuple[Doubt, ...] = ()
    notes: tuple[str, ...] = ()
    close: Callable[[], None] = field(default=lambda: None)


def arrived_columns(schema: pa.Schema, ledger: Ledger) -> tuple[ArrivedColumn, ...]:
    """Describe the columns of a file: name, word of its type, changes.

    Parameters
    ----------
    schema : pa.Schema
        Of the slices.
    ledger : Ledger
        What was changed.

    Returns
    -------
    tuple of ArrivedColumn
    """
    return tuple(ArrivedColumn(name=f.name, arrived=word(f.type), changes=ledger.changes(f.name)) for f in schema)


def word(kind: pa.DataType) -> str:
    """Say in a word what a column arrived as.

    Parameters
    ----------
    kind : pa.DataType
        Its type.

    Returns
    -------
    str
    """
    return next((name for is_kind, name in _WORDS if is_kind(kind)), str(kind))


def printable(text: str, *, most: int = SHOWN_CHARACTERS) -> str:
    """Make what a stranger wrote fit for messages, terminals and logs: nothing invisible, nothing endless.

    Parameters
    ----------
    text : str
        Anything.
    most : int
        Characters shown.

    Returns
    -------
    str
    """
    shown = "".join(c if c.isprintable() else "�" for c in text[: most + 1])
    return shown if len(shown) <= most else f"{shown[:most]}…"


def no_rows(label: str) -> str:
    """Say that a file holds no row.

    Parameters
    ----------
    label : str
        Its name.

    Returns
    -------
    str
    """
    return f"File {label!r} has columns but no rows. Send it again when it has at least one."


def listed(texts: Sequence[str], *, most: int = 5) -> str:
    """Write some texts of a stranger one after the other, quoted.

    Parameters
    ----------
    texts : sequence of str
        Names or cells.
    most : int
        How many are shown.

    Returns
    -------
    str
    """
    shown = ", ".join(repr(printable(t)) for t in texts[:most])
    return f"{shown} …" if len(texts) > most else shown


def _shown(value: object) -> str | None:
    return None if value is None else str(value)[:EXAMPLE_CHARACTERS]


def _places(changed: pa.Array, most: int) -> list[int]:
    filled = changed.fill_null(False)  # ruff: ignore[boolean-positional-value-in-call] - pyarrow's own parameter
    return [int(at) for at in np.flatnonzero(filled.to_numpy(zero_copy_only=False))[:most]]
