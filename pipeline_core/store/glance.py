"""Each model at a glance, in one query: is there a champion, what came in, what is open, what comes next.

Neighbours: ``models`` is the door.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pipeline_core.records import ModelStatus, Schema, load
from pipeline_core.store.database import Database, aware

_STATUSES = """
WITH rivals AS (
    SELECT v.model, max(v.version) AS version FROM versions v ANTI JOIN promotions p
        ON p.model = v.model AND p.version = v.version
    ANTI JOIN dismissals t ON t.model = v.model AND t.version = v.version GROUP BY v.model),
verdict AS (
    SELECT d.model, d.version, arg_max(d.record, d.entry) AS record FROM verdicts d JOIN rivals r
        ON r.model = d.model AND r.version = d.version GROUP BY d.model, d.version)
SELECT a.model, s.record, a.version,
       (SELECT count(*) FROM versions v WHERE v.model = a.model),
       (SELECT count(*) FROM batches b WHERE b.model = a.model AND b.status <> 'discarded'),
       (SELECT count(*) FROM batches b WHERE b.model = a.model AND b.status = 'quarantined'),
       (SELECT coalesce(sum(row_count), 0)::BIGINT FROM batches b WHERE b.model = a.model AND b.status = 'accepted'),
       (SELECT max(received_at) FROM batches b WHERE b.model = a.model),
       (SELECT count(*) FROM alerts l WHERE l.model = a.model AND l.is_open AND l.level = 'page'),
       (SELECT count(*) FROM alerts l WHERE l.model = a.model AND l.is_open AND l.level = 'watch'),
       CASE WHEN d.record ->> '$.verdict' = 'promote' AND (d.record ->> '$.epoch')::INTEGER = a.epoch THEN d.version END,
       r.version
FROM aliases a JOIN (SELECT model, arg_max(record, schema_version) AS record FROM schemas GROUP BY model) s
     ON s.model = a.model
LEFT JOIN verdict d ON d.model = a.model
LEFT JOIN rivals r ON r.model = a.model
ORDER BY a.model
"""


def statuses(database: Database) -> tuple[ModelStatus, ...]:
    """Give each model at a glance, by name.

    Parameters
    ----------
    database : Database
        Which holds them.

    Returns
    -------
    tuple of ModelStatus
    """
    return tuple(_status(row) for row in database.rows(_STATUSES))


def _status(row: tuple[Any, ...]) -> ModelStatus:
    model, record, champion, versions, batches, quarantined, rows, last, pages, watches, ready, rival = row
    schema = load(Schema, record)
    status = ModelStatus(
        model=model,
        task=schema.task,
        champion=champion,
        versions=versions,
        batches=batches,
        quarantined=quarantined,
        rows=rows,
        last_received_at=aware(last),
        open_pages=pages,
        open_watches=watches,
        demo=schema.demo,
        next_step="",
    )
    return replace(status, next_step=_next_step(status, ready, rival))


def _next_step(status: ModelStatus, ready: int | None, rival: int | None) -> str:
    """Say what comes next; ``rival``: the newest challenger; ``ready``: it has passed the gate against the present champion."""
    if status.batches == status.quarantined:
        return "Receive a batch that passes the door."
    if status.versions == 0:
        return "Train the first version."
    if ready is not None:
        return f"Decide on v{ready}: the gate let it pass; a person promotes it."
    if status.champion is None:
        return f"Challenge version {rival} and promote it." if rival is not None else "Train the next version."
    level, waiting = ("page", status.open_pages) if status.open_pages else ("watch", status.open_watches)
    if waiting:
        return f"Look at {waiting} open {level} alert{'s' if waiting > 1 else ''}."
    return "Nothing is waiting; receive the next batch."
