"""How any Arrow column becomes one of a few simple types: number, true/false, time, text; nothing nested, nothing binary.

Neighbours: ``parquet`` and ``arrowfile`` read columns of every type and pass them through here; ``jsonlines`` writes
what is nested as text. It refuses to unfold what is too large to be written: such a cell says so.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

TOO_LARGE = "(too large)"
UNREADABLE = "(unreadable)"
CELL_BYTES_MAX = 1_000_000

_ITEMS_MAX = 1_000_000  # as Python objects, on the way to text
_ESCAPED_BYTES = 4  # a byte that is no text is written as \\xff
_TICKS_PER_DAY = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000}
_CALENDAR_DAYS = ((date.min - date(1970, 1, 1)).days, (date.max - date(1970, 1, 1)).days + 1)
_SIMPLE = (
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_decimal,
    pa.types.is_boolean,
    pa.types.is_timestamp,
    pa.types.is_date,
    pa.types.is_null,
)
_TEXTS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
_LISTS = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)


def simple_type(kind: pa.DataType) -> pa.DataType:
    """Say which simple type a column of some type arrives as.

    Parameters
    ----------
    kind : pa.DataType
        Any.

    Returns
    -------
    pa.DataType
        Times without a zone, dates by day, text where nothing else fits.
    """
    if isinstance(kind, pa.BaseExtensionType):
        return simple_type(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return simple_type(kind.value_type)
    if pa.types.is_timestamp(kind):
        return pa.timestamp(kind.unit)
    if pa.types.is_date(kind):
        return pa.date32()
    return kind if any(is_kind(kind) for is_kind in _SIMPLE) else pa.string()


def simplified(column: pa.Array, *, to: pa.DataType) -> pa.Array:
    """Give a column its simple type; what is nested, binary or no valid text becomes text.

    Parameters
    ----------
    column : pa.Array
        Of any type.
    to : pa.DataType
        What ``simple_type`` said, or text for times of which some lie ``beyond_calendar``.

    Returns
    -------
    pa.Array
        As long as ``column``.
    """
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return simplified(column.storage, to=to)
    if pa.types.is_dictionary(kind):
        return simplified(column.dictionary, to=to).take(column.indices)
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return _times(column, as_text=pa.types.is_string(to))
    return column if any(is_kind(kind) for is_kind in _SIMPLE) else _as_text(column)


def beyond_calendar(column: pa.Array) -> bool:
    """Say whether a column holds a time or date that Python cannot say: outside the years 1 to 9999.

    Parameters
    ----------
    column : pa.Array
        Of any type.

    Returns
    -------
    bool
    """
    if isinstance(column, pa.ExtensionArray):
        return beyond_calendar(column.storage)
    if pa.types.is_dictionary(column.type):
        return beyond_calendar(column.dictionary)
    if not pa.types.is_date(column.type) and not (pa.types.is_timestamp(column.type) and column.type.unit != "ns"):
        return False
    ticks, per_day, _ = _ticks(column)
    spread = pc.min_max(ticks).as_py()
    first, end = _limits(per_day)
    return spread["min"] is not None and not (spread["min"] >= first and spread["max"] < end)


def as_text(values: Sequence[Any]) -> pa.Array:
    """Give values of any kind as text: text as it is, everything else as JSON.

    Parameters
    ----------
    values : sequence
        Plain Python values; None is a null.

    Returns
    -------
    pa.Array
        Of string.
    """
    return pa.array([_said(v) for v in values], pa.string())


def whole(text: str) -> str:
    """Write half characters (a lone surrogate, which JSON can spell) as their escapes: no table holds them.

    Parameters
    ----------
    text : str
        Anything.

    Returns
    -------
    str
    """
    return text.encode("utf-8", errors="backslashreplace").decode("utf-8")


def size(column: pa.Array) -> int:
    """Say how many bytes a column takes once its dictionaries are unfolded.

    Parameters
    ----------
    column : pa.Array
        Of any type.

    Returns
    -------
    int
    """
    if pa.types.is_dictionary(column.type):
        return _referenced(column.dictionary, column.indices)
    parts = _below(column)
    return int(column.nbytes) if parts is None else sum(size(part) for part in parts)


def _ticks(column: pa.Array) -> tuple[pa.Array, int, pa.DataType]:
    if pa.types.is_date(column.type):
        # days are 32 bits; of a date in milliseconds the days may be more than that
        if pa.types.is_date64(column.type):
            return pc.floor(pc.divide(column.cast(pa.int64()), 86_400_000)).cast(pa.int64()), 1, pa.date32()
        return column.cast(pa.int32()).cast(pa.int64()), 1, pa.date32()
    kind = pa.timestamp(column.type.unit)
    return column.cast(kind).cast(pa.int64()), _TICKS_PER_DAY.get(column.type.unit, 0), kind


def _limits(per_day: int) -> tuple[int, int]:
    first, end = (max(min(day * per_day, 2**63 - 1), -(2**63)) for day in _CALENDAR_DAYS)
    return first, end


def _times(column: pa.Array, *, as_text: bool) -> pa.Array:
    """Give times without a zone; as text, in which what lies beyond the calendar reads as its number of days or ticks."""
    if not as_text and pa.types.is_timestamp(column.type):
        # a zone changes no moment, and an unknown one could not be said
        return column.view(pa.int64()).view(pa.timestamp(column.type.unit))
    ticks, per_day, kind = _ticks(column)
    if not as_text:
        return ticks.cast(pa.int32()).cast(kind)
    first, end = _limits(per_day)
    known = pc.and_(pc.greater_equal(ticks, first), pc.less(ticks, end))
    times = pc.if_else(known, ticks, None).cast(pa.int32() if kind == pa.date32() else pa.int64()).cast(kind)
    return pc.coalesce(times.cast(pa.string()), pc.cast(ticks, pa.string()))


def _as_text(column: pa.Array) -> pa.Array:
    if any(is_kind(column.type) for is_kind in _TEXTS):
        return _text(column)
    if _items(column) > _ITEMS_MAX:
        return pc.if_else(column.is_valid(), TOO_LARGE, pa.scalar(None, pa.string()))
    return _written(column)


def _text(column: pa.Array) -> pa.Array:
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        # bytes that are no UTF-8: the reader does not look, and the next to touch them would fail
        return _written(column.cast(pa.large_binary()))
    return column.cast(pa.string())


def _written(column: pa.Array) -> pa.Array:
    try:
        return as_text(column.to_pylist())
    except (ValueError, OverflowError, pa.ArrowException):
        # a struct with a name twice, a time beyond the calendar: said of the value, not of the file
        return pa.array([_value(scalar) for scalar in column], pa.string())


def _value(scalar: pa.Scalar) -> str | None:
    try:
        text: str | None = as_text([scalar.as_py()])[0].as_py()
    except (ValueError, OverflowError, pa.ArrowException):
        return UNREADABLE
    return text


def _said(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, str):
        return whole(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="backslashreplace")
    if isinstance(value, dict | list | bool | int | float):
        return whole(json.dumps(value, ensure_ascii=False, default=str))
    return whole(str(value))


def _below(column: pa.Array) -> list[pa.Array] | None:
    """Give what a nested column is made of; None where it is not nested."""
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return [column.storage]
    if any(is_kind(kind) for is_kind in _LISTS):
        return [column.flatten()]
    if pa.types.is_map(kind):
        first, last = (column.offsets[at].as_py() for at in (0, len(column)))
        return [part.slice(first, last - first) for part in (column.keys, column.items)]
    return list(column.flatten()) if pa.types.is_struct(kind) else None


def _items(column: pa.Array) -> int:
    """Count the values of a column, with those below."""
    return len(column) + sum(_items(part) for part in _below(column) or ())


def _referenced(values: pa.Array, indices: pa.Array) -> int:
    kind = values.type
    is_text = any(is_kind(kind) for is_kind in _TEXTS)
    if not is_text and not pa.types.is_binary(kind) and not pa.types.is_large_binary(kind):
        return len(indices) * (size(values) // max(len(values), 1) + 1)
    lengths = pc.binary_length(values).cast(pa.int64()).take(indices)
    return (pc.sum(lengths).as_py() or 0) * (1 if is_text else _ESCAPED_BYTES)
