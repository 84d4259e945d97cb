"""What a CSV file holds: delimiter, header, and the type that every cell of a column agrees with.

Every cell is read as text first and a type is given only where nothing is lost by it, so that the
bad cell in row 900,000 costs no more than a type. Neighbour: ``files`` has checked content, encoding
and names. It refuses ragged rows and files without a header.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from pipeline_core.errors import Unreadable

DELIMITERS = (",", ";", "\t", "|")
NULL_WORDS = (
    "", "NA", "N/A", "n/a", "#N/A", "#NA", "<NA>", "NaN", "nan", "-NaN", "-nan", "NAN", "NaT", "NULL", "Null", "null", "?",
)  # fmt: skip
"""The cells that mean "no value", after trimming blanks. ``None`` and ``na`` are words like any other."""

_BLOCK_BYTES = 16_777_216
_SNIFFED_LINES = 50
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_YEARS = range(1900, 2101)
_HEADER_NUMBERS_MAX = 1 / 3
_CODE = r"^[+-]?0[0-9xX]"  # 007 is a code: as a number it would lose its zeros
_LONG = r"^[+-]?[0-9]{17,}$"  # more digits than a float keeps
_COMMA_NUMBER = r"^[+-]?[0-9]+(,[0-9]+)?$"


def header(head: bytes, label: str) -> tuple[str, list[str]]:
    """Find the delimiter and the names of a delimited file.

    Parameters
    ----------
    head : bytes
        The beginning of the file, UTF-8, with or without a byte order mark.
    label : str
        What the file is called in messages.

    Returns
    -------
    tuple of str and list of str
        The delimiter and the names; trailing names may be blank (a delimiter at each line's end).

    Raises
    ------
    Unreadable
        The first row looks like values.
    """
    text = head.decode("utf-8-sig", errors="ignore")
    whole = len(head.splitlines()) > 1
    lines = [line for line in text.splitlines() if line.strip()]
    sample = lines[: min(_SNIFFED_LINES, len(lines) - whole)] or lines[:1]
    delimiter = max(DELIMITERS, key=lambda d: _fit(sample, d))
    names = next(
        (row for row in csv.reader(io.StringIO(text.lstrip("\r\n"), newline=""), delimiter=delimiter) if row), []
    )
    _refuse_values(names, label)
    return delimiter, names


def read(path: Path, label: str, *, delimiter: str, names: Sequence[str]) -> pa.Table:
    """Read the rows and give each column the type that all its cells agree with.

    Parameters
    ----------
    path : Path
        The file.
    label : str
        What it is called in messages.
    delimiter : str
        One of ``DELIMITERS``.
    names : sequence of str
        The header's names.

    Returns
    -------
    pa.Table
        Columns of int64, double, bool, string or null. Wholly blank rows at the end and blank
        columns without a name are left out.

    Raises
    ------
    Unreadable
        A row has more or fewer fields than the header.
    """
    table = _read_text(path, label, delimiter=delimiter, names=names)
    columns: list[pa.ChunkedArray] = []
    kept: list[str] = []
    for position, name in enumerate(table.column_names):
        column = _inferred(_without_null_words(table.column(position)), decimal_comma=delimiter != ",")
        if name.strip() or column.null_count < len(column):
            columns.append(column)
            kept.append(name)
    rows = _last_filled_row(table.columns)
    return pa.table([c.slice(0, rows) for c in columns], names=kept)


def _fit(lines: Sequence[str], delimiter: str) -> tuple[float, int]:
    widths = Counter(len(row) for row in csv.reader(lines, delimiter=delimiter))
    width, lines_of_it = max(widths.items(), key=lambda item: (item[1], item[0]), default=(1, 0))
    if width == 1:
        return (0.0, 1)
    # a delimiter that nearly all lines agree on beats one that makes more fields in some of them
    return (round(lines_of_it / widths.total(), 1), width)


def _refuse_values(names: Sequence[str], label: str) -> None:
    numbers = [n.strip() for n in names if _NUMBER.fullmatch(n.strip())]
    if not numbers or len(numbers) < _HEADER_NUMBERS_MAX * len(names):
        return
    if all(n.isdecimal() for n in numbers):
        values = [int(n) for n in numbers]
        if values == list(range(values[0], values[0] + len(values))) or all(v in _YEARS for v in values):
            return  # numbered columns and years are names that people do use
    shown = ", ".join(repr(n[:20]) for n in names[:5])
    raise Unreadable(
        f"File {label!r}: the first row looks like values, not names ({shown} …). A header row is required: add one"
        " line with the names of the columns."
    )


def _read_text(path: Path, label: str, *, delimiter: str, names: Sequence[str]) -> pa.Table:
    convert = pacsv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True, null_values=[""]
    )
    ragged: list[pacsv.InvalidRow] = []

    def note(row: pacsv.InvalidRow) -> str:
        ragged.append(row)
        return "error"

    def attempt(*, threads: bool) -> pa.Table:
        # opened here, not by name: by name a .gz would be unpacked without a limit
        with pa.memory_map(str(path)) as file:
            return pacsv.read_csv(
                file,
                read_options=pacsv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=threads),
                parse_options=pacsv.ParseOptions(
                    delimiter=delimiter, newlines_in_values=True, invalid_row_handler=note
                ),
                convert_options=convert,
            )

    try:
        return attempt(threads=True)
    except pa.ArrowInvalid:
        if not ragged:
            raise
    ragged.clear()
    try:
        # only one thread knows which row it is in
        return attempt(threads=False)
    except pa.ArrowInvalid as error:
        row = ragged[0]
        excerpt = "".join(c if c.isprintable() else " " for c in row.text[:60])
        raise Unreadable(
            f"File {label!r}: row {row.number:,} {excerpt!r} has {row.actual_columns} fields; the header (row 1) has"
            f" {row.expected_columns}. Every row needs as many fields as the header: mend or quote that row."
        ) from error


def _without_null_words(column: pa.ChunkedArray) -> pa.ChunkedArray:
    trimmed = pc.utf8_trim_whitespace(column.cast(pa.string()))
    return pc.if_else(pc.is_in(trimmed, value_set=pa.array(NULL_WORDS)), None, trimmed)


def _inferred(column: pa.ChunkedArray, *, decimal_comma: bool) -> pa.ChunkedArray:
    if column.null_count == len(column):
        return pa.chunked_array([pa.nulls(len(column))])
    number = _as_number(column)
    if number is not None:
        return number
    if pc.all(pc.is_in(pc.utf8_lower(column), value_set=pa.array(["true", "false", None]))).as_py():
        return pc.equal(pc.utf8_lower(column), "true")
    if decimal_comma and _are_comma_numbers(column):
        return pc.replace_substring(column, ",", ".").cast(pa.float64())
    return column


def _are_comma_numbers(column: pa.ChunkedArray) -> bool:
    shaped = pc.all(pc.match_substring_regex(column, _COMMA_NUMBER)).as_py()
    return bool(
        shaped
        and not pc.any(pc.match_substring_regex(column, _CODE)).as_py()
        and pc.any(pc.match_substring(column, ",")).as_py()
    )


def _as_number(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    for kind in (pa.int64(), pa.float64()):
        try:
            number = column.cast(kind)
        except pa.ArrowInvalid:
            continue
        loses = pc.match_substring_regex(column, f"{_CODE}|{_LONG}" if kind == pa.float64() else _CODE)
        return None if pc.any(loses).as_py() else number
    return None


def _last_filled_row(columns: Sequence[pa.ChunkedArray]) -> int:
    rows = len(columns[0])
    if not rows or any(c[rows - 1].is_valid for c in columns):
        return rows
    filled = (np.flatnonzero(c.is_valid().to_numpy()) for c in columns)
    return 1 + max((int(f[-1]) for f in filled if f.size), default=-1)
