"""Ground truth by row id: each value that was ever said, and which one counts.

Neighbours: ``batches`` is the door. A label is never overwritten: another value is a new revision, and the newest
counts everywhere, however late it came.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline_core.records import LabelReport
from pipeline_core.sql import identifier
from pipeline_core.store.database import Database, naive, parquet

_ARRIVING = """
CREATE OR REPLACE TEMP TABLE arriving AS
WITH given AS (
    SELECT row_id, arg_max(value, place) AS value
    FROM (SELECT row_id::VARCHAR AS row_id, {value} AS value, place FROM {source})
    WHERE row_id IS NOT NULL AND value IS NOT NULL GROUP BY row_id),
now AS (SELECT row_id, value, revision FROM labels WHERE model = ? AND newest)
SELECT g.row_id, g.value, n.value AS old_value, coalesce(n.revision, 0) AS old_revision, {known} AS known
FROM given g LEFT JOIN now n ON n.row_id = g.row_id
"""

# one text per number, whoever wrote it: '3', '3.0' and 3 are the same ground truth
_NUMBER = "CASE WHEN isfinite(TRY_CAST(value AS DOUBLE)) THEN TRY_CAST(value AS DOUBLE)::VARCHAR END"
_DIFFERS = "old_value IS DISTINCT FROM value"

_TALLY = f"""
SELECT count(*), count(*) FILTER (known AND old_revision = 0),
       count(*) FILTER (known AND old_revision > 0 AND {_DIFFERS}), count(*) FILTER (known AND NOT ({_DIFFERS})),
       count(*) FILTER (NOT known)
FROM arriving
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Who brings labels, when, and whether the target is a number."""

    model: str
    batch_id: str | None
    received_at: datetime
    numeric: bool


@contextmanager
def from_table(database: Database, labels: pa.Table) -> Generator[str]:
    """Make a table of labels a source for ``put_labels``.

    Parameters
    ----------
    database : Database
        Which reads it.
    labels : pa.Table
        Columns ``row_id`` and ``value``; of a row named twice the last one counts.

    Yields
    ------
    str
    """
    place = pa.array(np.arange(labels.num_rows, dtype=np.int64))
    with database.incoming(labels.select(["row_id", "value"]).append_column("place", place)):
        yield "incoming"


def from_file(rows: Path, target: str) -> str:
    """Make a file of typed rows a source for ``put_labels``; it is read in slices.

    Parameters
    ----------
    rows : Path
        The file.
    target : str
        The id of the column that holds the labels.

    Returns
    -------
    str
    """
    return f"(SELECT row_id, {identifier(target)} AS value, row_number AS place FROM {parquet([rows])})"


def put_labels(database: Database, source: str, *, delivery: Delivery, known: Sequence[Path] | None) -> LabelReport:
    """Keep what is new among labels.

    Parameters
    ----------
    database : Database
        With a transaction open in this thread.
    source : str
        Of ``from_table`` or ``from_file``.
    delivery : Delivery
        Who brings them.
    known : sequence of Path or None
        Row files in which a row must be to count as known; None: all are.

    Returns
    -------
    LabelReport
    """
    test = "true"
    if known is not None:
        test = f"g.row_id IN (SELECT row_id FROM {parquet(known)})" if known else "false"
    value = _NUMBER if delivery.numeric else "value::VARCHAR"
    database.run(_ARRIVING.format(value=value, known=test, source=source), [delivery.model])
    database.run(
        f"UPDATE labels SET newest = false WHERE model = ? AND newest "
        f"AND row_id IN (SELECT row_id FROM arriving WHERE {_DIFFERS} AND old_revision > 0)",
        [delivery.model],
    )
    database.run(
        f"INSERT INTO labels SELECT ?, row_id, value, old_revision + 1, true, ?, ? FROM arriving WHERE {_DIFFERS}",
        [delivery.model, naive(delivery.received_at), delivery.batch_id],
    )
    total, new, changed, same, unknown = database.rows(_TALLY)[0]
    matched = database.rows(
        "SELECT count(DISTINCT row_id) FROM predictions WHERE model = ? AND row_id IN (SELECT row_id FROM arriving)",
        [delivery.model],
    )[0][0]
    database.run("DROP TABLE arriving")
    return LabelReport(
        model=delivery.model,
        rows=total,
        new_rows=new,
        changed_rows=changed,
        unchanged_rows=same,
        unknown_rows=unknown,
        matched_predictions=matched,
        batch_id=delivery.batch_id,
    )
