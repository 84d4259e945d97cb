"""Values that are conspicuously common, and figures of a column from its counts.

Answers "which of these counts stand out of their neighbourhood?" and "which values are the quantiles?". Neighbours:
an engine counts and reads heavy cells again, ``stages/schema`` learns what was common in the first file. It refuses to
say whether a common value is wrong: that needs a baseline and is for ``stages/validation``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SHARE_MIN, ROWS_MIN = 0.001, 5
"""A value is common from this share of the rows and this many rows on."""
FEW = 20
"""Of so few values each is common: there is no neighbourhood to stand out of."""

_REACH = 5
_SIGMAS = 3.0


def rows_needed(rows: int) -> int:
    """Say in how many rows a value must occur to be common.

    Parameters
    ----------
    rows : int
        Rows of the column.

    Returns
    -------
    int

    Examples
    --------
    >>> rows_needed(1_000), rows_needed(20_000)
    (5, 20)
    """
    return max(ROWS_MIN, int(np.ceil(SHARE_MIN * rows)))


def standing_out(n: Ints, *, rows: int) -> npt.NDArray[np.bool_]:
    """Mark the counts that exceed what their neighbours let expect.

    What is expected is the second largest of five means, each of the counts so many places below and above: slopes cancel
    out, and a spike close by spoils one mean only. The excess must be common by itself and beyond three standard
    deviations of a Poisson count.

    Parameters
    ----------
    n : array of int, (keys,)
        Rows at each value or in each cell, in ascending order of the keys.
    rows : int
        Rows of the column.

    Returns
    -------
    array of bool, (keys,)

    Examples
    --------
    >>> n = np.ones(100, dtype=np.int64)
    >>> n[40] = 30
    >>> np.flatnonzero(standing_out(n, rows=129)).tolist()
    [40]
    """
    if len(n) <= FEW:
        return np.asarray(n >= rows_needed(rows))
    # a tenth less than needed: the neighbourhood is itself only an estimate
    needed = 0.9 * rows_needed(rows)
    found = np.zeros(len(n), dtype=np.bool_)
    likely = np.flatnonzero(n >= needed)
    usual = _neighbours(n, likely)
    found[likely] = n[likely] - usual >= np.maximum(needed, _SIGMAS * np.sqrt(usual + 1))
    return found


def common_values(values: Floats, n: Ints, *, rows: int, most: int) -> tuple[tuple[float, int], ...]:
    """List the values that stand out, commonest first.

    Parameters
    ----------
    values : array of float, (values,)
        Distinct, ascending.
    n : array of int, (values,)
        Rows of each.
    rows : int
        Rows of the column.
    most : int
        At most this many; the commonest are kept.

    Returns
    -------
    tuple of (value, rows)

    Examples
    --------
    >>> common_values(np.array([0.0, 1.0]), np.array([90, 10]), rows=100, most=1)
    ((0.0, 90),)
    """
    found = np.flatnonzero(standing_out(n, rows=rows) & (n >= rows_needed(rows)))
    order = found[np.lexsort((values[found], -n[found]))][:most]
    return tuple((float(values[i]), int(n[i])) for i in order)


def counted_quantiles(edges: tuple[Floats, Floats], n: Ints, wanted: Floats) -> Floats:
    """Say which values lie at the wanted shares of the rows.

    Parameters
    ----------
    edges : pair of array of float, (keys,)
        Lowest and highest value that each key stands for, ascending; equal where it is one value.
    n : array of int, (keys,)
        Rows at each key, not all 0.
    wanted : array of float, 0-1
        Shares; the row nearest below is taken, and rows of one key are thought to lie evenly in it.

    Returns
    -------
    array of float, (wanted,)

    Examples
    --------
    >>> one = np.array([1.0, 2.0, 9.0])
    >>> counted_quantiles((one, one), np.array([2, 2, 1]), np.array([0.0, 0.5, 1.0])).tolist()
    [1.0, 2.0, 9.0]
    """
    low, high = edges
    upper = np.cumsum(n)
    place = np.floor(wanted * (upper[-1] - 1))
    key = np.searchsorted(upper, place, side="right")
    inside = (place - (upper[key] - n[key]) + 0.5) / n[key]
    found: Floats = low[key] + (high[key] - low[key]) * inside
    return found


def decimals_of(values: Floats, *, most: int = 6) -> int | None:
    """Say to how many decimals numbers are rounded.

    Parameters
    ----------
    values : array of float
        Numbers of one column.
    most : int
        Beyond so many they count as not rounded.

    Returns
    -------
    int or None
        None: not rounded, or there are none.

    Examples
    --------
    >>> decimals_of(np.array([1.0, 2.5])), decimals_of(np.array([1 / 3]))
    (1, None)
    """
    if not len(values):
        return None
    return next((d for d in range(most + 1) if np.array_equal(np.round(values, d), values)), None)


def _neighbours(n: Ints, places: npt.NDArray[np.intp]) -> Floats:
    """Give the second largest mean of the two counts at the same distance from each place."""
    padded = np.pad(n.astype(np.float64), _REACH, constant_values=np.nan)
    away = np.arange(1, _REACH + 1)
    middle = places[:, None] + _REACH
    below, above = padded[middle - away], padded[middle + away]
    # at an end there is one side only
    means = np.where(np.isnan(below), above, np.where(np.isnan(above), below, (below + above) / 2))
    found: Floats = np.sort(np.nan_to_num(means), axis=1)[:, -2]
    return found
