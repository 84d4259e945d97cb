"""The algebra of counts: what a set of rows looks like, without the rows.

Answers "how often does each value occur in the baseline and in this window?" from ``COUNTS`` tables,
which ``engines`` make and the store keeps. Counts of disjoint rows add up; everything here is a sum, an
order or a quotient of them. Whether a difference matters is for ``drift``; this module refuses to judge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline_core.records import COUNTS, Distribution, Grid
from pipeline_core.stats.binning import bin_edges, cdf_points, rebin, top_levels
from pipeline_core.stats.columns import ColumnCounts, aligned
from pipeline_core.stats.grids import CELLS, edges_of

SCORE = "score"
"""The column id of a model's scores in counts; they are counted by their value."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Keys = npt.NDArray[Any]
Places = npt.NDArray[np.intp]

_DENSE_MIN = 2_000
_COUNTED = ["cell", "level", "n"]


def add(*tables: pa.Table) -> pa.Table:
    """Sum counts of disjoint rows.

    Parameters
    ----------
    *tables : pa.Table
        ``COUNTS``, of any buckets.

    Returns
    -------
    pa.Table
        ``COUNTS``; each column, bucket, cell and level once.
    """
    together = pa.concat_tables([t.cast(COUNTS) for t in tables]) if tables else COUNTS.empty_table()
    keys = ["column_id", "bucket", "cell", "level"]
    summed = together.group_by(keys, use_threads=False).aggregate([("n", "sum")])
    return summed.rename_columns([*keys, "n"]).select(COUNTS.names).cast(COUNTS)


def merged(table: pa.Table) -> pa.Table:
    """Put all buckets together.

    Parameters
    ----------
    table : pa.Table
        ``COUNTS``.

    Returns
    -------
    pa.Table
        ``COUNTS`` with a null bucket.
    """
    return add(in_bucket(table, None))


def in_bucket(table: pa.Table, start: datetime | None) -> pa.Table:
    """Say that all these counts belong to one bucket.

    Parameters
    ----------
    table : pa.Table
        ``COUNTS``.
    start : datetime or None
        The bucket (aware), or none.

    Returns
    -------
    pa.Table
        The same counts, not summed.
    """
    bucket = pa.scalar(None if start is None else naive(start), pa.timestamp("us"))
    return table.set_column(1, COUNTS.field("bucket"), pa.repeat(bucket, table.num_rows))


def between(table: pa.Table, start: datetime | None, end: datetime | None) -> pa.Table:
    """Take the buckets from ``start`` (inclusive) to ``end`` (exclusive).

    Parameters
    ----------
    table : pa.Table
        ``COUNTS``.
    start, end : datetime or None
        Aware; none: no limit on that side.

    Returns
    -------
    pa.Table
    """
    if start is not None:
        table = table.filter(pc.field("bucket") >= pa.scalar(naive(start), pa.timestamp("us")))
    if end is not None:
        table = table.filter(pc.field("bucket") < pa.scalar(naive(end), pa.timestamp("us")))
    return table


def columns(table: pa.Table) -> dict[str, ColumnCounts]:
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
    parts, counts = _split(_numbered(table.column("column_id"))), table.select(_COUNTED)
    return {str(key): _column(counts, where) for key, where in parts}


def windows(table: pa.Table) -> dict[datetime | None, dict[str, ColumnCounts]]:
    """Put the counts of each column into order, bucket by bucket.

    Parameters
    ----------
    table : pa.Table
        ``COUNTS``.

    Returns
    -------
    dict of datetime or None to dict of str to ColumnCounts
        By bucket (aware) in time order, then by column id.
    """
    column, column_ids = _numbered(table.column("column_id"))
    bucket, buckets = _numbered(table.column("bucket"))
    both = bucket.astype(np.int64) * max(1, len(column_ids)) + column
    counts = table.select(_COUNTED)
    found: dict[datetime | None, dict[str, ColumnCounts]] = {}
    for place, where in _split((both, range(len(buckets) * len(column_ids)))):
        start = buckets[place // len(column_ids)]
        moment = None if start is None else start.replace(tzinfo=UTC)
        found.setdefault(moment, {})[str(column_ids[place % len(column_ids)])] = _column(counts, where)
    return dict(sorted(found.items(), key=lambda item: (item[0] is not None, item[0])))


def rows(table: pa.Table) -> int:
    """Count the rows that were counted.

    Parameters
    ----------
    table : pa.Table
        ``COUNTS`` of any number of columns.

    Returns
    -------
    int
        The largest total of a column: each column counts every row once, nulls included.
    """
    if not table.num_rows:
        return 0
    totals = table.select(["column_id", "n"]).group_by("column_id", use_threads=False).aggregate([("n", "sum")])
    return int(pc.max(totals.column("n_sum")).as_py())


def rows_by_bucket(table: pa.Table) -> dict[datetime | None, int]:
    """Count the rows of each bucket.

    Parameters
    ----------
    table : pa.Table
        ``COUNTS``.

    Returns
    -------
    dict of datetime or None to int
    """
    keys = ["column_id", "bucket"]
    totals = table.select([*keys, "n"]).group_by(keys, use_threads=False).aggregate([("n", "sum")])
    most = totals.group_by("bucket", use_threads=False).aggregate([("n_sum", "max")]).sort_by("bucket")
    starts = [None if b is None else b.replace(tzinfo=UTC) for b in most.column("bucket").to_pylist()]
    return dict(zip(starts, most.column("n_sum_max").to_pylist(), strict=True))


def value_counts(values: Floats, *, column_id: str = SCORE, bucket: datetime | None = None) -> pa.Table:
    """Count numbers by value, as an engine does for a grid of kind ``value``.

    Parameters
    ----------
    values : array of float
        NaN counts as null.
    column_id : str
        What they are called in the counts.
    bucket : datetime, optional
        The bucket (aware).

    Returns
    -------
    pa.Table
        ``COUNTS``.
    """
    known = values[~np.isnan(values)] + 0.0  # -0.0 is 0.0
    cells, n = np.unique(known, return_counts=True)
    nulls = len(values) - len(known)
    cell = pa.array([*cells.tolist(), None] if nulls else cells, pa.float64())
    size = len(cell)
    return pa.table(
        {
            "column_id": pa.repeat(pa.scalar(column_id), size),
            "bucket": pa.repeat(pa.scalar(None if bucket is None else naive(bucket), pa.timestamp("us")), size),
            "cell": cell,
            "level": pa.nulls(size, pa.string()),
            "n": pa.array(np.append(n, nulls) if nulls else n, pa.int64()),
        },
        schema=COUNTS,
    )


def distribution(base: ColumnCounts, current: ColumnCounts, *, grid: Grid, feature: str) -> Distribution:
    """Give two histograms of one column over the same bins, ready to draw.

    Parameters
    ----------
    base, current : ColumnCounts
        The column in the baseline and in the window.
    grid : Grid
        How it was counted.
    feature : str
        Its display name.

    Returns
    -------
    Distribution
        Bars are shares of all rows; the cumulative shares are of the rows that are not null, so that
        their largest gap is the KS distance. The first and the last bin hold the tails and may be wide.
    """
    rows_of = (base.rows, current.rows)
    found = Distribution(
        feature=feature,
        baseline_rows=rows_of[0],
        current_rows=rows_of[1],
        baseline_null_share=base.null_share,
        current_null_share=current.null_share,
    )
    keys, *sides = aligned(base, current)
    if not len(keys):
        return found
    if grid.kind == "level":
        levels, *bars = top_levels(keys.tolist(), sides[0], sides[1])
        return replace(
            found, levels=levels, baseline=_shares(bars[0], rows_of[0]), current=_shares(bars[1], rows_of[1])
        )
    low, high = edges_of(keys, grid)
    edges = bin_edges(low, high, (sides[0], sides[1]))
    bars = [rebin((low + high) / 2, side, edges) for side in sides]
    found = replace(
        found,
        edges=tuple(edges.tolist()),
        baseline=_shares(bars[0], rows_of[0]),
        current=_shares(bars[1], rows_of[1]),
    )
    if not base.known or not current.known:
        return found
    cdf, gap_at = cdf_points(high, sides[0], sides[1])
    return replace(found, cdf=cdf, gap_at=gap_at)


def naive(value: datetime) -> datetime:
    """Give an aware time as the naive UTC time that counts hold.

    Parameters
    ----------
    value : datetime
        Aware.

    Returns
    -------
    datetime
    """
    return value.astimezone(UTC).replace(tzinfo=None)


def _shares(counts: Ints, total: int) -> tuple[float, ...]:
    return tuple((counts / total).tolist()) if total else ()


def _numbered(values: pa.ChunkedArray) -> tuple[Places, list[Any]]:
    """Give each row the number of its value, and the values."""
    encoded = values.combine_chunks().dictionary_encode(null_encoding="encode")
    return encoded.indices.to_numpy(zero_copy_only=False), encoded.dictionary.to_pylist()


def _split(numbered: tuple[npt.NDArray[Any], Sequence[Any]]) -> list[tuple[Any, Places | slice]]:
    """Say where the rows of each value are: a slice where they stand together, as they do when fresh from a scan."""
    codes, values = numbered
    sizes = np.bincount(codes, minlength=len(values))
    order = None if np.all(codes[1:] >= codes[:-1]) else np.argsort(codes, kind="stable")
    ends = np.cumsum(sizes)
    spans = [slice(int(end - size), int(end)) for end, size in zip(ends, sizes, strict=True)]
    return [(v, s if order is None else order[s]) for v, s in zip(values, spans, strict=True) if s.stop > s.start]


def _column(table: pa.Table, where: Places | slice) -> ColumnCounts:
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
