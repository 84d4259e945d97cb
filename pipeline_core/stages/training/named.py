"""An estimator that a team names in its policy file, by the path of its class.

Only what the file names is imported, from what is installed; names in a request never are. What its model file may
hold beside the house's own types is that class and nothing else. Neighbours: ``estimators`` has those of the house. It
refuses whatever has not scikit-learn's interface, and a classifier without probabilities: nothing here works without.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from sklearn.base import BaseEstimator, is_classifier, is_regressor

from pipeline_core.errors import InvalidDefinition, NotFound, nearest
from pipeline_core.records import Task

Offers = Mapping[str, Mapping[str, Any]]
CLASS = "class"


def made(name: str, offers: Offers, *, task: Task, seed: int, settings: Mapping[str, Any]) -> Any:
    """Make the unfitted estimator that a policy names.

    Parameters
    ----------
    name : str
        Its name in the policy.
    offers : mapping
        ``Policy.estimators``: by name the path of the class under ``class``, and its parameters.
    task : Task
        What is predicted.
    seed : int
        Goes to ``random_state`` where the class has one, ``n_jobs`` becomes 1.
    settings : mapping
        Parameters that a person sets over the policy's.

    Returns
    -------
    estimator

    Raises
    ------
    NotFound
        The class has no such parameter.
    InvalidDefinition
        There is no such class here, or it is no estimator of the task.
    """
    kind = _class(name, str(offers[name][CLASS]))
    given = {key: value for key, value in offers[name].items() if key != CLASS}
    try:
        model = kind()
        there = model.get_params()
    except (TypeError, AttributeError) as error:
        raise InvalidDefinition(_unfit(name, kind, f"it cannot be made without arguments ({error})")) from None
    steady = {"random_state": seed, "n_jobs": 1}
    wanted = {key: value for key, value in steady.items() if key in there} | given
    wanted |= {key: _value(value) for key, value in settings.items()}
    for key in wanted:
        if key not in there:
            raise NotFound(f"The estimator {name!r} ({kind.__name__}) has no setting {key!r}. {nearest(key, there)}")
    model.set_params(**wanted)
    _suits(name, model, task)
    return model


def types(offers: Offers) -> tuple[str, ...]:
    """Say which types a model file may hold because the policy names them.

    Parameters
    ----------
    offers : mapping
        ``Policy.estimators``.

    Returns
    -------
    tuple of str
        As skops names them: by the module in which the class stands.
    """
    kinds = [_class(name, str(offer[CLASS])) for name, offer in offers.items()]
    return tuple(sorted({f"{kind.__module__}.{kind.__qualname__}" for kind in kinds}))


def _class(name: str, path: str) -> type[Any]:
    module, _, attribute = path.rpartition(".")
    try:
        kind = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise InvalidDefinition(
            f"The policy's estimator {name!r} names {path!r}, which is not installed here ({error}). Mend the line"
            " under [estimators] in policy.toml, or install the package."
        ) from None
    if not (isinstance(kind, type) and issubclass(kind, BaseEstimator)):
        raise InvalidDefinition(
            f"The policy's estimator {name!r} names {path!r}, which is no estimator of scikit-learn's kind. Name a class"
            " that inherits from sklearn.base.BaseEstimator."
        )
    return kind


def _suits(name: str, model: Any, task: Task) -> None:
    if task is Task.REGRESSION:
        if not is_regressor(model):
            raise InvalidDefinition(_unfit(name, type(model), "it is no regressor, and this model predicts a number"))
    elif not is_classifier(model) or not hasattr(model, "predict_proba"):
        raise InvalidDefinition(
            _unfit(name, type(model), "it is no classifier with predict_proba, and this model predicts a class")
        )


def _unfit(name: str, kind: type[Any], why: str) -> str:
    return (
        f"The policy's estimator {name!r} ({kind.__module__}.{kind.__qualname__}) cannot be used: {why}. Name a class"
        " with scikit-learn's interface under [estimators] in policy.toml."
    )


def _value(given: Any) -> Any:
    """Read text as JSON where it is (numbers, true, null); else it is text."""
    if not isinstance(given, str):
        return given
    try:
        return json.loads(given)
    except json.JSONDecodeError:
        return given
