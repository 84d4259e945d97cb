"""The heavy part of a training: split, search, fit, calibrate, judge, explain. It runs in a child process.

Neighbours: ``release`` loads before and saves after; ``compute`` runs ``fit_version`` in a child that never sees the
store. What is large goes through files that the request names. It refuses to choose anything on the hold-out: what is
searched, cross-validated and calibrated is so on the fitted rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.pipeline import Pipeline

from pipeline_core.flows.replies import Progress
from pipeline_core.policy import Policy
from pipeline_core.records import (
    Calibration,
    CrossValidation,
    Curves,
    Figure,
    Finding,
    Recipe,
    Role,
    Schema,
    Search,
    Severity,
    Task,
    Treatment,
)
from pipeline_core.stages import artifact, attribution, gate, leaks, preprocessing, serving, training
from pipeline_core.stages import schema as schemas
from pipeline_core.stages.training import calibrating, named
from pipeline_core.stats.scores import metrics
from pipeline_core.stats.truth import judged

_KNOWN_BY: Mapping[Task, str] = {Task.BINARY: "auc", Task.MULTICLASS: "auc_macro", Task.REGRESSION: "r2"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FitRequest:
    """What ``fit_version`` needs: the labelled rows as Parquet, the recipe, and a folder to write into."""

    schema: Schema
    policy: Policy
    recipe: Recipe
    seed: int
    dataset: Path
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class FitResult:
    """What ``fit_version`` made: files and figures of the hold-out.

    Files are the model, its fitted rows, a scored sample of them (``reference``), and the hold-out predictions.
    ``shap_intervals`` are 95 % intervals of the shares over resamples of the explained rows.
    """

    artifact: Path
    artifact_sha256: str
    fit_rows: Path
    reference: Path
    holdout: Path
    fit_count: int
    holdout_count: int
    holdout_from: datetime | None
    parameters: Mapping[str, Any]
    metrics: Mapping[str, Figure]
    curves: Curves
    shap_shares: Mapping[str, float]
    shap_intervals: Mapping[str, tuple[float, float]]
    cross_validation: CrossValidation | None = None
    search: Search | None = None
    calibration: Calibration | None = None
    warnings: tuple[Finding, ...] = ()
    treatments: tuple[Treatment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Made:
    """A fitted pipeline, and what was tried on the way."""

    pipeline: Pipeline
    cross_validation: CrossValidation | None
    search: Search | None
    calibration: Calibration | None


def unfitted(schema: Schema, recipe: Recipe, policy: Policy) -> Pipeline:
    """Build what a recipe fits.

    Parameters
    ----------
    schema : Schema
        The model's schema.
    recipe : Recipe
        Estimator, settings, class weight, treatments.
    policy : Policy
        ``seed`` and ``estimators``.

    Returns
    -------
    Pipeline

    Raises
    ------
    NotFound, InvalidDefinition
        Something in the recipe that there is not, or that does not fit the model.
    """
    training.known(recipe.estimator, policy.estimators)
    training.check(recipe, schema.task)
    steps = preprocessing.build(schema, recipe.estimator, asked=recipe.treatments)
    return training.unfitted(steps, recipe, task=schema.task, seed=int(policy.seed), offers=policy.estimators)


def fit_version(request: FitRequest, progress: Progress) -> FitResult:
    """Split, fit, judge and explain one version.

    Parameters
    ----------
    request : FitRequest
        The rows and how to fit them.
    progress : callable
        Is told the share done (0-1) and what is being done.

    Returns
    -------
    FitResult
        Shares and intervals by ``column_id``.

    Raises
    ------
    NotEnough, InvalidDefinition, NotFound
        As the stages do.
    """
    schema, policy = request.schema, request.policy
    progress(0.02, "Reading the rows")
    rows = pq.read_table(request.dataset)
    cut = training.split(rows, schema, policy)
    fit_rows, held = rows.filter(pa.array(cut.fit)), rows.filter(pa.array(~cut.fit))
    target = training.encode(rows.column("label").to_pylist(), schema)[cut.fit]
    features = serving.frame(fit_rows, schema)
    made = _made(request, fit_rows, features, target, progress)
    pipeline = made.pipeline
    progress(0.7, f"Judging on {held.num_rows:,} held-out rows")
    said = serving.predict(pipeline, held, schema)
    rows_judged = judged(schema, held.column("label").to_pylist(), said)
    figures = metrics(rows_judged, seed=request.seed)
    progress(0.8, "Explaining by SHAP")
    leaned = attribution.explained(
        pipeline, features, preprocessing.source_features(pipeline), rows=policy.shap_rows, seed=request.seed
    )
    progress(0.93, "Looking for features that know the answer")
    warnings = _leaks(request, held, leaned.shares, figures)
    progress(0.95, "Writing the model file")
    sample = _reference(fit_rows, pipeline, schema, rows=int(policy.reference_rows_max), seed=request.seed)
    model_file = request.folder / "model.skops"
    sha256 = artifact.write(pipeline, model_file, also=_types(request))
    return FitResult(
        artifact=model_file,
        artifact_sha256=sha256,
        fit_rows=_written(fit_rows, request.folder / "fit.parquet"),
        reference=_written(sample, request.folder / "reference.parquet"),
        holdout=_written(said, request.folder / "holdout.parquet"),
        fit_count=fit_rows.num_rows,
        holdout_count=held.num_rows,
        holdout_from=cut.holdout_from,
        parameters=training.parameters(pipeline),
        metrics=figures,
        curves=gate.curves_of(rows_judged),
        shap_shares=leaned.shares,
        shap_intervals=leaned.intervals,
        cross_validation=made.cross_validation,
        search=made.search,
        calibration=made.calibration,
        warnings=warnings,
        treatments=preprocessing.treatments(pipeline, schema, features),
    )


def _made(
    request: FitRequest, rows: pa.Table, features: pd.DataFrame, target: npt.NDArray[Any], progress: Progress
) -> _Made:
    """Fit the pipeline of a request on the fitted rows, after the search and cross-validation that it asks for."""
    schema, recipe = request.schema, request.recipe
    pipeline = unfitted(schema, recipe, request.policy)
    validated, searched = None, None
    if recipe.folds or recipe.candidates:
        count = recipe.folds or training.SEARCH_FOLDS
        given = training.parts(rows, features, target, schema=schema, count=count)

        def tell(share: float, message: str) -> None:
            progress(0.03 + 0.47 * share, message)

        if recipe.candidates:
            searched, validated = training.search(pipeline, given, recipe, seed=request.seed, tell=tell)
            recipe = replace(recipe, settings={**recipe.settings, **searched.kept})
            pipeline = unfitted(schema, recipe, request.policy)
        else:
            validated = training.cross_validate(pipeline, given, tell)
    progress(0.5, f"Fitting on {rows.num_rows:,} rows")
    fitted, calibration = training.fit_on(pipeline, features, target, task=schema.task), None
    if recipe.calibration != "none":
        progress(0.62, "Calibrating on held-out rows of the fitted part")
        part = training.blocks(rows, schema, calibrating.PARTS)
        fitted, calibration = training.calibrate(
            fitted, features, target, part=part, method=recipe.calibration, class_rows_min=request.policy.class_rows_min
        )
    return _Made(pipeline=fitted, cross_validation=validated, search=searched, calibration=calibration)


def _types(request: FitRequest) -> tuple[str, ...]:
    chosen = request.recipe.estimator
    offers = request.policy.estimators
    return named.types({chosen: offers[chosen]}) if chosen in offers else ()


def _leaks(
    request: FitRequest, held: pa.Table, shares: Mapping[str, float], figures: Mapping[str, Figure]
) -> tuple[Finding, ...]:
    """Say which features look as if they knew the target: alone, together, or because the version rests on one."""
    schema, policy = request.schema, request.policy
    labels = held.column("label")
    answers = labels.cast(pa.float64()) if schema.task is Task.REGRESSION else labels
    columns = {c.name: held.column(c.column_id) for c in schema.features}
    look = schemas.look(
        columns, answers, target=schema.target.name, task=schema.task, suspect_min=policy.leak_alone_min
    )
    by_name = {c.name: shares[c.column_id] for c in schema.features}
    hinted = {f.column for f in look.findings if f.severity is Severity.INFO and f.column}
    whole = figures.get(_KNOWN_BY[schema.task])
    carried = leaks.rested_on(look.alone, by_name, whole, task=schema.task, hinted=hinted, policy=policy)
    suspected = {f.column for f in look.findings if f.severity is Severity.WARNING}
    extra = tuple(f for f in carried if f.column not in suspected)
    told = {f.column for f in extra}
    return (*extra, *(f for f in look.findings if f.column not in told))


def _reference(fitted: pa.Table, pipeline: Pipeline, schema: Schema, *, rows: int, seed: int) -> pa.Table:
    """Draw fitted rows, with what the pipeline says about them: the rows that windows are looked at against."""
    chosen = np.arange(fitted.num_rows)
    if len(chosen) > rows:
        chosen = np.sort(np.random.default_rng(seed).choice(len(chosen), size=rows, replace=False))
    drawn = fitted.take(pa.array(chosen))
    said = serving.predict(pipeline, drawn, schema)
    kept = [c.column_id for c in schema.columns if c.role in {Role.FEATURE, Role.PROTECTED}]
    table = drawn.select(["event_at", *(name for name in kept if name in drawn.column_names), "label"])
    return table.append_column("prediction", said.column("prediction")).append_column("score", said.column("score"))


def _written(table: pa.Table, path: Path) -> Path:
    pq.write_table(table, path, compression="zstd")
    return path
