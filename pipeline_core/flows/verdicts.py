"""How a challenger comes before the gate: the rows, both models' predictions, the verdict.

Neighbours: ``release`` promotes by verdict; ``stages.gate`` judges. It refuses to judge on a row that
one of the two was fitted on.
"""

from __future__ import annotations

import hashlib
import json
import math
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline_core.errors import NotEnough, NotFound, Refused
from pipeline_core.flows.versions import loaded
from pipeline_core.records import BiasAudit, ModelVersion, NotMeasured, Schema, Task, Verdict
from pipeline_core.stages import bias, gate, serving, training
from pipeline_core.store.home import Store

_INSTANT = timedelta(microseconds=1)


def challenge(store: Store, model: str, *, version: int | None = None) -> Verdict:
    """Let the gate compare a challenger with the champion on rows that neither was fitted on.

    The rows are the newest labelled ones at or after the later ``holdout_from`` of the two; without an
    event time, those whose hashed id (or features, without an id) falls into both hold-outs (decision 0005).

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
    against = rival(store, challenger, champion)
    rows = _unseen_rows(store, challenger, against)
    if not rows.num_rows:
        raise NotEnough(
            f"Model {model!r} has no labelled row that version {challenger.version}"
            f"{f' and version {against.version}' if against else ''} was not fitted on. Receive newer rows with labels."
        )
    verdict = _verdict(store, challenger, champion, rows=rows)
    verdict = replace(verdict, epoch=epoch, reasons=(*verdict.reasons, *_tries(store, challenger, epoch)))
    store.models.add_verdict(verdict)
    return verdict


def on_batches(store: Store, challenger: ModelVersion, champion: ModelVersion, *, batches: Sequence[str]) -> Verdict:
    """Let the gate compare two versions on the labelled rows of some batches that neither was fitted on; nothing is kept.

    Parameters
    ----------
    store : Store
        The home.
    challenger, champion : ModelVersion
        Of one model; ``rival`` gives the champion.
    batches : sequence of str
        Ids of accepted batches.

    Returns
    -------
    Verdict
        It promotes nothing: the registry asks for one on all rows.

    Raises
    ------
    NotEnough
        There is no such row.
    ArtifactRejected
        A model file is not what it should be.
    """
    rows = _unseen_rows(store, challenger, champion, batches=batches)
    if not rows.num_rows:
        raise NotEnough(
            f"No labelled row of {len(batches)} batches is one that versions {challenger.version} and {champion.version} of"
            f" model {challenger.model!r} were not fitted on. Receive newer rows with labels."
        )
    return _verdict(store, challenger, champion, rows=rows)


def _verdict(store: Store, challenger: ModelVersion, champion: ModelVersion | None, *, rows: pa.Table) -> Verdict:
    outcome, audit = _judged(store, challenger, champion, rows=rows)
    decision, why = bias.tempered(outcome.decision, outcome.reasons, audit)
    events = pc.min_max(rows.column("event_at")).as_py()
    return Verdict(
        verdict_id=f"verdict-{uuid.uuid4().hex[:12]}",
        model=challenger.model,
        version=challenger.version,
        champion=champion.version if champion else None,
        epoch=store.models.epoch(challenger.model),
        verdict=decision,
        reasons=why,
        metrics=outcome.metrics,
        rows=outcome.rows,
        sha256=_digest(rows),
        first_event_at=events["min"].replace(tzinfo=UTC),
        last_event_at=events["max"].replace(tzinfo=UTC),
        rows_needed=outcome.rows_needed,
        champion_curves=outcome.champion_curves,
        challenger_curves=outcome.challenger_curves,
        audit=audit,
        decided_at=store.now(),
    )


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


def _schema(store: Store, version: ModelVersion) -> Schema:
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
    ours, theirs = _schema(store, challenger), _schema(store, champion)
    same = ours.classes == theirs.classes or (ours.task is Task.BINARY and set(ours.classes) == set(theirs.classes))
    return champion if same and ours.task is theirs.task else None


def _judged(
    store: Store, challenger: ModelVersion, champion: ModelVersion | None, *, rows: pa.Table
) -> tuple[gate.Outcome, BiasAudit | NotMeasured]:
    schema, against = _schema(store, challenger), rival(store, challenger, champion)
    said = _said(store, challenger, rows, asked=schema)
    theirs = _said(store, against, rows, asked=schema) if against else None
    outcome = _compared(store, challenger, champion, rows=rows, said=(said, theirs))
    audit = bias.audit(rows, said, champion=theirs, schema=schema, policy=store.policy, gate=outcome.decision)
    return outcome, audit


def _compared(
    store: Store,
    challenger: ModelVersion,
    champion: ModelVersion | None,
    *,
    rows: pa.Table,
    said: tuple[pa.Table, pa.Table | None],
) -> gate.Outcome:
    schema, labels = _schema(store, challenger), rows.column("label").to_pylist()
    ours, theirs = said
    if champion is not None and theirs is None:
        other = _schema(store, champion)
        reason = (
            f"Version {champion.version}, the champion, predicts {_question(other)}, and this version {_question(schema)},"
            " since the model was defined again: the two cannot be compared, and the champion stays. Define the new"
            " question as a model of its own."
        )
        return gate.incomparable(labels, ours, reason=reason, schema=schema, policy=store.policy)
    return gate.compare(labels, ours, champion=theirs, schema=schema, policy=store.policy)


def _question(schema: Schema) -> str:
    if schema.task is Task.REGRESSION:
        return "a number"
    shown = ", ".join(repr(c) for c in schema.classes[:6])
    return f"the classes {shown}{', …' if len(schema.classes) > 6 else ''}"


def _tries(store: Store, challenger: ModelVersion, epoch: int) -> tuple[str, ...]:
    """Say how many were tried: of many versions one passes by luck."""
    before = [v.version for v in store.models.verdicts(challenger.model) if v.epoch == epoch]
    if not before:
        return ()
    since = " since the champion last moved" if epoch else ""
    version = _ordinal(len({*before, challenger.version}))
    return (
        f"This is the {_ordinal(len(before) + 1)} challenge{since}, and the {version} version tried on these rows:"
        " the more are tried, the likelier one passes by luck.",
    )


def _ordinal(number: int) -> str:
    teen = number % 100 in {11, 12, 13}
    return f"{number}{'th' if teen else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def evidence(store: Store, verdict: Verdict) -> str:
    """Name the rows that a verdict would rest on if its question were asked again now, up to its last event.

    Rows of a later time are no part of it; a label that was corrected or added since, or a row that was sent again, is.

    Parameters
    ----------
    store : Store
        The home.
    verdict : Verdict
        The latest one on its version, of the present champion.

    Returns
    -------
    str
        Equal to ``verdict.sha256`` as long as the evidence stands.
    """
    challenger = store.models.version(verdict.model, verdict.version)
    champion = store.models.version(verdict.model, verdict.champion) if verdict.champion is not None else None
    until = verdict.last_event_at + _INSTANT if verdict.last_event_at else None
    return _digest(_unseen_rows(store, challenger, rival(store, challenger, champion), until=until))


def _digest(rows: pa.Table) -> str:
    # a batch never changes: its row with its label is exactly what was judged. The name that a selection gives itself
    # will not do, because it tells of the question too, which is asked with an end here and without one there.
    columns = [rows.column(name).to_pylist() for name in ("batch_id", "row_number", "label")]
    return hashlib.sha256(json.dumps(columns, ensure_ascii=True).encode()).hexdigest()


def _unseen_rows(
    store: Store,
    challenger: ModelVersion,
    champion: ModelVersion | None,
    *,
    until: datetime | None = None,
    batches: Sequence[str] | None = None,
) -> pa.Table:
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
            batch_ids=batches,
        )
        rows = pq.read_table(path)
    for version in (challenger, champion):
        if version and not version.dataset.holdout_from:
            rows = rows.filter(pa.array(_held_out(store, version, rows)))
    rows = rows.slice(max(0, rows.num_rows - wanted))
    if shares and until is None and rows.num_rows:
        # the newest rows may all have been fitted on; ended where the verdict ends, the choice can be made again
        last = pc.max(rows.column("event_at")).as_py().replace(tzinfo=UTC)
        return _unseen_rows(store, challenger, champion, until=last + _INSTANT, batches=batches)
    return rows


def _held_out(store: Store, version: ModelVersion, rows: pa.Table) -> npt.NDArray[np.bool_]:
    # each by its own schema: a redefinition may have changed what is a feature
    schema = store.models.schema(version.model, version.schema_version)
    return training.held_out(rows, schema, version.dataset.holdout_share)


def _said(store: Store, version: ModelVersion, rows: pa.Table, *, asked: Schema) -> pa.Table:
    own = _schema(store, version)
    said = serving.predict(loaded(store, version), rows, own)
    if own.positive != asked.positive:  # of two classes: what is not the one is the other
        turned = pc.subtract(1.0, said.column("score"))
        said = said.set_column(said.schema.get_field_index("score"), "score", turned)
    return said
