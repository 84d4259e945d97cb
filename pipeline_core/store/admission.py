"""How a batch gets in: its files put in place, its record, counts, labels and measures written, all or nothing.

Neighbours: ``batches`` is the door and reads what is written here, ``files`` puts files in place, ``ground_truth``
takes the labels out of the rows. It refuses rows that are not those of the report, and to judge anything: whether a
batch is accepted was decided before.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TypedDict, Unpack

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline_core.errors import InvalidDefinition, Stale, Unreadable
from pipeline_core.records import (
    COUNTS,
    Act,
    BatchReport,
    BatchStatus,
    ColumnType,
    Deed,
    Measure,
    Ruling,
    dump_text,
    load,
)
from pipeline_core.sql import moment, text
from pipeline_core.store import faults
from pipeline_core.store.acknowledged import Acknowledged, batch_entry
from pipeline_core.store.audit import Audit
from pipeline_core.store.database import Database, naive, parquet
from pipeline_core.store.day_counts import put_days
from pipeline_core.store.files import Folders, Staged, raw_name, remove_files, stage_copy, stage_move
from pipeline_core.store.ground_truth import Delivery, from_file, put_labels
from pipeline_core.store.models import Models
from pipeline_core.store.signals import Signals

_KNOWN = """
SELECT record FROM batches WHERE model = ? AND sha256 = ? AND status <> 'discarded'
ORDER BY status = 'accepted' DESC, sequence LIMIT 1
"""
_COUNTS = ", ".join(COUNTS.names)
# rows without an event time are on no day
_PUT_COUNTS = f"""
INSERT INTO day_counts (model, batch_id, {_COUNTS}) SELECT ?, ?, {_COUNTS} FROM {{source}} WHERE bucket IS NOT NULL
"""
# what is negative was taken off for rows that came again: the file has them all the same
_OTHER_COUNTS = """
WITH kept AS (SELECT column_id, cell, level, sum(n) AS n FROM day_counts WHERE model = ? AND batch_id = ? AND n > 0 GROUP BY ALL),
anew AS (SELECT column_id, cell, level, sum(n) AS n FROM {source} WHERE bucket IS NOT NULL GROUP BY ALL)
SELECT column_id FROM ((FROM kept EXCEPT FROM anew) UNION ALL (FROM anew EXCEPT FROM kept)) ORDER BY column_id LIMIT 1
"""


class Brought(TypedDict, total=False):
    """What comes with a batch: see ``Batches.add``."""

    raw: Path | None
    rows: Path | None
    counts: pa.Table | Path | None
    measures: Sequence[Measure]
    aside: Path | None


def batch_name(sequence: int) -> str:
    """Give the id of a batch by its number.

    Parameters
    ----------
    sequence : int
        Its number within its model.

    Returns
    -------
    str
    """
    return f"b-{sequence:04d}"


class Admission:
    """Writes batches; the half of ``store.batches`` that changes something.

    Parameters
    ----------
    database : Database
        Where the records are.
    folders : Folders
        Of the same home.
    models : Models
        Whose schemas say which column is the target.
    signals : Signals
        Where a batch's alert is closed when a person has decided.
    log : Acknowledged
        Where each batch is promised once it is committed.
    audit : Audit
        Where rulings are kept.
    """

    def __init__(
        self, database: Database, folders: Folders, models: Models, signals: Signals, *, log: Acknowledged, audit: Audit
    ) -> None:
        self._log = log
        self._audit = audit
        self._database = database
        self._folders = folders
        self._models = models
        self._signals = signals

    def known(self, model: str, sha256: str) -> BatchReport | None:
        """Say which batch this content already is; one that was discarded is none."""
        found = self._database.rows(_KNOWN, [model, sha256])
        return load(BatchReport, found[0][0]) if found else None

    def next_sequence(self, model: str) -> int:
        """Give the number of the next batch, passing over those of lost batches and of files that may yet be needed."""
        sql = "SELECT coalesce(max(sequence), 0) + 1 FROM batches WHERE model = ?"
        first = int(self._database.rows(sql, [model])[0][0])
        return next(n for n in count(first) if not self._known_name(model, batch_name(n)))

    def add(self, report: BatchReport, **brought: Unpack[Brought]) -> BatchReport:
        """Keep a batch: see ``Batches.add``."""
        faults.point("receive.before_files")
        accepted = report.status is BatchStatus.ACCEPTED
        if accepted:
            _held(report, brought.get("rows"))
        staged: list[Staged] = []
        try:
            # extended one by one, so that what was written before a failure is discarded too
            staged.extend(self._stage(report, brought))
            with self._database.transaction():
                known = self.known(report.model, report.sha256)
                if known is not None and not (accepted and known.status is BatchStatus.QUARANTINED):
                    self._log.append()  # the first answer may have failed where it was to be promised
                    self.mend(known, {"raw": brought.get("raw")})
                    return replace(known, duplicate=True)
                kept = self._insert(report, staged, brought)
                faults.point("receive.before_commit")
                self._database.after_commit(lambda: faults.point("receive.after_commit"))
                self._acknowledge(kept)
        finally:
            for file in staged:
                file.discard()
        return kept

    def rule(self, report: BatchReport, *, ruling: Ruling, status: BatchStatus, brought: Brought) -> BatchReport:
        """Write what a person decided about a quarantined batch: see ``Batches.rule``."""
        accepted = status is BatchStatus.ACCEPTED
        ruled = replace(report, status=status, ruling=ruling)
        if accepted:
            ruled = replace(ruled, rows=_rows_in(ruled, brought.get("rows")))
        staged: list[Staged] = []
        try:
            staged.extend(self._stage(ruled, {**brought, "raw": None}))
            with self._database.transaction():
                self._still_quarantined(report)
                if accepted:
                    self._refuse_twin(report)
                for file in staged:
                    file.place(self._database)
                faults.point("rule.after_files")
                ruled = self._fill(ruled, brought) if accepted else ruled
                self._database.run(
                    "UPDATE batches SET status = ?, row_count = ?, record = ? WHERE model = ? AND batch_id = ?",
                    [status.value, ruled.rows, dump_text(ruled), ruled.model, ruled.batch_id],
                )
                if not accepted:
                    self._forget_raw(ruled)
                self._signals.close_batch(ruled.model, ruled.batch_id, ruling=ruling)
                about = {"batch_id": ruled.batch_id, "sha256": ruled.sha256, "status": status.value, "rows": ruled.rows}
                self._audit.add(
                    Deed(act=Act.RULING, model=ruled.model, by=ruling.decided_by, reason=ruling.reason, about=about)
                )
                faults.point("rule.before_commit")
                self._database.after_commit(lambda: faults.point("rule.after_commit"))
                self._acknowledge(ruled)
        finally:
            for file in staged:
                file.discard()
        return ruled

    def mend(self, report: BatchReport, brought: Brought) -> None:
        """Put back what was lost of a batch: see ``Batches.mend``."""
        rows, raw, counts = brought.get("rows"), brought.get("raw"), brought.get("counts")
        if rows is not None:
            _held(report, rows)
        if counts is not None:
            self._refuse_other(report, counts)
        staged: list[Staged] = []
        try:
            staged.extend(self._stage(report, {**brought, "raw": None}))
            if raw is not None:
                staged.extend(self._stage_raw(report, raw))
            if not staged:
                return
            with self._database.transaction():
                for file in staged:
                    file.place(self._database)
                if rows is not None:
                    self._acknowledge(report)
        finally:
            for file in staged:
                file.discard()

    def _stage_raw(self, report: BatchReport, raw: Path) -> Iterator[Staged]:
        """Copy a file as received under the name that it had, if one was kept and is gone."""
        named = self._database.rows(
            "SELECT raw_name FROM batches WHERE model = ? AND batch_id = ? AND raw_name IS NOT NULL",
            [report.model, report.batch_id],
        )
        for target in (self._folders.raw / name for (name,) in named):
            if not target.is_file():
                copy = stage_copy(raw, target)
                yield copy
                _refuse_changed(copy, report, raw)

    def _stage(self, report: BatchReport, brought: Brought) -> Iterator[Staged]:
        raw, rows, aside = brought.get("raw"), brought.get("rows"), brought.get("aside")
        if raw is not None:
            copy = stage_copy(raw, self._folders.raw / raw_name(report.sha256, raw))
            yield copy
            _refuse_changed(copy, report, raw)
        if report.status is BatchStatus.ACCEPTED and rows is not None:
            yield stage_move(rows, self._folders.batch_rows(report.model, report.batch_id))
            if aside is not None:
                yield stage_move(aside, self._folders.batch_aside(report.model, report.batch_id))

    def _insert(self, report: BatchReport, staged: Sequence[Staged], brought: Brought) -> BatchReport:
        sequence = self.next_sequence(report.model)
        taken = self._database.rows(
            "SELECT count(*) FROM batches WHERE model = ? AND batch_id = ?", [report.model, report.batch_id]
        )
        if taken[0][0]:
            raise Stale(f"Model {report.model!r} has a batch {report.batch_id} by now. Receive the file again.")
        self._models.schema(report.model, report.schema_version)  # NotFound before any file is in place
        for file in staged:
            file.place(self._database)
        faults.point("receive.after_files")
        kept = self._fill(report, brought)
        raw = next((f.target.name for f in staged if f.shared), None)
        key = [kept.model, kept.batch_id, sequence, kept.sha256, kept.status.value, kept.rows]
        self._database.run(
            "INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [*key, naive(kept.received_at), raw, dump_text(kept)],
        )
        return kept

    def _fill(self, report: BatchReport, brought: Brought) -> BatchReport:
        """Write what belongs to a batch whose files are in place; of a quarantined one only its measures."""
        constants = {"model": report.model, "batch_id": report.batch_id}
        self._database.run("DELETE FROM measures WHERE model = ? AND batch_id = ?", list(constants.values()))
        self._database.append("measures", _measured(brought.get("measures", ())), constants=constants)
        if report.status is not BatchStatus.ACCEPTED:
            return report
        counts = brought.get("counts")
        if counts is not None:
            with self._source(counts) as source:
                self._database.run(_PUT_COUNTS.format(source=source), list(constants.values()))
                zone = self._models.schema(report.model, report.schema_version).zone
                put_days(self._database, source, zone=zone, **constants)
        return replace(report, labelled_rows=self._put_labels(report))

    @contextmanager
    def _source(self, counts: pa.Table | Path) -> Generator[str]:
        if isinstance(counts, Path):
            yield parquet([counts])
            return
        with self._database.incoming(counts.select(COUNTS.names).cast(COUNTS)):
            yield "incoming"

    def _put_labels(self, report: BatchReport) -> int:
        target = self._models.schema(report.model, report.schema_version).target
        rows = self._folders.batch_rows(report.model, report.batch_id)
        if target.column_id not in pq.read_schema(rows).names:
            return 0
        delivery = Delivery(
            model=report.model,
            batch_id=report.batch_id,
            received_at=report.received_at if report.ruling is None else report.ruling.decided_at,
            numeric=target.type is ColumnType.NUMBER,
        )
        source = from_file(rows, target.column_id)
        if report.ruling is not None:
            # ruled on late, the batch is still older than what came since: its labels yield as its rows do
            since = moment(report.received_at)
            newer = f"SELECT row_id FROM labels WHERE model = {text(report.model)} AND newest AND received_at > {since}"
            source = f"(SELECT * FROM {source} WHERE row_id NOT IN ({newer}))"
        return put_labels(self._database, source, delivery=delivery, known=None).rows

    def _known_name(self, model: str, batch_id: str) -> bool:
        return self._log.names(model, batch_id) or self._folders.batch_rows(model, batch_id).exists()

    def _acknowledge(self, report: BatchReport) -> None:
        """Promise a batch as soon as it is committed; the caller hears of it after that."""
        rows = self._folders.batch_rows(report.model, report.batch_id)
        accepted = report.status is BatchStatus.ACCEPTED
        entry = batch_entry(report, rows=rows if accepted else None, at=self._database.now())
        self._database.after_commit(lambda: self._log.append(entry))

    def _still_quarantined(self, report: BatchReport) -> None:
        found = self._database.rows(
            "SELECT status FROM batches WHERE model = ? AND batch_id = ?", [report.model, report.batch_id]
        )
        if not found or found[0][0] != BatchStatus.QUARANTINED.value:
            now = found[0][0] if found else "gone"
            raise Stale(
                f"Batch {report.batch_id} of {report.model!r} is {now} by now; only a quarantined batch can be decided on. "
                "Reload, and look at it again."
            )

    def _refuse_twin(self, report: BatchReport) -> None:
        """Refuse to count one content twice: it may have come in again, and been accepted as another batch."""
        twin = self.known(report.model, report.sha256)
        if twin is not None and twin.status is BatchStatus.ACCEPTED:
            raise Stale(
                f"The content of batch {report.batch_id} of {report.model!r} is accepted already, as batch {twin.batch_id}; taken"
                f" in twice, its rows would count twice. Discard {report.batch_id}."
            )

    def _refuse_other(self, report: BatchReport, counts: pa.Table | Path) -> None:
        """Refuse rows that give other counts than those that the batch was kept with; days apart, as a zone moves them."""
        with self._source(counts) as source:
            found = self._database.rows(_OTHER_COUNTS.format(source=source), [report.model, report.batch_id])
        if found:
            name = self._models.schema(report.model, report.schema_version).by_id(found[0][0]).name
            raise InvalidDefinition(
                f"The rows that were read for batch {report.batch_id} of {report.model!r} are not those that it had: column"
                f" {name!r} has other values. They are not put back; look for the file as it was sent, and how it was read."
            )

    def _forget_raw(self, report: BatchReport) -> None:
        """Remove the file of a discarded batch once that is committed, unless another batch names it."""
        key = [report.model, report.batch_id]
        named = self._database.rows(
            "SELECT raw_name FROM batches WHERE model = ? AND batch_id = ? AND raw_name IS NOT NULL", key
        )
        self._database.run("UPDATE batches SET raw_name = NULL WHERE model = ? AND batch_id = ?", key)
        doomed = [
            self._folders.raw / name
            for (name,) in named
            if not self._database.rows("SELECT 1 FROM batches WHERE raw_name = ? LIMIT 1", [name])
        ]
        self._database.after_commit(lambda: remove_files(doomed))


def _refuse_changed(copy: Staged, report: BatchReport, raw: Path) -> None:
    if copy.sha256 != report.sha256:
        raise Unreadable(f"{raw} changed while it was being received. Send it again when it is complete.")


def _rows_in(report: BatchReport, rows: Path | None) -> int:
    """Count the rows of a file by its footer."""
    if rows is None:
        raise InvalidDefinition(f"Batch {report.batch_id} says {report.rows} rows and brings no rows.")
    try:
        return int(pq.read_metadata(rows).num_rows)
    except (OSError, pa.ArrowInvalid) as error:
        raise InvalidDefinition(
            f"The rows of batch {report.batch_id} are no whole Parquet file. Read it again."
        ) from error


def _held(report: BatchReport, rows: Path | None) -> None:
    brought = _rows_in(report, rows)
    if brought != report.rows:
        raise InvalidDefinition(f"Batch {report.batch_id} says {report.rows} rows and brings {brought} rows.")


def _measured(measures: Sequence[Measure]) -> pa.Table:
    return pa.table({
        "code": pa.array([m.code for m in measures], pa.string()),
        "column_id": pa.array([m.column_id for m in measures], pa.string()),
        "value": pa.array([m.value for m in measures], pa.float64()),
    })
