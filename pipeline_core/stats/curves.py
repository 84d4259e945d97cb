"""Which curves describe a binary score: ROC, precision-recall, calibration, small enough to store and draw.

Neighbours: ``scores`` gives the figures beside them. Refused: drawing, and curves of one class, which are empty.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pipeline_core.records import Curves
from pipeline_core.stats.intervals import Floats

POINTS_MAX = 200
CALIBRATION_BINS = 10

Points = tuple[tuple[float, float], ...]


def curves(y: ArrayLike, score: ArrayLike) -> Curves:
    """Trace the curves of a binary score, at most 200 points each.

    ROC and precision-recall have a point per distinct score, thinned evenly along the curve with both ends kept;
    calibration has up to 10 bins of equal rows (tied scores stay in one bin).

    Parameters
    ----------
    y : array, shape (rows,)
        1 for positive, 0 for negative.
    score : array of float, shape (rows,), 0-1
        P(positive).

    Returns
    -------
    Curves
        Empty where there is one class only.

    Examples
    --------
    >>> curves([0, 1], [0.2, 0.9]).roc
    ((0.0, 0.0), (0.0, 1.0), (1.0, 1.0))
    """
    truth = (np.asarray(y) == 1).astype(np.float64)
    given = np.asarray(score, dtype=np.float64)
    positives = float(truth.sum())
    negatives = truth.size - positives
    if positives == 0 or negatives == 0:
        return Curves()
    order = np.argsort(-given, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(given[order]) != 0, True))  # tied scores are one threshold
    hits = np.cumsum(truth[order])[ends]
    seen = (ends + 1).astype(np.float64)
    recall = hits / positives
    false_rate = (seen - hits) / negatives
    return Curves(
        roc=_thinned(np.append(0.0, false_rate), np.append(0.0, recall)),
        precision_recall=_thinned(np.append(0.0, recall), np.append(hits[0] / seen[0], hits / seen)),
        calibration=_calibration(truth, given),
    )


def _thinned(x: Floats, y: Floats) -> Points:
    if x.size > POINTS_MAX:
        # evenly along the drawn line, so that a steep part keeps its shape
        travelled = np.append(0.0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y))))
        wanted = np.linspace(0.0, travelled[-1], POINTS_MAX)
        kept = np.unique(np.searchsorted(travelled, wanted).clip(0, x.size - 1))
        kept[-1] = x.size - 1
        x, y = x[kept], y[kept]
    return tuple(zip(x.tolist(), y.tolist(), strict=True))


def _calibration(truth: Floats, score: Floats) -> Points:
    edges = np.unique(np.quantile(score, np.linspace(0, 1, CALIBRATION_BINS + 1)[1:-1]))
    place = np.searchsorted(edges, score, side="left")
    rows = np.bincount(place, minlength=edges.size + 1)
    used = rows > 0
    expected = np.bincount(place, score, edges.size + 1)[used] / rows[used]
    observed = np.bincount(place, truth, edges.size + 1)[used] / rows[used]
    return tuple(zip(expected.tolist(), observed.tolist(), strict=True))
