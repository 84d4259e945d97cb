"""The algebra of counts: what a set of rows looks like, without the rows.

Answers "how often does each value occur in the baseline and in this window?" from ``COUNTS`` tables,
which ``engines`` make and the store keeps. Counts of disjoint rows add up; everything here is a sum, an
order or a quotient of them. Whether a difference matters is for ``drift``; this module refuses to judge.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline_core.errors import NotEnough
from pipeline_core.records import COUNTS, Distribution, Grid
from pipeline_core.stats.binning import bin_edges, cdf_points, rebin, top_levels
from pipeline_core.stats.columns import ColumnCounts, aligned
from pipeline_core.stats.counted import COUNTED, by_column, numbered, ordered, split
from pipeline_core.stats.distances import js_distance, psi, wasserstein
from pipeline_core.stats.grids import edges_of

SCORE = "score"
"""The column id of a model's scores in counts; they are counted by their value."""

_TENTHS, _ROUNDING = 10, 1e-9

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


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
    return by_column(table)


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
    column, column_ids = numbered(table.column("column_id"))
    bucket, buckets = numbered(table.column("bucket"))
    both = bucket.astype(np.int64) * max(1, len(column_ids)) + column
    counts = table.select(COUNTED)
    found: dict[datetime | None, dict[str, ColumnCounts]] = {}
    for place, where in split((both, range(len(buckets) * len(column_ids)))):
        start = buckets[place // len(column_ids)]
        moment = None if start is None else start.replace(tzinfo=UTC)
        found.setdefault(moment, {})[str(column_ids[place % len(column_ids)])] = ordered(counts, where)
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
        found = _with_distances(found, sides[0], sides[1])
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
    deciles = _deciles(sides[0])
    far = wasserstein((low + high) / 2, sides[0], sides[1])
    found = _with_distances(found, *(_summed(side, deciles) for side in sides))
    return replace(found, cdf=cdf, gap_at=gap_at, wasserstein=far)


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


def _with_distances(found: Distribution, before: Ints, now: Ints) -> Distribution:
    """Add PSI and the Jensen-Shannon distance over bins that were cut on the baseline."""
    if not before.sum() or not now.sum():
        return found
    try:
        index: float | None = psi(before, now)
    except NotEnough:  # by chance alone it would be as large
        index = None
    return replace(found, psi=index, js=js_distance(before, now))


def _deciles(base: Ints) -> Ints:
    """Say in which tenth of the baseline each cell ends."""
    share = np.cumsum(base) / max(1, base.sum())
    return np.clip(np.ceil(share * _TENTHS - _ROUNDING), 1, _TENTHS).astype(np.int64) - 1


def _summed(counts: Ints, places: Ints) -> Ints:
    return np.bincount(places, weights=counts, minlength=int(places.max()) + 1).astype(np.int64)
