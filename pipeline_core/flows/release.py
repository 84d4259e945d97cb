"""What may go out: train, challenge, promote, rollback.

Each verb loads from the store, lets pure stages compute, saves in one transaction and returns a record.
Neighbours: ``compute`` runs the heavy part of a training in a child process; ``intake`` brings the rows;
``watch`` looks at what the champion says. It refuses to promote what did not pass the gate.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypedDict, Unpack

import pyarrow.parquet as pq

from pipeline_core.engines.duck import DuckEngine
from pipeline_core.errors import Stale
from pipeline_core.flows import datasets, overlaps
from pipeline_core.flows.compute import Compute, Progress, in_child
from pipeline_core.flows.evidence import evidence
from pipeline_core.flows.fitting import FitRequest, FitResult, fit_version, unfitted
from pipeline_core.flows.times import parse_time
from pipeline_core.flows.verdicts import challenge
from pipeline_core.flows.versions import code_version, loaded, package_versions
from pipeline_core.records import (
    Dataset,
    DatasetVersion,
    ModelVersion,
    Promotion,
    Recipe,
    Run,
    Schema,
    Stage,
)
from pipeline_core.stages import profiling, registry, training
from pipeline_core.store.home import Store

__all__ = [
    "DEFAULT_ESTIMATOR",
    "ESTIMATORS",
    "challenge",
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
    dataset: str | None = None,
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
    dataset : str, optional
        The rows of this dataset, like ``d-2``; a new one is made of all labelled rows, unless said.
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
        No such model, dataset, estimator, setting or column.
    Refused
        The dataset can no longer be read as it was.
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
        rows = work / "dataset.parquet"
        drawn = datasets.chosen(store, model, to=rows, dataset=dataset, until=before)
        training.enough(model, drawn.rows, store.policy)
        request = FitRequest(
            schema=schema,
            policy=store.policy,
            recipe=recipe,
            seed=int(store.policy.seed),
            dataset=rows,
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
        made = _Made(
            drawn=drawn,
            dataset=_dataset(drawn, result, store.policy.holdout_share),
            fitted=overlaps.write(pq.read_table(result.fit_rows), schema, work / "fitted.parquet"),
        )
        return _enrol(store, schema, run, result, made)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """What a version is made from: the dataset as drawn and as the version tells it, and the hashes of fitted rows."""

    drawn: DatasetVersion
    dataset: Dataset
    fitted: Path


def _dataset(drawn: DatasetVersion, result: FitResult, holdout_share: float) -> Dataset:
    return Dataset(
        batches=tuple(part.batch_id for part in drawn.parts),
        rows=drawn.rows,
        sha256=drawn.sha256,
        fit_rows=result.fit_count,
        holdout_rows=result.holdout_count,
        holdout_share=holdout_share,
        first_event_at=drawn.first_event_at,
        last_event_at=drawn.last_event_at,
        holdout_from=result.holdout_from,
        until=drawn.until,
    )


def _enrol(store: Store, schema: Schema, run: Run, result: FitResult, made: _Made) -> ModelVersion:
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
            dataset=replace(
                made.dataset,
                dataset_id=store.datasets.add(made.drawn).dataset_id,
                fitted_sha256=store.artifacts.put_reference(made.fitted),
            ),
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


# --- promote, rollback --------------------------------------------------------------------------


def promote(  # ruff: ignore[too-many-arguments] - a move is one call: the version, who, why, who else, and what they saw
    store: Store,
    model: str,
    *,
    version: int,
    by: str,
    reason: str,
    override: registry.Override | None = None,
    expected_epoch: int | None = None,
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
    override : registry.Override, optional
        A second person who lets it pass although the bias audit proved a violation, and why; kept for ever.
    expected_epoch : int, optional
        How often the champion had moved when the person decided.

    Returns
    -------
    Promotion

    Raises
    ------
    Refused
        No passing verdict against the present champion, one that the bias audit blocks and nobody overrides, an override
        of anything else, or the rows that the verdict rests on have changed since.
    Stale
        Somebody else moved the champion meanwhile.
    NotFound
        No such model or version.
    InvalidDefinition
        Nobody signed, no reason is given, or one person signs twice.
    """
    signed = registry.Signature(by=by, reason=reason, at=store.now(), override=override)
    store.models.version(model, version)
    if store.models.champion(model) is None and store.models.verdict(model, version) is None:
        challenge(store, model, version=version)
    found = store.models.verdict(model, version)
    rows = evidence(store, found) if found and found.sha256 else None
    with store.transaction():
        seat = seat_of(store, model, expected_epoch)
        move = registry.promote(
            version, store.models.verdict(model, version), seat=seat, signed=signed, rows_sha256=rows
        )
        store.models.apply(move)
        close_alerts(store, move)
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
        seat = seat_of(store, model, expected_epoch)
        move = registry.rollback(store.models.promotions(model), seat=seat, signed=signed)
        store.models.apply(move)
        close_alerts(store, move)
    return move


def close_alerts(store: Store, move: Promotion) -> None:
    """Close what was said about a champion that no longer sits: it accuses nobody who scores now.

    Parameters
    ----------
    store : Store
        The home, with the move's transaction open.
    move : Promotion
        The move that took it its seat.
    """
    retired = move.action == registry.RETIRE
    for alert in store.signals.alerts(move.model, open_only=True):
        if alert.version in {None, None if retired else move.version}:
            continue
        why = "it was retired" if retired else f"version {move.version} took the place of version {alert.version}"
        store.signals.acknowledge(alert.alert_id, by=move.by, note=f"Closed by itself: {why}.")


def seat_of(store: Store, model: str, expected_epoch: int | None = None) -> registry.Seat:
    """Say who is champion now, and which versions were taken out for good.

    Parameters
    ----------
    store : Store
        The home.
    model : str
        The model's name.
    expected_epoch : int, optional
        How often the champion had moved when a person looked.

    Returns
    -------
    Seat

    Raises
    ------
    Stale
        It has moved since.
    NotFound
        No such model.
    """
    champion, epoch = store.models.champion(model), store.models.epoch(model)
    if expected_epoch not in {None, epoch}:
        sits = f"version {champion.version} is champion now" if champion else "there is no champion now"
        raise Stale(
            f"The champion of model {model!r} has moved since you looked, and {sits}; nothing was changed. Look again,"
            " and decide again."
        )
    number = champion.version if champion else None
    return registry.Seat(model=model, champion=number, epoch=epoch, dismissed=store.models.dismissals(model))
