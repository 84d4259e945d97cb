"""What the text cells of a file become: the type that every cell of a column agrees with, decided once, given slice by slice.

Two passes over the same cells: the first gathers ``evidence``, the second casts. A cell that nobody can read costs its
column no more than the type; where the mark or the order was told, the cells that fit are written in the usual way and
the others stay as they are, so that only these fail later. Neighbours: ``delimited`` and ``excel`` give cells, ``forms``
knows the ways of writing. It refuses to choose silently between two readings that fit: that is a doubt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from pipeline_core.records import Doubt
from pipeline_core.sources import forms
from pipeline_core.sources.evidence import Evidence, as_numbers, without_words
from pipeline_core.sources.forms import Form
from pipeline_core.sources.judgement import Choice, Judge
from pipeline_core.sources.opened import SLICE_ROWS, Asked, Ledger

Source = Callable[[Sequence[pa.DataType]], Iterator[pa.RecordBatch]]
"""Gives the cells from the beginning: columns of string by position, an empty cell is a null.

A source may give a column of numbers as what its type says, if it can; a type that is no number's is text.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """The cells of a file, judged: ``schema`` and ``tables`` leave out what is empty; ``decimal`` and ``date_order`` are used."""

    schema: pa.Schema
    rows: int
    tables: Callable[[Ledger], Iterator[pa.Table]]
    doubts: tuple[Doubt, ...]
    notes: tuple[str, ...]
    decimal: str
    date_order: str | None


def judge(
    source: Source, names: Sequence[str], asked: Asked, *, delimiter: str | None, nameless: Sequence[bool]
) -> Body:
    """Look at every cell once and decide what each column is.

    Parameters
    ----------
    source : Source
        The cells; read once here and once for the tables.
    names : sequence of str
        Of all columns, checked; blank where ``nameless``.
    asked : Asked
        Marks, order and null words that were told.
    delimiter : str or None
        What stands between the fields, if anything does.
    nameless : sequence of bool
        Columns that are left out if they hold nothing.

    Returns
    -------
    Body
    """
    known = asked.reading.over(asked.remembered)
    nulls = pa.array([*forms.NULL_WORDS, *(w.strip() for w in null_words(asked))])
    ways = forms.all_forms(told=known.date_order is not None)
    if delimiter is not None:
        del ways["clock"]
    wanted = frozenset(ways) & {known.date_order or "", "comma" if known.decimal == "," else ""}
    columns = [Evidence(all_forms=ways, wanted=wanted, nulls=nulls) for _ in names]
    rows = 0
    for batch in source([pa.string()] * len(names)):
        for column, cells in zip(columns, batch.columns, strict=True):
            column.look(cells, rows)
        rows += batch.num_rows
    filled = max((c.filled for c in columns), default=0)
    kept = [i for i, c in enumerate(columns) if c.cells or not nameless[i]]
    judge_ = Judge(asked=asked, delimiter=delimiter, names=[names[i] for i in kept], columns=[columns[i] for i in kept])
    choices = judge_.choices()
    schema = pa.schema([(names[i], c.type) for i, c in zip(kept, choices, strict=True)])
    kinds = [pa.string()] * len(names)
    for position, choice in zip(kept, choices, strict=True):
        if choice.kind == "number" and columns[position].clean:
            kinds[position] = choice.type
    cast = _Cast(choices=choices, kept=kept, schema=schema, nulls=nulls, markers=_markers(asked), ways=ways)
    return Body(
        schema=schema,
        rows=filled,
        tables=lambda ledger: cast.tables(source(kinds), filled, ledger),
        doubts=judge_.doubts,
        notes=_left_out(rows - filled, len(names) - len(kept)),
        decimal=judge_.decimal,
        date_order=judge_.date_order,
    )


def _markers(asked: Asked) -> list[float]:
    found = []
    for word in null_words(asked):
        try:
            found.append(float(word.strip().replace(",", ".")))
        except ValueError:
            continue
    return found


def without_told_nulls(table: pa.Table, asked: Asked, ledger: Ledger, first_row: int) -> pa.Table:
    """Make nulls of the cells that a person said mean "no value", in columns that are no CSV's.

    Parameters
    ----------
    table : pa.Table
        Of simple types.
    asked : Asked
        The words; numbers among them are held against numbers.
    ledger : Ledger
        Where it is said.
    first_row : int
        The row number of the first.

    Returns
    -------
    pa.Table
    """
    told = null_words(asked)
    if not told:
        return table
    words, markers = pa.array([w.strip() for w in told], pa.string()), _markers(asked)
    for position, name in enumerate(table.column_names):
        column = table.column(position).combine_chunks()
        is_text = pa.types.is_string(column.type)
        mask = _any(_among(pc.utf8_trim_whitespace(column), words)) if is_text else _marked(column, markers)
        if mask is not None:
            ledger.add(name, "null_word", changed=mask, arrived=column, stored=None, first_row=first_row)
            column = pc.if_else(mask, pa.scalar(None, column.type), column)
            table = table.set_column(position, table.schema.field(position), column)
    return table


def null_words(asked: Asked) -> tuple[str, ...]:
    """Give the words that a person said mean "no value", now or for an earlier file.

    Parameters
    ----------
    asked : Asked
        The order.

    Returns
    -------
    tuple of str
    """
    return tuple(dict.fromkeys((*asked.reading.nulls, *asked.remembered.nulls)))


def _among(column: pa.Array, words: pa.Array) -> pa.Array:
    return pc.is_in(column, value_set=words, skip_nulls=True)


def _marked(column: pa.Array, markers: Sequence[float]) -> pa.Array | None:
    if not markers or not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        return None
    return _any(_among(column.cast(pa.float64(), safe=False), pa.array(markers, pa.float64())))


def _any(mask: pa.Array) -> pa.Array | None:
    return mask if pc.any(mask).as_py() else None


def _left_out(rows: int, columns: int) -> tuple[str, ...]:
    notes = []
    if rows:
        notes.append(f"{rows:,} empty row{'s' if rows > 1 else ''} at the end left out.")
    if columns:
        notes.append(f"{columns:,} empty column{'s' if columns > 1 else ''} without a name left out.")
    return tuple(notes)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cast:
    """The second pass."""

    choices: Sequence[Choice]
    kept: Sequence[int]
    schema: pa.Schema
    nulls: pa.Array
    markers: Sequence[float]
    ways: dict[str, Form]

    def tables(self, batches: Iterator[pa.RecordBatch], rows: int, ledger: Ledger) -> Iterator[pa.Table]:
        done = 0
        for batch in batches:
            for start in range(0, min(batch.num_rows, rows - done), SLICE_ROWS):
                piece = batch.slice(start, min(SLICE_ROWS, rows - done - start))
                columns = [self._column(i, piece.column(at), ledger, done + start) for i, at in enumerate(self.kept)]
                yield pa.Table.from_arrays(columns, schema=self.schema)
            done += batch.num_rows
            if done >= rows:
                return

    def _column(self, position: int, raw: pa.Array, ledger: Ledger, first_row: int) -> pa.Array:
        choice, name = self.choices[position], self.schema.names[position]
        if not pa.types.is_string(raw.type):
            return self._without_markers(raw, raw, name, ledger, first_row)
        if choice.kind == "number":
            numbers, _ = as_numbers(raw, whole=pa.types.is_integer(choice.type))
            if numbers is not None:
                return self._without_markers(numbers, raw, name, ledger, first_row)
        values = without_words(raw, self.nulls)
        self._note_trimming(raw, values, name, ledger, first_row)
        if choice.kind == "number":
            numbers, _ = as_numbers(values, whole=pa.types.is_integer(choice.type))
            if numbers is None:  # all of them were numbers a moment ago
                raise pa.ArrowInvalid("the file changed while it was read")
            return self._without_markers(numbers, raw, name, ledger, first_row)
        if choice.kind == "text":
            return self._loose(choice, values, name, ledger, first_row) if choice.loose else values
        if choice.kind == "empty":
            return pa.nulls(len(raw))
        return self._form(choice, values, name, ledger, first_row)

    def _form(self, choice: Choice, values: pa.Array, name: str, ledger: Ledger, first_row: int) -> pa.Array:
        form = self.ways[choice.kind]
        coded = values.dictionary_encode()
        read = form.read(coded.dictionary).cast(choice.type)
        stored = read.take(coded.indices)
        if form.change is not None:
            kind = choice.change or form.change
            changed = pc.match_substring_regex(coded.dictionary, form.marks).take(coded.indices)
            ledger.add(name, kind, changed=changed, arrived=values, stored=stored, first_row=first_row)
        return self._without_markers(stored, values, name, ledger, first_row)

    def _loose(self, choice: Choice, values: pa.Array, name: str, ledger: Ledger, first_row: int) -> pa.Array:
        """Write the cells that fit what was told in the usual way, and leave the others as they are."""
        form = self.ways[choice.loose or ""]
        coded = values.dictionary_encode()
        texts = coded.dictionary
        fits = form.fits(texts)
        read = form.read(pc.if_else(fits, texts, None)).cast(pa.string())
        read = pc.replace_substring(read, " ", "T") if form.change == "date_order" else read
        stored = pc.coalesce(read, texts).take(coded.indices)
        changed = pc.fill_null(pc.not_equal(stored, values), False)  # ruff: ignore[boolean-positional-value-in-call] - pyarrow's own parameter
        ledger.add(name, form.change or "", changed=changed, arrived=values, stored=stored, first_row=first_row)
        return stored

    def _note_trimming(self, raw: pa.Array, values: pa.Array, name: str, ledger: Ledger, first_row: int) -> None:
        if values.null_count > raw.null_count:
            words = pc.and_(raw.is_valid(), values.is_null())
            ledger.add(name, "null_word", changed=words, arrived=raw, stored=None, first_row=first_row)
        trimmed = pc.not_equal(pc.binary_length(raw), pc.binary_length(values))
        ledger.add(name, "trimmed", changed=trimmed, arrived=raw, stored=values, first_row=first_row)

    def _without_markers(self, stored: pa.Array, raw: pa.Array, name: str, ledger: Ledger, first_row: int) -> pa.Array:
        marked = _marked(stored, self.markers)
        if marked is None:
            return stored
        ledger.add(name, "null_word", changed=marked, arrived=raw, stored=None, first_row=first_row)
        return pc.if_else(marked, None, stored)
