"""How monitored time, or a stream of rows, is cut into windows.

Answers "what does 7d mean, which length fits these rows, and where does each window start?". Neighbours:
``watch`` compares the windows. It refuses windows shorter than a day, because counts are kept by day.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median

from pipeline_core.errors import InvalidDefinition
from pipeline_core.records import TimeUnit

DAY = timedelta(days=1)
ALLOWED = "a number of days such as 1d, 7d or 30d, hours that make whole days such as 24h, or rows such as 1000rows"
WINDOWS_MAX = 1_000
DAYS_MAX = 36_500
DEFAULT_DAYS = (1, 7, 30, 90, 365)
DEFAULT_ROWS = 1_000
DEFAULT_WINDOWS_MAX = 120
DEFAULT_ROWS_MIN = 500
_WEEK = 7
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_MONDAY = datetime(1970, 1, 5, tzinfo=UTC)
_TEXT = re.compile(r"\s*(\d{1,9})\s*(d|days?|h|hours?|rows?)\s*", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Length:
    """How long a window is: so many whole days, or so many rows (the other is 0)."""

    days: int = 0
    rows: int = 0

    def __str__(self) -> str:
        return f"{self.days}d" if self.days else f"{self.rows}rows"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One window: ``start`` inclusive, ``end`` exclusive (row windows: first and last event); ``bucket`` in counts."""

    bucket: datetime
    start: datetime
    end: datetime


def parse(text: str, unit: TimeUnit) -> Length:
    """Read the length of a window as a person gives it.

    Parameters
    ----------
    text : str
        ``7d``, ``24h`` or ``1000rows``.
    unit : TimeUnit
        How the model's event time is counted.

    Returns
    -------
    Length

    Raises
    ------
    InvalidDefinition
        It is none of these, or a time for a model that has an order of rows but no clock.

    Examples
    --------
    >>> str(parse("24h", TimeUnit.CLOCK)), str(parse("500 rows", TimeUnit.ROW))
    ('1d', '500rows')
    """
    found = _TEXT.fullmatch(text)
    number = int(found[1]) if found else 0
    if found is None or number == 0:
        raise InvalidDefinition(f"Window {text!r} is not understood; allowed is {ALLOWED}.")
    kind = found[2][0].lower()
    if kind == "r":
        return Length(rows=number)
    if unit is TimeUnit.ROW:
        raise InvalidDefinition(
            f"Window {text!r} is a time, but the event time of this model counts rows and knows no clock. "
            "Ask for windows in rows, such as 1000rows."
        )
    if kind == "h" and number % 24:
        raise InvalidDefinition(
            f"Window {text!r} is no whole day; counts are kept by day. Ask for whole days (24h, 7d), or for rows."
        )
    days = number if kind == "d" else number // 24
    if days > DAYS_MAX:
        raise InvalidDefinition(
            f"Window {text!r} is {days:,} days; at most {DAYS_MAX:,} are allowed. Ask for a shorter one."
        )
    return Length(days=days)


def fitting(days: Mapping[datetime, int], unit: TimeUnit) -> Length:
    """Choose the shortest window that still holds enough rows to judge.

    The first of 1, 7, 30, 90 and 365 days whose median window has at least 500 rows and that gives at most
    120 windows; where none does, 1,000 rows (or ten, a hundred ... times as many).

    Parameters
    ----------
    days : mapping of datetime to int
        Midnight to monitored rows of the day.
    unit : TimeUnit
        How the model's event time is counted.

    Returns
    -------
    Length
    """
    for length in DEFAULT_DAYS if days and unit is not TimeUnit.ROW else ():
        sizes = _sizes(Length(days=length), days, unit)
        if len(sizes) <= DEFAULT_WINDOWS_MAX and median(sizes.values()) >= DEFAULT_ROWS_MIN:
            return Length(days=length)
    rows = DEFAULT_ROWS
    while sum(days.values()) > rows * WINDOWS_MAX:
        rows *= 10
    return Length(rows=rows)


def spans(length: Length, days: Mapping[datetime, int], unit: TimeUnit) -> tuple[Span, ...]:
    """Lay windows of whole days end to end over the days that have rows.

    Whole weeks start on a Monday and so does the calendar of every check (models that count days: on a day
    that is a multiple of 7); other lengths start at midnight UTC of the first monitored day.

    Parameters
    ----------
    length : Length
        In days.
    days : mapping of datetime to int
        Midnight to monitored rows of the day.
    unit : TimeUnit
        How the model's event time is counted.

    Returns
    -------
    tuple of Span
        In time order; windows without rows are left out.

    Raises
    ------
    InvalidDefinition
        There would be more than 1,000 windows.
    """
    sizes = _sizes(length, days, unit)
    limit(length, len(sizes))
    step = length.days * DAY
    return tuple(Span(bucket=start, start=start, end=start + step) for start in sizes)


def limit(length: Length, count: int) -> None:
    """Refuse more windows than a person can look at.

    Parameters
    ----------
    length : Length
        What was asked for.
    count : int
        How many windows that gives.

    Raises
    ------
    InvalidDefinition
        More than 1,000.
    """
    if count > WINDOWS_MAX:
        raise InvalidDefinition(
            f"Windows of {length} are {count:,} windows; at most {WINDOWS_MAX:,} are allowed. Ask for longer windows."
        )


def _sizes(length: Length, days: Mapping[datetime, int], unit: TimeUnit) -> dict[datetime, int]:
    """Give the start of each window that has rows, with its rows."""
    step = length.days * DAY
    anchor = min(days)
    if length.days % _WEEK == 0:
        week = _EPOCH if unit is TimeUnit.DAY else _EPOCH_MONDAY
        # longer windows of whole weeks start with the first monitored week
        anchor -= (anchor - week) % (_WEEK * DAY)
    sizes: dict[datetime, int] = {}
    for day in sorted(days):
        start = anchor + (day - anchor) // step * step
        sizes[start] = sizes.get(start, 0) + days[day]
    return sizes
