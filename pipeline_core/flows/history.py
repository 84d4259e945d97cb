"""What a file of the past holds for a model: which of its rows are news to the champion, and as which batches they came.

Neighbours: ``taking`` reads the file in a confined child, ``windows`` lays the calendar, ``replay`` sends the pieces
through the ordinary flows. It refuses rows that the champion was made from, and those that no watch would look at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline_core.clock import midnight
from pipeline_core.engines.duck import DuckEngine
from pipeline_core.flows.arrival import Arrived, unpack
from pipeline_core.flows.compute import Compute
from pipeline_core.flows.windows import Length, limit, spans, zone_of
from pipeline_core.records import ModelVersion, Schema, TimeUnit
from pipeline_core.stages import validation
from pipeline_core.store.home import Store
from pipeline_core.store.scratch import Part, Shortened

SAME_SHARE_MIN = 0.5
"""Without ids and times, rows equal to the champion's are taken for the same ones from this share of either side on."""

BATCHES_MAX = 400
"""Pieces at most (about 0.2 s each): of more windows, several come in one batch, and share what the door says of it."""

_SLICE_ROWS = 65_536
_QUARTER = 15
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SPREAD = np.uint64(0x9E37_79B9_7F4A_7C15)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """Rows of the file that are not replayed, by why.

    ``trained_rows``: the champion was made from them, or they are earlier than its hold-out, so that no window holds
    them. ``later_rows`` are not before the end that was asked for; ``untimed_rows`` have no event time where the model
    has one.
    """

    trained_rows: int = 0
    later_rows: int = 0
    untimed_rows: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Past:
    """A file as it arrived, and typed, row by row."""

    arrived: pa.Table
    typed: pa.Table

    @property
    def event_at(self) -> npt.NDArray[np.datetime64]:
        """When each row happened, UTC in microseconds; NaT where nobody knows."""
        return self.typed.column("event_at").to_numpy()


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Rows ``first`` to before ``last`` of the replayed ones, which come as one batch."""

    first: int
    last: int

    @property
    def rows(self) -> int:
        """How many."""
        return self.last - self.first


# --- reading ------------------------------------------------------------------------------------


def read(store: Store, schema: Schema, arrived: Arrived, *, folder: Path, compute: Compute) -> Past:
    """Read a file in a confined child and type what came of it.

    Parameters
    ----------
    store : Store
        Whose policy limits what is read.
    schema : Schema
        The newest of the model: as a file is held against it at the door.
    arrived : Arrived
        The file.
    folder : Path
        Where the child may write.
    compute : callable
        Where the file is read.

    Returns
    -------
    Past

    Raises
    ------
    Unreadable
        The file is no table of an allowed format.
    Doubtful
        It can be read in two ways, and nobody has said which is right.
    """
    seen = unpack(store, replace(arrived, remembered=schema.reading), folder=folder, compute=compute)
    typing = validation.Typing(schema, sha256=arrived.sha256, received_at=arrived.received_at)
    with pq.ParquetFile(seen.arrived) as file:
        parts = [pa.Table.from_batches([part]) for part in file.iter_batches(batch_size=_SLICE_ROWS)]
        typed = [typing.rows(part) for part in parts]
    return Past(arrived=pa.concat_tables(parts), typed=pa.concat_tables(typed))


# --- what the champion knows --------------------------------------------------------------------


def known_part(store: Store, champion: ModelVersion, *, folder: Path) -> Part:
    """Say what of a model the champion was made from: all that a replay begins with.

    Batches that go on after the dataset ends are shortened to it, so that nothing of the present is in the past.

    Parameters
    ----------
    store : Store
        The home.
    champion : ModelVersion
        Of the model.
    folder : Path
        Where shortened rows are written.

    Returns
    -------
    Part
    """
    model, dataset = champion.model, champion.dataset
    shortened: dict[str, Shortened] = {}
    for batch_id in dataset.batches if dataset.holdout_from else ():
        last = store.batches.get(model, batch_id).last_event_at
        if last is not None and dataset.last_event_at is not None and last > dataset.last_event_at:
            shortened[batch_id] = _shortened(store, champion, batch_id, until=dataset.last_event_at, folder=folder)
    return Part(model=model, version=champion.version, batches=dataset.batches, shortened=shortened)


def _shortened(store: Store, champion: ModelVersion, batch_id: str, *, until: datetime, folder: Path) -> Shortened:
    model = champion.model
    report = store.batches.get(model, batch_id)
    schema = store.models.schema(model, report.schema_version)
    rows = pq.read_table(store.batches.rows_paths(model, [batch_id])[0])
    rows = rows.filter(
        pc.less_equal(rows.column("event_at"), pa.scalar(until.replace(tzinfo=None), pa.timestamp("us")))
    )
    path, counting = folder / f"{batch_id}.parquet", folder / f"{batch_id}.counted.parquet"
    pq.write_table(rows, path, compression="zstd")
    replaced = store.repeats.replaced(model, [batch_id]).column("row_number")
    pq.write_table(rows.filter(pc.invert(pc.is_in(rows.column("row_number"), value_set=replaced))), counting)
    with DuckEngine(work=folder) as engine:
        counts = engine.counts([counting], schema.grids, buckets=zone_of(schema))
    return Shortened(
        report=replace(report, rows=rows.num_rows, last_event_at=until, labelled_rows=min(report.labelled_rows, rows.num_rows)),
        rows=path,
        counts=counts,
    )  # fmt: skip


# --- what is replayed ---------------------------------------------------------------------------


def news(
    past: Past, schema: Schema, champion: ModelVersion, *, known: Sequence[Path], until: datetime | None
) -> tuple[npt.NDArray[np.int64], LeftOut]:
    """Choose the rows that are replayed, in the order in which they happened.

    Parameters
    ----------
    past : Past
        The file.
    schema : Schema
        Of the model.
    champion : ModelVersion
        Who was made from some of the rows, perhaps.
    known : sequence of Path
        The typed rows that it was made from.
    until : datetime, optional
        Only rows that happened before.

    Returns
    -------
    array of int, LeftOut
        Places in the file.
    """
    since = champion.dataset.holdout_from if schema.time is not None else None
    event_at = past.event_at
    timed = ~np.isnat(event_at) if schema.time is not None else np.ones(len(event_at), bool)
    late = np.zeros(len(event_at), bool) if until is None else timed & (event_at >= _naive(until))
    seen = np.zeros(len(event_at), bool)
    if since is not None:
        seen = timed & ~late & (event_at < _naive(since))
    left = np.flatnonzero(timed & ~late & ~seen)
    seen[left[_made_from(past.typed.take(pa.array(left)), schema, known=known, since=since)]] = True
    chosen = np.flatnonzero(timed & ~late & ~seen)
    ordered = chosen[np.argsort(event_at[chosen], kind="stable")] if schema.time is not None else chosen
    return ordered, LeftOut(trained_rows=int(seen.sum()), later_rows=int(late.sum()), untimed_rows=int((~timed).sum()))


def _made_from(
    typed: pa.Table, schema: Schema, *, known: Sequence[Path], since: datetime | None
) -> npt.NDArray[np.bool_]:
    """Say which rows the champion was made from: by their id, or else by all that is in them."""
    columns = ["row_id"] if schema.id is not None else [c.column_id for c in schema.features]
    columns += ["event_at"] if schema.id is None and schema.time is not None else []
    tables = [pq.read_table(path, columns=list(dict.fromkeys([*columns, "event_at"]))) for path in known]
    if not tables or not typed.num_rows:
        return np.zeros(typed.num_rows, bool)
    before = pa.concat_tables(tables)
    if since is not None:
        before = before.filter(
            pc.greater_equal(before.column("event_at"), pa.scalar(since.replace(tzinfo=None), pa.timestamp("us")))
        )
    same = np.isin(_names(typed.select(columns)), _names(before.select(columns)))
    if schema.id is None and schema.time is None and same.sum() < SAME_SHARE_MIN * min(typed.num_rows, before.num_rows):
        return np.zeros(typed.num_rows, bool)  # some rows are always equal by chance
    return same


def _names(rows: pa.Table) -> npt.NDArray[np.uint64]:
    """Name each row by its content; of equal rows the second has another name than the first."""
    if not rows.num_rows:
        return np.empty(0, np.uint64)
    content = pd.util.hash_pandas_object(rows.to_pandas(), index=False)
    turn = content.groupby(content).cumcount().to_numpy().astype(np.uint64)
    names: npt.NDArray[np.uint64] = content.to_numpy().astype(np.uint64) ^ (turn * _SPREAD)
    return names


# --- pieces -------------------------------------------------------------------------------------


def days_of(event_at: npt.NDArray[np.datetime64], schema: Schema) -> dict[datetime, int]:
    """Count rows by the day of the model's zone.

    Parameters
    ----------
    event_at : array of datetime64
        UTC.
    schema : Schema
        Says the zone.

    Returns
    -------
    dict of datetime to int
        Midnight to rows, in time order.
    """
    zone = zone_of(schema)
    days: dict[datetime, int] = {}
    quarters = (
        event_at.astype("datetime64[m]").astype(np.int64) // _QUARTER * _QUARTER
    )  # zones are whole quarters of an hour
    for minute, rows in zip(*np.unique(quarters, return_counts=True), strict=True):
        day = midnight(_EPOCH + timedelta(minutes=int(minute)), zone)
        days[day] = days.get(day, 0) + int(rows)
    return dict(sorted(days.items()))


def pieces(
    event_at: npt.NDArray[np.datetime64], schema: Schema, length: Length, *, before: npt.NDArray[np.datetime64]
) -> tuple[Piece, ...]:
    """Cut the replayed rows into batches as windows are cut.

    Parameters
    ----------
    event_at : array of datetime64
        Of the replayed rows, in order.
    schema : Schema
        Of the model.
    length : Length
        Of the windows; rolling ones come in batches of their step.
    before : array of datetime64
        Of the rows that are watched already: windows begin with the first of them.

    Returns
    -------
    tuple of Piece
        At most ``BATCHES_MAX``; of more windows several come in one batch.

    Raises
    ------
    InvalidDefinition
        There would be more than 1,000 windows.
    """
    if length.rows:
        first = -len(before) % length.rows
        cuts = np.arange(first, len(event_at), length.rows)
    else:
        days = days_of(np.concatenate([before, event_at]), schema)
        calendar = spans(length.every or length, days, schema.time_unit, zone=zone_of(schema))
        cuts = np.searchsorted(event_at, np.array([_naive(s.start) for s in calendar], "datetime64[us]"))
    places = np.unique(np.concatenate([[0], cuts, [len(event_at)]]))
    limit(length, len(places) - 1)
    together = -(
        -(len(places) - 1) // BATCHES_MAX
    )  # the same number of windows in each, or the door wonders at their size
    places = np.append(places[:-1:together], places[-1])
    return tuple(Piece(first=int(a), last=int(b)) for a, b in pairwise(places))


def write_pieces(
    past: Past, order: npt.NDArray[np.int64], cut: Sequence[Piece], *, folder: Path, without: str | None
) -> Iterator[Path]:
    """Write each batch as a file, one at a time.

    Parameters
    ----------
    past : Past
        The file.
    order : array of int
        Places of the replayed rows.
    cut : sequence of Piece
        The batches.
    folder : Path
        Where to.
    without : str, optional
        A column that was not known yet when the batch came.

    Yields
    ------
    Path
        Gone when the next one is asked for.
    """
    kept = [name for name in past.arrived.column_names if name != without]
    table = past.arrived.select(kept).take(pa.array(order))
    for number, piece in enumerate(cut):
        path = folder / f"piece-{number:04d}.parquet"
        part = table.slice(piece.first, piece.rows)
        # two windows may hold the same rows, which are two batches all the same
        pq.write_table(part.replace_schema_metadata({"piece": str(number)}), path, compression="none")
        yield path
        path.unlink(missing_ok=True)


def known_labels(
    event_at: npt.NDArray[np.datetime64], unit: TimeUnit, *, delay: timedelta | int, until: datetime | None
) -> npt.NDArray[np.bool_]:
    """Say of which rows the truth is known in the end.

    Parameters
    ----------
    event_at : array of datetime64
        Of the replayed rows, in order.
    unit : TimeUnit
        How event time is counted.
    delay : timedelta or int
        How long after its event a label is known; a number of rows where nothing else is counted.
    until : datetime, optional
        The end; the last event, unless said.

    Returns
    -------
    array of bool
    """
    if unit is TimeUnit.NONE or isinstance(delay, int):
        return np.arange(len(event_at)) + int(delay) < len(event_at)  # type: ignore[arg-type]
    end = event_at[-1] if until is None else _naive(until)
    known: npt.NDArray[np.bool_] = event_at + np.timedelta64(delay) <= end
    return known


def _naive(moment: datetime) -> np.datetime64:
    return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "us")
