"""Which rows belong together: the levels of a column, bands of a number, or two of them crossed.

Neighbours: ``fairness`` measures the groups. Refused: judging them, and hiding rows: whoever is in no group is counted
and told.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline_core.stats.intervals import Floats

LEVELS_MAX = 12
"""More groups than this are pooled: nobody reads them, and each one takes power from the others."""

NOT_STATED = "not stated"
_FEW_VALUES = 6
_QUARTERS = (0.25, 0.5, 0.75)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Groups:
    """A place in ``names`` per row, -1 where the row is in no group; ``left_out`` says which those are, and why."""

    names: tuple[str, ...]
    codes: npt.NDArray[np.intp]
    left_out: str = ""


def levels(values: Sequence[str | None], *, rows_min: int, order: Sequence[str] = ()) -> Groups:
    """Group rows by level, the commonest first; rare levels are pooled, or left out if they are rare together.

    Parameters
    ----------
    values : sequence of str or None, shape (rows,)
        The column; None is a group of its own.
    rows_min : int, rows
        Fewer make no group.
    order : sequence of str
        The levels that come first, in this order.

    Returns
    -------
    Groups

    Examples
    --------
    >>> found = levels(["a", "b", "a", "c", "b"], rows_min=2)
    >>> found.names, found.codes.tolist(), found.left_out
    (('a', 'b'), [0, 1, 0, -1, 1], "'c' (1 row): fewer than 2 rows")
    """
    named = [NOT_STATED if value is None else value for value in values]
    counted = Counter(named)
    first = {level: at for at, level in enumerate(order)}
    ranked = sorted(counted, key=lambda level: (first.get(level, len(first)), -counted[level], level))
    kept = [level for level in ranked[:LEVELS_MAX] if counted[level] >= rows_min]
    rest = ranked[len(kept) :]
    place = {level: code for code, level in enumerate(kept)}
    names, told = tuple(kept), ""
    if len(rest) > 1 and sum(counted[level] for level in rest) >= rows_min:
        place |= dict.fromkeys(rest, len(kept))
        names = (*names, f"{len(rest)} rarer levels together")
    elif rest:
        told = _told([(level, counted[level]) for level in rest], rows_min)
    return Groups(names=names, codes=np.array([place.get(v, -1) for v in named], dtype=np.intp), left_out=told)


def bands(values: Floats, *, quantiles: Sequence[float], rows_min: int) -> Groups:
    """Group rows by a number: by its value where there are few, else in up to four bands with round bounds.

    Parameters
    ----------
    values : ndarray, shape (rows,)
        The column; NaN is a group of its own.
    quantiles : sequence of float
        Evenly spaced quantiles of the column, of rows that stay the same, so that the bands do; empty: of these rows.
    rows_min : int, rows
        Fewer make no group.

    Returns
    -------
    Groups

    Examples
    --------
    >>> ages = np.array([19.0, 34.0, 47.0, 48.0, 90.0, 35.0, 26.0, np.nan])
    >>> bands(ages, quantiles=[17, 28, 37, 48, 90], rows_min=1).names
    ('under 30', '30 to 39', '40 to 49', '50 and over', 'not stated')
    """
    known = values[np.isfinite(values)]
    few = np.unique(known)
    if few.size <= _FEW_VALUES:
        shown = [f"{v:.10g}" if math.isfinite(v) else None for v in values.tolist()]
        return levels(shown, rows_min=rows_min, order=[f"{v:.10g}" for v in few.tolist()])
    learned = np.asarray(quantiles if len(quantiles) else known, dtype=np.float64)
    cuts = _round_cuts(np.quantile(learned, _QUARTERS))
    names = _band_names(cuts, whole=bool((known == np.round(known)).all()))
    place = np.searchsorted(cuts, values, side="right")
    return levels(
        [names[at] if math.isfinite(v) else None for at, v in zip(place.tolist(), values.tolist(), strict=True)],
        rows_min=rows_min,
        order=names,
    )


def _round_cuts(quarters: Floats) -> Floats:
    """Move the quartiles to round numbers that are no further away than half of what lies between them."""
    width = float(quarters[2] - quarters[0]) / 2
    if width <= 0:
        return np.unique(quarters)
    power = 10.0 ** math.floor(math.log10(width))
    step = max(unit * power for unit in (1, 2, 5) if unit * power <= width)
    return np.unique(np.round(np.round(quarters / step) * step, 12))


def _band_names(cuts: Floats, *, whole: bool) -> list[str]:
    whole = whole and bool((cuts == np.round(cuts)).all())
    shown = [f"{cut:,.10g}" for cut in cuts.tolist()]
    ends = [f"{cut - 1:,.10g}" if whole else f"under {cut:,.10g}" for cut in cuts.tolist()]
    between = [
        first if whole and first == end else f"{first} to {end}"
        for first, end in zip(shown[:-1], ends[1:], strict=True)
    ]
    return [f"under {shown[0]}", *between, f"{shown[-1]} and over"]


def crossed(first: Groups, second: Groups, *, rows_min: int) -> Groups:
    """Group rows by two columns at once; cells with too few rows are left out and told, not pooled.

    Parameters
    ----------
    first, second : Groups
        Of the same rows.
    rows_min : int, rows
        Fewer make no group.

    Returns
    -------
    Groups

    Examples
    --------
    >>> one, two = levels(["a", "a", "b"], rows_min=1), levels(["x", "y", "x"], rows_min=1)
    >>> crossed(one, two, rows_min=1).names
    ('a, x', 'a, y', 'b, x')
    """
    inside = (first.codes >= 0) & (second.codes >= 0)
    cells = np.where(inside, first.codes * len(second.names) + second.codes, -1)
    counts = np.bincount(cells[inside], minlength=len(first.names) * len(second.names))
    names = [f"{a}, {b}" for a in first.names for b in second.names]
    kept = [cell for cell, rows in enumerate(counts.tolist()) if rows >= max(rows_min, 1)]
    few = [(names[cell], rows) for cell, rows in enumerate(counts.tolist()) if 0 < rows < rows_min]
    place = np.full(counts.size + 1, -1, dtype=np.intp)  # the last one is for -1
    place[kept] = np.arange(len(kept))
    return Groups(names=tuple(names[cell] for cell in kept), codes=place[cells], left_out=_told(few, rows_min))


def _told(few: Sequence[tuple[str, int]], rows_min: int) -> str:
    if not few:
        return ""
    shown = ", ".join(f"{name!r} ({rows:,} row{'' if rows == 1 else 's'})" for name, rows in few[:6])
    return f"{shown}{f' and {len(few) - 6} more' if len(few) > 6 else ''}: fewer than {rows_min:,} rows"
