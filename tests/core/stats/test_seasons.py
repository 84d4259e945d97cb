"""Which reference windows are the same season, and whether that helps."""

from __future__ import annotations

import doctest
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest

from pipeline_core.records import Season
from pipeline_core.stats import seasons
from pipeline_core.stats.seasons import apart, best_season, candidates, of_season, overlapping

Edges = tuple[datetime, datetime]


def laid(start: datetime, length: timedelta, count: int, *, every: timedelta | None = None) -> list[Edges]:
    step = every or length
    return [(start + k * step, start + k * step + length) for k in range(count)]


NEW_YEAR = datetime(2025, 1, 1, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def test_examples_hold() -> None:
    assert doctest.testmod(seasons).failed == 0


def test_windows_that_touch_do_not_overlap_and_rolling_ones_do() -> None:
    days = laid(NEW_YEAR, DAY, 3)
    assert overlapping(days, days).tolist() == np.eye(3, dtype=bool).tolist()
    rolling = laid(NEW_YEAR, 7 * DAY, 10, every=DAY)
    away = np.abs(np.subtract.outer(np.arange(10), np.arange(10)))
    assert overlapping(rolling, rolling).tolist() == (away < 7).tolist()
    assert apart(rolling, rolling).tolist() == (away >= 7).tolist()


def test_a_single_moment_overlaps_itself() -> None:
    moment = [(NEW_YEAR, NEW_YEAR)]
    assert overlapping(moment, moment).tolist() == [[True]]
    assert overlapping([], moment).shape == (0, 1)
    assert apart(moment, []).shape == (1, 0)


def test_the_year_is_a_circle() -> None:
    reference = laid(NEW_YEAR, DAY, 730)
    chosen = of_season(Season.YEAR, [(NEW_YEAR, NEW_YEAR + DAY)], reference, zone="UTC")[0]
    near = np.flatnonzero(chosen)
    assert near.min() == 0
    assert {44, 45, 46} & set(near.tolist()) == {44, 45}
    assert {319, 320, 321} & set(near.tolist()) == {321}
    assert 365 + 20 in near
    assert 180 not in near
    assert chosen.sum() == pytest.approx(2 * 91, abs=3)


def test_weekdays_are_those_of_the_zone() -> None:
    # 23 h in New York on Sunday is Monday in UTC
    sunday = datetime(2026, 3, 2, 4, tzinfo=UTC)
    window = [(sunday, sunday + HOUR)]
    reference = laid(datetime(2026, 2, 22, 17, tzinfo=UTC), HOUR, 2, every=DAY)  # Sunday and Monday noon in New York
    assert of_season(Season.WEEKDAY, window, reference, zone="America/New_York").tolist() == [[True, False]]
    assert of_season(Season.WEEKDAY, window, reference, zone="UTC").tolist() == [[False, True]]


def test_hours_follow_the_clock_on_the_wall() -> None:
    winter = [(datetime(2026, 1, 5, 8, tzinfo=UTC), datetime(2026, 1, 5, 9, tzinfo=UTC))]
    summer = laid(datetime(2026, 7, 6, 6, tzinfo=UTC), HOUR, 4)
    assert of_season(Season.HOUR, winter, summer, zone="Europe/Berlin").tolist() == [[False, True, False, False]]
    assert of_season(Season.HOUR, winter, summer, zone="UTC").tolist() == [[False, False, True, False]]
    # in India hours begin in the middle of a UTC hour
    assert of_season(Season.HOUR, winter, summer, zone="Asia/Kolkata").tolist() == [[False, False, True, False]]


@pytest.mark.parametrize(
    ("length", "count", "found"),
    [
        (DAY, 27, ()),
        (DAY, 28, (Season.WEEKDAY,)),
        (DAY, 300, (Season.YEAR, Season.WEEKDAY)),
        (7 * DAY, 42, ()),
        (7 * DAY, 43, (Season.YEAR,)),
        (HOUR, 13 * 24, ()),
        (HOUR, 14 * 24, (Season.HOUR,)),
        (HOUR, 28 * 24, (Season.WEEKDAY, Season.HOUR)),
        (6 * HOUR, 28 * 4, (Season.WEEKDAY,)),
    ],
)
def test_a_season_needs_a_past_that_has_lived_through_it(
    length: timedelta, count: int, found: tuple[Season, ...]
) -> None:
    assert candidates(laid(NEW_YEAR, length, count), zone="UTC") == found


def test_the_long_day_of_autumn_is_a_day() -> None:
    from zoneinfo import ZoneInfo

    berlin = ZoneInfo("Europe/Berlin")
    midnights = [datetime(2025, 10, 1, tzinfo=berlin) + k * DAY for k in range(41)]
    days = [(a.astimezone(UTC), b.astimezone(UTC)) for a, b in pairwise(midnights)]
    assert max(b - a for a, b in days) == timedelta(hours=25)
    assert candidates(days, zone="Europe/Berlin") == (Season.WEEKDAY,)
    assert candidates([], zone="UTC") == ()


def test_a_season_has_to_earn_itself() -> None:
    assert best_season({None: 0.20, Season.WEEKDAY: 0.171}, 0.15) is None
    assert best_season({None: 0.20, Season.WEEKDAY: 0.169, Season.YEAR: 0.10}, 0.15) is Season.YEAR
    assert best_season({None: 0.20, Season.WEEKDAY: float("nan")}, 0.15) is None
    assert best_season({None: float("nan"), Season.WEEKDAY: 0.1}, 0.15) is None
    assert best_season({Season.WEEKDAY: 0.1}, 0.15) is None
    assert best_season({None: 0.0, Season.WEEKDAY: 0.0}, 0.15) is None
