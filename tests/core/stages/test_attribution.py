"""SHAP shares sum to one, point at what was planted, and belong to source columns."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import Pipeline

from pipeline_core.records import Task
from pipeline_core.stages import attribution, preprocessing, serving, training
from tests.core import modelling


def explained(task: Task, estimator: str, rows: int = 100):
    schema, table = modelling.schema(task), modelling.rows(400, task, noise=0.3)
    features = serving.frame(table, schema)
    target = training.encode(table["label"].to_pylist(), schema)
    pipeline = training.fit(
        preprocessing.build(schema, estimator), features, target, task=task, estimator=estimator, seed=7
    )
    sources = preprocessing.source_features(pipeline)
    return (
        dict(attribution.explained(pipeline, features, sources, rows=rows, seed=7).shares),
        pipeline,
        features,
        sources,
    )


@pytest.mark.parametrize("task", modelling.TASKS)
@pytest.mark.parametrize("estimator", training.ESTIMATORS)
def test_shares_sum_to_one_and_find_what_was_planted(estimator: str, task: Task) -> None:
    shares, *_ = explained(task, estimator)
    assert list(shares) == ["c001", "c002", "c003", "c004", "c005"]
    assert sum(shares.values()) == pytest.approx(1, abs=1e-12)
    assert min(shares.values()) >= 0
    ranked = sorted(shares, key=lambda name: -shares[name])
    assert ranked[:2] == ["c001", "c003"]
    assert shares["c001"] > 0.5


def test_the_same_seed_draws_the_same_rows() -> None:
    shares, pipeline, features, sources = explained(Task.BINARY, "hist_gradient_boosting")
    assert attribution.explained(pipeline, features, sources, rows=100, seed=7).shares == shares
    assert attribution.explained(pipeline, features, sources, rows=100, seed=8).shares != shares


def test_linear_shares_equal_the_formula() -> None:
    shares, pipeline, features, sources = explained(Task.REGRESSION, "logistic_regression", rows=10_000)
    transformed = pipeline[:-1].transform(features)
    parts = pipeline[-1].coef_ * (transformed - transformed.mean(axis=0))
    strength = {
        name: np.abs(parts[:, [i for i, s in enumerate(sources) if s == name]].sum(axis=1)).mean() for name in shares
    }
    total = sum(strength.values())
    assert shares == pytest.approx({name: s / total for name, s in strength.items()}, abs=1e-9)


@pytest.mark.parametrize("estimator", ["hist_gradient_boosting", "lightgbm", "random_forest"])
def test_tree_values_add_up_to_the_prediction(estimator: str) -> None:
    _, pipeline, features, _ = explained(Task.REGRESSION, estimator)
    import shap

    transformed = pipeline[:-1].transform(features)[:50]
    explainer = shap.TreeExplainer(pipeline[-1])
    values = explainer.shap_values(transformed)
    summed = values.sum(axis=1) + np.ravel(explainer.expected_value)[0]
    assert summed == pytest.approx(pipeline.predict(features.iloc[:50]), abs=1e-6)


def test_forests_explain_fewer_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    real = attribution._sample
    monkeypatch.setattr(attribution, "FOREST_ROWS_MAX", 30)
    monkeypatch.setattr(
        attribution, "_sample", lambda features, rows, seed: asked.append(rows) or real(features, rows, seed)
    )
    explained(Task.BINARY, "random_forest")
    explained(Task.BINARY, "lightgbm")
    assert asked == [30, 100]


def test_a_model_that_uses_nothing_has_equal_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    _, pipeline, features, sources = explained(Task.BINARY, "logistic_regression")
    pipeline[-1].coef_ = np.zeros_like(pipeline[-1].coef_)
    assert set(attribution.explained(pipeline, features, sources, rows=50, seed=7).shares.values()) == {0.2}


def test_an_estimator_that_no_explainer_knows_is_asked_with_shuffled_columns() -> None:
    """Of a linear model Shapley values are known: weight times distance from the mean of the background."""
    random = np.random.default_rng(3)
    frame = pd.DataFrame({name: random.normal(size=600) for name in ("c001", "c002", "c003")})
    columns = ColumnTransformer([("numbers", "passthrough", list(frame.columns))])
    pipeline = Pipeline([("columns", columns), ("model", LinearRegression())])
    pipeline.fit(frame, 3 * frame["c001"] + frame["c002"])
    found = attribution.explained(pipeline, frame, list(frame.columns), rows=2_000, seed=1)
    assert found.shares["c001"] == pytest.approx(0.75, abs=0.06)
    assert found.shares["c002"] == pytest.approx(0.25, abs=0.06)
    assert found.shares["c003"] == pytest.approx(0, abs=1e-9)
