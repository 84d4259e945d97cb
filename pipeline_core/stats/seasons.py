"""Which reference windows are the same season as a window, and whether a season is worth having.

Neighbours: ``flows`` lay the windows, ``cubes`` sum the chosen ones. Refused: counts, and a season that the reference has
not lived through often enough to know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from pipeline_core.records import Season

Mask = NDArray[np.bool_]
Edges = tuple[datetime, datetime]
"""First moment of a window, and the first after it; aware."""

YEAR_DAYS = 365.2425
NEAR_DAYS = 45.0
"""The same time of the year is at most this far away."""

_YEAR_NEEDS = timedelta(days=300)
_WEEKDAY_NEEDS = timedelta(weeks=4)
_HOUR_NEEDS = timedelta(days=14)


def overlapping(now: Sequence[Edges], reference: Sequence[Edges]) -> Mask:
    """Say which reference windows share time with which windows.

    Parameters
    ----------
    now : sequence of (start, end), (windows,)
        Of the windows; the end is no part of a window.
    reference : sequence of (start, end), (reference windows,)
        Of the reference windows.

    Returns
    -------
    ndarray of bool, shape (windows, reference windows)
        The same window overlaps itself, even where it is a single moment.

    Examples
    --------
    >>> noon, one, two = (datetime(2026, 1, 1, hour) for hour in (12, 13, 14))
    >>> overlapping([(noon, one)], [(noon, two), (one, two)]).tolist()
    [[True, False]]
    """
    (a, b), (c, d) = _micros(now), _micros(reference)
    same = (a[:, None] == c) & (b[:, None] == d)
    return same | ((a[:, None] < d) & (c < b[:, None]))


def apart(now: Sequence[Edges], reference: Sequence[Edges]) -> Mask:
    """Choose every reference window but those that overlap the window itself.

    Parameters
    ----------
    now, reference : sequence of (start, end)
        As ``overlapping`` takes them.

    Returns
    -------
    ndarray of bool, shape (windows, reference windows)
    """
    return ~overlapping(now, reference)


def of_season(season: Season, now: Sequence[Edges], reference: Sequence[Edges], *, zone: str) -> Mask:
    """Choose the reference windows of the same season, each window by its middle.

    Parameters
    ----------
    season : Season
        ``YEAR``: at most 45 days away on the circle of the year; ``WEEKDAY``: the same day of the week; ``HOUR``: the same
        hour of the day.
    now, reference : sequence of (start, end)
        As ``overlapping`` takes them; what overlaps is not left out here.
    zone : str
        The IANA zone whose days and hours are meant.

    Returns
    -------
    ndarray of bool, shape (windows, reference windows)

    Examples
    --------
    >>> from datetime import UTC
    >>> days = [(datetime(2026, 1, d, tzinfo=UTC), datetime(2026, 1, d + 1, tzinfo=UTC)) for d in (5, 6, 12)]
    >>> of_season(Season.WEEKDAY, days[:1], days, zone="UTC").tolist()
    [[True, False, True]]
    """
    ours, theirs = (_places(season, edges, ZoneInfo(zone)) for edges in (now, reference))
    away = np.abs(ours[:, None] - theirs)
    if season is not Season.YEAR:
        return np.asarray(away == 0)
    return np.asarray(np.minimum(away, YEAR_DAYS - away) <= NEAR_DAYS)


def candidates(reference: Sequence[Edges], *, zone: str) -> tuple[Season, ...]:
    """Say which seasons the reference can tell.

    Parameters
    ----------
    reference : sequence of (start, end)
        Of the reference windows.
    zone : str
        The IANA zone: a day is one of its days, the 25 hours of autumn too.

    Returns
    -------
    tuple of Season
        ``YEAR`` where it spans 300 days; ``WEEKDAY`` where windows are at most a day long and it spans 4 weeks; ``HOUR``
        where they are at most an hour long and it spans 14 days.
    """
    if not reference:
        return ()
    spans = max(end for _, end in reference) - min(start for start, _ in reference)
    longest = max(_wall(end, zone) - _wall(start, zone) for start, end in reference)
    told = (
        (Season.YEAR, spans >= _YEAR_NEEDS),
        (Season.WEEKDAY, longest <= timedelta(days=1) and spans >= _WEEKDAY_NEEDS),
        (Season.HOUR, longest <= timedelta(hours=1) and spans >= _HOUR_NEEDS),
    )
    return tuple(season for season, known in told if known)


def best_season(mean_effects: Mapping[Season | None, float], gain_min: float) -> Season | None:
    """Say which season makes healthy windows look clearly more alike than no season does.

    Parameters
    ----------
    mean_effects : mapping of Season or None to float
        The mean effect of the healthy windows against their season, and (None) against all others; NaN: not measured.
    gain_min : float, 0-1
        By how much of the latter a season must lower it.

    Returns
    -------
    Season or None
        The one that lowers it most; None where none does enough.

    Examples
    --------
    >>> best_season({None: 0.20, Season.YEAR: 0.12, Season.WEEKDAY: 0.19}, 0.15)
    <Season.YEAR: 'year'>
    """
    most = mean_effects.get(None, np.nan) * (1 - gain_min)
    enough = {season: effect for season, effect in mean_effects.items() if season is not None and effect <= most}
    return min(enough, key=lambda season: enough[season], default=None) if most > 0 else None


def _places(season: Season, windows: Sequence[Edges], zone: ZoneInfo) -> NDArray[np.float64]:
    middles = [(start + (end - start) / 2).astimezone(zone) for start, end in windows]
    if season is Season.WEEKDAY:
        return np.array([m.weekday() for m in middles], dtype=np.float64)
    if season is Season.HOUR:
        return np.array([m.hour for m in middles], dtype=np.float64)
    return np.array([m.timetuple().tm_yday + m.hour / 24 for m in middles], dtype=np.float64)


def _micros(windows: Sequence[Edges]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    starts, ends = (
        ([moment.timestamp() for moment in side] for side in zip(*windows, strict=True)) if windows else ([], [])
    )
    return np.array(starts, dtype=np.float64), np.array(ends, dtype=np.float64)


def _wall(moment: datetime, zone: str) -> datetime:
    return moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
