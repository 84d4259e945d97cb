"""What time it is, and what counts as a time in a file: which texts, which numbers.

The store carries a clock and everything that writes a moment asks it, so that the demo lives a year in
seconds; only here is the machine asked. What counts as a time decides for the schema what a column is
and for the conversion what a cell is, so that both say the same. Neighbours: ``store``, ``stages.schema``
and ``stages.validation``. It refuses to guess day-month orders: a text is ISO 8601 or no time. Where days begin is
said here as well: at the local midnight of a time zone, which is kept as a moment in UTC.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

from pipeline_core.errors import InvalidDefinition, nearest

Clock = Callable[[], datetime]
"""Says what time it is, aware in UTC."""


ISO_8601 = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?( ?(Z|[+-][0-9]{2}(:?[0-9]{2})?))?)?$"
)
"""A date, or a date with a time to the minute or finer, with or without a zone (RE2 and ``re``)."""

EPOCH_MIN = 1e8
"""Below it (1973 in seconds) a number counts something else and is no time."""

_EPOCH_UNITS = ((1e11, 1e6), (1e14, 1e3), (1e17, 1.0), (1e20, 1e-3))


_OF_MACHINES = {"localtime", "posixrules", "Factory"}
"""Names that mean another zone on every machine, or none."""

KNOWN_FROM, KNOWN_TO = datetime(1900, 1, 2, tzinfo=UTC), datetime(2101, 1, 1, tzinfo=UTC)
"""Between these the rules of zones are followed; outside days are those of UTC."""


def machine_clock() -> datetime:
    """Say what time the machine has, in UTC: the clock of every store that is given no other."""
    return datetime.now(UTC)


def epoch_micros(size: float) -> float | None:
    """Say in which unit a number of that size counts time since 1970.

    Seconds lie below 1e11 (the year 5138), milliseconds below 1e14, microseconds below 1e17 and
    nanoseconds below 1e20.

    Parameters
    ----------
    size : float
        The magnitude of the numbers, for example their median.

    Returns
    -------
    float or None
        Microseconds in one of them; None where no unit makes a time of it.

    Examples
    --------
    >>> epoch_micros(1_357_000_200), epoch_micros(1_357_000_200_000), epoch_micros(41_187)
    (1000000.0, 1000.0, None)
    """
    if size < EPOCH_MIN:
        return None
    return next((micros for most, micros in _EPOCH_UNITS if size < most), None)


def zone_named(name: str) -> ZoneInfo:
    """Give a time zone by its name.

    Parameters
    ----------
    name : str
        As the IANA calls it, e.g. ``Europe/Berlin``.

    Returns
    -------
    ZoneInfo

    Raises
    ------
    InvalidDefinition
        There is no such zone; the message names the nearest.
    """
    known = available_timezones() - _OF_MACHINES
    if name not in known:
        shown = name[:80]
        raise InvalidDefinition(
            f"{shown!r} is no time zone; names of the IANA list such as UTC or Europe/Berlin are allowed."
            f" {nearest(shown, known)}"
        )
    return ZoneInfo(name)


def ahead(zone: ZoneInfo, moment: datetime) -> timedelta:
    """Say how far the clocks of a zone are ahead of UTC.

    Parameters
    ----------
    zone : ZoneInfo
        Whose clocks.
    moment : datetime
        Aware.

    Returns
    -------
    timedelta
        0 before 1900 and after 2100: nobody knows such clocks, and times there are mostly made up.
    """
    if not KNOWN_FROM <= moment < KNOWN_TO:
        return timedelta()
    return moment.astimezone(zone).utcoffset() or timedelta()


def day_in(zone: ZoneInfo, moment: datetime) -> int:
    """Give the day of a moment in a zone.

    Parameters
    ----------
    zone : ZoneInfo
        Whose day.
    moment : datetime
        Aware.

    Returns
    -------
    int
        As ``date.toordinal`` counts.

    Examples
    --------
    >>> date.fromordinal(day_in(ZoneInfo("Asia/Tokyo"), datetime(2025, 3, 30, 15, tzinfo=UTC))).isoformat()
    '2025-03-31'
    """
    return (moment.astimezone(UTC) + ahead(zone, moment)).date().toordinal()


def moment_in(zone: ZoneInfo, day: int) -> datetime:
    """Give the moment at which a day begins in a zone.

    Where clocks skip midnight the day begins when they skip it; where midnight comes twice, at the first.

    Parameters
    ----------
    zone : ZoneInfo
        Whose day.
    day : int
        Its number, as ``date.toordinal`` counts; what comes after the last day there is begins when that ends.

    Returns
    -------
    datetime
        In UTC.

    Examples
    --------
    >>> moment_in(ZoneInfo("Europe/Berlin"), date(2025, 3, 31).toordinal()).isoformat()
    '2025-03-30T22:00:00+00:00'
    """
    if day > date.max.toordinal():
        return datetime.max.replace(tzinfo=UTC)
    begins = datetime.combine(date.fromordinal(day), time(), UTC)
    return begins.replace(tzinfo=zone).astimezone(UTC) if KNOWN_FROM <= begins < KNOWN_TO else begins


def midnight(moment: datetime, zone: ZoneInfo) -> datetime:
    """Give the moment at which a moment's day began in a zone.

    Parameters
    ----------
    moment : datetime
        Aware.
    zone : ZoneInfo
        Whose day.

    Returns
    -------
    datetime
        In UTC, at or before the moment.
    """
    day = day_in(zone, moment)
    # where clocks are put back over midnight, a date comes again; the next one began before the moment already
    after = moment_in(zone, day + 1)
    return after if after <= moment else moment_in(zone, day)
