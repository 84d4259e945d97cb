"""Only what the policy names is imported, only an estimator of the task is taken, and only its type is trusted."""

from __future__ import annotations

import pytest

from pipeline_core.errors import InvalidDefinition, NotFound
from pipeline_core.records import Recipe, Task
from pipeline_core.stages import training
from pipeline_core.stages.training import named

TREES = {"class": "sklearn.ensemble.ExtraTreesClassifier", "n_estimators": 20}


def made(offer: dict[str, object], task: Task = Task.BINARY, **recipe: object):
    return training.make(Recipe(estimator="mine", **recipe), task=task, seed=7, offers={"mine": offer})


def test_the_policy_s_parameters_hold_and_a_person_s_go_over_them() -> None:
    model = made(TREES)
    assert (type(model).__name__, model.n_estimators, model.random_state, model.n_jobs) == (
        "ExtraTreesClassifier",
        20,
        7,
        1,
    )
    model = made(TREES, settings={"n_estimators": "30", "max_features": "log2", "bootstrap": "true"})
    assert (model.n_estimators, model.max_features, model.bootstrap) == (30, "log2", True)
    assert made(TREES, class_weight="balanced").class_weight == "balanced"


@pytest.mark.parametrize(
    ("path", "task", "words"),
    [
        ("sklearn.ensemble.ExtraTreesRegressor", Task.BINARY, "it is no classifier with predict_proba"),
        ("sklearn.svm.LinearSVC", Task.MULTICLASS, "it is no classifier with predict_proba"),
        ("sklearn.ensemble.ExtraTreesClassifier", Task.REGRESSION, "it is no regressor"),
        ("sklearn.preprocessing.StandardScaler", Task.REGRESSION, "it is no regressor"),
        ("sklearn.ensemble.StackingClassifier", Task.BINARY, "it cannot be made without arguments"),
        ("subprocess.Popen", Task.BINARY, "which is no estimator of scikit-learn's kind"),
        ("os.system", Task.BINARY, "which is no estimator of scikit-learn's kind"),
        ("sklearn.ensemble.ExtraTree", Task.BINARY, "which is not installed here"),
        ("not_there.Model", Task.BINARY, "which is not installed here"),
        ("Model", Task.BINARY, "which is not installed here"),
    ],
)
def test_what_is_no_estimator_of_the_task_is_refused(path: str, task: Task, words: str) -> None:
    with pytest.raises(InvalidDefinition, match=words):
        made({"class": path}, task)


def test_unknown_names_are_refused_with_the_nearest() -> None:
    with pytest.raises(NotFound, match=r"has no setting 'n_estimator'\. Did you mean 'n_estimators'"):
        made(TREES, settings={"n_estimator": "3"})
    with pytest.raises(NotFound, match=r"There is no estimator 'mime'\. Did you mean 'mine'"):
        training.known("mime", {"mine": TREES})
    with pytest.raises(InvalidDefinition, match="takes no class weights"):
        made({"class": "sklearn.naive_bayes.GaussianNB"}, class_weight="balanced")


def test_the_trusted_type_is_the_class_and_nothing_else() -> None:
    assert named.types({"mine": TREES}) == ("sklearn.ensemble._forest.ExtraTreesClassifier",)
    with pytest.raises(InvalidDefinition, match="no estimator of scikit-learn's kind"):
        named.types({"mine": {"class": "subprocess.Popen"}})
