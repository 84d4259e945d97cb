"""Says whether a typed batch is what the schema and the baseline promise.

Only what makes a batch unusable is an error: missing features, cells that are no values of their type,
nulls or unknown categories beyond the policy, ids or times that cannot be used. A shift is a warning:
the world moves, and the watch weighs it. Neighbours: ``conversion`` typed the rows, ``stats`` has the
tests. It refuses to judge on a handful of rows: nulls and categories need p < 0.001 to be an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline_core.errors import nearest
from pipeline_core.policy import Policy
from pipeline_core.records import (
    BatchStatus,
    Column,
    ColumnArrival,
    ColumnBaseline,
    ColumnType,
    Finding,
    Role,
    Schema,
    Severity,
)
from pipeline_core.stages.validation.codes import FindingCode, percent
from pipeline_core.stages.validation.conversion import NOT_STORED, TypedRows
from pipeline_core.stages.validation.repeats import known_ids
from pipeline_core.stats.distances import js_distance, ks_distance
from pipeline_core.stats.twosample import share_test

P_VALUE_MAX = 0.001

_NAMED_LEVELS = 5
_WEIGHT = (Severity.ERROR, Severity.WARNING, Severity.INFO)
# what a column is for decides how bad it is that it is unusable
_WORST = {
    Role.FEATURE: Severity.ERROR,
    Role.TIME: Severity.ERROR,
    Role.ID: Severity.ERROR,
    Role.PROTECTED: Severity.WARNING,
    Role.TARGET: Severity.WARNING,
    Role.EXCLUDED: Severity.INFO,
}
_COMPARED = frozenset({Role.FEATURE, Role.PROTECTED})


def check(typed: TypedRows, schema: Schema, policy: Policy, *, repeats: pa.Table | None = None) -> tuple[Finding, ...]:
    """List what a person should know about a batch, errors first.

    Parameters
    ----------
    typed : TypedRows
        The batch.
    schema : Schema
        With baselines.
    policy : Policy
        The limits of the door.
    repeats : pa.Table, optional
        The accepted rows whose ids come again; see ``repeats.known_ids``.

    Returns
    -------
    tuple of Finding
    """
    rows = typed.rows.num_rows
    if not rows:
        message = "The batch has no rows; at least one is allowed. Send it again when it has some."
        return (Finding(code=FindingCode.NO_ROWS, column=None, severity=Severity.ERROR, message=message, value=0.0),)
    findings = [
        *_columns(typed, schema),
        *(_weighed(f, schema, policy) for f in typed.failures),
        *_ids(typed, schema),
        *(known_ids(repeats, schema, rows=rows) if repeats is not None else ()),
        *_times(typed, schema, policy),
    ]
    baselines = {b.column_id: b for b in schema.baselines}
    arrivals = {a.column: a for a in typed.arrivals}
    for column in schema.columns:
        baseline, arrival = baselines.get(column.column_id), arrivals.get(column.name)
        if column.role in _COMPARED and baseline is not None and baseline.rows and arrival is not None:
            findings.extend(_compared(typed.rows.column(column.column_id), column, baseline, arrival, policy))
    return tuple(sorted(findings, key=lambda f: _WEIGHT.index(f.severity)))


def decide(findings: Iterable[Finding]) -> BatchStatus:
    """Accept a batch unless one of its findings is an error.

    Parameters
    ----------
    findings : iterable of Finding
        What ``check`` gave.

    Returns
    -------
    BatchStatus
    """
    wrong = any(f.severity is Severity.ERROR for f in findings)
    return BatchStatus.QUARANTINED if wrong else BatchStatus.ACCEPTED


def _columns(typed: TypedRows, schema: Schema) -> Iterator[Finding]:
    arrived = {a.column for a in typed.arrivals}
    extra = [a.column for a in typed.arrivals if a.stored == NOT_STORED]
    for column in schema.columns:
        if column.name in arrived or column.role is Role.TARGET:
            continue
        hint = f" {nearest(column.name, extra)}" if extra else ""
        yield Finding(
            code=FindingCode.COLUMN_MISSING,
            column=column.name,
            severity=_WORST[column.role],
            message=(
                f"Column {column.name!r} ({column.role}) is not in the file; the schema expects it. Check the upstream"
                f" extract, or define the model again without it.{hint}"
            ),
            allowed="present",
        )
    for name in extra:
        yield Finding(
            code=FindingCode.COLUMN_EXTRA,
            column=name,
            severity=Severity.INFO,
            message=(
                f"Column {name!r} is not in the schema and is not stored; the file as received keeps it. Define the"
                " model again if it should become a feature."
            ),
        )


def _weighed(failure: Finding, schema: Schema, policy: Policy) -> Finding:
    if failure.code != FindingCode.TYPE_CHANGED:
        return failure
    column = schema.by_name(failure.column or "")
    worst = _WORST[column.role] if column else Severity.WARNING
    share = float(failure.value or 0.0)
    beyond = share > policy.failed_share_max
    severity = worst if beyond or worst is Severity.INFO else Severity.WARNING
    limit = percent(policy.failed_share_max)
    advice = (
        f" Policy allows {limit}. Correct the extract, or change failed_share_max in the policy."
        if beyond
        else f" Policy allows {limit}, so the other rows count."
    )
    return replace(failure, severity=severity, message=failure.message + advice, allowed=f"at most {limit}")


def _ids(typed: TypedRows, schema: Schema) -> Iterator[Finding]:
    column = schema.id
    if column is None or all(a.column != column.name for a in typed.arrivals):
        return
    ids = typed.rows.column(column.column_id)
    known = len(ids) - ids.null_count
    repeated = known - pc.count_distinct(ids).as_py()
    if not repeated and not ids.null_count:
        return
    yield Finding(
        code=FindingCode.DUPLICATE_IDS,
        column=column.name,
        severity=Severity.ERROR,
        message=(
            f"Column {column.name!r} (id): {repeated:,} of {len(ids):,} rows repeat an id and {ids.null_count:,} have none;"
            " every row needs one of its own, because labels are joined by it. Remove the repeated rows upstream."
        ),
        value=(repeated + ids.null_count) / len(ids),
        allowed="one id for each row",
    )


def _times(typed: TypedRows, schema: Schema, policy: Policy) -> Iterator[Finding]:
    column = schema.time
    if column is None or all(a.column != column.name for a in typed.arrivals):
        return
    missing = typed.rows.column("event_at").null_count
    if not missing:
        return
    share, limit = missing / typed.rows.num_rows, percent(policy.failed_share_max)
    beyond = share > policy.failed_share_max
    yield Finding(
        code=FindingCode.EVENT_TIME_MISSING,
        column=column.name,
        severity=Severity.ERROR if beyond else Severity.WARNING,
        message=(
            f"Column {column.name!r} (event time): {missing:,} of {typed.rows.num_rows:,} rows ({percent(share)}) have no"
            f" usable time; policy allows {limit}. These rows belong to no window and are not trained on. Fill the time"
            " upstream."
        ),
        value=share,
        allowed=f"at most {limit}",
    )


def _compared(
    values: pa.ChunkedArray, column: Column, baseline: ColumnBaseline, arrival: ColumnArrival, policy: Policy
) -> Iterator[Finding]:
    # cells that failed to convert are a finding of their own: here only nulls that arrived as nulls count
    nulls = values.null_count - arrival.failed_rows
    yield from _nulls(column, baseline, nulls=nulls, rows=len(values), policy=policy)
    present = values.drop_null()
    if not len(present):
        return
    if column.type is ColumnType.NUMBER:
        numbers = np.sort(present.to_numpy())
        yield from _range(column, baseline, numbers, policy)
        yield from _number_shift(column, baseline, numbers, policy)
    elif column.type is ColumnType.CATEGORY:
        counted = {v["values"]: v["counts"] for v in present.value_counts().to_pylist()}
        yield from _unseen(column, baseline, counted, policy)
        yield from _level_shift(column, baseline, counted, policy)


def _nulls(column: Column, baseline: ColumnBaseline, *, nulls: int, rows: int, policy: Policy) -> Iterator[Finding]:
    share, was = nulls / rows, baseline.null_share
    rise = share - was
    if abs(rise) < policy.null_share_change_min or not _significant(
        round(was * baseline.rows), baseline.rows, nulls, rows
    ):
        return
    beyond = rise > policy.null_share_rise_max
    allowed = f"at most {percent(min(1.0, was + policy.null_share_rise_max))}"
    here = f"Column {column.name!r}: {percent(share)} null"
    if rise < 0:
        code, allowed = FindingCode.NULL_SHARE_DOWN, f"about {percent(was)}"
        message = (
            f"{here}; the baseline has {percent(was)}. Upstream may be filling gaps with a value (imputing) since then:"
            " ask what a gap is now, because the model learned what a null means."
        )
    elif nulls == rows:
        code = FindingCode.ALL_NULL
        message = (
            f"Column {column.name!r} is null in all {rows:,} rows; the baseline has {percent(was)}. Check the extract."
        )
    else:
        code = FindingCode.NULL_SHARE_UP
        message = (
            f"{here}; the baseline has {percent(was)} and policy allows a rise of"
            f" {percent(policy.null_share_rise_max)}. Check the upstream extract, or change null_share_rise_max."
        )
    severity = _WORST[column.role] if beyond else Severity.WARNING
    yield Finding(code=code, column=column.name, severity=severity, message=message, value=share, allowed=allowed)


def _range(
    column: Column, baseline: ColumnBaseline, ordered: npt.NDArray[np.float64], policy: Policy
) -> Iterator[Finding]:
    low, high = baseline.low, baseline.high
    if low is None or high is None:
        return
    inside = np.searchsorted(ordered, high, side="right") - np.searchsorted(ordered, low, side="left")
    outside = len(ordered) - int(inside)
    share = outside / len(ordered)
    if share <= policy.out_of_range_share_min:
        return
    yield Finding(
        code=FindingCode.OUT_OF_RANGE,
        column=column.name,
        severity=Severity.WARNING,
        message=(
            f"Column {column.name!r}: {outside:,} of {len(ordered):,} values ({percent(share)}) lie outside"
            f" {low:g} to {high:g}, the range of the baseline; they reach from {ordered[0]:g} to {ordered[-1]:g}."
            " Check the unit and the source; a model answers there by guessing."
        ),
        value=share,
        allowed=f"{low:g} to {high:g}",
    )


def _number_shift(
    column: Column, baseline: ColumnBaseline, ordered: npt.NDArray[np.float64], policy: Policy
) -> Iterator[Finding]:
    known = round(baseline.rows * (1 - baseline.null_share))
    if not baseline.quantiles or min(len(ordered), known) < policy.window_rows_min:
        return
    points, base = np.unique(np.asarray(baseline.quantiles), return_counts=True)
    # cells alternate: between two quantiles, exactly on one, between the next two, ...
    before, upto = np.searchsorted(ordered, points, side="left"), np.searchsorted(ordered, points, side="right")
    edges = np.concatenate(([0], np.stack([before, upto], axis=1).ravel(), [len(ordered)]))
    base_n = np.zeros(2 * len(points) + 1)
    base_n[1::2] = base
    distance, _, _ = ks_distance(base_n, np.diff(edges))
    if distance >= policy.distribution_effect_min:
        middle = (
            f"the median is {ordered[len(ordered) // 2]:g}, it was {baseline.quantiles[len(baseline.quantiles) // 2]:g}"
        )
        yield _shift(column, distance, f"KS distance {distance:.2f}; {middle}", policy)


def _level_shift(
    column: Column, baseline: ColumnBaseline, counted: dict[str, int], policy: Policy
) -> Iterator[Finding]:
    known = round(baseline.rows * (1 - baseline.null_share))
    rows = sum(counted.values())
    if not baseline.levels or min(rows, known) < policy.window_rows_min:
        return
    levels = list(baseline.levels)
    base = [baseline.levels[level] for level in levels]
    current = [counted.get(level, 0) / rows for level in levels]
    # levels beyond the 200 commonest, and new ones, count as one
    distance = js_distance([*base, max(0.0, 1 - sum(base))], [*current, max(0.0, 1 - sum(current))])
    if distance >= policy.distribution_effect_min:
        moved = max(range(len(levels)), key=lambda i: abs(current[i] - base[i]))
        most = f"{levels[moved][:40]!r} moved most, from {percent(base[moved])} to {percent(current[moved])}"
        yield _shift(column, distance, f"Jensen-Shannon distance {distance:.2f}; {most}", policy)


def _shift(column: Column, distance: float, how: str, policy: Policy) -> Finding:
    return Finding(
        code=FindingCode.DISTRIBUTION_SHIFT,
        column=column.name,
        severity=Severity.WARNING,
        message=(
            f"Column {column.name!r} is distributed otherwise than in the baseline ({how}); policy names shifts from"
            f" {policy.distribution_effect_min:g}. Look at its drift before trusting scores."
        ),
        value=distance,
        allowed=f"below {policy.distribution_effect_min:g}",
    )


def _unseen(column: Column, baseline: ColumnBaseline, counted: dict[str, int], policy: Policy) -> Iterator[Finding]:
    # beyond the 200 commonest levels nobody knows which are new: the shift of their share is told instead
    if not baseline.levels_complete:
        return
    new = sorted((level for level in counted if level not in baseline.levels), key=lambda v: -counted[v])
    if not new:
        return
    rows, hits = sum(counted.values()), sum(counted[level] for level in new)
    share, limit = hits / rows, percent(policy.unseen_share_max)
    known = round(baseline.rows * (1 - baseline.null_share))
    expected = baseline.follows_calendar  # a month that has not been before is no fault of the file
    beyond = not expected and share > policy.unseen_share_max and _significant(0, known, hits, rows)
    shown = ", ".join(f"{level[:40]!r} ({counted[level]:,} rows)" for level in new[:_NAMED_LEVELS])
    advice = (
        "In the baseline each day has one category, so new ones come with the calendar: train on data that has them."
        if expected
        else f"Policy allows {limit}. Check spelling and coding upstream, or train on data that has them."
    )
    yield Finding(
        code=FindingCode.UNSEEN_CATEGORY,
        column=column.name,
        severity=_WORST[column.role] if beyond else Severity.WARNING,
        message=(
            f"Column {column.name!r}: {hits:,} of {rows:,} values ({percent(share)}) are categories that the baseline does"
            f" not have: {shown}{', …' if len(new) > _NAMED_LEVELS else ''}. {advice}"
        ),
        value=share,
        allowed="any" if expected else f"at most {limit}",
    )


def _significant(base_hits: int, base_rows: int, hits: int, rows: int) -> bool:
    if base_rows < 1 or rows < 1:
        return True  # the baseline knows nothing of it: whatever comes is a change
    return share_test(base_hits, base_rows, hits, rows).p_value < P_VALUE_MAX
