"""What comes in: define a model, receive a batch, score it, label it; the four doors of the intake.

Each verb loads from the store, lets pure stages compute, saves in one transaction and returns a record.
Neighbours: ``definition``, ``arrival`` and ``labelling`` hold the longer verbs; ``release`` makes the
champion that scores here. It refuses to score what is quarantined.
"""

from __future__ import annotations

import time
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipeline_core.errors import InvalidDefinition, NotEnough, Quarantined
from pipeline_core.flows import shadow
from pipeline_core.flows.arrival import first_error, receive
from pipeline_core.flows.definition import Definition, Preview, define, preview
from pipeline_core.flows.labelling import labels
from pipeline_core.flows.quarantine import discard, offending, readmit
from pipeline_core.flows.versions import loaded
from pipeline_core.records import BatchReport, BatchStatus, ModelVersion, Reading, ScoringReport, Task
from pipeline_core.stages import serving
from pipeline_core.store.home import Store

__all__ = [
    "Definition",
    "Preview",
    "define",
    "discard",
    "labels",
    "offending",
    "predictions_of",
    "preview",
    "readmit",
    "receive",
    "score",
]


def score(
    store: Store,
    model: str,
    path: Path | str | None = None,
    *,
    batch_id: str | None = None,
    source: str | None = None,
    reading: Reading | None = None,
) -> ScoringReport:
    """Let the champion score a batch and log what it says, once; a shadow scores it after that, unseen.

    Parameters
    ----------
    store : Store
        The home.
    model : str
        The model's name.
    path : Path or str, optional
        A file; it is received first if it has not been.
    batch_id : str, optional
        A batch that was received; either this or ``path``.
    source : str, optional
        Where the file comes from, for the record.
    reading : Reading, optional
        How it is to be read where its content leaves that open.

    Returns
    -------
    ScoringReport
        ``predictions_of`` gives its rows.

    Raises
    ------
    NotFound
        No such model, file or batch.
    NotEnough
        The model has no champion.
    Quarantined
        The batch is.
    InvalidDefinition
        Neither a file nor a batch was named, or both.
    """
    if (path is None) == (batch_id is None):
        raise InvalidDefinition("Name either a file or a batch to score; exactly one of the two is allowed.")
    store.models.schema(model)
    champion = _champion(store, model)
    batch = (
        receive(store, model, path, source=source, reading=reading) if path else store.batches.get(model, str(batch_id))
    )
    if batch.status is not BatchStatus.ACCEPTED:
        raise Quarantined(
            f"Batch {batch.batch_id} of {model!r} is {batch.status} and is not scored. {first_error(batch.findings)} Send a"
            " corrected file."
        )
    already, took_ms = store.signals.has_predictions(model, champion.version, batch_id=batch.batch_id), None
    if not already:
        schema = store.models.schema(model, champion.schema_version)
        rows, pipeline = store.batches.read_rows(model, batch.batch_id), loaded(store, champion)
        began = time.perf_counter()
        said = serving.predict(pipeline, rows, schema)
        took_ms = (time.perf_counter() - began) * 1_000
        added = store.signals.add_predictions(model, champion.version, batch_id=batch.batch_id, predictions=said)
        already = not added
    report = _report(store, batch, champion, already=already)
    shadow.follow(store, model, batch.batch_id, champion=champion, champion_ms=took_ms)
    return report


def predictions_of(store: Store, model: str, batch_id: str, *, version: int | None = None) -> pa.Table:
    """Give what was said about a batch, row by row, in the order of its file.

    Parameters
    ----------
    store : Store
        The home.
    model : str
        The model's name.
    batch_id : str
        The batch.
    version : int, optional
        Whose word; the champion's, unless said.

    Returns
    -------
    pa.Table
        ``row_id``, ``prediction``, ``score``; no rows where it has not been scored.

    Raises
    ------
    NotFound
        No such model or batch.
    NotEnough
        No version was named and the model has no champion.
    """
    store.batches.get(model, batch_id)
    number = version if version is not None else _champion(store, model).version
    said = store.signals.predictions(model, version=number, batch_id=batch_id)
    return said.sort_by("row_number").select(["row_id", "prediction", "score"])


def _champion(store: Store, model: str) -> ModelVersion:
    champion = store.models.champion(model)
    if champion is None:
        raise NotEnough(
            f"Model {model!r} has no champion, so nothing can be scored; exactly one promoted version is needed. Train a"
            " version, challenge it and promote it first; where the last champion was retired, roll back to the one before."
        )
    return champion


def _report(store: Store, batch: BatchReport, champion: ModelVersion, *, already: bool) -> ScoringReport:
    said = predictions_of(store, batch.model, batch.batch_id, version=champion.version)
    regression = store.models.schema(batch.model, champion.schema_version).task is Task.REGRESSION
    counted = [] if regression else said.column("prediction").value_counts().to_pylist()
    return ScoringReport(
        model=batch.model,
        batch_id=batch.batch_id,
        version=champion.version,
        rows=said.num_rows,
        mean_score=pc.mean(said.column("score")).as_py(),
        predicted={row["values"]: row["counts"] for row in sorted(counted, key=lambda row: str(row["values"]))},
        already_scored=already,
    )
