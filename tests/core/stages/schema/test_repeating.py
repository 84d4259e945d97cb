from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from pipeline_core.stages.schema.repeating import Calendar

HOURS = 24 * 400
START = datetime(2024, 1, 1)  # ruff: ignore[call-datetime-without-tzinfo] - event times are naive UTC
MOMENTS = [START + timedelta(hours=hour) for hour in range(HOURS)]
EVENTS = pa.chunked_array([pa.array(MOMENTS, pa.timestamp("us"))])


def told(values: list[object], *, rows: int = HOURS, zone: str = "UTC") -> bool:
    return Calendar(EVENTS.slice(0, rows), zone=zone).repeated_by(pa.chunked_array([pa.array(values[:rows])]))


@pytest.mark.parametrize(
    "values",
    [
        [float(m.hour) for m in MOMENTS],
        ["night" if m.hour < 6 else "day" for m in MOMENTS],
        [float(m.weekday()) for m in MOMENTS],
        [float((m.weekday() + 1) % 7) for m in MOMENTS],
        [m.strftime("%b") for m in MOMENTS],
        [m.strftime("%B").upper() for m in MOMENTS],
        [float(m.month - 1) for m in MOMENTS],
        [float(m.year) for m in MOMENTS],
        [f"Q{(m.month - 1) // 3 + 1}" for m in MOMENTS],
        [float((m.month % 12) // 3) for m in MOMENTS],
        [["winter", "spring", "summer", "fall"][(m.month % 12) // 3] for m in MOMENTS],
    ],
    ids=["hour", "night", "weekday", "sunday first", "short month", "month", "month from 0", "year", "quarter", "season", "named season"],
)  # fmt: skip
def test_what_only_says_when_is_told(values: list[object]) -> None:
    assert told(values)


def test_nulls_are_passed_over() -> None:
    values: list[object] = [None if place % 7 == 0 else float(m.hour) for place, m in enumerate(MOMENTS)]
    assert told(values)


def test_what_is_constant_within_a_month_is_no_month() -> None:
    rates = [4.855, 4.961, 4.864, 1.2, 0.7, 4.021, 3.9, 3.1, 2.2, 2.3, 2.4, 2.5]
    assert not told([rates[m.month - 1] for m in MOMENTS])
    assert not told([float(rates[m.month - 1] > 3) for m in MOMENTS])


def test_what_varies_within_a_part_is_not_told() -> None:
    random = np.random.default_rng(1)
    assert not told(random.integers(0, 24, HOURS).astype(float).tolist())
    assert not told([float((m.hour + (m.day == 9)) % 24) for m in MOMENTS])


def test_too_little_time_or_one_value_tells_nothing() -> None:
    hours = [float(m.hour) for m in MOMENTS]
    assert not told(hours, rows=24 * 6)
    assert told(hours, rows=24 * 7)
    assert not told([1.0] * HOURS)
    assert not told([None] * HOURS)


def test_the_calendar_is_the_zones() -> None:
    # two hours ahead in summer, one in winter: no function of the hour in UTC
    local = [float((m + timedelta(hours=2 if 3 < m.month < 10 else 1)).hour) for m in MOMENTS]
    assert not told(local)
    there = Calendar(EVENTS.slice(24 * 120, 24 * 30), zone="Europe/Berlin")
    assert there.repeated_by(pa.chunked_array([pa.array(local[24 * 120 : 24 * 150])]))
