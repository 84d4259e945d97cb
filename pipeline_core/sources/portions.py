"""How an answer that streams in becomes files, cut where the value of its cursor column changes.

Rows of one value never lie in two files: whoever goes on behind the last value of a file misses none and reads none
twice. Exact decimals become floating-point numbers only as they are written: two that a float cannot tell apart are two
places. Neighbour: ``database`` asks. It refuses a cursor column that is not there or whose values fall.
"""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline_core.errors import Unreadable, nearest

Cursor = int | float | str | Decimal | None

_NOUGHTS = r"(\.[0-9]*?)0+$"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a file holds: rows, and the last value of the cursor column as JSON keeps it."""

    rows: int
    upto: Cursor


class Portions:
    """The files of one answer, in the order of its cursor column.

    Parameters
    ----------
    name : str
        Of the source.
    column : str
        The cursor column; empty: one file.
    rows_max : int
        A file ends at the first change of value at or behind so many rows.
    bytes_max : int
        No file may grow beyond this.
    """

    def __init__(self, name: str, *, column: str, rows_max: int, bytes_max: int) -> None:
        self._name = name
        self._column = column
        self._rows_max = rows_max if column else math.inf
        self._bytes_max = bytes_max
        self._highest: Any = None
        self._left: pa.Table | None = None  # read from the answer, belongs to the next file
        self._schema: pa.Schema | None = None

    def write(self, path: Path, batches: Iterator[pa.RecordBatch], *, place: str) -> Written | None:
        """Write the next file.

        Parameters
        ----------
        path : Path
            Which.
        batches : iterator of pa.RecordBatch
            The rest of the answer, as the driver gives it.
        place : str
            Where it begins; goes into the file, so that equal rows of another place are other bytes.

        Returns
        -------
        Written or None
            None: nothing was left, and no file was made.

        Raises
        ------
        Unreadable
            The file would grow too large, the cursor column is not there, falls, or is of no kind that can be noted,
            or a column changes its type on the way.
        """
        part = self._next(batches)
        if part is None:
            return None
        self._schema = self._schema or _settled(_written(part).schema)
        about = json.dumps({"source": self._name, "place": place})
        rows, last = 0, None
        with pq.ParquetWriter(path, self._schema.with_metadata({"feed": about}), compression="zstd") as writer:
            while part is not None:
                end = self._end(part, rows, last)
                if end:
                    writer.write_table(self._fitting(part.slice(0, end)))
                    rows += end
                    last = self._value(part, end - 1)
                if end < part.num_rows:
                    self._left = part.slice(end)
                    break
                self._check_size(path)
                part = self._next(batches)
        return Written(rows=rows, upto=_noted(last))

    def _next(self, batches: Iterator[pa.RecordBatch]) -> pa.Table | None:
        if self._left is not None:
            part, self._left = self._left, None
            return part
        part = next((pa.Table.from_batches([batch]) for batch in batches if batch.num_rows), None)
        if part is not None and self._column in part.column_names:
            self._check_order(part)
        return part

    def _end(self, part: pa.Table, rows: int, last: Any) -> int:
        """Say how many rows of a part still belong to the file that has so many rows and ends with that value."""
        if rows + part.num_rows <= self._rows_max:
            return part.num_rows
        wanted = max(int(self._rows_max) - rows, 0)
        value = self._value(part, wanted - 1) if wanted else last
        values = _exact(part.column(self._column))
        held = str(value) if isinstance(value, Decimal) else value
        same = pc.equal(values.slice(wanted), pa.scalar(held, values.type))
        changed = pc.index(same, pa.scalar(value=False)).as_py()
        return part.num_rows if changed < 0 else wanted + changed

    def _value(self, part: pa.Table, row: int) -> Any:
        if not self._column:
            return None
        if self._column not in part.column_names:
            raise Unreadable(
                f"Source {self._name!r}: the answer has no cursor column {self._column!r}."
                f" {nearest(self._column, part.column_names)}"
            )
        column = part.column(self._column)
        value = _exact(column.slice(row, 1))[0].as_py()
        if isinstance(value, int | float | str | date) and not isinstance(value, bool):
            return Decimal(str(value)) if _is_exact(column.type) else value
        raise Unreadable(
            f"Source {self._name!r}: the cursor column {self._column!r} holds {type(value).__name__}; a number, a text or a"
            " time is allowed. Cast it in the query."
        )

    def _check_order(self, part: pa.Table) -> None:
        """Refuse values that fall: what lies behind the last one would then not be all that is left.

        Texts are in the order of the database's collation, which is not ours to check.
        """  # ruff: ignore[docstring-missing-exception] - the sentence above says it
        values = _written(part.select([self._column])).column(0)
        kind = values.type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_temporal(kind)):
            return
        first, last = values[0].as_py(), values[-1].as_py()
        falls = self._highest is not None and type(first) is type(self._highest) and first < self._highest
        self._highest = last
        if falls or pc.any(pc.less(values.slice(1), values.slice(0, len(values) - 1))).as_py():
            raise Unreadable(
                f"Source {self._name!r}: the values of the cursor column {self._column!r} fall within the answer, though it was"
                " asked for in their order; so rows behind the last value could be missed. Name a column that only grows."
            )

    def _fitting(self, part: pa.Table) -> pa.Table:
        part = _written(part)
        if part.schema == self._schema:
            return part
        try:
            return part.cast(self._schema)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
            raise Unreadable(
                f"Source {self._name!r}: a column changes its type within the answer ({error}). Cast it in the query."
            ) from None

    def _check_size(self, path: Path) -> None:
        size = path.stat().st_size
        if size > self._bytes_max:
            what = "lower batch_rows" if self._column else "name a cursor column, so that it comes in portions"
            raise Unreadable(
                f"Source {self._name!r}: the answer has grown to {size:,} bytes; the policy allows {self._bytes_max:,}"
                f" (upload_bytes_max) in a file. Ask for less, or {what}."
            )


def _written(part: pa.Table) -> pa.Table:
    batches = [simple(batch) for batch in part.to_batches()]
    return pa.Table.from_batches(batches)


def _is_numeric(kind: pa.DataType) -> bool:
    """Say whether it is PostgreSQL's numeric, which comes as text."""
    return isinstance(kind, pa.BaseExtensionType) and getattr(kind, "type_name", "") == "numeric"


def _is_exact(kind: pa.DataType) -> bool:
    return _is_numeric(kind) or pa.types.is_decimal(kind)


def _exact(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Give the values of a cursor column so that equal ones are equal and others are not: of exact numbers their digits."""
    if _is_numeric(column.type):
        column = pa.chunked_array([chunk.storage for chunk in column.chunks], pa.string())
    elif pa.types.is_decimal(column.type):
        column = column.cast(pa.string())
    else:
        return column
    return pc.utf8_rtrim(pc.replace_substring_regex(column, _NOUGHTS, r"\1"), ".")  # 1.50 and 1.5 are one value


def simple(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Give a batch with the types of databases as the types of files: exact decimals become numbers, ids texts.

    Parameters
    ----------
    batch : pa.RecordBatch
        As a driver gave it.

    Returns
    -------
    pa.RecordBatch
    """
    columns = [_simple(column) for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _simple(column: pa.Array) -> pa.Array:
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        if kind.extension_name == "arrow.uuid":
            return _texts(column.storage, lambda value: str(uuid.UUID(bytes=value)))
        return pc.cast(column.storage, pa.float64()) if _is_numeric(kind) else _simple(column.storage)
    if pa.types.is_decimal(kind):
        return pc.cast(column, pa.float64())
    if pa.types.is_interval(kind) or pa.types.is_duration(kind) or pa.types.is_time(kind):
        return _texts(column, str)
    return column


def _texts(column: pa.Array, write: Any) -> pa.Array:
    return pa.array([None if value is None else write(value) for value in column.to_pylist()], pa.string())


def _settled(schema: pa.Schema) -> pa.Schema:
    """Give a schema in which a column that began with nulls only may go on with texts."""
    return pa.schema([pa.field(f.name, pa.string() if pa.types.is_null(f.type) else f.type) for f in schema])


def _noted(value: Any) -> Cursor:
    return value.isoformat() if isinstance(value, datetime | date) else value
