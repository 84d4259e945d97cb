"""Counts by day of accepted rows, summed as they are asked for.

Neighbours: ``batches`` is the door; ``engines`` counts the rows once, when they come in; ``repeats`` adds what was
replaced as negative counts. Nothing here reads a row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from datetime import datetime

import pyarrow as pa

from pipeline_core.records import COUNTS
from pipeline_core.store.database import Database, naive

_COUNTS = """
SELECT c.column_id, {bucket} AS bucket, c.cell, c.level, sum(c.n)::BIGINT AS n
FROM day_counts c {windows}
WHERE c.model = ? AND (?::TIMESTAMP IS NULL OR c.bucket >= ?) AND (?::TIMESTAMP IS NULL OR c.bucket < ?)
  AND (?::VARCHAR[] IS NULL OR list_contains(?::VARCHAR[], c.batch_id))
GROUP BY ALL HAVING sum(c.n) <> 0 ORDER BY c.column_id, bucket, c.cell, c.level
"""

_WINDOWS = """
JOIN (SELECT d.bucket, max(i.start_at) AS start_at
      FROM (SELECT DISTINCT bucket FROM day_counts WHERE model = ?) d JOIN incoming i ON i.start_at <= d.bucket
      GROUP BY d.bucket) w ON w.bucket = c.bucket
"""


def sum_counts(
    database: Database,
    model: str,
    *,
    span: tuple[datetime | None, datetime | None],
    batch_ids: Iterable[str] | None,
    starts: Sequence[datetime] | None = None,
) -> pa.Table:
    """Sum counts over batches, by day or by window.

    Parameters
    ----------
    database : Database
        Which holds them.
    model : str
        The model's name.
    span : (datetime or None, datetime or None)
        Days that begin at or after the first, and before the second.
    batch_ids : iterable of str or None
        Only these batches.
    starts : sequence of datetime, optional
        Where windows start; each ends where the next one starts.

    Returns
    -------
    pa.Table
        COUNTS with bucket = day, or = the start of the window.
    """
    since, until = naive(span[0]), naive(span[1])
    batches = None if batch_ids is None else list(batch_ids)
    parameters: list[object] = [model, since, since, until, until, batches, batches]
    sql = _COUNTS.format(bucket="c.bucket", windows="")
    with ExitStack() as stack:
        if starts is not None:
            bounds = pa.table({"start_at": pa.array([naive(s) for s in starts], pa.timestamp("us"))})
            stack.enter_context(database.incoming(bounds))
            sql = _COUNTS.format(bucket="w.start_at", windows=_WINDOWS)
            parameters = [model, *parameters]
        return database.table(sql, parameters).cast(COUNTS)
