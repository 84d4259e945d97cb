"""How ground truth comes home: in a batch that carries its target, or later, by row id.

Neighbours: ``arrival`` takes files that are whole batches; the store keeps every label as a revision.
It refuses labels that contradict each other, and values that are no label of the model.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline_core.errors import InvalidDefinition, Quarantined, nearest
from pipeline_core.flows import sandbox
from pipeline_core.flows.arrival import arrive, first_error, receive, unpack
from pipeline_core.flows.compute import Compute
from pipeline_core.records import BatchReport, BatchStatus, ColumnType, LabelReport, Reading, Schema, Task
from pipeline_core.stages import validation
from pipeline_core.store.home import Store

ROW_ID = "row_id"
"""The column by which rows without an id of their own are labelled; ``score`` gives it out."""


def labels(
    store: Store,
    model: str,
    path: Path | str,
    *,
    source: str | None = None,
    reading: Reading | None = None,
    compute: Compute = sandbox.confined,
) -> LabelReport:
    """Take ground truth from a file.

    A file with ``row_id`` (as given out by ``score``) or the model's id, and the target, is joined by id.
    A file with all features and the target whose rows are not known yet is received as a batch that is
    labelled at once. Rows whose target is null are not known yet and left out.

    Parameters
    ----------
    store : Store
        The home.
    model : str
        The model's name.
    path : Path or str
        CSV, JSON, Parquet, Arrow or Excel; plain, gz or zst.
    source : str, optional
        Where the file comes from, for the record.
    reading : Reading, optional
        How it is to be read where its content leaves that open.
    compute : callable
        Where it is read: ``sandbox.confined``, or ``compute.in_process`` for what this process wrote itself.

    Returns
    -------
    LabelReport
        ``batch_id`` is set where the file is a batch.

    Raises
    ------
    NotFound
        No such model or file.
    Unreadable
        The file is no table of an allowed format.
    InvalidDefinition
        It has no target or no id, or labels that contradict each other or are none of the model's.
    Quarantined
        It is a batch, and is or was quarantined.
    """
    schema = store.models.schema(model)
    arrived = arrive(store, path, source=source, reading=reading)
    if store.batches.find(model, arrived.sha256) is None:
        store.check_space(arrived.path.stat().st_size)
        with store.work_dir() as folder:
            seen = unpack(store, arrived, folder=folder, remembered=schema.reading, compute=compute)
            table = pq.read_table(seen.arrived)
        key = _key(store, schema, table, source=arrived.source)
        if key is not None:
            given = _by_id(table, schema, key)
            return store.batches.set_labels(model, given, received_at=arrived.received_at)
    # a whole batch, known or not; what was quarantined is judged again
    batch = receive(store, model, path, source=source, reading=reading, compute=compute)
    return _of_batch(store, schema, batch, new=not batch.duplicate)


def _key(store: Store, schema: Schema, table: pa.Table, *, source: str) -> str | None:
    """Say which column labels are joined by; None: the file is a whole batch."""
    names = set(table.column_names)
    if schema.target.name not in names:
        raise InvalidDefinition(
            f"File {source!r} has no column {schema.target.name!r}, the target of model {schema.model!r}."
            f" {nearest(schema.target.name, names)} Send the target with an id."
        )
    key = next((k for k in (ROW_ID, schema.id.name if schema.id else None) if k in names), None)
    whole = all(c.name in names for c in schema.features)
    if key is None and not whole:
        wanted = " or ".join(repr(k) for k in (schema.id.name if schema.id else None, ROW_ID) if k)
        raise InvalidDefinition(
            f"File {source!r} says which labels there are, but not of which rows: it has no column {wanted}, and"
            " not all features either. Send the target with an id; score gives the ids out."
        )
    if whole and key not in {None, ROW_ID} and not _any_known(store, schema.model, _ids(table, str(key))):
        return None
    return key


def _of_batch(store: Store, schema: Schema, batch: BatchReport, *, new: bool) -> LabelReport:
    if batch.status is BatchStatus.QUARANTINED:
        raise Quarantined(
            f"The file is batch {batch.batch_id} of {batch.model!r}, which is quarantined, so its labels are not taken."
            f" {first_error(batch.findings)} Send a corrected file, or the target with an id alone."
        )
    if not batch.labelled_rows:
        raise InvalidDefinition(
            f"The file is batch {batch.batch_id} of {batch.model!r}, and column {schema.target.name!r} has no value in"
            " it. Send the labels when they are known."
        )
    said = store.signals.predictions(batch.model, batch_id=batch.batch_id)
    matched = said.filter(said.column("label").is_valid()).column("row_id")
    return LabelReport(
        model=batch.model,
        rows=batch.labelled_rows,
        new_rows=batch.labelled_rows if new else 0,
        changed_rows=0,
        unchanged_rows=0 if new else batch.labelled_rows,
        unknown_rows=0,
        matched_predictions=pc.count_distinct(matched).as_py(),
        batch_id=batch.batch_id,
    )


def _ids(table: pa.Table, key: str) -> pa.ChunkedArray:
    return validation.convert(table.column(key), ColumnType.CATEGORY)


def _any_known(store: Store, model: str, ids: pa.ChunkedArray) -> bool:
    wanted = pc.unique(ids.drop_null())
    stored: Iterable[Path] = store.batches.rows_paths(model, there=True)
    return any(pc.any(pc.is_in(pq.read_table(p, columns=[ROW_ID])[ROW_ID], value_set=wanted)).as_py() for p in stored)


def _by_id(table: pa.Table, schema: Schema, key: str) -> pa.Table:
    target = schema.target
    raw = table.column(target.name)
    value = validation.convert(raw, target.type)
    known = value.is_valid()
    if schema.task is not Task.REGRESSION:
        known = pc.and_(known, pc.is_in(value, value_set=pa.array(schema.classes, pa.string())))
    text = validation.convert(raw, ColumnType.CATEGORY)
    wrong = pc.unique(text.filter(pc.and_(text.is_valid(), pc.invert(known)))).to_pylist()
    if wrong:
        allowed = ", ".join(repr(c) for c in schema.classes[:12]) or "finite numbers"
        raise InvalidDefinition(
            f"Target {target.name!r} holds {', '.join(repr(v[:40]) for v in wrong[:3])}; allowed are {allowed}. Correct"
            " the labels and send them again: none of the file was taken."
        )
    given = pa.table({ROW_ID: _ids(table, key), "value": value}).filter(known)
    given = given.filter(given.column(ROW_ID).is_valid())
    _refuse_contradictions(given, key)
    return given


def _refuse_contradictions(given: pa.Table, key: str) -> None:
    pairs = given.group_by([ROW_ID, "value"]).aggregate([])
    counted = pairs.group_by(ROW_ID).aggregate([("value", "count")])
    twice = counted.filter(pc.greater(counted.column("value_count"), 1)).column(ROW_ID)
    if len(twice):
        raise InvalidDefinition(
            f"{len(twice):,} ids have more than one label in the file ({key} {twice[0].as_py()[:40]!r}); one is allowed."
            " Correct it and send it again: none of the file was taken."
        )
