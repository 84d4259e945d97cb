"""How sure is a figure: 95 % intervals and the rows that a decision needs.

Neighbours: ``scores`` and the stages ask here. Refused: knowing what the figure means, or when it is bad.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from pipeline_core.errors import NotEnough

Floats = NDArray[np.float64]

LEVEL = 0.95
"""The confidence that every printed interval has."""

REPEATS = 200
"""Bootstrap repeats of a figure that is shown: the ends of its interval move by about a tenth of its width."""

DECIDING_REPEATS = 1_000
"""Bootstrap repeats of the difference that a decision hangs on."""

CELLS_AT_ONCE = 500_000
"""Weights that are held at once by the bootstrap: a few megabytes for each sum over them."""

USABLE_SHARE = 0.9
"""Below this share of defined repeats an interval would speak about a different population."""


def normal_quantile(share: float) -> float:
    """Give the standard normal quantile.

    Parameters
    ----------
    share : float, 0-1
        The probability below the quantile.

    Returns
    -------
    float

    Examples
    --------
    >>> round(normal_quantile(0.975), 4)
    1.96
    """
    return float(stats.norm.ppf(share))


def wilson(hits: float, rows: int, *, level: float = LEVEL) -> tuple[float, float]:
    """Say within which bounds a share lies (Wilson 1927, score interval).

    ``(p + z²/2n ± z sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n)``

    Parameters
    ----------
    hits : float, rows
        How often it happened.
    rows : int, rows
        How often it could have.
    level : float, 0-1
        Confidence.

    Returns
    -------
    tuple of float, 0-1
        Low and high.

    Raises
    ------
    NotEnough
        There are no rows.

    Examples
    --------
    >>> low, high = wilson(0, 10)
    >>> low, round(high, 4)
    (0.0, 0.2775)
    """
    if rows <= 0:
        raise NotEnough("A share of 0 rows has no interval; at least 1 row is needed. Widen the window.")
    z = normal_quantile(0.5 + level / 2)
    share = hits / rows
    centre = share + z * z / (2 * rows)
    half = z * float(np.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows)))
    scale = 1 + z * z / rows
    # at 0 and at all rows the bound is exact on paper, and off by one rounding in arithmetic
    low = 0.0 if hits <= 0 else max(0.0, (centre - half) / scale)
    high = 1.0 if hits >= rows else min(1.0, (centre + half) / scale)
    return low, high


def bootstrap(statistic: Callable[[Floats], Floats], rows: int, *, seed: int, repeats: int = REPEATS) -> Floats:
    """Repeat a weighted statistic over resampled rows (Efron 1979).

    A resample is given as how often each row was drawn, so a statistic sorts its rows once and every repeat is a
    few sums; many repeats are summed at once, and 10,000 rows with 200 repeats take a tenth of a second.

    Parameters
    ----------
    statistic : callable
        From weights of shape (some repeats, rows) to figures of shape (some repeats, k); NaN where a repeat does
        not define one.
    rows : int, rows
        The size of the sample, and of each resample.
    seed : int
        Makes the answer repeatable.
    repeats : int
        How many resamples.

    Returns
    -------
    ndarray, shape (repeats, k)

    Raises
    ------
    NotEnough
        There are no rows.

    Examples
    --------
    >>> bootstrap(lambda weights: weights.sum(axis=-1, keepdims=True), 3, seed=1, repeats=2).tolist()
    [[3.0], [3.0]]
    """
    if rows <= 0:
        raise NotEnough("No rows can be resampled from 0 rows; at least 1 is needed. Widen the window.")
    random = np.random.default_rng(seed)
    at_once = max(1, CELLS_AT_ONCE // rows)
    found = []
    for first in range(0, repeats, at_once):
        count = min(at_once, repeats - first)
        drawn = random.integers(0, rows, (count, rows)) + rows * np.arange(count)[:, np.newaxis]
        weights = np.bincount(drawn.ravel(), minlength=count * rows).astype(np.float64)
        found.append(statistic(weights.reshape(count, rows)))
    return np.concatenate(found)


def percentile_interval(repeated: Floats, *, level: float = LEVEL) -> tuple[float | None, float | None]:
    """Read the interval off bootstrap repeats.

    Parameters
    ----------
    repeated : ndarray, shape (repeats,)
        One figure's repeats; NaN where undefined.
    level : float, 0-1
        Confidence.

    Returns
    -------
    tuple of float or None
        Low and high; both None where fewer than 90 % of the repeats define the figure.

    Examples
    --------
    >>> low, high = percentile_interval(np.arange(101.0), level=0.9)
    >>> round(low, 9), round(high, 9)
    (5.0, 95.0)
    """
    defined = repeated[np.isfinite(repeated)]
    if defined.size == 0 or defined.size < USABLE_SHARE * repeated.size:
        return None, None
    low, high = np.quantile(defined, [0.5 - level / 2, 0.5 + level / 2])
    return float(low), float(high)


def rows_for_margin(
    standard_error: float, rows: int, *, margin: float, power: float = 0.8, alpha: float = 1 - LEVEL
) -> int:
    """Say how many rows would show that two equally good models differ by less than a margin.

    ``n = rows ((z_(1-alpha) + z_power) standard_error / margin)²``: the one-sided test of non-inferiority at true
    equality; the standard error shrinks with the square root of the rows.

    Parameters
    ----------
    standard_error : float
        Of the paired difference on the rows at hand, in the metric's unit.
    rows : int, rows
        The rows at hand.
    margin : float
        The loss that is still allowed, in the metric's unit; above 0.
    power : float, 0-1
        How often the proof shall succeed.
    alpha : float, 0-1
        The one-sided level of the test.

    Returns
    -------
    int, rows

    Raises
    ------
    NotEnough
        The margin is 0: no number of rows proves that.

    Examples
    --------
    >>> rows_for_margin(0.01, 1000, margin=0.01)
    6183
    """
    if margin <= 0:
        raise NotEnough(
            "A margin of 0 can never be proven with any number of rows; set a margin above 0 in the policy."
        )
    needed = rows * ((normal_quantile(1 - alpha) + normal_quantile(power)) * standard_error / margin) ** 2
    return int(np.ceil(needed))
