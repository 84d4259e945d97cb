"""How well do scores rank positive rows above negative ones: AUC, its variance, and the variance of a difference.

Neighbours: ``scores`` turns these into figures. Refused: one class only, which ranks nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from pipeline_core.errors import NotEnough
from pipeline_core.stats.intervals import Floats

Truth = NDArray[np.bool_]


def auc(y: ArrayLike, score: ArrayLike) -> float:
    """Say how often a random positive row is ranked above a random negative one (ties count half).

    The area under the ROC curve as the Mann-Whitney statistic over mid-ranks.

    Parameters
    ----------
    y : array, shape (rows,)
        1 for positive, 0 for negative.
    score : array of float, shape (rows,)
        Higher means positive.

    Returns
    -------
    float, 0-1

    Raises
    ------
    NotEnough
        There is one class only.

    Examples
    --------
    >>> auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    truth = np.asarray(y) == 1
    positives, negatives = _both_classes(truth)
    ranks = rankdata(np.asarray(score, dtype=np.float64))
    return float((ranks[truth].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def delong(y: ArrayLike, scores: ArrayLike) -> tuple[Floats, Floats]:
    """Measure the AUC of several scores on the same rows, with their covariance (DeLong 1988; Sun and Xu 2014).

    ``V10 = (tz - tx) / n``, ``V01 = 1 - (tz - ty) / m`` from mid-ranks among all, positive and negative rows;
    ``S = cov(V10) / m + cov(V01) / n``.

    Parameters
    ----------
    y : array, shape (rows,)
        1 for positive, 0 for negative.
    scores : array of float, shape (models, rows)
        One row of scores per model.

    Returns
    -------
    aucs : ndarray, shape (models,)
    covariance : ndarray, shape (models, models)
        NaN-free; zero where a class has one row only, which says nothing about spread.

    Raises
    ------
    NotEnough
        There is one class only.

    Examples
    --------
    >>> toy = [0.21, 0.32, 0.63, 0.35, 0.92, 0.79, 0.82, 0.99, 0.04]
    >>> aucs, covariance = delong([0, 1, 0, 0, 1, 1, 0, 1, 0], [toy])
    >>> round(aucs[0], 12), round(covariance[0, 0], 12)
    (np.float64(0.8), np.float64(0.02875))
    """
    truth = np.asarray(y) == 1
    table = np.atleast_2d(np.asarray(scores, dtype=np.float64))
    parts = [_placements(truth, row) for row in table]
    above = np.vstack([v10 for v10, _ in parts])
    below = np.vstack([v01 for _, v01 in parts])
    covariance = np.zeros((len(table), len(table)))
    for placements in (above, below):
        count = placements.shape[1]
        if count > 1:
            covariance += np.atleast_2d(np.cov(placements)) / count
    return above.mean(axis=1), covariance


def _both_classes(truth: NDArray[np.bool_]) -> tuple[int, int]:
    positives = int(truth.sum())
    negatives = truth.size - positives
    if positives == 0 or negatives == 0:
        raise NotEnough(f"All {truth.size} rows have one class; AUC needs rows of both. Widen the window.")
    return positives, negatives


def _placements(truth: NDArray[np.bool_], score: Floats) -> tuple[Floats, Floats]:
    positives, negatives = _both_classes(truth)
    ranks = rankdata(score)
    above = (ranks[truth] - rankdata(score[truth])) / negatives
    below = 1.0 - (ranks[~truth] - rankdata(score[~truth])) / positives
    return above, below


def mean_influence(columns: Sequence[tuple[Truth, Floats]]) -> tuple[float, Floats]:
    """Measure the mean AUC over several (truth, score) pairs of the same rows, and each row's part in its error.

    DeLong's placements are each row's part in one AUC; parts add up over areas and subtract between models, so the
    squares of the parts of any mean or difference sum to its variance. For one pair that is DeLong's variance.

    Parameters
    ----------
    columns : sequence of (truth, score), each of shape (rows,)
        One pair per class (one against the rest); a single pair for a binary task.

    Returns
    -------
    area : float, 0-1
    influence : ndarray, shape (rows,)
        ``sqrt(sum(influence**2))`` is the standard error of the area.

    Raises
    ------
    NotEnough
        A pair has one class only.

    Examples
    --------
    >>> toy = np.array([0.21, 0.32, 0.63, 0.35, 0.92, 0.79, 0.82, 0.99, 0.04])
    >>> area, influence = mean_influence([(np.array([0, 1, 0, 0, 1, 1, 0, 1, 0]) == 1, toy)])
    >>> round(area, 12), round(float((influence**2).sum()), 12)
    (0.8, 0.02875)
    """
    influence, total = np.zeros(columns[0][1].size), 0.0
    for truth, score in columns:
        above, below = _placements(truth, score)
        area = float(above.mean())
        total += area
        # n / (n - 1) inside each class makes the sum of squares equal DeLong's variance to the last digit
        influence[truth] += (above - area) / np.sqrt(above.size * max(above.size - 1, 1))
        influence[~truth] += (below - area) / np.sqrt(below.size * max(below.size - 1, 1))
    return total / len(columns), influence / len(columns)
