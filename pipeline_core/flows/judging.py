"""What the door says of a batch that was taken in: findings, measures, and the stored rows that it would replace.

Neighbours: ``taking`` typed and counted it, ``arrival`` keeps it, ``stages.validation`` holds the rules. It refuses to
read a row that a stranger sent: facts and counts are what it judges by.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline_core.engines.duck import DuckEngine
from pipeline_core.flows.taking import Taken
from pipeline_core.flows.windows import zone_of
from pipeline_core.records import BatchReport, BatchStatus, Finding, Measure, Schema
from pipeline_core.stages import validation
from pipeline_core.store.home import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What the door says of a batch, as long as the next one is ``batch_id`` and ``against`` are the rows of the accepted ones.

    Neither alone tells that nothing came in between: a batch may also be taken in late. ``repeats`` are the stored rows that it would replace, ``replaced`` their counts by day, made only where the batch
    is to be accepted at once.
    """

    batch_id: str
    against: tuple[Path, ...]
    taken: Taken
    findings: tuple[Finding, ...]
    measures: tuple[Measure, ...]
    repeats: pa.Table
    replaced: pa.Table | None = None

    @property
    def status(self) -> BatchStatus:
        """Whether the batch is accepted."""
        return validation.decide(self.findings)


def judge(
    store: Store, schema: Schema, taken: Taken, *, more: tuple[Finding, ...] = (), late: BatchReport | None = None
) -> Judged:
    """Hold what was taken in against schema, baseline, the batches before and the ids that are known.

    Parameters
    ----------
    store : Store
        The home.
    schema : Schema
        Of the model; it may not be kept yet.
    taken : Taken
        The batch.
    more : tuple of Finding
        What is known of it besides.
    late : BatchReport, optional
        The batch, where it is kept already and is to be taken in late.

    Returns
    -------
    Judged
    """
    # first: whatever comes in from here on is noticed by them
    batch_id, against = store.batches.next_id(schema.model), store.batches.rows_paths(schema.model)
    repeats = store.repeats.find(schema, taken.rows, batch=late)
    checked = validation.check(
        validation.Batch(
            arrivals=taken.arrivals,
            facts=taken.facts,
            counts=pq.read_table(taken.counts),
            failures=(*taken.failures, *more),
            names=tuple(c.name for c in taken.unpacked.columns),
            set_aside_rows=taken.aside_rows,
        ),
        schema,
        policy=store.policy,
        context=_context(store, schema, repeats),
    )
    judged = Judged(
        batch_id=batch_id,
        against=against,
        taken=taken,
        findings=checked.findings,
        measures=checked.measures,
        repeats=repeats,
    )
    if judged.status is BatchStatus.QUARANTINED or late is not None:
        return judged
    return replace(judged, replaced=replaced_counts(store, schema, repeats))


def replaced_counts(store: Store, schema: Schema, repeats: pa.Table) -> pa.Table | None:
    """Count the rows that count no more, by the batch that brought them; its rows are in place.

    Parameters
    ----------
    store : Store
        The home.
    schema : Schema
        Of the model.
    repeats : pa.Table
        What ``store.repeats.find`` gave.

    Returns
    -------
    pa.Table or None
        ``batch_id`` and COUNTS by day; None where nothing is replaced.
    """
    parts = []
    for batch_id, rows in store.repeats.rows(schema.model, repeats).items():
        timed = rows.filter(pc.is_valid(rows.column("event_at")))
        with store.work_dir() as work, DuckEngine(work=work) as engine:
            file = work / "rows.parquet"
            pq.write_table(timed, file, compression="none")
            counts = engine.counts([file], schema.grids, buckets=zone_of(schema))
        parts.append(counts.append_column("batch_id", pa.repeat(pa.scalar(batch_id), counts.num_rows)))
    return pa.concat_tables(parts) if parts else None


def _context(store: Store, schema: Schema, repeats: pa.Table) -> validation.Context:
    here = schema.model in store.models.names()
    return validation.Context(
        received_at=store.now(),
        repeats=repeats,
        measures=store.batches.measures(schema.model),
        past=tuple(_past(row) for row in store.batches.past(schema.model).to_pylist()),
        severities=store.models.severities(schema.model) if here else {},
    )


def _past(row: Mapping[str, Any]) -> validation.PastBatch:
    return validation.PastBatch(
        rows=row["rows"],
        received_at=row["received_at"],
        first_event_at=row["first_event_at"],
        last_event_at=row["last_event_at"],
        rows_by_day=dict(row["rows_by_day"]),
    )
