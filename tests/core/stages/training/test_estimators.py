"""Settings reach the estimator as numbers within their bounds; the defaults are within them too."""

from __future__ import annotations

import pytest

from pipeline_core.errors import InvalidDefinition, NotFound
from pipeline_core.records import Recipe, Task
from pipeline_core.stages import training
from pipeline_core.stages.training import estimators
from tests.core import modelling


def made(task: Task = Task.BINARY, **recipe: object):
    return training.make(Recipe(**recipe), task=task, seed=7, offers={})


@pytest.mark.parametrize("task", modelling.TASKS)
@pytest.mark.parametrize("estimator", training.ESTIMATORS)
def test_every_default_lies_within_its_bounds_and_a_search_too(estimator: str, task: Task) -> None:
    bounds = {s.name: s for s in training.settings_of(estimator, task)}
    known = training.defaults(estimator, task)
    assert set(known) == set(bounds)
    assert all(bounds[name].low <= value <= bounds[name].high for name, value in known.items() if value is not None)
    for name, drawn in estimators.space(estimator, task).items():
        low, high = drawn.support()
        assert bounds[name].low <= low < high <= bounds[name].high
    parameters = made(task, estimator=estimator).get_params()
    assert set(bounds) <= set(parameters)


def test_text_becomes_a_number_of_its_kind() -> None:
    model = made(settings={"max_iter": "300", "learning_rate": "0.1", "min_samples_leaf": 7.0})
    assert (model.max_iter, model.learning_rate, model.min_samples_leaf) == (300, 0.1, 7)
    assert isinstance(model.max_iter, int)
    assert isinstance(model.min_samples_leaf, int)
    assert repr(made(Task.REGRESSION, estimator="logistic_regression", settings={"alpha": "2"}).alpha) == "2.0"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"max_iter": "1e9"}, r"'max_iter' is '1e9'; a whole number from 10 to 2,000 is allowed"),
        ({"max_iter": "150.5"}, r"'150\.5'; a whole number"),
        ({"learning_rate": "fast"}, r"'fast'; a number from 0\.001 to 1 is allowed"),
        ({"learning_rate": "nan"}, "'nan'; a number"),
        ({"l2_regularization": "-1"}, "from 0 to 1,000"),
    ],
)
def test_a_value_outside_its_bounds_is_refused(settings: dict[str, str], words: str) -> None:
    with pytest.raises(InvalidDefinition, match=words):
        made(settings=settings)


def test_an_unknown_setting_names_the_nearest() -> None:
    with pytest.raises(NotFound, match=r"has no setting 'max_iters'\. Did you mean 'max_iter'\?"):
        made(settings={"max_iters": "300"})
    with pytest.raises(NotFound, match="has no setting 'warm_start'"):
        made(settings={"warm_start": "true"})


@pytest.mark.parametrize("estimator", training.ESTIMATORS)
def test_class_weights_reach_the_classifier(estimator: str) -> None:
    assert made(estimator=estimator, class_weight="balanced").get_params()["class_weight"] == "balanced"
    assert made(estimator=estimator).get_params()["class_weight"] is None
