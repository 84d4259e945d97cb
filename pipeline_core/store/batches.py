"""What came in: batches, their typed rows, their counts by day, and the ground truth by row id.

Neighbours: ``admission`` writes them, ``models`` says which column is the target; ``selection``, ``ground_truth``,
``history`` and ``day_counts`` hold the SQL. It refuses to give out rows of a quarantined batch: of those only the file
as received is kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Unpack

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline_core.errors import InvalidDefinition, NotEnough, NotFound, nearest
from pipeline_core.records import (
    BatchReport,
    BatchStatus,
    ColumnType,
    LabelReport,
    Ruling,
    load,
)
from pipeline_core.store.admission import Admission, Brought, batch_name
from pipeline_core.store.database import Database, parquet
from pipeline_core.store.day_counts import sum_counts
from pipeline_core.store.files import Folders
from pipeline_core.store.ground_truth import Delivery, from_table, put_labels
from pipeline_core.store.history import ASIDE, measures, past
from pipeline_core.store.models import Models
from pipeline_core.store.selection import DatasetSummary, Filters, find_sources, refuse_lost, write_selection


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
    admission : Admission
        Which writes what is read here.
    """

    def __init__(self, database: Database, folders: Folders, models: Models, admission: Admission) -> None:
        self._database = database
        self._folders = folders
        self._models = models
        self._admission = admission

    def find(self, model: str, sha256: str) -> BatchReport | None:
        """Say which batch this content already is: the accepted one, or one in quarantine; what was discarded is none."""
        return self._admission.known(model, sha256)

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
        return batch_name(self._admission.next_sequence(model))

    def add(self, report: BatchReport, **brought: Unpack[Brought]) -> BatchReport:
        """Keep a batch: files, record, counts by day and the labels in its target column, all or nothing.

        Parameters
        ----------
        report : BatchReport
            What the door decided; of a quarantined batch only this and the raw file are kept.
        **brought
            ``raw``: the file as received; it is copied, and its content must hash to ``report.sha256``. ``rows``: a
            Parquet file of typed rows in ``work_dir()``, which an accepted batch must bring; it is moved into place.
            ``counts``: COUNTS of them, bucket = day, as a table or a Parquet file (what is on no day is left out). ``measures``: what each rule measured. ``aside``: a Parquet file of the rows that were set
            aside (row_number, column_id, reason), moved as well.

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
        return self._admission.add(report, **brought)

    def rule(
        self, model: str, batch_id: str, *, ruling: Ruling, status: BatchStatus, **brought: Unpack[Brought]
    ) -> BatchReport:
        """Keep what a person decided about a quarantined batch, and close its alert, all or nothing.

        Parameters
        ----------
        model : str
            The model's name.
        batch_id : str
            The batch; accepted, it keeps this id, its place among the others and its findings.
        ruling : Ruling
            Who decided, when and why.
        status : BatchStatus
            Accepted or discarded. The raw file of a discarded batch goes, unless another batch came as the same one.
        **brought
            Of an accepted batch as for ``add``; ``raw`` is there already.

        Returns
        -------
        BatchReport

        Raises
        ------
        NotFound
            There is no such batch.
        Stale
            It is not quarantined (any more).
        InvalidDefinition
            It is to be accepted without rows, or to stay in quarantine.
        """
        if status is BatchStatus.QUARANTINED:
            raise InvalidDefinition(f"Batch {batch_id} is quarantined already. Accept or discard it.")
        return self._admission.rule(self.get(model, batch_id), ruling=ruling, status=status, brought=brought)

    def mend(self, model: str, batch_id: str, **brought: Unpack[Brought]) -> None:
        """Put back what was lost of a batch; its record, counts and labels stay as they are.

        Parameters
        ----------
        model : str
            The model's name.
        batch_id : str
            The batch.
        **brought
            As for ``add``. ``rows``: typed anew from the file as received. ``counts``: must be those that are stored.
            ``raw``: put in its place if one was kept and is gone.

        Raises
        ------
        NotFound
            There is no such batch.
        Quarantined
            It is not accepted, so it has no rows.
        InvalidDefinition
            They are not as many as the batch has, or other ones.
        """
        if brought.get("rows") is not None:
            self.rows_paths(model, [batch_id])
        self._admission.mend(self.get(model, batch_id), brought)

    def raw_path(self, report: BatchReport) -> Path:
        """Give the file as it was received (NotFound where none was kept)."""
        found = self._database.rows(
            "SELECT raw_name FROM batches WHERE model = ? AND batch_id = ?", [report.model, report.batch_id]
        )
        if not found or found[0][0] is None:
            raise NotFound(
                f"Batch {report.batch_id} of {report.model!r} has no file: it came without a file, or was discarded, so "
                "no file is kept."
            )
        return self._folders.raw / str(found[0][0])

    def rows_paths(
        self, model: str, batch_ids: Iterable[str] | None = None, *, there: bool = False
    ) -> tuple[Path, ...]:
        """Give the files of typed rows, oldest batch first.

        Parameters
        ----------
        model : str
            The model's name.
        batch_ids : iterable of str, optional
            Which batches; all accepted ones, unless said.
        there : bool
            Leave out files that are gone: they are told as losses, and stop nothing else.

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
        paths = (source.path for source in find_sources(self._database, self._folders, model, batch_ids))
        return tuple(path for path in paths if not there or path.is_file())

    def read_rows(self, model: str, batch_id: str) -> pa.Table:
        """Give the typed rows of one accepted batch, as in its file (Quarantined where it is, NotFound where they are lost)."""
        sources = find_sources(self._database, self._folders, model, [batch_id])
        refuse_lost(sources, model)
        files = parquet([source.path for source in sources])
        return self._database.table(f"SELECT * EXCLUDE (filename) FROM {files} ORDER BY row_number")

    def read_aside(self, model: str, batch_id: str) -> pa.Table:
        """Give the rows of an accepted batch that were set aside: row_number, column_id, reason (Quarantined as well)."""
        self.rows_paths(model, [batch_id])
        path = self._folders.batch_aside(model, batch_id)
        return pq.read_table(path) if path.is_file() else ASIDE.empty_table()

    def measures(self, model: str, *, last: int = 100) -> pa.Table:
        """Give what each rule measured on the last accepted batches: batch_id, code, column_id, value; oldest first."""
        return measures(self._database, model, last=last)

    def past(self, model: str, *, last: int = 100) -> pa.Table:
        """Give size, times and rows by day of the last accepted batches: ``PAST``, oldest first."""
        return past(self._database, model, last=last)

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
            with from_table(self._database, labels) as source:
                return put_labels(self._database, source, delivery=delivery, known=self.rows_paths(model, there=True))

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
            at most so many rows, the first ones, or with ``newest`` the last ones. ``as_of``: labels as they were known then, of these batches and of files of labels.

        Returns
        -------
        DatasetSummary

        Raises
        ------
        NotEnough
            The model has no accepted batch.
        Quarantined
            One of the named batches is.
        NotFound
            The rows of one are lost: without them it would silently be another set.
        """
        sources = find_sources(self._database, self._folders, model, filters.get("batch_ids"))
        if not sources:
            raise NotEnough(f"Model {model!r} has no accepted batch yet. Receive a file first.")
        refuse_lost(sources, model)
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
