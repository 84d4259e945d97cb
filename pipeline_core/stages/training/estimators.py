"""Which estimators are on offer, what of them a person may set and within which bounds, and what a search tries.

Beside the four of the house a team may name any class with scikit-learn's interface in its policy file. Only what the
file names is imported, and only where it is an estimator of the task. Neighbours: ``fitting`` puts the estimator behind
the preprocessing. It refuses settings outside their bounds: a typing error in a learning rate costs an hour.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from scipy.stats import loguniform, randint
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge

from pipeline_core.errors import InvalidDefinition, NotFound, nearest
from pipeline_core.records import Recipe, Task
from pipeline_core.stages.training import named
from pipeline_core.stages.training.named import Offers

DEFAULT_ESTIMATOR = Recipe().estimator
BALANCED = "balanced"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One number of an estimator that a person may set: ``low`` to ``high``, both allowed."""

    name: str
    low: float
    high: float
    whole: bool = False
    help: str = ""


def _leaves_and_pace(task: Task) -> tuple[int, float]:
    """Give the leaves of a tree and the learning rate: labels of yes and no are noisier than amounts (decision 0008)."""
    return (31, 0.04) if task is Task.REGRESSION else (15, 0.05)


def _boosting(task: Task, seed: int) -> Any:
    kind = HistGradientBoostingRegressor if task is Task.REGRESSION else HistGradientBoostingClassifier
    leaves, pace = _leaves_and_pace(task)
    return kind(
        max_iter=150, learning_rate=pace, max_leaf_nodes=leaves, min_samples_leaf=20, l2_regularization=1.0,
        early_stopping=False, random_state=seed,
    )  # fmt: skip


def _linear(task: Task, seed: int) -> Any:
    if task is Task.REGRESSION:
        return Ridge(alpha=1.0, random_state=seed)
    return LogisticRegression(max_iter=500, random_state=seed)


def _forest(task: Task, seed: int) -> Any:
    kind = RandomForestRegressor if task is Task.REGRESSION else RandomForestClassifier
    return kind(n_estimators=100, min_samples_leaf=20, n_jobs=1, random_state=seed)


def _lightgbm(task: Task, seed: int) -> Any:
    from lightgbm import LGBMClassifier, LGBMRegressor  # loads a shared library: only where it is chosen

    kind = LGBMRegressor if task is Task.REGRESSION else LGBMClassifier
    leaves, pace = _leaves_and_pace(task)
    return kind(
        n_estimators=150, learning_rate=pace, num_leaves=leaves, min_child_samples=20, reg_lambda=1.0,
        deterministic=True, force_row_wise=True, n_jobs=1, random_state=seed, verbosity=-1,
    )  # fmt: skip


ESTIMATORS: Mapping[str, Callable[[Task, int], Any]] = {
    "hist_gradient_boosting": _boosting,
    "logistic_regression": _linear,
    "random_forest": _forest,
    "lightgbm": _lightgbm,
}
"""The estimators on offer; the first is the default. One thread each: the same numbers on every machine."""

_PACE = "how far each tree goes; smaller needs more trees"
_SMALL_LEAF = "rows that a leaf of a tree needs; more is smoother"
_BOOSTED = "trees in a row, each mending the ones before"
_SETTINGS: Mapping[str, tuple[Setting, ...]] = {
    "hist_gradient_boosting": (
        Setting(name="max_iter", low=10, high=2_000, whole=True, help=_BOOSTED),
        Setting(name="learning_rate", low=0.001, high=1.0, help=_PACE),
        Setting(name="max_leaf_nodes", low=2, high=255, whole=True, help="leaves of a tree; more sees finer patterns"),
        Setting(name="min_samples_leaf", low=1, high=5_000, whole=True, help=_SMALL_LEAF),
        Setting(name="l2_regularization", low=0.0, high=1_000.0, help="pulls the leaves to the middle"),
    ),
    "logistic_regression": (
        Setting(name="C", low=0.0001, high=10_000.0, help="trust in the rows; smaller is simpler"),
        Setting(name="max_iter", low=50, high=20_000, whole=True, help="steps before it gives up"),
    ),
    "random_forest": (
        Setting(name="n_estimators", low=10, high=1_000, whole=True, help="trees that vote; more is steadier, slower"),
        Setting(name="min_samples_leaf", low=1, high=5_000, whole=True, help=_SMALL_LEAF),
        Setting(name="max_features", low=0.01, high=1.0, help="share of the columns that each split may choose from"),
    ),
    "lightgbm": (
        Setting(name="n_estimators", low=10, high=2_000, whole=True, help=_BOOSTED),
        Setting(name="learning_rate", low=0.001, high=1.0, help=_PACE),
        Setting(name="num_leaves", low=2, high=255, whole=True, help="leaves of a tree; more sees finer patterns"),
        Setting(name="min_child_samples", low=1, high=5_000, whole=True, help=_SMALL_LEAF),
        Setting(name="reg_lambda", low=0.0, high=1_000.0, help="pulls the leaves to the middle"),
    ),
}
_RIDGE = (Setting(name="alpha", low=0.0, high=100_000.0, help="pulls the weights to zero; larger is simpler"),)

# frozen distributions hold a state: each search makes its own
_SPACES: Mapping[str, Callable[[], dict[str, Any]]] = {
    "hist_gradient_boosting": lambda: {
        "max_iter": randint(60, 401), "learning_rate": loguniform(0.015, 0.25), "max_leaf_nodes": randint(4, 64),
        "min_samples_leaf": randint(5, 121), "l2_regularization": loguniform(0.01, 100.0),
    },
    "logistic_regression": lambda: {"C": loguniform(0.001, 100.0)},
    "random_forest": lambda: {"min_samples_leaf": randint(2, 81), "max_features": loguniform(0.1, 1.0)},
    "lightgbm": lambda: {
        "n_estimators": randint(60, 401), "learning_rate": loguniform(0.015, 0.25), "num_leaves": randint(4, 64),
        "min_child_samples": randint(5, 121), "reg_lambda": loguniform(0.01, 100.0),
    },
}  # fmt: skip


def names(offers: Offers) -> tuple[str, ...]:
    """Give the estimators on offer: those of the house, then those that the policy names.

    Parameters
    ----------
    offers : mapping
        ``Policy.estimators``.

    Returns
    -------
    tuple of str
    """
    return (*ESTIMATORS, *(name for name in offers if name not in ESTIMATORS))


def known(estimator: str, offers: Offers | None = None) -> None:
    """Refuse an estimator that is not on offer.

    Parameters
    ----------
    estimator : str
        A name.
    offers : mapping, optional
        ``Policy.estimators``.

    Raises
    ------
    NotFound
        It is neither of ``ESTIMATORS`` nor named by the policy.
    """
    there = names(offers or {})
    if estimator not in there:
        raise NotFound(f"There is no estimator {estimator!r}. {nearest(estimator, there)}")


def settings_of(estimator: str, task: Task) -> tuple[Setting, ...]:
    """Say what of an estimator may be set.

    Parameters
    ----------
    estimator : str
        A name.
    task : Task
        What is predicted.

    Returns
    -------
    tuple of Setting
        Empty for one that the policy names: every parameter that its class knows may be set there.
    """
    if estimator == "logistic_regression" and task is Task.REGRESSION:
        return _RIDGE
    return _SETTINGS.get(estimator, ())


def defaults(estimator: str, task: Task) -> dict[str, float | None]:
    """Give what holds where a person sets nothing.

    Parameters
    ----------
    estimator : str
        A name of ``ESTIMATORS``.
    task : Task
        What is predicted.

    Returns
    -------
    dict of str to float or None
        By setting; None where the estimator has a rule of its own instead of a number.
    """
    model = ESTIMATORS[estimator](task, 0)
    found = {s.name: getattr(model, s.name) for s in settings_of(estimator, task)}
    return {name: v if isinstance(v, int | float) else None for name, v in found.items()}


def space(estimator: str, task: Task) -> dict[str, Any]:
    """Give what a search tries.

    Parameters
    ----------
    estimator : str
        A name.
    task : Task
        What is predicted.

    Returns
    -------
    dict
        Distributions by setting; empty where the house knows none.
    """
    if estimator == "logistic_regression" and task is Task.REGRESSION:
        return {"alpha": loguniform(0.001, 1_000.0)}
    made = _SPACES.get(estimator)
    return made() if made else {}


def make(recipe: Recipe, *, task: Task, seed: int, offers: Offers) -> Any:
    """Make the unfitted estimator of a recipe.

    Parameters
    ----------
    recipe : Recipe
        Estimator, settings (text or numbers) and class weight.
    task : Task
        What is predicted.
    seed : int
        Same rows, seed and packages give the same model.
    offers : mapping
        ``Policy.estimators``.

    Returns
    -------
    estimator

    Raises
    ------
    NotFound
        No such estimator or setting.
    InvalidDefinition
        A value outside its bounds, class weights where there are no classes, or a class of the policy that is none
        of the task's.
    """
    known(recipe.estimator, offers)
    if recipe.estimator in ESTIMATORS:
        model = ESTIMATORS[recipe.estimator](task, seed)
        model.set_params(**_checked(recipe, task))
    else:
        model = named.made(recipe.estimator, offers, task=task, seed=seed, settings=recipe.settings)
    if recipe.class_weight == BALANCED:
        _balance(model, recipe)
    return model


def _checked(recipe: Recipe, task: Task) -> dict[str, float]:
    allowed = {s.name: s for s in settings_of(recipe.estimator, task)}
    found: dict[str, float] = {}
    for name, value in recipe.settings.items():
        if name not in allowed:
            raise NotFound(f"The estimator {recipe.estimator!r} has no setting {name!r}. {nearest(name, allowed)}")
        found[name] = _number(value, allowed[name])
    return found


def _number(value: object, setting: Setting) -> float:
    kind = "a whole number" if setting.whole else "a number"
    try:
        number = float(str(value))
    except ValueError:
        number = float("nan")
    if not setting.low <= number <= setting.high or (setting.whole and number != int(number)):
        raise InvalidDefinition(
            f"The setting {setting.name!r} is {str(value)[:40]!r}; {kind} from {setting.low:g} to {setting.high:,g} is"
            " allowed. Mend it, or leave it out."
        )
    return int(number) if setting.whole else number


def _balance(model: Any, recipe: Recipe) -> None:
    if "class_weight" not in model.get_params():
        raise InvalidDefinition(
            f"The estimator {recipe.estimator!r} ({type(model).__name__}) takes no class weights. Leave the class"
            " weight at none, or choose another estimator."
        )
    model.set_params(class_weight=BALANCED)
