"""Says whether a batch has the columns of the schema, cells that fit them, and an id of its own for every row.

Neighbours: typing said which cells failed, ``repeats`` what it means that ids are known; ``checks`` runs these rules.
It refuses to rename a column by itself: a likely new name is told, a person decides.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import replace

from pipeline_core.errors import nearest
from pipeline_core.records import (
    Column,
    ColumnArrival,
    ColumnBaseline,
    ColumnType,
    Finding,
    Role,
    Severity,
)
from pipeline_core.stages.validation.codes import FindingCode, percent
from pipeline_core.stages.validation.conversion import NOT_STORED
from pipeline_core.stages.validation.outcomes import ABOVE_ZERO, WORST, Case, Outcome, Outcomes, examples_of
from pipeline_core.stages.validation.repeats import known_ids

NAME_LIKENESS_MIN = 0.75
"""From this likeness on (difflib, 0-1) two names are near."""
RANGE_TOLERANCE = 0.10
"""A renamed number may lie this share of its range outside of it, and its nulls may be off by this share of the rows."""
RANGE_SHARE_MIN = 0.75
"""And it fills this share of the range."""

_ARRIVED = {
    ColumnType.NUMBER: frozenset({"integer", "decimal", "true/false"}),
    ColumnType.CATEGORY: frozenset({"text", "true/false"}),
    ColumnType.TIMESTAMP: frozenset({"timestamp", "date"}),
}
_NAMED = 5


def outcomes(case: Case) -> Outcomes:
    """Apply the rules about columns, cells and ids."""
    missing = [
        column
        for column in case.schema.columns
        if not case.has(column) and column.role is not Role.TARGET  # labels may come later
    ]
    extra = [a for a in case.batch.arrivals if a.stored == NOT_STORED]
    yield from _missing(missing, extra)
    yield from _renamed(missing, extra, case)
    yield from _extra(extra)
    yield from _reordered(case)
    yield from _failures(case)
    yield from _ids(case)
    yield from _set_aside(case)


def _missing(missing: list[Column], extra: list[ColumnArrival]) -> Outcomes:
    code = FindingCode.COLUMN_MISSING
    yield Outcome(code=code, column=None, measured=len(missing))
    for column in missing:
        hint = f" {nearest(column.name, [a.column for a in extra])}" if extra else ""
        finding = Finding(
            code=code,
            column=column.name,
            severity=WORST[column.role],
            message=(
                f"Column {column.name!r} ({column.role}) is not in the file; the schema expects it. Check the upstream"
                f" extract, or define the model again without it.{hint}"
            ),
            allowed="present",
            rule="Every column of the schema is expected: the model cannot use what is not there.",
        )
        yield _also(finding, missing)


def _extra(extra: list[ColumnArrival]) -> Outcomes:
    code = FindingCode.COLUMN_EXTRA
    yield Outcome(code=code, column=None, measured=len(extra))
    for arrival in extra:
        finding = Finding(
            code=code,
            column=arrival.column,
            severity=Severity.INFO,
            message=(
                f"Column {arrival.column!r} is not in the schema and is not stored; the file as received keeps it. Define the"
                " model again if it should become a feature."
            ),
            allowed="columns of the schema",
            rule="A column that the schema does not know is not stored: nothing was learned about it.",
        )
        yield _also(finding, extra)


def _also(finding: Finding, several: Iterable[object]) -> Outcome:
    # the batch has one measure, how many columns it concerns; each column has a finding of its own
    return Outcome(code=finding.code, column=None, measured=len(list(several)), finding=finding, told=True)


def _renamed(missing: list[Column], extra: list[ColumnArrival], case: Case) -> Outcomes:
    code = FindingCode.COLUMN_RENAMED
    baselines = {b.column_id: b for b in case.schema.baselines}
    pairs = sorted(
        ((_likeness(c, a, baselines.get(c.column_id)), c, a) for c in missing for a in extra), key=lambda p: -p[0]
    )
    taken: set[str] = set()
    found = []
    for likeness, column, arrival in pairs:
        if likeness > 0 and not {column.column_id, arrival.column} & taken:
            taken |= {column.column_id, arrival.column}
            found.append((column, arrival))
    yield Outcome(code=code, column=None, measured=len(found))
    for column, arrival in found:
        finding = Finding(
            code=code,
            column=column.name,
            severity=WORST[column.role],
            message=(
                f"Column {column.name!r} is missing and {arrival.column!r} is new: probably the same column under another"
                " name. Name it as before upstream, or define the model again with the new name."
            ),
            value=arrival.column,
            allowed=column.name,
            rule=(
                f"A missing and a new column are taken for one when their names are alike ({NAME_LIKENESS_MIN:.0%}) or"
                " their values fit (type, range or number of levels, nulls): a rename is mended faster than a loss."
            ).replace("%)", " %)"),
        )
        yield _also(finding, found)


def _likeness(column: Column, arrival: ColumnArrival, baseline: ColumnBaseline | None) -> float:
    one, other = _plain(column.name), _plain(arrival.column)
    names = difflib.SequenceMatcher(None, one, other).ratio() if one and other else 0.0
    if min(len(one), len(other)) >= 3 and (one in other or other in one):
        names = max(names, NAME_LIKENESS_MIN)
    if arrival.arrived not in _ARRIVED[column.type] | {"text", "empty"}:
        return 0.0
    fits = baseline is not None and _values_fit(column, arrival, baseline)
    if names >= NAME_LIKENESS_MIN:
        return names + fits
    return float(fits) + names if fits else 0.0


def _values_fit(column: Column, arrival: ColumnArrival, baseline: ColumnBaseline) -> bool:
    if arrival.arrived not in _ARRIVED[column.type] or abs(arrival.null_share - baseline.null_share) > RANGE_TOLERANCE:
        return False
    if column.type is ColumnType.NUMBER:
        ends = (arrival.low, arrival.high, baseline.low, baseline.high)
        if any(end is None for end in ends) or not baseline.distinct > 2:
            return False
        low, high, was_low, was_high = (float(end) for end in ends if end is not None)
        reach = RANGE_TOLERANCE * (was_high - was_low)
        # a batch is smaller than the first file, so it seldom reaches as far
        wide = high - low >= RANGE_SHARE_MIN * (was_high - was_low)
        return wide and low >= was_low - reach and high <= was_high + reach
    if column.type is ColumnType.CATEGORY and baseline.levels_complete:
        return arrival.distinct is not None and arrival.distinct == baseline.distinct > 2
    return False


def _plain(name: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", name).casefold() if c.isalnum())


def _reordered(case: Case) -> Outcomes:
    code = FindingCode.COLUMNS_REORDERED
    known = [name for name in case.batch.names if case.schema.by_name(name) is not None]
    expected = [c.name for c in case.schema.columns if c.name in set(known)]
    moved = [name for name, before in zip(known, expected, strict=True) if name != before]
    finding = None
    if moved:
        shown = ", ".join(repr(name[:40]) for name in moved[:_NAMED])
        finding = Finding(
            code=code,
            column=None,
            severity=Severity.INFO,
            message=(
                f"{len(moved):,} of {len(known):,} columns stand in another order than in the first file: {shown}"
                f"{', …' if len(moved) > _NAMED else ''}. Columns are found by name, so nothing is wrong; but somebody changed"
                " the extract."
            ),
            value=float(len(moved)),
            allowed="the order of the schema",
            rule="Columns in another order than the schema's are told, because the extract was changed.",
        )
    yield Outcome(code=code, column=None, measured=len(moved), finding=finding)


def _failures(case: Case) -> Outcomes:
    arrivals = {a.column: a for a in case.batch.arrivals}
    failed = {f.column: f for f in case.batch.failures if f.code == FindingCode.TYPE_CHANGED}
    for column in case.schema.columns:
        if column.name in arrivals:
            finding = failed.pop(column.name, None)
            yield Outcome(
                code=FindingCode.TYPE_CHANGED,
                column=column,
                measured=float(finding.value or 0.0) if finding else 0.0,
                finding=_weighed(finding, column, arrivals[column.name], case) if finding else None,
            )
    target = case.schema.target
    others = [f for f in case.batch.failures if f.code != FindingCode.TYPE_CHANGED]
    unknown = next((f for f in others if f.code == FindingCode.TARGET_UNKNOWN), None)
    if case.has(target) and case.schema.classes:
        measured = float(unknown.value or 0.0) if unknown else 0.0
        yield Outcome(code=FindingCode.TARGET_UNKNOWN, column=target, measured=measured)
    for finding in (*failed.values(), *others):
        column_of = case.schema.by_name(finding.column) if finding.column is not None else None
        rule = finding.rule or (
            "A label has to be a class of the model: the row is kept without it."
            if finding.code == FindingCode.TARGET_UNKNOWN
            else ""
        )
        yield Outcome(code=finding.code, column=column_of, measured=1.0, finding=replace(finding, rule=rule), told=True)


def _weighed(failure: Finding, column: Column, arrival: ColumnArrival, case: Case) -> Finding:
    worst, share = WORST[column.role], float(failure.value or 0.0)
    limit = case.policy.failed_share_max
    beyond = share > limit
    advice = (
        f" Policy allows {percent(limit)}. Correct the extract, or change failed_share_max in the policy."
        if beyond
        else f" Policy allows {percent(limit)}, so the other rows count."
    )
    return replace(
        failure,
        severity=worst if beyond or worst is Severity.INFO else Severity.WARNING,
        message=failure.message + advice,
        allowed=f"at most {percent(limit)}",
        rule=(
            f"Cells that are no value of the column's type are always told; more than {percent(limit)}"
            " (failed_share_max) of a feature, id or time make the batch unusable."
        ),
        examples=failure.examples or examples_of(arrival, "failed"),
    )


def _ids(case: Case) -> Outcomes:
    column, facts = case.schema.id, case.batch.facts
    if column is None or not case.has(column):
        return
    bad = facts.repeated_ids + facts.missing_ids
    finding = None
    if bad:
        finding = Finding(
            code=FindingCode.DUPLICATE_IDS,
            column=column.name,
            severity=Severity.ERROR,
            message=(
                f"Column {column.name!r} (id): {facts.repeated_ids:,} of {facts.rows:,} rows repeat an id and"
                f" {facts.missing_ids:,} have none; every row needs one of its own, because labels are joined by it. Remove"
                " the repeated rows upstream."
            ),
            value=bad / facts.rows,
            allowed="one id for each row",
            rule="Every row needs an id of its own: labels are joined by it, and a second row would take the first one's.",
        )
    yield Outcome(code=FindingCode.DUPLICATE_IDS, column=column, measured=bad / facts.rows, finding=finding)
    yield from _known(column, case)


def _known(column: Column, case: Case) -> Iterator[Outcome]:
    if case.context.repeats is None:
        return
    findings = list(known_ids(case.context.repeats, case.schema, rows=case.rows))
    share = case.context.repeats.num_rows / case.rows
    yield Outcome(code=FindingCode.IDS_KNOWN, column=column, measured=share)
    for finding in findings:
        yield Outcome(code=FindingCode.IDS_KNOWN, column=column, measured=share, finding=finding, told=True)


def _set_aside(case: Case) -> Outcomes:
    aside = case.batch.set_aside_rows
    arrived = aside + case.rows
    share, limit = aside / arrived, percent(case.policy.set_aside_share_max)
    finding = None
    if aside:
        finding = Finding(
            code=FindingCode.SET_ASIDE,
            column=None,
            severity=Severity.INFO,
            message=(
                f"{aside:,} of {arrived:,} rows ({percent(share)}) broke a rule about rows and were set aside; policy allows"
                f" {limit}. The rest was accepted; look at the rows that were set aside and send them again once mended."
            ),
            value=share,
            allowed=f"at most {limit}",
            rule=f"Rows that break a rule about rows are set aside up to {limit} (set_aside_share_max) of a batch.",
        )
    yield Outcome(code=FindingCode.SET_ASIDE, column=None, measured=share, fires_from=ABOVE_ZERO, finding=finding)
