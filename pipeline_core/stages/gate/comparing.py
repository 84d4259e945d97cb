"""Measures champion and challenger on the same rows, and joins what decides with what blocks.

Neighbours: ``deciding`` and ``trivial`` decide by the one metric, ``slices`` looks into parts of the rows, ``classes`` into
each class. Refused: choosing the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from pipeline_core.policy import Policy
from pipeline_core.records import (
    Comparison,
    Curves,
    Decision,
    Discordance,
    Figure,
    Measured,
    NotMeasured,
    Schema,
    Task,
)
from pipeline_core.stages.gate import saying
from pipeline_core.stages.gate.classes import by_class
from pipeline_core.stages.gate.deciding import decide, margin_of, short_of_rows
from pipeline_core.stages.gate.outcome import Outcome, Setting, blocked
from pipeline_core.stages.gate.slices import sliced
from pipeline_core.stages.gate.trivial import against_trivial
from pipeline_core.stats.curves import curves
from pipeline_core.stats.discordance import mcnemar
from pipeline_core.stats.intervals import Floats
from pipeline_core.stats.scores import METRICS, PRIMARY, Difference, metrics, paired, paired_means
from pipeline_core.stats.truth import Scored, judged

BLOCKING = "brier"
COST = "cost"


def compare(
    labels: Sequence[str | None],
    challenger: pa.Table,
    *,
    champion: pa.Table | None,
    schema: Schema,
    policy: Policy,
    setting: Setting | None = None,
) -> Outcome:
    """Compare a challenger with the champion, or with the trivial predictor where there is none.

    Parameters
    ----------
    labels : sequence of str
        Ground truth, one per row.
    challenger : pa.Table
        What ``serving.predict`` said about the same rows, in the same order.
    champion : pa.Table or None
        The champion's, likewise.
    schema : Schema
        Task, classes and positive class.
    policy : Policy
        Margins, the operating threshold, costs, the rows that are needed and the seed of the bootstrap.
    setting : Setting, optional
        The rows' columns and the tries before this one.

    Returns
    -------
    Outcome
    """
    known = setting or Setting()
    theirs = _operated(judged(schema, labels, challenger), policy)
    if champion is None:
        return _first_version(theirs, schema, policy)
    ours = _operated(judged(schema, labels, champion), policy)
    return _against_champion(ours, theirs, schema=schema, policy=policy, setting=known)


def incomparable(
    labels: Sequence[str | None], challenger: pa.Table, *, reason: str, schema: Schema, policy: Policy
) -> Outcome:
    """Decide nothing where a champion sits that cannot be compared with, and measure the challenger alone.

    Parameters
    ----------
    labels : sequence of str
        Ground truth, one per row.
    challenger : pa.Table
        What ``serving.predict`` said about the same rows, in the same order.
    reason : str
        Why there is no comparison, and what to do.
    schema : Schema
        Task, classes and positive class.
    policy : Policy
        The operating threshold and the seed of the bootstrap.

    Returns
    -------
    Outcome
    """
    theirs = _operated(judged(schema, labels, challenger), policy)
    nothing = NotMeasured(reason="the champion answers another question")
    return Outcome(
        decision=Decision.INSUFFICIENT,
        reasons=(reason,),
        metrics={
            name: Comparison(champion=nothing, challenger=figure, difference=nothing)
            for name, figure in metrics(theirs, seed=policy.seed).items()
        },
        rows=theirs.rows,
        challenger_curves=curves_of(theirs),
        threshold=_threshold(theirs, policy),
    )


def curves_of(rows: Scored) -> Curves:
    """Trace the curves of one model's scores.

    Parameters
    ----------
    rows : Scored
        Truth and predictions.

    Returns
    -------
    Curves
        Binary: of the positive class. Multiclass: of all classes pooled, each against the rest.
        Regression, or no probabilities: empty.
    """
    if rows.task is Task.BINARY:
        return curves(rows.y, rows.score)
    if rows.task is Task.REGRESSION or rows.scores is None:
        return Curves()
    truth = np.arange(rows.scores.shape[1]) == rows.y[:, np.newaxis]
    return curves(truth.ravel(), rows.scores.ravel())


def _operated(rows: Scored, policy: Policy) -> Scored:
    """Cut the score of the positive class where the policy says; 0.5 is what service cuts at."""
    if rows.task is not Task.BINARY:
        return rows
    return replace(rows, prediction=(rows.score >= policy.operating_threshold).astype(np.float64))


def _threshold(rows: Scored, policy: Policy) -> float | None:
    return policy.operating_threshold if rows.task is Task.BINARY else None


def _first_version(theirs: Scored, schema: Schema, policy: Policy) -> Outcome:
    compared, finding = against_trivial(theirs, metrics(theirs, seed=policy.seed))
    found = short_of_rows(theirs, schema, policy) or finding
    return Outcome(
        decision=found.decision,
        reasons=found.reasons,
        metrics=compared,
        rows=theirs.rows,
        rows_needed=found.rows_needed,
        challenger_curves=curves_of(theirs),
        threshold=_threshold(theirs, policy),
    )


# --- against the champion -----------------------------------------------------------------------


def _against_champion(ours: Scored, theirs: Scored, *, schema: Schema, policy: Policy, setting: Setting) -> Outcome:
    deciding = PRIMARY[theirs.task]
    compared, difference = _compared(ours, theirs, policy=policy, told=setting.told)
    short = short_of_rows(theirs, schema, policy)
    found = short or decide(deciding, compared[deciding], difference, earlier=setting.earlier, policy=policy)
    parts = sliced(ours, theirs, schema=schema, policy=policy, setting=setting)
    outcome = Outcome(
        decision=found.decision,
        reasons=found.reasons,
        metrics=compared | _costs(ours, theirs, policy),
        rows=theirs.rows,
        rows_needed=found.rows_needed,
        champion_curves=curves_of(ours),
        challenger_curves=curves_of(theirs),
        trial=found.trial,
        threshold=_threshold(theirs, policy),
        discordance=_discordance(ours, theirs),
        slices=parts.told,
        slices_judged=parts.judged,
        classes=by_class(ours, theirs, schema=schema, seed=policy.seed),
    )
    # rows that are too few to decide on prove no loss either
    return outcome if short else blocked(outcome, (*_calibration(compared, policy), *parts.blocks))


def _compared(
    ours: Scored, theirs: Scored, *, policy: Policy, told: Sequence[str] | None
) -> tuple[dict[str, Comparison], Difference]:
    """Measure both sides in each metric; the difference of the deciding one comes with its standard error."""
    deciding = PRIMARY[theirs.task]
    every = METRICS[theirs.task]
    names = every if told is None else [name for name in every if name in {deciding, BLOCKING, *told}]
    champion, challenger = (
        metrics(rows, seed=policy.seed if told is None else None, names=names) for rows in (ours, theirs)
    )
    differences = {
        name: _difference(name, ours, theirs, champion[name], challenger[name], policy.seed) for name in names
    }
    margin = margin_of(champion[deciding], deciding, policy)
    compared = {
        name: Comparison(
            champion=champion[name],
            challenger=challenger[name],
            difference=difference.figure,
            margin=margin if name == deciding else policy.brier_margin if name == BLOCKING else None,
            decides=name == deciding,
        )
        for name, difference in differences.items()
    }
    return compared, differences[deciding]


def _difference(name: str, ours: Scored, theirs: Scored, champion: Figure, challenger: Figure, seed: int) -> Difference:
    for figure in (champion, challenger):
        if isinstance(figure, NotMeasured):
            return Difference(figure=figure)
    return paired(name, ours, theirs, seed=seed)


def _calibration(compared: dict[str, Comparison], policy: Policy) -> tuple[str, ...]:
    """Block where the probabilities are proven to be worse by more than is allowed."""
    pair = compared.get(BLOCKING)
    if pair is None or not isinstance(pair.difference, Measured) or pair.difference.high is None:
        return ()
    if pair.difference.high >= -policy.brier_margin:
        return ()
    return (
        f"Its probabilities are worse: Brier score {saying.value(pair.challenger)} against {saying.value(pair.champion)},"
        f" {saying.better(pair.difference.value)}{saying.interval(pair.difference)}; {policy.brier_margin:.4f} is allowed"
        " (brier_margin). That blocks the promotion.",
    )


def _discordance(ours: Scored, theirs: Scored) -> Discordance | None:
    if ours.task is Task.REGRESSION or not ours.rows:
        return None
    right, also = ours.y == ours.prediction, theirs.y == theirs.prediction
    only_ours, only_theirs = int(np.count_nonzero(right & ~also)), int(np.count_nonzero(also & ~right))
    p_value, chi2 = mcnemar(only_ours, only_theirs)
    return Discordance(only_champion=only_ours, only_challenger=only_theirs, p_value=p_value, chi2=chi2)


def _costs(ours: Scored, theirs: Scored, policy: Policy) -> dict[str, Comparison]:
    """Price the errors at the operating threshold, where the policy says what they cost."""
    if ours.task is not Task.BINARY or not ours.rows or not (policy.false_positive_cost or policy.false_negative_cost):
        return {}
    champion, challenger, difference = paired_means(_cost(ours, policy), _cost(theirs, policy), seed=policy.seed)
    return {COST: Comparison(champion=champion, challenger=challenger, difference=difference)}


def _cost(rows: Scored, policy: Policy) -> Floats:
    wrong_yes, wrong_no = (1 - rows.y) * rows.prediction, rows.y * (1 - rows.prediction)
    return np.asarray(policy.false_positive_cost * wrong_yes + policy.false_negative_cost * wrong_no)
