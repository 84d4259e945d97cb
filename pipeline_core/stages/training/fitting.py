"""How a pipeline is fitted: ground truth as numbers, preprocessing and estimator as one.

Neighbours: ``splitting`` says on which rows, ``estimators`` makes what is fitted, ``folds`` and ``calibrating`` fit on
parts. It refuses to stop early on a random part of the rows, because that leaks what is held out in time.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from pipeline_core.errors import InvalidDefinition, NotEnough
from pipeline_core.records import Recipe, Schema, Task
from pipeline_core.stages.training.estimators import make
from pipeline_core.stages.training.named import Offers

MODEL_STEP = "model"


def encode(labels: Sequence[str | None], schema: Schema) -> npt.NDArray[Any]:
    """Turn ground truth as text into what estimators and metrics take.

    Parameters
    ----------
    labels : sequence of str
        One per row.
    schema : Schema
        Task, classes and positive class.

    Returns
    -------
    np.ndarray
        Binary: 1 for the positive class, else 0. Multiclass: the position in ``schema.classes``.
        Regression: the number.

    Raises
    ------
    InvalidDefinition
        A label is no class of the schema, or no finite number.
    """
    if schema.task is Task.REGRESSION:
        values = pd.to_numeric(pd.Series(list(labels), dtype=object), errors="coerce").to_numpy(dtype=np.float64)
        _refuse_labels(
            [v for v, bad in zip(labels, ~np.isfinite(values), strict=True) if bad], schema, "finite numbers"
        )
        return values
    position = {name: i for i, name in enumerate(schema.classes)}
    allowed = f"the classes {', '.join(repr(c) for c in schema.classes[:12])}"
    _refuse_labels([v for v in labels if v not in position], schema, allowed)
    if schema.task is Task.BINARY:
        return np.fromiter((v == schema.positive for v in labels), dtype=np.int64, count=len(labels))
    return np.fromiter((position[str(v)] for v in labels), dtype=np.int64, count=len(labels))


def unfitted(steps: Pipeline, recipe: Recipe, *, task: Task, seed: int, offers: Offers | None = None) -> Pipeline:
    """Put the estimator of a recipe behind the preprocessing.

    Parameters
    ----------
    steps : Pipeline
        Unfitted preprocessing.
    recipe : Recipe
        Estimator, settings and class weight.
    task : Task
        What is predicted.
    seed : int
        Same rows, seed and packages give the same pipeline.
    offers : mapping, optional
        ``Policy.estimators``.

    Returns
    -------
    Pipeline

    Raises
    ------
    NotFound, InvalidDefinition
        As ``estimators.make``.
    """
    model = make(recipe, task=task, seed=seed, offers=offers or {})
    return Pipeline([*steps.steps, (MODEL_STEP, model)])


def fit_on(pipeline: Pipeline, features: pd.DataFrame, target: npt.NDArray[Any], *, task: Task) -> Pipeline:
    """Fit preprocessing and estimator as one pipeline.

    Parameters
    ----------
    pipeline : Pipeline
        Unfitted; it is the one that is fitted.
    features : pd.DataFrame
        The rows to fit on.
    target : np.ndarray
        Their encoded ground truth.
    task : Task
        What is predicted.

    Returns
    -------
    Pipeline
        Fitted.

    Raises
    ------
    NotEnough
        The rows hold one class only, or one value only.
    """
    if len(np.unique(target)) < 2:
        what = "value" if task is Task.REGRESSION else "class"
        raise NotEnough(
            f"All {len(target):,} rows to fit on have the same target {what}; at least two are needed."
            " Receive labelled rows of another, or train on a longer period."
        )
    # threads that wait for each other on busy cores made a fit 15 times slower, and they change the last digits
    with warnings.catch_warnings(), threadpool_limits(1):
        # an unfinished logistic regression is still a usable model; the run says so ("converged")
        warnings.simplefilter("ignore", ConvergenceWarning)
        return pipeline.fit(features, target)


def fit(
    steps: Pipeline, features: pd.DataFrame, target: npt.NDArray[Any], *, task: Task, estimator: str, seed: int
) -> Pipeline:
    """Fit an estimator of the house as it stands, behind its preprocessing.

    Parameters
    ----------
    steps : Pipeline
        Unfitted preprocessing.
    features : pd.DataFrame
        The rows to fit on.
    target : np.ndarray
        Their encoded ground truth.
    task : Task
        What is predicted.
    estimator : str
        A name of ``ESTIMATORS``.
    seed : int
        Same rows, seed and packages give the same pipeline.

    Returns
    -------
    Pipeline
        Fitted.

    Raises
    ------
    NotFound
        No estimator of that name.
    NotEnough
        As ``fit_on``.
    """
    return fit_on(unfitted(steps, Recipe(estimator=estimator), task=task, seed=seed), features, target, task=task)


def estimator_of(pipeline: Pipeline) -> Any:
    """Give the fitted estimator itself, also where its probabilities are calibrated.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted.

    Returns
    -------
    estimator
    """
    model = pipeline[-1]
    if isinstance(model, CalibratedClassifierCV):
        model = model.calibrated_classifiers_[0].estimator
    return model.estimator if isinstance(model, FrozenEstimator) else model


def parameters(pipeline: Pipeline) -> dict[str, Any]:
    """Give the estimator's settings as the run keeps them.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted.

    Returns
    -------
    dict
        Plain values by name, and for an iterative linear model whether it ``converged``.
    """
    model = estimator_of(pipeline)
    plain = {k: v for k, v in model.get_params().items() if v is None or isinstance(v, str | int | float | bool)}
    if isinstance(model, LogisticRegression):
        plain["converged"] = bool(np.max(model.n_iter_) < model.max_iter)
    return plain


def _refuse_labels(unknown: Sequence[object], schema: Schema, allowed: str) -> None:
    if not unknown:
        return
    shown = ", ".join(f"{v!r} ({n:,} rows)" for v, n in Counter(unknown).most_common(5))
    raise InvalidDefinition(
        f"The labels of model {schema.model!r} hold {shown}; {allowed} are allowed by its definition."
        " Send corrected labels for these rows, or define the model again."
    )
