"""How a file becomes a batch: read, typed, checked, counted, kept; accepted or quarantined as a whole.

Neighbours: ``definition`` makes the schema that it is held against, ``intake`` and ``labelling`` start
from what arrived. It refuses to accept the same content twice, and to count a quarantined batch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline_core.engines.duck import DuckEngine
from pipeline_core.records import BatchReport, BatchStatus, Finding, Schema, Severity
from pipeline_core.sources import files
from pipeline_core.stages import alerts, validation
from pipeline_core.store.home import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """A file in hand: its content as read, its name by content, and what a person calls it."""

    path: Path
    sha256: str
    source: str
    table: pa.Table
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What the door says of typed rows, as long as the next batch is ``batch_id``: no other came in between.

    ``repeats`` are the stored rows that they would replace; ``counts`` by day, of the rows and of those that they
    replace (``taken``), are made only where the batch is to be accepted.
    """

    batch_id: str
    typed: validation.TypedRows
    findings: tuple[Finding, ...]
    repeats: pa.Table
    counts: pa.Table | None = None
    taken: pa.Table | None = None

    @property
    def status(self) -> BatchStatus:
        """Whether the batch is accepted."""
        return validation.decide(self.findings)


def receive(store: Store, model: str, path: Path | str, *, source: str | None = None) -> BatchReport:
    """Check a file against schema and baseline and keep it as a batch.

    Parameters
    ----------
    store : Store
        The home.
    model : str
        The model's name.
    path : Path or str
        CSV, Parquet or JSON lines.
    source : str, optional
        Where the file comes from, for the record; its name, unless said.

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
    """
    schema = store.models.schema(model)
    known = store.batches.find(model, files.sha256(path))
    if known is not None and known.status is BatchStatus.ACCEPTED:
        return replace(known, duplicate=True)
    arrived = arrive(store, path, source=source)
    typed = validation.type_rows(arrived.table, schema, sha256=arrived.sha256, received_at=arrived.received_at)
    return keep(store, schema, arrived=arrived, judged=judge(store, schema, typed))


def arrive(store: Store, path: Path | str, *, source: str | None = None) -> Arrived:
    """Read a file and name its content.

    Parameters
    ----------
    store : Store
        Whose policy limits what is read.
    path : Path or str
        The file.
    source : str, optional
        What a person calls it.

    Returns
    -------
    Arrived

    Raises
    ------
    NotFound
        No such file.
    Unreadable
        It is no table of an allowed format.
    """
    name = source or Path(path).name
    return Arrived(
        path=Path(path),
        sha256=files.sha256(path),
        source=name,
        table=files.read(path, name=name, policy=store.policy),
        received_at=store.now(),
    )


def judge(store: Store, schema: Schema, typed: validation.TypedRows) -> Judged:
    """Check typed rows against schema, baseline and the ids that are known, and count them.

    Parameters
    ----------
    store : Store
        The home.
    schema : Schema
        Of the model; it may not be kept yet.
    typed : TypedRows
        The rows.

    Returns
    -------
    Judged
    """
    batch_id = store.batches.next_id(schema.model)  # first: whatever comes in from here on is noticed by it
    repeats = store.repeats.find(schema, typed.rows)
    judged = Judged(
        batch_id=batch_id,
        typed=typed,
        findings=validation.check(typed, schema, store.policy, repeats=repeats),
        repeats=repeats,
    )
    if judged.status is BatchStatus.QUARANTINED:
        return judged
    return replace(judged, counts=_day_counts(store, schema, typed.rows), taken=_taken(store, schema, repeats))


def keep(store: Store, schema: Schema, *, arrived: Arrived, judged: Judged) -> BatchReport:
    """Keep a judged batch in one transaction, with an alert where it is quarantined.

    Parameters
    ----------
    store : Store
        The home.
    schema : Schema
        Kept before, or in the same transaction.
    arrived : Arrived
        The file.
    judged : Judged
        What the door says of its rows; it is asked again if another batch came in meanwhile.

    Returns
    -------
    BatchReport
    """
    rows = judged.typed.rows
    first, last = _span(rows)
    with store.transaction():
        if store.batches.next_id(schema.model) != judged.batch_id:
            judged = judge(store, schema, judged.typed)
        report = BatchReport(
            model=schema.model,
            batch_id=judged.batch_id,
            status=judged.status,
            rows=rows.num_rows,
            sha256=arrived.sha256,
            source=arrived.source,
            received_at=arrived.received_at,
            findings=judged.findings,
            columns=judged.typed.arrivals,
            first_event_at=first,
            last_event_at=last,
            schema_version=schema.schema_version,
        )
        accepted = judged.status is BatchStatus.ACCEPTED
        kept = store.batches.add(report, raw=arrived.path, rows=rows if accepted else None, counts=judged.counts)
        if kept.duplicate:
            return kept
        if judged.taken is not None:
            store.repeats.add(kept, judged.repeats, counts=judged.taken)
        alert = alerts.batch_alert(kept)
        if alert is not None:
            store.signals.add_alerts([alert])
    return kept


def first_error(findings: tuple[Finding, ...]) -> str:
    """Give the sentence of the first finding that is an error, or an empty text."""
    return next((f.message for f in findings if f.severity is Severity.ERROR), "")


def _day_counts(store: Store, schema: Schema, rows: pa.Table) -> pa.Table:
    # rows without an event time belong to no day; a null bucket would pass for a baseline
    timed = rows.filter(pc.is_valid(rows.column("event_at")))
    with store.work_dir() as work, DuckEngine(work=work) as engine:
        file = work / "rows.parquet"
        pq.write_table(timed, file, compression="none")
        return engine.counts([file], schema.grids, buckets="day")


def _taken(store: Store, schema: Schema, repeats: pa.Table) -> pa.Table | None:
    """Count the rows that will be replaced, by the batch that brought them."""
    parts = []
    for batch_id, rows in store.repeats.rows(schema.model, repeats).items():
        counts = _day_counts(store, schema, rows)
        parts.append(counts.append_column("batch_id", pa.repeat(pa.scalar(batch_id), counts.num_rows)))
    return pa.concat_tables(parts) if parts else None


def _span(rows: pa.Table) -> tuple[datetime | None, datetime | None]:
    ends = pc.min_max(rows.column("event_at")).as_py()
    first, last = (None if ends[end] is None else ends[end].replace(tzinfo=UTC) for end in ("min", "max"))
    return first, last
