"""Whether a challenger may become champion, judged on rows that neither model was fitted on.

The one metric that decides is tested for non-inferiority: the 95 % one-sided lower bound of "challenger
better by" must lie above minus the margin of the policy. Without a champion the challenger has to beat
the trivial predictor. Neighbours: ``serving`` made the predictions, ``registry`` acts on the verdict.
It refuses to choose the rows and to promote.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from pipeline_core.policy import Policy
from pipeline_core.records import Comparison, Curves, Decision, Figure, Measured, NotMeasured, Schema, Task
from pipeline_core.stats.curves import curves
from pipeline_core.stats.intervals import rows_for_margin
from pipeline_core.stats.scores import METRICS, PRIMARY, SPOKEN, Difference, metrics, paired
from pipeline_core.stats.truth import Scored, judged, negative

ROWS_NEEDED_MAX = 1_000_000_000
_CHANCE_AUC = 0.5
_NO_CHAMPION = NotMeasured(reason="there is no champion to compare with")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the gate found; a ``Verdict`` without its names and times."""

    decision: Decision
    reasons: tuple[str, ...]
    metrics: dict[str, Comparison]
    rows: int
    rows_needed: int | None = None
    champion_curves: Curves = field(default_factory=Curves)
    challenger_curves: Curves = field(default_factory=Curves)


def compare(
    labels: Sequence[str | None], challenger: pa.Table, *, champion: pa.Table | None, schema: Schema, policy: Policy
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
        Margins, ``class_rows_min`` and the seed of the bootstrap.

    Returns
    -------
    Outcome
    """
    theirs = judged(schema, labels, challenger)
    if champion is None:
        return _against_trivial(theirs, schema, policy)
    return _against_champion(judged(schema, labels, champion), theirs, schema, policy)


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
        The seed of the bootstrap.

    Returns
    -------
    Outcome
    """
    theirs = judged(schema, labels, challenger)
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


# --- against the champion -----------------------------------------------------------------------


def _against_champion(ours: Scored, theirs: Scored, schema: Schema, policy: Policy) -> Outcome:
    deciding = PRIMARY[theirs.task]
    champion, challenger = metrics(ours, seed=policy.seed), metrics(theirs, seed=policy.seed)
    margin = _margin(champion[deciding], deciding, policy)
    differences = {
        name: _difference(name, ours, theirs, champion[name], challenger[name], policy.seed)
        for name in METRICS[theirs.task]
    }
    compared = {
        name: Comparison(
            champion=champion[name],
            challenger=challenger[name],
            difference=difference.figure,
            margin=margin if name == deciding else None,
            decides=name == deciding,
        )
        for name, difference in differences.items()
    }
    decision, reasons, needed = _short_of_rows(theirs, schema, policy) or _decide(
        deciding, compared[deciding], differences[deciding]
    )
    return Outcome(
        decision=decision,
        reasons=reasons,
        metrics=compared,
        rows=theirs.rows,
        rows_needed=needed,
        champion_curves=curves_of(ours),
        challenger_curves=curves_of(theirs),
    )


def _margin(champion: Figure, deciding: str, policy: Policy) -> float | None:
    if deciding != PRIMARY[Task.REGRESSION]:
        return policy.auc_margin
    return policy.relative_error_margin * champion.value if isinstance(champion, Measured) else None


def _difference(name: str, ours: Scored, theirs: Scored, champion: Figure, challenger: Figure, seed: int) -> Difference:
    for figure in (champion, challenger):
        if isinstance(figure, NotMeasured):
            return Difference(figure=figure)
    return paired(name, ours, theirs, seed=seed)


_Finding = tuple[Decision, tuple[str, ...], int | None]


def _short_of_rows(rows: Scored, schema: Schema, policy: Policy) -> _Finding | None:
    """Say what is missing where there are too few rows, or too few of a class, for an interval to hold."""
    least = max(1, int(policy.class_rows_min))
    if rows.task is Task.REGRESSION:
        return _few(rows.rows, {"labelled rows": rows.rows}, least) if rows.rows < least else None
    counts = np.bincount(rows.y.astype(np.intp), minlength=2)
    names = (negative(schema), schema.positive or "") if rows.task is Task.BINARY else schema.classes
    # a class that never occurs takes no part in the macro AUC; a binary task needs both
    lacking = {
        f"labelled rows of class {name!r}": int(n)
        for name, n in zip(names, counts, strict=False)
        if n < least and (n > 0 or rows.task is Task.BINARY or rows.rows == 0)
    }
    if not lacking and np.count_nonzero(counts) < 2:
        lacking = {"labelled rows of a second class": 0}
    return _few(rows.rows, lacking, least) if lacking else None


def _few(rows: int, lacking: dict[str, int], least: int) -> _Finding:
    reasons = tuple(
        f"The {rows:,} rows to compare on hold {n:,} {name}; policy asks for at least {least:,}"
        f" (class_rows_min). {least - n:,} more are needed."
        for name, n in lacking.items()
    )
    fewest = min(lacking.values())
    return Decision.INSUFFICIENT, reasons, math.ceil(rows * least / fewest) if fewest else None


def _decide(deciding: str, compared: Comparison, difference: Difference) -> _Finding:
    spoken, figure, margin = SPOKEN[deciding], compared.difference, compared.margin
    if isinstance(figure, NotMeasured) or margin is None:
        reason = figure.reason if isinstance(figure, NotMeasured) else "the champion's figure is not known"
        return Decision.INSUFFICIENT, (f"{spoken} cannot be compared: {reason}.",), None
    first = (
        f"On {figure.rows or 0:,} rows the challenger has {spoken} {_value(compared.challenger)}, the champion"
        f" {_value(compared.champion)}: {_better(figure.value)}{_interval(figure)}."
    )
    allowed = f"the allowed loss of {margin:.4f}"
    low = difference.one_sided_low
    if figure.value <= -margin:
        return Decision.KEEP, (first, f"That is not less than {allowed}: the champion stays."), None
    if low is not None and low > -margin:
        second = (
            f"With 95 % confidence it is {_loss(low)}; a loss of less than {margin:.4f} is allowed: it may be promoted."
        )
        return Decision.PROMOTE, (first, second), None
    return _undecided(first, figure, difference, margin)


def _undecided(first: str, figure: Measured, difference: Difference, margin: float) -> _Finding:
    if difference.standard_error is None or difference.one_sided_low is None:
        return Decision.INSUFFICIENT, (first, "The rows are too few for an interval."), None
    needed = rows_for_margin(difference.standard_error, figure.rows or 0, margin=figure.value + margin)
    shown = f"about {needed:,}" if needed <= ROWS_NEEDED_MAX else f"more than {ROWS_NEEDED_MAX:,}"
    second = (
        f"A loss of {-difference.one_sided_low:.4f} cannot be ruled out with 95 % confidence; {margin:.4f} is allowed."
        f" If the difference stays as it is, {shown} labelled rows in all would decide."
    )
    return Decision.INSUFFICIENT, (first, second), min(needed, ROWS_NEEDED_MAX)


# --- against the trivial predictor --------------------------------------------------------------


def _against_trivial(theirs: Scored, schema: Schema, policy: Policy) -> Outcome:
    deciding = PRIMARY[theirs.task]
    measured = metrics(theirs, seed=policy.seed)
    figure = measured[deciding]
    compared = {
        name: Comparison(champion=_NO_CHAMPION, challenger=value, difference=_NO_CHAMPION)
        for name, value in measured.items()
    }
    finding: _Finding = Decision.INSUFFICIENT, (f"{SPOKEN[deciding]} cannot be measured: {_why(figure)}.",), None
    if isinstance(figure, Measured):
        compared[deciding] = _trivial_comparison(theirs, figure)
        finding = _trivial_decision(deciding, compared[deciding], figure)
    decision, reasons, needed = _short_of_rows(theirs, schema, policy) or finding
    return Outcome(
        decision=decision,
        reasons=reasons,
        metrics=compared,
        rows=theirs.rows,
        rows_needed=needed,
        challenger_curves=curves_of(theirs),
    )


def _trivial_comparison(rows: Scored, figure: Measured) -> Comparison:
    if rows.task is Task.REGRESSION:
        # the best constant for these very rows: harder to beat than the mean of the fit part
        trivial = float(np.std(rows.y))
        ends = (trivial - figure.value, figure.high, figure.low)
        value, low, high = ends[0], *(None if end is None else trivial - end for end in ends[1:])
    else:
        trivial = _CHANCE_AUC
        value = figure.value - trivial
        low, high = (None if end is None else end - trivial for end in (figure.low, figure.high))
    return Comparison(
        champion=Measured(value=trivial, rows=rows.rows),
        challenger=figure,
        difference=Measured(value=value, low=low, high=high, rows=rows.rows),
        margin=0.0,
        decides=True,
    )


def _trivial_decision(deciding: str, compared: Comparison, figure: Measured) -> _Finding:
    regression = deciding == PRIMARY[Task.REGRESSION]
    trivial = "predicting the mean" if regression else "a coin"
    difference = compared.difference
    better = isinstance(difference, Measured) and difference.value > 0
    says = "it may be promoted" if better else "it is no better than no model"
    reason = (
        f"There is no champion yet. On {figure.rows or 0:,} rows the challenger has {SPOKEN[deciding]}"
        f" {figure.value:.4f}{_interval(figure)}; {trivial} has {_value(compared.champion)}: {says}."
    )
    if not better:
        return Decision.KEEP, (reason,), None
    if isinstance(difference, Measured) and (difference.low is None or difference.low > 0):
        return Decision.PROMOTE, (reason,), None
    chance = f"than {trivial}" if regression else "than chance"
    includes = _value(compared.champion) if regression else f"{_CHANCE_AUC:g}"
    return Decision.PROMOTE, (reason, f"But the interval includes {includes}: it may be no better {chance}."), None


# --- words --------------------------------------------------------------------------------------


def _value(figure: Figure) -> str:
    return f"{figure.value:.4f}" if isinstance(figure, Measured) else "not measured"


def _why(figure: Figure) -> str:
    return figure.reason if isinstance(figure, NotMeasured) else ""


def _better(value: float) -> str:
    return f"better by {value:.4f}" if value >= 0 else f"worse by {-value:.4f}"


def _loss(low: float) -> str:
    return f"at most {-low:.4f} worse" if low < 0 else f"at least {low:.4f} better"


def _interval(figure: Measured) -> str:
    if figure.low is None or figure.high is None:
        return ""
    return f" (95 % interval {figure.low:.4f} to {figure.high:.4f})"
