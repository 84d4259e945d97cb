"""Which settings do better on the folds: scikit-learn's randomized search over a small sane space an estimator.

Candidates are drawn, not halved: halving learns from a part of the rows first, and a part of a history is another history
(decision 0030). The given settings are the first candidate, so a search never ends below them on the folds.
Neighbours: ``folds`` cuts and judges, ``estimators.space`` says what is drawn. It refuses to look at the hold-out.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import RandomizedSearchCV
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from pipeline_core.errors import InvalidDefinition, NotEnough
from pipeline_core.records import Candidate, CrossValidation, Measured, Recipe, Search
from pipeline_core.stages.training.estimators import space
from pipeline_core.stages.training.fitting import MODEL_STEP
from pipeline_core.stages.training.folds import Parts, Tell, cross_validate, said
from pipeline_core.stats.scores import HIGHER_IS_BETTER, PRIMARY, SPOKEN, primary

SEARCH_FOLDS = 3
"""Folds of a search where nobody says how many."""


def search(
    pipeline: Pipeline, given: Parts, recipe: Recipe, *, seed: int, tell: Tell
) -> tuple[Search, CrossValidation]:
    """Try settings on the folds, the given ones first.

    Parameters
    ----------
    pipeline : Pipeline
        Unfitted, with the recipe's settings; stays so.
    given : Parts
        The folds.
    recipe : Recipe
        How many candidates; what a person set is not moved.
    seed : int
        Of the draw of candidates.
    tell : callable
        Is told the share done (0-1) and what is being done, before each fit.

    Returns
    -------
    tuple of Search and CrossValidation
        What was tried, and the folds of what is kept: the best mean, the given settings where nothing is better.

    Raises
    ------
    InvalidDefinition
        There is nothing to search.
    NotEnough
        No fold has a metric.
    """
    drawn = {
        f"{MODEL_STEP}__{k}": v for k, v in space(recipe.estimator, given.task).items() if k not in recipe.settings
    }
    if not drawn:
        raise InvalidDefinition(
            f"There is nothing to search for the estimator {recipe.estimator!r}: every setting that is searched is given,"
            " or none is known. Leave the search out."
        )
    total = (recipe.candidates + 1) * len(given.pairs)
    first = cross_validate(pipeline, given, lambda share, message: tell(share * len(given.pairs) / total, message))
    told = [i for i, fold in enumerate(first.folds) if isinstance(fold.figure, Measured)]
    if not told:
        raise NotEnough(
            "No fold of the rows to fit on has rows of two classes; a search needs one. Train on more rows."
        )
    usable = replace(given, pairs=[given.pairs[i] for i in told], spans=[given.spans[i] for i in told])
    tried = _tried(pipeline, usable, drawn, candidates=recipe.candidates, seed=seed, tell=tell)
    base = Candidate(settings={}, mean=float(first.mean or 0.0), spread=float(first.spread or 0.0))
    better = -1 if first.metric in HIGHER_IS_BETTER else 1
    ranked = tuple(sorted((base, *tried), key=lambda trial: better * trial.mean))
    kept = ranked[0]
    validated = first
    if kept is not base:
        chosen = clone(pipeline).set_params(**{f"{MODEL_STEP}__{k}": v for k, v in kept.settings.items()})
        validated = cross_validate(chosen, given, lambda _share, message: tell(1.0, f"Best candidate. {message}"))
    return Search(metric=first.metric, kept=kept.settings, trials=ranked), validated


def _tried(
    pipeline: Pipeline, given: Parts, drawn: Mapping[str, Any], *, candidates: int, seed: int, tell: Tell
) -> list[Candidate]:
    sign = 1 if PRIMARY[given.task] in HIGHER_IS_BETTER else -1
    judge = _Judge(given, candidates, tell)
    made = RandomizedSearchCV(
        pipeline, dict(drawn), n_iter=candidates, scoring=judge, cv=list(given.pairs), refit=False, random_state=seed,
        error_score="raise",
    )  # fmt: skip
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", ConvergenceWarning)  # as in every fit: it is still a candidate
        made.fit(given.features, given.target)
    results = made.cv_results_
    by_fold = sign * np.stack([results[f"split{i}_test_score"] for i in range(len(given.pairs))])
    spread = by_fold.std(axis=0, ddof=1) if len(by_fold) > 1 else np.zeros(by_fold.shape[1])
    return [
        Candidate(settings=_plain(settings), mean=float(mean), spread=float(apart))
        for settings, mean, apart in zip(results["params"], by_fold.mean(axis=0), spread, strict=True)
    ]


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Give drawn settings by the estimator's own names, as numbers that JSON knows."""
    return {
        name.removeprefix(f"{MODEL_STEP}__"): value.item() if isinstance(value, np.generic) else value
        for name, value in settings.items()
    }


class _Judge:
    """The scorer of a search: larger is better, and it says how far the search is."""

    def __init__(self, given: Parts, candidates: int, tell: Tell) -> None:
        self._given = given
        self._candidates = candidates
        self._tell = tell
        self._values: list[float] = []

    def __call__(self, fitted: Any, features: pd.DataFrame, target: npt.NDArray[Any]) -> float:
        rows = said(fitted, features, target, task=self._given.task, classes=self._given.classes)
        figure = primary(rows, seed=0)
        metric = PRIMARY[self._given.task]
        sign = 1 if metric in HIGHER_IS_BETTER else -1
        self._values.append(sign * figure.value if isinstance(figure, Measured) else float("-inf"))
        folds = len(self._given.pairs)
        done, fold = divmod(len(self._values), folds)
        means = [float(np.mean(self._values[i * folds : (i + 1) * folds])) for i in range(done)]
        best = f"; best so far {SPOKEN[metric]} {sign * max(means):.4g}" if means else ""
        share = (folds + len(self._values)) / (folds * (self._candidates + 1))
        at = min(done + 1, self._candidates)
        self._tell(share, f"Candidate {at} of {self._candidates}, fold {fold + 1} of {folds}{best}")
        return self._values[-1]
