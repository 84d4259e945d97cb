"""What 7d means and where windows start."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_core.clock import midnight
from pipeline_core.errors import InvalidDefinition
from pipeline_core.flows.windows import Length, fitting, limit, parse, spans, zone_of
from pipeline_core.records import TimeUnit
from tests.core import modelling

CLOCK, DAYS, ROW = TimeUnit.CLOCK, TimeUnit.DAY, TimeUnit.ROW
WEDNESDAY = datetime(2025, 1, 8, tzinfo=UTC)
DAY = timedelta(days=1)


def daily(rows: int, count: int, *, first: datetime = WEDNESDAY) -> dict[datetime, int]:
    return {first + i * DAY: rows for i in range(count)}


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("7d", Length(days=7)),
        ("1d", Length(days=1)),
        ("24h", Length(days=1)),
        (" 48 hours ", Length(days=2)),
        ("30 Days", Length(days=30)),
        ("1000rows", Length(rows=1000)),
        ("1 row", Length(rows=1)),
        ("1h", Length(hours=1)),
        ("6 hours", Length(hours=6)),
        ("1w", Length(days=7)),
        ("2 weeks", Length(days=14)),
        ("1mo", Length(months=1)),
        ("3 months", Length(months=3)),
        ("7d/1d", Length(days=7, every=Length(days=1))),
        ("1w / 24h", Length(days=7, every=Length(days=1))),
        ("24h/1h", Length(days=1, every=Length(hours=1))),
        ("6h/2h", Length(hours=6, every=Length(hours=2))),
        ("7d/7d", Length(days=7)),
    ],
)
def test_lengths_that_are_understood(text: str, length: Length) -> None:
    assert parse(text, CLOCK) == length
    assert parse(str(length), CLOCK) == length


@pytest.mark.parametrize(
    "text", ["", "d", "0d", "-7d", "7", "7m", "1.5d", "7d;", "rows", "0rows", "٧d", "/", "7d/", "7d/0d", "7d/1d/1h"]
)
def test_what_is_not_understood_is_said_with_what_is(text: str) -> None:
    with pytest.raises(InvalidDefinition, match="is not understood; allowed is one of: hours that divide a day"):
        parse(text, CLOCK)


@pytest.mark.parametrize(
    ("text", "unit", "said"),
    [
        ("5h", CLOCK, "does not divide a day"),
        ("36h", CLOCK, "does not divide a day"),
        ("6h", DAYS, "knows no hours or months"),
        ("1mo", DAYS, "knows no hours or months"),
        ("1201mo", CLOCK, "1,201 months; at most 1,200"),
        ("1d/7d", CLOCK, "does not roll"),
        ("1mo/1d", CLOCK, "does not roll"),
        ("7d/1mo", CLOCK, "does not roll"),
        ("100rows/10rows", CLOCK, "does not roll"),
        ("7d/10rows", CLOCK, "does not roll"),
        ("4h/3h", CLOCK, "does not roll"),
        ("1mo", ROW, "knows no clock"),
        ("40000d", CLOCK, "at most 36,500"),
        ("7d", ROW, "knows no clock"),
        ("24h", ROW, "knows no clock"),
    ],
)
def test_what_is_not_allowed_says_why(text: str, unit: TimeUnit, said: str) -> None:
    with pytest.raises(InvalidDefinition, match=said):
        parse(text, unit)


def test_rows_are_allowed_without_a_clock() -> None:
    assert parse("500rows", ROW) == Length(rows=500)


@pytest.mark.parametrize(
    ("days", "unit", "length"),
    [
        (daily(600, 100), CLOCK, "1d"),
        (daily(600, 200), CLOCK, "7d"),
        (daily(165, 290), CLOCK, "7d"),
        (daily(20, 290), CLOCK, "30d"),
        (daily(6, 900), CLOCK, "90d"),
        (daily(2, 900), CLOCK, "365d"),
        (daily(1, 5_000), CLOCK, "1000rows"),
        (daily(600, 100), ROW, "1000rows"),
        (daily(20_000, 100), ROW, "10000rows"),
        ({}, CLOCK, "1000rows"),
    ],
)
def test_the_shortest_length_that_holds_enough_rows(days: dict[datetime, int], unit: TimeUnit, length: str) -> None:
    assert str(fitting(days, unit)) == length


def test_weeks_start_on_monday_whatever_the_first_day() -> None:
    for first in (WEDNESDAY, WEDNESDAY + 2 * DAY):
        found = spans(Length(days=7), daily(1, 9, first=first), CLOCK)
        assert [s.start for s in found][:2] == [WEDNESDAY - 2 * DAY, WEDNESDAY + 5 * DAY]
        assert {s.end - s.start for s in found} == {7 * DAY}


def test_counted_days_make_weeks_from_day_zero() -> None:
    zero = datetime(1970, 1, 1, tzinfo=UTC)
    found = spans(Length(days=7), daily(1, 3, first=zero + 13 * DAY), DAYS)
    assert [s.start for s in found] == [zero + 7 * DAY, zero + 14 * DAY]


def test_other_lengths_start_at_the_first_monitored_day() -> None:
    found = spans(Length(days=30), daily(1, 31), CLOCK)
    assert [(s.start, s.end) for s in found] == [
        (WEDNESDAY, WEDNESDAY + 30 * DAY),
        (WEDNESDAY + 30 * DAY, WEDNESDAY + 60 * DAY),
    ]


def test_windows_without_rows_are_left_out() -> None:
    found = spans(Length(days=1), {WEDNESDAY: 3, WEDNESDAY + 40 * DAY: 3}, CLOCK)
    assert [s.start for s in found] == [WEDNESDAY, WEDNESDAY + 40 * DAY]


@given(
    st.dictionaries(st.integers(0, 2_000), st.integers(1, 5), min_size=1, max_size=60),
    st.sampled_from([1, 7, 14, 30, 365]),
)
def test_every_day_is_in_exactly_one_window(offsets: dict[int, int], length: int) -> None:
    days = {WEDNESDAY + i * DAY: n for i, n in offsets.items()}
    found = spans(Length(days=length), days, CLOCK)
    for day in days:
        assert sum(s.start <= day < s.end for s in found) == 1
    assert all(a.end <= b.start for a, b in pairwise(found))


def test_more_windows_than_anybody_looks_at_are_refused() -> None:
    limit(Length(rows=10), 1_000)
    with pytest.raises(
        InvalidDefinition, match=r"Windows of 10rows are 2,000 windows; at most 1,000 .* Ask for longer"
    ):
        limit(Length(rows=10), 2_000)
    with pytest.raises(InvalidDefinition, match=r"Windows of 1h are 876,\d{3} windows"):
        spans(Length(hours=1), {WEDNESDAY: 1, WEDNESDAY + 36_500 * DAY: 1}, CLOCK)
    sparse = spans(Length(hours=1), {WEDNESDAY: 1, WEDNESDAY + 1_000 * DAY: 1}, CLOCK)
    assert len(sparse) == 48


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def local(count: int, first: str, zone: ZoneInfo) -> dict[datetime, int]:
    day = date.fromisoformat(first)
    return {datetime.combine(day + i * DAY, time(), zone).astimezone(UTC): 1 for i in range(count)}


def test_months_are_those_of_the_calendar() -> None:
    found = spans(Length(months=1), daily(1, 80, first=at("2024-01-31")), CLOCK)
    assert [(s.start, s.end) for s in found] == [
        (at("2024-01-01"), at("2024-02-01")),
        (at("2024-02-01"), at("2024-03-01")),
        (at("2024-03-01"), at("2024-04-01")),
        (at("2024-04-01"), at("2024-05-01")),
    ]
    (quarter,) = spans(Length(months=3), {at("2024-12-31"): 1}, CLOCK)
    assert (quarter.start, quarter.end) == (at("2024-10-01"), at("2025-01-01"))


def test_rolling_windows_end_by_the_last_day_and_hold_each_day_as_often_as_they_can() -> None:
    found = spans(parse("7d/1d", CLOCK), daily(1, 10), CLOCK)
    assert [(s.start - WEDNESDAY, s.end - s.start) for s in found] == [(i * DAY, 7 * DAY) for i in range(4)]
    (only,) = spans(parse("7d/1d", CLOCK), daily(1, 3), CLOCK)
    assert (only.start, only.end) == (WEDNESDAY, WEDNESDAY + 7 * DAY)
    weekly = spans(parse("14d/7d", CLOCK), daily(1, 40), CLOCK)
    assert {s.start.weekday() for s in weekly} == {0}
    # days without rows stop nothing, and windows without a day with rows are left out
    gaps = spans(parse("2d/1d", CLOCK), {WEDNESDAY + i * DAY: 1 for i in (0, 1, 2, 9, 10, 11)}, CLOCK)
    assert [(s.start - WEDNESDAY).days for s in gaps] == [0, 1, 2, 8, 9, 10]


def test_hours_begin_at_midnight() -> None:
    found = spans(Length(hours=6), {WEDNESDAY: 1, WEDNESDAY + 5 * DAY: 1}, CLOCK)
    assert [(s.start - WEDNESDAY) // timedelta(hours=1) for s in found] == [0, 6, 12, 18, 120, 126, 132, 138]
    rolling = spans(parse("1d/12h", CLOCK), daily(1, 2), CLOCK)
    assert [(s.start - WEDNESDAY) // timedelta(hours=1) for s in rolling] == [0, 12, 24]
    assert {s.end - s.start for s in rolling} == {DAY}
    (only,) = spans(parse("7d/12h", CLOCK), daily(1, 2), CLOCK)
    assert only.end - only.start == 7 * DAY


BERLIN = ZoneInfo("Europe/Berlin")


def test_days_are_those_of_the_zone() -> None:
    # clocks went ahead on 30 March 2025 and back on 26 October 2025
    spring = spans(Length(days=1), local(3, "2025-03-29", BERLIN), CLOCK, zone=BERLIN)
    assert [s.start for s in spring] == [at("2025-03-28T23:00"), at("2025-03-29T23:00"), at("2025-03-30T22:00")]
    assert [(s.end - s.start) // timedelta(hours=1) for s in spring] == [24, 23, 24]
    (autumn,) = spans(Length(days=7), local(1, "2025-10-26", BERLIN), CLOCK, zone=BERLIN)
    assert (autumn.start, autumn.end - autumn.start) == (at("2025-10-19T22:00"), timedelta(hours=169))
    (month,) = spans(Length(months=1), local(1, "2025-03-31", BERLIN), CLOCK, zone=BERLIN)
    assert (month.start, month.end) == (at("2025-02-28T23:00"), at("2025-03-31T22:00"))


@pytest.mark.parametrize(
    ("day", "length", "hours"),
    [
        ("2025-03-30", Length(hours=1), [1] * 23),
        ("2025-10-26", Length(hours=1), [1] * 25),
        ("2025-03-30", Length(hours=6), [5, 6, 6, 6]),
        ("2025-10-26", Length(hours=6), [7, 6, 6, 6]),
        ("2025-10-26", Length(hours=2), [2, 3, *[2] * 10]),
        ("2025-03-30", Length(hours=2), [2, 1, *[2] * 10]),
    ],
)
def test_hours_on_the_days_that_clocks_change(day: str, length: Length, hours: list[int]) -> None:
    found = spans(length, local(1, day, BERLIN), CLOCK, zone=BERLIN)
    assert [(s.end - s.start) // timedelta(hours=1) for s in found] == hours
    assert all(a.end == b.start for a, b in pairwise(found))


def test_a_skipped_midnight_and_a_skipped_day() -> None:
    cairo, apia = ZoneInfo("Africa/Cairo"), ZoneInfo("Pacific/Apia")
    (day,) = spans(Length(days=1), local(1, "2025-04-25", cairo), CLOCK, zone=cairo)
    assert (day.start, day.end) == (at("2025-04-24T22:00"), at("2025-04-25T21:00"))
    found = spans(Length(days=1), {at("2011-12-29T10:00"): 1, at("2011-12-30T10:00"): 1}, CLOCK, zone=apia)
    assert [(s.start, s.end) for s in found] == [
        (at("2011-12-29T10:00"), at("2011-12-30T10:00")),
        (at("2011-12-30T10:00"), at("2011-12-31T10:00")),
    ]


def test_an_anchor_lays_other_windows_on_the_same_calendar() -> None:
    later = WEDNESDAY + 100 * DAY
    found = spans(Length(days=30), daily(1, 100), CLOCK, anchor=later)
    assert [(s.start - WEDNESDAY).days for s in found] == [-20, 10, 40, 70]


@given(
    st.dictionaries(st.integers(0, 400), st.just(1), min_size=1, max_size=40),
    st.sampled_from(["6h", "1d", "7d", "10d", "1mo", "2mo"]),
    st.sampled_from([
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
        "Asia/Kolkata",
        "Pacific/Auckland",
    ]),
)
def test_every_moment_is_in_exactly_one_window_in_any_zone(offsets: dict[int, int], text: str, name: str) -> None:
    zone = ZoneInfo(name)
    days = {midnight(WEDNESDAY + i * DAY, zone): n for i, n in offsets.items()}
    found = spans(parse(text, CLOCK), days, CLOCK, zone=zone)
    assert all(a.end <= b.start for a, b in pairwise(found))
    for day in days:
        for moment in (day, day + timedelta(hours=12), day + timedelta(hours=22, minutes=59)):
            assert sum(s.start <= moment < s.end for s in found) == 1


def test_models_without_a_clock_have_no_zone() -> None:
    schema = replace(modelling.schema(), zone="Europe/Berlin")
    keys = {unit: zone_of(replace(schema, time_unit=unit)).key for unit in TimeUnit}
    assert keys == {CLOCK: "Europe/Berlin", TimeUnit.NONE: "Europe/Berlin", DAYS: "UTC", ROW: "UTC"}
