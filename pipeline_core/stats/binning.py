"""From many cells to a few bins, points and levels that a person can read.

Answers "which 40 bars, 200 points or 20 levels show these two histograms?". Neighbours: ``profiling``
aligns the counts, the screens draw. It refuses to judge: no tests and no distances here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

BINS_MAX = 40
POINTS_MAX = 200
LEVELS_MAX = 20
CORE_SHARE = 0.01
"""Even bins cover both sides from this quantile to its mirror; what lies beyond is one bin on each side."""

_EVEN_BINS = BINS_MAX - 4  # two for aligning the edges with round numbers, two for the tails
_ROUND_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0, 20.0)


def bin_edges(low: Floats, high: Floats, counts: tuple[Ints, Ints]) -> Floats:
    """Choose edges at round numbers that show the bulk of both sides and reach their ends.

    Parameters
    ----------
    low, high : array of float, (cells,)
        Edges of each cell, ascending, in the column's unit; equal where a cell is one value.
    counts : pair of array of int, (cells,)
        Rows of baseline and window in each cell; at least one cell.

    Returns
    -------
    array of float, (at most 41,)
        Few single values get a bin each. The first and last bin may be wide: they hold the tails.

    Examples
    --------
    >>> values, n = np.array([1.0, 2.0, 3.0]), np.array([1, 1, 1])
    >>> bin_edges(values, values, (n, n)).tolist()
    [0.5, 1.5, 2.5, 3.5]
    """
    if len(low) <= BINS_MAX and np.array_equal(low, high):
        gaps = np.diff(low) / 2
        middle = low[:-1] + gaps
        first, last = (gaps[0], gaps[-1]) if len(gaps) else (0.5, 0.5)
        # of neighbouring floats half the gap is nothing
        ends = min(low[0] - first, np.nextafter(low[0], -np.inf)), max(low[-1] + last, np.nextafter(low[-1], np.inf))
        return np.unique(np.concatenate([ends[:1], middle, ends[1:]]))
    start, stop = _core(low, high, counts)
    step = _round_step((stop - start) / _EVEN_BINS, whole=bool(np.array_equal(low, high) and _whole(low)))
    first_step, last_step = np.floor(start / step), np.ceil(stop / step)
    edges = np.arange(first_step, last_step + 1) * step
    edges = np.round(edges, max(0, 12 - int(np.floor(np.log10(max(step, np.abs(edges).max()))))))
    before = [low[0]] if low[0] < edges[0] else []
    after = [high[-1]] if high[-1] > edges[-1] else []
    return np.concatenate([before, edges, after])


def rebin(middle: Floats, counts: Ints, edges: Floats) -> Ints:
    """Count rows by bin, from counts by cell.

    Parameters
    ----------
    middle : array of float, (cells,)
        Where each cell lies; the whole cell goes into the bin that holds its middle.
    counts : array of int, (cells,)
        Rows in each cell.
    edges : array of float, (bins + 1,)
        A bin holds its lower edge; the last one its upper edge too.

    Returns
    -------
    array of int, (bins,)

    Examples
    --------
    >>> rebin(np.array([0.0, 1.0, 2.0]), np.array([3, 4, 5]), np.array([0.0, 1.0, 2.0])).tolist()
    [3, 9]
    """
    place = np.clip(np.searchsorted(edges, middle, side="right") - 1, 0, len(edges) - 2)
    return np.bincount(place, weights=counts, minlength=len(edges) - 1).astype(np.int64)


def cdf_points(at: Floats, base: Ints, current: Ints) -> tuple[tuple[tuple[float, float, float], ...], float]:
    """Choose points that show two cumulative shares, and where they are furthest apart.

    Parameters
    ----------
    at : array of float, (cells,)
        The upper edge of each cell, ascending.
    base, current : array of int, (cells,)
        Rows in each cell; neither side empty.

    Returns
    -------
    points : tuple of (value, baseline share at or below, current share at or below), at most 200
        Shares are of the rows that are not null.
    gap_at : float
        The value where the gap is largest.

    Examples
    --------
    >>> cdf_points(np.array([1.0, 2.0]), np.array([1, 1]), np.array([0, 2]))
    (((1.0, 0.5, 0.0), (2.0, 1.0, 1.0)), 1.0)
    """
    f, g = np.cumsum(base) / base.sum(), np.cumsum(current) / current.sum()
    widest = int(np.abs(f - g).argmax())
    chosen = np.arange(len(at))
    if len(at) > POINTS_MAX:
        wanted = np.linspace(0, 1, POINTS_MAX - 2)
        chosen = np.unique(np.append(np.searchsorted((f + g) / 2, wanted), [0, widest]))
        chosen = np.unique(np.minimum(chosen, len(at) - 1))
    points = tuple((float(at[i]), float(f[i]), float(g[i])) for i in chosen)
    return points, float(at[widest])


def top_levels(levels: Sequence[str], base: Ints, current: Ints) -> tuple[tuple[str, ...], Ints, Ints]:
    """Keep the levels that are common on either side, and put the others together.

    Parameters
    ----------
    levels : sequence of str
        All levels.
    base, current : array of int, (levels,)
        Rows per level.

    Returns
    -------
    levels : tuple of str
        The 20 commonest, commonest in the baseline first; then ``"other"`` if there are more.
    base, current : array of int
        Rows per returned level.

    Examples
    --------
    >>> top_levels(["a", "b"], np.array([1, 5]), np.array([1, 1]))[0]
    ('b', 'a')
    """
    shares = np.maximum(base / max(1, base.sum()), current / max(1, current.sum()))
    order = np.argsort(-shares, kind="stable")[:LEVELS_MAX]
    order = order[np.lexsort((-current[order], -base[order]))]
    names = tuple(levels[i] for i in order)
    if len(levels) <= LEVELS_MAX:
        return names, base[order], current[order]
    rest = tuple(side.sum() - side[order].sum() for side in (base, current))
    other = "other" if "other" not in names else "other levels"
    return (*names, other), np.append(base[order], rest[0]), np.append(current[order], rest[1])


def _core(low: Floats, high: Floats, counts: tuple[Ints, Ints]) -> tuple[float, float]:
    first, last = [], []
    for side in counts:
        if side.sum():
            share = np.cumsum(side) / side.sum()
            first.append(low[np.searchsorted(share, CORE_SHARE)])
            last.append(high[np.searchsorted(share, 1 - CORE_SHARE)])
    start, stop = float(min(first)), float(max(last))
    if stop > start:
        return start, stop
    start, stop = float(low[0]), float(high[-1])
    return (start, stop) if stop > start else (start - 0.5, start + 0.5)


def _round_step(smallest: float, *, whole: bool) -> float:
    if whole and smallest <= 1:
        return 1.0
    power = 10.0 ** np.floor(np.log10(smallest))
    steps = np.array(_ROUND_STEPS) * power
    steps = steps[np.floor(steps) == steps] if whole else steps
    return float(steps[np.searchsorted(steps, smallest)])


def _whole(values: Floats) -> bool:
    return bool(np.array_equal(values, np.floor(values)))
