"""The map from numbers to countable cells, from cells to bins, and back.

Answers "which of 65,536 cells does a value fall into?" with arithmetic that is monotone in IEEE
numbers: every single step keeps or reverses order, so the order of cells is the order of values and
bounds on the distance between distributions hold whatever the data. Heavy tails land in the end
cells; no value is lost. Runs of cells make bins of about one 2,000th of the rows, each named by its
first cell, so that what is stored for a day is small; that keeps the order too. ``engines`` write the
same arithmetic in SQL; ``places_of`` is what they are tested against. It refuses to choose ``centre`` and
``spread``: that is for the schema stage.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline_core.records import Grid

CELLS = 65_536
HALF = CELLS / 2 * (1 - 1e-9)
"""Scale of each side; the factor keeps the largest value inside the last cell."""

BINS = 2_100
"""About so many bins a column has; a cell that is heavier than a bin is one of its own."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_ALONE_ROWS_MIN = 5
_BLOCK = 16_384
_EVEN = 0.05
"""The part of the bins that is laid evenly over all cells, so that rows are told apart where the first file had none."""


def spread_of(grid: Grid) -> float:
    """Give the scale of a grid, and 1 where a constant column has none.

    Parameters
    ----------
    grid : Grid
        Of kind ``cells``.

    Returns
    -------
    float
    """
    return grid.spread if grid.spread > 0 and np.isfinite(grid.spread) else 1.0


def cells_of(values: Floats, grid: Grid) -> Floats:
    """Say which cell each value falls into, or which bin where cells are put together.

    ``below: HALF * s / (s + (m - v))``, ``above: 2 HALF - HALF * s / (s + (v - m))``, rounded down, with
    ``m`` the centre and ``s`` the spread. (``x / (s + |x|)`` is the same map but neither monotone in its
    last digit nor finite for the largest numbers.)

    Parameters
    ----------
    values : array of float
        In the column's unit.
    grid : Grid
        Of kind ``cells`` or ``value``.

    Returns
    -------
    array of float
        0 to 65,535, a bin by its first cell; NaN for NaN. Kind ``value``: the values, -0.0 as 0.0.

    Examples
    --------
    >>> cells_of(np.array([-1e300, 0.0, 1.0, 1e300]), Grid(column_id="c001", kind="cells")).tolist()
    [0.0, 32767.0, 49151.0, 65535.0]
    """
    values = np.asarray(values, dtype=np.float64)
    if grid.kind == "value":
        return values + 0.0
    places = places_of(values, grid)
    firsts = np.append(firsts_of(grid), np.nan)
    return np.asarray(firsts[places], dtype=np.float64)


def places_of(values: Floats, grid: Grid) -> Ints:
    """Say which cell each value falls into, whether or not cells are put together, as whole numbers to count by.

    A few thousand values at a time, in place: they stay in the processor's cache, at a third of the time.

    Parameters
    ----------
    values : array of float
        NaN is not measured.
    grid : Grid
        Of kind ``cells``.

    Returns
    -------
    array of int
        0 to 65,535; 65,536 for NaN.

    Examples
    --------
    >>> places_of(np.array([0.0, np.nan]), Grid(column_id="c001", kind="cells")).tolist()
    [32767, 65536]
    """
    values = np.asarray(values, dtype=np.float64).ravel()
    places = np.empty(len(values), dtype=np.int64)
    s, room = spread_of(grid), np.empty(min(len(values), _BLOCK))
    with np.errstate(over="ignore"):
        for at in range(0, len(values), _BLOCK):
            block = values[at : at + _BLOCK]
            part = room[: len(block)]
            np.subtract(block, grid.centre, out=part)
            np.abs(part, out=part)
            part += s
            np.divide(s, part, out=part)
            part *= HALF
            part = np.where(block >= grid.centre, 2 * HALF - part, part)
            np.fmin(part, CELLS, out=part)  # of NaN and a number, the number
            places[at : at + _BLOCK] = part  # no number is below 0: cutting off is rounding down
    return places


def bin_starts(n: Ints) -> tuple[int, ...]:
    """Put neighbouring cells together until a bin holds about one 2,000th of the rows.

    Parameters
    ----------
    n : array of int, (65536,)
        Rows in each cell of the first file.

    Returns
    -------
    tuple of int
        ``Grid.starts``: the first cell of each bin, ascending, from 0.
    """
    total = int(n.sum())
    # a small file says little about where rows will be: more of the bins are laid evenly
    even = max(_EVEN, 1 / (1 + 2 * total / BINS))
    share = even / CELLS + (1 - even) * n / max(1, total)
    place = np.floor((np.cumsum(share) - share) * BINS)
    alone = np.asarray((share > 1 / BINS) & (n >= _ALONE_ROWS_MIN))
    begins = (np.diff(place, prepend=-1) > 0) | alone
    begins[1:] |= alone[:-1]
    return tuple(np.flatnonzero(begins).tolist())


def firsts_of(grid: Grid) -> Ints:
    """Give the bin of each cell.

    Parameters
    ----------
    grid : Grid
        Of kind ``cells``.

    Returns
    -------
    array of int, (65536,)
        The first cell of the bin that the cell is in; the cell itself where cells are not put together.
    """
    if not grid.starts:
        return np.arange(CELLS)
    starts = np.array(grid.starts, dtype=np.int64)
    return np.repeat(starts, np.diff(starts, append=CELLS))


def lasts_of(bins: Floats, grid: Grid) -> Floats:
    """Give the last cell of each bin.

    Parameters
    ----------
    bins : array of float
        First cells of bins.
    grid : Grid
        Of kind ``cells``.

    Returns
    -------
    array of float
    """
    if not grid.starts:
        return bins
    ends = np.array([*grid.starts[1:], CELLS], dtype=np.float64) - 1
    found: Floats = ends[np.searchsorted(np.array(grid.starts), bins, side="right") - 1]
    return found


def edges_of(cells: Floats, grid: Grid) -> tuple[Floats, Floats]:
    """Say which values a cell, or a bin of cells, holds.

    Parameters
    ----------
    cells : array of float
        Cells of a grid of kind ``cells`` or ``value``, as they are counted: bins by their first cell.
    grid : Grid
        The map.

    Returns
    -------
    tuple of array of float
        Lower and upper edge of each in the column's unit; the two outermost cells are open and are given by
        their inner edge. For kind ``value`` both are the value.

    Examples
    --------
    >>> low, high = edges_of(np.array([32768.0]), Grid(column_id="c001", kind="cells", centre=5.0, spread=2.0))
    >>> bool(abs(low[0] - 5.0) < 1e-6), bool(high[0] > low[0])
    (True, True)
    """
    cells = np.asarray(cells, dtype=np.float64)
    if grid.kind == "value":
        return cells, cells
    above = lasts_of(cells, grid) + 1.0
    # the first cell has no lower edge and the last no upper one: a bin of that cell alone is a point
    return _value_at(np.clip(cells, 1.0, CELLS - 1.0), grid), _value_at(np.clip(above, 1.0, CELLS - 1.0), grid)


def _value_at(edge: Floats, grid: Grid) -> Floats:
    place = edge / HALF
    distance = spread_of(grid) / np.minimum(place, 2.0 - place) - spread_of(grid)
    return np.where(place >= 1.0, grid.centre + distance, grid.centre - distance)
