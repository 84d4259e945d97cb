"""Counts by day of accepted rows, summed as they are asked for.

Neighbours: ``engines`` counts the rows once, when they come in, ``admission`` keeps that; ``repeats`` adds what was
replaced as negative counts. Nothing here reads a row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pyarrow as pa

from pipeline_core.clock import day_in
from pipeline_core.records import COUNTS
from pipeline_core.store.database import Database, aware, naive
from pipeline_core.store.models import Models

_COUNTS = """
SELECT c.column_id, c.bucket, c.cell, c.level, sum(c.n)::BIGINT AS n
FROM day_counts c
WHERE c.model = ? AND (?::TIMESTAMP IS NULL OR c.bucket >= ?) AND (?::TIMESTAMP IS NULL OR c.bucket < ?) {batches}
GROUP BY ALL HAVING sum(c.n) <> 0 ORDER BY c.column_id, c.bucket, c.cell, c.level
"""

_BATCHES = "AND c.batch_id IN (SELECT unnest(?::VARCHAR[]))"

_WINDOWS = """
SELECT c.column_id, w.start_at AS bucket, c.cell, c.level, {n}::BIGINT AS n
FROM day_counts c JOIN incoming w ON w.day = c.bucket
WHERE c.model = ? AND c.bucket >= ? AND c.bucket <= ? {columns} {batches} {group}
"""
_GROUPED = {"n": "sum(c.n)", "group": "GROUP BY ALL HAVING sum(c.n) <> 0"}
_AS_KEPT = {"n": "c.n", "group": ""}
GROUPED_DAYS_MIN = 10
"""With fewer days in a bucket, putting the same cells together here costs more than it saves whoever reads them."""

_COLUMNS = "AND c.column_id IN (SELECT unnest(?::VARCHAR[]))"

_ROWS = """
SELECT c.bucket, sum(c.n)::BIGINT AS n FROM day_counts c
WHERE c.model = ? AND c.column_id = ? AND (?::TIMESTAMP IS NULL OR c.bucket >= ?) AND (?::TIMESTAMP IS NULL OR c.bucket < ?)
  {batches}
GROUP BY ALL HAVING sum(c.n) > 0 ORDER BY c.bucket
"""

# every row is counted once in each column, so that one column tells how many there are
_DAYS = """
SELECT bucket, sum(n)::BIGINT FROM {source}
WHERE bucket IS NOT NULL AND column_id = (SELECT min(column_id) FROM {source}) GROUP BY bucket ORDER BY bucket
"""

Limits = tuple[datetime | None, datetime | None]


class DayCounts:
    """``store.day_counts``.

    Parameters
    ----------
    database : Database
        Which holds them.
    models : Models
        Whose schemas say what is counted.
    """

    def __init__(self, database: Database, models: Models) -> None:
        self._database = database
        self._models = models

    def windows(
        self,
        model: str,
        days: Mapping[datetime, datetime],
        *,
        columns: Sequence[str] | None = None,
        batch_ids: Iterable[str] | None = None,
    ) -> pa.Table:
        """Sum the counts of accepted batches, window by window.

        Parameters
        ----------
        model : str
            The model's name.
        days : mapping of datetime to datetime
            Midnight of each day that is meant, to the bucket that it is summed into.
        columns : sequence of str, optional
            Only these column ids.
        batch_ids : iterable of str, optional
            Only these batches.

        Returns
        -------
        pa.Table
            COUNTS with those buckets, in no order. The same cell may come several times, and with a negative count for
            rows that were replaced: they add up.
        """
        if not days:
            return COUNTS.empty_table()
        batches, some = _only(batch_ids)
        places = pa.table({
            "day": pa.array([naive(d) for d in days], pa.timestamp("us")),
            "start_at": pa.array([naive(s) for s in days.values()], pa.timestamp("us")),
        })
        how = _GROUPED if len(days) >= GROUPED_DAYS_MIN * len(set(days.values())) else _AS_KEPT
        wanted = [] if columns is None else [list(columns)]
        parameters = [model, naive(min(days)), naive(max(days)), *wanted, *some]
        statement = _WINDOWS.format(columns=_COLUMNS if wanted else "", batches=batches, **how)
        with self._database.incoming(places):
            return self._database.table(statement, parameters).cast(COUNTS)

    def rows(
        self, model: str, *, span: Limits = (None, None), batch_ids: Iterable[str] | None = None
    ) -> dict[datetime, int]:
        """Count the rows of accepted batches by day, but for those that were replaced.

        Parameters
        ----------
        model : str
            The model's name.
        span : (datetime or None, datetime or None)
            Days that begin at or after the first, and before the second.
        batch_ids : iterable of str, optional
            Only these batches.

        Returns
        -------
        dict of datetime to int
            Midnight (of the zone of the model's schema) to rows, in time order; days without rows are left out. Empty where
            no column is counted.
        """
        grids = self._models.schema(model).grids
        if not grids:
            return {}
        batches, some = _only(batch_ids)
        # every row is counted once in each column
        parameters = [model, grids[0].column_id, *_limits(span), *some]
        found = self._database.rows(_ROWS.format(batches=batches), parameters)
        return {day: int(n) for moment, n in found if (day := aware(moment)) is not None}


def sum_counts(database: Database, model: str, *, span: Limits, batch_ids: Iterable[str] | None) -> pa.Table:
    """Sum counts over batches, day by day.

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

    Returns
    -------
    pa.Table
        COUNTS with bucket = day.
    """
    batches, some = _only(batch_ids)
    return database.table(_COUNTS.format(batches=batches), [model, *_limits(span), *some]).cast(COUNTS)


def put_days(database: Database, source: str, *, model: str, batch_id: str, zone: str) -> None:
    """Keep how many rows of a batch each day has, by its date in the model's zone.

    Parameters
    ----------
    database : Database
        Where to.
    source : str
        FROM clause of the batch's COUNTS.
    model, batch_id : str
        The batch.
    zone : str
        The zone of the model's schema.
    """
    found = [(day, int(n)) for moment, n in database.rows(_DAYS.format(source=source)) if (day := aware(moment))]
    days = pa.table({
        "day": pa.array([date.fromordinal(day_in(ZoneInfo(zone), day)) for day, _ in found], pa.date32()),
        "row_count": pa.array([n for _, n in found], pa.int64()),
    })
    database.append("batch_days", days, constants={"model": model, "batch_id": batch_id})


def _only(batch_ids: Iterable[str] | None) -> tuple[str, list[list[str]]]:
    return ("", []) if batch_ids is None else (_BATCHES, [list(batch_ids)])


def _limits(span: Limits) -> list[datetime | None]:
    since, until = naive(span[0]), naive(span[1])
    return [since, since, until, until]
