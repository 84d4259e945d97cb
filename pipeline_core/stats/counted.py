"""Tables of counts put into order: which rows belong to which column, and each column's keys ascending.

Answers "how many rows has each cell or level of this column?" for any mixture of batches and buckets. Neighbours:
``stages/profiling`` adds and cuts such tables, ``engines`` describe a batch by them. It refuses to judge.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline_core.stats.columns import ColumnCounts
from pipeline_core.stats.grids import CELLS

Ints = npt.NDArray[np.int64]
Keys = npt.NDArray[Any]
Places = npt.NDArray[np.intp]

COUNTED = ["cell", "level", "n"]
"""The columns of ``records.COUNTS`` that ``ordered`` needs."""

_DENSE_MIN = 2_000


def by_column(table: pa.Table) -> dict[str, ColumnCounts]:
    """Put the counts of each column into order, all buckets together.

    Parameters
    ----------
    table : pa.Table
        ``COUNTS``.

    Returns
    -------
    dict of str to ColumnCounts
        By column id, in the order of the table.
    """
    parts, counts = split(numbered(table.column("column_id"))), table.select(COUNTED)
    return {str(key): ordered(counts, where) for key, where in parts}


def numbered(values: pa.ChunkedArray) -> tuple[Places, list[Any]]:
    """Give each row the number of its value, and the values.

    Parameters
    ----------
    values : pa.ChunkedArray
        Of any type; null is a value.

    Returns
    -------
    codes : array of int
    values : list
    """
    encoded = values.combine_chunks().dictionary_encode(null_encoding="encode")
    return encoded.indices.to_numpy(zero_copy_only=False), encoded.dictionary.to_pylist()


def split(numbered: tuple[npt.NDArray[Any], Sequence[Any]]) -> list[tuple[Any, Places | slice]]:
    """Say where the rows of each value are: a slice where they stand together, as they do when fresh from a scan.

    Parameters
    ----------
    numbered : pair of codes and values
        As ``numbered`` gives them.

    Returns
    -------
    list of (value, places)
        Values without rows are left out.
    """
    codes, values = numbered
    sizes = np.bincount(codes, minlength=len(values))
    order = None if np.all(codes[1:] >= codes[:-1]) else np.argsort(codes, kind="stable")
    ends = np.cumsum(sizes)
    spans = [slice(int(end - size), int(end)) for end, size in zip(ends, sizes, strict=True)]
    return [(v, s if order is None else order[s]) for v, s in zip(values, spans, strict=True) if s.stop > s.start]


def ordered(table: pa.Table, where: Places | slice) -> ColumnCounts:
    """Put the counts of one column into order.

    Parameters
    ----------
    table : pa.Table
        With the columns ``COUNTED``.
    where : array of int or slice
        Its rows.

    Returns
    -------
    ColumnCounts
    """
    if isinstance(where, slice):
        part = table.slice(where.start, where.stop - where.start)
    else:
        part = table.take(pa.array(where))
    n = part.column("n").to_numpy().astype(np.int64)
    levelled = part.column("level").null_count < part.num_rows
    column = part.column("level" if levelled else "cell")
    missing = column.is_null().to_numpy()
    nulls = int(n[missing].sum())
    keys, n = column.drop_null().to_numpy(), n[~missing]
    if levelled:
        return ColumnCounts(**_summed(np.array(keys, dtype=object), n), nulls=nulls)
    if not np.all(keys[1:] > keys[:-1]):
        return ColumnCounts(**(_dense(keys, n) or _summed(keys, n)), nulls=nulls)
    return ColumnCounts(keys=keys, n=n, nulls=nulls)


def _summed(keys: Keys, n: Ints) -> dict[str, Any]:
    distinct, place = np.unique(keys, return_inverse=True)
    return {"keys": distinct, "n": np.bincount(place, weights=n, minlength=len(distinct)).astype(np.int64)}


def _dense(cells: Keys, n: Ints) -> dict[str, Any] | None:
    """Sum many cells by an array instead of a sort; none where they are few or no cells of a grid."""
    if len(cells) < _DENSE_MIN or cells.min() < 0 or cells.max() >= CELLS or np.any(cells % 1):
        return None
    total = np.bincount(cells.astype(np.intp), weights=n, minlength=CELLS).astype(np.int64)
    used = np.flatnonzero(total)
    return {"keys": used.astype(np.float64), "n": total[used]}
