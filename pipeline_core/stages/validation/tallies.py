"""The counts of one column of a batch, in the order of its values, beside the quantiles of its baseline.

Answers "how many rows are at, below or beyond a value, and how far is the batch from its baseline?" in the space of
cells, where both sides fall into the same places whatever rounding does. Neighbours: an engine counted by ``Grid``,
``outcomes`` hands the tallies to the checks. It refuses to read rows, and to split a bin.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline_core.records import Grid
from pipeline_core.stats.grids import cells_of, lasts_of

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tally:
    """Rows by bin of a number (``first`` to ``last`` cell, ascending) or by level of a category; nulls apart."""

    grid: Grid
    first: Floats = field(default_factory=lambda: np.empty(0))
    last: Floats = field(default_factory=lambda: np.empty(0))
    n: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    levels: Mapping[str, int] = field(default_factory=dict)

    @property
    def known(self) -> int:
        """Rows with a value."""
        return sum(self.levels.values()) if self.grid.kind == "level" else int(self.n.sum())

    def outside(self, low: float, high: float) -> tuple[int, int]:
        """Count the rows surely below and surely above a range: bins that reach into it are not counted."""
        ends = cells_of(np.array([low, high]), self.grid)
        return int(self.n[self.last < ends[0]].sum()), int(self.n[self.first > ends[1]].sum())

    def ks_distance(self, quantiles: Iterable[float]) -> float:
        """Give the KS distance from evenly spaced quantiles, looked at on the edges of the bins.

        Parameters
        ----------
        quantiles : iterable of float
            Ascending, at least one.

        Returns
        -------
        float, 0-1
        """
        base = cells_of(np.asarray(tuple(quantiles), dtype=np.float64), self.grid)
        after = np.cumsum(self.n) / self.n.sum()
        before = np.append(0.0, after[:-1])
        base_before = np.searchsorted(base, self.first, side="left") / len(base)
        base_after = np.searchsorted(base, self.last, side="right") / len(base)
        return float(max(np.abs(before - base_before).max(), np.abs(after - base_after).max()))


def tallies(counts: pa.Table, grids: Iterable[Grid]) -> dict[str, Tally]:
    """Put counts together over all buckets of time, column by column.

    Parameters
    ----------
    counts : pa.Table
        ``records.COUNTS``.
    grids : iterable of Grid
        How the columns were counted.

    Returns
    -------
    dict of column_id to Tally
    """
    # sorted by column once: a filter per column would read everything as often as there are columns
    added = counts.group_by(["column_id", "cell", "level"]).aggregate([("n", "sum")])
    added = added.filter(pc.or_(added["cell"].is_valid(), added["level"].is_valid())).sort_by("column_id")
    names = added.column("column_id").combine_chunks().dictionary_encode()
    ends = np.cumsum(np.bincount(names.indices.to_numpy(zero_copy_only=False), minlength=len(names.dictionary)))
    starts = dict(zip(names.dictionary.to_pylist(), zip([0, *ends][: len(ends)], ends, strict=True), strict=True))
    found = {}
    for grid in grids:
        low, high = starts.get(grid.column_id, (0, 0))
        found[grid.column_id] = _tally(added.slice(int(low), int(high - low)), grid)
    return found


def _tally(part: pa.Table, grid: Grid) -> Tally:
    if grid.kind == "level":
        return Tally(grid=grid, levels=dict(zip(part["level"].to_pylist(), part["n_sum"].to_pylist(), strict=True)))
    cells, n = part["cell"].to_numpy(), part["n_sum"].to_numpy()
    order = np.argsort(cells, kind="stable")
    first = cells[order]
    return Tally(grid=grid, first=first, last=first if grid.kind == "value" else lasts_of(first, grid), n=n[order])
