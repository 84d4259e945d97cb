"""A map of the probabilities is kept only where it surely helps, and rests on rows that its teacher had not seen."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier

from pipeline_core.records import Measured, NotMeasured, Task
from pipeline_core.stages import training
from pipeline_core.stages.training.fitting import MODEL_STEP

ROWS = 4_000


def rows(seed: int = 1, classes: int = 2) -> tuple[pd.DataFrame, np.ndarray]:
    random = np.random.default_rng(seed)
    features = pd.DataFrame({name: random.normal(size=ROWS) for name in ("c001", "c002")})
    chance = 1 / (1 + np.exp(-features["c001"].to_numpy()))
    target = (random.random(ROWS) < chance).astype(int)
    return features, target + (random.random(ROWS) < 0.3) * (classes - 2)


def fitted(features: pd.DataFrame, target: np.ndarray, *, leaf: int) -> Pipeline:
    """A tree of pure leaves says 0 or 1 and is far too sure; one of large leaves says what is so."""
    columns = ColumnTransformer([("numbers", "passthrough", ["c001", "c002"])])
    tree = DecisionTreeClassifier(min_samples_leaf=leaf, random_state=1)
    return training.fit_on(Pipeline([("columns", columns), (MODEL_STEP, tree)]), features, target, task=Task.BINARY)


def part() -> np.ndarray:
    return np.arange(ROWS) * 10 // ROWS


@pytest.mark.parametrize("method", ["isotonic", "sigmoid"])
@pytest.mark.parametrize("classes", [2, 3])
def test_a_model_that_is_too_sure_is_mapped_and_new_rows_are_better_for_it(method: str, classes: int) -> None:
    features, target = rows(classes=classes)
    before = fitted(features, target, leaf=1)
    after, said = training.calibrate(before, features, target, part=part(), method=method, class_rows_min=30)
    assert (said.kept, said.method, said.learned_rows, said.judged_rows) == (True, method, 400, 400)
    assert said.brier_gain.low > 0
    late, truth = rows(seed=2, classes=classes)
    losses = [np.square(p.predict_proba(late) - np.eye(classes)[truth]).sum(axis=1).mean() for p in (before, after)]
    assert losses[1] < losses[0] - 0.1
    assert training.estimator_of(after) is before[-1]
    assert after.predict_proba(late).sum(axis=1) == pytest.approx(1)


def test_a_model_that_is_right_is_left_as_it_is() -> None:
    features, target = rows()
    before = fitted(features, target, leaf=200)
    after, said = training.calibrate(before, features, target, part=part(), method="isotonic", class_rows_min=30)
    assert after is before
    assert not said.kept
    assert isinstance(said.brier_gain, Measured)


def test_the_map_rests_on_a_model_that_had_not_seen_its_rows() -> None:
    """On its own rows the tree is always right: a map learned there would change nothing."""
    features, target = rows()
    after, _ = training.calibrate(
        fitted(features, target, leaf=1), features, target, part=part(), method="isotonic", class_rows_min=30
    )
    assert 0.5 < after.predict_proba(features).max(axis=1).mean() < 0.8


def test_too_few_rows_of_a_class_are_said() -> None:
    features, target = rows()
    target[3_200:3_600] = 0
    target[3_200:3_212] = 1
    before = fitted(features, target, leaf=50)
    after, said = training.calibrate(before, features, target, part=part(), method="sigmoid", class_rows_min=30)
    assert after is before
    assert said.brier_gain == NotMeasured(reason="only 12 rows of one class to learn the map from; 30 are needed")
