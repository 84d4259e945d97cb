"""Says whether the event times of a batch are there, and plausible against the clock and the batches before.

Neighbours: ``volume`` counts the rows, typing set aside what has no time if the policy says so. It refuses to judge
times that no clock made (an order of rows, a number of days), and gaps, order or hours before there is a history.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, date, timedelta

import numpy as np
import numpy.typing as npt

from pipeline_core.records import Column, Finding, Severity, TimeUnit
from pipeline_core.stages.validation.codes import FindingCode, percent
from pipeline_core.stages.validation.outcomes import ABOVE_ZERO, Case, Outcome, Outcomes
from pipeline_core.stages.validation.volume import ceiling

_NAMED = 5
_GAP_DAYS_MAX = 4_000
"""A batch over more days than this (11 years) is not looked through day by day."""
HOUR = "event_hour_{:02d}"
"""Measures that are no rule's: the share of the rows in each hour of the day, for the batches to come."""

_HOURS = 24
_SKEW_S = 600
_ZONE_HOURS_MAX = 14
_SHIFT_MIN = 0.1
_FIT_SHARE = 0.5
_WEEKS_MIN = 3
"""A weekday that came so often and never had rows has none."""


def outcomes(case: Case) -> Outcomes:
    """Apply the rules about event times."""
    column = case.schema.time
    if column is None or not case.has(column):
        return
    yield _missing(column, case)
    yield _unordered(column, case)
    if case.schema.time_unit is TimeUnit.CLOCK and case.batch.facts.last_event_at is not None:
        yield _future(column, case)
        yield _too_old(column, case)
        yield from _gaps(column, case)
        yield from _zone(column, case)


def _severity(share: float, case: Case) -> Severity:
    return Severity.ERROR if share > case.policy.failed_share_max else Severity.WARNING


def _missing(column: Column, case: Case) -> Outcome:
    facts, limit = case.batch.facts, percent(case.policy.failed_share_max)
    share = facts.untimed_rows / facts.rows
    finding = None
    if facts.untimed_rows:
        finding = Finding(
            code=FindingCode.EVENT_TIME_MISSING,
            column=column.name,
            severity=_severity(share, case),
            message=(
                f"Column {column.name!r} (event time): {facts.untimed_rows:,} of {facts.rows:,} rows ({percent(share)}) have"
                f" no usable time; policy allows {limit}. These rows belong to no window and are not trained on. Fill the"
                " time upstream."
            ),
            value=share,
            allowed=f"at most {limit}",
            rule=f"Rows without a time are always told, above {limit} (failed_share_max) an error: no window has them.",
        )
    return Outcome(code=FindingCode.EVENT_TIME_MISSING, column=column, measured=share, finding=finding)


def _days(case: Case) -> list[tuple[date, int]]:
    return sorted((date.fromisoformat(day), rows) for day, rows in case.batch.facts.rows_by_day.items())


def _future(column: Column, case: Case) -> Outcome:
    facts, code = case.batch.facts, FindingCode.TIME_FUTURE
    limit = case.context.received_at.astimezone(UTC) + timedelta(seconds=case.policy.future_s_max)
    last = facts.last_event_at
    late = 0
    if last is not None and last > limit:
        # days are counted as a whole: one that the limit falls into is left out, but the last row is surely late
        late = max(1, sum(rows for day, rows in _days(case) if day > limit.date()))
    share = late / facts.rows
    finding = None
    if late and last is not None:
        finding = Finding(
            code=code,
            column=column.name,
            severity=_severity(share, case),
            message=(
                f"Column {column.name!r} (event time): at least {late:,} of {facts.rows:,} rows lie in the future, up to"
                f" {last:%Y-%m-%d %H:%M} UTC; the batch came at {case.context.received_at:%Y-%m-%d %H:%M} UTC, and policy allows"
                f" {case.policy.future_s_max:,} s beyond. Check day and month, the year and the time zone upstream."
            ),
            value=share,
            allowed=f"until {limit:%Y-%m-%d %H:%M} UTC",
            rule=(
                f"Event times more than {case.policy.future_s_max:,} s (future_s_max) after arrival are told, an error above"
                f" {percent(case.policy.failed_share_max)} (failed_share_max): what has not been cannot be data."
            ),
        )
    return Outcome(code=code, column=column, measured=share, finding=finding)


def _unordered(column: Column, case: Case) -> Outcome:
    facts, code = case.batch.facts, FindingCode.TIME_UNORDERED
    share, history = facts.unordered_rows / facts.rows, case.history(code, column)
    limit = ceiling(case.policy.unordered_share_max, history) if history else math.inf
    finding = None
    if share > limit:
        finding = Finding(
            code=code,
            column=column.name,
            severity=Severity.INFO,
            message=(
                f"Column {column.name!r} (event time): {facts.unordered_rows:,} of {facts.rows:,} rows ({percent(share)}) are"
                f" earlier than the row before them; in batches before at most {percent(max(history))}. Rows are put in order"
                " by their time, so nothing is wrong; but the extract was changed."
            ),
            value=share,
            allowed=f"at most {percent(limit)}",
            rule=(
                f"Told when more than {percent(case.policy.unordered_share_max)} (unordered_share_max) of the rows, and twice as"
                " many as in any batch before, go back in time: the extract was changed."
            ),
        )
    return Outcome(
        code=code, column=column, measured=share, fires_from=math.nextafter(limit, math.inf), finding=finding
    )


def _too_old(column: Column, case: Case) -> Outcome:
    facts, code = case.batch.facts, FindingCode.TIME_TOO_OLD
    first, known = facts.first_event_at, [p.first_event_at for p in case.context.past if p.first_event_at is not None]
    old, finding, earliest = 0, None, min(known, default=None)
    if first is not None and earliest is not None and first < earliest:
        old = max(1, sum(rows for day, rows in _days(case) if day < earliest.date()))
        finding = Finding(
            code=code,
            column=column.name,
            severity=Severity.WARNING,
            message=(
                f"Column {column.name!r} (event time): at least {old:,} of {facts.rows:,} rows are older than anything known,"
                f" back to {first:%Y-%m-%d %H:%M} UTC; the baseline starts at {earliest:%Y-%m-%d %H:%M} UTC. Check for default"
                " dates and for an extract of another period."
            ),
            value=old / facts.rows,
            allowed=f"from {earliest:%Y-%m-%d %H:%M} UTC",
            rule="Rows before the first known event time are told: the baseline knows nothing of that time.",
        )
    return Outcome(code=code, column=column, measured=old / facts.rows, finding=finding)


def _gaps(column: Column, case: Case) -> Iterator[Outcome]:
    days = _days(case)
    if not days or (days[-1][0] - days[0][0]).days > _GAP_DAYS_MAX:
        return
    here = {day for day, _ in days}
    every = [days[0][0] + timedelta(days=i) for i in range((days[-1][0] - days[0][0]).days + 1)]
    missing = [day for day in every if day not in here]
    history = _history(case)
    new = [day for day in missing if history.get(day.weekday(), False)]
    finding = None
    if new:
        shown = ", ".join(day.isoformat() for day in new[:_NAMED])
        finding = Finding(
            code=FindingCode.TIME_GAP,
            column=column.name,
            severity=Severity.WARNING,
            message=(
                f"Column {column.name!r} (event time): {len(new):,} of {len(every):,} days between the first and the last row"
                f" have none: {shown}{', …' if len(new) > _NAMED else ''}; batches before have rows on each such weekday. Part"
                " of the extract may be missing."
            ),
            value=float(len(new)),
            allowed="rows on every day that had some before",
            rule=(
                f"Told when a day without rows lies inside the batch and that weekday had rows in each of at least"
                f" {_WEEKS_MIN} weeks before: a part of the extract is missing."
            ),
        )
    yield Outcome(
        code=FindingCode.TIME_GAP, column=column, measured=float(len(new)), fires_from=ABOVE_ZERO, finding=finding
    )


def _history(case: Case) -> dict[int, bool]:
    """Say for each weekday whether it always had rows, where it came often enough to know."""
    had: dict[date, bool] = {}
    for past in case.context.past:
        days = {date.fromisoformat(day) for day, rows in past.rows_by_day.items() if rows}
        if days:
            first, last = min(days), max(days)
            for i in range((last - first).days + 1):
                day = first + timedelta(days=i)
                had[day] = had.get(day, False) or day in days
    known: dict[int, list[bool]] = {}
    for day, rows in had.items():
        known.setdefault(day.weekday(), []).append(rows)
    return {weekday: all(rows) for weekday, rows in known.items() if len(rows) >= _WEEKS_MIN}


def _zone(column: Column, case: Case) -> Iterator[Outcome]:
    """Look for times that are whole hours off: ahead of the clock, or at other hours of the day than ever before."""
    hours = case.batch.facts.rows_by_hour
    shares = np.asarray(hours, dtype=np.float64) / max(1, sum(hours))
    for hour, share in enumerate(shares):
        yield Outcome(code=HOUR.format(hour), column=column, measured=float(share), fires_from=math.inf)
    ahead, shifted = _ahead(case), _shifted(column, case, shares)
    finding = None
    if ahead or shifted:
        what = (
            f"reach {ahead} h ahead of the clock"
            if ahead
            else f"lie {abs(shifted)} h {'later' if shifted > 0 else 'earlier'} in the day than in batches before"
        )
        finding = Finding(
            code=FindingCode.TIME_ZONE,
            column=column.name,
            severity=Severity.WARNING,
            message=(
                f"Column {column.name!r} (event time): the times {what}. They may be written in another time zone: times"
                " without a zone are taken as UTC. Send them with their zone, or in UTC."
            ),
            value=float(ahead or shifted),
            allowed="UTC",
            rule=(
                f"Told when times are more than {_SKEW_S // 60} minutes but at most {_ZONE_HOURS_MAX} h ahead of arrival, or a"
                " shift by whole hours brings the hours of the day back to those of batches before: windows would be wrong."
            ),
        )
    yield Outcome(code=FindingCode.TIME_ZONE, column=column, measured=float(abs(ahead or shifted)), finding=finding)


def _ahead(case: Case) -> int:
    last = case.batch.facts.last_event_at
    seconds = 0.0 if last is None else (last - case.context.received_at).total_seconds()
    return math.ceil(seconds / 3_600) if _SKEW_S < seconds <= _ZONE_HOURS_MAX * 3_600 else 0


def _shifted(column: Column, case: Case, shares: npt.NDArray[np.float64]) -> int:
    """Give the hours by which the day has moved, 0 where it has not or no shift explains it."""
    past = [case.history(HOUR.format(hour), column) for hour in range(_HOURS)]
    batches = min(len(values) for values in past)
    if len(shares) != _HOURS or case.rows < case.policy.window_rows_min or not batches:
        return 0
    # newest or oldest makes no difference: the middle of the past is what was usual
    usual = np.median(np.asarray([values[:batches] for values in past]), axis=1)
    if not usual.sum():
        return 0
    usual = usual / usual.sum()
    away = [float(np.abs(np.roll(usual, shift) - shares).sum() / 2) for shift in range(_HOURS)]
    best = int(np.argmin(away))
    noise = math.sqrt(_HOURS / case.rows) / 2
    if not best or away[0] < _SHIFT_MIN + noise or away[best] > _FIT_SHARE * away[0] or away[best] > noise + _SHIFT_MIN:
        return 0
    return best if best <= _HOURS // 2 else best - _HOURS
