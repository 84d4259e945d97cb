"""Event times against the clock, the batches before, and the hours of the day."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from pipeline_core.policy import Policy
from pipeline_core.records import Finding, Severity
from pipeline_core.stages.validation import Context, PastBatch, check
from pipeline_core.stages.validation.outcomes import MEASURES
from tests.core.stages.validation.drawn import START, drawn, said, schema, typed
from tests.core.stages.validation.made import NOW, batch_of

FIRST = START.replace(tzinfo=UTC)
ROWS = 1_000


def timed(times: list[datetime]) -> dict[str, pa.Array]:
    return drawn(13, len(times)) | {"when": times}


def minutes(rows: int = ROWS, start: datetime = START, step: timedelta = timedelta(minutes=1)) -> list[datetime]:
    return [start + i * step for i in range(rows)]


@pytest.mark.parametrize(("late", "severity"), [(1, "warning"), (10, "warning"), (11, "error")])
def test_times_in_the_future(late: int, severity: str) -> None:
    times = minutes()
    times[:late] = [datetime(2062, 5, 1)] * late  # ruff: ignore[call-datetime-without-tzinfo] - as a file has it
    finding = said(timed(times))["time_future", "when"]
    assert (finding.severity, finding.value) == (Severity(severity), late / ROWS)
    assert "2062-05-01 00:00 UTC" in finding.message


def test_a_day_ahead_is_allowed() -> None:
    edge = NOW.replace(tzinfo=None) + timedelta(days=1)
    times = [*minutes(ROWS - 1), edge]
    assert ("time_future", "when") not in said(timed(times))
    assert said(timed([*times[:-1], edge + timedelta(seconds=1)]))["time_future", "when"].value == 1 / ROWS


def day(offset: int, rows_by_day: dict[str, int] | None = None, span: int = 0) -> PastBatch:
    first = FIRST + timedelta(days=offset)
    return PastBatch(
        rows=ROWS,
        received_at=first,
        first_event_at=first,
        last_event_at=first + timedelta(days=span, hours=1),
        rows_by_day=rows_by_day or {},
    )


def test_times_before_anything_that_is_known() -> None:
    times = minutes(start=START + timedelta(days=5))
    times[:7] = [datetime(1970, 1, 1)] * 7  # ruff: ignore[call-datetime-without-tzinfo] - as a file has it
    assert ("time_too_old", "when") not in said(timed(times))
    finding = said(timed(times), past=(day(0), day(2)))["time_too_old", "when"]
    assert (finding.value, finding.severity) == (0.007, Severity.WARNING)
    assert "back to 1970-01-01" in finding.message
    assert ("time_too_old", "when") not in said(timed(times[7:]), past=(day(0), day(2)))


def measures(code: str, column_id: str | None, *values: float) -> pa.Table:
    rows = [{"batch_id": f"b-{i}", "code": code, "column_id": column_id, "value": v} for i, v in enumerate(values)]
    return pa.Table.from_pylist(rows, MEASURES)


def test_rows_out_of_order_where_they_were_in_order() -> None:
    times = minutes()
    times[::10], times[1::10] = times[1::10], times[::10]
    code, column = "time_unordered", schema().time.column_id
    assert (code, "when") not in said(timed(times))
    finding = said(timed(times), measures=measures(code, column, 0.0, 0.002))[code, "when"]
    assert (finding.severity, finding.value) == (Severity.INFO, 0.1)
    assert (finding.fired_batches, finding.past_batches) == (0, 2)
    assert (code, "when") not in said(timed(times), measures=measures(code, column, 0.0, 0.09))


def days(first: int, count: int, *, without: tuple[int, ...] = ()) -> dict[str, int]:
    every = [FIRST + timedelta(days=i) for i in range(first, first + count)]
    return {f"{d:%Y-%m-%d}": 10 for d in every if d.weekday() not in without}


def test_a_missing_day_where_weekdays_always_had_rows() -> None:
    step = timedelta(minutes=10)
    times = [
        t
        for t in minutes(2_000, START + timedelta(days=28), step)
        if t.date() != datetime(2025, 2, 5, tzinfo=UTC).date()
    ]
    full = day(0, days(0, 28), span=27)
    finding = said(timed(times), past=(full,))["time_gap", "when"]
    assert (finding.value, "2025-02-05" in finding.message) == (1.0, True)
    assert ("time_gap", "when") not in said(timed(times))
    wednesdays_off = day(0, days(0, 28, without=(2,)), span=27)
    assert ("time_gap", "when") not in said(timed(times), past=(wednesdays_off,))
    assert ("time_gap", "when") not in said(timed(times), past=(day(0, days(0, 14), span=13),))


@pytest.mark.parametrize(("ahead_s", "hours"), [(300, 0), (3_600, 1), (7_000, 2), (50_400, 14), (50_401, 0)])
def test_times_ahead_of_the_clock(ahead_s: int, hours: int) -> None:
    last = NOW.replace(tzinfo=None) + timedelta(seconds=ahead_s)
    found = said(timed([*minutes(ROWS - 1), last]))
    assert (found["time_zone", "when"].value if ("time_zone", "when") in found else 0) == hours


PROFILE = np.array([1, 1, 1, 1, 1, 2, 5, 20, 40, 50, 45, 40, 38, 40, 45, 50, 60, 70, 60, 40, 25, 12, 6, 3])


def zoned(hours: np.ndarray, *past: np.ndarray) -> Finding | None:
    """Check a batch whose rows fall so into the hours of the day, after others."""
    column = schema().time.column_id
    rows = [
        {"batch_id": f"b-{i}", "code": f"event_hour_{h:02d}", "column_id": column, "value": float(n / profile.sum())}
        for i, profile in enumerate(past)
        for h, n in enumerate(profile)
    ]
    batch = batch_of(typed(timed(minutes())), schema())
    batch = replace(batch, facts=replace(batch.facts, rows_by_hour=tuple(int(n) for n in hours)))
    context = Context(received_at=NOW, measures=pa.Table.from_pylist(rows, MEASURES))
    checked = check(batch, schema(), policy=Policy(), context=context)
    assert {m.code for m in checked.measures} >= {f"event_hour_{h:02d}" for h in range(24)}
    return next((f for f in checked.findings if f.code == "time_zone"), None)


@pytest.mark.parametrize("shift", [-8, -2, 2, 5])
def test_hours_that_moved_together(shift: int) -> None:
    finding = zoned(np.roll(PROFILE, shift), PROFILE, PROFILE)
    assert finding is not None
    assert finding.value == shift


def test_hours_without_a_past_or_a_shift() -> None:
    assert zoned(np.roll(PROFILE, 3)) is None
    assert zoned(PROFILE, PROFILE) is None
    assert zoned(np.full(24, 40), PROFILE) is None
    assert zoned(np.full(24, 40), np.full(24, 10)) is None
