"""Each metric as a function of row weights, so that a resample costs a few sums.

Neighbours: ``scores`` decides which metric is asked and says how sure it is. Refused: metrics with a closed variance
(``ranking``), and deciding whether the rows define a metric: a weighting that does not gives NaN, which stays inside
the bootstrap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from pipeline_core.stats.intervals import Floats
from pipeline_core.stats.truth import Scored

Weighted = Callable[[Floats], float]

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
        From weights of shape (rows,) to the metric; NaN where the weights leave it undefined.

    Examples
    --------
    >>> from pipeline_core.records import Task
    >>> y, said = np.array([0.0, 1.0, 1.0]), np.array([0.0, 1.0, 0.0])
    >>> weighted("accuracy", Scored(task=Task.BINARY, y=y, prediction=said, score=said))(np.array([1.0, 1.0, 2.0]))
    0.5
    """
    if metric in _MEANS:
        values = _MEANS[metric](rows)
        return lambda weights: float(weights @ values / weights.sum())
    return _CURVED[metric](rows)


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
    return lambda weights: float(np.sqrt(weights @ squares / weights.sum()))


def _r2(rows: Scored) -> Weighted:
    squares = np.square(rows.prediction - rows.y)
    # centring first keeps the sum of squares exact for values far from 0
    centred = rows.y - rows.y.mean()

    def explained(weights: Floats) -> float:
        spread = float(weights @ np.square(centred - weights @ centred / weights.sum()))
        return 1.0 - float(weights @ squares) / spread if spread > 0 else float("nan")

    return explained


def _f1(rows: Scored) -> Weighted:
    both = rows.y * rows.prediction
    either = rows.y + rows.prediction

    def balance(weights: Floats) -> float:
        total = float(weights @ either)
        return 2.0 * float(weights @ both) / total if total > 0 else float("nan")

    return balance


def _f1_macro(rows: Scored) -> Weighted:
    y, said, count = rows.y.astype(np.int64), rows.prediction.astype(np.int64), rows.class_count
    hit = y == said

    def balance(weights: Floats) -> float:
        total = np.bincount(y, weights, count) + np.bincount(said, weights, count)
        both = np.bincount(y[hit], weights[hit], count)
        return float((2.0 * both[total > 0] / total[total > 0]).mean())

    return balance


def _average_precision(rows: Scored) -> Weighted:
    order = np.argsort(-rows.score, kind="stable")
    truth, score = rows.y[order], rows.score[order]
    ends = np.flatnonzero(np.append(np.diff(score) != 0, True))  # tied scores are one threshold

    def area(weights: Floats) -> float:
        drawn = weights[order]
        hits, seen = np.cumsum(drawn * truth)[ends], np.cumsum(drawn)[ends]
        if hits[-1] == 0:
            return float("nan")
        precision = np.divide(hits, seen, out=np.zeros_like(hits), where=seen > 0)
        return float(np.diff(hits, prepend=0.0) @ precision / hits[-1])

    return area


_CURVED: Mapping[str, Callable[[Scored], Weighted]] = {
    "rmse": _rmse,
    "r2": _r2,
    "f1": _f1,
    "f1_macro": _f1_macro,
    "average_precision": _average_precision,
}
