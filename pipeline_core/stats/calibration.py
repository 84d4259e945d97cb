"""How much a window stands out from windows that are known to be healthy, all columns together.

Answers "would one of the healthy windows have looked like this?" by the largest of many standardised effects (Westfall
and Young 1993; the rank of the window among the healthy ones makes it exact where windows are exchangeable, however
strongly columns depend on each other and however much more healthy windows vary than chance alone says). Neighbours:
``moves`` measures the effects, ``stages/drift`` adds floors. Refused: what a column means, and choosing the healthy
windows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline_core.stats.intervals import Floats

SPREAD_MIN = 0.002
"""A tenth of the smallest floor (2 points of nulls): a column that hardly ever moves must not shout over a single null."""

_AT_ONCE = 2_000_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calibrated:
    """What the healthy windows say about each window.

    ``p_window`` (windows,) is the share of windows, this one included, whose largest ``z`` is at least this one's; ``p_each``
    (windows, columns) the same of each column's ``z`` (the single-step adjusted p-value); ``limits`` (columns,) what 95 %
    of the healthy values are at most. NaN where not measured. ``healthy`` counts the windows.
    """

    p_window: Floats
    p_each: Floats
    z: Floats
    limits: Floats
    healthy: int


def calibrated(
    healthy: ArrayLike, now: ArrayLike, *, share: float = 0.95, spread_min: ArrayLike = SPREAD_MIN
) -> Calibrated:
    """Rank each window alone among the healthy ones by its largest standardised effect (maxT).

    Each window is appended to the K healthy ones; every one of these K + 1 is standardised, column by column, by mean and
    standard deviation of the *others*, ``z = (T - mean) / max(sd, spread_min)``, and ``M`` is its largest z. Then
    ``p_window = #{M >= M of the window} / (K + 1)`` and ``p_each = #{M >= z of the column} / (K + 1)``, itself counted. All
    K + 1 are treated alike, so a healthy window has ``p <= a`` with a chance of at most ``a``; K must be at least
    ``1 / a - 1`` for that p to be reached.

    A column that never moved among the others (sd 0) is measured by ``spread_min``: no move is z = 0, and a move has to be
    many times that small before it stands out.

    Parameters
    ----------
    healthy : array, shape (K, columns)
        Effects of the healthy windows, each against a baseline without itself; NaN: not measured.
    now : array, shape (windows, columns)
        The same of the windows to judge, none of which is among the healthy ones.
    share : float, 0-1
        Of the healthy values that ``limits`` covers.
    spread_min : float or array, shape (columns,)
        The smallest spread that is believed, in the unit of the effect.

    Returns
    -------
    Calibrated
        ``p_window`` is 1 where nothing was measured. Fewer than 3 healthy values in a column say nothing about it; a
        column that a window has not measured is left out for the healthy ones too.

    Examples
    --------
    >>> found = calibrated([[0.01], [0.02], [0.03], [0.04]], [[0.50], [0.02]])
    >>> found.p_window.tolist(), found.limits.tolist()
    ([0.2, 0.8], [0.04])
    """
    past, live = np.asarray(healthy, dtype=np.float64), np.asarray(now, dtype=np.float64)
    past = past[~np.isnan(past).all(axis=1)]
    past = np.where((~np.isnan(past)).sum(axis=0) < 3, np.nan, past)
    least = np.broadcast_to(np.asarray(spread_min, dtype=np.float64), (live.shape[1],))
    count, size = len(past), max(1, _AT_ONCE // max(1, past.size))
    p_window, p_each, z = np.ones(len(live)), np.full(live.shape, np.nan), np.full(live.shape, np.nan)
    for first in range(0, len(live) if past.size else 0, size):
        at = slice(first, first + size)
        z[at], largest = _standardised(past, live[at], least)
        own = np.where(np.isnan(z[at]), -np.inf, z[at])
        beyond = (largest[:, :, None] >= own[:, None, :]).sum(axis=1)
        p_each[at] = np.where(np.isnan(z[at]), np.nan, (1 + beyond) / (count + 1))
        p_window[at] = np.nanmin(np.column_stack([p_each[at], np.ones(len(own))]), axis=1)
    return Calibrated(p_window=p_window, p_each=p_each, z=z, limits=_limits(past, share), healthy=count)


def _standardised(past: Floats, live: Floats, least: Floats) -> tuple[Floats, Floats]:
    """Give z of the live windows (windows, columns) and the largest z of each healthy one beside it (windows, K)."""
    known = ~np.isnan(past)
    given = ~np.isnan(live)
    rows = known.sum(axis=0) + 1.0
    centre = np.where(known, past, 0.0).sum(axis=0) / np.maximum(rows - 1, 1)
    around, here = np.where(known, past - centre, 0.0), np.where(given, live - centre, 0.0)
    mean = (around.sum(axis=0) + here) / rows
    squares = np.square(around).sum(axis=0) + np.square(here) - rows * np.square(mean)
    own = np.where(given & (rows > 3), _z(here - mean, squares, rows, least), np.nan)
    theirs = _z(around[None] - mean[:, None], squares[:, None], rows, least)
    theirs = np.where(known[None] & given[:, None] & (rows > 3), theirs, -np.inf)
    largest: Floats = theirs.max(axis=2, initial=-np.inf)
    return own, largest


def _z(away: Floats, squares: Floats, rows: Floats, least: Floats) -> Floats:
    """Standardise by the other rows, given the distance from the mean of all and the squares around it."""
    with np.errstate(divide="ignore", invalid="ignore"):
        others = np.maximum(squares - np.square(away) * rows / (rows - 1), 0.0)
        z: Floats = away * rows / (rows - 1) / np.maximum(np.sqrt(others / (rows - 2)), least)
    return z


def _limits(past: Floats, share: float) -> NDArray[np.float64]:
    limits = np.full(past.shape[1], np.nan)
    measured = ~np.isnan(past).all(axis=0) if len(past) else np.zeros(past.shape[1], dtype=np.bool_)
    limits[measured] = np.nanquantile(past[:, measured], share, axis=0, method="higher")
    return limits
