"""The map from numbers to countable cells, and back.

Answers "which of 65,536 cells does a value fall into?" with arithmetic that is monotone in IEEE
numbers: every single step keeps or reverses order, so the order of cells is the order of values and
bounds on the distance between distributions hold whatever the data. Heavy tails land in the end
cells; no value is lost. ``engines`` write the same arithmetic in SQL; ``cells_of`` is what they are
tested against. Learning ``centre`` and ``spread`` is for the schema stage.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline_core.records import Grid

CELLS = 65_536
HALF = CELLS / 2 * (1 - 1e-9)
"""Scale of each side; the factor keeps the largest value inside the last cell."""

Floats = npt.NDArray[np.float64]


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
    """Say which cell each value falls into.

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
        0 to 65,535; NaN for NaN. Kind ``value``: the values, -0.0 as 0.0.

    Examples
    --------
    >>> cells_of(np.array([-1e300, 0.0, 1.0, 1e300]), Grid(column_id="c001", kind="cells")).tolist()
    [0.0, 32767.0, 49151.0, 65535.0]
    """
    if grid.kind == "value":
        return np.asarray(values, dtype=np.float64) + 0.0
    s = spread_of(grid)
    with np.errstate(over="ignore"):
        away = s + np.abs(values - grid.centre)
    part = HALF * (s / away)
    return np.floor(np.where(values >= grid.centre, 2 * HALF - part, part))


def edges_of(cells: Floats, grid: Grid) -> tuple[Floats, Floats]:
    """Say which values a cell holds.

    Parameters
    ----------
    cells : array of float
        Cells of a grid of kind ``cells`` or ``value``.
    grid : Grid
        The map.

    Returns
    -------
    tuple of array of float
        Lower and upper edge of each cell in the column's unit; the two outermost cells are open and are given by
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
    return _value_at(np.maximum(cells, 1.0), grid), _value_at(np.minimum(cells + 1.0, CELLS - 1.0), grid)


def _value_at(edge: Floats, grid: Grid) -> Floats:
    place = edge / HALF
    distance = spread_of(grid) / np.minimum(place, 2.0 - place) - spread_of(grid)
    return np.where(place >= 1.0, grid.centre + distance, grid.centre - distance)
