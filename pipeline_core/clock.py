"""What time it is, and what counts as a time in a file: which texts, which numbers.

The store carries a clock and everything that writes a moment asks it, so that the demo lives a year in
seconds; only here is the machine asked. What counts as a time decides for the schema what a column is
and for the conversion what a cell is, so that both say the same. Neighbours: ``store``, ``stages.schema``
and ``stages.validation``. It refuses to guess day-month orders: a text is ISO 8601 or no time.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

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
