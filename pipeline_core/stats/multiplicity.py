"""How many of many p-values may be believed.

Neighbours: ``twosample`` and ``noninferiority`` make the p-values, ``stages/drift`` and ``stages/gate`` read the answer.
Refused: correcting across windows (an online procedure on the alert path loses its power, see the statistics notes).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline_core.stats.intervals import Floats


def benjamini_hochberg(p_values: Sequence[float] | Floats) -> Floats:
    """Adjust p-values so that rejecting those up to q keeps the false discovery rate at q (BH 1995).

    ``adjusted_(i) = min over j >= i of p_(j) m / j``, capped at 1. When nothing differs, the chance of any rejection
    is q as well.

    Parameters
    ----------
    p_values : sequence of float, shape (m,), 0-1
        All tests of one window.

    Returns
    -------
    ndarray, shape (m,)
        Adjusted, in the order given.

    Examples
    --------
    >>> benjamini_hochberg([0.04, 0.01, 0.5]).round(12).tolist()
    [0.06, 0.03, 0.5]
    """
    given: NDArray[np.float64] = np.asarray(p_values, dtype=np.float64)
    if given.size == 0:
        return given
    order = np.argsort(given)[::-1]
    scaled = given[order] * given.size / np.arange(given.size, 0, -1)
    adjusted = np.empty_like(given)
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled), 1.0)
    return adjusted


def holm(p_values: Sequence[float] | Floats, *, weights: Sequence[float] | None = None) -> Floats:
    """Adjust p-values so that rejecting those up to alpha keeps the chance of any false rejection at alpha (Holm 1979).

    In the order of ``p / weight``: ``adjusted_(i) = max over j <= i of p_(j) / w_(j) (1 - sum of w_(l) over l < j)``, capped
    at 1. Weights that sum to less than 1 leave the rest to tests that are still to come.

    Parameters
    ----------
    p_values : sequence of float, shape (m,), 0-1
        All tests so far.
    weights : sequence of float, shape (m,), optional
        Each test's part of alpha, above 0, with a sum of at most 1; equal ones (1 / m) unless said.

    Returns
    -------
    ndarray, shape (m,)
        Adjusted, in the order given.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03, 0.005]).round(12).tolist()
    [0.03, 0.06, 0.06, 0.02]
    """
    given: NDArray[np.float64] = np.asarray(p_values, dtype=np.float64)
    if given.size == 0:
        return given
    shares = np.full(given.size, 1.0 / given.size) if weights is None else np.asarray(weights, dtype=np.float64)
    order = np.argsort(given / shares, kind="stable")
    left = 1.0 - np.concatenate([[0.0], np.cumsum(shares[order])[:-1]])
    adjusted = np.empty_like(given)
    adjusted[order] = np.minimum(np.maximum.accumulate(given[order] / shares[order] * left), 1.0)
    return adjusted


def next_level(earlier: Sequence[float], *, alpha: float) -> float:
    """Say how small the p-value of the next test must be, where tests come one after another and one may stop at any.

    Holm's procedure with the weights ``1 / (k (k + 1))`` for the k-th test, which sum to 1 over all tests that may ever
    come: alpha/2, alpha/6, alpha/12, ... The weight of each earlier test that is rejected is given back, because nothing
    can go wrong there any more. Whoever goes on until one passes is wrong with a chance of at most alpha.

    Parameters
    ----------
    earlier : sequence of float, 0-1
        The p-values of the tests before this one, in their order.
    alpha : float, 0-1
        The chance of any false rejection, over all tests together.

    Returns
    -------
    float, 0-1
        The level of the next test.

    Examples
    --------
    >>> [round(next_level(earlier, alpha=0.06), 6) for earlier in ([], [0.5], [0.5, 0.5], [0.5, 0.001])]
    [0.03, 0.01, 0.005, 0.006]
    """
    weights = np.array([_weight(place) for place in range(1, len(earlier) + 2)])
    rejected = holm(earlier, weights=weights[:-1].tolist()) <= alpha
    return float(alpha * weights[-1] / (1.0 - weights[:-1][rejected].sum()))


def _weight(place: int) -> float:
    return 1.0 / (place * (place + 1))
