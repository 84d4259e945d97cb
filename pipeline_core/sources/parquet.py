"""What a Parquet file holds, slice by slice, without believing what it says about its size.

A few hundred bytes can stand for gigabytes: a dictionary with one long text, and a million references to it. So text is
read as references, what it would unfold to is added up, and only then it is unfolded. Neighbour: ``files`` has looked at
the first bytes and gives the limit. It refuses nothing because of a single column that cannot be read: such a column
arrives as text.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline_core.errors import Unreadable
from pipeline_core.sources import jsonlines

TOO_LARGE = "(too large)"
UNREADABLE = "(unreadable)"

_SLICE_ROWS = 16_384
_SLICE_BYTES = 67_108_864
_SLICE_ITEMS = 1_000_000  # as Python objects, on the way to text
_VALUE_BYTES = {"INT64": 8, "DOUBLE": 8, "INT96": 12, "INT32": 4, "FLOAT": 4, "BYTE_ARRAY": 4}
_ESCAPED_BYTES = 4  # a byte that is no text is written as \\xff
_TICKS_PER_DAY = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}
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


def names(path: Path) -> list[str]:
    """Give the names of the columns from the file's footer.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    list of str
    """
    with pq.ParquetFile(path) as file:
        return list(file.schema_arrow.names)


def read(path: Path, label: str, *, limit: int) -> pa.Table:
    """Read all rows; every column has one of Arrow's simple types, what is nested or binary is text.

    Parameters
    ----------
    path : Path
        The file.
    label : str
        What it is called in messages.
    limit : int
        How many bytes it may unfold to.

    Returns
    -------
    pa.Table

    Raises
    ------
    Unreadable
        It unfolds to more.
    """
    with pq.ParquetFile(path) as footer:
        kinds = [(field.name, _plain_type(field.type)) for field in footer.schema_arrow]
        leaves = [footer.schema.column(i) for i in range(len(footer.schema))]
        unfolded = _declared(footer.metadata, leaves)
    texts = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY" and leaf.precision < 0]
    widest = max((leaf.length for leaf in leaves), default=0)
    _check_size(unfolded, label, limit)
    if not kinds:  # any number of rows without a column
        return pa.table({})
    parts: list[list[pa.Array]] = [[] for _ in kinds]
    unfolded = 0
    with pq.ParquetFile(path, read_dictionary=texts) as file:
        for batch in file.iter_batches(batch_size=max(1, min(_SLICE_ROWS, _SLICE_BYTES // max(widest, 1)))):
            unfolded += sum(_size(column) for column in batch.columns)
            _check_size(unfolded, label, limit)
            for part, column in zip(parts, batch.columns, strict=True):
                part.append(plain(column))
    columns = [pa.chunked_array(part, type=kind) for part, (_, kind) in zip(parts, kinds, strict=True)]
    return pa.table(columns, names=[name for name, _ in kinds])


def plain(column: pa.Array) -> pa.Array:
    """Give a column one of Arrow's simple types; what is nested, binary or no valid text becomes text.

    Parameters
    ----------
    column : pa.Array
        Of any type.

    Returns
    -------
    pa.Array
        As long as ``column``.
    """
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return plain(column.storage)
    if pa.types.is_dictionary(kind):
        return plain(column.dictionary).take(column.indices)
    if any(is_kind(kind) for is_kind in _SIMPLE):
        return column
    if any(is_kind(kind) for is_kind in _TEXTS):
        return _text(column)
    if _items(column) > _SLICE_ITEMS:
        return pc.if_else(column.is_valid(), TOO_LARGE, pa.scalar(None, pa.string()))
    return _written(column)


def within_calendar(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Give a column of times that Python can say: without a zone, and as text where one lies beyond the years 1 to 9999.

    Parameters
    ----------
    column : pa.ChunkedArray
        Timestamps or dates.

    Returns
    -------
    pa.ChunkedArray
        Timestamps (UTC) or dates; or text, in which what lies beyond reads as its number of days or ticks.
    """
    if pa.types.is_date(column.type):
        kind, ticks, per_day = pa.date32(), column.cast(pa.date32()).cast(pa.int32()).cast(pa.int64()), 1
    else:
        kind, ticks = pa.timestamp(column.type.unit), column.cast(pa.int64())
        per_day = _TICKS_PER_DAY[column.type.unit]
    first, end = (max(min(day * per_day, 2**63 - 1), -(2**63)) for day in _CALENDAR_DAYS)
    known = pc.and_(pc.greater_equal(ticks, first), pc.less(ticks, end))
    # a zone changes no moment, and an unknown one could not be said
    times = pc.if_else(known, ticks, None).cast(pa.int32() if kind == pa.date32() else pa.int64()).cast(kind)
    if times.null_count == column.null_count:
        return times
    return pc.coalesce(times.cast(pa.string()), pc.cast(ticks, pa.string()))


def _plain_type(kind: pa.DataType) -> pa.DataType:
    if isinstance(kind, pa.BaseExtensionType):
        return _plain_type(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return _plain_type(kind.value_type)
    return kind if any(is_kind(kind) for is_kind in _SIMPLE) else pa.string()


def _text(column: pa.Array) -> pa.Array:
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        # bytes that are no UTF-8: the reader does not look, and the next to touch them would fail
        return _written(column.cast(pa.large_binary()))
    return column.cast(pa.string())


def _written(column: pa.Array) -> pa.Array:
    try:
        return jsonlines.as_text(column.to_pylist()).combine_chunks()
    except (ValueError, OverflowError, pa.ArrowException):
        # a struct with a name twice, a time beyond the calendar: said of the value, not of the file
        return pa.array([_value(scalar) for scalar in column], pa.string())


def _value(scalar: pa.Scalar) -> str | None:
    try:
        text: str | None = jsonlines.as_text([scalar.as_py()])[0].as_py()
    except (ValueError, OverflowError, pa.ArrowException):
        return UNREADABLE
    return text


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


def _size(column: pa.Array) -> int:
    """Say how many bytes a column takes once its dictionaries are unfolded."""
    if pa.types.is_dictionary(column.type):
        return _referenced(column.dictionary, column.indices)
    parts = _below(column)
    return int(column.nbytes) if parts is None else sum(_size(part) for part in parts)


def _referenced(values: pa.Array, indices: pa.Array) -> int:
    kind = values.type
    is_text = any(is_kind(kind) for is_kind in _TEXTS)
    if not is_text and not pa.types.is_binary(kind) and not pa.types.is_large_binary(kind):
        return len(indices) * (_size(values) // max(len(values), 1) + 1)
    lengths = pc.binary_length(values).cast(pa.int64()).take(indices)
    return (pc.sum(lengths).as_py() or 0) * (1 if is_text else _ESCAPED_BYTES)


def _declared(metadata: pq.FileMetaData, leaves: list[pq.ColumnSchema]) -> int:
    """Add up what the footer says: many equal numbers take no room in the file."""
    widths = [_VALUE_BYTES.get(leaf.physical_type, max(leaf.length, 1)) for leaf in leaves]
    groups = (metadata.row_group(i) for i in range(metadata.num_row_groups))
    return sum(group.column(i).num_values * width for group in groups for i, width in enumerate(widths))


def _check_size(unfolded: int, label: str, limit: int) -> None:
    if unfolded > limit:
        raise Unreadable(
            f"File {label!r} unfolds to more than {limit:,} bytes, which the policy allows (a multiple of"
            " upload_bytes_max). Split it into several batches."
        )
