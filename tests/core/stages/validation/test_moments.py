"""What is a time and which: every unit, ISO 8601 text, numbers since 1970, and where the calendar ends."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_core.records import ColumnType
from pipeline_core.stages.validation import convert
from pipeline_core.stages.validation.conversion import convert_cells
from pipeline_core.stages.validation.moments import epoch_unit, from_epoch

TIMESTAMP = ColumnType.TIMESTAMP


def converted(values: pa.Array, to: ColumnType) -> list[Any]:
    return convert(pa.chunked_array([values]), to).to_pylist()


def marks(values: pa.Array, to: ColumnType, us_each: float | None = None) -> dict[str, list[int]]:
    """Give the places of the cells that were changed, by kind."""
    made = convert_cells(values, to, us_each=us_each)
    return {kind: np.flatnonzero(mask).tolist() for kind, mask in made.marks.items() if mask.any()}


def moment(*parts: int) -> datetime:
    return datetime(*parts)  # type: ignore[arg-type]  # ruff: ignore[call-datetime-without-tzinfo]  # stored naive, meant as UTC


NEW_YEAR = moment(2024, 1, 1)


@pytest.mark.parametrize(
    ("values", "stored"),
    [
        (pa.array([date(2024, 1, 1), None]), [NEW_YEAR, None]),
        (pa.array([date(2024, 1, 1)], pa.date64()), [NEW_YEAR]),
        (pa.array([NEW_YEAR], pa.timestamp("s")), [NEW_YEAR]),
        (pa.array([NEW_YEAR], pa.timestamp("ms")), [NEW_YEAR]),
        (pa.array([1_704_067_200_123_456_789], pa.timestamp("ns")), [moment(2024, 1, 1, 0, 0, 0, 123_456)]),
        (
            pa.array([datetime(2024, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))], pa.timestamp("us", "UTC")),
            [NEW_YEAR],
        ),
        (pa.array([10**14], pa.timestamp("s")), [None]),
        (pa.array(["2024-01-01", " 2024-01-01 00:00 ", "2024-01-01T00:00:00"]), [NEW_YEAR] * 3),
        (pa.array(["2024-01-01T01:00:00+01:00", "2024-01-01 00:00:00Z", "2024-01-01"]), [NEW_YEAR] * 3),
        (pa.array(["2024-01-01T00:00:00.123456789Z"]), [moment(2024, 1, 1, 0, 0, 0, 123_456)]),
        (pa.array(["2024-01-01", "2024-02-30", "", "soon", "2024", "01/02/2024", None]), [NEW_YEAR] + [None] * 6),
        (pa.array(["0000-01-01", "9999-12-31"]), [None, moment(9999, 12, 31)]),
        (pa.array([1_704_067_200]), [NEW_YEAR]),
        (pa.array([1_704_067_200_000]), [NEW_YEAR]),
        (pa.array([1_704_067_200_000_000.0, None]), [NEW_YEAR, None]),
        (pa.array([1_704_067_200_000_000_000]), [NEW_YEAR]),
        (pa.array([1, 2]), [None, None]),
        (pa.array([True]), [None]),
        (pa.array([float("nan")]), [None]),
        (pa.nulls(1), [None]),
    ],
)
def test_timestamps(values: pa.Array, stored: list[datetime | None]) -> None:
    assert converted(values, TIMESTAMP) == stored


@given(st.datetimes(), st.sampled_from(["s", "ms", "us"]))
def test_every_moment_of_the_calendar_survives(when: datetime, unit: str) -> None:
    whole = when.replace(microsecond=0)
    if whole.replace(hour=0) <= moment(9999, 12, 31):
        assert converted(pa.array([whole], pa.timestamp(unit)), TIMESTAMP) == [whole]
        assert converted(pa.array([whole.isoformat(sep=" ")]), TIMESTAMP) == [whole]


def test_epoch_times_are_marked_and_those_that_are_none() -> None:
    seconds = pa.array([1_704_067_200.0, float("nan"), None, 1e300, float("inf"), 1_704_067_201.0])
    assert epoch_unit(seconds) == pytest.approx(1e6)
    assert marks(seconds, TIMESTAMP, us_each=1e6) == {"epoch": [0, 5], "nan": [1], "failed": [3, 4]}
    assert marks(seconds, TIMESTAMP) == {"nan": [1], "failed": [0, 3, 4, 5]}


@pytest.mark.parametrize(
    ("values", "unit"),
    [
        (pa.array([1_704_067_200, 1_704_067_200_000, 1_704_067_201]), 1e6),
        (pa.array([-1_704_067_200_000.0, None]), 1e3),
        (pa.array([1, 2, 3]), None),
        (pa.array([None, float("nan"), float("inf")]), None),
        (pa.array(["1704067200"]), None),
        (pa.array([True]), None),
    ],
)
def test_the_unit_of_a_column_is_that_of_its_median(values: pa.Array, unit: float | None) -> None:
    assert epoch_unit(values) == (None if unit is None else pytest.approx(unit))


def test_numbers_beyond_the_calendar_are_no_times() -> None:
    numbers = pa.array([0.0, 1e300, float("inf"), float("nan"), None, -719_162.0, -719_163.0])
    days = from_epoch(numbers, 86_400_000_000).to_pylist()
    assert days == [moment(1970, 1, 1), None, None, None, None, moment(1, 1, 1), None]
