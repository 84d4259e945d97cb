"""Which rows is a version made from, and are they still there? Datasets: drawn, named by their content, drawn again.

A dataset is never changed: labels count as they were known when it was made, and batches that came later are no part of
it. Neighbours: ``store.selection`` chooses rows, ``release`` trains on them, ``tracing`` asks whether they still agree.
It refuses to give other rows under the name of a dataset.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline_core.errors import InvalidDefinition, NotEnough, Refused
from pipeline_core.flows.times import parse_time
from pipeline_core.records import BatchStatus, DatasetPart, DatasetVersion, Schema, dump
from pipeline_core.stats.rowkeys import content_sha256
from pipeline_core.store.home import Store

SHOWN = 12
_NAMED_MAX = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which rows: an event time before which and from which on, batches by id (empty: all), and the labels of which time."""

    since: datetime | None = None
    until: datetime | None = None
    asked: tuple[str, ...] = ()


def make(
    store: Store,
    model: str,
    *,
    since: datetime | date | str | float | None = None,
    until: datetime | date | str | float | None = None,
    batches: Sequence[str] = (),
) -> DatasetVersion:
    """Choose the labelled rows of a period or of some batches, and keep the choice under a name.

    Parameters
    ----------
    store : Store
        The home.
    model : str
        The model's name.
    since, until : datetime, date, str or float, optional
        Only rows from this event time on, and before; as ``parse_time`` takes them.
    batches : sequence of str
        Only these batches; all, unless said.

    Returns
    -------
    DatasetVersion
        The one that is there already, where the content is the same.

    Raises
    ------
    NotEnough
        No labelled row is left.
    NotFound
        No such model or batch, or rows are lost.
    Quarantined
        One of the named batches is.
    InvalidDefinition
        A time does not fit the model, or the period is empty.
    """
    schema = store.models.schema(model)
    start, end = parse_time(since, schema), parse_time(until, schema)
    if start and end and start >= end:
        raise InvalidDefinition(f"The period from {since} to {until} is empty: --until is exclusive. Name a later end.")
    with store.work_dir() as work:
        question = Question(since=start, until=end, asked=tuple(sorted(set(batches))))
        drawn = draw(store, model, question, to=work / "dataset.parquet")
    if not drawn.rows:
        raise NotEnough(
            f"Model {model!r} has no labelled row in that selection, so there is nothing to keep. Receive rows or labels,"
            " or choose a longer period."
        )
    return store.datasets.add(drawn)


def draw(store: Store, model: str, question: Question, *, to: Path) -> DatasetVersion:
    """Write the labelled rows that a question chooses now, and name them.

    Parameters
    ----------
    store : Store
        The home.
    model : str
        The model's name.
    question : Question
        Which rows.
    to : Path
        The file to write, as ``Batches.select`` does.

    Returns
    -------
    DatasetVersion
        Without an id: it is not kept yet.

    Raises
    ------
    NotEnough, NotFound, Quarantined
        As ``Batches.select`` does.
    """
    labels_at = store.now()
    considered = question.asked or tuple(
        sorted(b.batch_id for b in store.batches.list(model, status=BatchStatus.ACCEPTED))
    )
    return _drawn(store, model, question, to=to, read=(considered, labels_at))


def redraw(store: Store, kept: DatasetVersion, *, to: Path) -> DatasetVersion:
    """Write the rows of a dataset as they are read now: the same batches, and labels as they were known then.

    Parameters
    ----------
    store : Store
        The home.
    kept : DatasetVersion
        The dataset.
    to : Path
        The file to write.

    Returns
    -------
    DatasetVersion
        Equal to ``kept`` in ``sha256`` as long as nothing was changed.

    Raises
    ------
    NotFound
        Rows are lost; the message names the batches.
    Quarantined
        A batch is not accepted any more.
    """
    considered = (*(part.batch_id for part in kept.parts), *kept.also_read)
    question = Question(since=kept.since, until=kept.until, asked=kept.asked)
    drawn = _drawn(store, kept.model, question, to=to, read=(considered, kept.labels_at), version=kept.schema_version)
    return replace(drawn, dataset_id=kept.dataset_id, made_at=kept.made_at)


def chosen(
    store: Store, model: str, *, to: Path, dataset: str | None = None, until: datetime | None = None
) -> DatasetVersion:
    """Write the rows that a training asks for: those of a dataset by name, or all labelled ones before a time.

    Parameters
    ----------
    store : Store
        The home.
    model : str
        The model's name.
    to : Path
        The file to write.
    dataset : str, optional
        Like ``d-2``.
    until : datetime, optional
        Only rows before this event time.

    Returns
    -------
    DatasetVersion

    Raises
    ------
    Refused
        The dataset can no longer be read as it was; the message says what differs.
    InvalidDefinition
        Both were named.
    NotFound
        No such dataset, or its rows are lost.
    """
    if dataset is None:
        return draw(store, model, Question(until=until), to=to)
    if until is not None:
        raise InvalidDefinition(
            f"Dataset {dataset} says which rows are used, so --until has no place beside it. Leave one of the two out."
        )
    kept = store.datasets.get(model, dataset)
    found = redraw(store, kept, to=to)
    if found.sha256 != kept.sha256:
        raise Refused(
            f"Dataset {dataset} of model {model!r} can no longer be read as it was: {'; '.join(differences(kept, found))}."
            " Restore a backup of these batches, or make another dataset."
        )
    return kept


def differences(kept: DatasetVersion, found: DatasetVersion) -> list[str]:
    """Say what of a dataset is another one now, batch by batch, with both values.

    Parameters
    ----------
    kept, found : DatasetVersion
        As it was made, and as it is read now.

    Returns
    -------
    list of str
        Clauses; empty where both are the same.
    """
    was, now = ({part.batch_id: part for part in version.parts} for version in (kept, found))
    said = []
    if kept.schema_sha256 != found.schema_sha256:
        said.append(f"the schema is {found.schema_sha256[:SHOWN]}, was {kept.schema_sha256[:SHOWN]}")
    for batch_id in sorted({*was, *now}):
        said += _changed(batch_id, was.get(batch_id), now.get(batch_id))
    rest = len(said) - _NAMED_MAX
    return [*said[:_NAMED_MAX], f"and {rest} more"] if rest > 0 else said


def _changed(batch_id: str, was: DatasetPart | None, now: DatasetPart | None) -> list[str]:
    if was is None or now is None:
        return [f"batch {batch_id} has {now.rows if now else 0:,} rows in it, had {was.rows if was else 0:,}"]
    if was.rows != now.rows:
        return [f"batch {batch_id} has {now.rows:,} rows in it, had {was.rows:,}"]
    pairs = {
        "file as received": (was.sha256, now.sha256),
        "rows": (was.rows_sha256, now.rows_sha256),
        "labels": (was.labels_sha256, now.labels_sha256),
    }
    return [
        f"the {what} of batch {batch_id} are {new[:SHOWN]}, were {old[:SHOWN]}"
        for what, (old, new) in pairs.items()
        if old != new
    ]


def standing(store: Store, model: str, at: datetime) -> tuple[str, ...]:
    """Give the batches that were accepted by a moment: received by then and, where a person ruled, ruled on by then.

    Parameters
    ----------
    store : Store
        The home.
    model : str
        The model's name.
    at : datetime
        The moment.

    Returns
    -------
    tuple of str
    """
    accepted = store.batches.list(model, status=BatchStatus.ACCEPTED)
    return tuple(b.batch_id for b in accepted if max(b.received_at, b.ruling.decided_at if b.ruling else at) <= at)


def schema_sha256(schema: Schema) -> str:
    """Name a schema with the baseline that it was defined with.

    Parameters
    ----------
    schema : Schema
        Of one version.

    Returns
    -------
    str
    """
    return _sha256(dump(schema))


def _drawn(
    store: Store,
    model: str,
    question: Question,
    *,
    to: Path,
    read: tuple[tuple[str, ...], datetime],
    version: int | None = None,
) -> DatasetVersion:
    considered, labels_at = read
    # an empty list of batches would ask for all of them: without any, select says what is missing
    summary = store.batches.select(
        model, to=to, since=question.since, until=question.until, batch_ids=considered or None, as_of=labels_at
    )
    schema = store.models.schema(model, version)
    schema_name = schema_sha256(schema)
    parts = _parts(store, model, pq.read_table(to))
    named = {
        "schema": schema_name,
        "parts": [[p.batch_id, p.sha256, p.rows, p.rows_sha256, p.labels_sha256] for p in parts],
    }
    return DatasetVersion(
        model=model,
        dataset_id="",
        sha256=_sha256(named),
        schema_version=schema.schema_version,
        schema_sha256=schema_name,
        rows=summary.rows,
        parts=parts,
        also_read=tuple(sorted(set(considered) - {p.batch_id for p in parts})),
        asked=question.asked,
        since=question.since,
        until=question.until,
        first_event_at=summary.first_event_at,
        last_event_at=summary.last_event_at,
        labels_at=labels_at,
        made_at=labels_at,
    )


def _parts(store: Store, model: str, rows: pa.Table) -> tuple[DatasetPart, ...]:
    """Name what each batch gave, in the order of the batches."""
    batches = rows.column("batch_id").combine_chunks().dictionary_encode()
    codes = batches.indices.to_numpy()
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(len(batches.dictionary) + 1))
    sorted_rows = rows.drop_columns(["batch_id"]).take(pa.array(order))
    parts = []
    for batch_id, start, end in zip(batches.dictionary.to_pylist(), starts, starts[1:], strict=False):
        own = sorted_rows.slice(start, end - start)
        parts.append(
            DatasetPart(
                batch_id=batch_id,
                sha256=store.batches.get(model, batch_id).sha256,
                rows=own.num_rows,
                rows_sha256=content_sha256(own.drop_columns(["label"])),
                labels_sha256=content_sha256(own.select(["row_number", "label"])),
            )
        )
    return tuple(sorted(parts, key=lambda part: part.batch_id))


def _sha256(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
