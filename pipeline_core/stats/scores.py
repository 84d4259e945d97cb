"""How good are predictions where the truth is known: one model's metrics, and two models' difference.

Neighbours: ``intervals`` says how sure, ``curves`` draws more than one number. Refused: deciding what is good enough
(the gate and ``stages/performance`` do), and giving NaN: what the rows do not define is ``NotMeasured``.

Every metric is a function of row weights, built once per model; the bootstrap then only changes the weights, and a
paired bootstrap changes them for both models alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline_core.errors import InvalidDefinition
from pipeline_core.records import Figure, Measured, NotMeasured, Task
from pipeline_core.stats.intervals import (
    DECIDING_REPEATS,
    LEVEL,
    REPEATS,
    Floats,
    bootstrap,
    normal_quantile,
    percentile_interval,
    wilson,
)
from pipeline_core.stats.ranking import auc, delong, mean_influence
from pipeline_core.stats.truth import Scored, scored
from pipeline_core.stats.weighted import Weighted, weighted, weighted_mean

__all__ = [
    "HIGHER_IS_BETTER",
    "METRICS",
    "PRIMARY",
    "SPOKEN",
    "Difference",
    "Scored",
    "auc",
    "delong",
    "metrics",
    "paired",
    "paired_means",
    "primary",
    "scored",
]

METRICS: Mapping[Task, tuple[str, ...]] = {
    Task.BINARY: ("auc", "average_precision", "brier", "log_loss", "accuracy", "f1", "positive_share"),
    Task.MULTICLASS: ("auc_macro", "accuracy", "f1_macro", "log_loss"),
    Task.REGRESSION: ("rmse", "mae", "r2", "bias"),
}
"""What is measured per task, in the order of display. ``positive_share`` is of predictions, ``bias`` prediction - truth."""

PRIMARY: Mapping[Task, str] = {Task.BINARY: "auc", Task.MULTICLASS: "auc_macro", Task.REGRESSION: "rmse"}
"""The one metric per task that decides."""

SPOKEN: Mapping[str, str] = {"auc": "AUC", "auc_macro": "macro AUC", "rmse": "RMSE"}
"""How a primary metric is named in a sentence."""

HIGHER_IS_BETTER: frozenset[str] = frozenset({
    "auc",
    "auc_macro",
    "average_precision",
    "accuracy",
    "f1",
    "f1_macro",
    "r2",
})
"""The other metrics are better when smaller (``bias`` and ``positive_share``: when nearer to the truth)."""

_RANKED = frozenset({"auc", "auc_macro"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How much better the second model is on the same rows; every figure > 0 speaks for the second.

    ``figure`` has the two-sided 95 % interval, ``standard_error`` is for ``noninferiority`` and ``intervals.rows_for_margin``.
    """

    figure: Figure
    standard_error: float | None = None


def metrics(rows: Scored, *, seed: int | None, names: Sequence[str] | None = None) -> dict[str, Figure]:
    """Measure every metric of the task with its 95 % interval.

    AUC: DeLong's variance (macro: of the mean over one-against-rest areas of the classes that occur); shares: Wilson;
    the rest: percentile bootstrap over rows.

    Parameters
    ----------
    rows : Scored
        Truth and predictions.
    seed : int or None
        Of the bootstrap; None: figures that only a bootstrap gives an interval go without one.
    names : sequence of str, optional
        Which ones; all of the task unless said.

    Returns
    -------
    dict of str to Figure
        One entry per name; ``NotMeasured`` with the reason where the rows do not define it.
    """
    found = {name: _figure(name, rows) for name in (METRICS[rows.task] if names is None else names)}
    unsure = {n: f.value for n, f in found.items() if isinstance(f, Measured) and f.low is None}
    if not unsure or seed is None:
        return found
    measures = [weighted(name, rows) for name in unsure]
    # the same resamples for all of them
    repeated = bootstrap(lambda weights: np.stack([m(weights) for m in measures], axis=-1), rows.rows, seed=seed)
    for (name, value), repeats in zip(unsure.items(), repeated.T, strict=True):
        low, high = percentile_interval(repeats)
        found[name] = Measured(value=value, low=low, high=high, rows=rows.rows)
    return found


def primary(rows: Scored, *, seed: int) -> Figure:
    """Measure the one metric of the task that decides, with its 95 % interval, as ``metrics`` does without the others.

    Parameters
    ----------
    rows : Scored
        Truth and predictions.
    seed : int
        Of the bootstrap.

    Returns
    -------
    Figure
    """
    name = PRIMARY[rows.task]
    return metrics(rows, seed=seed, names=(name,))[name]


def paired(metric: str, first: Scored, second: Scored, *, seed: int) -> Difference:
    """Compare two models on the same rows in one metric.

    Paired DeLong for ``auc`` and ``auc_macro``, paired bootstrap over rows for the rest.

    Parameters
    ----------
    metric : str
        A name in ``METRICS[task]``.
    first, second : Scored
        The champion's and the challenger's predictions for the same rows in the same order.
    seed : int
        Of the bootstrap.

    Returns
    -------
    Difference
        Oriented: above 0 the second is better, whatever the metric (``bias``: nearer to 0; ``positive_share``: nearer
        to the true share).

    Raises
    ------
    InvalidDefinition
        The rows differ, or the task has no such metric.
    """
    if metric not in METRICS[first.task]:
        allowed = ", ".join(METRICS[first.task])
        raise InvalidDefinition(f"{metric!r} is no metric of a {first.task} model; there are: {allowed}. Choose one.")
    if first.task is not second.task or not np.array_equal(first.y, second.y):
        raise InvalidDefinition(
            f"{first.rows} and {second.rows} rows with different truth cannot be compared pairwise; "
            "give both models the same rows in the same order."
        )
    reason = _undefined(metric, first) or _undefined(metric, second)
    if reason is not None:
        return Difference(figure=NotMeasured(reason=reason))
    if metric in _RANKED:
        return _paired_auc(first, second)
    return _paired_bootstrap(metric, first, second, seed)


def paired_means(first: Floats, second: Floats, *, seed: int) -> tuple[Measured, Measured, Measured]:
    """Compare the means of what two models cost on the same rows, by paired bootstrap.

    Parameters
    ----------
    first, second : array, shape (rows,)
        One value per row, better when smaller; at least one row.
    seed : int
        Of the bootstrap.

    Returns
    -------
    first, second, difference : Measured
        With 95 % intervals; ``difference`` > 0: the second is better.

    Examples
    --------
    >>> [found.value for found in paired_means(np.array([4.0, 0.0]), np.array([1.0, 1.0]), seed=1)]
    [2.0, 1.0, 1.0]
    """
    columns = (first, second, first - second)
    repeated = bootstrap(lambda w: np.stack([weighted_mean(w, c) for c in columns], axis=-1), first.size, seed=seed)
    ends = [percentile_interval(repeats) for repeats in repeated.T]
    ours, theirs, difference = (
        Measured(value=float(column.mean()), low=low, high=high, rows=first.size)
        for column, (low, high) in zip(columns, ends, strict=True)
    )
    return ours, theirs, difference


def _area(rows: Scored) -> tuple[float, Floats]:
    if rows.scores is None:
        return mean_influence([(rows.y == 1, rows.score)])
    present = [k for k in range(rows.class_count) if 0 < np.count_nonzero(rows.y == k) < rows.rows]
    return mean_influence([(rows.y == k, rows.scores[:, k]) for k in present])


def _auc_figure(rows: Scored) -> Measured:
    area, influence = _area(rows)
    error = float(np.sqrt(np.square(influence).sum()))
    if not 0.0 < area < 1.0:
        # perfect separation has no spread to estimate from; the smaller class bounds what is known
        few = int(np.unique(rows.y, return_counts=True)[1].min())
        low, high = wilson(area * few, few)
        return Measured(value=area, low=low, high=high, rows=rows.rows)
    half = normal_quantile(0.5 + LEVEL / 2) * error
    return Measured(value=area, low=max(0.0, area - half), high=min(1.0, area + half), rows=rows.rows)


def _paired_auc(first: Scored, second: Scored) -> Difference:
    area_first, influence_first = _area(first)
    area_second, influence_second = _area(second)
    value = area_second - area_first
    error = float(np.sqrt(np.square(influence_second - influence_first).sum()))
    half = normal_quantile(0.5 + LEVEL / 2) * error
    return Difference(
        figure=Measured(value=value, low=value - half, high=value + half, rows=first.rows),
        standard_error=error,
    )


def _paired_bootstrap(metric: str, first: Scored, second: Scored, seed: int) -> Difference:
    of_first, of_second = weighted(metric, first), weighted(metric, second)
    ideal = _ideal(metric, first)

    def better_by(weights: Floats) -> Floats:
        return _orient(metric, of_first(weights), of_second(weights), ideal(weights))[..., np.newaxis]

    value = float(better_by(np.ones(first.rows))[0])
    repeats = DECIDING_REPEATS if metric in PRIMARY.values() else REPEATS
    repeated = bootstrap(better_by, first.rows, seed=seed, repeats=repeats)[:, 0]
    low, high = percentile_interval(repeated)
    return Difference(
        figure=Measured(value=value, low=low, high=high, rows=first.rows),
        standard_error=float(np.nanstd(repeated, ddof=1)) if low is not None else None,
    )


def _orient(metric: str, first: Floats, second: Floats, ideal: Floats) -> Floats:
    if metric in HIGHER_IS_BETTER:
        return np.asarray(second - first)
    return np.asarray(np.abs(first - ideal) - np.abs(second - ideal))


def _ideal(metric: str, rows: Scored) -> Weighted:
    """Give what a perfect model would score: the true share, and 0 for every loss and for bias."""
    if metric == "positive_share":
        return lambda weights: weighted_mean(weights, rows.y)
    return lambda weights: np.zeros(weights.shape[:-1])


def _figure(metric: str, rows: Scored) -> Figure:
    """Measure one metric, with its interval where there is a closed form for it."""
    reason = _undefined(metric, rows)
    if reason is not None:
        return NotMeasured(reason=reason)
    if metric in _RANKED:
        return _auc_figure(rows)
    value = float(weighted(metric, rows)(np.ones(rows.rows)))
    if metric in {"accuracy", "positive_share"}:
        low, high = wilson(value * rows.rows, rows.rows)
        return Measured(value=value, low=low, high=high, rows=rows.rows)
    return Measured(value=value, low=None, high=None, rows=rows.rows)


def _undefined(metric: str, rows: Scored) -> str | None:
    """Say why these rows do not define the metric, or None when they do."""
    if rows.rows == 0:
        return "no rows with known truth"
    if metric in {"auc", "auc_macro", "average_precision"} and np.unique(rows.y).size < 2:
        return f"only one class among {rows.rows:,} rows with known truth"
    if rows.task is Task.MULTICLASS and metric in {"auc_macro", "log_loss"} and rows.scores is None:
        return "no probabilities per class were stored"
    if metric == "f1" and not rows.y.any() and not rows.prediction.any():
        return "no row is positive, neither in truth nor in prediction"
    if metric == "r2" and np.ptp(rows.y) == 0:
        return f"all {rows.rows:,} true values are equal"
    return None
