"""What came in: batches, their typed rows, their counts by day, and the ground truth by row id.

Neighbours: ``files`` puts the row files in place, ``models`` says which column is the target; ``selection``,
``ground_truth`` and ``day_counts`` hold the SQL. It refuses to give out rows of a quarantined batch: of those only
the file as received is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Unpack

import pyarrow as pa

from pipeline_core.errors import InvalidDefinition, NotEnough, NotFound, Quarantined, Stale, Unreadable, nearest
from pipeline_core.records import (
    COUNTS,
    BatchReport,
    BatchStatus,
    ColumnType,
    LabelReport,
    dump_text,
    load,
)
from pipeline_core.store import faults
from pipeline_core.store.database import Database, naive, parquet
from pipeline_core.store.day_counts import sum_counts
from pipeline_core.store.files import Folders, Staged, raw_name, stage_copy, stage_table
from pipeline_core.store.ground_truth import Delivery, put_labels
from pipeline_core.store.models import Models
from pipeline_core.store.selection import DatasetSummary, Filters, Source, write_selection


class Batches:
    """``store.batches``.

    Parameters
    ----------
    database : Database
        Where the rows are.
    folders : Folders
        Of the same home.
    models : Models
        Whose schemas say which column is the target.
    """

    def __init__(self, database: Database, folders: Folders, models: Models) -> None:
        self._database = database
        self._folders = folders
        self._models = models

    def find(self, model: str, sha256: str) -> BatchReport | None:
        """Say which batch this content already is: the accepted one, or one that was quarantined."""
        found = self._database.rows(
            "SELECT record FROM batches WHERE model = ? AND sha256 = ? ORDER BY status = ? DESC, sequence LIMIT 1",
            [model, sha256, BatchStatus.ACCEPTED.value],
        )
        return load(BatchReport, found[0][0]) if found else None

    def get(self, model: str, batch_id: str) -> BatchReport:
        """Give one batch.

        Parameters
        ----------
        model : str
            The model's name.
        batch_id : str
            The batch's id.

        Returns
        -------
        BatchReport

        Raises
        ------
        NotFound
            There is no such batch; the message names the nearest.
        """
        found = self._database.rows("SELECT record FROM batches WHERE model = ? AND batch_id = ?", [model, batch_id])
        if not found:
            known = self._database.rows("SELECT batch_id FROM batches WHERE model = ?", [model])
            raise NotFound(f"Model {model!r} has no batch {batch_id!r}. {nearest(batch_id, (r[0] for r in known))}")
        return load(BatchReport, found[0][0])

    def list(self, model: str, *, status: BatchStatus | None = None) -> tuple[BatchReport, ...]:
        """Give a model's batches, newest first."""
        wanted = status.value if status else None
        found = self._database.rows(
            "SELECT record FROM batches WHERE model = ? AND (?::VARCHAR IS NULL OR status = ?) ORDER BY sequence DESC",
            [model, wanted, wanted],
        )
        return tuple(load(BatchReport, row[0]) for row in found)

    def next_id(self, model: str) -> str:
        """Give the id of the next batch; take it inside ``transaction()`` to be sure of it."""
        return f"b-{self._next_sequence(model):04d}"

    def add(
        self,
        report: BatchReport,
        *,
        raw: Path | None = None,
        rows: pa.Table | None = None,
        counts: pa.Table | None = None,
    ) -> BatchReport:
        """Keep a batch: files, record, counts by day and the labels in its target column, all or nothing.

        Parameters
        ----------
        report : BatchReport
            What the door decided; of a quarantined batch only this and the raw file are kept.
        raw : Path, optional
            The file as received; it is copied, and its content must hash to ``report.sha256``.
        rows : pa.Table, optional
            Typed rows; an accepted batch must bring them.
        counts : pa.Table, optional
            COUNTS of them, bucket = day.

        Returns
        -------
        BatchReport
            With ``labelled_rows`` filled in; where the content was already known, the report of the batch that it
            is, with ``duplicate`` set. Content that was quarantined and is accepted now is a batch of its own.

        Raises
        ------
        Stale
            The batch id was taken meanwhile.
        NotFound
            The model is not defined.
        InvalidDefinition
            The rows are not those of the report.
        Unreadable
            The raw file cannot be copied, or changed since it was hashed.
        """
        faults.point("receive.before_files")
        accepted = report.status is BatchStatus.ACCEPTED
        if accepted and (rows is None or rows.num_rows != report.rows):
            brought = "no rows" if rows is None else f"{rows.num_rows} rows"
            raise InvalidDefinition(f"Batch {report.batch_id} says {report.rows} rows and brings {brought}.")
        staged: list[Staged] = []
        try:
            # extended one by one, so that what was written before a failure is discarded too
            staged.extend(self._stage(report, raw=raw, rows=rows if accepted else None))
            with self._database.transaction():
                known = self.find(report.model, report.sha256)
                if known is not None and not (accepted and known.status is BatchStatus.QUARANTINED):
                    return replace(known, duplicate=True)
                kept = self._keep(report, staged, rows=rows if accepted else None)
                if accepted and counts is not None:
                    constants = {"model": report.model, "batch_id": report.batch_id}
                    self._database.append("day_counts", counts.select(COUNTS.names).cast(COUNTS), constants=constants)
                faults.point("receive.before_commit")
                self._database.after_commit(lambda: faults.point("receive.after_commit"))
        finally:
            for file in staged:
                file.discard()
        return kept

    def raw_path(self, report: BatchReport) -> Path:
        """Give the file as it was received (NotFound where none was kept)."""
        found = self._database.rows(
            "SELECT raw_name FROM batches WHERE model = ? AND batch_id = ?", [report.model, report.batch_id]
        )
        if not found or found[0][0] is None:
            raise NotFound(f"Batch {report.batch_id} of {report.model!r} came without a file, so none was kept.")
        return self._folders.raw / str(found[0][0])

    def rows_paths(self, model: str, batch_ids: Iterable[str] | None = None) -> tuple[Path, ...]:
        """Give the files of typed rows, oldest batch first.

        Parameters
        ----------
        model : str
            The model's name.
        batch_ids : iterable of str, optional
            Which batches; all accepted ones, unless said.

        Returns
        -------
        tuple of Path

        Raises
        ------
        Quarantined
            One of the named batches is.
        NotFound
            One of the named batches is not there.
        """
        return tuple(source.path for source in self._sources(model, batch_ids))

    def read_rows(self, model: str, batch_id: str) -> pa.Table:
        """Give the typed rows of one accepted batch, in the order of the file (Quarantined where it is)."""
        files = parquet(self.rows_paths(model, [batch_id]))
        return self._database.table(f"SELECT * EXCLUDE (filename) FROM {files} ORDER BY row_number")

    def set_labels(
        self, model: str, labels: pa.Table, *, received_at: datetime | None = None, batch_id: str | None = None
    ) -> LabelReport:
        """Keep ground truth; another value for a row is a new revision, and the newest counts.

        Parameters
        ----------
        model : str
            The model's name.
        labels : pa.Table
            Columns ``row_id`` and ``value``. Rows without either are left out (for a number target: rows whose
            value is none); of a row named twice the last one counts.
        received_at : datetime, optional
            Now, unless said.
        batch_id : str, optional
            The batch that brought them.

        Returns
        -------
        LabelReport
            ``new + changed + unchanged + unknown`` = ``rows`` = distinct row ids with a value. Unknown: no accepted
            batch holds the row; they are kept for the batch that may come.

        Raises
        ------
        NotFound
            The model is not defined.
        """
        with self._database.transaction():
            delivery = Delivery(
                model=model,
                batch_id=batch_id,
                received_at=received_at or self._database.now(),
                numeric=self._models.schema(model).target.type is ColumnType.NUMBER,
            )
            return put_labels(self._database, labels, delivery=delivery, known=self.rows_paths(model))

    def labels(self, model: str) -> pa.Table:
        """Give the newest label of each row."""
        return self._database.table(
            "SELECT row_id, value, revision, received_at FROM labels WHERE model = ? AND newest ORDER BY row_id",
            [model],
        )

    def labelled_rows(self, model: str) -> int:
        """Count the row ids whose ground truth is known."""
        return int(self._database.rows("SELECT count(*) FROM labels WHERE model = ? AND newest", [model])[0][0])

    def select(self, model: str, *, to: Path, **filters: Unpack[Filters]) -> DatasetSummary:
        """Write accepted rows with their newest label as Parquet: what a version is trained or judged on.

        Columns: batch_id, those of typed rows, ``label`` (VARCHAR). Of a row id received twice the newest batch
        counts. The file is ordered by (event_at, batch, row_number).

        Parameters
        ----------
        model : str
            The model's name.
        to : Path
            The file to write.
        **filters
            ``since`` (inclusive) and ``until`` (exclusive); rows without an event time never pass where the
            model has one. ``labelled`` (True): only rows with a label. ``batch_ids``: only these batches. ``limit``:
            at most so many rows, the first ones, or with ``newest`` the last ones.

        Returns
        -------
        DatasetSummary

        Raises
        ------
        NotEnough
            The model has no accepted batch.
        Quarantined
            One of the named batches is.
        """
        sources = self._sources(model, filters.get("batch_ids"))
        if not sources:
            raise NotEnough(f"Model {model!r} has no accepted batch yet. Receive a file first.")
        schema = self._models.schema(model)
        return write_selection(self._database, sources, schema=schema, to=to, filters=filters)

    def counts(
        self,
        model: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        batch_ids: Iterable[str] | None = None,
    ) -> pa.Table:
        """Sum the counts of accepted batches, day by day.

        Parameters
        ----------
        model : str
            The model's name.
        since, until : datetime, optional
            Days that begin at or after, and before; whole days.
        batch_ids : iterable of str, optional
            Only these batches.

        Returns
        -------
        pa.Table
            COUNTS with bucket = day.
        """
        return sum_counts(self._database, model, span=(since, until), batch_ids=batch_ids)

    def window_counts(
        self, model: str, starts: Sequence[datetime], *, end: datetime, batch_ids: Iterable[str] | None = None
    ) -> pa.Table:
        """Sum the counts of accepted batches, window by window.

        Parameters
        ----------
        model : str
            The model's name.
        starts : sequence of datetime
            Where windows start; each ends where the next one starts. Whole days.
        end : datetime
            Where the last one ends.
        batch_ids : iterable of str, optional
            Only these batches.

        Returns
        -------
        pa.Table
            COUNTS with bucket = the start of the window.
        """
        if not starts:
            return COUNTS.empty_table()
        return sum_counts(self._database, model, span=(min(starts), end), batch_ids=batch_ids, starts=starts)

    def _stage(self, report: BatchReport, *, raw: Path | None, rows: pa.Table | None) -> Iterator[Staged]:
        if raw is not None:
            copy = stage_copy(raw, self._folders.raw / raw_name(report.sha256, raw))
            yield copy
            if copy.sha256 != report.sha256:
                raise Unreadable(f"{raw} changed while it was being received. Send it again when it is complete.")
        if rows is not None:
            yield stage_table(rows, self._folders.batch_rows(report.model, report.batch_id))

    def _keep(self, report: BatchReport, staged: Sequence[Staged], *, rows: pa.Table | None) -> BatchReport:
        sequence = self._next_sequence(report.model)
        taken = self._database.rows(
            "SELECT count(*) FROM batches WHERE model = ? AND batch_id = ?", [report.model, report.batch_id]
        )
        if taken[0][0]:
            raise Stale(f"Model {report.model!r} has a batch {report.batch_id} by now. Receive the file again.")
        schema = self._models.schema(report.model, report.schema_version)
        for file in staged:
            file.place(self._database)
        faults.point("receive.after_files")
        kept = report
        if rows is not None and schema.target.column_id in rows.column_names:
            target = rows.select(["row_id", schema.target.column_id]).rename_columns(["row_id", "value"])
            delivery = Delivery(
                model=report.model,
                batch_id=report.batch_id,
                received_at=report.received_at,
                numeric=schema.target.type is ColumnType.NUMBER,
            )
            labels = put_labels(self._database, target, delivery=delivery, known=None)
            kept = replace(report, labelled_rows=labels.rows)
        raw = next((f.target.name for f in staged if f.shared), None)
        key = [kept.model, kept.batch_id, sequence, kept.sha256, kept.status.value, kept.rows]
        self._database.run(
            "INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [*key, naive(kept.received_at), raw, dump_text(kept)],
        )
        return kept

    def _sources(self, model: str, batch_ids: Iterable[str] | None) -> tuple[Source, ...]:
        wanted = None if batch_ids is None else set(batch_ids)
        found = self._database.rows(
            "SELECT batch_id, sequence, sha256, status FROM batches WHERE model = ? ORDER BY sequence", [model]
        )
        for batch_id in sorted((wanted or set()) - {row[0] for row in found}):
            self.get(model, batch_id)  # raises NotFound, naming the nearest
        sources = []
        for batch_id, sequence, sha256, status in found:
            if wanted is not None and batch_id not in wanted:
                continue
            if status == BatchStatus.ACCEPTED.value:
                path = self._folders.batch_rows(model, batch_id)
                sources.append(Source(batch_id=batch_id, sequence=sequence, sha256=sha256, path=path))
            elif wanted is not None:
                raise Quarantined(
                    f"Batch {batch_id} of {model!r} is quarantined; its rows take part in nothing. "
                    "Look at its findings, and send a corrected file."
                )
        return tuple(sources)

    def _next_sequence(self, model: str) -> int:
        sql = "SELECT coalesce(max(sequence), 0) + 1 FROM batches WHERE model = ?"
        return int(self._database.rows(sql, [model])[0][0])
