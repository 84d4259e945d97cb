"""The exact KS distance of a column: only the rows in cells that decide are read again.

Answers "how far apart are these two sets of rows?" after they were counted. Where the counts leave so much open that many rows
would be read, finer cells are counted first, laid where it matters: they leave little. Neighbours: ``stats.refinement`` bounds and refines,
``duck`` lends its statements. It refuses to sort what does not decide.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline_core.engines import expressions as sql
from pipeline_core.records import Grid
from pipeline_core.sql import identifier
from pipeline_core.stats.columns import ColumnCounts, aligned
from pipeline_core.stats.counted import by_column
from pipeline_core.stats.grids import CELLS, cells_of, edges_of, lasts_of
from pipeline_core.stats.refinement import Bound, Cells, Reread, ks_bound, ks_refined

ROWS_MAX = 600_000
"""So many rows are read again at a time, about 40 MB; where more are undecided, finer cells are counted first."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Pair = tuple[Floats, Ints, Ints]
"""Keys in ascending order, and the rows of baseline and window at each."""
_Asked = tuple[Pair, Bound]
Distances = dict[datetime | None, float]

_NOTHING = Reread(cells=np.empty(0, np.uint16), values=np.empty(0))
_NO_ROWS = ColumnCounts(keys=np.empty(0), n=np.empty(0, np.int64))
_AT_ONCE = 100_000
_FINER_MAX = 4
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """What an engine lends: ``look`` makes rows of a column known (none: there are no files), ``count`` counts it, ``stream`` reads."""

    look: Callable[[Any, Grid, Any], str | None]
    count: Callable[[Any, Grid], pa.Table]
    stream: Callable[[str], Iterator[pa.RecordBatch]]


def exact_ks(
    again: Again, sides: tuple[Any, Any], grid: Grid, *, pairs: Mapping[datetime | None, Pair], buckets: Any
) -> Distances:
    """Give the exact distance in each window; see ``DuckEngine.exact_ks``.

    Parameters
    ----------
    again : Again
        The engine.
    sides : pair of Rows
        Baseline and window.
    grid : Grid
        How the column was counted.
    pairs : mapping of datetime or None to Pair
        Bucket to counts.
    buckets : Buckets
        Of the window's rows.

    Returns
    -------
    dict of datetime or None to float
        Without windows whose rows are not those that were counted.
    """
    bounds = {bucket: ks_bound(before, now) for bucket, (_, before, now) in pairs.items()}
    if grid.kind != "cells":
        return {bucket: bound.low for bucket, bound in bounds.items()}
    if set(pairs) == {None}:
        distance = _of_one(again, sides, grid, pair=pairs[None], buckets=buckets)
        return {} if distance is None else {None: distance}
    reread = _reread(again, sides, grid, pairs={b: (pairs[b], bound) for b, bound in bounds.items()}, buckets=buckets)
    return {bucket: distance for bucket, distance in reread.items() if distance is not None}


def _of_one(again: Again, sides: tuple[Any, Any], grid: Grid, *, pair: Pair, buckets: Any) -> float | None:
    """Read again what decides on one window, most promising cells first, so many rows at a time; none: other rows."""
    bound, finer = ks_bound(*pair[1:]), grid
    for _ in range(_FINER_MAX):
        if (pair[1] + pair[2])[bound.open_cells].sum() <= ROWS_MAX:
            break
        former = finer
        finer = replace(grid, starts=()) if former.starts else _zoomed(former, pair, bound)
        counted = _counted_by(again, sides, finer, pair)
        if counted is None:
            return None
        spans = _spans(pair[0][bound.open_cells], former)
        pair, bound = counted, _narrowed(ks_bound(*counted[1:]), counted[0], finer, spans=spans, low=bound.low)
    left, rows = bound.open_cells, pair[1] + pair[2]
    while left.any():
        order = np.flatnonzero(left)[np.argsort(-bound.possible[left], kind="stable")]
        enough = np.cumsum(rows[order]) <= ROWS_MAX
        part = np.zeros_like(left)
        part[order[: max(1, int(enough.sum()))]] = True
        asked: dict[datetime | None, _Asked] = {None: (pair, replace(bound, open_cells=part))}
        distance = _reread(again, sides, finer, pairs=asked, buckets=buckets)[None]
        if distance is None:
            return None
        bound = replace(bound, low=distance)
        left = left & ~part & (bound.possible > distance)
    return bound.low


def _zoomed(grid: Grid, pair: Pair, bound: Bound) -> Grid:
    """Lay the cells closest where rows are undecided: the middle half of these rows gets half of the cells."""
    wanted = bound.open_cells
    n = np.cumsum((pair[1] + pair[2])[wanted])
    low, high = edges_of(pair[0][wanted], grid)
    first, middle, last = (int(np.searchsorted(n, n[-1] * share)) for share in (0.25, 0.5, 0.75))
    spread = float(high[last] - low[first])
    return replace(grid, centre=float((low[middle] + high[middle]) / 2), spread=spread) if spread > 0 else grid


def _spans(cells: Floats, grid: Grid) -> tuple[Floats, Floats]:
    """Give the values that lie in cells or bins, one cell more on each side for rounding."""
    firsts, lasts = cells - 1, lasts_of(cells, grid) + 1
    low, _ = edges_of(firsts, replace(grid, starts=()))
    _, high = edges_of(lasts, replace(grid, starts=()))
    return np.where(firsts < 1, -np.inf, low), np.where(lasts > CELLS - 2, np.inf, high)


def _narrowed(bound: Bound, cells: Floats, grid: Grid, *, spans: tuple[Floats, Floats], low: float) -> Bound:
    """Keep what coarser counts had decided: a cell outside of their open cells holds no more than their ``low``."""
    begin, end = _spans(cells, grid)
    # spans ascend, so that the first that ends after a cell's begin is the only one to look at
    at = np.minimum(np.searchsorted(spans[1], begin), len(spans[0]) - 1)
    inside = (spans[0][at] <= end) & (spans[1][at] >= begin)
    low = max(low, bound.low)
    return replace(bound, low=low, open_cells=inside & (bound.possible > low))


def _reread(
    again: Again,
    sides: tuple[Any, Any],
    grid: Grid,
    *,
    pairs: Mapping[datetime | None, _Asked],
    buckets: Any,
) -> dict[datetime | None, float | None]:
    wanted = _Wanted.of(pairs.values())
    before = _read(again, sides[0], grid, wanted, "one").get(None, _NOTHING)
    now = _read(again, sides[1], grid, wanted, buckets)
    return {
        bucket: ks_refined(keys, (old, new), (before, now.get(bucket, _NOTHING)), found=bound)
        for bucket, ((keys, old, new), bound) in pairs.items()
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """The bins to read, ascending, and the share of all rows between each and the next."""

    bins: Floats
    between: Floats

    @classmethod
    def of(cls, pairs: Collection[_Asked]) -> _Wanted:
        bins = np.unique(np.concatenate([*(pair[0][bound.open_cells] for pair, bound in pairs), []]))
        between, rows = np.zeros(max(0, len(bins) - 1)), 0
        for (keys, before, now), _ in pairs:
            n = np.append(0, np.cumsum(before + now))
            between += n[np.searchsorted(keys, bins[1:])] - n[np.searchsorted(keys, bins[:-1], side="right")]
            rows += int(n[-1])
        return cls(bins=bins, between=between / max(1, rows))


def _counted_by(again: Again, sides: tuple[Any, Any], finer: Grid, pair: Pair) -> Pair | None:
    """Count the same rows by another grid; none where they are fewer or more by now."""
    counted = [by_column(again.count(rows, finer)).get(finer.column_id) for rows in sides]
    base, current = (fine or _NO_ROWS for fine in counted)
    same = (base.known, current.known) == (pair[1].sum(), pair[2].sum())
    return aligned(base, current) if same else None


def _read(again: Again, rows: Any, grid: Grid, wanted: _Wanted, buckets: Any) -> dict[datetime | None, Reread]:
    """Read the values in some bins, ordered, by bucket."""
    source = again.look(rows, grid, buckets) if len(wanted.bins) else None
    if source is None:
        return {}
    name, where = identifier(grid.column_id), sql.within(wanted.bins, grid, between=wanted.between)
    times, values = [np.empty(0, np.int64)], [np.empty(0)]
    for batch in again.stream(f"SELECT epoch_us(bucket), {name} FROM {source} WHERE {where}"):
        found = batch.column(1).to_numpy(zero_copy_only=False)
        kept = np.isin(cells_of(found, grid), wanted.bins)
        values.append(found[kept])
        if batch.column(0).null_count < batch.num_rows:
            times.append(batch.column(0).to_numpy(zero_copy_only=False)[kept].astype(np.int64))
    return _ordered(np.concatenate(times), np.concatenate(values), grid)


def _ordered(times: Ints, values: Floats, grid: Grid) -> dict[datetime | None, Reread]:
    if not len(times):  # one bucket for all rows
        values.sort()
        return {None: Reread(cells=_cells(values, grid), values=values)}
    order = np.lexsort((values, times))
    keys, first = np.unique(times[order], return_index=True)
    parts = [values[part] for part in np.split(order, first[1:])]
    return {
        _EPOCH + timedelta(microseconds=key): Reread(cells=_cells(part, grid), values=part)
        for key, part in zip(keys.tolist(), parts, strict=True)
    }


def _cells(values: Floats, grid: Grid) -> Cells:
    found = np.empty(len(values), np.uint16)
    for at in range(0, len(values), _AT_ONCE):
        found[at : at + _AT_ONCE] = cells_of(values[at : at + _AT_ONCE], grid)
    return found
