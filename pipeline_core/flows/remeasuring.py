"""How good is a kept model file on its own hold-out? Computed again, in a child process that never sees the store.

Neighbours: ``compute`` made the figures in the first place, ``tracing`` compares the two. It refuses to fit anything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline_core.flows import overlaps
from pipeline_core.flows.replies import Progress
from pipeline_core.records import Dataset, Figure, Schema
from pipeline_core.stages import artifact, serving, training
from pipeline_core.stats.scores import metrics
from pipeline_core.stats.truth import judged


@dataclass(frozen=True, slots=True, kw_only=True)
class RemeasureRequest:
    """What ``remeasure`` needs: the dataset as Parquet, how it was split, the model file, and where to write hashes.

    ``types``: what the file may hold beside the house's own, as the policy names it.
    """

    schema: Schema
    artifact: Path
    artifact_sha256: str
    rows: Path
    dataset: Dataset
    seed: int
    fitted: Path
    types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Remeasured:
    """What was found: the hashes of the fitted rows by their file's name, both parts of the rows, the metrics."""

    fitted_sha256: str
    fit_rows: int
    holdout_rows: int
    metrics: Mapping[str, Figure]


def remeasure(request: RemeasureRequest, progress: Progress) -> Remeasured:
    """Load a model file and judge it again on the rows that were held out.

    Parameters
    ----------
    request : RemeasureRequest
        Rows and model file.
    progress : callable
        Is told the share done (0-1) and what is being done.

    Returns
    -------
    Remeasured

    Raises
    ------
    ArtifactRejected
        The model file is not what it should be.
    """
    schema = request.schema
    progress(0.1, "Reading the rows")
    rows = pq.read_table(request.rows)
    held = held_out(rows, schema, request.dataset)
    fit_rows, kept = rows.filter(pa.array(~held)), rows.filter(pa.array(held))
    overlaps.write(fit_rows, schema, request.fitted)
    progress(0.4, f"Judging on {kept.num_rows:,} held-out rows")
    pipeline = artifact.read(request.artifact, request.artifact_sha256, also=request.types)
    figures: Mapping[str, Figure] = {}
    if kept.num_rows:
        said = serving.predict(pipeline, kept, schema)
        figures = metrics(judged(schema, kept.column("label").to_pylist(), said), seed=request.seed)
    return Remeasured(
        fitted_sha256=hashlib.sha256(request.fitted.read_bytes()).hexdigest(),
        fit_rows=fit_rows.num_rows,
        holdout_rows=kept.num_rows,
        metrics=figures,
    )


def held_out(rows: pa.Table, schema: Schema, dataset: Dataset) -> npt.NDArray[np.bool_]:
    """Say which rows of a dataset a version held out, by what it tells about itself and not by today's policy.

    Parameters
    ----------
    rows : pa.Table
        The dataset.
    schema : Schema
        The version's.
    dataset : Dataset
        Of the version: since when, or which share.

    Returns
    -------
    np.ndarray of bool
    """
    if dataset.holdout_from is None:
        return training.held_out(rows, schema, dataset.holdout_share)
    since = np.datetime64(dataset.holdout_from.replace(tzinfo=None), "us")
    late: npt.NDArray[np.bool_] = rows.column("event_at").to_numpy().astype("datetime64[us]") >= since
    return late
