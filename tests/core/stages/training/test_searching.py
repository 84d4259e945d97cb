"""A search never ends below the given settings on the folds, and leaves alone what a person set."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline_core.errors import InvalidDefinition, NotEnough
from pipeline_core.records import Recipe, Task
from pipeline_core.stages import training
from tests.core import modelling
from tests.core.stages.training.test_folds import given, pipeline, silent


def searched(task: Task = Task.BINARY, *, recipe: Recipe | None = None, seed: int = 7):
    asked = recipe or Recipe(estimator="logistic_regression", candidates=5)
    parts = given(modelling.rows(400, task), task)
    return training.search(pipeline(task, asked.estimator), parts, asked, seed=seed, tell=silent), parts


@pytest.mark.parametrize("task", modelling.TASKS)
def test_the_best_is_first_and_its_folds_are_given(task: Task) -> None:
    (found, folds), parts = searched(task)
    means = [trial.mean for trial in found.trials]
    assert means == sorted(means, reverse=task is not Task.REGRESSION)
    assert len(found.trials) == 6
    assert found.kept == found.trials[0].settings
    assert {} in [dict(trial.settings) for trial in found.trials]
    assert folds.mean == pytest.approx(means[0], abs=1e-12)
    chosen = pipeline(task).set_params(**{f"model__{k}": v for k, v in found.kept.items()})
    again = training.cross_validate(chosen, parts, silent)
    assert again == folds


def test_the_same_seed_tries_the_same() -> None:
    (first, _), _ = searched()
    (second, _), _ = searched()
    (other, _), _ = searched(seed=8)
    assert first == second
    assert first != other


def test_what_a_person_set_is_not_moved() -> None:
    recipe = Recipe(estimator="random_forest", settings={"min_samples_leaf": 5, "max_features": 0.5}, candidates=2)
    with pytest.raises(InvalidDefinition, match="There is nothing to search for the estimator 'random_forest'"):
        searched(recipe=recipe)
    (found, _), _ = searched(recipe=Recipe(estimator="random_forest", settings={"min_samples_leaf": 5}, candidates=2))
    assert {tuple(t.settings) for t in found.trials} == {(), ("max_features",)}


def test_one_class_everywhere_cannot_be_searched() -> None:
    parts = given(modelling.rows(400))
    parts.target[:] = np.where(np.arange(400) < 300, 0, parts.target)
    parts.target[300:] = 0
    with pytest.raises(NotEnough, match="No fold of the rows to fit on has rows of two classes"):
        training.search(pipeline(), parts, Recipe(estimator="logistic_regression", candidates=1), seed=1, tell=silent)
