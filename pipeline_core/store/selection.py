"""Which rows a version is trained or judged on, in SQL, and the name of exactly that set.

Neighbours: ``batches`` says which files may take part. Two stores that hold the same batches and labels give the
same digest for the same question; anything that could change a fitted model changes it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypedDict

import pyarrow as pa

from pipeline_core.errors import NotFound, Quarantined, nearest
from pipeline_core.records import BatchStatus, Schema
from pipeline_core.sql import moment, text
from pipeline_core.store.database import Database, aware, naive, parquet
from pipeline_core.store.files import Folders


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSummary:
    """What ``select`` wrote: contributing batches, rows, the span of event times, and its content's name."""

    batches: tuple[str, ...]
    rows: int
    labelled_rows: int
    first_event_at: datetime | None
    last_event_at: datetime | None
    digest: str


class Filters(TypedDict, total=False):
    """Which rows: see ``Batches.select``."""

    since: datetime | None
    until: datetime | None
    labelled: bool
    batch_ids: Iterable[str] | None
    limit: int | None
    newest: bool
    as_of: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The row file of one accepted batch."""

    batch_id: str
    sequence: int
    sha256: str
    path: Path


def find_sources(
    database: Database, folders: Folders, model: str, batch_ids: Iterable[str] | None = None
) -> tuple[Source, ...]:
    """Find the row files of accepted batches, oldest batch first; whether they are there is not asked.

    Parameters
    ----------
    database : Database
        Which holds the batches.
    folders : Folders
        Of the same home.
    model : str
        The model's name.
    batch_ids : iterable of str, optional
        Which batches; all accepted ones, unless said.

    Returns
    -------
    tuple of Source

    Raises
    ------
    Quarantined
        One of the named batches is not accepted.
    NotFound
        One of the named batches is not there; the message names the nearest.
    """
    wanted = None if batch_ids is None else set(batch_ids)
    found = database.rows(
        "SELECT batch_id, sequence, sha256, status FROM batches WHERE model = ? ORDER BY sequence", [model]
    )
    known = {row[0] for row in found}
    for batch_id in sorted((wanted or set()) - known):
        raise NotFound(f"Model {model!r} has no batch {batch_id!r}. {nearest(batch_id, known)}")
    sources = []
    for batch_id, sequence, sha256, status in found:
        if wanted is not None and batch_id not in wanted:
            continue
        if status == BatchStatus.ACCEPTED.value:
            path = folders.batch_rows(model, batch_id)
            sources.append(Source(batch_id=batch_id, sequence=sequence, sha256=sha256, path=path))
        elif wanted is not None:
            raise Quarantined(
                f"Batch {batch_id} of {model!r} is {status}; its rows take part in nothing. "
                "Look at its findings, and send a corrected file."
            )
    return tuple(sources)


def refuse_lost(sources: Iterable[Source], model: str) -> None:
    """Refuse to read what is not there any more.

    Parameters
    ----------
    sources : iterable of Source
        Of accepted batches.
    model : str
        Whose they are.

    Raises
    ------
    NotFound
        A file of rows is gone.
    """
    lost = [source.batch_id for source in sources if not source.path.is_file()]
    if lost:
        raise NotFound(
            f"The rows of {'batch' if len(lost) == 1 else 'batches'} {', '.join(lost[:5])} of {model!r} are lost: the file is"
            " gone. Run restore, or send the same file again."
        )


_CHOSEN = """
CREATE OR REPLACE TEMP TABLE chosen AS
WITH placed AS (
    SELECT i.sequence, r.row_number, r.row_id, r.event_at,
           coalesce(r.row_id, i.sequence || '/' || r.row_number) AS identity,
           (i.sequence << 40) + r.row_number AS place  -- newest batch first, then the later line
    FROM {files} r JOIN incoming i ON i.path = r.filename),
newest AS (SELECT * FROM placed WHERE place IN (SELECT max(place) FROM placed GROUP BY identity))
SELECT n.sequence, n.row_number, n.row_id, n.event_at, l.value AS label
FROM newest n LEFT JOIN {labels} l ON l.row_id = n.row_id
WHERE (NOT ? OR n.event_at IS NOT NULL) AND (?::TIMESTAMP IS NULL OR n.event_at >= ?) AND (?::TIMESTAMP IS NULL OR n.event_at < ?)
  AND (NOT ? OR l.value IS NOT NULL)
ORDER BY n.event_at {direction} NULLS {nulls}, n.sequence {direction}, n.row_number {direction}
LIMIT {limit}
"""

_NEWEST = "(SELECT row_id, value FROM labels WHERE model = {model} AND newest)"
_KNOWN_THEN = """(
    SELECT row_id, arg_max(value, revision) AS value FROM labels
    WHERE model = {model} AND received_at <= {at}
      AND (batch_id IS NULL OR batch_id IN (SELECT batch_id FROM incoming)) -- a batch may be older than its commit
    GROUP BY row_id)"""

_WRITE = """
COPY (
    SELECT i.batch_id, r.* EXCLUDE (filename), c.label
    FROM {files} r JOIN incoming i ON i.path = r.filename
         JOIN chosen c ON c.sequence = i.sequence AND c.row_number = r.row_number
    ORDER BY r.event_at NULLS LAST, i.sequence, r.row_number
) TO {to} (FORMAT parquet, COMPRESSION zstd)
"""

_NO_LIMIT = 1 << 62

_SUMMARY = """
SELECT count(*), count(label), min(event_at), max(event_at), list_sort(list(DISTINCT sequence)),
       bit_xor(md5_number(concat(length(row_id), ':', row_id, coalesce('=' || label, ''))))::VARCHAR
FROM chosen
"""


def write_selection(
    database: Database, sources: Sequence[Source], *, schema: Schema, to: Path, filters: Filters
) -> DatasetSummary:
    """Choose rows, write them as Parquet, and name the set.

    Parameters
    ----------
    database : Database
        Which holds the labels.
    sources : sequence of Source
        The files that may take part; at least one.
    schema : Schema
        The model's; its version is part of the name.
    to : Path
        The file to write.
    filters : Filters
        Which rows.

    Returns
    -------
    DatasetSummary
    """
    since, until = naive(filters.get("since")), naive(filters.get("until"))
    last_first = filters.get("newest", False)
    choose = _CHOSEN.format(
        files=parquet([s.path for s in sources]),
        labels=_labels(schema.model, filters.get("as_of")),
        direction="DESC" if last_first else "ASC",
        nulls="FIRST" if last_first else "LAST",
        limit=_NO_LIMIT if filters.get("limit") is None else int(filters["limit"] or 0),
    )
    with database.incoming(_files(sources)):
        timed, labelled = schema.time is not None, filters.get("labelled", True)
        database.run(choose, [timed, since, since, until, until, labelled])
        database.run(_WRITE.format(files=parquet([s.path for s in sources]), to=text(to)))
    rows, labelled, first, last, sequences, content = database.rows(_SUMMARY)[0]
    database.run("DROP TABLE chosen")
    taken = sorted((s.batch_id, s.sha256) for s in sources if s.sequence in set(sequences or ()))
    parts = {
        "schema_version": schema.schema_version,
        "batches": taken,
        "until": until.isoformat() if until else None,
        "rows": rows,
        "content": content,
    }
    return DatasetSummary(
        batches=tuple(s.batch_id for s in sources if s.sequence in set(sequences or ())),
        rows=rows,
        labelled_rows=labelled,
        first_event_at=aware(first),
        last_event_at=aware(last),
        digest=_digest(parts),
    )


def _labels(model: str, as_of: datetime | None) -> str:
    """Give the SQL of the newest labels, or of those that were the newest at a moment."""
    if as_of is None:
        return _NEWEST.format(model=text(model))
    return _KNOWN_THEN.format(model=text(model), at=moment(as_of))


def _files(sources: Sequence[Source]) -> pa.Table:
    return pa.table({
        "path": pa.array([str(s.path) for s in sources], pa.string()),
        "batch_id": pa.array([s.batch_id for s in sources], pa.string()),
        "sequence": pa.array([s.sequence for s in sources], pa.int64()),
    })


def _digest(parts: dict[str, Any]) -> str:
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
