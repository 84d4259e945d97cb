"""What may go out: train, challenge, promote, rollback, lineage.

Each verb loads from the store, lets pure stages compute, saves in one transaction and returns a record.
Neighbours: ``compute`` runs the heavy part of a training in a child process; ``intake`` brings the rows;
``watch`` looks at what the champion says. It refuses to promote what did not pass the gate.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, TypedDict, Unpack

import pyarrow.parquet as pq

from pipeline_core.engines.duck import DuckEngine
from pipeline_core.errors import NotFound, Stale
from pipeline_core.flows.compute import Compute, Progress, in_child
from pipeline_core.flows.fitting import FitRequest, FitResult, fit_version, unfitted
from pipeline_core.flows.times import parse_time
from pipeline_core.flows.verdicts import challenge, evidence
from pipeline_core.flows.versions import code_version, loaded, package_versions
from pipeline_core.records import (
    Dataset,
    Lineage,
    ModelVersion,
    Promotion,
    Recipe,
    Run,
    Schema,
    Stage,
)
from pipeline_core.stages import profiling, registry, training
from pipeline_core.store.home import Store
from pipeline_core.store.selection import DatasetSummary

__all__ = [
    "DEFAULT_ESTIMATOR",
    "ESTIMATORS",
    "challenge",
    "lineage",
    "loaded",
    "parse_time",
    "promote",
    "rollback",
    "train",
]

DEFAULT_ESTIMATOR = training.DEFAULT_ESTIMATOR
ESTIMATORS = tuple(training.ESTIMATORS)


class RecipeOptions(TypedDict, total=False):
    """How a version is to be fitted, as ``Recipe`` has it; what is left out keeps its default."""

    estimator: str
    settings: Mapping[str, Any]
    class_weight: str
    folds: int
    candidates: int
    calibration: str
    treatments: Mapping[str, str]


# --- train --------------------------------------------------------------------------------------


def train(
    store: Store,
    model: str,
    *,
    until: datetime | date | str | float | None = None,
    progress: Progress | None = None,
    compute: Compute = in_child,
    **options: Unpack[RecipeOptions],
) -> ModelVersion:
    """Fit a pipeline on accepted, labelled rows and enrol it as challenger.

    Parameters
    ----------
    store : Store
        The home.
    model : str
        The model's name.
    until : datetime, date, str or float, optional
        Only rows before this time; as ``parse_time`` takes it.
    progress : callable, optional
        Is told the share done (0-1) and what is being done.
    compute : callable
        Where the heavy part runs: ``compute.in_child``, or ``compute.in_process`` in tests.
    **options
        How it is fitted: ``estimator`` (of ``ESTIMATORS``, or one that the policy names), ``settings`` of it,
        ``class_weight`` (none, balanced), ``folds`` of a cross-validation, ``candidates`` of a search, ``calibration`` (none,
        isotonic, sigmoid), ``treatments`` of number columns (category, log).

    Returns
    -------
    ModelVersion

    Raises
    ------
    NotFound
        No such model, estimator, setting or column.
    NotEnough
        Too few labelled rows, or one class only.
    InvalidDefinition
        A time or a label that does not fit the definition.
    ComputeFailed
        The child process died.
    """
    schema = store.models.schema(model)
    recipe = Recipe(**options)
    unfitted(schema, recipe, store.policy)  # what cannot be is said before anything is read
    before = parse_time(until, schema)
    started_at, began = store.now(), time.monotonic()
    with store.work_dir() as work:
        dataset = work / "dataset.parquet"
        summary = store.batches.select(model, to=dataset, until=before)
        training.enough(model, summary.rows, store.policy)
        request = FitRequest(
            schema=schema,
            policy=store.policy,
            recipe=recipe,
            seed=int(store.policy.seed),
            dataset=dataset,
            folder=work,
        )
        result = compute(fit_version, request, progress=progress)
        run = Run(
            run_id=f"run-{uuid.uuid4().hex[:12]}",
            estimator=recipe.estimator,
            parameters=result.parameters,
            seed=request.seed,
            code_version=code_version(),
            packages=package_versions(),
            started_at=started_at,
            duration_s=round(time.monotonic() - began, 3),
            recipe=recipe,
            cross_validation=result.cross_validation,
            search=result.search,
            calibration=result.calibration,
            warnings=result.warnings,
            treatments=result.treatments,
        )
        return _enrol(store, schema, run, result, _dataset(summary, result, store.policy.holdout_share, before))


def _dataset(summary: DatasetSummary, result: FitResult, holdout_share: float, until: datetime | None) -> Dataset:
    return Dataset(
        batches=summary.batches,
        rows=summary.rows,
        sha256=summary.digest,
        fit_rows=result.fit_count,
        holdout_rows=result.holdout_count,
        holdout_share=holdout_share,
        first_event_at=summary.first_event_at,
        last_event_at=summary.last_event_at,
        holdout_from=result.holdout_from,
        until=until,
    )


def _enrol(store: Store, schema: Schema, run: Run, result: FitResult, dataset: Dataset) -> ModelVersion:
    with DuckEngine() as engine:
        counts = engine.counts([result.fit_rows], schema.grids, buckets="one")
    scores = profiling.value_counts(pq.read_table(result.holdout, columns=["score"]).column("score").to_numpy())
    names = {c.column_id: c.name for c in schema.features}
    with store.transaction():
        version = ModelVersion(
            model=schema.model,
            version=store.models.next_version(schema.model),
            stage=Stage.CHALLENGER,
            run=run,
            dataset=dataset,
            metrics=result.metrics,
            curves=result.curves,
            shap_shares={names[column_id]: share for column_id, share in result.shap_shares.items()},
            artifact_sha256=store.artifacts.put(result.artifact),
            artifact_bytes=result.artifact.stat().st_size,
            schema_version=schema.schema_version,
            created_at=store.now(),
            shap_intervals={names[column_id]: interval for column_id, interval in result.shap_intervals.items()},
            reference_sha256=store.artifacts.put_reference(result.reference),
        )
        store.models.add_version(version)
        store.models.set_baseline(schema.model, version.version, counts=counts, score_counts=scores)
    return version


# --- promote, rollback, lineage -----------------------------------------------------------------


def promote(
    store: Store, model: str, *, version: int, by: str, reason: str, expected_epoch: int | None = None
) -> Promotion:
    """Make a version champion.

    The first champion of a model needs no earlier ``challenge``: it is challenged here, against the
    trivial predictor.

    Parameters
    ----------
    store : Store
        The home.
    model : str
        The model's name.
    version : int
        The version to promote.
    by, reason : str
        Who does it and why; kept for ever.
    expected_epoch : int, optional
        How often the champion had moved when the person decided.

    Returns
    -------
    Promotion

    Raises
    ------
    Refused
        No passing verdict against the present champion, or the rows that it rests on have changed since.
    Stale
        Somebody else moved the champion meanwhile.
    NotFound
        No such model or version.
    InvalidDefinition
        Nobody signed, or no reason is given.
    """
    signed = registry.Signature(by=by, reason=reason, at=store.now())
    store.models.version(model, version)
    if store.models.champion(model) is None and store.models.verdict(model, version) is None:
        challenge(store, model, version=version)
    found = store.models.verdict(model, version)
    rows = evidence(store, found) if found and found.sha256 else None
    with store.transaction():
        seat = _seat(store, model, expected_epoch)
        move = registry.promote(
            version, store.models.verdict(model, version), seat=seat, signed=signed, rows_sha256=rows
        )
        store.models.apply(move)
        _close_alerts(store, move)
    return move


def rollback(store: Store, model: str, *, by: str, reason: str, expected_epoch: int | None = None) -> Promotion:
    """Make the champion before the present one champion again.

    Parameters
    ----------
    store : Store
        The home.
    model : str
        The model's name.
    by, reason : str
        Who does it and why; kept for ever.
    expected_epoch : int, optional
        How often the champion had moved when the person decided: which version comes back depends on it.

    Returns
    -------
    Promotion

    Raises
    ------
    Refused
        There was no champion before.
    Stale
        Somebody else moved the champion meanwhile.
    NotFound
        No such model.
    InvalidDefinition
        Nobody signed, or no reason is given.
    """
    signed = registry.Signature(by=by, reason=reason, at=store.now())
    store.models.schema(model)
    with store.transaction():
        seat = _seat(store, model, expected_epoch)
        move = registry.rollback(store.models.promotions(model), seat=seat, signed=signed)
        store.models.apply(move)
        _close_alerts(store, move)
    return move


def _close_alerts(store: Store, move: Promotion) -> None:
    """Close what was said about a champion that no longer sits: it accuses nobody who scores now."""
    for alert in store.signals.alerts(move.model, open_only=True):
        if alert.version not in {None, move.version}:
            note = f"Closed by itself: version {move.version} took the place of version {alert.version}."
            store.signals.acknowledge(alert.alert_id, by=move.by, note=note)


def _seat(store: Store, model: str, expected_epoch: int | None) -> registry.Seat:
    champion, epoch = store.models.champion(model), store.models.epoch(model)
    if expected_epoch not in {None, epoch}:
        sits = f"version {champion.version} is champion now" if champion else "there is no champion now"
        raise Stale(
            f"The champion of model {model!r} has moved since you looked, and {sits}; nothing was changed. Look again,"
            " and decide again."
        )
    return registry.Seat(model=model, champion=champion.version if champion else None, epoch=epoch)


def lineage(store: Store, model: str) -> Lineage:
    """Say what data produced the champion, how it was judged and who promoted it.

    Parameters
    ----------
    store : Store
        The home.
    model : str
        The model's name.

    Returns
    -------
    Lineage

    Raises
    ------
    NotFound
        No such model, or it has no champion.
    """
    store.models.schema(model)
    champion = store.models.champion(model)
    if champion is None:
        raise NotFound(f"Model {model!r} has no champion yet. Train a version and promote it.")
    seated = store.models.promotions(model)[0]
    return Lineage(
        model=model,
        version=champion.version,
        dataset=champion.dataset,
        metrics=champion.metrics,
        run=champion.run,
        promoted_by=seated.by,
        promoted_at=seated.at,
        reason=seated.reason,
        verdict_id=seated.verdict_id,
        artifact_sha256=champion.artifact_sha256,
        batches=tuple(store.batches.get(model, batch_id) for batch_id in champion.dataset.batches),
    )
