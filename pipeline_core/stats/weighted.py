"""Each metric as a function of row weights, so that many resamples cost a few sums.

Neighbours: ``scores`` decides which metric is asked and says how sure it is. Refused: metrics with a closed variance
(``ranking``), and deciding whether the rows define a metric: a weighting that does not gives NaN, which stays inside
the bootstrap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from pipeline_core.stats.intervals import Floats
from pipeline_core.stats.truth import Scored

Weighted = Callable[[Floats], Floats]

_PROBABILITY_MIN = float(np.finfo(np.float64).eps)


def weighted(metric: str, rows: Scored) -> Weighted:
    """Build a metric as a function of row weights; what costs a sort is done once, here.

    Parameters
    ----------
    metric : str
        Any name in ``scores.METRICS`` but the AUCs.
    rows : Scored
        Truth and predictions.

    Returns
    -------
    callable
        From weights of shape (..., rows) to the metric, shape (...); NaN where the weights leave it undefined.

    Examples
    --------
    >>> from pipeline_core.records import Task
    >>> y, said = np.array([0.0, 1.0, 1.0]), np.array([0.0, 1.0, 0.0])
    >>> accuracy = weighted("accuracy", Scored(task=Task.BINARY, y=y, prediction=said, score=said))
    >>> accuracy(np.array([[1.0, 1.0, 2.0], [1.0, 3.0, 0.0]])).tolist()
    [0.5, 1.0]
    """
    if metric in _MEANS:
        values = _MEANS[metric](rows)
        return lambda weights: weighted_mean(weights, values)
    return _CURVED[metric](rows)


def weighted_mean(weights: Floats, values: Floats) -> Floats:
    """Give the mean of values under each of some weightings.

    Parameters
    ----------
    weights : ndarray, shape (..., rows)
        At least one above 0 in each row.
    values : ndarray, shape (rows,)
        What is averaged.

    Returns
    -------
    ndarray, shape (...)
    """
    return np.asarray(_sums(weights, values) / weights.sum(axis=-1))


def _sums(weights: Floats, values: Floats) -> Floats:
    # not ``@``: its threads wait for each other on busy cores, which made a comparison of models 7 times dearer
    summed: Floats = np.einsum("...i,...i->...", weights, values)
    return summed


def _ratio(part: Floats, whole: Floats) -> Floats:
    """Divide; NaN where there is nothing to divide by."""
    nothing = np.full(np.shape(whole), np.nan)
    return np.divide(part, whole, out=nothing, where=np.asarray(whole) > 0)


def _log_losses(rows: Scored) -> Floats:
    if rows.scores is not None:
        given = rows.scores[np.arange(rows.rows), rows.y.astype(np.int64)]
    else:
        given = np.where(rows.y == 1, rows.score, 1.0 - rows.score)
    # scikit-learn's bound: a sure and wrong model costs 36 nat, not infinity
    losses: Floats = -np.log(np.clip(given, _PROBABILITY_MIN, 1.0 - _PROBABILITY_MIN))
    return losses


_MEANS: Mapping[str, Callable[[Scored], Floats]] = {
    "accuracy": lambda rows: (rows.y == rows.prediction).astype(np.float64),
    "positive_share": lambda rows: rows.prediction,
    "brier": lambda rows: np.square(rows.score - rows.y),
    "log_loss": _log_losses,
    "mae": lambda rows: np.abs(rows.prediction - rows.y),
    "bias": lambda rows: rows.prediction - rows.y,
}


def _rmse(rows: Scored) -> Weighted:
    squares = np.square(rows.prediction - rows.y)
    return lambda weights: np.sqrt(weighted_mean(weights, squares))


def _r2(rows: Scored) -> Weighted:
    squares = np.square(rows.prediction - rows.y)
    # centring first keeps the sum of squares exact for values far from 0
    centred = rows.y - rows.y.mean()

    def explained(weights: Floats) -> Floats:
        spread = _sums(weights, np.square(centred - weighted_mean(weights, centred)[..., np.newaxis]))
        return np.asarray(1.0 - _ratio(_sums(weights, squares), spread))

    return explained


def _f1(rows: Scored) -> Weighted:
    both = rows.y * rows.prediction
    either = rows.y + rows.prediction

    def balance(weights: Floats) -> Floats:
        return _ratio(2.0 * _sums(weights, both), _sums(weights, either))

    return balance


def _f1_macro(rows: Scored) -> Weighted:
    of_class = [(rows.y == k, rows.prediction == k) for k in range(rows.class_count)]

    def balance(weights: Floats) -> Floats:
        parts = [_ratio(2.0 * _sums(weights, y & said), _sums(weights, y * 1.0 + said)) for y, said in of_class]
        # a class that is neither true nor said in a resample is no part of its mean
        return np.asarray(np.nanmean(parts, axis=0))

    return balance


def _average_precision(rows: Scored) -> Weighted:
    order = np.argsort(-rows.score, kind="stable")
    truth, score = rows.y[order], rows.score[order]
    ends = np.flatnonzero(np.append(np.diff(score) != 0, True))  # tied scores are one threshold

    def area(weights: Floats) -> Floats:
        drawn = weights[..., order]
        hits, seen = np.cumsum(drawn * truth, axis=-1)[..., ends], np.cumsum(drawn, axis=-1)[..., ends]
        precision = np.divide(hits, seen, out=np.zeros_like(hits), where=seen > 0)
        return _ratio(_sums(np.diff(hits, prepend=0.0), precision), hits[..., -1])

    return area


_CURVED: Mapping[str, Callable[[Scored], Weighted]] = {
    "rmse": _rmse,
    "r2": _r2,
    "f1": _f1,
    "f1_macro": _f1_macro,
    "average_precision": _average_precision,
}
