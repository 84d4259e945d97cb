"""How a challenger comes before the gate: the rows, both models' predictions, the verdict.

Neighbours: ``release`` promotes by verdict; ``stages.gate`` judges. It refuses to judge on a row that
one of the two was fitted on.
"""

from __future__ import annotations

import math
import uuid
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline_core.errors import NotEnough, NotFound, Refused
from pipeline_core.flows.versions import loaded
from pipeline_core.records import ModelVersion, Schema, Verdict
from pipeline_core.stages import gate, serving, training
from pipeline_core.store.home import Store


def challenge(store: Store, model: str, *, version: int | None = None) -> Verdict:
    """Let the gate compare a challenger with the champion on rows that neither was fitted on.

    The rows are the newest labelled ones at or after the later ``holdout_from`` of the two; without an
    event time, those whose hashed id falls into the hold-out (decision 0005).

    Parameters
    ----------
    store : Store
        The home.
    model : str
        The model's name.
    version : int, optional
        The challenger; the newest version where it is not given.

    Returns
    -------
    Verdict
        Kept with the version; without a champion, against the trivial predictor.

    Raises
    ------
    NotFound
        No such model or version, or none was trained.
    Refused
        The version is the champion.
    NotEnough
        There is no labelled row that neither was fitted on.
    ArtifactRejected
        A model file is not what it should be.
    """
    champion, epoch = store.models.champion(model), store.models.epoch(model)
    challenger = _challenger(store, model, version, champion)
    schema = store.models.schema(model, challenger.schema_version)
    rival = champion if champion and _same_question(store, champion, schema) else None
    rows = _unseen_rows(store, challenger, rival)
    outcome = gate.compare(
        rows.column("label").to_pylist(),
        _said(store, challenger, rows),
        champion=_said(store, rival, rows) if rival else None,
        schema=schema,
        policy=store.policy,
    )
    events = pc.min_max(rows.column("event_at")).as_py()
    verdict = Verdict(
        verdict_id=f"verdict-{uuid.uuid4().hex[:12]}",
        model=model,
        version=challenger.version,
        champion=champion.version if champion else None,
        epoch=epoch,
        verdict=outcome.decision,
        reasons=(*_another_question(champion, rival), *outcome.reasons),
        metrics=outcome.metrics,
        rows=outcome.rows,
        first_event_at=events["min"].replace(tzinfo=UTC),
        last_event_at=events["max"].replace(tzinfo=UTC),
        rows_needed=outcome.rows_needed,
        champion_curves=outcome.champion_curves,
        challenger_curves=outcome.challenger_curves,
        decided_at=datetime.now(UTC),
    )
    store.models.add_verdict(verdict)
    return verdict


def _challenger(store: Store, model: str, version: int | None, champion: ModelVersion | None) -> ModelVersion:
    store.models.schema(model)  # an unknown model is said to be unknown, not untrained
    if version is not None:
        found = store.models.version(model, version)
        if champion and found.version == champion.version:
            raise Refused(f"Version {version} of model {model!r} is the champion; another version can challenge it.")
        return found
    others = [v for v in store.models.versions(model) if not champion or v.version > champion.version]
    if not others:
        newer = f" newer than the champion, version {champion.version}" if champion else ""
        raise NotFound(f"Model {model!r} has no version{newer} to challenge with. Train one first, or name a version.")
    return max(others, key=lambda v: v.version)


def _same_question(store: Store, champion: ModelVersion, schema: Schema) -> bool:
    theirs = store.models.schema(champion.model, champion.schema_version)
    return (theirs.task, theirs.classes, theirs.positive) == (schema.task, schema.classes, schema.positive)


def _another_question(champion: ModelVersion | None, rival: ModelVersion | None) -> tuple[str, ...]:
    if champion is None or rival is not None:
        return ()
    return (
        f"Version {champion.version}, the champion, predicts other classes than this version since the model was"
        " defined again: the two cannot be compared.",
    )


def _unseen_rows(store: Store, challenger: ModelVersion, champion: ModelVersion | None) -> pa.Table:
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
            limit=math.ceil(wanted / max(min(shares), 0.001)) if shares else wanted,
            newest=True,
        )
        rows = pq.read_table(path)
    if shares:
        rows = rows.filter(pa.array(_hashed(rows, min(shares))))
    rows = rows.slice(max(0, rows.num_rows - wanted))
    if not rows.num_rows:
        raise NotEnough(
            f"Model {challenger.model!r} has no labelled row that version {challenger.version}"
            f"{f' and version {champion.version}' if champion else ''} was not fitted on. Receive newer rows with labels."
        )
    return rows


def _hashed(rows: pa.Table, share: float) -> npt.NDArray[np.bool_]:
    return training.hashed_holdout(rows.column("row_id").to_pylist(), share)


def _said(store: Store, version: ModelVersion, rows: pa.Table) -> pa.Table:
    return serving.predict(loaded(store, version), rows, store.models.schema(version.model, version.schema_version))
