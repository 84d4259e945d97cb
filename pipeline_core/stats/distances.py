"""How far apart are two histograms: effects, without any statement about chance.

Neighbours: ``twosample`` adds the p-value. Refused: cutting bins (counts come aligned from ``profiling`` and
``drift``), and PSI where its noise alone would pass for drift.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pipeline_core.errors import NotEnough
from pipeline_core.stats.intervals import Floats

PSI_NOISE_MAX = 0.03
"""Above this expected PSI of two samples from the same source, the figure says nothing."""


def ks_distance(base_n: ArrayLike, current_n: ArrayLike) -> tuple[float, float, int]:
    """Bound the largest gap between two cumulative distributions from aligned, ordered counts.

    With F, G the cumulative shares before (p) and after (q) each cell:
    ``max|F_q - G_q| <= D <= max(F_q - G_p, G_q - F_p)`` over cells, whatever the values inside the cells. Where every
    cell is one value, D is ``low`` exactly.

    Parameters
    ----------
    base_n, current_n : array of int, shape (cells,)
        Rows per cell, in the order of the values.

    Returns
    -------
    low : float, 0-1
    high : float, 0-1
    index : int
        The cell after which the gap of ``low`` stands.

    Raises
    ------
    NotEnough
        A side has no rows.

    Examples
    --------
    >>> ks_distance([1, 1, 1, 1, 1, 0, 0], [0, 0, 1, 1, 1, 1, 1])[::2]
    (0.4, 1)
    """
    after_base, after_current = _cumulative(base_n), _cumulative(current_n)
    gaps = np.abs(after_base - after_current)
    index = int(gaps.argmax())
    before_base, before_current = np.append(0.0, after_base[:-1]), np.append(0.0, after_current[:-1])
    high = float(max((after_base - before_current).max(), (after_current - before_base).max()))
    return float(gaps[index]), min(1.0, high), index


def js_distance(base_n: ArrayLike, current_n: ArrayLike) -> float:
    """Say how far apart two sets of shares are: the Jensen-Shannon distance with natural logarithms.

    ``sqrt((KL(p|m) + KL(q|m)) / 2)``, ``m = (p + q) / 2``; 0 when equal, ``sqrt(ln 2) = 0.8326`` when disjoint. This is
    ``scipy.spatial.distance.jensenshannon`` with its default base.

    Parameters
    ----------
    base_n, current_n : array of int or float, shape (levels,)
        Rows or shares per level.

    Returns
    -------
    float, 0-0.8326 (square root of nat)

    Raises
    ------
    NotEnough
        A side has no rows.

    Examples
    --------
    >>> round(js_distance([25, 25, 25, 25], [40, 30, 20, 10]), 6)
    0.16693
    """
    base, current = _shares(base_n), _shares(current_n)
    middle = (base + current) / 2
    divergence = (_entropy_part(base, middle) + _entropy_part(current, middle)) / 2
    return float(np.sqrt(max(0.0, divergence)))


def psi(base_n: ArrayLike, current_n: ArrayLike, *, smoothing: float = 0.5) -> float:
    """Give the population stability index of counts over bins that were cut on the baseline.

    ``sum((q - p) ln(q / p))`` with ``smoothing`` rows added to every bin, so that an empty bin is no infinity.

    Parameters
    ----------
    base_n, current_n : array of int or float, shape (bins,)
        Rows per bin.
    smoothing : float, rows
        Added to every bin of both sides.

    Returns
    -------
    float

    Raises
    ------
    NotEnough
        A side has no rows, or its noise ``(bins - 1)(1/n + 1/m)`` alone is above 0.03 (Yurdakul 2018).

    Examples
    --------
    >>> round(psi([2500, 2500, 2500, 2500], [4000, 3000, 2000, 1000], smoothing=0), 6)
    0.228217
    """
    base, current = np.asarray(base_n, dtype=np.float64), np.asarray(current_n, dtype=np.float64)
    _shares(base), _shares(current)
    noise = (base.size - 1) * (1 / base.sum() + 1 / current.sum())
    if noise > PSI_NOISE_MAX:
        raise NotEnough(
            f"PSI over {base.size} bins of {base.sum():,.0f} and {current.sum():,.0f} rows is {noise:.3f} by chance alone; "
            f"at most {PSI_NOISE_MAX} is allowed. Widen the window or use fewer bins."
        )
    before, now = _shares(base + smoothing), _shares(current + smoothing)
    return float(((now - before) * np.log(now / before)).sum())


def wasserstein(values: ArrayLike, base_n: ArrayLike, current_n: ArrayLike) -> float:
    """Say how far values moved on average: the area between two cumulative distributions.

    Parameters
    ----------
    values : array of float, shape (cells,)
        The value of each cell, ascending.
    base_n, current_n : array of int, shape (cells,)
        Rows per cell.

    Returns
    -------
    float, the column's unit

    Raises
    ------
    NotEnough
        A side has no rows.

    Examples
    --------
    >>> wasserstein([0, 1, 3], [5, 5, 0], [0, 5, 5])
    1.5
    """
    gaps = np.abs(_cumulative(base_n) - _cumulative(current_n))
    return float(gaps[:-1] @ np.diff(np.asarray(values, dtype=np.float64)))


def _shares(counts: ArrayLike) -> Floats:
    given: Floats = np.asarray(counts, dtype=np.float64)
    total = float(given.sum())
    if total <= 0:
        raise NotEnough("A side of the comparison has 0 rows; at least 1 is needed on each side. Widen the window.")
    shares: Floats = given / total
    return shares


def _cumulative(counts: ArrayLike) -> Floats:
    _shares(counts)
    running = np.cumsum(np.asarray(counts, dtype=np.float64))
    cumulative: Floats = running / running[-1]  # whole rows add up exactly, shares do not
    return cumulative


def _entropy_part(shares: Floats, middle: Floats) -> float:
    seen = shares > 0
    return float(shares[seen] @ np.log(shares[seen] / middle[seen]))
