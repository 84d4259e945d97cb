"""A KS distance from counts, first as an interval and then exactly.

Answers "how far apart can the two distributions be, given their counts by cell, and which few cells
must be read again to know?". Neighbours: ``distances`` gives the interval alone; an engine reads the
rows. Source: for counts, with F, G the cumulative shares before (p) and after (q) each cell,
``max|F_q - G_q| <= D <= max(F_q - G_p, G_q - F_p)``. It refuses nulls: they are no place on the line.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline_core.stats.grids import CELLS

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Cells = npt.NDArray[np.uint16]

_AT_ONCE = 100_000
"""Rows that are ranked at once, so that millions take no more memory than thousands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What counts say about a KS distance: ``low <= D <= high``; only an open cell can hold more than ``low``.

    ``possible`` (cells,) is the most that each cell can hold.
    """

    low: float
    high: float
    possible: Floats
    open_cells: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reread:
    """Rows read again: cell and value of each row in some superset of the open cells, ordered by value."""

    cells: Cells
    values: Floats


def ks_bound(base: Ints, current: Ints) -> Bound:
    """Enclose the KS distance of two sets of rows that were counted by cell.

    Parameters
    ----------
    base, current : array of int, (cells,)
        Rows in each cell, cells in ascending order; neither side empty.

    Returns
    -------
    Bound

    Examples
    --------
    >>> found = ks_bound(np.array([2, 2]), np.array([0, 4]))
    >>> found.low, found.high, found.open_cells.tolist()
    (0.5, 1.0, [False, True])
    """
    f, g = _cumulative(base), _cumulative(current)
    low = float(np.abs(f[1:] - g[1:]).max())
    possible = np.maximum(f[1:] - g[:-1], g[1:] - f[:-1])
    # inside a cell with rows of one side only, the distance is largest at one of its edges
    possible[(base == 0) | (current == 0)] = 0.0
    return Bound(low=low, high=max(low, float(possible.max())), possible=possible, open_cells=possible > low)


def ks_refined(
    keys: Floats, counts: tuple[Ints, Ints], rows: tuple[Reread, Reread], *, found: Bound | None = None
) -> float | None:
    """Make the KS distance exact with the rows of the cells that decide.

    Parameters
    ----------
    keys : array of float, (cells,)
        The cells that were counted, ascending.
    counts : pair of array of int, (cells,)
        Rows of baseline and window in each cell.
    rows : pair of Reread
        Rows of baseline and window in at least the open cells.
    found : Bound, optional
        ``ks_bound`` of the counts, if it is known already.

    Returns
    -------
    float or None
        ``scipy.stats.ks_2samp(...).statistic``; none when the rows are not those that were counted.

    Examples
    --------
    >>> keys, counts = np.array([7.0]), (np.array([2]), np.array([2]))
    >>> base = Reread(cells=np.array([7, 7]), values=np.array([0.1, 0.2]))
    >>> current = Reread(cells=np.array([7, 7]), values=np.array([0.2, 0.3]))
    >>> ks_refined(keys, counts, (base, current))
    0.5
    """
    found = found or ks_bound(*counts)
    wanted = keys[found.open_cells].astype(np.uint16)
    if not len(wanted):
        return found.low
    sides = [_ranks(wanted, found.open_cells, side, again) for side, again in zip(counts, rows, strict=True)]
    known = [side for side in sides if side is not None]
    if len(known) < len(sides):
        return None
    parts = [(side.values[at : at + _AT_ONCE], side.places[at : at + _AT_ONCE]) for side in known for at in side.blocks]
    return max([found.low, *(float(np.abs(known[0].below(*part) - known[1].below(*part)).max()) for part in parts)])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ranks:
    """Rows in the wanted cells in the order of their values, the place of their cell, and what is not read below each cell."""

    values: Floats
    places: npt.NDArray[np.int32]
    skipped: Ints
    rows: int

    @property
    def blocks(self) -> range:
        return range(0, len(self.values), _AT_ONCE)

    def below(self, points: Floats, places: npt.NDArray[np.int32]) -> Floats:
        """Give the share of all rows up to each point."""
        found: Floats = (np.searchsorted(self.values, points, side="right") + self.skipped[places]) / self.rows
        return found


def _ranks(wanted: Cells, open_cells: npt.NDArray[np.bool_], counts: Ints, rows: Reread) -> _Ranks | None:
    """Keep the rows in the wanted cells; none where they are not those that were counted."""
    place = np.full(CELLS, -1, dtype=np.int32)
    place[wanted] = np.arange(len(wanted))
    values, places = rows.values, place[rows.cells]
    if len(places) and places.min() < 0:
        values, places = values[places >= 0], places[places >= 0]
    read = np.bincount(places, minlength=len(wanted))
    if not np.array_equal(read, counts[open_cells]):
        return None
    below = np.cumsum(counts)[open_cells] - counts[open_cells]
    return _Ranks(values=values, places=places, skipped=below - (np.cumsum(read) - read), rows=int(counts.sum()))


def _cumulative(counts: Ints) -> Floats:
    """Give the shares below each cell, from 0 to 1: one longer than the counts."""
    return np.concatenate([[0.0], np.cumsum(counts) / counts.sum()])
