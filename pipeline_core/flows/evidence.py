"""Which rows a verdict rests on, and who may be compared on them.

Neighbours: ``verdicts`` has them judged, ``overlaps`` drops what a model has seen, ``tracing`` asks again. It refuses to judge.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline_core.flows import overlaps
from pipeline_core.flows.datasets import standing
from pipeline_core.records import ModelVersion, Overlap, Schema, Task, Verdict
from pipeline_core.stages import training
from pipeline_core.store.home import Store

_INSTANT = timedelta(microseconds=1)


def schema_of(store: Store, version: ModelVersion) -> Schema:
    """Give the schema by which a version was trained.

    Parameters
    ----------
    store : Store
        The home.
    version : ModelVersion
        Of a model.

    Returns
    -------
    Schema
    """
    return store.models.schema(version.model, version.schema_version)


def rival(store: Store, challenger: ModelVersion, champion: ModelVersion | None) -> ModelVersion | None:
    """Give the champion where it predicts the same classes, whichever of two the score is of.

    Parameters
    ----------
    store : Store
        The home.
    challenger : ModelVersion
        Who would replace it.
    champion : ModelVersion or None
        Who is champion.

    Returns
    -------
    ModelVersion or None
        None where there is nobody to compare with.
    """
    if champion is None:
        return None
    ours, theirs = schema_of(store, challenger), schema_of(store, champion)
    same = ours.classes == theirs.classes or (ours.task is Task.BINARY and set(ours.classes) == set(theirs.classes))
    return champion if same and ours.task is theirs.task else None


def evidence(store: Store, verdict: Verdict, *, as_of: datetime | None = None) -> str:
    """Name the rows that a verdict would rest on if its question were asked again now, up to its last event.

    Rows of a later time are no part of it; a label that was corrected or added since, or a row that was sent again, is,
    unless the question is asked as it stood then.

    Parameters
    ----------
    store : Store
        The home.
    verdict : Verdict
        The latest one on its version, of the present champion.
    as_of : datetime, optional
        Only batches that were accepted by then, and labels as they were known.

    Returns
    -------
    str
        Equal to ``verdict.sha256`` as long as the evidence stands.
    """
    challenger = store.models.version(verdict.model, verdict.version)
    champion = store.models.version(verdict.model, verdict.champion) if verdict.champion is not None else None
    until = verdict.last_event_at + _INSTANT if verdict.last_event_at else None
    rows, _ = evidence_rows(store, challenger, rival(store, challenger, champion), until=until, as_of=as_of)
    return digest_of(rows)


def digest_of(rows: pa.Table) -> str:
    """Name rows with their labels.

    Parameters
    ----------
    rows : pa.Table
        As ``evidence_rows`` gives them.

    Returns
    -------
    str
        SHA-256.
    """
    # a batch never changes: its row with its label is exactly what was judged. The name that a selection gives itself
    # will not do, because it tells of the question too, which is asked with an end here and without one there.
    columns = [rows.column(name).to_pylist() for name in ("batch_id", "row_number", "label")]
    return hashlib.sha256(json.dumps(columns, ensure_ascii=True).encode()).hexdigest()


def evidence_rows(
    store: Store,
    challenger: ModelVersion,
    champion: ModelVersion | None,
    *,
    until: datetime | None = None,
    as_of: datetime | None = None,
) -> tuple[pa.Table, Overlap]:
    """Give the rows to judge on, less those that came again after one of the two was fitted on them."""
    rows = unseen_rows(store, challenger, champion, until=until, as_of=as_of)
    return overlaps.without_fitted(store, (challenger, champion), rows)


def unseen_rows(
    store: Store,
    challenger: ModelVersion,
    champion: ModelVersion | None,
    *,
    until: datetime | None = None,
    as_of: datetime | None = None,
    batches: Sequence[str] | None = None,
) -> pa.Table:
    """Give the newest labelled rows that neither of two versions was fitted on by their hold-outs.

    Parameters
    ----------
    store : Store
        The home.
    challenger : ModelVersion
        The one.
    champion : ModelVersion or None
        The other, if there is one.
    until : datetime, optional
        Only rows before.
    as_of : datetime, optional
        Only batches that were accepted by then, and labels as they were known.
    batches : sequence of str, optional
        Only rows of these.

    Returns
    -------
    pa.Table
    """
    datasets = [v.dataset for v in (challenger, champion) if v]
    starts = [d.holdout_from for d in datasets if d.holdout_from]
    shares = [d.holdout_share for d in datasets if not d.holdout_from]
    wanted = int(store.policy.gate_rows_max)
    with store.work_dir() as work:
        path = work / "gate.parquet"
        store.batches.select(
            challenger.model,
            to=path,
            since=max(starts, default=None),
            until=until,
            limit=math.ceil(wanted / max(min(shares), 0.001)) if shares else wanted,
            newest=True,
            as_of=as_of,
            batch_ids=standing(store, challenger.model, as_of) if as_of else batches,
        )
        rows = pq.read_table(path)
    for version in (challenger, champion):
        if version and not version.dataset.holdout_from:
            rows = rows.filter(pa.array(_held_out(store, version, rows)))
    rows = rows.slice(max(0, rows.num_rows - wanted))
    if shares and until is None and rows.num_rows:
        # the newest rows may all have been fitted on; ended where the verdict ends, the choice can be made again
        last = pc.max(rows.column("event_at")).as_py().replace(tzinfo=UTC)
        return unseen_rows(store, challenger, champion, until=last + _INSTANT, as_of=as_of, batches=batches)
    return rows


def _held_out(store: Store, version: ModelVersion, rows: pa.Table) -> npt.NDArray[np.bool_]:
    # each by its own schema: a redefinition may have changed what is a feature
    return training.held_out(rows, schema_of(store, version), version.dataset.holdout_share)
