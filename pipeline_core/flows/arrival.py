"""How a file becomes a batch: hashed, taken in by a confined child, judged, kept; accepted or quarantined as a whole.

Neighbours: ``taking`` is what the child does, ``judging`` what the door says, ``definition`` makes the schema that a file is held against, ``intake``,
``labelling`` and ``feeds`` start from what arrived. It refuses to accept the same content twice, to count a quarantined
batch, and to parse what a stranger sent in the process that owns the store.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from pipeline_core.errors import InvalidDefinition
from pipeline_core.flows import sandbox, taking
from pipeline_core.flows.compute import Compute
from pipeline_core.flows.judging import Judged, judge
from pipeline_core.flows.taking import Raw, Taken, TakeRequest, UnpackRequest, UnpackResult
from pipeline_core.records import BatchReport, BatchStatus, ColumnArrival, Finding, Reading, Ruling, Schema, Severity
from pipeline_core.sources import files
from pipeline_core.stages import alerts
from pipeline_core.store.home import Store

Advance = tuple[str, str]
"""The name of a feed, and how far it has been read once the batch is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """A file in hand: where it lies, its name by content, what a person calls it, how it is to be read.

    ``reading`` is what somebody asked for; ``remembered`` settles what neither that nor the content does. ``advance``:
    the feed that it came by and how far that has been read with it, kept in the same transaction.
    """

    path: Path
    sha256: str
    source: str
    received_at: datetime
    reading: Reading
    remembered: Reading = field(default_factory=Reading)
    advance: Advance | None = None

    def raw(self, store: Store) -> Raw:
        """Give it as the child takes it."""
        return Raw(
            path=self.path,
            name=self.source,
            policy=store.policy,
            reading=self.reading,
            remembered=self.remembered,
        )


def receive(
    store: Store,
    model: str,
    path: Path | str,
    *,
    source: str | None = None,
    reading: Reading | None = None,
    compute: Compute = sandbox.confined,
) -> BatchReport:
    """Check a file against schema and baseline and keep it as a batch.

    Parameters
    ----------
    store : Store
        The home.
    model : str
        The model's name.
    path : Path or str
        CSV, JSON, Parquet, Arrow or Excel; plain, gz or zst.
    source : str, optional
        Where the file comes from, for the record; its name, unless said.
    reading : Reading, optional
        How it is to be read where its content leaves that open; what is not said is read as the first file was.
    compute : callable
        Where the file is read: ``sandbox.confined``, or ``compute.in_process`` for what this process wrote itself.

    Returns
    -------
    BatchReport
        Of a content that is known already: the report of that batch, with ``duplicate`` set. What was quarantined
        is judged again, as the policy or the definition may have changed; accepted, it is a batch of its own.

    Raises
    ------
    NotFound
        No such model or file.
    Unreadable
        The file is no table of an allowed format.
    Doubtful
        It can be read in two ways, and nobody has said which is right.
    """
    store.models.schema(model)  # an unknown model is said before a file is read
    return accept(store, model, arrive(store, path, source=source, reading=reading), compute=compute)


def accept(store: Store, model: str, arrived: Arrived, *, compute: Compute = sandbox.confined) -> BatchReport:
    """Do what ``receive`` does with a file that is in hand.

    Parameters
    ----------
    store : Store
        The home.
    model : str
        The model's name.
    arrived : Arrived
        The file.
    compute : callable
        Where it is read.

    Returns
    -------
    BatchReport
    """
    schema = store.models.schema(model)
    known = store.batches.find(model, arrived.sha256)
    if known is not None and known.status is BatchStatus.ACCEPTED:
        _make_whole(store, known, arrived.path, compute=compute)
        if arrived.advance is not None:
            store.feeds.advance(*arrived.advance, rows=known.rows)
        return replace(known, duplicate=True)
    store.check_space(arrived.path.stat().st_size)
    arrived = replace(arrived, remembered=schema.reading)
    with store.work_dir() as folder:
        taken = take(store, schema, arrived, folder=folder, compute=compute)
        judged = judge(store, schema, taken)
        with store.transaction():
            report = keep(store, schema, arrived=arrived, judged=judged)
            if known is not None and report.status is BatchStatus.ACCEPTED:
                _settle(store, known, report)
    return report


def _settle(store: Store, refused: BatchReport, accepted: BatchReport) -> None:
    """Close a batch, and its alert, whose file was refused before and is accepted now: nobody may take it in twice."""
    why = f"Judged again, the same file was accepted as {accepted.batch_id}."
    ruling = Ruling(decided_by="the door", decided_at=accepted.received_at, reason=why)
    store.batches.rule(refused.model, refused.batch_id, ruling=ruling, status=BatchStatus.DISCARDED)


def again(store: Store, report: BatchReport, path: Path) -> Arrived:
    """Name the file of a batch as it was received, to be read the way it was read then.

    What was used then is no order that can be given now: an order stands above the content, so that a column that
    the content settled otherwise would become text.

    Parameters
    ----------
    store : Store
        Whose clock says when.
    report : BatchReport
        The batch.
    path : Path
        Its file.

    Returns
    -------
    Arrived
    """
    return replace(arrive(store, path, source=report.source, reading=report.asked), remembered=report.remembered)


def mend(store: Store, report: BatchReport, path: Path, *, compute: Compute = sandbox.confined) -> None:
    """Put the rows of an accepted batch back whose file is lost, from the file as it was received.

    Parameters
    ----------
    store : Store
        The home.
    report : BatchReport
        The batch.
    path : Path
        Its file.
    compute : callable
        Where it is read.

    Raises
    ------
    InvalidDefinition
        Read again, it gives other rows; nothing is put back.
    Unreadable, Doubtful
        It cannot be read any more.
    """
    schema = store.models.schema(report.model, report.schema_version)
    with store.work_dir() as folder:
        taken = take(store, schema, again(store, report, path), folder=folder, compute=compute)
        before, now = ({c.column: _seen(c) for c in columns} for columns in (report.columns, taken.arrivals))
        other = [name for name, seen in before.items() if now.get(name) != seen]
        if other:
            raise InvalidDefinition(
                f"The file of batch {report.batch_id} ({report.source!r}) no longer gives the rows that the batch had: column"
                f" {other[0]!r} is read otherwise. Nothing is put back; look for the file as it was sent."
            )
        store.batches.mend(report.model, report.batch_id, rows=taken.rows, counts=taken.counts, aside=taken.aside)


def _seen(column: ColumnArrival) -> tuple[object, ...]:
    return column.stored, column.null_share, column.low, column.high, column.distinct


def _make_whole(store: Store, known: BatchReport, path: Path, *, compute: Compute) -> None:
    """Put back what is lost of a batch whose file came again: to send it again is the advice that a loss gives."""
    torn = (loss for loss in store.losses if loss.missing == "rows")
    lost = any((loss.model, loss.sha256) == (known.model, known.sha256) for loss in torn)
    if lost or not store.batches.rows_paths(known.model, [known.batch_id])[0].is_file():
        mend(store, known, path, compute=compute)
    store.batches.mend(known.model, known.batch_id, raw=path)


def arrive(
    store: Store,
    path: Path | str,
    *,
    source: str | None = None,
    reading: Reading | None = None,
    advance: Advance | None = None,
) -> Arrived:
    """Name a file by its content; nothing of it is read yet.

    Parameters
    ----------
    store : Store
        Whose clock says when it came.
    path : Path or str
        The file.
    source : str, optional
        What a person calls it.
    reading : Reading, optional
        What somebody said about how to read it.
    advance : (str, str), optional
        The feed that it came by, and how far that has been read with it.

    Returns
    -------
    Arrived

    Raises
    ------
    NotFound
        No such file.
    """
    return Arrived(
        path=Path(path),
        sha256=files.sha256(path),
        source=source or Path(path).name,
        received_at=store.now(),
        reading=reading or Reading(),
        advance=advance,
    )


def unpack(
    store: Store,
    arrived: Arrived,
    *,
    folder: Path,
    remembered: Reading | None = None,
    compute: Compute = sandbox.confined,
) -> UnpackResult:
    """Let a child write what a file holds as Parquet that this process may read.

    Parameters
    ----------
    store : Store
        Whose policy limits what is read.
    arrived : Arrived
        The file.
    folder : Path
        Where to.
    remembered : Reading, optional
        Settles what neither a person nor the content settles.
    compute : callable
        Where it is read.

    Returns
    -------
    UnpackResult
    """
    arrived = arrived if remembered is None else replace(arrived, remembered=remembered)
    return compute(taking.unpack, UnpackRequest(raw=arrived.raw(store), folder=folder))


def take(store: Store, schema: Schema, arrived: Arrived, *, folder: Path, compute: Compute = sandbox.confined) -> Taken:
    """Let a child type and count a file by a schema that is kept.

    Parameters
    ----------
    store : Store
        Whose policy limits what is read.
    schema : Schema
        Of the model.
    arrived : Arrived
        The file.
    folder : Path
        Where rows and counts are written to.
    compute : callable
        Where it is read.

    Returns
    -------
    Taken
    """
    request = TakeRequest(
        raw=arrived.raw(store),
        folder=folder,
        schema=schema,
        sha256=arrived.sha256,
        received_at=arrived.received_at,
    )
    return compute(taking.take, request)


def keep(store: Store, schema: Schema, *, arrived: Arrived, judged: Judged) -> BatchReport:
    """Keep a judged batch in one transaction, with an alert where it needs a person.

    Parameters
    ----------
    store : Store
        The home.
    schema : Schema
        Kept before, or in the same transaction.
    arrived : Arrived
        The file.
    judged : Judged
        What the door says of it; it is asked again if another batch came in meanwhile.

    Returns
    -------
    BatchReport
    """
    taken = judged.taken
    with store.transaction():
        now = store.batches.next_id(schema.model), store.batches.rows_paths(schema.model)
        if now != (judged.batch_id, judged.against):
            judged = judge(store, schema, taken)
        accepted = judged.status is BatchStatus.ACCEPTED
        kept = store.batches.add(
            _report(schema, arrived, judged),
            raw=arrived.path,
            rows=taken.rows if accepted else None,
            counts=taken.counts if accepted else None,
            measures=judged.measures,
            aside=taken.aside if accepted else None,
        )
        if arrived.advance is not None:
            store.feeds.advance(*arrived.advance, rows=kept.rows)
        if kept.duplicate:
            return kept
        if judged.replaced is not None:
            store.repeats.add(kept, judged.repeats, counts=judged.replaced)
        champion = store.models.champion(schema.model)
        shares = champion.shap_shares if champion else {}
        store.signals.add_alerts(alerts.batch_alerts(kept, shares=shares, policy=store.policy))
    return kept


def first_error(findings: tuple[Finding, ...]) -> str:
    """Give the sentence of the first finding that is an error, or an empty text."""
    return next((f.message for f in findings if f.severity is Severity.ERROR), "")


def _report(schema: Schema, arrived: Arrived, judged: Judged) -> BatchReport:
    taken = judged.taken
    return BatchReport(
        model=schema.model,
        batch_id=judged.batch_id,
        status=judged.status,
        rows=taken.facts.rows,
        sha256=arrived.sha256,
        source=arrived.source,
        received_at=arrived.received_at,
        findings=judged.findings,
        columns=taken.arrivals,
        first_event_at=taken.facts.first_event_at,
        last_event_at=taken.facts.last_event_at,
        schema_version=schema.schema_version,
        set_aside_rows=taken.aside_rows,
        reading=taken.unpacked.reading,
        asked=arrived.reading,
        remembered=arrived.remembered,
        notes=taken.unpacked.notes,
    )
