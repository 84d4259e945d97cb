"""One column in one window, when somebody looks: its counts, the exact distance, and the very rows that were fitted on.

A check needs none of this. Neighbours: ``watched`` cuts and counts all columns, ``watch`` asks. It refuses to guess: rows
that cannot be told any more are none.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline_core.engines.duck import DuckEngine, Rows
from pipeline_core.errors import NotFound, Unreadable
from pipeline_core.flows import sides
from pipeline_core.flows.sides import Side, rows_of
from pipeline_core.flows.watched import Cut, Watched, all_rows, desk_of
from pipeline_core.flows.windows import Length, Span
from pipeline_core.records import Grid, ModelVersion, Schema
from pipeline_core.stages import profiling, training
from pipeline_core.stats.columns import ColumnCounts, aligned
from pipeline_core.store.home import Store

LOGGER = logging.getLogger(__name__)

Counted = Mapping[str, ColumnCounts]


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
        Empty where the window has no rows.
    """
    desk = replace(desk_of(store, engine, seen), grids=(grid,))
    start, end = max(span[0], seen.rows.since or span[0]), span[1]
    period = Span(bucket=start, start=start, end=end)
    if start >= end:
        return {}
    side = sides.by_day(desk, replace(seen.rows, since=start, until=end), batch_ids=seen.batch_ids)
    side = replace(side, spans=(period,), fine=not sides.of_days(desk, [period]))
    found = {column_id: one.window(0) for column_id, (one,) in sides.cubes_of(desk, (side,))}
    return {column_id: counts for column_id, counts in found.items() if counts.rows}


def within(
    store: Store,
    engine: DuckEngine,
    seen: Watched,
    spans: Sequence[tuple[datetime, datetime]],
    *,
    grid: Grid,
    batch_ids: tuple[str, ...] | None,
) -> ColumnCounts:
    """Count one column over stretches of time, all together.

    Parameters
    ----------
    store : Store
        The home.
    engine : DuckEngine
        Reads rows where a stretch starts or ends within a day.
    seen : Watched
        The model.
    spans : sequence of (datetime, datetime)
        Start (inclusive) and end (exclusive), apart from each other.
    grid : Grid
        The column.
    batch_ids : tuple of str or None
        Only rows of these batches; None: all accepted ones.

    Returns
    -------
    ColumnCounts
    """
    desk = replace(desk_of(store, engine, seen), grids=(grid,))
    rows = all_rows(store, seen) if batch_ids is None else sides.rows_of(store, desk.model, batch_ids)
    periods = [Span(bucket=start, start=start, end=end) for start, end in spans]
    side = sides.by_day(desk, rows, batch_ids=batch_ids)
    side = replace(side, spans=tuple(periods), fine=not sides.of_days(desk, periods))
    every = np.ones((1, len(periods)), dtype=np.bool_)
    ((_, (found,)),) = sides.cubes_of(desk, (side,))
    return found.selected(every).window(0)


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


def exact_distance(
    engine: DuckEngine, cut: Cut, span: Span, *, grid: Grid, pair: tuple[ColumnCounts, ColumnCounts], base_rows: Rows
) -> float | None:
    """Give the exact KS distance of one number in one window, reading only the cells that decide.

    Parameters
    ----------
    engine : DuckEngine
        Reads them.
    cut : Cut
        The watched windows.
    span : Span
        One of them, or any other window of time.
    grid : Grid
        How the column was counted.
    pair : (ColumnCounts, ColumnCounts)
        The column in the baseline and in the window.
    base_rows : Rows
        The rows that the baseline counts.

    Returns
    -------
    float or None
        None for levels, where a side has nothing but nulls, and where the rows are not those that were counted.

    Raises
    ------
    Unreadable
        Rows are lost.
    """
    base, now = pair
    if grid.kind == "level" or not base.known or not now.known:
        return None
    rows, size = cut.now.source, cut.now.size
    if size:
        found = engine.exact_ks(base_rows, rows, grid, pairs={span.bucket: aligned(base, now)}, buckets=size)
        return found.get(span.bucket)
    since = span.start if rows.since is None else max(rows.since, span.start)
    window = Rows(files=rows.files, since=since, until=span.end, without=rows.without)
    return engine.exact_ks(base_rows, window, grid, pairs={None: aligned(base, now)}).get(None)


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
        plain = Rows(files=store.batches.rows_paths(model, dataset.batches, there=True), until=dataset.holdout_from)
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


def _labelled_by(store: Store, table: pa.Table, champion: ModelVersion) -> pa.Table:
    """Keep the rows whose label was known when the training began; later ones would not have been chosen."""
    labels = store.batches.labels(champion.model)
    began = pa.scalar(profiling.naive(champion.run.started_at), pa.timestamp("us"))
    # a label that was changed since was there before
    early = pc.or_(pc.less_equal(labels.column("received_at"), began), pc.greater(labels.column("revision"), 1))
    return table.filter(
        pc.is_in(table.column("row_id"), value_set=labels.filter(early).column("row_id").combine_chunks())
    )


def deciding_distance(
    store: Store,
    engine: DuckEngine,
    seen: Watched,
    *,
    grid: Grid,
    span: tuple[datetime, datetime],
    pair: tuple[ColumnCounts, ColumnCounts],
) -> float | None:
    """Read the rows of the cells that decide the KS distance of one window again.

    Parameters
    ----------
    store, engine, seen
        As ``between`` takes them.
    grid : Grid
        The column.
    span : (datetime, datetime)
        Start and end of the window, the end left out.
    pair : (ColumnCounts, ColumnCounts)
        The baseline's and the window's counts.

    Returns
    -------
    float or None
        D; None where the baseline is not all of the champion's dataset, or rows are lost.
    """
    dataset = seen.champion.dataset
    learned = replace(rows_of(store, seen.schema.model, dataset.batches), until=dataset.until)
    period = Span(bucket=span[0], start=span[0], end=span[1])
    try:
        if sum(engine.days(learned).values()) != pair[0].rows:
            return None
        now = Cut(length=Length(days=1), now=Side(source=seen.rows))
        return exact_distance(engine, now, period, grid=grid, pair=pair, base_rows=learned)
    except Unreadable as error:  # the interval still stands
        LOGGER.warning("KS of %s stays an interval: %s", grid.column_id, error)
        return None
