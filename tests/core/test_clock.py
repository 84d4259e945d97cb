"""What counts as a time, and where days begin."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_core.clock import ISO_8601, ahead, day_in, epoch_micros, midnight, moment_in, zone_named
from pipeline_core.errors import InvalidDefinition


@pytest.mark.parametrize(
    ("size", "micros"),
    [
        (41_187, None),
        (99_999_999, None),
        (1e8, 1e6),
        (1_357_000_200, 1e6),
        (1_357_000_200_000, 1e3),
        (1.357e15, 1.0),
        (1.357e18, 1e-3),
        (1e20, None),
    ],
)
def test_the_size_of_a_number_says_its_unit(size: float, micros: float | None) -> None:
    assert epoch_micros(size) == micros


@pytest.mark.parametrize(
    ("text", "is_time"),
    [
        ("2024-05-01", True),
        ("2024-05-01 12:30", True),
        ("2024-05-01T12:30:59.123456789+02:00", True),
        ("2024-05-01T12:30:59Z", True),
        ("2024", False),
        ("20240501", False),
        ("2024-05", False),
        ("01/05/2024", False),
        ("12:30", False),
    ],
)
def test_only_iso_8601_is_a_time(text: str, is_time: bool) -> None:
    assert (re.fullmatch(ISO_8601, text) is not None) is is_time


@pytest.mark.parametrize("name", ["Europe", "europe/berlin", "", "../../etc/passwd", "\0", "x" * 300, "localtime"])
def test_what_is_no_zone_is_said_with_what_is(name: str) -> None:
    with pytest.raises(
        InvalidDefinition, match=r"is no time zone; names of the IANA list such as UTC or Europe/Berlin"
    ):
        zone_named(name)


def test_the_nearest_zone_is_named() -> None:
    with pytest.raises(InvalidDefinition, match="Did you mean 'Europe/Berlin'"):
        zone_named("Europe/Berln")
    assert zone_named("Europe/Berlin").key == "Europe/Berlin"


@pytest.mark.parametrize(
    "name", ["UTC", "Europe/London", "Africa/Cairo", "Pacific/Apia", "America/St_Johns", "Asia/Kolkata"]
)
@given(micros=st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999))
def test_a_moment_lies_between_the_midnights_of_its_day(name: str, micros: int) -> None:
    zone, moment = ZoneInfo(name), datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
    begins = midnight(moment, zone)
    assert begins <= moment
    assert moment - begins <= timedelta(hours=49)
    assert midnight(begins, zone) == begins
    assert begins in {moment_in(zone, day_in(zone, moment)), moment_in(zone, day_in(zone, moment) + 1)}


def test_a_date_that_comes_twice_begins_once() -> None:
    # Newfoundland put clocks back at one minute past midnight, so that the day before came again for 59 minutes
    zone, changed = ZoneInfo("America/St_Johns"), datetime(2010, 11, 7, 2, 31, tzinfo=UTC)
    begins = changed - timedelta(minutes=1)
    assert ahead(zone, changed) - ahead(zone, begins) == timedelta(hours=-1)
    assert {midnight(changed + timedelta(minutes=m), zone) for m in (-1, 0, 30, 90)} == {begins}


def test_days_beyond_the_rules_are_those_of_utc() -> None:
    zone = ZoneInfo("America/New_York")
    for moment in (
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(1850, 1, 1, 5, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, tzinfo=UTC),
    ):
        assert ahead(zone, moment) == timedelta()
        assert midnight(moment, zone) == moment_in(zone, moment.toordinal())
    assert moment_in(zone, date.max.toordinal() + 1) == datetime.max.replace(tzinfo=UTC)
