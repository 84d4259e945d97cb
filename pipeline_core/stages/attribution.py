"""Which source columns a fitted pipeline rests on.

SHAP of the estimator on transformed rows, summed back to source columns before the absolute value is
taken, so that the one-hot columns of a category do not count against each other. Computed once per
version, at training, and for a window that is looked at closely. Neighbours: ``preprocessing.source_features`` gives the map, ``drift`` weighs
with the shares. Where probabilities are calibrated, the model under the map is explained: the map changes no order of
importance. An estimator that no explainer of SHAP's knows is asked with its columns shuffled one after the other, on fewer rows.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline

RESAMPLES = 400
FOREST_ROWS_MAX = 500
"""Deep trees of a forest cost ten times a boosted one; the ranking is stable from 250 rows on."""
STRANGER_ROWS_MAX = 200
"""Of an estimator that no explainer knows: it answers for every row, column and background row."""
_STRANGER_BACKGROUND = 20
_STRANGER_ROUNDS = 2

Floats = npt.NDArray[np.float64]
_FORESTS = (ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """Shares (0-1) of mean |SHAP| by ``column_id``, and the 95 % interval of each over resamples of the rows."""

    shares: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]


def explained(
    pipeline: Pipeline,
    features: pd.DataFrame,
    source_ids: Sequence[str],
    *,
    rows: int,
    seed: int,
    background: pd.DataFrame | None = None,
) -> Attribution:
    """Give each source column's share of the mean absolute SHAP value, and how sure it is.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted; its last step is the estimator.
    features : pd.DataFrame
        Rows to explain, as the pipeline takes them.
    source_ids : sequence of str
        Source ``column_id`` of each transformed column.
    rows : int
        At most so many of the rows are explained (500 for forests, 200 for an estimator that no explainer knows), drawn by
        ``seed``.
    seed : int
        Of that draw and of the resamples.
    background : pd.DataFrame, optional
        What a linear model's rows are held against (trees bring their own): for a window the baseline, or a move of all
        its rows would not show. None: the explained rows.

    Returns
    -------
    Attribution
        In the order of ``features``; shares sum to 1. Where the model uses no column at all (a constant), every
        share is equal.
    """
    model = _underlying(pipeline[-1])
    limit = min(rows, _rows_max(model))
    transformed = _transformed(pipeline, _sample(features, limit, seed))
    held = transformed if background is None else _transformed(pipeline, _sample(background, rows, seed))
    strength = _by_source(_shap_values(model, transformed, held), source_ids, list(features.columns))
    random = np.random.default_rng(seed)
    weights = random.multinomial(len(strength), np.full(len(strength), 1 / len(strength)), size=RESAMPLES)
    low, high = np.quantile(_shares(weights @ strength), [0.025, 0.975], axis=0)
    found = _shares(strength.sum(axis=0, keepdims=True))[0]
    return Attribution(
        shares={name: float(share) for name, share in zip(features.columns, found, strict=True)},
        intervals={name: (float(a), float(b)) for name, a, b in zip(features.columns, low, high, strict=True)},
    )


def _transformed(pipeline: Pipeline, features: pd.DataFrame) -> Floats:
    return np.asarray(pipeline[:-1].transform(features), dtype=np.float64)


def _shares(strength: Floats) -> Floats:
    """Give the shares of each row, equal where nothing has any strength."""
    total = strength.sum(axis=1, keepdims=True)
    even = np.full(strength.shape, 1 / strength.shape[1])
    return np.divide(strength, total, out=even, where=total > 0)


def _underlying(model: Any) -> Any:
    """Give the model under a map of its probabilities."""
    if not isinstance(model, CalibratedClassifierCV):
        return model
    frozen = model.calibrated_classifiers_[0].estimator
    return frozen.estimator


def _rows_max(model: Any) -> int:
    if isinstance(model, _FORESTS):
        return FOREST_ROWS_MAX
    return STRANGER_ROWS_MAX if _is_stranger(model) else 1 << 62


def _is_boosted(model: Any) -> bool:
    boosted = isinstance(model, HistGradientBoostingClassifier | HistGradientBoostingRegressor)
    return boosted or type(model).__module__.split(".")[0] in {"lightgbm", "xgboost", "catboost"}


def _is_linear(model: Any) -> bool:
    return isinstance(model, LogisticRegression | Ridge)


def _is_stranger(model: Any) -> bool:
    return not (_is_linear(model) or isinstance(model, _FORESTS) or _is_boosted(model))


def _sample(features: pd.DataFrame, rows: int, seed: int) -> pd.DataFrame:
    if len(features) <= rows:
        return features
    chosen = np.random.default_rng(seed).choice(len(features), size=rows, replace=False)
    return features.iloc[np.sort(chosen)]


def _shap_values(model: Any, transformed: Floats, held: Floats) -> Floats:
    import shap  # seconds and a compiler to import: only where a version is explained

    with warnings.catch_warnings():
        # tells of a change of shape in an older release; both shapes are taken below
        warnings.filterwarnings("ignore", message="LightGBM binary classifier with TreeExplainer shap values output")
        if _is_stranger(model):
            values = _by_shuffling(model, transformed, held)
        elif _is_linear(model):
            background = shap.maskers.Independent(held, max_samples=len(held))  # all of them, not 100
            values = shap.LinearExplainer(model, background).shap_values(transformed)
        else:
            # the additivity check compares float32 with float64 sums and may fail a sound training
            values = shap.TreeExplainer(model).shap_values(transformed, check_additivity=False)
    array = np.asarray(values, dtype=np.float64)
    return array[:, :, np.newaxis] if array.ndim == 2 else array


def _by_shuffling(model: Any, transformed: Floats, held: Floats) -> Floats:
    import shap

    ask = model.predict_proba if hasattr(model, "predict_proba") else model.predict
    background = shap.maskers.Independent(held, max_samples=_STRANGER_BACKGROUND)
    explainer = shap.PermutationExplainer(ask, background, seed=0)
    calls = _STRANGER_ROUNDS * (2 * transformed.shape[1] + 1)
    return np.asarray(explainer(transformed, max_evals=calls, silent=True).values, dtype=np.float64)


def _by_source(values: Floats, source_ids: Sequence[str], names: Sequence[str]) -> Floats:
    """Give |SHAP| of each row and source column, summed over the outputs."""
    position = {name: i for i, name in enumerate(names)}
    summed = np.zeros((values.shape[0], len(names), values.shape[2]))
    for column, source in enumerate(source_ids):
        summed[:, position[source], :] += values[:, column, :]
    strength: Floats = np.abs(summed).sum(axis=2)
    return strength
