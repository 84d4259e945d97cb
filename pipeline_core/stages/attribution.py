"""Which source columns a fitted pipeline rests on.

SHAP of the estimator on transformed rows, summed back to source columns before the absolute value is
taken, so that the one-hot columns of a category do not count against each other. Computed once per
version, at training. Neighbours: ``preprocessing.source_features`` gives the map, ``drift`` weighs
with the shares. It refuses to guess: an estimator without a known explainer is an error.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline

FOREST_ROWS_MAX = 500
"""Deep trees of a forest cost ten times a boosted one; the ranking is stable from 250 rows on."""


def shares(
    pipeline: Pipeline, features: pd.DataFrame, source_ids: Sequence[str], *, rows: int, seed: int
) -> dict[str, float]:
    """Give each source column's share of the mean absolute SHAP value.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted; its last step is the estimator.
    features : pd.DataFrame
        Rows to explain, as the pipeline takes them.
    source_ids : sequence of str
        Source ``column_id`` of each transformed column.
    rows : int
        At most so many of the rows are explained (500 for random forests), drawn by ``seed``.
    seed : int
        Of that draw.

    Returns
    -------
    dict of str to float
        Share (0-1) by ``column_id`` in the order of ``features``; they sum to 1. Where the model uses no
        column at all (a constant), every share is equal.
    """
    model = pipeline[-1]
    limit = min(rows, FOREST_ROWS_MAX) if _is_forest(model) else rows
    transformed = np.asarray(pipeline[:-1].transform(_sample(features, limit, seed)), dtype=np.float64)
    values = _shap_values(model, transformed)
    strength = _by_source(values, source_ids, list(features.columns))
    total = strength.sum()
    if total <= 0:
        strength, total = np.ones_like(strength), float(len(strength))
    return {name: float(s) for name, s in zip(features.columns, strength / total, strict=True)}


def _is_forest(model: Any) -> bool:
    return isinstance(model, RandomForestClassifier | RandomForestRegressor)


def _sample(features: pd.DataFrame, rows: int, seed: int) -> pd.DataFrame:
    if len(features) <= rows:
        return features
    chosen = np.random.default_rng(seed).choice(len(features), size=rows, replace=False)
    return features.iloc[np.sort(chosen)]


def _shap_values(model: Any, transformed: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    import shap  # seconds and a compiler to import: only where a version is explained

    with warnings.catch_warnings():
        # tells of a change of shape in an older release; both shapes are taken below
        warnings.filterwarnings("ignore", message="LightGBM binary classifier with TreeExplainer shap values output")
        if isinstance(model, LogisticRegression | Ridge):
            background = shap.maskers.Independent(transformed, max_samples=len(transformed))  # all of them, not 100
            values = shap.LinearExplainer(model, background).shap_values(transformed)
        else:
            # the additivity check compares float32 with float64 sums and may fail a sound training
            values = shap.TreeExplainer(model).shap_values(transformed, check_additivity=False)
    array = np.asarray(values, dtype=np.float64)
    return array[:, :, np.newaxis] if array.ndim == 2 else array


def _by_source(
    values: npt.NDArray[np.float64], source_ids: Sequence[str], names: Sequence[str]
) -> npt.NDArray[np.float64]:
    position = {name: i for i, name in enumerate(names)}
    summed = np.zeros((values.shape[0], len(names), values.shape[2]))
    for column, source in enumerate(source_ids):
        summed[:, position[source], :] += values[:, column, :]
    strength: npt.NDArray[np.float64] = np.abs(summed).mean(axis=0).sum(axis=1)
    return strength
