"""Which rows the champion is watched on, which it learned from, and their counts by window.

Answers "what came after the champion's fitted rows, window by window, and what did it learn from?".
Neighbours: ``windows`` lays the calendar, ``watch`` compares and saves. Time windows are sums of the day
counts in the store; the raw rows are read for windows in rows, for the rest of the day on which the
hold-out begins, and for the few cells that decide a KS distance. It refuses to write.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline_core.engines.duck import Buckets, DuckEngine, Pair, Rows
from pipeline_core.errors import NotFound, Unreadable
from pipeline_core.flows.windows import DAY, Length, Span, fitting, limit, parse, spans
from pipeline_core.records import COUNTS, BatchReport, BatchStatus, Grid, ModelVersion, Schema, TimeUnit
from pipeline_core.stages import profiling, training
from pipeline_core.stats.columns import ColumnCounts, aligned
from pipeline_core.store.home import Store

LOGGER = logging.getLogger(__name__)

Counted = Mapping[str, ColumnCounts]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """The champion, its schema and the rows that it is watched on (``batch_ids`` None: all accepted ones)."""

    champion: ModelVersion
    schema: Schema
    batches: tuple[BatchReport, ...]
    rows: Rows
    batch_ids: tuple[str, ...] | None

    @property
    def grids(self) -> tuple[Grid, ...]:
        """How the features are counted."""
        features = {c.column_id for c in self.schema.features}
        return tuple(g for g in self.schema.grids if g.column_id in features)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cut:
    """The watched rows in windows: their spans and counts, and how the engine finds the window of a row.

    ``row_ids`` are those of row windows in window order, with the number of their window in ``row_places``.
    """

    length: Length
    spans: tuple[Span, ...]
    counts: Mapping[datetime | None, Counted]
    buckets: Buckets = "one"
    row_ids: pa.Array | None = None
    row_places: npt.NDArray[np.int64] | None = None


def watched(store: Store, champion: ModelVersion) -> Watched:
    """Find the rows that the champion is watched on.

    With an event time: accepted rows from ``holdout_from`` on. Without: accepted batches that are not in its dataset.
    Rows that a later batch replaced are left out.

    Parameters
    ----------
    store : Store
        The home.
    champion : ModelVersion
        Of the model.

    Returns
    -------
    Watched
    """
    schema = store.models.schema(champion.model, champion.schema_version)
    batches = store.batches.list(champion.model, status=BatchStatus.ACCEPTED)
    since = champion.dataset.holdout_from
    ids = None
    if since is None or schema.time_unit is TimeUnit.NONE:
        batches = tuple(b for b in batches if b.batch_id not in champion.dataset.batches)
        ids = tuple(b.batch_id for b in batches)
        since = None
    else:
        batches = tuple(b for b in batches if b.last_event_at is not None and b.last_event_at >= since)
    names = [b.batch_id for b in batches]
    paths = store.batches.rows_paths(champion.model, names)
    replaced = store.repeats.replaced(champion.model, names)
    return Watched(
        champion=champion,
        schema=schema,
        batches=batches,
        rows=Rows(files=paths, since=since, without=replaced),
        batch_ids=ids,
    )


def cut(store: Store, engine: DuckEngine, seen: Watched, *, window: str | None) -> Cut:
    """Put the watched rows into windows and count them.

    Parameters
    ----------
    store : Store
        The home, which holds the day counts.
    engine : DuckEngine
        Reads what day counts cannot tell.
    seen : Watched
        The rows.
    window : str, optional
        The length as a person gives it; none: the shortest that fits.

    Returns
    -------
    Cut

    Raises
    ------
    InvalidDefinition
        The length is not allowed for this model, or gives too many windows.
    """
    unit = seen.schema.time_unit
    asked = None if window is None else parse(window, unit)
    days = engine.days(seen.rows)
    length = asked or fitting(days, unit)
    if not days:
        return Cut(length=length, spans=(), counts={})
    if length.rows:
        limit(length, -(-sum(days.values()) // length.rows))
        return _cut_by_rows(engine, seen, length)
    return _cut_by_time(store, engine, seen, length=length, calendar=spans(length, days, unit))


def between(store: Store, engine: DuckEngine, seen: Watched, *, grid: Grid, span: tuple[datetime, datetime]) -> Counted:
    """Count one column of the watched rows of a time window.

    Parameters
    ----------
    store : Store
        The home.
    engine : DuckEngine
        Reads what day counts cannot tell.
    seen : Watched
        The rows.
    grid : Grid
        The column.
    span : (datetime, datetime)
        Start (inclusive) and end (exclusive).

    Returns
    -------
    mapping of str to ColumnCounts
    """
    since = max(span[0], seen.rows.since or span[0])
    if midnight(since) == since and midnight(span[1]) == span[1]:
        table = store.batches.counts(seen.schema.model, since=since, until=span[1], batch_ids=seen.batch_ids)
        return profiling.columns(table.filter(pc.field("column_id") == grid.column_id))
    rows = seen.rows
    counts = engine.counts(rows.files, [grid], buckets="one", since=since, until=span[1], without=rows.without)
    return profiling.columns(counts)


def exact_distances(
    engine: DuckEngine, seen: Watched, cut_rows: Cut, *, base: Counted, learned: Rows | None
) -> dict[datetime, dict[str, float]]:
    """Give the exact KS distance of every number in every window.

    Parameters
    ----------
    engine : DuckEngine
        Reads the cells that decide.
    seen : Watched
        The rows.
    cut_rows : Cut
        Their windows.
    base : mapping of str to ColumnCounts
        What the champion learned from.
    learned : Rows or None
        Those rows, if they can still be told.

    Returns
    -------
    dict of datetime to dict of str to float
        By bucket and column id; what cannot be made exact is left out.
    """
    found: dict[datetime, dict[str, float]] = {span.bucket: {} for span in cut_rows.spans}
    for grid in seen.grids if learned is not None else ():
        before = base.get(grid.column_id)
        if grid.kind != "cells" or learned is None or before is None or not before.known:
            continue
        pairs: dict[datetime | None, Pair] = {
            span.bucket: aligned(before, now)
            for span in cut_rows.spans
            if (now := cut_rows.counts[span.bucket].get(grid.column_id)) is not None and now.known
        }
        try:
            distances = engine.exact_ks(learned, seen.rows, grid, pairs=pairs, buckets=cut_rows.buckets)
        except Unreadable as error:  # the interval still stands; the other columns must not suffer
            LOGGER.warning("KS of %s stays an interval: %s", grid.column_id, error)
            continue
        for bucket, distance in distances.items():
            if bucket is not None:
                found[bucket][grid.column_id] = distance
    return found


def learned_rows(store: Store, engine: DuckEngine, seen: Watched, *, work: Path) -> Rows | None:
    """Find the rows that the champion was fitted on, as they were then.

    Parameters
    ----------
    store : Store
        The home.
    engine : DuckEngine
        Counts them.
    seen : Watched
        The champion.
    work : Path
        A scratch folder.

    Returns
    -------
    Rows or None
        None where they cannot be told any more; KS distances then stay intervals.
    """
    dataset, model = seen.champion.dataset, seen.champion.model
    if dataset.holdout_from is not None:
        # usually every row of the time was labelled and none came twice: the batches themselves will do
        plain = Rows(files=store.batches.rows_paths(model, dataset.batches), until=dataset.holdout_from)
        if sum(engine.days(plain).values()) == dataset.fit_rows:
            return plain
    chosen = work / "learned.parquet"
    summary = store.batches.select(model, to=chosen, until=dataset.until, batch_ids=dataset.batches)
    table = pq.read_table(chosen)
    if summary.rows != dataset.rows:
        table = _labelled_by(store, table, seen.champion)
    if dataset.holdout_from is None:
        held = training.held_out(table, seen.schema, dataset.holdout_share)
        table = table.filter(pa.array(~held))
    pq.write_table(table, chosen, compression="none")
    learned = Rows(files=(chosen,), until=dataset.holdout_from)
    return learned if sum(engine.days(learned).values()) == dataset.fit_rows else None


def grid_of(schema: Schema, column_id: str) -> Grid:
    """Give the grid by which a column was counted.

    Parameters
    ----------
    schema : Schema
        The model's.
    column_id : str
        The column.

    Returns
    -------
    Grid

    Raises
    ------
    NotFound
        It is not counted: when the model was defined it was given no grid.
    """
    found = next((g for g in schema.grids if g.column_id == column_id), None)
    if found is None:
        raise NotFound(
            f"Column {schema.by_id(column_id).name!r} of model {schema.model!r} is not counted, so it has no distribution"
            " to show; numbers and categories are counted from the definition on. Define the model again to count it."
        )
    return found


def midnight(moment: datetime) -> datetime:
    """Give the midnight UTC that the moment's day began with.

    Parameters
    ----------
    moment : datetime
        Aware.

    Returns
    -------
    datetime
    """
    return datetime.combine(moment.astimezone(UTC).date(), time(), UTC)


def _cut_by_time(store: Store, engine: DuckEngine, seen: Watched, *, length: Length, calendar: tuple[Span, ...]) -> Cut:
    starts, end = [span.start for span in calendar], calendar[-1].end
    # day counts hold fitted rows too, of the days before the hold-out and of the day on which it begins
    since = seen.rows.since or starts[0]
    whole = since if midnight(since) == since else midnight(since) + DAY
    begins = sorted({b for b in (whole, *starts) if whole <= b < end}) if starts[0] < whole else starts
    parts = []
    if starts[0] < whole:
        parts.append(profiling.in_bucket(_rest_of_day(store, engine, seen, since=since, whole=whole), starts[0]))
    if begins:
        counts = store.batches.window_counts(seen.schema.model, begins, end=end, batch_ids=seen.batch_ids)
        parts.append(_rebucket(counts, begins[0], starts))
    table = pa.concat_tables(parts)
    return Cut(
        length=length,
        spans=calendar,
        counts=profiling.windows(table),
        buckets=[*starts, end],
    )


def _rest_of_day(store: Store, engine: DuckEngine, seen: Watched, *, since: datetime, whole: datetime) -> pa.Table:
    """Count the rows from the hold-out's begin to midnight; nothing where it begins at midnight."""
    if since == whole:
        return COUNTS.empty_table()
    first = [b.batch_id for b in seen.batches if b.first_event_at is None or b.first_event_at < whole]
    files = store.batches.rows_paths(seen.schema.model, first)
    return engine.counts(files, seen.grids, buckets="one", since=since, until=whole, without=seen.rows.without)


def _rebucket(counts: pa.Table, first: datetime, starts: Sequence[datetime]) -> pa.Table:
    """Give the first bucket the start of its window where the day counts begin later."""
    own = max(s for s in starts if s <= first)
    if own == first:
        return counts
    moment = [pa.scalar(profiling.naive(m), pa.timestamp("us")) for m in (first, own)]
    bucket = pc.if_else(pc.equal(counts.column("bucket"), moment[0]), moment[1], counts.column("bucket"))
    return counts.set_column(1, "bucket", bucket)


def _cut_by_rows(engine: DuckEngine, seen: Watched, length: Length) -> Cut:
    rows = engine.row_windows(seen.rows, seen.grids, size=length.rows)
    counts = engine.counts(
        seen.rows.files, seen.grids, buckets=length.rows, since=seen.rows.since, without=seen.rows.without
    )
    firsts = range(0, rows.num_rows, length.rows)
    events, buckets = rows.column("event_at"), rows.column("bucket")
    calendar = tuple(
        Span(
            bucket=buckets[first].as_py().replace(tzinfo=UTC),
            start=events[first].as_py().replace(tzinfo=UTC),
            end=events[min(first + length.rows, rows.num_rows) - 1].as_py().replace(tzinfo=UTC),
        )
        for first in firsts
    )
    return Cut(
        length=length,
        spans=calendar,
        counts=profiling.windows(counts),
        buckets=length.rows,
        row_ids=rows.column("row_id").combine_chunks(),
        row_places=np.arange(rows.num_rows) // length.rows,
    )


def _labelled_by(store: Store, table: pa.Table, champion: ModelVersion) -> pa.Table:
    """Keep the rows whose label was known when the training began; later ones would not have been chosen."""
    labels = store.batches.labels(champion.model)
    began = pa.scalar(profiling.naive(champion.run.started_at), pa.timestamp("us"))
    # a label that was changed since was there before
    early = pc.or_(pc.less_equal(labels.column("received_at"), began), pc.greater(labels.column("revision"), 1))
    return table.filter(
        pc.is_in(table.column("row_id"), value_set=labels.filter(early).column("row_id").combine_chunks())
    )
