"""How monitored time, or a stream of rows, is cut into windows.

Answers "what does 7d mean, which length fits these rows, and where does each window start?". Days, weeks and months
begin at midnight in the schema's zone, hours are those of its clock. Neighbours: ``watched`` counts the windows,
``watch`` compares them. It reads no row: it is told which days have rows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from statistics import median
from zoneinfo import ZoneInfo

from pipeline_core.clock import day_in, moment_in
from pipeline_core.errors import InvalidDefinition
from pipeline_core.records import Schema, TimeUnit

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
ALLOWED = (
    "hours that divide a day (1h, 6h), days (1d, 7d, 30d), weeks (1w), months (1mo), rolling windows such as 7d/1d"
    " (7 days, every day), or rows such as 1000rows"
)
WINDOWS_MAX = 1_000
DAYS_MAX = 36_500
MONTHS_MAX = 1_200
TICKS_MAX = 200_000
DEFAULT_DAYS = (1, 7, 30, 90, 365)
DEFAULT_ROWS = 1_000
DEFAULT_WINDOWS_MAX = 120
DEFAULT_ROWS_MIN = 500
_WEEK, _YEAR, _HOURS = 7, 12, 24
_THURSDAY, _MONDAY = date(1970, 1, 1).toordinal(), date(1970, 1, 5).toordinal()
_UTC = ZoneInfo("UTC")
_SIDES = ("length", "step")
_TEXT = re.compile(r"\s*(\d{1,9})\s*(mo|months?|w|weeks?|d|days?|h|hours?|rows?)\s*", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Length:
    """How long a window is, in one of these units (the others are 0); ``every``: how far apart rolling windows start."""

    hours: int = 0
    days: int = 0
    months: int = 0
    rows: int = 0
    every: Length | None = None

    def __str__(self) -> str:
        own = next(f"{n}{unit}" for n, unit in self._parts() if n)
        return own if self.every is None else f"{own}/{self.every}"

    @property
    def fine(self) -> bool:
        """Whether windows start or end within days, so that day counts cannot tell them."""
        return bool(self.hours or (self.every and self.every.hours))

    @property
    def once(self) -> Length:
        """The same length, windows laid end to end."""
        return Length(hours=self.hours, days=self.days, months=self.months, rows=self.rows)

    def _parts(self) -> tuple[tuple[int, str], ...]:
        return ((self.hours, "h"), (self.days, "d"), (self.months, "mo"), (self.rows, "rows"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One window: ``start`` inclusive, ``end`` exclusive (row windows: first and last event); ``bucket`` in counts.

    ``whole``: rows were to be had from its start to its end; the first and the last window often are not.
    """

    bucket: datetime
    start: datetime
    end: datetime
    whole: bool = True


def zone_of(schema: Schema) -> ZoneInfo:
    """Give the zone whose days and hours the model's windows follow.

    Parameters
    ----------
    schema : Schema
        The model's.

    Returns
    -------
    ZoneInfo
        UTC where the event time counts days or rows and knows no clock.
    """
    return _UTC if schema.time_unit in {TimeUnit.DAY, TimeUnit.ROW} else ZoneInfo(schema.zone)


def parse(text: str, unit: TimeUnit) -> Length:
    """Read the length of a window as a person gives it.

    Parameters
    ----------
    text : str
        ``6h``, ``7d``, ``1w``, ``1mo``, ``7d/1d`` or ``1000rows``.
    unit : TimeUnit
        How the model's event time is counted.

    Returns
    -------
    Length

    Raises
    ------
    InvalidDefinition
        It is none of these, or a time that the model's event time does not know.

    Examples
    --------
    >>> str(parse("24h", TimeUnit.CLOCK)), str(parse("500 rows", TimeUnit.ROW)), str(parse("1w/1d", TimeUnit.CLOCK))
    ('1d', '500rows', '7d/1d')
    """
    parts = [_TEXT.fullmatch(part) for part in text.split("/")]
    found = [part for part in parts if part is not None and int(part[1])]
    if len(found) != len(parts) or len(parts) > len(_SIDES):
        raise InvalidDefinition(f"Window {text[:80]!r} is not understood; allowed is one of: {ALLOWED}.")
    lengths = [_length(text, int(part[1]), part[2].lower(), unit) for part in found]
    if len(lengths) == 1 or lengths[0] == lengths[1]:
        return lengths[0]
    return _rolling(text, *lengths)


def _length(text: str, number: int, word: str, unit: TimeUnit) -> Length:
    if word[0] == "r":
        return Length(rows=number)
    if unit is TimeUnit.ROW:
        raise InvalidDefinition(
            f"Window {text!r} is a time, but the event time of this model counts rows and knows no clock. "
            "Ask for windows in rows, such as 1000rows."
        )
    if unit is TimeUnit.DAY and (word[0] == "m" or (word[0] == "h" and number % _HOURS)):
        raise InvalidDefinition(
            f"Window {text!r} is no number of days, but the event time of this model counts days and knows no hours or"
            " months. Ask for days, such as 7d, or for rows."
        )
    if word[0] == "m":
        return _within(text, Length(months=number), MONTHS_MAX)
    if word[0] == "h" and number % _HOURS:
        if _HOURS % number:
            raise InvalidDefinition(
                f"Window {text!r} does not divide a day; windows of hours start at midnight, so 1, 2, 3, 4, 6, 8 and 12"
                " hours are allowed. Ask for one of these, for whole days (24h, 7d), or for rows."
            )
        return Length(hours=number)
    days = number // _HOURS if word[0] == "h" else number * (_WEEK if word[0] == "w" else 1)
    return _within(text, Length(days=days), DAYS_MAX)


def _within(text: str, length: Length, most: int) -> Length:
    number = length.days or length.months
    if number > most:
        noun = "days" if length.days else "months"
        raise InvalidDefinition(
            f"Window {text!r} is {number:,} {noun}; at most {most:,} are allowed. Ask for a shorter one."
        )
    return length


def _rolling(text: str, length: Length, every: Length) -> Length:
    size, step = (n.days * _HOURS + n.hours for n in (length, every))
    if not size or not step or step > size or (every.hours and size % step):
        raise InvalidDefinition(
            f"Window {text!r} does not roll; allowed is a length in hours, days or weeks, a slash, and a shorter step"
            " (for steps in hours: one that divides the length), such as 7d/1d or 6h/1h. Ask for one of these."
        )
    return Length(hours=length.hours, days=length.days, every=every)


def fitting(days: Mapping[datetime, int], unit: TimeUnit, *, zone: ZoneInfo = _UTC) -> Length:
    """Choose the shortest window that still holds enough rows to judge.

    The first of 1, 7, 30, 90 and 365 days whose median window has at least 500 rows and that gives at most
    120 windows; where none does, 1,000 rows (or ten, a hundred ... times as many).

    Parameters
    ----------
    days : mapping of datetime to int
        Midnight to monitored rows of the day.
    unit : TimeUnit
        How the model's event time is counted.
    zone : ZoneInfo
        Whose midnights they are.

    Returns
    -------
    Length
    """
    by_date = _by_date(days, zone)
    for length in DEFAULT_DAYS if days and unit is not TimeUnit.ROW else ():
        sizes: dict[int, int] = {}
        anchor = _anchor(length, min(by_date), unit)
        for day, rows in by_date.items():
            place = (day - anchor) // length
            sizes[place] = sizes.get(place, 0) + rows
        if len(sizes) <= DEFAULT_WINDOWS_MAX and median(sizes.values()) >= DEFAULT_ROWS_MIN:
            return Length(days=length)
    rows = DEFAULT_ROWS
    while sum(days.values()) > rows * WINDOWS_MAX:
        rows *= 10
    return Length(rows=rows)


def spans(
    length: Length,
    days: Mapping[datetime, int],
    unit: TimeUnit,
    *,
    zone: ZoneInfo = _UTC,
    anchor: datetime | None = None,
) -> tuple[Span, ...]:
    """Lay windows over the days that have rows.

    Whole weeks start on a Monday and so does the calendar of every check (models that count days: on a day that is a
    multiple of 7), months on the 1st (longer ones so that years are whole where they can be), hours at midnight; other
    lengths start on the first day. Rolling windows start as windows of their step would, and only those are laid that
    end by the last day; where none does, one. On the day that clocks change, windows of hours are as long as the
    clock says (an hour that comes twice is two windows of 1h).

    Parameters
    ----------
    length : Length
        In time.
    days : mapping of datetime to int
        Midnight to rows of the day.
    unit : TimeUnit
        How the model's event time is counted.
    zone : ZoneInfo
        Whose midnights they are.
    anchor : datetime, optional
        A day that a window starts on, where weeks and months do not say; the first of ``days``, unless said.

    Returns
    -------
    tuple of Span
        In the order of their starts. Windows on no day with rows are left out; windows of hours may still have none.

    Raises
    ------
    InvalidDefinition
        There would be far too many hours.
    """
    dates = list(_by_date(days, zone))
    if not dates:
        return ()
    if length.months:
        return _months(length.months, dates, zone)
    if length.fine:
        return _hours(length, dates, zone)
    step = (length.every or length).days
    first = dates[0] if anchor is None else day_in(zone, anchor)
    base = _anchor(step, first, unit)
    lowest = (dates[0] - base) // step
    highest = max(lowest, (dates[-1] + 1 - base - length.days) // step)
    if length.every is None:
        highest = (dates[-1] - base) // step
    places: set[int] = set()
    for day in dates:
        newest = (day - base) // step
        oldest = -((base + length.days - 1 - day) // step)
        places.update(range(max(lowest, oldest), min(highest, newest) + 1))
    starts = [base + place * step for place in sorted(places)]
    return tuple(_span(moment_in(zone, s), moment_in(zone, s + length.days)) for s in starts)


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


def _by_date(days: Mapping[datetime, int], zone: ZoneInfo) -> dict[int, int]:
    """Give the rows by the number of the local day, in time order."""
    return {day_in(zone, day): days[day] for day in sorted(days)}


def _anchor(days: int, first: int, unit: TimeUnit) -> int:
    """Give the day on which the first window starts; longer windows of whole weeks start with the first week."""
    if days % _WEEK:
        return first
    return first - (first - (_THURSDAY if unit is TimeUnit.DAY else _MONDAY)) % _WEEK


def _months(number: int, dates: list[int], zone: ZoneInfo) -> tuple[Span, ...]:
    def start(block: int) -> datetime:
        year, month = divmod(block * number, _YEAR)
        return moment_in(zone, date(year, month + 1, 1).toordinal())

    months = ((d.year * _YEAR + d.month - 1) // number for d in map(date.fromordinal, dates))
    return tuple(_span(start(block), start(block + 1)) for block in sorted(set(months)))


def _hours(length: Length, dates: list[int], zone: ZoneInfo) -> tuple[Span, ...]:
    step = (length.every or length).hours
    size = (length.days * _HOURS + length.hours) // step
    if (dates[-1] - dates[0] + 1) * (_HOURS // step) > TICKS_MAX:
        limit(length, (dates[-1] - dates[0] + 1) * (_HOURS // step))
    # without rolling, days without rows need not be cut
    days = dates if size == 1 else range(dates[0], dates[-1] + 1)
    found: list[Span] = []
    if size == 1:
        for day in days:
            ticks = [*_ticks(day, step, zone), moment_in(zone, day + 1)]
            found.extend(_span(a, b) for a, b in pairwise(ticks))
        return tuple(found)
    ticks = [tick for day in days for tick in _ticks(day, step, zone)]
    ticks.append(moment_in(zone, dates[-1] + 1))
    if len(ticks) <= size:
        return (_span(ticks[0], ticks[0] + size * step * HOUR),)
    return tuple(_span(a, b) for a, b in zip(ticks, ticks[size:], strict=False))


def _ticks(day: int, step: int, zone: ZoneInfo) -> list[datetime]:
    """Give the times of a local day at which its hours start."""
    start, end = moment_in(zone, day), moment_in(zone, day + 1)
    if step == 1:
        return [start + i * HOUR for i in range(-(-(end - start) // HOUR))]
    local = (datetime.combine(date.fromordinal(day), time(hour), zone) for hour in range(0, _HOURS, step))
    return sorted({max(start, t.astimezone(UTC)) for t in local if t.astimezone(UTC) < end})


def _span(start: datetime, end: datetime) -> Span:
    return Span(bucket=start, start=start, end=end)
