"""Says whether a counted batch is what the schema and the baseline promise.

Only what makes a batch unusable is an error: missing features, cells that are no values of their type,
nulls or unknown categories beyond the policy, ids or times that cannot be used. A shift is a warning:
the world moves, and the watch weighs it. Neighbours: one module a question has the rules (``columns``, ``nulls``,
``fingerprints``, ``numbers``, ``units``, ``levels``, ``times``, ``volume``); here they are run, weighed by policy and
people, and held against the past. It refuses to read rows: facts and counts are all there is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import pyarrow as pa

from pipeline_core.policy import Policy
from pipeline_core.records import BatchStatus, Finding, Grid, Measure, Role, Schema, Severity
from pipeline_core.stages.validation import columns, fingerprints, levels, nulls, numbers, times, units, volume
from pipeline_core.stages.validation.codes import OFF, FindingCode
from pipeline_core.stages.validation.outcomes import (
    Batch,
    Case,
    Checked,
    Compared,
    Context,
    Outcome,
)
from pipeline_core.stages.validation.tallies import Tally, tallies

_WEIGHT = (Severity.ERROR, Severity.WARNING, Severity.INFO)
_COMPARED = frozenset({Role.FEATURE, Role.PROTECTED})
_OF_BATCH = (columns.outcomes, volume.outcomes, times.outcomes, nulls.patterns)
_OF_COLUMN = (
    nulls.outcomes,
    fingerprints.outcomes,
    numbers.outcomes,
    units.outcomes,
    levels.outcomes,
)


def check(batch: Batch, schema: Schema, *, policy: Policy, context: Context) -> Checked:
    """List what a person should know about a batch, errors first, and what every rule measured.

    Parameters
    ----------
    batch : Batch
        As it arrived, counted.
    schema : Schema
        With baselines.
    policy : Policy
        The limits of the door, and how bad each finding is.
    context : Context
        What is known beside the batch: repeats, batches before, what people set on screen.

    Returns
    -------
    Checked
    """
    if not batch.facts.rows:
        message = "The batch has no rows; at least one is allowed. Send it again when it has some."
        finding = Finding(
            code=FindingCode.NO_ROWS,
            column=None,
            severity=Severity.ERROR,
            message=message,
            value=0.0,
            allowed="at least one row",
            rule="A batch needs at least one row: nothing can be said about none.",
        )
        return Checked(findings=(finding,))
    case = Case(
        batch=batch,
        schema=schema,
        policy=policy,
        context=context,
        compared=tuple(_compared(batch, schema)),
        past_measures=_past(context.measures),
    )
    outcomes = list(_outcomes(case))
    findings = [f for o in outcomes if o.finding is not None for f in _told(o, o.finding, case)]
    return Checked(
        findings=tuple(sorted(findings, key=lambda f: _WEIGHT.index(f.severity))),
        measures=tuple(
            Measure(code=str(o.code), column_id=o.column.column_id if o.column else None, value=float(o.measured))
            for o in outcomes
            if not o.told
        ),
    )


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


def _outcomes(case: Case) -> Iterator[Outcome]:
    for rules in _OF_BATCH:
        yield from rules(case)
    for compared in case.compared:
        for look in _OF_COLUMN:
            yield from look(compared, case)


def _compared(batch: Batch, schema: Schema) -> Iterator[Compared]:
    baselines = {b.column_id: b for b in schema.baselines}
    arrivals = {a.column: a for a in batch.arrivals}
    facts = {f.column_id: f for f in batch.facts.columns}
    counted = tallies(batch.counts, schema.grids)
    for column in schema.columns:
        baseline, arrival = baselines.get(column.column_id), arrivals.get(column.name)
        if column.role not in _COMPARED or baseline is None or not baseline.rows or arrival is None:
            continue
        known = facts.get(column.column_id)
        # a time is not counted: only its nulls are looked at
        tally = counted.get(column.column_id, Tally(grid=Grid(column_id=column.column_id, kind="level")))
        if known is not None:
            yield Compared(column=column, baseline=baseline, arrival=arrival, facts=known, tally=tally)


def _past(measures: pa.Table) -> dict[tuple[str, str | None], tuple[float, ...]]:
    past: dict[tuple[str, str | None], list[float]] = {}
    parts = (measures.column(name).to_pylist() for name in ("code", "column_id", "value"))
    for code, column_id, value in zip(*parts, strict=True):
        past.setdefault((code, column_id), []).append(value)
    return {key: tuple(values) for key, values in past.items()}


def _told(outcome: Outcome, finding: Finding, case: Case) -> Iterator[Finding]:
    """Weigh a finding by policy and people, and say how often its rule would have fired before."""
    column = case.schema.by_name(finding.column) if finding.column is not None else None
    severity = _severity(finding, column.column_id if column else None, case)
    if severity == OFF:
        return
    past = case.history(str(outcome.code), outcome.column)
    fired = sum(value >= outcome.fires_from for value in past)
    yield replace(
        finding,
        severity=Severity(severity),
        fired_batches=fired if past else None,
        past_batches=len(past) if past else None,
    )


def _severity(finding: Finding, column_id: str | None, case: Case) -> str:
    people, code = case.context.severities, str(finding.code)
    for said in (people.get((code, column_id)), people.get((code, None)), case.policy.severities.get(code)):
        if said is not None:
            return said
    return finding.severity.value
