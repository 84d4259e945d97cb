"""What was learned at the door so far: figures of the batches before, and the severities that people set.

Neighbours: ``batches`` and ``models`` are the doors, ``admission`` writes the measures; ``stages.validation`` holds the
next batch against all of it. A severity is never overwritten: each decision is kept, and the newest one counts.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TypedDict

import pyarrow as pa

from pipeline_core.errors import InvalidDefinition
from pipeline_core.records import Severity
from pipeline_core.store.database import Database, aware, naive

_MOMENT = pa.timestamp("us", tz="UTC")
PAST = pa.schema([
    ("batch_id", pa.string()),
    ("rows", pa.int64()),
    ("received_at", _MOMENT),
    ("first_event_at", _MOMENT),
    ("last_event_at", _MOMENT),
    ("rows_by_day", pa.map_(pa.string(), pa.int64())),
])
"""Size and times of accepted batches, one row each; ``rows_by_day`` maps ISO dates (of the schema's zone) to rows, by event time."""

ASIDE = pa.schema([("row_number", pa.int64()), ("column_id", pa.string()), ("reason", pa.string())])
"""Rows of a batch that were set aside, with the cell that broke the rule."""

OFF = "off"
"""Beside the words of ``Severity``: the rule is not held against this column, or against any."""

_LAST = "SELECT batch_id, sequence FROM batches WHERE model = ? AND status = 'accepted' ORDER BY sequence DESC LIMIT ?"
_MEASURES = f"""
SELECT m.batch_id, m.code, m.column_id, m.value FROM measures m JOIN ({_LAST}) b ON b.batch_id = m.batch_id
WHERE m.model = ? ORDER BY b.sequence, m.code, m.column_id NULLS FIRST
"""
_PAST = """
SELECT batch_id, row_count, received_at, record ->> '$.first_event_at', record ->> '$.last_event_at'
FROM batches WHERE model = ? AND status = 'accepted' ORDER BY sequence DESC LIMIT ?
"""
_DAYS = f"""
SELECT d.batch_id, d.day, d.row_count FROM batch_days d JOIN ({_LAST}) b ON b.batch_id = d.batch_id
WHERE d.model = ? ORDER BY d.day
"""
_SEVERITIES = """
SELECT code, column_id, severity FROM severities WHERE model = ?
QUALIFY row_number() OVER (PARTITION BY code, column_id ORDER BY entry DESC) = 1
ORDER BY code, column_id NULLS FIRST
"""


class Decision(TypedDict):
    """Who set a severity, and why."""

    by: str
    reason: str


def measures(database: Database, model: str, *, last: int) -> pa.Table:
    """Give what each rule measured on the last accepted batches.

    Parameters
    ----------
    database : Database
        Which holds it.
    model : str
        The model's name.
    last : int
        Of how many batches.

    Returns
    -------
    pa.Table
        batch_id, code, column_id (null: of the batch as a whole), value; oldest batch first.
    """
    return database.table(_MEASURES, [model, last, model])


def past(database: Database, model: str, *, last: int) -> pa.Table:
    """Give size, times and rows by day of the last accepted batches.

    Parameters
    ----------
    database : Database
        Which holds them.
    model : str
        The model's name.
    last : int
        How many.

    Returns
    -------
    pa.Table
        ``PAST``, oldest first.
    """
    days: dict[str, list[tuple[str, int]]] = {}
    for batch_id, day, rows in database.rows(_DAYS, [model, last, model]):
        days.setdefault(batch_id, []).append((day.isoformat(), rows))
    found = [
        (batch_id, rows, aware(received), _moment(first), _moment(final), days.get(batch_id, []))
        for batch_id, rows, received, first, final in reversed(database.rows(_PAST, [model, last]))
    ]
    return pa.table([[row[place] for row in found] for place in range(len(PAST))], schema=PAST)


def severities(database: Database, model: str) -> dict[tuple[str, str | None], str]:
    """Give the severities that people set, by code and column id (None: the code in every column).

    Parameters
    ----------
    database : Database
        Which holds them.
    model : str
        The model's name.

    Returns
    -------
    dict
    """
    return {
        (code, column_id): word for code, column_id, word in database.rows(_SEVERITIES, [model]) if word is not None
    }


def set_severity(
    database: Database, model: str, *, rule: tuple[str, str | None], severity: str | None, decision: Decision
) -> None:
    """Keep how serious a finding is from now on.

    Parameters
    ----------
    database : Database
        Which keeps it.
    model : str
        The model's name.
    rule : (str, str or None)
        The finding's code, and a column's id or None.
    severity : str or None
        A word of ``Severity`` or ``off``; None: as the policy says.
    decision : Decision
        Who decided, and why.

    Raises
    ------
    InvalidDefinition
        There is no such severity, or nobody and no reason was named.
    """
    words = [*Severity, OFF]
    if severity is not None and severity not in words:
        raise InvalidDefinition(f"{severity!r} is no severity. There are: {', '.join(words)}.")
    if not decision["by"].strip() or not decision["reason"].strip():
        raise InvalidDefinition("A severity is set by a person for a reason, which stay with it. Say both.")
    database.run(
        "INSERT INTO severities (model, code, column_id, severity, decided_by, decided_at, reason)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        [model, *rule, severity, decision["by"], naive(database.now()), decision["reason"]],
    )


def _moment(said: str | None) -> datetime | None:
    return None if said is None else datetime.fromisoformat(said).astimezone(UTC)
