"""Whether a challenger treats protected groups alike, as far as the rows can say.

Each protected column, and each pair of them, cuts the rows into groups; a group is held against all other rows by the
policy's limits. Only what is proven blocks; what is open says how many rows are missing. Neighbours: ``serving`` made the
predictions, ``gate`` judged whether the challenger is good enough, ``registry`` lets a second person override. It refuses
to guess a person's group from other columns, and to call open what was never looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pyarrow as pa

from pipeline_core.policy import Policy
from pipeline_core.records import (
    AttributeAudit,
    BiasAudit,
    BiasFinding,
    BiasMeasure,
    BiasState,
    Column,
    ColumnType,
    Decision,
    Measured,
    NotMeasured,
    Role,
    Schema,
    Task,
)
from pipeline_core.stats import groups
from pipeline_core.stats.disparity import against_rest
from pipeline_core.stats.fairness import Treated, group_rates, spread
from pipeline_core.stats.groups import Groups
from pipeline_core.stats.truth import Scored, judged

TOLD_MAX = 3
PAIRS_MAX = 6
KNOBS: Mapping[BiasMeasure, str] = {
    BiasMeasure.SELECTION_RATIO: "selection_ratio_min",
    BiasMeasure.TPR_GAP: "tpr_gap_max",
    BiasMeasure.FPR_GAP: "fpr_gap_max",
}
OVERRIDE = (
    "A proven violation blocks the promotion: train a version without it, or let a second person override the block with a"
    " reason, which stays in the registry."
)
_NAMES = {
    BiasMeasure.SELECTION_RATIO: "is selected",
    BiasMeasure.TPR_GAP: "is selected among the positive rows",
    BiasMeasure.FPR_GAP: "is selected among the negative rows",
}


def audit(
    rows: pa.Table, challenger: pa.Table, *, champion: pa.Table | None, schema: Schema, policy: Policy, gate: Decision
) -> BiasAudit | NotMeasured:
    """Audit a challenger, and the champion beside it, on the rows of a verdict.

    Parameters
    ----------
    rows : pa.Table
        ``label`` and the protected columns by ``column_id``.
    challenger : pa.Table
        What ``serving.predict`` said about the same rows, in the same order.
    champion : pa.Table or None
        The champion's, likewise.
    schema : Schema
        Task, classes, the protected columns and what their first file taught.
    policy : Policy
        The limits, and the rows that make a group.
    gate : Decision
        What the gate says without the audit.

    Returns
    -------
    BiasAudit or NotMeasured
        The latter where there is nothing to audit, with the reason.
    """
    protected = schema.role(Role.PROTECTED)
    if not protected:
        return NotMeasured(reason="no column of this model is marked as protected")
    if schema.task is not Task.BINARY:
        return NotMeasured(reason="the audit is of yes-or-no models; this one predicts something else")
    kept = _judgeable(rows, [t for t in (challenger, champion) if t is not None], schema)
    rows = rows.filter(kept)
    labels = rows.column("label").to_pylist()
    ours = judged(schema, labels, challenger.filter(kept))
    theirs = None if champion is None else judged(schema, labels, champion.filter(kept))
    cut, notes = _cut(rows, protected, schema, policy)
    if not cut:
        return NotMeasured(reason="; ".join(notes) or "no protected column can be cut into groups")
    found = tuple(_attribute(one, ours, theirs, limits(policy)) for one in cut)
    state = _overall(found)
    return BiasAudit(
        state=state,
        reasons=_reasons(found, state),
        attributes=found,
        rows=rows.num_rows,
        gate=gate,
        notes=tuple(notes),
    )


def tempered(
    decision: Decision, reasons: tuple[str, ...], audit: BiasAudit | NotMeasured
) -> tuple[Decision, tuple[str, ...]]:
    """Let a proven violation turn a promotion down; nothing that is open does.

    Parameters
    ----------
    decision : Decision
        What the gate says.
    reasons : tuple of str
        Why.
    audit : BiasAudit or NotMeasured
        Of the same rows.

    Returns
    -------
    tuple
        The decision that holds, and its reasons.
    """
    if not isinstance(audit, BiasAudit) or audit.state is not BiasState.VIOLATION:
        return decision, reasons
    told = tuple(f"Bias audit: {reason}" for reason in audit.reasons)
    if not audit.blocks:
        return decision, (*reasons, *told)
    return Decision.KEEP, (*reasons, *told, OVERRIDE)


def limits(policy: Policy) -> dict[BiasMeasure, float]:
    """Give the limits of a policy by what they limit.

    Parameters
    ----------
    policy : Policy
        Of the team.

    Returns
    -------
    dict of BiasMeasure to float
    """
    return {measure: float(getattr(policy, knob)) for measure, knob in KNOBS.items()}


def _judgeable(rows: pa.Table, said: Sequence[pa.Table], schema: Schema) -> pa.Array:
    """Keep the rows that ``truth.judged`` keeps, of both models at once."""
    known = np.array([label in schema.classes for label in rows.column("label").to_pylist()], dtype=bool)
    for table in said:
        known &= np.isfinite(table.column("score").to_numpy())
    return pa.array(known)


# --- groups -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Cut:
    """The rows cut by one column, or by two crossed."""

    columns: tuple[str, ...]
    groups: Groups

    @property
    def name(self) -> str:
        return " and ".join(self.columns)


def _cut(rows: pa.Table, protected: Sequence[Column], schema: Schema, policy: Policy) -> tuple[list[_Cut], list[str]]:
    least = max(int(policy.bias_rows_min), 2)
    notes: list[str] = []
    single: list[_Cut] = []
    for column in protected:
        if column.column_id not in rows.column_names:
            notes.append(f"column {column.name!r} is not in these rows")
        elif column.type is ColumnType.TIMESTAMP:
            notes.append(f"column {column.name!r} is a time: give an age or a band instead")
        else:
            grouped = _groups(rows, column, schema, least)
            if len(grouped.names) < 2 and (grouped.codes >= 0).all():
                notes.append(f"column {column.name!r} has one group in these rows")
            elif not grouped.names:
                notes.append(f"column {column.name!r} has no group of {least:,} rows")
            else:
                single.append(_Cut(columns=(column.name,), groups=grouped))
    pairs = list(combinations(single, 2))
    if len(pairs) > PAIRS_MAX:
        notes.append(f"of {len(pairs)} pairs of protected columns the first {PAIRS_MAX} are crossed")
    double = [
        _Cut(columns=(*one.columns, *two.columns), groups=groups.crossed(one.groups, two.groups, rows_min=least))
        for one, two in pairs[:PAIRS_MAX]
    ]
    return [*single, *(cut for cut in double if len(cut.groups.names) > 1)], notes


def _groups(rows: pa.Table, column: Column, schema: Schema, least: int) -> Groups:
    values = rows.column(column.column_id)
    if column.type is ColumnType.CATEGORY:
        return groups.levels(values.cast(pa.string()).to_pylist(), rows_min=least)
    # bands are cut by the baseline, so that the next verdict speaks of the same groups
    learned = next((b.quantiles for b in schema.baselines if b.column_id == column.column_id), ())
    numbers = np.asarray(values.cast(pa.float64()).to_numpy(), dtype=np.float64)
    return groups.bands(numbers, quantiles=learned, rows_min=least)


# --- one attribute ------------------------------------------------------------------------------


def _attribute(cut: _Cut, ours: Scored, theirs: Scored | None, bounds: Mapping[BiasMeasure, float]) -> AttributeAudit:
    challenger = _treated(ours, cut.groups)
    champion = None if theirs is None else _treated(theirs, cut.groups)
    found = against_rest(challenger, limits=bounds, attribute=cut.name)
    beside = () if champion is None else against_rest(champion, limits=bounds, attribute=cut.name)
    before = {(f.group, f.measure): f for f in beside}
    return AttributeAudit(
        attribute=cut.name,
        columns=cut.columns,
        challenger=group_rates(challenger),
        spread=spread(challenger),
        findings=tuple(_beside(f, before.get((f.group, f.measure))) for f in found),
        champion=() if champion is None else group_rates(champion),
        champion_spread=None if champion is None else spread(champion),
        left_out=cut.groups.left_out,
    )


def _treated(rows: Scored, grouped: Groups) -> Treated:
    return Treated(y=rows.y, said=rows.prediction, score=rows.score, codes=grouped.codes, names=grouped.names)


def _beside(finding: BiasFinding, champion: BiasFinding | None) -> BiasFinding:
    return finding if champion is None else replace(finding, champion=champion.figure, champion_state=champion.state)


# --- what follows -------------------------------------------------------------------------------


def deciding(attributes: Sequence[AttributeAudit], *, crossed: bool) -> list[BiasFinding]:
    """Give the findings that a limit can be broken by, of single columns or of crossed ones.

    Parameters
    ----------
    attributes : sequence of AttributeAudit
        Of one audit.
    crossed : bool
        Which of the two.

    Returns
    -------
    list of BiasFinding
    """
    return [f for a in attributes if (len(a.columns) > 1) is crossed for f in a.findings if f.decides]


def _overall(attributes: Sequence[AttributeAudit]) -> BiasState:
    single, double = deciding(attributes, crossed=False), deciding(attributes, crossed=True)
    if any(f.state is BiasState.VIOLATION for f in (*single, *double)):
        return BiasState.VIOLATION
    cleared = bool(single) and all(f.state is BiasState.CLEARED for f in single)
    return BiasState.CLEARED if cleared else BiasState.INSUFFICIENT


def _reasons(attributes: Sequence[AttributeAudit], state: BiasState) -> tuple[str, ...]:
    single, double = deciding(attributes, crossed=False), deciding(attributes, crossed=True)
    if not single:
        return ("No limit of the policy decides: every knob of the bias audit is set so that nothing can break it.",)
    if state is BiasState.VIOLATION:
        # single columns first: what is proven of a whole group is plainer than of a part of it
        proven = [f for found in (single, double) for f in _worst(found) if f.state is BiasState.VIOLATION]
        more = len(proven) - TOLD_MAX
        return (
            *(sentence(f) for f in proven[:TOLD_MAX]),
            *([f"{more} more comparison{'s are' if more > 1 else ' is'} beyond a limit."] if more > 0 else []),
        )
    if state is BiasState.CLEARED:
        return (
            f"All {len(single)} comparisons of protected groups lie within the policy's limits with 95 % confidence.",
        )
    waiting = [f for f in _worst(single) if f.state is BiasState.INSUFFICIENT]
    return (
        f"No violation is proven, but {len(waiting)} of {len(single)} comparisons cannot be cleared on so few rows.",
        sentence(waiting[0]),
    )


def _worst(found: Sequence[BiasFinding]) -> list[BiasFinding]:
    return sorted(found, key=_badness, reverse=True)


def _badness(finding: BiasFinding) -> float:
    """How far the figure lies beyond its limit, in units of the limit, so that measures can be ranked together."""
    figure = finding.figure
    if isinstance(figure, NotMeasured):
        return -1.0
    if finding.measure is BiasMeasure.SELECTION_RATIO:
        return (finding.limit - figure.value) / max(finding.limit, 1e-9)
    return (abs(figure.value) - finding.limit) / max(1 - finding.limit, 1e-9)


def sentence(finding: BiasFinding) -> str:
    """Say what one comparison found: the rates, the interval, the limit, and what is missing.

    Parameters
    ----------
    finding : BiasFinding
        Of an audit.

    Returns
    -------
    str
    """
    who = f"{finding.group!r} in {finding.attribute!r}"
    figure = finding.figure
    if isinstance(figure, NotMeasured) or finding.rate is None or finding.other_rate is None:
        reason = figure.reason if isinstance(figure, NotMeasured) else "there is nothing to compare with"
        return f"{who} cannot be judged by {KNOBS[finding.measure]}: {reason}."
    ratio = finding.measure is BiasMeasure.SELECTION_RATIO
    what = "a ratio of" if ratio else "a gap of"
    asked = f"at {'least' if ratio else 'most'} {finding.limit:g}"
    return (
        f"{who} {_NAMES[finding.measure]} {100 * finding.rate:.1f} % of the time, all other rows {100 * finding.other_rate:.1f} %:"
        f" {what} {figure.value:.3f}{_interval(figure)}; policy allows {asked} ({KNOBS[finding.measure]})."
        f"{_champion(finding)}{_missing(finding)}"
    )


def _interval(figure: Measured) -> str:
    return (
        "" if figure.low is None or figure.high is None else f" (95 % interval {figure.low:.3f} to {figure.high:.3f})"
    )


def _champion(finding: BiasFinding) -> str:
    before = finding.champion
    if not isinstance(before, Measured):
        return ""
    too = ", beyond the limit too" if finding.champion_state is BiasState.VIOLATION else ""
    return f" The champion's is {before.value:.3f}{too}."


def _missing(finding: BiasFinding) -> str:
    if finding.state is not BiasState.INSUFFICIENT:
        return ""
    unequal = " The difference is more than chance, but not proven to pass the limit." if finding.suspected else ""
    if finding.rows_needed is None:
        return unequal or " It lies right at the limit: no number of rows decides."
    return (
        f"{unequal} If the rates stay as they are, about {finding.rows_needed:,} rows of the group would decide;"
        f" {finding.rows:,} are there."
    )
