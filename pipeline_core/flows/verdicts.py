"""How a challenger comes before the gate: the rows, both models' predictions, the verdict.

Neighbours: ``release`` promotes by verdict; ``stages.gate`` judges. It refuses to judge on a row that
one of the two was fitted on.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from pipeline_core.errors import NotEnough, NotFound, Refused
from pipeline_core.flows.evidence import digest_of, evidence_rows, rival, unseen_rows
from pipeline_core.flows.versions import loaded
from pipeline_core.records import (
    BiasAudit,
    Decision,
    Footprint,
    ModelVersion,
    NotMeasured,
    Schema,
    Task,
    Verdict,
)
from pipeline_core.stages import bias, gate, registry, serving
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
        The version is the champion, or was taken out for good.
    NotEnough
        There is no labelled row that neither was fitted on.
    ArtifactRejected
        A model file is not what it should be.
    """
    champion, epoch = store.models.champion(model), store.models.epoch(model)
    challenger = _challenger(store, model, version, champion)
    seat = registry.Seat(model=model, champion=None, epoch=epoch, dismissed=store.models.dismissals(model))
    registry.check_open(challenger.version, seat=seat)
    against = rival(store, challenger, champion)
    rows, overlap = evidence_rows(store, challenger, against)
    if not rows.num_rows:
        raise NotEnough(
            f"Model {model!r} has no labelled row that version {challenger.version}"
            f"{f' and version {against.version}' if against else ''} was not fitted on. Receive newer rows with labels."
        )
    verdict = replace(_verdict(store, challenger, champion, rows=rows, epoch=epoch), overlap=overlap)
    if champion is None:
        verdict = replace(verdict, reasons=(*verdict.reasons, *_tries(store, challenger)))
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
    rows = unseen_rows(store, challenger, champion, batches=batches)
    if not rows.num_rows:
        raise NotEnough(
            f"No labelled row of {len(batches)} batches is one that versions {challenger.version} and {champion.version} of"
            f" model {challenger.model!r} were not fitted on. Receive newer rows with labels."
        )
    return _verdict(store, challenger, champion, rows=rows, epoch=None)


def _verdict(
    store: Store, challenger: ModelVersion, champion: ModelVersion | None, *, rows: pa.Table, epoch: int | None
) -> Verdict:
    """Judge; without an epoch it is a look that promotes nothing, and no try."""
    digest = digest_of(rows)
    events = pc.min_max(rows.column("event_at")).as_py()
    span = (events["min"].replace(tzinfo=UTC), events["max"].replace(tzinfo=UTC))
    tries = () if epoch is None else _earlier(store, challenger, epoch, rows=(digest, span))
    sides = _sides(store, challenger, champion, rows=rows)
    outcome = _judged(store, sides, rows=rows, tries=tries)
    audit = _audited(store, sides, rows=rows, decision=outcome.decision)
    decision, reasons = bias.tempered(outcome.decision, outcome.reasons, audit)
    return Verdict(
        verdict_id=f"verdict-{uuid.uuid4().hex[:12]}",
        model=challenger.model,
        version=challenger.version,
        champion=champion.version if champion else None,
        epoch=store.models.epoch(challenger.model) if epoch is None else epoch,
        verdict=decision,
        reasons=reasons,
        metrics=outcome.metrics,
        rows=outcome.rows,
        sha256=digest,
        first_event_at=span[0],
        last_event_at=span[1],
        rows_needed=outcome.rows_needed,
        champion_curves=outcome.champion_curves,
        challenger_curves=outcome.challenger_curves,
        blocks=outcome.blocks,
        trial=outcome.trial,
        threshold=outcome.threshold,
        discordance=outcome.discordance,
        slices=outcome.slices,
        slices_judged=outcome.slices_judged,
        classes=outcome.classes,
        champion_footprint=sides.rival.footprint if sides.rival else None,
        challenger_footprint=sides.challenger.footprint,
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
    gone = store.models.dismissals(model)
    versions = [v for v in store.models.versions(model) if v.version not in gone]
    others = [v for v in versions if not champion or v.version > champion.version]
    if not others:
        newer = f" newer than the champion, version {champion.version}" if champion else ""
        raise NotFound(f"Model {model!r} has no version{newer} to challenge with. Train one first, or name a version.")
    return max(others, key=lambda v: v.version)


def _schema(store: Store, version: ModelVersion) -> Schema:
    return store.models.schema(version.model, version.schema_version)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Side:
    """A version, what it says about the rows, and what it costs to ask."""

    version: ModelVersion
    said: pa.Table
    footprint: Footprint


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Sides:
    """Who is compared with whom; ``rival`` is the champion where the two can be compared."""

    challenger: _Side
    champion: ModelVersion | None
    rival: _Side | None


def _sides(store: Store, challenger: ModelVersion, champion: ModelVersion | None, *, rows: pa.Table) -> _Sides:
    asked = _schema(store, challenger)
    against = rival(store, challenger, champion)
    return _Sides(
        challenger=_side(store, challenger, rows, asked=asked),
        champion=champion,
        rival=_side(store, against, rows, asked=asked) if against else None,
    )


def _judged(store: Store, sides: _Sides, *, rows: pa.Table, tries: tuple[float, ...]) -> gate.Outcome:
    challenger, champion = sides.challenger.version, sides.champion
    schema, labels = _schema(store, challenger), rows.column("label").to_pylist()
    if champion is not None and sides.rival is None:
        theirs = _schema(store, champion)
        reason = (
            f"Version {champion.version}, the champion, predicts {_question(theirs)}, and this version {_question(schema)},"
            " since the model was defined again: the two cannot be compared, and the champion stays. Define the new"
            " question as a model of its own."
        )
        return gate.incomparable(labels, sides.challenger.said, reason=reason, schema=schema, policy=store.policy)
    return gate.compare(
        labels,
        sides.challenger.said,
        champion=sides.rival.said if sides.rival else None,
        schema=schema,
        policy=store.policy,
        setting=gate.Setting(cells=rows, shares=challenger.shap_shares, earlier=tries),
    )


def _question(schema: Schema) -> str:
    if schema.task is Task.REGRESSION:
        return "a number"
    shown = ", ".join(repr(c) for c in schema.classes[:6])
    return f"the classes {shown}{', …' if len(schema.classes) > 6 else ''}"


_Rows = tuple[str, tuple[datetime, datetime]]


def _earlier(store: Store, challenger: ModelVersion, epoch: int, *, rows: _Rows) -> tuple[float, ...]:
    """Give the p-values of the tries before this one since the champion last moved, on rows that overlap with these."""
    # a try is a version on a set of rows: the same version on the same rows is the same try, and keeps its place
    digest, (first, last) = rows
    found: dict[tuple[int, str], float] = {}
    for verdict in reversed(store.models.verdicts(challenger.model)):
        if verdict.epoch != epoch or verdict.trial is None or not _overlaps(verdict, first, last):
            continue
        if (verdict.version, verdict.sha256) == (challenger.version, digest):
            break
        found.setdefault((verdict.version, verdict.sha256), verdict.trial.p_value)
    return tuple(found.values())


def _overlaps(verdict: Verdict, first: datetime, last: datetime) -> bool:
    if verdict.first_event_at is None or verdict.last_event_at is None:
        return True
    return verdict.first_event_at <= last and verdict.last_event_at >= first


def _tries(store: Store, challenger: ModelVersion) -> tuple[str, ...]:
    """Say how many first versions were tried: of many one passes by luck, and there is no champion to test against."""
    before = [v.version for v in store.models.verdicts(challenger.model) if v.epoch == 0]
    if not before:
        return ()
    version = gate.ordinal(len({*before, challenger.version}))
    return (
        f"This is the {gate.ordinal(len(before) + 1)} challenge, and the {version} version tried on these rows:"
        " the more are tried, the likelier one passes by luck.",
    )


def _audited(store: Store, sides: _Sides, *, rows: pa.Table, decision: Decision) -> BiasAudit | NotMeasured:
    theirs = sides.rival.said if sides.rival else None
    schema = _schema(store, sides.challenger.version)
    return bias.audit(rows, sides.challenger.said, champion=theirs, schema=schema, policy=store.policy, gate=decision)


def _side(store: Store, version: ModelVersion, rows: pa.Table, *, asked: Schema) -> _Side:
    own, pipeline = _schema(store, version), loaded(store, version)
    said = serving.predict(pipeline, rows, own)
    if own.positive != asked.positive:  # of two classes: what is not the one is the other
        turned = pc.subtract(1.0, said.column("score"))
        said = said.set_column(said.schema.get_field_index("score"), "score", turned)
    p50_ms, p99_ms, calls = serving.latency(pipeline, rows, own)
    footprint = Footprint(p50_ms=p50_ms, p99_ms=p99_ms, calls=calls, artifact_bytes=version.artifact_bytes)
    return _Side(version=version, said=said, footprint=footprint)
