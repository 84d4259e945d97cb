"""What 7d means and where windows start."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_core.errors import InvalidDefinition
from pipeline_core.flows.windows import Length, fitting, limit, parse, spans
from pipeline_core.records import TimeUnit

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
    ],
)
def test_lengths_that_are_understood(text: str, length: Length) -> None:
    assert parse(text, CLOCK) == length
    assert parse(str(length), CLOCK) == length


@pytest.mark.parametrize("text", ["", "d", "0d", "-7d", "7", "7w", "1.5d", "7d;", "rows", "0rows", "٧d"])
def test_what_is_not_understood_is_said_with_what_is(text: str) -> None:
    with pytest.raises(InvalidDefinition, match="is not understood; allowed is a number of days"):
        parse(text, CLOCK)


@pytest.mark.parametrize(
    ("text", "unit", "said"),
    [
        ("12h", CLOCK, "no whole day"),
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
    with pytest.raises(InvalidDefinition, match=r"1,001 windows; at most 1,000 are allowed\. Ask for longer"):
        spans(Length(days=1), daily(1, 1_001), CLOCK)
    with pytest.raises(InvalidDefinition, match="Windows of 10rows are 2,000 windows"):
        limit(Length(rows=10), 2_000)
