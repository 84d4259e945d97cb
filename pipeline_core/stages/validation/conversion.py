"""How an arrived column becomes a stored one: number, category or timestamp, cell by cell.

A cell that its type cannot hold becomes a null, and every change is marked for the ledger. What is done depends on the
cell alone (and on the unit of a column of epoch times), so that slices give what the whole would have given. Neighbours:
``sources`` deliver arrived types, ``rows`` puts the columns together, ``ledger`` counts the marks. It refuses to coerce
silently, and to touch a column that is already as it will be stored.
"""

from __future__ import annotations

import json
import math
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline_core.policy import NUMBER_MAX
from pipeline_core.records import ColumnType
from pipeline_core.stages.validation.cells import (
    FAILED,
    Converted,
    Marks,
    all_failed,
    by_level,
    mask_of,
    text_marks,
    valid,
)
from pipeline_core.stages.validation.moments import US, epoch_unit, moments, ticks

NOT_STORED = "not stored"
"""``ColumnArrival.stored`` of a column that the schema does not know."""

_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_WHOLE = r"^([+-]?[0-9]+)\.0+$"
_EXACT_WHOLE_MAX = 2**53
_EXACT_DIGITS = 15


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
    us_each = epoch_unit(column) if to is ColumnType.TIMESTAMP else None
    return pa.chunked_array([convert_cells(c, to, us_each=us_each).cells for c in column.chunks], storage(to))


def convert_cells(column: pa.Array, to: ColumnType, *, us_each: float | None = None) -> Converted:
    """Give the cells of a slice one of the three stored types, and mark what that changed.

    Numbers: integers, decimals, booleans (1 and 0) and text that is one number; NaN is a null, infinity fails, and what
    is beyond ``NUMBER_MAX``. Categories: text without blanks at its ends, blank is a null; numbers as text, whole ones
    without ``.0``; booleans as ``true`` and ``false``, also where they are text. Timestamps: naive ones are UTC, text
    must be ISO 8601, numbers count from 1970.

    Parameters
    ----------
    column : pa.Array
        As arrived.
    to : ColumnType
        The stored type.
    us_each : float, optional
        Microseconds in one of the numbers of a column of times; none: they are no times.

    Returns
    -------
    Converted
        Of double, string or timestamp(us), as long as ``column``.
    """
    column = _simple(column)
    if pa.types.is_null(column.type):
        return Converted(cells=pa.nulls(len(column), storage(to)))
    if to is ColumnType.NUMBER:
        return _numbers(column)
    if to is ColumnType.CATEGORY:
        return by_level(column, _categories)
    return moments(column, us_each)


def storage(kind: ColumnType) -> pa.DataType:
    """Give Arrow's type of a stored type."""
    return {ColumnType.NUMBER: pa.float64(), ColumnType.CATEGORY: pa.string(), ColumnType.TIMESTAMP: US}[kind]


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
        (_is_text, "text"),
    )
    return next((word for is_kind, word in words if is_kind(kind)), str(kind))


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _simple(column: pa.Array) -> pa.Array:
    """Give text as plain text, however the file packs it."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return column.cast(pa.string()) if _is_text(column.type) else column


# --- numbers ------------------------------------------------------------------------------------


def _numbers(column: pa.Array) -> Converted:
    kind = column.type
    if pa.types.is_floating(kind):
        return _usable(column.cast(pa.float64()))
    if pa.types.is_integer(kind):
        return _whole_numbers(column)
    if pa.types.is_boolean(kind):
        return Converted(cells=column.cast(pa.int8()).cast(pa.float64()), marks={"boolean": valid(column)})
    if pa.types.is_decimal(kind):
        made = _usable(column.cast(pa.float64(), safe=False))
        return Converted(cells=made.cells, marks=made.marks | _rounded_decimals(column, made.cells))
    if pa.types.is_string(kind):
        return _text_numbers(column)
    return all_failed(column, pa.float64())


def _usable(number: pa.Array) -> Converted:
    ends = pc.min_max(number).as_py()
    low, high = ends["min"], ends["max"]
    if low is None or (low >= -NUMBER_MAX and high <= NUMBER_MAX and math.isfinite(pc.sum(number).as_py())):
        return Converted(cells=number)  # the sum tells of a NaN, which the ends pass over
    usable = pc.less_equal(pc.abs(number), NUMBER_MAX)  # false for infinity and NaN too
    nan = mask_of(pc.is_nan(number))
    marks = {"nan": nan, FAILED: ~mask_of(usable) & valid(number) & ~nan}
    return Converted(cells=pc.if_else(usable, number, None), marks=marks)


def _whole_numbers(column: pa.Array) -> Converted:
    number = column.cast(pa.float64(), safe=False)
    ends = pc.min_max(column).as_py()
    if ends["min"] is None or (ends["min"] >= -_EXACT_WHOLE_MAX and ends["max"] <= _EXACT_WHOLE_MAX):
        return Converted(cells=number)
    exact = pc.fill_null(column, 0).to_numpy()
    floats = exact.astype(np.float64)
    # a double at the type's end would wrap around on its way back: only what was rounded up to it gets there
    back = floats < float(np.iinfo(exact.dtype).max)
    changed = np.where(back, np.where(back, floats, 0.0).astype(exact.dtype) != exact, exact > 0)
    return Converted(cells=number, marks={"rounded": changed & valid(column)})


def _rounded_decimals(column: pa.Array, number: pa.Array) -> Marks:
    """Mark decimals of more digits than a double holds."""
    if column.type.precision <= _EXACT_DIGITS:
        return {}
    long = mask_of(pc.greater_equal(pc.abs(number), 10.0 ** (_EXACT_DIGITS - column.type.scale)))
    for i in np.flatnonzero(long).tolist():
        value, exact = number[i].as_py(), column[i].as_py()
        long[i] = exact not in {Decimal(value), Decimal(repr(value))}
    return {"rounded": long}


def _text_numbers(raw: pa.Array) -> Converted:
    text = pc.utf8_trim_whitespace(raw)
    try:
        number = text.cast(pa.float64())
    except pa.ArrowInvalid:
        # at least one cell is no number: keep those that are
        number = pc.if_else(pc.match_substring_regex(text, _NUMBER), text, None).cast(pa.float64())
    usable = pc.fill_null(pc.less_equal(pc.abs(number), NUMBER_MAX), fill_value=False)
    number = pc.if_else(usable, number, None)
    return Converted(cells=number, marks=text_marks(raw, text, number))


# --- categories, called once per distinct value --------------------------------------------------


def _categories(column: pa.Array) -> Converted:
    kind = column.type
    if pa.types.is_string(kind):
        return _text_levels(column)
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return _number_levels(column)
    if pa.types.is_timestamp(kind):
        made = ticks(column)
        return Converted(cells=made.cells.cast(pa.string()), marks=made.marks)
    if pa.types.is_nested(kind):
        texts = [None if v is None else json.dumps(v, default=str, ensure_ascii=False) for v in column.to_pylist()]
        return Converted(cells=pa.array(texts, pa.string()), marks={"nested": valid(column)})
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        texts = [None if v is None else v.decode(errors="backslashreplace") for v in column.to_pylist()]
        return _text_levels(pa.array(texts, pa.string()))
    return Converted(cells=column.cast(pa.string()))


def _text_levels(raw: pa.Array) -> Converted:
    text = pc.utf8_trim_whitespace(raw)
    whole = mask_of(pc.match_substring_regex(text, _WHOLE))
    levels = pc.replace_substring_regex(text, _WHOLE, r"\1") if whole.any() else text
    lower = pc.utf8_lower(levels)
    levels = pc.if_else(pc.is_in(lower, value_set=pa.array(["true", "false"])), lower, levels)
    blank = mask_of(pc.equal(text, ""))
    marks = {
        "null_word": blank,
        "trimmed": mask_of(pc.not_equal(raw, text)) & ~blank,
        "whole_number": whole,
        "case": mask_of(pc.not_equal(levels, text)) & ~whole,
    }
    return Converted(cells=pc.if_else(pc.equal(levels, ""), None, levels), marks=marks)


def _number_levels(column: pa.Array) -> Converted:
    number = column.cast(pa.float64(), safe=False)
    finite, nan = mask_of(pc.is_finite(number)), mask_of(pc.is_nan(number))
    marks = {"nan": nan, FAILED: ~finite & ~nan & valid(number)}
    if pa.types.is_decimal(column.type):
        marks |= _rounded_decimals(column, number)
    number = pc.if_else(pa.array(finite), number, None)
    whole = pc.and_(pc.equal(pc.floor(number), number), pc.less(pc.abs(number), float(_EXACT_WHOLE_MAX)))
    as_whole = pc.if_else(whole, number, None).cast(pa.int64()).cast(pa.string())
    marks["whole_number"] = mask_of(whole)
    return Converted(cells=pc.if_else(whole, as_whole, number.cast(pa.string())), marks=marks)
