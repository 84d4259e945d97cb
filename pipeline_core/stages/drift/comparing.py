"""How one column is compared, and its figures in every window.

Neighbours: ``judging`` holds them against each other and the policy. Refused: floors, alphas and other columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline_core.records import Column, ColumnType, Grid
from pipeline_core.stats.columns import ColumnCounts
from pipeline_core.stats.cubes import Cube
from pipeline_core.stats.moves import Moves, moves

KS, CHI2 = "ks", "chi2"
SYMBOLS: Mapping[str, str] = {KS: "D", CHI2: "JS"}
DISTINCT_MAX = 20
"""A number with at most this many baseline values is compared by level: ties make KS blind (statistics notes 1.1)."""

Counted = Mapping[str, ColumnCounts]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Compared:
    """One feature in all windows; ``found`` is None where it was never counted."""

    column: Column
    test: str
    found: Moves | None

    @property
    def effects(self) -> Floats | None:
        """The larger of effect and null-share change by window (0 where neither is measured)."""
        if self.found is None:
            return None
        both = np.stack([self.found.effect, np.abs(self.found.null_now - self.found.null_before)])
        return np.asarray(np.nan_to_num(both).max(axis=0))

    def why_not(self, window: int) -> str:
        """Say in a clause why there is no effect in a window; empty where there is one."""
        if self.found is None or np.isnan(self.found.null_before[window]):
            return "it was not counted in the baseline, so drift cannot be judged"
        if self.lost(window):
            return "it was not counted in this window, so drift cannot be judged; check that the column still arrives"
        if np.isnan(self.found.effect[window]):
            where = "the baseline" if self.found.null_before[window] == 1 else "this window"
            return f"all values in {where} are null, so only the null share is compared"
        return ""

    def lost(self, window: int) -> bool:
        """Say whether the baseline has the column and the window has not."""
        return (
            self.found is not None
            and not np.isnan(self.found.null_before[window])
            and bool(np.isnan(self.found.null_now[window]))
        )


def compared(
    column: Column, grid: Grid | None, *, base: Cube | None, now: Cube | None, exact: Floats | None = None
) -> Compared:
    """Compare one feature in every window with what the window is held against.

    Numbers with more than 20 baseline values: Kolmogorov-Smirnov over the rows that are not null, an exact D where cells
    are values and its lower bound where they are not. Categories and other numbers: chi-squared with null as a level,
    rare levels merged. Every column: a test of its null share.

    Parameters
    ----------
    column : Column
        The feature.
    grid : Grid or None
        How it is counted; None: it is not.
    base : Cube or None
        One window that all are compared with, or one for each.
    now : Cube or None
        The windows.
    exact : array of float, (windows,), optional
        D where the flow has read the rows again, else NaN.

    Returns
    -------
    Compared
    """
    kind = grid.kind if grid is not None else "level" if column.type is ColumnType.CATEGORY else "value"
    few_values = kind == "value" and base is not None and base.keys[base.n.any(axis=0)].size <= DISTINCT_MAX
    by_level = kind == "level" or few_values
    test = CHI2 if by_level else KS
    if base is None or now is None:
        return Compared(column=column, test=test, found=None)
    return Compared(
        column=column, test=test, found=moves(base, now, by_level=by_level, celled=kind == "cells", exact=exact)
    )
