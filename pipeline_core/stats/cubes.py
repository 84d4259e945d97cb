"""One column counted in many windows over the same keys, so that any baseline is a sum of them.

Answers "what is in each window, and in any selection of windows taken together?". Training, season, period, previous and
leave-one-out are selections of reference windows. Neighbours: counts come from the store or an engine, ``seasons``
selects, ``moves`` compares. Refused: rows, and any word about difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from pipeline_core.stats.columns import ColumnCounts
from pipeline_core.stats.counted import numbered, split
from pipeline_core.stats.intervals import Floats

Ints = NDArray[np.int64]
Keys = NDArray[Any]
Mask = NDArray[np.bool_]

_SPARSE_SHARE = 0.1
"""Where fewer windows are chosen (or left out), adding them one by one is cheaper than a product of matrices."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cube:
    """Rows per value of one column in many windows.

    ``keys`` (keys,) are cells (float) or levels (text), ascending and distinct; ``n`` (windows, keys) and ``nulls``
    (windows,) are rows.
    """

    keys: Keys
    n: Ints
    nulls: Ints

    @property
    def windows(self) -> int:
        """How many windows."""
        return int(self.n.shape[0])

    @property
    def known(self) -> Ints:
        """Rows that are not null, (windows,)."""
        return self.n.sum(axis=1, dtype=np.int64)

    @property
    def rows(self) -> Ints:
        """All rows, (windows,)."""
        return self.known + self.nulls

    @property
    def null_shares(self) -> Floats:
        """The share of nulls, (windows,), 0-1; 0 where there are no rows."""
        return self.nulls / np.maximum(self.rows, 1)

    def window(self, place: int) -> ColumnCounts:
        """Give one window alone.

        Parameters
        ----------
        place : int
            Which.

        Returns
        -------
        ColumnCounts
            With the keys that the window has.
        """
        row = self.n[place]
        used = row > 0
        return ColumnCounts(keys=self.keys[used], n=row[used].astype(np.int64), nulls=int(self.nulls[place]))

    def on(self, keys: Keys) -> Cube:
        """Give the same counts over more keys.

        Parameters
        ----------
        keys : ndarray, shape (more keys,)
            Ascending and distinct, all keys of the cube among them.

        Returns
        -------
        Cube
        """
        if len(keys) == len(self.keys):
            return self
        n = np.zeros((self.windows, len(keys)), dtype=self.n.dtype)
        n[:, np.searchsorted(keys, self.keys)] = self.n
        return Cube(keys=keys, n=n, nulls=self.nulls)

    def selected(self, chosen: Mask) -> Cube:
        """Sum windows: the baselines of other windows, or windows of several buckets.

        Parameters
        ----------
        chosen : ndarray of bool, shape (sums, windows)
            Which windows belong to each sum; none: a window without rows.

        Returns
        -------
        Cube
            ``sums`` windows over the same keys.

        Examples
        --------
        >>> three = cube([ColumnCounts(keys=np.array([1.0]), n=np.array([n])) for n in (1, 2, 4)])
        >>> three.selected(~np.eye(3, dtype=bool)).n.tolist()
        [[6], [5], [3]]
        """
        distinct, back = np.unique(chosen, axis=0, return_inverse=True)
        counts = np.column_stack([self.n, self.nulls])
        sums = _sums(distinct, counts)[back.ravel()]
        return Cube(keys=self.keys, n=sums[:, :-1], nulls=sums[:, -1])


def cube(windows: Sequence[ColumnCounts | None]) -> Cube:
    """Put the counts of windows over the same keys.

    Parameters
    ----------
    windows : sequence of ColumnCounts or None
        Of the same column; none: a window without rows.

    Returns
    -------
    Cube

    Examples
    --------
    >>> one = ColumnCounts(keys=np.array([1.0, 2.0]), n=np.array([5, 6]))
    >>> two = cube([one, None, ColumnCounts(keys=np.array([2.0, 3.0]), n=np.array([7, 8]), nulls=9)])
    >>> two.keys.tolist(), two.n.tolist(), two.nulls.tolist()
    ([1.0, 2.0, 3.0], [[5, 6, 0], [0, 0, 0], [0, 7, 8]], [0, 0, 9])
    """
    parts = [w.keys for w in windows if w is not None and len(w.keys)]
    keys = np.unique(np.concatenate(parts)) if parts else np.empty(0)
    n = np.zeros((len(windows), len(keys)), dtype=np.int64)
    for row, counts in zip(n, windows, strict=True):
        if counts is not None and len(counts.keys):
            row[np.searchsorted(keys, counts.keys)] = counts.n
    return Cube(keys=keys, n=n, nulls=np.array([0 if w is None else w.nulls for w in windows], dtype=np.int64))


def cubes(table: pa.Table, buckets: Sequence[datetime]) -> dict[str, Cube]:
    """Put the counts of each column into one cube, a bucket a window.

    Parameters
    ----------
    table : pa.Table
        ``COUNTS``, in any order; the same cell may come several times.
    buckets : sequence of datetime
        Aware, distinct; the windows in this order. Counts of other buckets are left out, and a bucket without counts is a
        window without rows.

    Returns
    -------
    dict of str to Cube
        By column id, in the order of the table.
    """
    starts = pa.array([b.astimezone(UTC).replace(tzinfo=None) for b in buckets], pa.timestamp("us"))
    window = pc.index_in(table.column("bucket"), value_set=starts)
    place = pc.fill_null(window, -1).to_numpy().astype(np.int64)
    counts = table.select(["cell", "level", "n"]).combine_chunks()
    return {
        str(key): _cube(counts, place, where, windows=len(buckets))
        for key, where in split(numbered(table.column("column_id")))
    }


def _cube(counts: pa.Table, place: Ints, where: NDArray[np.intp] | slice, *, windows: int) -> Cube:
    if isinstance(where, slice):
        part, at = counts.slice(where.start, where.stop - where.start), place[where]
    else:
        part, at = counts.take(pa.array(where)), place[where]
    n = part.column("n").to_numpy()
    levelled = part.column("level").null_count < part.num_rows
    codes, values = numbered(part.column("level" if levelled else "cell"))
    missing = np.array([value is None for value in values], dtype=bool)
    known = [value for value in values if value is not None]
    keys, ranks = np.unique(np.array(known, dtype=object if levelled else np.float64), return_inverse=True)
    rank = np.full(len(values), len(keys), dtype=np.int64)
    rank[~missing] = ranks
    inside = at >= 0
    flat = at[inside] * (len(keys) + 1) + rank[codes[inside]]
    summed = np.bincount(flat, weights=n[inside], minlength=windows * (len(keys) + 1)).astype(np.int64)
    summed = summed.reshape(windows, len(keys) + 1)
    return Cube(keys=keys, n=summed[:, :-1], nulls=summed[:, -1])


def _sums(chosen: Mask, counts: Ints) -> Ints:
    if not chosen.size:
        return np.zeros((len(chosen), counts.shape[1]), dtype=np.int64)
    most = chosen.mean(axis=1) > 0.5
    picked = chosen ^ most[:, None]
    if picked.mean() < _SPARSE_SHARE:
        sums = csr_matrix(picked.astype(np.int64)) @ counts
    else:
        # floats add whole numbers exactly up to 2^53, and their product is the fast one
        sums = (picked.astype(np.float64) @ counts.astype(np.float64)).astype(np.int64)
    return np.where(most[:, None], counts.sum(axis=0) - sums, sums)
