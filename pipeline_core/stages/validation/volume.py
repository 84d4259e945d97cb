"""Says whether there are as many rows as usual, whether each is there once, and whether they were there before.

Neighbours: ``columns`` asks about ids, ``times`` about days without rows. It refuses to call a number of rows unusual
before there are enough batches to say what is usual.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from datetime import datetime

import pyarrow.compute as pc

from pipeline_core.records import ColumnType, Finding, Severity
from pipeline_core.stages.validation.codes import FindingCode, percent
from pipeline_core.stages.validation.outcomes import Case, Outcome, Outcomes, PastBatch

MEAN = "column_mean"
"""Measures that are no rule's: by them a batch is known again."""

_SAME_MIN, _SAME = 3, 1e-12
_ONE_DAY_S = 36 * 3_600
_MAD = 1.4826
_SPREAD_MIN = 0.1
"""Log rows that any source varies by: 10 %."""
_WEEKDAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")


def outcomes(case: Case) -> Outcomes:
    """Apply the rules about the number of rows and repeated rows."""
    yield _row_count(case)
    yield _repeated(case)
    yield from _again(case)


def _row_count(case: Case) -> Outcome:
    code, policy, facts = FindingCode.ROW_COUNT, case.policy, case.batch.facts
    rows = facts.rows + case.batch.set_aside_rows
    usual, whose = _usual(case)
    if not usual:
        return Outcome(code=code, column=None, measured=0.0, fires_from=1.0)
    logs = [math.log(max(1, n)) for n in usual]
    middle = statistics.median(logs)
    spread = max(_SPREAD_MIN, _MAD * statistics.median(abs(x - middle) for x in logs))
    away = abs(math.log(rows) - middle)
    # 1 where both limits are reached: so far away as a ratio, and against how much such batches vary
    measured = min(away / math.log(max(1.01, policy.row_count_ratio_max)), away / spread / policy.row_count_sigmas_max)
    finding = None
    if measured >= 1:
        expected = math.exp(middle)
        ratio = rows / expected
        times = f"{ratio:.1f} times as many" if ratio > 1 else f"{percent(ratio)} of it"
        finding = Finding(
            code=code,
            column=None,
            severity=Severity.WARNING,
            message=(
                f"The batch has {rows:,} rows; the median of {len(usual):,} batches {whose} is {expected:,.0f}: {times}. Check"
                " whether the extract is complete, or holds a period twice."
            ),
            value=ratio,
            allowed=f"{expected / policy.row_count_ratio_max:,.0f} to {expected * policy.row_count_ratio_max:,.0f}",
            rule=(
                f"Told when the rows differ from usual by a factor of {policy.row_count_ratio_max:g} (row_count_ratio_max) and"
                f" {policy.row_count_sigmas_max:g} robust standard deviations (row_count_sigmas_max): an extract was cut or"
                " doubled."
            ),
        )
    return Outcome(code=code, column=None, measured=measured, fires_from=1.0, finding=finding)


def _usual(case: Case) -> tuple[list[int], str]:
    """Give the rows of comparable batches, those of the same weekday where there are enough."""
    past, least = case.context.past, case.policy.past_batches_min
    facts = case.batch.facts
    weekday = _weekday(facts.first_event_at, facts.last_event_at, case.context.received_at)
    same = [p for p in past if weekday is not None and weekday == _weekday_of(p)]
    if weekday is not None and len(same) >= least:
        return [p.rows for p in same], f"of {_WEEKDAYS[weekday]} before"
    return ([p.rows for p in past], "before") if len(past) >= least else ([], "")


def _weekday_of(past: PastBatch) -> int | None:
    return _weekday(past.first_event_at, past.last_event_at, past.received_at)


def _weekday(first: datetime | None, last: datetime | None, received: datetime) -> int | None:
    if first is None or last is None:
        return received.weekday()
    if (last - first).total_seconds() > _ONE_DAY_S:
        return None
    return first.weekday() if first.date() == last.date() else (first + (last - first) / 2).weekday()


def ceiling(limit: float, history: Sequence[float]) -> float:
    """Give a limit that also allows what was usual before: twice the most."""
    return max(limit, 2 * max(history, default=0.0))


def _repeated(case: Case) -> Outcome:
    code, facts = FindingCode.DUPLICATE_ROWS, case.batch.facts
    share = facts.repeated_rows / facts.rows
    history = case.history(code)
    limit = ceiling(case.policy.duplicate_share_max, history)
    if case.schema.id is not None and not history:
        limit = math.inf  # few columns repeat by themselves; how much, the first batch shows
    finding = None
    if share > limit:
        finding = Finding(
            code=code,
            column=None,
            severity=Severity.WARNING,
            message=(
                f"{facts.repeated_rows:,} of {facts.rows:,} rows ({percent(share)}) are equal to another row of the batch in"
                f" every column{' but the id' if case.schema.id else ''}; allowed are {percent(limit)}. The extract may hold something twice. Remove the repeated"
                " rows, or change duplicate_share_max in the policy."
            ),
            value=share,
            allowed=f"at most {percent(limit)}",
            rule=(
                f"Told when more than {percent(case.policy.duplicate_share_max)} (duplicate_share_max) of the rows, and twice"
                " as many as in any batch before, are repeated: they count twice in everything."
            ),
        )
    return Outcome(code=code, column=None, measured=share, fires_from=math.nextafter(limit, math.inf), finding=finding)


def _again(case: Case) -> Outcomes:
    """Look for a batch before with the same content: equal means of several columns are no chance."""
    means = {
        c.column.column_id: c.facts.mean
        for c in case.compared
        if c.column.type is ColumnType.NUMBER and c.facts.mean is not None and c.facts.distinct > 1
    }
    for compared in case.compared:
        if (mean := means.get(compared.column.column_id)) is not None:
            yield Outcome(code=MEAN, column=compared.column, measured=mean, fires_from=math.inf)
    before = _means_before(case)
    same = next((batch_id for batch_id, then in before.items() if _equal(means, then)), None)
    if same is None:
        return
    finding = Finding(
        code=FindingCode.DUPLICATE_ROWS,
        column=None,
        severity=Severity.WARNING,
        message=(
            f"The batch repeats batch {same}: {len(means):,} columns of numbers have the same means to the last digit, under"
            " other ids or times. An old extract was probably sent again; its rows would count twice. Discard one of them,"
            " and check the extract."
        ),
        value=1.0,
        allowed="rows of its own",
        rule=(
            f"Told when the means of all columns of numbers, at least {_SAME_MIN}, equal those of an accepted batch before:"
            " other rows never do."
        ),
    )
    yield Outcome(code=FindingCode.DUPLICATE_ROWS, column=None, measured=1.0, finding=finding, told=True)


def _means_before(case: Case) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for row in case.context.measures.filter(pc.equal(case.context.measures.column("code"), MEAN)).to_pylist():
        found.setdefault(row["batch_id"], {})[row["column_id"]] = row["value"]
    return found


def _equal(means: Mapping[str, float], then: Mapping[str, float]) -> bool:
    if len(means) < _SAME_MIN or means.keys() != then.keys():
        return False
    return all(math.isclose(mean, then[column_id], rel_tol=_SAME) for column_id, mean in means.items())
