"""How an arrived column becomes a stored one: number, category or timestamp, cell by cell.

A cell that its type cannot hold becomes a null and part of a finding; one impossible column never
costs the others. Neighbours: ``sources`` deliver arrived types, ``checks`` judges. It refuses to
coerce silently: what it does to a cell stands in ``type_rows``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline_core.clock import ISO_8601, epoch_micros
from pipeline_core.policy import NUMBER_MAX
from pipeline_core.records import Column, ColumnArrival, ColumnType, Finding, Role, Schema, Severity, Task, TimeUnit
from pipeline_core.stages.validation.codes import FindingCode, percent

NOT_STORED = "not stored"
"""``ColumnArrival.stored`` of a column that the schema does not know."""

_EXAMPLES = 3
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_WHOLE = r"^([+-]?[0-9]+)\.0+$"
_EXACT_WHOLE_MAX = 2.0**53
_US = pa.timestamp("us")
_SECOND_US, _DAY_US = 1_000_000, 86_400_000_000
_FIRST_US = int(datetime(1, 1, 1, tzinfo=UTC).timestamp()) * _SECOND_US
_LAST_US = int(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()) * _SECOND_US
_UNITS_IN_US = {"s": 1_000_000, "ms": 1_000, "us": 1}
_WANTED = {
    ColumnType.NUMBER: "a number up to 1e38",
    ColumnType.CATEGORY: "text",
    ColumnType.TIMESTAMP: "a time (ISO 8601, or a number of seconds to nanoseconds since 1970)",
}


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
    """Give the rows of a file the schema's types.

    Numbers: integers, decimals, booleans (1 and 0) and text that is one number; NaN is a null, infinity
    fails, and what is beyond ``NUMBER_MAX``. Categories: text without blanks at its ends, blank is a null; numbers as text, whole ones
    without ``.0``; booleans as ``true`` and ``false``, also where they are text. Timestamps: naive ones
    are UTC, text must be ISO 8601, numbers count from 1970 in the unit that their median size says.
    A target that is no class of the schema becomes a null.

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
    typed: dict[str, pa.ChunkedArray] = {}
    arrivals: list[ColumnArrival] = []
    failures: list[Finding] = []
    arrived = set(table.column_names)
    for column in schema.columns:
        if column.name not in arrived:
            typed[column.column_id] = pa.chunked_array([pa.nulls(table.num_rows, _storage(column.type))])
            continue
        raw = table.column(column.name)
        stored = convert(raw, column.type)
        failed = pc.and_(_present(raw), pc.is_null(stored))
        failed_rows = pc.sum(failed).as_py() or 0
        if failed_rows:
            failures.append(_type_changed(column, raw, failed, failed_rows))
        if column.role is Role.TARGET and schema.classes and schema.task is not Task.REGRESSION:
            stored, unknown = _known_classes(column, stored, schema)
            failures.extend(unknown)
        typed[column.column_id] = stored
        arrivals.append(_arrival(column, raw, stored, failed_rows))
    arrivals.extend(_extra(name, table.column(name)) for name in table.column_names if schema.by_name(name) is None)
    keys = _keys(typed, schema, rows=table.num_rows, sha256=sha256, received_at=received_at)
    return TypedRows(rows=pa.table({**keys, **typed}), arrivals=tuple(arrivals), failures=tuple(failures))


def convert(column: pa.ChunkedArray, to: ColumnType) -> pa.ChunkedArray:
    """Give a column one of the three stored types; what does not fit becomes a null.

    Parameters
    ----------
    column : pa.ChunkedArray
        As arrived.
    to : ColumnType
        The stored type.

    Returns
    -------
    pa.ChunkedArray
        Of double, string or timestamp(us), as long as ``column``.
    """
    make = {ColumnType.NUMBER: _numbers, ColumnType.CATEGORY: _categories, ColumnType.TIMESTAMP: _timestamps}[to]
    converted = make(column)
    if converted is None:
        return pa.chunked_array([pa.nulls(len(column), _storage(to))])
    return converted if isinstance(converted, pa.ChunkedArray) else pa.chunked_array([converted])


def arrived_name(kind: pa.DataType) -> str:
    """Say in a word what a column arrived as.

    Parameters
    ----------
    kind : pa.DataType
        Its type.

    Returns
    -------
    str
    """
    words = (
        (pa.types.is_null, "empty"),
        (pa.types.is_boolean, "true/false"),
        (pa.types.is_integer, "integer"),
        (pa.types.is_floating, "decimal"),
        (pa.types.is_decimal, "decimal"),
        (pa.types.is_timestamp, "timestamp"),
        (pa.types.is_date, "date"),
        (pa.types.is_string, "text"),
    )
    return next((word for is_kind, word in words if is_kind(kind)), str(kind))


def _storage(kind: ColumnType) -> pa.DataType:
    return {ColumnType.NUMBER: pa.float64(), ColumnType.CATEGORY: pa.string(), ColumnType.TIMESTAMP: _US}[kind]


def _present(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_string(column.type):
        return pc.fill_null(pc.not_equal(pc.utf8_trim_whitespace(column), ""), fill_value=False)
    if pa.types.is_floating(column.type):
        return pc.invert(column.is_null(nan_is_null=True))
    return column.is_valid()


def _numbers(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return None
    if pa.types.is_string(kind):
        column = _text_numbers(pc.utf8_trim_whitespace(column))
    elif pa.types.is_boolean(kind):
        column = column.cast(pa.int8())
    number = column.cast(pa.float64(), safe=False)
    usable = pc.less_equal(pc.abs(number), NUMBER_MAX)  # false for infinity and NaN too
    return pc.if_else(pc.fill_null(usable, fill_value=False), number, None)


def _text_numbers(text: pa.ChunkedArray) -> pa.ChunkedArray:
    try:
        return text.cast(pa.float64())
    except pa.ArrowInvalid:
        # at least one cell is no number: keep those that are
        return pc.if_else(pc.match_substring_regex(text, _NUMBER), text, None).cast(pa.float64())


def _categories(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return _number_levels(column.cast(pa.float64(), safe=False))
    if pa.types.is_timestamp(kind):
        return _ticks(column).cast(pa.string())
    if not pa.types.is_string(kind):
        return column.cast(pa.string())
    # the work is done once per distinct text, not once per row
    encoded = column.dictionary_encode().unify_dictionaries()
    if not encoded.num_chunks:
        return column
    levels = _text_levels(encoded.chunk(0).dictionary)
    return pa.chunked_array([levels.take(chunk.indices) for chunk in encoded.chunks], pa.string())


def _text_levels(levels: pa.Array) -> pa.Array:
    levels = pc.replace_substring_regex(pc.utf8_trim_whitespace(levels), _WHOLE, r"\1")
    lower = pc.utf8_lower(levels)
    levels = pc.if_else(pc.is_in(lower, value_set=pa.array(["true", "false"])), lower, levels)
    return pc.if_else(pc.equal(levels, ""), None, levels)


def _number_levels(number: pa.ChunkedArray) -> pa.ChunkedArray:
    number = pc.if_else(pc.fill_null(pc.is_finite(number), fill_value=False), number, None)
    whole = pc.and_(pc.equal(pc.floor(number), number), pc.less(pc.abs(number), _EXACT_WHOLE_MAX))
    as_whole = pc.if_else(whole, number, None).cast(pa.int64()).cast(pa.string())
    return pc.if_else(whole, as_whole, number.cast(pa.string()))


def _timestamps(column: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array | None:
    kind = column.type
    if pa.types.is_boolean(kind):
        return None
    if pa.types.is_string(kind):
        return _text_times(pc.utf8_trim_whitespace(column))
    if pa.types.is_timestamp(kind):
        return _ticks(column)
    if pa.types.is_date(kind):
        days = column.cast(pa.date32()).cast(pa.int32()).cast(pa.int64())
        return pc.multiply(_within(days, _FIRST_US // _DAY_US, _LAST_US // _DAY_US), _DAY_US).cast(_US)
    return _epoch_times(column.cast(pa.float64(), safe=False))


def _ticks(column: pa.ChunkedArray) -> pa.ChunkedArray:
    ticks, unit = column.cast(pa.int64()), column.type.unit
    if unit == "ns":
        return _within(pc.divide(ticks, 1_000), _FIRST_US, _LAST_US).cast(_US)
    # bounded before it is multiplied: a time in the year 500,000 must not wrap around
    per_tick = _UNITS_IN_US[unit]
    return pc.multiply(_within(ticks, _FIRST_US // per_tick, _LAST_US // per_tick), per_tick).cast(_US)


def _text_times(text: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    text = pc.if_else(pc.match_substring_regex(text, ISO_8601), text, None)
    try:
        times = text.cast(_US)
    except pa.ArrowInvalid:
        # zones, fractions beyond microseconds, or a 31st of February: slower, cell by cell
        whole = pc.replace_substring_regex(text, r"(\.[0-9]{6})[0-9]+", r"\1").to_pandas()
        parsed = pd.to_datetime(whole, format="ISO8601", utc=True, errors="coerce").dt.tz_localize(None)
        times = pa.Array.from_pandas(parsed.astype("datetime64[us]"), type=_US)
    return _within(times.cast(pa.int64()), _FIRST_US, _LAST_US).cast(_US)


def _epoch_times(number: pa.ChunkedArray) -> pa.ChunkedArray | None:
    known = pc.if_else(pc.fill_null(pc.is_finite(number), fill_value=False), number, None)
    if known.null_count == len(known):
        return None
    scale = epoch_micros(float(np.median(np.abs(known.drop_null().to_numpy()))))
    return None if scale is None else _scaled(known, scale)


def _scaled(number: pa.ChunkedArray, us_each: float) -> pa.ChunkedArray:
    micros = _within(pc.round(pc.multiply(number, us_each)), float(_FIRST_US), float(_LAST_US))
    return micros.cast(pa.int64()).cast(_US)


def _within(values: pa.ChunkedArray, low: float, high: float) -> pa.ChunkedArray:
    return pc.if_else(pc.and_(pc.greater_equal(values, low), pc.less_equal(values, high)), values, None)


def _keys(
    typed: dict[str, pa.ChunkedArray], schema: Schema, *, rows: int, sha256: str, received_at: datetime
) -> dict[str, pa.Array | pa.ChunkedArray]:
    number = pa.array(np.arange(rows, dtype=np.int64))
    made = pc.binary_join_element_wise(sha256[:12], number.cast(pa.string()), "-")
    row_id = made if schema.id is None else pc.coalesce(typed[schema.id.column_id], made)
    return {"row_id": row_id, "row_number": number, "event_at": _event_times(typed, schema, rows, received_at)}


def _event_times(
    typed: dict[str, pa.ChunkedArray], schema: Schema, rows: int, received_at: datetime
) -> pa.Array | pa.ChunkedArray:
    if schema.time is None:
        naive = np.datetime64(received_at.astimezone(UTC).replace(tzinfo=None), "us")
        # a microsecond a row keeps the order of arrival, so that windows of one batch have times of their own
        return pa.array(naive + np.arange(rows).astype("timedelta64[us]"), _US)
    values = typed[schema.time.column_id]
    if schema.time_unit is TimeUnit.CLOCK:
        return values
    return _scaled(values, _DAY_US if schema.time_unit is TimeUnit.DAY else _SECOND_US)


def _known_classes(column: Column, stored: pa.ChunkedArray, schema: Schema) -> tuple[pa.ChunkedArray, list[Finding]]:
    known = pc.is_in(stored, value_set=pa.array(schema.classes, pa.string()))
    unknown = pc.and_(stored.is_valid(), pc.invert(known))
    rows = pc.sum(unknown).as_py() or 0
    if not rows:
        return stored, []
    share, classes = rows / len(stored), ", ".join(repr(c) for c in schema.classes[:12])
    finding = Finding(
        code=FindingCode.TARGET_UNKNOWN,
        column=column.name,
        severity=Severity.WARNING,
        message=(
            f"Column {column.name!r}: {rows:,} of {len(stored):,} rows ({percent(share)}) carry a label that is no class"
            f" of the model ({_examples(stored, unknown)}); known are {classes}. They are kept as rows without a label:"
            " correct them upstream and send labels again."
        ),
        value=share,
        allowed=classes,
    )
    return pc.if_else(known, stored, None), [finding]


def _type_changed(column: Column, raw: pa.ChunkedArray, failed: pa.ChunkedArray, failed_rows: int) -> Finding:
    share = failed_rows / len(raw)
    return Finding(
        code=FindingCode.TYPE_CHANGED,
        column=column.name,
        severity=Severity.WARNING,
        message=(
            f"Column {column.name!r} arrived as {arrived_name(raw.type)}: {failed_rows:,} of {len(raw):,} rows"
            f" ({percent(share)}) are not {_WANTED[column.type]} ({_examples(raw, failed)}) and were kept as nulls."
        ),
        value=share,
    )


def _examples(column: pa.ChunkedArray, chosen: pa.ChunkedArray) -> str:
    places = np.flatnonzero(pc.fill_null(chosen, fill_value=False).to_numpy())[:_EXAMPLES]
    shown = ", ".join(f"{str(column[int(i)].as_py())[:40]!r} at row_number {i}" for i in places)
    more = pc.sum(chosen).as_py() > len(places)
    return f"{shown}, …" if more else shown


def _arrival(column: Column, raw: pa.ChunkedArray, stored: pa.ChunkedArray, failed_rows: int) -> ColumnArrival:
    low = high = None
    if column.type is ColumnType.NUMBER:
        ends = pc.min_max(stored).as_py()
        low, high = ends["min"], ends["max"]
    return ColumnArrival(
        column=column.name,
        arrived=arrived_name(raw.type),
        stored=column.type.value,
        null_share=_null_share(stored),
        failed_rows=failed_rows,
        low=low,
        high=high,
        distinct=pc.count_distinct(stored).as_py(),
    )


def _extra(name: str, raw: pa.ChunkedArray) -> ColumnArrival:
    return ColumnArrival(
        column=name, arrived=arrived_name(raw.type), stored=NOT_STORED, null_share=_null_share(raw), failed_rows=0
    )


def _null_share(column: pa.ChunkedArray) -> float:
    return column.null_count / len(column) if len(column) else 0.0
