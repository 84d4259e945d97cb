"""How an arrived column becomes moments: timestamps of any unit, dates, ISO 8601 text, numbers since 1970.

Neighbours: ``conversion`` asks for it, ``clock`` says which texts and numbers are times. It refuses times outside the
calendar (the years 1 to 9999) and to guess an order of day and month.
"""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline_core.clock import ISO_8601, epoch_micros
from pipeline_core.stages.validation.cells import (
    FAILED,
    Converted,
    Mask,
    all_failed,
    by_level,
    mask_of,
    text_marks,
    valid,
)

US = pa.timestamp("us")
DAY_US, SECOND_US = 86_400_000_000, 1_000_000

_ZONE = r":[0-9]{2}(\.[0-9]+)? ?[+-][0-9:]+$"
_UTC = r"[+-]00(:?00)?$"
_FINE = r"\.[0-9]{6}[0-9]*[1-9]"
_FIRST_US = int(datetime(1, 1, 1, tzinfo=UTC).timestamp()) * SECOND_US
_LAST_US = int(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()) * SECOND_US
_UNITS_IN_US = {"s": 1_000_000, "ms": 1_000, "us": 1}


def moments(column: pa.Array, us_each: float | None) -> Converted:
    """Make times of a column; naive ones are UTC.

    Parameters
    ----------
    column : pa.Array
        As arrived.
    us_each : float or None
        Microseconds in one of its numbers; none: they are no times.

    Returns
    -------
    Converted
        Of timestamp(us).
    """
    kind = column.type
    if pa.types.is_string(kind):
        return by_level(column, _text_times)
    if pa.types.is_timestamp(kind):
        return ticks(column)
    if pa.types.is_date(kind):
        days = column.cast(pa.date32()).cast(pa.int32()).cast(pa.int64())
        times = pc.multiply(_within(days, _FIRST_US // DAY_US, _LAST_US // DAY_US), DAY_US).cast(US)
        return _outside(column, times)
    return _epoch_times(column, us_each) if is_number(kind) else all_failed(column, US)


def epoch_unit(column: pa.Array | pa.ChunkedArray) -> float | None:
    """Say in which unit a column of numbers counts time, by its median size.

    Parameters
    ----------
    column : pa.Array or pa.ChunkedArray
        As arrived.

    Returns
    -------
    float or None
        Microseconds in one; None where it holds no numbers, or none that could be times.
    """
    if not is_number(column.type):
        return None
    size = pc.abs(column.cast(pa.float64(), safe=False)).drop_null().to_numpy()
    size = size[np.isfinite(size)]
    return epoch_micros(float(np.median(size))) if len(size) else None


def from_epoch(number: pa.Array, us_each: float) -> pa.Array:
    """Make times of numbers that count from 1970; null where the calendar ends.

    Parameters
    ----------
    number : pa.Array
        Of double.
    us_each : float
        Microseconds in one.

    Returns
    -------
    pa.Array
        Of timestamp(us).
    """
    # infinity and NaN are not within any bounds
    micros = _within(pc.round(pc.multiply(number, us_each)), float(_FIRST_US), float(_LAST_US))
    return micros.cast(pa.int64()).cast(US)


def is_number(kind: pa.DataType) -> bool:
    """Say whether a type is one of numbers."""
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)


def _epoch_times(column: pa.Array, us_each: float | None) -> Converted:
    number = column.cast(pa.float64(), safe=False)
    nan = mask_of(pc.is_nan(number))
    times = pa.nulls(len(column), US) if us_each is None else from_epoch(number, us_each)
    kept = valid(times)
    return Converted(cells=times, marks={"nan": nan, FAILED: valid(column) & ~nan & ~kept, "epoch": kept})


def ticks(column: pa.Array) -> Converted:
    """Give a timestamp of any unit in microseconds.

    Parameters
    ----------
    column : pa.Array
        Of timestamp.

    Returns
    -------
    Converted
        Of timestamp(us).
    """
    count, unit = column.cast(pa.int64()), column.type.unit
    if unit == "ns":
        times = pc.divide(count, 1_000)
        made = _outside(column, _within(times, _FIRST_US, _LAST_US).cast(US))
        fine = mask_of(pc.not_equal(pc.multiply(times, 1_000), count))
        return Converted(cells=made.cells, marks=made.marks | {"rounded": fine})
    # bounded before it is multiplied: a time in the year 500,000 must not wrap around
    per_tick = _UNITS_IN_US[unit]
    low, high = _FIRST_US // per_tick, _LAST_US // per_tick
    ends = pc.min_max(count).as_py()
    if unit == "us" and (ends["min"] is None or (ends["min"] >= low and ends["max"] <= high)):
        return Converted(cells=count.cast(US))
    return _outside(column, pc.multiply(_within(count, low, high), per_tick).cast(US))


def _outside(column: pa.Array, times: pa.Array) -> Converted:
    if times.null_count == column.null_count:
        return Converted(cells=times)
    return Converted(cells=times, marks={FAILED: valid(column) & ~valid(times)})


def _text_times(raw: pa.Array) -> Converted:
    text = pc.utf8_trim_whitespace(raw)
    iso = pc.if_else(pc.match_substring_regex(text, ISO_8601), text, None)
    try:
        times = iso.cast(US)
    except pa.ArrowInvalid:
        # zones, fractions beyond microseconds, or a 31st of February: slower, cell by cell
        whole = pc.replace_substring_regex(iso, r"(\.[0-9]{6})[0-9]+", r"\1").to_pandas()
        parsed = pd.to_datetime(whole, format="ISO8601", utc=True, errors="coerce").dt.tz_localize(None)
        times = pa.Array.from_pandas(parsed.astype("datetime64[us]"), type=US)
    times = _within(times.cast(pa.int64()), _FIRST_US, _LAST_US).cast(US)
    kept = valid(times)
    marks = text_marks(raw, text, times)
    marks["zone"] = _matches(iso, _ZONE) & ~_matches(iso, _UTC) & kept
    marks["rounded"] = _matches(iso, _FINE) & kept
    return Converted(cells=times, marks=marks)


def _matches(text: pa.Array, pattern: str) -> Mask:
    return mask_of(pc.match_substring_regex(text, pattern))


def _within(values: pa.Array, low: float, high: float) -> pa.Array:
    return pc.if_else(pc.and_(pc.greater_equal(values, low), pc.less_equal(values, high)), values, None)
