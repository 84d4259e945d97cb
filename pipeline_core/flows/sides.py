"""Rows in windows, and their counts column by column: whatever is compared, watched rows or what was learned from.

Answers "how many rows has each window, and what is in it?". Windows of whole days are sums of the day counts that the
store keeps; rows are read for windows of hours, for windows of so many rows, and for the rest of a day whose first rows
do not belong. Neighbours: ``windows`` lays the calendar, ``watched`` says which rows. It refuses to compare.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline_core.clock import day_in, midnight, moment_in
from pipeline_core.engines.duck import DuckEngine, Rows
from pipeline_core.flows.windows import Span
from pipeline_core.records import COUNTS, Grid
from pipeline_core.stages.profiling import in_bucket, naive
from pipeline_core.stats.cubes import Cube, cube, cubes
from pipeline_core.store.home import Store

COLUMNS_AT_ONCE = 4
"""So many columns are in memory at a time."""
INSTANT = timedelta(microseconds=1)
Elsewhere = Callable[[Sequence[Grid], Mapping[datetime, datetime]], pa.Table]
"""Counts columns of rows that are not here: from each day's midnight to the bucket that it belongs to; ``records.COUNTS``."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Desk:
    """Where rows are counted: the store with its day counts, the engine, the model, and whose midnights count."""

    store: Store
    engine: DuckEngine
    model: str
    zone: ZoneInfo
    grids: tuple[Grid, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Side:
    """Some rows, and the windows that they are cut into.

    ``batch_ids`` are the batches whose day counts are meant (None: all accepted ones), ``days`` the rows of each whole
    day. Where the first day does not belong from its midnight on, its rows are read, up to the midnight ``rest``.
    ``counts``: rows of each span; ``size``: rows in a window (0: windows of time); ``fine``: no whole days, so the rows
    are read; ``row_ids``: of row windows, in the order of the windows; ``elsewhere`` counts rows that are not here.
    """

    source: Rows = field(default_factory=lambda: Rows(files=()))
    batch_ids: tuple[str, ...] | None = None
    days: Mapping[datetime, int] = field(default_factory=dict)
    rest: datetime | None = None
    rest_rows: int = 0
    spans: tuple[Span, ...] = ()
    counts: tuple[int, ...] = ()
    fine: bool = False
    size: int = 0
    row_ids: pa.Array | None = None
    elsewhere: Elsewhere | None = None

    @property
    def all_days(self) -> dict[datetime, int]:
        """Midnight to rows, the day that is read included."""
        first = {} if self.rest is None or not self.rest_rows else {self.rest_day: self.rest_rows}
        return {**first, **self.days}

    @property
    def rest_day(self) -> datetime:
        """The midnight before the rows that are read; any moment of that day names it."""
        return self.source.since or _EPOCH


def rows_of(store: Store, model: str, batch_ids: Sequence[str]) -> Rows:
    """Find the rows of batches, but for those that a later batch replaced, and for files that are lost.

    Parameters
    ----------
    store : Store
        The home.
    model : str
        The model's name.
    batch_ids : sequence of str
        Accepted batches.

    Returns
    -------
    Rows
    """
    files = store.batches.rows_paths(model, batch_ids, there=True)
    return Rows(files=files, without=store.repeats.replaced(model, batch_ids))


def of_days(desk: Desk, spans: Sequence[Span]) -> bool:
    """Say whether windows start and end at midnight, so that day counts tell them.

    Parameters
    ----------
    desk : Desk
        Whose midnights count.
    spans : sequence of Span
        In time.

    Returns
    -------
    bool
    """
    return all(midnight(edge, desk.zone) == edge for edge in _edges(spans))


def by_day(desk: Desk, source: Rows, *, batch_ids: tuple[str, ...] | None) -> Side:
    """Say how many rows each day has.

    Parameters
    ----------
    desk : Desk
        Where they are counted.
    source : Rows
        The rows; ``until`` counts to the end of its day.
    batch_ids : tuple of str or None
        The batches that they came in; None: all accepted ones.

    Returns
    -------
    Side
        Without windows.
    """
    since, zone = source.since, desk.zone
    rest = None
    if since is not None and midnight(since, zone) != since:
        rest = next_midnight(since, zone)
    until = None if source.until is None else next_midnight(source.until - INSTANT, zone)
    days = desk.store.day_counts.rows(desk.model, span=(rest or since, until), batch_ids=batch_ids)
    if not days and source.files:  # nothing is counted by day: a model without a counted column, or rows of one day
        days = desk.engine.days(replace(source, since=rest or since), buckets=zone)
    side = Side(source=source, batch_ids=batch_ids, days=days, rest=rest)
    if rest is None:
        return side
    return replace(side, rest_rows=sum(desk.engine.days(replace(source, until=rest), buckets="one").values()))


def in_time(desk: Desk, side: Side, spans: Sequence[Span], *, fine: bool) -> Side:
    """Put rows into windows of time.

    Parameters
    ----------
    desk : Desk
        Where they are counted.
    side : Side
        As ``by_day`` gives it.
    spans : sequence of Span
        In the order of their starts; they may overlap.
    fine : bool
        They start or end within days.

    Returns
    -------
    Side
        Windows without rows are left out; ``whole`` is said of each.
    """
    days = side.all_days
    if not spans or not days:
        return replace(side, spans=(), counts=())
    edges = _edges(spans)
    pieces = np.zeros(len(edges), np.int64)
    found = desk.engine.days(_limited(side.source, edges), buckets=edges) if fine else days
    for moment, rows in found.items():
        if moment >= edges[0]:
            pieces[bisect_right(edges, moment) - 1] += rows
    sizes = _chosen(spans, edges) @ pieces[:-1]
    first = side.source.since or min(days)
    last = next_midnight(max(days), desk.zone)
    kept = [
        (replace(s, whole=first <= s.start and s.end <= last), int(n)) for s, n in zip(spans, sizes, strict=True) if n
    ]
    return replace(side, spans=tuple(s for s, _ in kept), counts=tuple(n for _, n in kept), fine=fine)


def in_rows(desk: Desk, source: Rows, *, size: int) -> Side:
    """Put rows into windows of so many, in the order of ``event_at``, ``row_number``.

    Parameters
    ----------
    desk : Desk
        Where they are counted.
    source : Rows
        The rows.
    size : int
        Rows in a window; the last one may have fewer.

    Returns
    -------
    Side

    Raises
    ------
    Unreadable
        Rows are lost.
    """
    rows = desk.engine.row_windows(source, desk.grids, size=size)
    events = rows.column("event_at")
    spans, counts = [], []
    for place, first in enumerate(range(0, rows.num_rows, size)):
        after = min(first + size, rows.num_rows)
        ends = [events[at].as_py() for at in (first, after - 1)]
        start, end = (_EPOCH if e is None else e.replace(tzinfo=UTC) for e in ends)
        spans.append(Span(bucket=_EPOCH + place * INSTANT, start=start, end=end, whole=after - first == size))
        counts.append(after - first)
    ids = rows.column("row_id").combine_chunks()
    return Side(source=source, spans=tuple(spans), counts=tuple(counts), size=size, row_ids=ids)


def newest(side: Side, count: int) -> Side:
    """Keep only the newest windows.

    Parameters
    ----------
    side : Side
        In windows.
    count : int
        How many, at least 1.

    Returns
    -------
    Side
    """
    return replace(side, spans=side.spans[-count:], counts=side.counts[-count:])


def cubes_of(desk: Desk, sides: Sequence[Side]) -> Iterator[tuple[str, tuple[Cube, ...]]]:
    """Count the windows of several sides column by column.

    Parameters
    ----------
    desk : Desk
        Its grids are the columns that are wanted.
    sides : sequence of Side
        In windows.

    Yields
    ------
    (str, tuple of Cube)
        Column id, and for each side a cube whose windows are its spans; without keys where nothing was counted.
    """
    for at in range(0, len(desk.grids), COLUMNS_AT_ONCE):
        some = desk.grids[at : at + COLUMNS_AT_ONCE]
        found = [_cubes(desk, side, some) for side in sides]
        empty = [cube([None] * len(side.spans)) for side in sides]
        for grid in some:
            name = grid.column_id
            yield name, tuple(known.get(name, none) for known, none in zip(found, empty, strict=True))


def next_midnight(moment: datetime, zone: ZoneInfo) -> datetime:
    """Give the moment at which the next day begins in a zone.

    Parameters
    ----------
    moment : datetime
        Aware.
    zone : ZoneInfo
        Whose day.

    Returns
    -------
    datetime
        In UTC, after the moment.
    """
    day = day_in(zone, moment)
    return next(m for m in (moment_in(zone, day + ahead) for ahead in (1, 2)) if m > moment)


def micros(moments: Sequence[datetime]) -> npt.NDArray[np.int64]:
    """Give aware times as microseconds after 1970.

    Parameters
    ----------
    moments : sequence of datetime
        Aware.

    Returns
    -------
    array of int
    """
    return pa.array([naive(m) for m in moments], pa.timestamp("us")).cast(pa.int64()).to_numpy()


def _cubes(desk: Desk, side: Side, grids: Sequence[Grid]) -> dict[str, Cube]:
    if not side.spans:
        return {}
    if side.size:
        source = side.source
        counts = desk.engine.counts(
            source.files, grids, buckets=side.size, since=source.since, until=source.until, without=source.without
        )
        return cubes(counts, [s.bucket for s in side.spans])
    edges = _edges(side.spans)
    if side.fine:
        rows = _limited(side.source, edges)
        counts = desk.engine.counts(
            rows.files, grids, buckets=edges, since=rows.since, until=rows.until, without=rows.without
        )
    elif side.elsewhere is not None:
        counts = side.elsewhere(grids, _by_edge(side.days, edges))
    else:
        counts = _of_days(desk, side, grids, edges=edges)
    found, pieces = cubes(counts, edges[:-1]), _chosen(side.spans, edges)
    if [(s.start, s.end) for s in side.spans] == list(pairwise(edges)):  # end to end: each piece is a window
        return found
    return {name: pieces_of.selected(pieces) for name, pieces_of in found.items()}


def _of_days(desk: Desk, side: Side, grids: Sequence[Grid], *, edges: Sequence[datetime]) -> pa.Table:
    days = _by_edge(side.days, edges)
    table = desk.store.day_counts.windows(
        desk.model, days, columns=[g.column_id for g in grids], batch_ids=side.batch_ids
    )
    source, own = side.source, bisect_right(edges, side.rest_day) - 1
    if side.rest is None or not side.rest_rows or not 0 <= own < len(edges) - 1:
        return table
    read = desk.engine.counts(
        source.files, grids, buckets="one", since=source.since, until=side.rest, without=source.without
    )
    return pa.concat_tables([table, in_bucket(read, edges[own])]).cast(COUNTS)


def _by_edge(days: Iterable[datetime], edges: Sequence[datetime]) -> dict[datetime, datetime]:
    """Give each day between the edges the edge that it comes after."""
    places = {day: bisect_right(edges, day) - 1 for day in days}
    return {day: edges[place] for day, place in places.items() if 0 <= place < len(edges) - 1}


def _edges(spans: Sequence[Span]) -> list[datetime]:
    """Give all starts and ends: what lies between two of them is in a window as a whole, or not at all."""
    return sorted({s.start for s in spans} | {s.end for s in spans})


def _chosen(spans: Sequence[Span], edges: Sequence[datetime]) -> npt.NDArray[np.bool_]:
    """Say which pieces between edges each window is made of."""
    at = micros(edges)[:-1]
    starts, ends = micros([s.start for s in spans]), micros([s.end for s in spans])
    return np.asarray((starts[:, None] <= at) & (at < ends[:, None]))


def _limited(source: Rows, edges: Sequence[datetime]) -> Rows:
    since = edges[0] if source.since is None else max(edges[0], source.since)
    until = edges[-1] if source.until is None else min(edges[-1], source.until)
    return replace(source, since=since, until=until)
