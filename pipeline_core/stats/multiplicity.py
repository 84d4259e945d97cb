"""How many of many p-values may be believed.

Neighbours: ``twosample`` makes the p-values, ``stages/drift`` reads the answer. Refused: correcting across windows
(an online procedure on the alert path loses its power, see the statistics notes).
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


def holm(p_values: Sequence[float] | Floats) -> Floats:
    """Adjust p-values so that rejecting those up to q keeps the chance of any false rejection at q (Holm 1979).

    ``adjusted_(i) = max over j <= i of p_(j) (m - j + 1)``, capped at 1. It holds however the tests depend on each other.

    Parameters
    ----------
    p_values : sequence of float, shape (m,), 0-1
        All tests that one decision hangs on.

    Returns
    -------
    ndarray, shape (m,)
        Adjusted, in the order given.

    Examples
    --------
    >>> holm([0.04, 0.01, 0.5]).round(12).tolist()
    [0.08, 0.03, 0.5]
    """
    given: NDArray[np.float64] = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(given)
    scaled = given[order] * np.arange(given.size, 0, -1)
    adjusted = np.empty_like(given)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted
