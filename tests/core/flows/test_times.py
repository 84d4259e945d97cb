"""A time means one moment, whichever way it is written."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from pipeline_core.errors import InvalidDefinition
from pipeline_core.flows.times import number_of, parse_time
from pipeline_core.records import TimeUnit
from tests.core import modelling

MARCH = datetime(2025, 3, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("2025-03-31", MARCH),
        (" 2025-03-31T02:00+02:00 ", MARCH),
        ("2025-03-31T12:30", MARCH + timedelta(hours=12.5)),
        (date(2025, 3, 31), MARCH),
        (MARCH.replace(tzinfo=None), MARCH),
        (MARCH.astimezone(timezone(timedelta(hours=5))), MARCH),
        (None, None),
        ("  ", None),
    ],
)
def test_clock_times(given: object, meant: datetime | None) -> None:
    assert parse_time(given, modelling.schema()) == meant
    assert parse_time(given, modelling.schema(unit=TimeUnit.NONE)) == meant


@pytest.mark.parametrize("given", [400, 400.0, "400", "4e2", " 400. "])
def test_numbers_count_days_or_rows(given: object) -> None:
    day, row = modelling.schema(unit=TimeUnit.DAY), modelling.schema(unit=TimeUnit.ROW)
    assert parse_time(given, day) == datetime(1971, 2, 5, tzinfo=UTC)
    assert parse_time(given, row) == datetime(1970, 1, 1, 0, 6, 40, tzinfo=UTC)
    assert parse_time("1971-02-05", day) == datetime(1971, 2, 5, tzinfo=UTC)


@pytest.mark.parametrize("number", [0, 400, -3, 10.5])
@pytest.mark.parametrize("unit", [TimeUnit.DAY, TimeUnit.ROW])
def test_a_number_comes_back_as_it_was_given(number: float, unit: TimeUnit) -> None:
    moment = parse_time(number, modelling.schema(unit=unit))
    assert moment is not None
    found = number_of(moment, unit)
    assert (found, type(found)) == (number, type(number))


@pytest.mark.parametrize("given", ["next spring", "2025-13-01", "400.5", 400, float("inf")])
def test_what_is_no_time_is_refused_with_what_is_allowed(given: object) -> None:
    with pytest.raises(InvalidDefinition, match="an ISO date such as 2025-03-31 or time such as 2025-03-31T12:00 is"):
        parse_time(given, modelling.schema())


@pytest.mark.parametrize("given", ["1e99", "-1e9", float("nan"), "soon"])
def test_days_beyond_the_calendar_are_refused(given: object) -> None:
    with pytest.raises(InvalidDefinition, match="or a day number is allowed"):
        parse_time(given, modelling.schema(unit=TimeUnit.DAY))
