"""The rows of a batch as they will be stored, slice by slice, and what became of every column.

``Typing`` holds what has to be known across slices: the ledgers, the ends of numbers, the unit of epoch times, which
rows break a rule about rows. Memory is a slice, and a few bytes per row. Neighbours: ``conversion`` does a column of a
slice, ``ledger`` counts the changes, ``checks`` judges the batch. It refuses to drop a row: what breaks a rule is listed
in ``aside``, and somebody else decides.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline_core.records import Column, ColumnArrival, ColumnType, Finding, Role, Schema, Severity, Task, TimeUnit
from pipeline_core.stages.validation.asides import Asides
from pipeline_core.stages.validation.cells import FAILED, Converted, mask_of, valid
from pipeline_core.stages.validation.codes import FindingCode, percent
from pipeline_core.stages.validation.conversion import NOT_STORED, arrived_name, convert_cells, storage
from pipeline_core.stages.validation.ledger import Ledger
from pipeline_core.stages.validation.moments import DAY_US, SECOND_US, US, epoch_unit, from_epoch, is_number

SLICE_ROWS = 1 << 20
EXTRA_LEVELS_MAX = 1_000
"""Distinct values of an unknown column are counted up to here."""

FUTURE_MAX = timedelta(days=1)

_SHOWN = 3
_SHOWN_TEXT = 40
_WANTED = {
    ColumnType.NUMBER: "a number up to 1e38",
    ColumnType.CATEGORY: "text",
    ColumnType.TIMESTAMP: "a time (ISO 8601, or a number of seconds to nanoseconds since 1970)",
}
ROW_RULED = frozenset({Role.FEATURE, Role.TIME, Role.ID})
"""Columns of these roles break a rule about the row with a cell that is lost; of others only the cell is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedRows:
    """A batch as it will be stored, and what that did to it.

    ``rows`` has ``row_id``, ``row_number``, ``event_at`` and a column per schema column, named by
    ``column_id``. ``arrivals`` describes every column of the file, then nothing else. ``failures`` are
    warnings until ``check`` knows the policy; their ``value`` is the share of the rows.
    """

    rows: pa.Table
    arrivals: tuple[ColumnArrival, ...]
    failures: tuple[Finding, ...]


def type_rows(table: pa.Table, schema: Schema, *, sha256: str, received_at: datetime) -> TypedRows:
    """Give all rows of a small file the schema's types.

    Parameters
    ----------
    table : pa.Table
        As read, columns by display name.
    schema : Schema
        Columns, time unit, classes (empty: not known yet).
    sha256 : str
        Of the file's bytes; names rows that have no id.
    received_at : datetime
        The event time of models without one.

    Returns
    -------
    TypedRows
    """
    typing = Typing(schema, sha256=sha256, received_at=received_at)
    parts = [typing.rows(table.slice(first, SLICE_ROWS)) for first in range(0, max(table.num_rows, 1), SLICE_ROWS)]
    return TypedRows(rows=pa.concat_tables(parts), arrivals=typing.arrivals(), failures=typing.failures())


@dataclass(slots=True)
class _Seen:
    """One column of the file, as far as it has come."""

    arrived: str = "empty"
    ledger: Ledger = field(default_factory=Ledger)
    nulls: int = 0
    low: float | None = None
    high: float | None = None
    us_each: float | None = None
    levels: set[object] | None = None

    def widen(self, numbers: pa.Array) -> None:
        ends = pc.min_max(numbers).as_py()
        if ends["min"] is not None:
            self.low = ends["min"] if self.low is None else min(self.low, ends["min"])
            self.high = ends["max"] if self.high is None else max(self.high, ends["max"])

    def count_levels(self, cells: pa.Array) -> None:
        if pa.types.is_nested(cells.type):
            self.levels = None
        if self.levels is not None:
            self.levels.update(cells.drop_null().unique().slice(0, EXTRA_LEVELS_MAX + 1).to_pylist())
            self.levels = self.levels if len(self.levels) <= EXTRA_LEVELS_MAX else None


class Typing:
    """Gives the rows of one batch the schema's types, slice by slice.

    A target that is no class of the schema becomes a null. The unit of epoch times is that of the first slice that has
    any, and stays.

    Parameters
    ----------
    schema : Schema
        Columns, time unit, classes (empty: not known yet).
    sha256 : str
        Of the file's bytes; names rows that have no id.
    received_at : datetime
        The event time of models without one, and what the future is measured by.
    """

    def __init__(self, schema: Schema, *, sha256: str, received_at: datetime) -> None:
        self._schema = schema
        self._made_id = sha256[:12]
        self._received_us = np.datetime64(received_at.astimezone(UTC).replace(tzinfo=None), "us")
        self._rows = 0
        self._seen: dict[str, _Seen] = {}
        self._asides = Asides(latest=self._received_us + np.timedelta64(FUTURE_MAX))

    def rows(self, part: pa.Table) -> pa.Table:
        """Type the next slice.

        Parameters
        ----------
        part : pa.Table
            As read, columns by display name; every slice of a batch has the same columns.

        Returns
        -------
        pa.Table
            ``row_id``, ``row_number``, ``event_at``, then one column per column of the schema, named by its id.
        """
        arrived = set(part.column_names)
        for name in part.column_names:
            self._seen.setdefault(name, _Seen(levels=set() if self._schema.by_name(name) is None else None))
        self._asides.start(part.num_rows, first_row=self._rows)
        typed: dict[str, pa.Array] = {}
        for column in self._schema.columns:
            if column.name in arrived:
                typed[column.column_id] = self._column(column, _whole(part.column(column.name)))
            else:
                typed[column.column_id] = pa.nulls(part.num_rows, storage(column.type))
        for name in part.column_names:
            if self._schema.by_name(name) is None:
                self._extra(name, _whole(part.column(name)))
        keys = self._keys(typed, part.num_rows)
        self._row_rules(typed, keys["event_at"], arrived)
        self._rows += part.num_rows
        return pa.table({**keys, **typed})

    def arrivals(self) -> tuple[ColumnArrival, ...]:
        """Describe every column of the file after its last slice: those of the schema first, then the others.

        Returns
        -------
        tuple of ColumnArrival
            ``distinct`` of a column of the schema is left to who counts.
        """
        known = [(c.name, c.type.value) for c in self._schema.columns if c.name in self._seen]
        extra = [(name, NOT_STORED) for name in self._seen if self._schema.by_name(name) is None]
        return tuple(self._arrival(name, stored) for name, stored in [*known, *extra])

    def failures(self) -> tuple[Finding, ...]:
        """Say which cells were lost, column by column.

        Returns
        -------
        tuple of Finding
            Warnings until ``check`` knows the policy; ``value`` is the share of the rows.
        """
        found = []
        for column in self._schema.columns:
            seen = self._seen.get(column.name)
            if seen is not None and seen.ledger.rows(FAILED):
                found.append(_type_changed(column, seen, self._rows))
            if seen is not None and seen.ledger.rows("no_class"):
                found.append(_target_unknown(column, seen, self._rows, classes=self._schema.classes))
        return tuple(found)

    def aside(self) -> pa.Table:
        """List the rows that break a rule about rows: no value of its type, no id or one that came before, no time.

        Returns
        -------
        pa.Table
            ``row_number`` (int64, ascending), ``column_id`` and ``reason`` (strings, as dictionaries): a line per row,
            with the first rule that it breaks. A second row of an id is listed, the first is not.
        """
        return self._asides.table()

    def _column(self, column: Column, raw: pa.Array) -> pa.Array:
        seen = self._seen[column.name]
        seen.arrived = arrived_name(raw.type)
        if column.type is ColumnType.TIMESTAMP and seen.us_each is None:
            seen.us_each = epoch_unit(raw)
        made = convert_cells(raw, column.type, us_each=seen.us_each)
        if column.role is Role.TARGET and self._schema.classes and self._schema.task is not Task.REGRESSION:
            made = _known_classes(made, self._schema.classes)
        if made.marks:
            seen.ledger.add(made.marks, arrived=raw, stored=made.cells, first_row=self._rows)
            if column.role in ROW_RULED:
                self._asides.put(made.marks.get(FAILED), column.column_id, f"it is not {_WANTED[column.type]}")
        seen.nulls += made.cells.null_count
        if column.type is ColumnType.NUMBER:
            seen.widen(made.cells)
        return made.cells

    def _extra(self, name: str, raw: pa.Array) -> None:
        seen = self._seen[name]
        seen.arrived = arrived_name(raw.type)
        seen.nulls += raw.null_count
        seen.count_levels(raw)
        if is_number(raw.type):
            seen.widen(convert_cells(raw, ColumnType.NUMBER).cells)

    def _keys(self, typed: dict[str, pa.Array], rows: int) -> dict[str, pa.Array]:
        number = pa.array(np.arange(self._rows, self._rows + rows, dtype=np.int64))
        given = None if self._schema.id is None else typed[self._schema.id.column_id]
        if given is not None and given.null_count == 0:
            row_id = given
        else:
            made = pc.binary_join_element_wise(self._made_id, number.cast(pa.string()), "-")
            row_id = made if given is None else pc.coalesce(given, made)
        return {"row_id": row_id, "row_number": number, "event_at": self._event_times(typed, rows)}

    def _event_times(self, typed: dict[str, pa.Array], rows: int) -> pa.Array:
        schema = self._schema
        if schema.time is None:
            # a microsecond a row keeps the order of arrival, so that windows of one batch have times of their own
            return pa.array(self._received_us + np.arange(self._rows, self._rows + rows).astype("timedelta64[us]"), US)
        values = typed[schema.time.column_id]
        if schema.time_unit is TimeUnit.CLOCK:
            return values
        return from_epoch(values, DAY_US if schema.time_unit is TimeUnit.DAY else SECOND_US)

    def _row_rules(self, typed: dict[str, pa.Array], event_at: pa.Array, arrived: set[str]) -> None:
        key, time = self._schema.id, self._schema.time
        if time is not None and time.name in arrived:
            self._asides.times(event_at, time.column_id, clock=self._schema.time_unit is TimeUnit.CLOCK)
        if key is not None and key.name in arrived:
            self._asides.ids(typed[key.column_id], key.column_id)

    def _arrival(self, name: str, stored: str) -> ColumnArrival:
        seen = self._seen[name]
        return ColumnArrival(
            column=name,
            arrived=seen.arrived,
            stored=stored,
            null_share=seen.nulls / self._rows if self._rows else 0.0,
            failed_rows=seen.ledger.rows(FAILED),
            low=seen.low,
            high=seen.high,
            distinct=None if seen.levels is None else len(seen.levels),
            changes=seen.ledger.changes(),
        )


def _whole(column: pa.ChunkedArray) -> pa.Array:
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _known_classes(made: Converted, classes: tuple[str, ...]) -> Converted:
    known = pc.is_in(made.cells, value_set=pa.array(classes, pa.string()))
    unknown = valid(made.cells) & ~mask_of(known)
    if not unknown.any():
        return made
    return Converted(cells=pc.if_else(known, made.cells, None), marks=made.marks | {"no_class": unknown})


def _target_unknown(column: Column, seen: _Seen, rows: int, *, classes: tuple[str, ...]) -> Finding:
    unknown, allowed = seen.ledger.rows("no_class"), ", ".join(repr(c) for c in classes[:12])
    return Finding(
        code=FindingCode.TARGET_UNKNOWN,
        column=column.name,
        severity=Severity.WARNING,
        message=(
            f"Column {column.name!r}: {unknown:,} of {rows:,} rows ({percent(unknown / rows)}) carry a label that is no"
            f" class of the model ({_shown(seen.ledger, 'no_class')}); known are {allowed}. They are kept as rows without"
            " a label: correct them upstream and send labels again."
        ),
        value=unknown / rows,
        allowed=allowed,
        examples=seen.ledger.examples("no_class"),
    )


def _type_changed(column: Column, seen: _Seen, rows: int) -> Finding:
    failed = seen.ledger.rows(FAILED)
    return Finding(
        code=FindingCode.TYPE_CHANGED,
        column=column.name,
        severity=Severity.WARNING,
        message=(
            f"Column {column.name!r} arrived as {seen.arrived}: {failed:,} of {rows:,} rows ({percent(failed / rows)})"
            f" are not {_WANTED[column.type]} ({_shown(seen.ledger, FAILED)}) and were kept as nulls."
        ),
        value=failed / rows,
        examples=seen.ledger.examples(FAILED),
    )


def _shown(ledger: Ledger, kind: str) -> str:
    some = ledger.examples(kind)[:_SHOWN]
    shown = ", ".join(f"{e.arrived[:_SHOWN_TEXT]!r} at row_number {e.row_number}" for e in some)
    return f"{shown}, …" if ledger.rows(kind) > len(some) else shown
