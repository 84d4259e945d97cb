"""Each model at a glance, in one query: is there a champion, what came in, what is open, what comes next.

Neighbours: ``models`` is the door.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pipeline_core.records import ModelStatus, Schema, load
from pipeline_core.store.database import Database, aware

_STATUSES = """
SELECT a.model, s.record, a.version,
       (SELECT count(*) FROM versions v WHERE v.model = a.model),
       (SELECT count(*) FROM batches b WHERE b.model = a.model),
       (SELECT count(*) FROM batches b WHERE b.model = a.model AND b.status = 'quarantined'),
       (SELECT coalesce(sum(row_count), 0)::BIGINT FROM batches b WHERE b.model = a.model AND b.status = 'accepted'),
       (SELECT max(received_at) FROM batches b WHERE b.model = a.model),
       (SELECT count(*) FROM alerts l WHERE l.model = a.model AND l.is_open AND l.level = 'page'),
       (SELECT count(*) FROM alerts l WHERE l.model = a.model AND l.is_open AND l.level = 'watch')
FROM aliases a JOIN (SELECT model, arg_max(record, schema_version) AS record FROM schemas GROUP BY model) s
     ON s.model = a.model
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
    model, record, champion, versions, batches, quarantined, rows, last, pages, watches = row
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
    return replace(status, next_step=_next_step(status))


def _next_step(status: ModelStatus) -> str:
    if status.batches == status.quarantined:
        return "Receive a batch that passes the door."
    if status.versions == 0:
        return "Train the first version."
    if status.champion is None:
        return f"Challenge version {status.versions} and promote it."
    if status.open_pages:
        return f"Look at {status.open_pages} open page alert{'s' if status.open_pages > 1 else ''}."
    if status.open_watches:
        return f"Look at {status.open_watches} open watch alert{'s' if status.open_watches > 1 else ''}."
    return "Nothing is waiting; receive the next batch."
