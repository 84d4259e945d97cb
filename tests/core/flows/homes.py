"""Homes with a defined model and accepted batches, made without the door."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline_core.records import BatchReport, BatchStatus, Schema, Task, TimeUnit
from pipeline_core.store.home import Store
from tests.core import modelling


def home(
    path: Path, task: Task = Task.BINARY, *, unit: TimeUnit = TimeUnit.CLOCK, rows: pa.Table | None = None
) -> Store:
    """Open a home with the model ``loans`` and its first batch."""
    store = Store.open(path)
    schema = modelling.schema(task, unit=unit)
    store.models.define(schema)
    deliver(store, schema, modelling.rows(400, task) if rows is None else rows)
    return store


def deliver(store: Store, schema: Schema, labelled: pa.Table) -> BatchReport:
    """Put accepted rows in; the target column labels them."""
    rows = labelled.drop_columns(["label"])
    span = pc.min_max(rows["event_at"]).as_py()
    with store.work_dir() as work, store.transaction():
        batch_id = store.batches.next_id(schema.model)
        report = BatchReport(
            model=schema.model,
            batch_id=batch_id,
            status=BatchStatus.ACCEPTED,
            rows=rows.num_rows,
            sha256=hashlib.sha256(f"{batch_id}{rows['row_id'][0]}".encode()).hexdigest(),
            source="test",
            received_at=datetime.now(UTC) - timedelta(minutes=1),
            findings=(),
            first_event_at=span["min"].replace(tzinfo=UTC),
            last_event_at=span["max"].replace(tzinfo=UTC),
        )
        file = work / "rows.parquet"
        pq.write_table(rows, file)
        return store.batches.add(report, rows=file)
