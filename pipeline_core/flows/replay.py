"""What would the watch have said of a history? Replay: the past once more, through the same code, in a scratch home.

The model as it stood when its champion was made is linked into a scratch home; a file of later rows is cut into windows,
and each window is received, scored and labelled by the ordinary flows; then it is checked once. Neighbours: ``history``
reads and cuts the file, ``store.scratch`` makes the home, ``intake`` and ``watch`` do what they always do. It refuses to
write anything into the home that it was asked in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TypedDict, Unpack

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline_core.engines.duck import DuckEngine
from pipeline_core.errors import InvalidDefinition, NotEnough, PipelineError
from pipeline_core.flows import history, intake, sandbox, watch
from pipeline_core.flows.arrival import arrive
from pipeline_core.flows.compute import Compute, Progress, in_process
from pipeline_core.flows.history import LeftOut, Past, Piece
from pipeline_core.flows.labelling import ROW_ID
from pipeline_core.flows.replayed import ReplayReport, ReplayWindow, parse_delay
from pipeline_core.flows.times import parse_time
from pipeline_core.flows.watched import cut, watched
from pipeline_core.flows.windows import Length, fitting, parse, zone_of
from pipeline_core.records import (
    Alert,
    AlertLevel,
    BatchReport,
    BatchStatus,
    ModelVersion,
    Reading,
    Schema,
    TimeUnit,
    WindowReport,
)
from pipeline_core.stages import alerts
from pipeline_core.store.home import Store

DATA_QUALITY = "data_quality"
"""The reason of a window whose batch the door refused, or in which it found what no world makes by itself."""

_BY, _WHY = "replay", "A replay takes every batch in, so that its drift is measured as well."
_READ, _SENT, _CHECKED = 0.08, 0.85, 0.99
_LEVELS = (AlertLevel.PAGE, AlertLevel.WATCH, AlertLevel.NONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sent:
    """A piece, the batch that it became, and what the door raised about it; no batch: nobody could take it in."""

    piece: Piece
    batch: BatchReport | None
    alerts: tuple[Alert, ...] = ()
    refused: bool = False
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Run:
    """One replay: what is sent into which home, and when it happened."""

    home: Store
    schema: Schema
    champion: ModelVersion
    past: Past
    order: npt.NDArray[np.int64]
    event_at: npt.NDArray[np.datetime64]
    before: npt.NDArray[np.datetime64]
    folder: Path
    source: str
    progress: Progress


class Asked(TypedDict, total=False):
    """How a history is replayed, and how its file is read."""

    window: str | None
    label_delay: str | None
    until: datetime | date | str | float | None
    source: str | None
    reading: Reading | None


def replay(
    store: Store,
    model: str,
    path: Path | str,
    *,
    progress: Progress | None = None,
    compute: Compute = sandbox.confined,
    **asked: Unpack[Asked],
) -> ReplayReport:
    """Say what the watch would have said of a history, window by window; the home is left untouched.

    Parameters
    ----------
    store : Store
        The home.
    model : str
        The model's name; it needs a champion.
    path : Path or str
        The history: later rows, with or without those that the champion was made from, with or without the target.
    progress : callable, optional
        Is told the share done (0-1) and what is being done.
    compute : callable
        Where the file is read; what comes of it is sent on in this process.
    **asked
        ``window``: as ``check`` takes it; none: the shortest that fits. ``label_delay``: how long after its event the truth
        about a row is known (``30d``, ``12h``, or ``500rows`` where nothing else is counted); none: it comes with the row.
        ``until``: the end of the past, exclusive, as ``parse_time`` takes it; none: the last event. ``source``: what a
        person calls the file. ``reading``: how it is to be read where its content leaves that open.

    Returns
    -------
    ReplayReport

    Raises
    ------
    NotFound
        No such model or file.
    NotEnough
        The model has no champion, or no row of the file is news to it.
    Unreadable, Doubtful
        As ``receive``.
    InvalidDefinition
        A window, delay or end that does not fit the model.
    """
    tell = progress or _nobody_listens
    schema, champion = store.models.schema(model), store.models.champion(model)
    if champion is None:
        raise NotEnough(
            f"Model {model!r} has no champion, so there is nobody to replay a history for; one promoted version is needed."
            " Train a version and promote it first."
        )
    delay, end = parse_delay(asked.get("label_delay"), schema), _until(asked.get("until"), schema)
    window = asked.get("window")
    wanted = None if window is None else _length(window, schema)
    arrived = arrive(store, path, source=asked.get("source"), reading=asked.get("reading"))
    tell(0.0, "Reading the history")
    with store.work_dir() as folder:
        past = history.read(store, schema, arrived, folder=folder, compute=compute)
        part = history.known_part(store, champion, folder=folder)
        tell(_READ, "Copying the model into a scratch home")
        with store.scratch(part) as home:
            known = home.batches.rows_paths(model)
            order, left_out = history.news(past, schema, champion, known=known, until=end)
            if not len(order):
                raise NotEnough(_nothing(arrived.source, champion, past.typed.num_rows, left_out))
            run = _Run(
                home=home,
                schema=schema,
                champion=champion,
                past=past,
                order=order,
                event_at=past.event_at[order],
                before=_watched_before(known, champion, schema),
                folder=folder,
                source=arrived.source,
                progress=tell,
            )
            length = wanted or _fitting(run)
            sent = _send(run, length, late=delay is not None)
            if delay is not None:
                _label(run, sent, history.known_labels(run.event_at, schema.time_unit, delay=delay, until=end))
            tell(_SENT, "Checking")
            said = watch.check(home, model, window=str(length))
            windows = _windows(run, length, said.windows, sent)
            tell(_CHECKED, "Putting the answer together")
            return ReplayReport(
                model=model,
                version=champion.version,
                window=said.window,
                source=arrived.source,
                rows=past.typed.num_rows,
                replayed_rows=len(order),
                left_out=left_out,
                batches=len(sent),
                quarantined=sum(s.refused for s in sent),
                label_delay=asked.get("label_delay") or "0",
                until=end,
                reference=next((w.performance.reference for w in said.windows), None),
                windows=windows,
                baseline=said.baseline,
                rule=said.rule,
            )


# --- what was asked -----------------------------------------------------------------------------


def _until(until: datetime | date | str | float | None, schema: Schema) -> datetime | None:
    end = parse_time(until, schema)
    if end is not None and schema.time is None:
        raise InvalidDefinition(
            f"Model {schema.model!r} has no event time, so a history of it has no end but its last row. Leave --until away."
        )
    return end


def _length(window: str, schema: Schema) -> Length:
    length = parse(window, schema.time_unit)
    if schema.time is None and not length.rows:
        raise InvalidDefinition(
            f"Window {window!r} is a time, but model {schema.model!r} has no event time: all of a history would fall into one"
            " window. Ask for windows in rows, such as 1000rows."
        )
    return length


def _fitting(run: _Run) -> Length:
    if run.schema.time is None:
        return fitting({}, TimeUnit.ROW)
    return fitting(history.days_of(run.event_at, run.schema), run.schema.time_unit, zone=zone_of(run.schema))


def _nothing(source: str, champion: ModelVersion, rows: int, left: LeftOut) -> str:
    return (
        f"File {source!r} has {rows:,} rows, and none is left to replay: version {champion.version} was made from {left.trained_rows:,} of"
        f" them or from later ones, {left.later_rows:,} are not before the end, {left.untimed_rows:,} have no event time. Give a"
        " history that goes on after the champion's training data."
    )


def _watched_before(known: Sequence[Path], champion: ModelVersion, schema: Schema) -> npt.NDArray[np.datetime64]:
    """Give the times of the hold-out's rows: the watch begins with them."""
    since = champion.dataset.holdout_from
    if since is None or schema.time is None or not known:
        return np.empty(0, "datetime64[us]")
    at = pa.concat_tables(pq.read_table(path, columns=["event_at"]) for path in known).column("event_at")
    later = at.filter(pc.greater_equal(at, pa.scalar(since.replace(tzinfo=None), pa.timestamp("us"))))
    times: npt.NDArray[np.datetime64] = later.to_numpy()
    return times


# --- sending ------------------------------------------------------------------------------------


def _send(run: _Run, length: Length, *, late: bool) -> list[_Sent]:
    """Receive and score piece by piece; labels that come late are not in the pieces."""
    cut = history.pieces(run.event_at, run.schema, length, before=run.before)
    without = run.schema.target.name if late else None
    sent: list[_Sent] = []
    paths = history.write_pieces(run.past, run.order, cut, folder=run.folder, without=without)
    for number, (piece, path) in enumerate(zip(cut, paths, strict=True)):
        share = _READ + (_SENT - _READ) * number / len(cut)
        run.progress(share, f"Batch {number + 1:,} of {len(cut):,}: {piece.rows:,} rows")
        sent.append(_received(run, piece, path))
    return sent


def _received(run: _Run, piece: Piece, path: Path) -> _Sent:
    home, model = run.home, run.schema.model
    try:
        batch = intake.receive(home, model, path, source=run.source, compute=in_process)
        said = alerts.batch_alerts(batch, shares=run.champion.shap_shares, policy=home.policy)
        refused = batch.status is BatchStatus.QUARANTINED
    except PipelineError as error:
        return _Sent(piece=piece, batch=None, refused=True, why=error.message)
    try:
        if refused:
            batch = intake.readmit(home, model, batch.batch_id, by=_BY, reason=_WHY, compute=in_process)
        intake.score(home, model, batch_id=batch.batch_id)
    except PipelineError as error:
        taken = batch if batch.status is BatchStatus.ACCEPTED else None
        return _Sent(piece=piece, batch=taken, alerts=said, refused=refused, why=error.message)
    return _Sent(piece=piece, batch=batch, alerts=said, refused=refused)


def _label(run: _Run, sent: Iterable[_Sent], known: npt.NDArray[np.bool_]) -> None:
    """Send the truth that was known by the end, joined by row id."""
    target = run.schema.target.name
    if target not in run.past.arrived.column_names:
        return
    truth = run.past.arrived.column(target).take(pa.array(run.order))
    ids, places = [], []
    for one in sent:
        if one.batch is None:
            continue
        rows = run.home.batches.read_rows(run.schema.model, one.batch.batch_id).select(["row_id", "row_number"])
        place = rows.column("row_number").to_numpy() + one.piece.first
        ids.append(rows.column("row_id").filter(pa.array(known[place])))
        places.append(place[known[place]])
    table = pa.table({ROW_ID: pa.chunked_array([c for i in ids for c in i.chunks], pa.string()), target: truth.take(pa.array(np.concatenate(places)))}) if places else None  # fmt: skip
    if table is None or not pc.sum(pc.is_valid(table.column(target))).as_py():
        return
    path = run.folder / "truth.parquet"
    pq.write_table(table, path)
    intake.labels(run.home, run.schema.model, path, source=run.source, compute=in_process)


# --- saying -------------------------------------------------------------------------------------


def _windows(
    run: _Run, length: Length, reports: Sequence[WindowReport], sent: Sequence[_Sent]
) -> tuple[ReplayWindow, ...]:
    """Put what the check and the door said together, window by window, in time order."""
    said: list[ReplayWindow] = []
    told: set[int] = set()
    shared = _in_rows(run, length, sent) if length.rows else [_in_time(run, sent, report) for report in reports]
    for report, here in zip(reports, shared, strict=True):
        rows = sum(n for _, n in here)
        if rows:
            said.append(_said(report, [s for s, _ in here], rows))
            told |= {s.piece.first for s, _ in here}
    said += [_unread(run, s) for s in sent if s.batch is None and s.piece.first not in told]
    return tuple(sorted(said, key=lambda w: w.start))


def _in_time(run: _Run, sent: Iterable[_Sent], report: WindowReport) -> list[tuple[_Sent, int]]:
    """Give the pieces with rows in a window, and how many."""
    low, high = (np.datetime64(t.replace(tzinfo=None), "us") for t in (report.start, report.end))
    first, last = (int(np.searchsorted(run.event_at, edge)) for edge in (low, high))
    shared = ((s, min(last, s.piece.last) - max(first, s.piece.first)) for s in sent if s.batch is not None)
    return [(s, rows) for s, rows in shared if rows > 0]


def _in_rows(run: _Run, length: Length, sent: Sequence[_Sent]) -> list[list[tuple[_Sent, int]]]:
    """Give the pieces with rows in each window of so many rows, and how many; those that nobody took in are in none."""
    # by row id: where many rows share a moment, the watch does not put them in the order in which they were sent
    with run.home.work_dir() as work, DuckEngine(work=work) as engine:
        laid = cut(run.home, engine, watched(run.home, run.champion), window=str(length))
    found: list[list[tuple[_Sent, int]]] = [[] for _ in laid.spans]
    left = np.ones(sum(laid.rows), bool)
    for one in reversed(sent):  # a row that came twice counts where it came last
        if one.batch is None:
            continue
        (path,) = run.home.batches.rows_paths(run.schema.model, [one.batch.batch_id])
        ids = pq.read_table(path, columns=["row_id"]).column("row_id")
        places = np.unique(pc.drop_null(pc.index_in(ids, value_set=laid.row_ids)).to_numpy())
        places = places[left[places]]
        left[places] = False
        for number, rows in zip(*np.unique(places // length.rows, return_counts=True), strict=True):
            found[number].insert(0, (one, int(rows)))
    return found


def _said(report: WindowReport, sent: Sequence[_Sent], rows: int) -> ReplayWindow:
    ranked = sorted((f for f in report.features if not f.calendar), key=lambda f: -f.contribution)
    door = [alert for s in sent for alert in s.alerts]
    codes = dict.fromkeys([*report.codes, *([DATA_QUALITY] if door else [])])
    return ReplayWindow(
        start=report.start,
        end=report.end,
        rows=report.rows,
        alert=min([report.alert, *(a.level for a in door)], key=_LEVELS.index),
        reasons=tuple(codes),
        weighted_drift=report.weighted_drift,
        drifted_features=tuple(f.feature for f in ranked if f.drifted),
        top_feature=next((f.feature for f in ranked if f.contribution > 0), None),
        calibrated=report.calibrated,
        realised=report.performance.metrics,
        messages=(*report.reasons, *(a.message for a in door)),
        replayed_rows=rows,
        labelled_rows=report.performance.labelled_rows,
        weighted_limit=report.weighted_limit,
        prediction_effect=report.prediction_drift.effect,
        prediction_drifted=report.prediction_drift.drifted,
        performance_dropped=report.performance.dropped,
        quarantined=any(s.refused for s in sent),
    )


def _unread(run: _Run, sent: _Sent) -> ReplayWindow:
    """Tell of a piece that is in no window, because nobody could take it in."""
    first, last = (run.event_at[i].astype("datetime64[us]").item() for i in (sent.piece.first, sent.piece.last - 1))
    return ReplayWindow(
        start=first.replace(tzinfo=UTC),
        end=last.replace(tzinfo=UTC),
        rows=sent.piece.rows,
        replayed_rows=sent.piece.rows,
        alert=AlertLevel.PAGE,
        reasons=(DATA_QUALITY,),
        messages=tuple(m for m in (*(a.message for a in sent.alerts), sent.why) if m),
        quarantined=True,
        unread=True,
    )


def _nobody_listens(_share: float, _message: str) -> None:
    return
