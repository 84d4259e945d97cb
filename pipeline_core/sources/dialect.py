"""How a delimited text is laid out: delimiter, quote, the row of names; found from its beginning.

Neighbours: ``delimited`` reads the body by it, ``excel`` asks whether a first row holds names. It refuses to settle
whether a first row of values is a row of names: that is a doubt.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline_core.errors import Unreadable
from pipeline_core.records import Doubt
from pipeline_core.sources import naming
from pipeline_core.sources.forms import NULL_WORDS
from pipeline_core.sources.opened import Asked, listed, printable

DELIMITERS = (",", ";", "\t", "|")

# the module's own limit is below what a cell may hold; the beginning that is looked at bounds it
csv.field_size_limit(2_097_152)

_SNIFFED_LINES = 50
_NUMBER = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?")
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}([-/.]\d{1,4})?([ T]\d{1,2}:\d{2}.*)?")
_SEPARATOR_LINE = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)
_YEARS = range(1900, 2101)
_HEADER_NUMBERS_MAX = 1 / 3
_SPACED_FIELDS_MIN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """A layout. ``skipped``: bytes before the first row; ``names`` as many as there are fields, blank ones included."""

    delimiter: str
    quote: str
    skipped: int
    header: bool
    names: tuple[str, ...]
    generated: bool = False
    doubts: tuple[Doubt, ...] = ()


def sniff(head: str, asked: Asked) -> Dialect:
    """Find the layout of a delimited text.

    Parameters
    ----------
    head : str
        Its beginning, of which the last line may be torn.
    asked : Asked
        What was told: delimiter, header, names.

    Returns
    -------
    Dialect

    Raises
    ------
    Unreadable
        What was told does not fit.
    """
    skipped = len(head) - len(head.lstrip("\r\n"))
    told = asked.reading.delimiter
    said = _SEPARATOR_LINE.match(head, skipped)
    if said is not None:
        skipped, told = said.end(), told or said[1]
    text = head[skipped:]
    lines = [line for line in text.splitlines() if line.strip()]
    whole = len(lines) > 1 and not text.endswith(("\n", "\r"))
    sample = lines[: min(_SNIFFED_LINES, len(lines) - whole)] or lines[:1]
    quote = _quote(sample)
    delimiter = _checked(told, asked) if told is not None else _delimiter(sample, quote)
    limited = io.StringIO(text[: sum(len(line) + 2 for line in sample) + 2], newline="")
    rows = [row for row in csv.reader(limited, delimiter=delimiter, quotechar=quote) if row][:_SNIFFED_LINES]
    first = rows[0] if rows else []
    naming.check_width(len(first), asked.label, asked.policy)
    header, doubts = has_header(first, rows[1:], asked)
    names, generated = _names(first, header=header, asked=asked)
    if header and _ends_blank(rows, len(first)):
        names = (*names, "")
    return Dialect(
        delimiter=delimiter,
        quote=quote,
        skipped=len(head[:skipped].encode()),
        header=header,
        names=names,
        generated=generated,
        doubts=doubts,
    )


def has_header(first: Sequence[str], rows: Sequence[Sequence[str]], asked: Asked) -> tuple[bool, tuple[Doubt, ...]]:
    """Say whether the first row holds names.

    Parameters
    ----------
    first : sequence of str
        Its fields.
    rows : sequence of sequence of str
        Some rows after it.
    asked : Asked
        What was told or is remembered.

    Returns
    -------
    tuple of bool and tuple of Doubt
        The doubt where the first row looks like values and nobody has said.
    """
    told = asked.reading.header
    if told is None and asked.reading.names:
        told = [n.strip() for n in first] == list(asked.reading.names)
    if told is not None:
        return told, ()
    if not _like_values(first, rows):
        return True, ()
    if asked.remembered.header is not None:
        return asked.remembered.header, ()
    message = (
        f"The first row of {asked.label!r} looks like values, not names ({listed([n.strip() for n in first])}). If it is a"
        " row of data, say --header no, and --names a,b,... for names of your own (otherwise column_1, column_2, ...); if"
        " these are the names, say --header yes."
    )
    return False, (Doubt(topic="header", chosen="no", options=("no", "yes"), message=message),)


def given_names(asked: Asked, width: int) -> tuple[str, ...]:
    """Give the names of columns that have none in the file.

    Parameters
    ----------
    asked : Asked
        Names that were told or are remembered.
    width : int
        How many fields there are.

    Returns
    -------
    tuple of str

    Raises
    ------
    Unreadable
        As many were told as do not fit.
    """
    told = asked.reading.names
    if told and len(told) != width:
        raise Unreadable(
            f"File {asked.label!r} has {width:,} columns, but {len(told):,} names were said. Say as many --names as there"
            " are columns."
        )
    if told or len(asked.remembered.names) == width:
        return told or asked.remembered.names
    return tuple(f"column_{i}" for i in range(1, width + 1))


def _names(first: Sequence[str], *, header: bool, asked: Asked) -> tuple[tuple[str, ...], bool]:
    if header:
        return tuple(first), False
    width = len(first)
    while width > 1 and asked.reading.names and width > len(asked.reading.names) and not first[width - 1].strip():
        width -= 1  # a delimiter at each line's end is no column
    return given_names(asked, width) + ("",) * (len(first) - width), not asked.reading.names


def _like_values(first: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    cells = [n.strip() for n in first]
    dates = [
        n for i, n in enumerate(cells) if _DATE.fullmatch(n) and not _NUMBER.fullmatch(n) and _below(rows, i, _DATE)
    ]
    numbers = [n for n in cells if _NUMBER.fullmatch(n)]
    if not (numbers or dates) or len(numbers) + len(dates) < _HEADER_NUMBERS_MAX * len(cells):
        return False
    if not dates and all(n.isdecimal() for n in numbers):
        values = [int(n) for n in numbers]
        # numbered columns and years are names that people do use
        counted = len(values) > 1 and values == list(range(values[0], values[0] + len(values)))
        return not (counted or all(v in _YEARS for v in values))
    return True


def _below(rows: Sequence[Sequence[str]], position: int, shape: re.Pattern[str]) -> bool:
    cells = [row[position].strip() for row in rows if len(row) > position]
    cells = [c for c in cells if c not in NULL_WORDS]
    return bool(cells) and all(shape.fullmatch(c) for c in cells)


def _ends_blank(rows: Sequence[Sequence[str]], width: int) -> bool:
    """Say whether each line has a delimiter at its end, and only the row of names has not."""
    return len(rows) > 1 and all(len(row) == width + 1 and not row[-1].strip() for row in rows[1:])


def _checked(told: str, asked: Asked) -> str:
    if len(told) != 1 or not told.isascii() or told.isalnum() or told in "\"'\r\n\0":
        raise Unreadable(
            f"{printable(told)!r} is no delimiter for {asked.label!r}: one character that is neither letter, digit, quote"
            " nor line end is allowed. Say for example --delimiter ';'."
        )
    return told


def _quote(lines: Sequence[str]) -> str:
    """Choose ' where it stands around fields, and no " does."""
    if any('"' in line for line in lines):
        return '"'
    around = sum(bool(re.search(r"(^|[,;\t|])'[^']*'($|[,;\t|])", line)) for line in lines)
    return "'" if len(lines) > 1 and around == len(lines) else '"'


def _delimiter(lines: Sequence[str], quote: str) -> str:
    fits = {d: _fit(lines, d, quote) for d in DELIMITERS}
    best = max(DELIMITERS, key=lambda d: fits[d])
    spaced = [line.split(" ") for line in lines]
    is_spaced = fits[best][1] == 1 and len({len(fields) for fields in spaced}) == 1 and len(lines) > 1
    if is_spaced and len(spaced[0]) >= _SPACED_FIELDS_MIN and _mostly_numbers(spaced[1:]):
        return " "
    return best


def _mostly_numbers(rows: Sequence[Sequence[str]]) -> bool:
    fields = [field for row in rows for field in row]
    return sum(bool(_NUMBER.fullmatch(f)) for f in fields) * 2 > len(fields)


def _fit(lines: Sequence[str], delimiter: str, quote: str) -> tuple[float, int, float]:
    widths = Counter(len(row) for row in csv.reader(lines, delimiter=delimiter, quotechar=quote))
    width, lines_of_it = max(widths.items(), key=lambda item: (item[1], item[0]), default=(1, 0))
    if width == 1:
        return (0.0, 1, 0.0)
    # a delimiter that nearly all lines agree on beats one that makes more fields in some of them
    share = lines_of_it / widths.total()
    return (round(share, 1), width, share)
