"""How a file becomes a batch: read, typed, checked, counted, kept; accepted or quarantined as a whole.

Neighbours: ``definition`` makes the schema that it is held against, ``scoring`` and ``labelling`` start
from what arrived. It refuses to keep the same content twice, and to count a quarantined batch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline_core.engines.duck import DuckEngine
from pipeline_core.records import Alert, AlertLevel, BatchReport, BatchStatus, Finding, Schema, Severity
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
        Of a content that is known already: the report of that batch, with ``duplicate`` set.

    Raises
    ------
    NotFound
        No such model or file.
    Unreadable
        The file is no table of an allowed format.
    """
    schema = store.models.schema(model)
    known = store.batches.find(model, files.sha256(path))
    if known is not None:
        return replace(known, duplicate=True)
    arrived = arrive(store, path, source=source)
    typed = validation.type_rows(arrived.table, schema, sha256=arrived.sha256, received_at=arrived.received_at)
    findings = validation.check(typed, schema, store.policy)
    return keep(store, schema, arrived=arrived, typed=typed, findings=findings)


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
        received_at=datetime.now(UTC),
    )


def keep(
    store: Store, schema: Schema, *, arrived: Arrived, typed: validation.TypedRows, findings: tuple[Finding, ...]
) -> BatchReport:
    """Keep a judged batch in one transaction, with an alert where it is quarantined.

    Parameters
    ----------
    store : Store
        The home.
    schema : Schema
        Kept before, or in the same transaction.
    arrived : Arrived
        The file.
    typed : TypedRows
        Its rows.
    findings : tuple of Finding
        What the check said of them.

    Returns
    -------
    BatchReport
    """
    status = validation.decide(findings)
    accepted = status is BatchStatus.ACCEPTED
    counts = _day_counts(store, schema, typed.rows) if accepted else None
    first, last = _span(typed.rows)
    with store.transaction():
        report = BatchReport(
            model=schema.model,
            batch_id=store.batches.next_id(schema.model),
            status=status,
            rows=typed.rows.num_rows,
            sha256=arrived.sha256,
            source=arrived.source,
            received_at=arrived.received_at,
            findings=findings,
            columns=typed.arrivals,
            first_event_at=first,
            last_event_at=last,
            schema_version=schema.schema_version,
        )
        kept = store.batches.add(report, raw=arrived.path, rows=typed.rows if accepted else None, counts=counts)
        if not accepted and not kept.duplicate:
            store.signals.add_alerts([_quarantine_alert(kept)])
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


def _span(rows: pa.Table) -> tuple[datetime | None, datetime | None]:
    ends = pc.min_max(rows.column("event_at")).as_py()
    first, last = (None if ends[end] is None else ends[end].replace(tzinfo=UTC) for end in ("min", "max"))
    return first, last


def _quarantine_alert(report: BatchReport) -> Alert:
    errors = sum(f.severity is Severity.ERROR for f in report.findings)
    return Alert(
        alert_id=f"{report.model}-{report.batch_id}-quarantined",
        model=report.model,
        version=None,
        code=alerts.BATCH_QUARANTINED,
        level=AlertLevel.PAGE,
        feature=next((f.column for f in report.findings if f.severity is Severity.ERROR), None),
        message=(
            f"Batch {report.batch_id} ({report.rows:,} rows from {report.source!r}) is quarantined:"
            f" {errors} finding{' is an error' if errors == 1 else 's are errors'}. {first_error(report.findings)}"
            " Its rows take part in nothing until a corrected file is received."
        ),
        window_start=report.first_event_at,
        window_end=report.last_event_at,
        contribution=None,
        raised_at=report.received_at,
    )
