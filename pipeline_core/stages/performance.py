"""Realised performance where ground truth has arrived: the champion as it is, against how it was validated.

Neighbours: ``stats.scores`` measures, ``stats.truth.scored`` pairs labels with predictions, ``alerts`` raises. Refused:
estimating performance without labels, and calling a drop what the interval still allows to be none.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pipeline_core.policy import Policy
from pipeline_core.records import Figure, Measured, NotMeasured, Performance, Task
from pipeline_core.stats.scores import HIGHER_IS_BETTER, METRICS, PRIMARY, SPOKEN, Scored, metrics

_NEEDS_BOTH_CLASSES = frozenset({"auc", "average_precision"})


def window_performance(rows: Scored, *, reference: Figure, scored_rows: int, policy: Policy, seed: int) -> Performance:
    """Measure a window's labelled rows and compare the primary metric with the validation figure.

    Dropped means that even the better end of the 95 % interval is worse than the reference minus the margin: AUC by
    ``performance_margin``, an error (RMSE) by the share ``relative_performance_margin`` of the reference.

    Parameters
    ----------
    rows : Scored
        Predictions of the window whose truth is known (``stats.truth.scored``).
    reference : Figure
        The version's primary metric on its hold-out.
    scored_rows : int, rows
        All predictions of the window, labelled or not.
    policy : Policy
        Margins, and the rows of a class below which nothing is concluded.
    seed : int
        Of the bootstrap.

    Returns
    -------
    Performance
        Every metric of the task, measured or with the reason why not.
    """
    primary = PRIMARY[rows.task]
    measured = _measure(rows, policy, seed)
    figure = measured[primary]
    known = reference.value if isinstance(reference, Measured) else None
    dropped, reason = _judge(primary, figure, reference, policy)
    return Performance(
        labelled_rows=rows.rows,
        scored_rows=scored_rows,
        metrics=measured,
        reference=known,
        dropped=dropped,
        reason=f"{reason}; {_maturity(rows.rows, scored_rows)}",
    )


def allowed(metric: str, reference: float, policy: Policy) -> float:
    """Give the worst value of a primary metric that is no drop.

    Parameters
    ----------
    metric : str
        A primary metric: ``auc``, ``auc_macro`` or ``rmse``.
    reference : float
        Its validation figure.
    policy : Policy
        Margins.

    Returns
    -------
    float
        In the metric's unit.

    Examples
    --------
    >>> round(allowed("auc", 0.8, Policy()), 4), round(allowed("rmse", 10.0, Policy()), 4)
    (0.78, 11.0)
    """
    if metric in HIGHER_IS_BETTER:
        return reference - policy.performance_margin
    return reference * (1 + policy.relative_performance_margin)


def _measure(rows: Scored, policy: Policy, seed: int) -> Mapping[str, Figure]:
    needed = policy.class_rows_min
    if rows.rows < needed:
        few = NotMeasured(reason=f"too few labels: {rows.rows:,} rows with ground truth, {needed:,} are needed")
        return dict.fromkeys(METRICS[rows.task], few)
    found = metrics(rows, seed=seed)
    if rows.task is Task.REGRESSION:
        return found
    if rows.task is Task.MULTICLASS:
        # one row of a class adds a coin flip to a mean over classes, and an interval cannot see it
        present = [int(n) for n in np.bincount(rows.y.astype(int), minlength=rows.class_count) if n]
        if min(present) < needed:
            few = NotMeasured(
                reason=f"too few labels: a class has {min(present):,} rows with ground truth, {needed:,} are needed"
            )
            found |= dict.fromkeys(("auc_macro", "f1_macro"), few)
        return found
    positives = int(np.count_nonzero(rows.y == 1))
    smaller = min(positives, rows.rows - positives)
    if smaller < needed:
        which = "positive" if positives == smaller else "negative"
        few = NotMeasured(reason=f"too few labels: {smaller:,} {which} rows with ground truth, {needed:,} are needed")
        found |= dict.fromkeys(_NEEDS_BOTH_CLASSES, few)
    return found


def _judge(metric: str, figure: Figure, reference: Figure, policy: Policy) -> tuple[bool, str]:
    if isinstance(figure, NotMeasured):
        return False, f"{SPOKEN[metric]} is not measured: {figure.reason}"
    if isinstance(reference, NotMeasured):
        return (
            False,
            f"{SPOKEN[metric]} {_interval(figure)} has no validation figure to compare with: {reference.reason}",
        )
    limit = allowed(metric, reference.value, policy)
    rising = metric in HIGHER_IS_BETTER
    better_end = figure.high if rising else figure.low
    dropped = better_end is not None and (better_end < limit if rising else better_end > limit)
    bound = f"{'at least' if rising else 'at most'} {limit:.3g} is allowed"
    verdict = "is worse than" if dropped else "is not shown to be worse than"
    return dropped, f"{SPOKEN[metric]} {_interval(figure)} {verdict} {reference.value:.3g} in validation ({bound})"


def _interval(figure: Measured) -> str:
    if figure.low is None or figure.high is None:
        return f"{figure.value:.3g}"
    return f"{figure.value:.3g} ({figure.low:.3g} to {figure.high:.3g})"


def _maturity(labelled: int, scored_rows: int) -> str:
    if scored_rows <= 0:
        return "no prediction was made in this window"
    share = f"{labelled / scored_rows:.0%}".replace("%", " %")
    return f"ground truth is known for {labelled:,} of {scored_rows:,} scored rows ({share})"
