"""Which rows the champion is watched on and which it learned from, both in windows of the same length.

Answers "what came after the champion's fitted rows, window by window, and what did windows like these look like when it
was trained?". Neighbours: ``windows`` lays the calendar, ``sides`` counts, ``learned`` looks at one column,
``watch`` compares and saves. It refuses to write, and to say what a window is compared with.

A prediction finds its windows by ``Cut.members``: rolling windows overlap, so a row belongs to every window that holds
its time (``start <= event_at < end``), and the answer is the rows of each window, never a window for each row.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from statistics import median

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline_core.clock import midnight
from pipeline_core.engines.duck import DuckEngine, Rows
from pipeline_core.errors import InvalidDefinition, Unreadable
from pipeline_core.flows import sides
from pipeline_core.flows.sides import INSTANT, Desk, Side, micros
from pipeline_core.flows.windows import DEFAULT_DAYS, Length, Span, fitting, limit, parse, spans, zone_of
from pipeline_core.records import BatchReport, BatchStatus, Grid, ModelVersion, Schema, TimeUnit
from pipeline_core.stats.cubes import Cube
from pipeline_core.store.home import Store

LOGGER = logging.getLogger(__name__)

Ints = npt.NDArray[np.int64]

REFERENCE_WINDOWS_MAX = 1_500
"""Of what the champion learned from, the newest so many windows; older ones cost memory and tell little more."""
_NEVER = int(np.iinfo(np.int64).min)


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
    """The watched rows in windows (``now``), and the champion's dataset in windows of the same length (``then``)."""

    length: Length
    now: Side = field(default_factory=Side)
    then: Side = field(default_factory=Side)

    @property
    def spans(self) -> tuple[Span, ...]:
        """The watched windows that have rows, in the order of their starts; rolling ones overlap."""
        return self.now.spans

    @property
    def rows(self) -> tuple[int, ...]:
        """Rows of each watched window."""
        return self.now.counts

    @property
    def reference(self) -> tuple[Span, ...]:
        """The windows of the champion's dataset, fitted and hold-out rows, end to end even where the watched ones roll.

        () where there are none. The first and the last are often not ``whole``: they belong to the baseline, but are no
        examples of a healthy window.
        """
        return self.then.spans

    @property
    def reference_rows(self) -> tuple[int, ...]:
        """Rows of each reference window."""
        return self.then.counts

    @property
    def row_ids(self) -> pa.Array | None:
        """The ids of the rows of row windows, in the order of the windows, ``now.size`` to each."""
        return self.now.row_ids

    def holds(self, span: Span, batch: BatchReport) -> bool:
        """Say whether all rows of a batch are in one watched window, so that what is wrong with it is wrong there."""
        first, last, size = batch.first_event_at, batch.last_event_at, self.now.size
        if first is None or last is None or first < span.start:
            return False
        # a window of rows ends with its last event, and more rows than it has may share that moment
        return last <= span.end and batch.rows <= size if size else last < span.end

    def members(self, predictions: pa.Table) -> list[Ints]:
        """Say which predictions belong to each watched window.

        Parameters
        ----------
        predictions : pa.Table
            With ``row_id`` and ``event_at``, as ``store.signals.predictions`` gives them.

        Returns
        -------
        list of array of int
            For each span, in their order, the places of its rows in the table: in every window that holds their time.
            Rows before the watched ones, and rows without a time, are in none. Row windows go by row id, so that each
            row is in at most one.
        """
        if self.now.size:
            known = pc.index_in(predictions.column("row_id"), value_set=self.row_ids)
            keys = pc.fill_null(known.cast(pa.int64()), -1).to_numpy()
            starts = np.arange(len(self.spans)) * self.now.size
            ends = starts + self.now.size
        else:
            events = predictions.column("event_at").cast(pa.timestamp("us")).cast(pa.int64())
            keys = pc.fill_null(events, _NEVER).to_numpy()
            since = [] if self.now.source.since is None else [self.now.source.since]
            starts = np.maximum(micros([s.start for s in self.spans]), max(micros(since), default=_NEVER + 1))
            ends = micros([s.end for s in self.spans])
        order = np.argsort(keys, kind="stable")
        firsts, lasts = (np.searchsorted(keys[order], edges) for edges in (starts, ends))
        return [order[a:b] for a, b in zip(firsts.tolist(), lasts.tolist(), strict=True)]


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
    rows = sides.rows_of(store, champion.model, [b.batch_id for b in batches])
    return Watched(champion=champion, schema=schema, batches=batches, rows=replace(rows, since=since), batch_ids=ids)


def cut(store: Store, engine: DuckEngine, seen: Watched, *, window: str | None, away: Side | None = None) -> Cut:
    """Put the watched rows, and those that the champion learned from, into windows.

    Windows of days follow the day counts in the store; rows are read for windows of hours, and for the rest of the day on
    which the hold-out begins. Without an event time, or with windows in rows, the reference is the champion's dataset
    in row windows as large as the watched ones (their median), in the order of ``event_at``, ``row_number``: where a
    file was sorted by something, its windows differ more than live ones will.

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
    away : Side, optional
        Rows by day that are not here and are watched instead of the accepted ones; windows of whole days only, none
        asked: of 365 days where the shortest that fits would be one of rows.

    Returns
    -------
    Cut

    Raises
    ------
    InvalidDefinition
        The length is not allowed for this model, or for rows that are not here, or gives too many windows.
    """
    unit, desk = seen.schema.time_unit, desk_of(store, engine, seen)
    asked = None if window is None else parse(window, unit) if away is None else whole_days(window, unit)
    now = away or sides.by_day(desk, seen.rows, batch_ids=seen.batch_ids)
    days = now.all_days
    length = asked or fitting(days, unit, zone=desk.zone)
    if away is not None and length.rows:  # too few for any of the usual lengths: the longest is nearest to enough
        length = Length(days=DEFAULT_DAYS[-1])
    if not days:
        return Cut(length=length)
    if length.rows:
        limit(length, -(-sum(days.values()) // length.rows))
        now = sides.in_rows(desk, seen.rows, size=length.rows)
    else:
        now = sides.in_time(desk, now, spans(length, days, unit, zone=desk.zone), fine=length.fine)
        limit(length, len(now.spans))
    return Cut(length=length, now=now, then=_reference(desk, seen, length, now))


def whole_days(window: str, unit: TimeUnit) -> Length:
    """Read the length of a window over rows that are not here.

    Parameters
    ----------
    window : str
        As a person gives it.
    unit : TimeUnit
        How the model's event time is counted.

    Returns
    -------
    Length

    Raises
    ------
    InvalidDefinition
        It is not understood, or not of whole days.
    """
    length = parse(window, unit)
    if length.rows or length.fine:
        raise InvalidDefinition(
            f"Windows of {window} would need the rows themselves, which stay on the cluster. Whole days, weeks or months are"
            " allowed, like 1d, 7d, 1mo or 7d/1d."
        )
    return length


def laid_over(
    store: Store, engine: DuckEngine, seen: Watched, cut: Cut, *, period: tuple[datetime | None, datetime | None]
) -> tuple[tuple[Span, ...], tuple[int, ...]]:
    """Lay windows as long as the watched ones over a period of accepted rows, end to end.

    Parameters
    ----------
    store : Store
        The home.
    engine : DuckEngine
        Reads what day counts cannot tell.
    seen : Watched
        The model.
    cut : Cut
        Its length, and where its windows start. For windows in rows, days stand in for them: as many as hold so many rows.
    period : (datetime or None, datetime or None)
        Start (inclusive) and end (exclusive); moments within a day stand for their whole day.

    Returns
    -------
    spans : tuple of Span
        At most 1,500, the newest; days without rows are in none.
    rows : tuple of int
        Of each.
    """
    desk, unit = desk_of(store, engine, seen), seen.schema.time_unit
    since = None if period[0] is None else midnight(period[0], desk.zone)
    side = sides.by_day(desk, replace(all_rows(store, seen), since=since, until=period[1]), batch_ids=None)
    if not side.days:
        return (), ()
    length = cut.length.once
    if length.rows:
        a_day = sum(side.days.values()) / len(side.days)
        length = Length(days=max(1, round(length.rows / a_day)))
    anchor = cut.spans[0].start if cut.spans else None
    laid = spans(length, side.days, unit, zone=desk.zone, anchor=anchor)[-REFERENCE_WINDOWS_MAX:]
    side = sides.in_time(desk, side, laid, fine=length.fine)
    return side.spans, side.counts


def counted(
    store: Store, engine: DuckEngine, seen: Watched, cut: Cut, *, columns: Sequence[str] | None = None
) -> Iterator[tuple[str, Cube, Cube]]:
    """Count the features of the watched windows and of the reference windows, column by column.

    Parameters
    ----------
    store : Store
        The home.
    engine : DuckEngine
        Reads what day counts cannot tell; nothing else may place rows with it in between.
    seen : Watched
        The rows.
    cut : Cut
        Their windows.
    columns : sequence of str, optional
        Only these column ids.

    Yields
    ------
    (str, Cube, Cube)
        Column id, the cube of ``cut.spans`` and the cube of ``cut.reference``, in the order of the schema; a few columns
        are in memory at a time. A window without counts of the column has no rows; without reference windows the
        second cube has no windows.
    """
    desk = desk_of(store, engine, seen, columns)
    for column_id, (now, then) in sides.cubes_of(desk, (cut.now, cut.then)):
        yield column_id, now, then


def spanned(
    store: Store,
    engine: DuckEngine,
    seen: Watched,
    periods: Sequence[Span],
    *,
    columns: Sequence[str] | None = None,
) -> Iterator[tuple[str, Cube]]:
    """Count the features of any windows of time, over all accepted rows.

    Parameters
    ----------
    store : Store
        The home.
    engine : DuckEngine
        Reads rows where a window starts or ends within a day.
    seen : Watched
        The model.
    periods : sequence of Span
        The windows, in the order of their starts; they may overlap.
    columns : sequence of str, optional
        Only these column ids.

    Yields
    ------
    (str, Cube)
        Column id and the cube of these windows, also of those without rows, in the order of the schema.
    """
    desk = desk_of(store, engine, seen, columns)
    side = sides.by_day(desk, all_rows(store, seen), batch_ids=None)
    side = replace(side, spans=tuple(periods), fine=not sides.of_days(desk, periods))
    for column_id, (cube_of,) in sides.cubes_of(desk, (side,)):
        yield column_id, cube_of


def desk_of(store: Store, engine: DuckEngine, seen: Watched, columns: Sequence[str] | None = None) -> Desk:
    """Give the place where a model's features, or some of them, are counted."""
    wanted = tuple(g for g in seen.grids if columns is None or g.column_id in columns)
    return Desk(store=store, engine=engine, model=seen.schema.model, zone=zone_of(seen.schema), grids=wanted)


def all_rows(store: Store, seen: Watched) -> Rows:
    """Find all accepted rows of the model, but for replaced ones."""
    model = seen.schema.model
    return sides.rows_of(store, model, [b.batch_id for b in store.batches.list(model, status=BatchStatus.ACCEPTED)])


def _reference(desk: Desk, seen: Watched, length: Length, now: Side) -> Side:
    """Cut the champion's dataset; an empty side where its rows are lost or have no time."""
    dataset = seen.champion.dataset
    rows = sides.rows_of(desk.store, desk.model, dataset.batches)
    if length.rows or seen.schema.time_unit is TimeUnit.NONE:
        until = None if dataset.last_event_at is None else dataset.last_event_at + INSTANT
        size = length.rows or max(1, round(median(now.counts or [1])))
        try:
            found = sides.in_rows(desk, replace(rows, until=until), size=size)
        except Unreadable as error:
            LOGGER.warning("Model %r: no reference windows: %s", desk.model, error)
            return Side()
        return sides.newest(found, REFERENCE_WINDOWS_MAX)
    if dataset.first_event_at is None or dataset.last_event_at is None:
        return Side()
    # whole days: what came with the fitted rows was accepted as they were
    zone = desk.zone
    first = sides.next_midnight(dataset.first_event_at, zone)
    until = sides.next_midnight(dataset.last_event_at, zone)
    side = sides.by_day(desk, replace(rows, until=until), batch_ids=dataset.batches)
    days = {day: n for day, n in side.days.items() if sides.next_midnight(day, zone) >= first}
    laid = spans(length.once, days, seen.schema.time_unit, zone=zone, anchor=min(now.all_days))
    return sides.in_time(desk, replace(side, days=days), laid[-REFERENCE_WINDOWS_MAX:], fine=length.once.fine)
