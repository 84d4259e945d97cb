"""What was acknowledged and is no longer there: batches that the database forgot, rows whose file is gone.

Neighbours: ``acknowledged`` says what was promised, ``files`` where the files as received are; ``flows`` receives them
again. It refuses to forget a loss by itself: it ends when the content is there again, or its model was removed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pipeline_core.records import BatchStatus, Loss
from pipeline_core.store.acknowledged import REMOVING, STAYING, Acknowledged, Entry, batch_entry
from pipeline_core.store.batches import Batches
from pipeline_core.store.database import Database
from pipeline_core.store.files import Folders

RECORD, ROWS, RULING, RAW = "record", "rows", "ruling", "raw"
"""What of a batch may be missing."""

_DECIDED = {BatchStatus.ACCEPTED.value, BatchStatus.DISCARDED.value}


@dataclass(frozen=True, slots=True)
class _Kept:
    """A batch as the database has it."""

    model: str
    batch_id: str
    sha256: str
    status: str
    raw_name: str | None


def promised(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Give the newest promise about each batch of a model that was not removed.

    Parameters
    ----------
    entries : iterable of Entry
        Oldest first.

    Returns
    -------
    tuple of Entry
    """
    current: dict[tuple[str, str, str], Entry] = {}
    going: dict[str, dict[tuple[str, str, str], Entry]] = {}
    for entry in entries:
        if entry.kind == REMOVING:
            going[entry.model] = {key: old for key, old in current.items() if key[0] == entry.model}
            current = {key: old for key, old in current.items() if key[0] != entry.model}
        elif entry.kind == STAYING:
            current |= going.pop(entry.model, {})
        else:
            current[entry.model, entry.batch_id, entry.sha256] = entry
    return tuple(current.values())


def find_losses(database: Database, folders: Folders, log: Acknowledged) -> tuple[Loss, ...]:
    """Compare what was promised with what is there.

    Parameters
    ----------
    database : Database
        Which should hold the batches.
    folders : Folders
        Which should hold their files.
    log : Acknowledged
        The promises.

    Returns
    -------
    tuple of Loss
        Oldest first.
    """
    kept = _kept(database)
    found = []
    for entry in promised(log.entries):
        missing = _missing(entry, kept.get((entry.model, entry.sha256), []), folders)
        if missing is not None:
            found.append(
                Loss(
                    model=entry.model,
                    batch_id=entry.batch_id,
                    sha256=entry.sha256,
                    source=entry.source,
                    rows=entry.rows,
                    status=BatchStatus(entry.status),
                    missing=missing,
                    raw_kept=folders.lost_raw(entry.sha256) is not None,
                    acknowledged_at=entry.at,
                    asked=entry.asked,
                )
            )
    return tuple(found)


def catch_up(database: Database, folders: Folders, *, batches: Batches, log: Acknowledged) -> None:
    """Promise what is kept and was never promised: a process died in between, or the home is older than the log.

    Parameters
    ----------
    database : Database
        Which holds the batches.
    folders : Folders
        Of the same home.
    batches : Batches
        Of the same home.
    log : Acknowledged
        Is written to. What it says of a ruling that the database has lost is not taken back.
    """
    said = {(e.model, e.batch_id, e.sha256): e.status for e in promised(log.entries)}
    new = []
    for (model, sha256), twins in _kept(database).items():
        for kept in twins:
            told = said.get((model, kept.batch_id, sha256))
            if told is None or (told != kept.status and kept.status in _DECIDED):
                file = folders.batch_rows(model, kept.batch_id)
                rows = file if kept.status == BatchStatus.ACCEPTED.value and file.is_file() else None
                new.append(batch_entry(batches.get(model, kept.batch_id), rows=rows, at=database.now()))
    log.append(*new)


def _kept(database: Database) -> dict[tuple[str, str], list[_Kept]]:
    kept: dict[tuple[str, str], list[_Kept]] = {}
    for row in database.rows("SELECT model, batch_id, sha256, status, raw_name FROM batches ORDER BY model, sequence"):
        kept.setdefault((row[0], row[2]), []).append(_Kept(*row))
    return kept


def _missing(entry: Entry, twins: list[_Kept], folders: Folders) -> str | None:
    """Say what is missing of a batch; ``twins`` are the batches of the same content, which stand in for it."""
    accepted = [t for t in twins if t.status == BatchStatus.ACCEPTED.value]
    if entry.status == BatchStatus.ACCEPTED.value and accepted:
        return None if any(_has_rows(entry, folders.batch_rows(t.model, t.batch_id), t) for t in accepted) else ROWS
    if not twins:
        return RECORD
    own = next((t for t in twins if t.batch_id == entry.batch_id), None)
    if entry.status in _DECIDED and own is not None and own.status == BatchStatus.QUARANTINED.value:
        return RULING
    if entry.status == BatchStatus.ACCEPTED.value:
        return RECORD
    if own is not None and own.raw_name is not None and not (folders.raw / own.raw_name).is_file():
        return RAW  # of a quarantined batch there is nothing else
    return None


def _has_rows(entry: Entry, file: Path, twin: _Kept) -> bool:
    if not file.is_file():
        return False
    known = entry.row_bytes is not None and twin.batch_id == entry.batch_id
    return not known or file.stat().st_size == entry.row_bytes
