"""The verbs of a release: train, challenge, shadow, promote, rollback, lineage.

Neighbours: ``verbs`` puts them into the one table, ``flows.release`` does them. It turns text into arguments, nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from pipeline_core.errors import InvalidDefinition
from pipeline_core.flows import release, shadow
from pipeline_core.records import Decision
from pipeline_core.service.asking import Call, Option, Verb
from pipeline_core.stages import training
from pipeline_core.store.home import Store


def _train(store: Store, call: Call) -> object:
    given = {name: call.arguments[option] for option, name in _RECIPE.items() if call.arguments.get(option)}
    options = cast("release.RecipeOptions", given)
    return release.train(store, call.model, until=call.arguments.get("until"), progress=call.progress, **options)


def _challenge(store: Store, call: Call) -> object:
    return release.challenge(store, call.model, version=call.arguments.get("version"))


def _promote(store: Store, call: Call) -> object:
    return release.promote(store, call.model, **call.arguments)


def _rollback(store: Store, call: Call) -> object:
    return release.rollback(store, call.model, **call.arguments)


def _shadow(store: Store, call: Call) -> object:
    said = call.arguments
    version, by, reason = said.get("version"), said.get("by") or "", said.get("reason") or ""
    if said.get("stop"):
        if version is not None:
            raise InvalidDefinition(
                "Either --version N to start a shadow or --stop to end it; both were given. Choose one."
            )
        return shadow.stop(store, call.model, by=by, reason=reason)
    if version is not None:
        return shadow.start(store, call.model, version=version, by=by, reason=reason)
    if by or reason:
        raise InvalidDefinition(
            "A name or a reason was given, but not what to do: say --version N to start, or --stop."
        )
    return shadow.compare(store, call.model)


def _lineage(store: Store, call: Call) -> object:
    return release.lineage(store, call.model)


_RECIPE: Mapping[str, str] = {
    "estimator": "estimator",
    "set": "settings",
    "class-weight": "class_weight",
    "folds": "folds",
    "search": "candidates",
    "calibrate": "calibration",
    "treat": "treatments",
}
"""Option of ``train`` -> field of ``Recipe``."""

_BY = Option(help="who decides", required=True)
_REASON = Option(help="why, in a sentence", required=True)
RELEASE: Mapping[str, Verb] = {
    "train": Verb(
        summary="train a version on the accepted, labelled rows",
        run=_train,
        long=True,
        options={
            "estimator": Option(
                help=f"the kind of model: {', '.join(release.ESTIMATORS)}, or one that the policy names"
            ),
            "set": Option(kind="pairs", help="a setting of the estimator, max_iter=300; may stand several times"),
            "class-weight": Option(help="how rare classes count", choices=training.CLASS_WEIGHTS),
            "folds": Option(kind="whole", help="parts of the fitted rows to cross-validate on, by time (2 to 20)"),
            "search": Option(kind="whole", help="settings to try on the folds before the fit (up to 200)"),
            "calibrate": Option(help="map the probabilities where that helps", choices=training.CALIBRATIONS),
            "treat": Option(kind="pairs", help="what is done to a column of numbers, COLUMN=category or COLUMN=log"),
            "until": Option(help="use rows before this event time only"),
        },
    ),
    "challenge": Verb(
        summary="compare a version with the champion on the same recent rows",
        run=_challenge,
        no=lambda record: record.verdict is not Decision.PROMOTE,
        long=True,
        options={"version": Option(kind="whole", help="the version (the newest one that is not champion)")},
    ),
    "shadow": Verb(
        summary="let a challenger score beside the champion, unseen by callers; without an option: how the two compare",
        run=_shadow,
        long=True,
        options={
            "version": Option(kind="whole", help="start: this challenger scores what the champion scores"),
            "stop": Option(kind="flag", help="end it; what was scored stays"),
            "by": Option(help="who starts or stops it"),
            "reason": Option(help="why, in a sentence"),
        },
    ),
    "promote": Verb(
        summary="make a version champion; refused without a passing verdict",
        run=_promote,
        options={"version": Option(kind="whole", help="the version", required=True), "by": _BY, "reason": _REASON},
    ),
    "rollback": Verb(
        summary="make the champion before this one champion again",
        run=_rollback,
        options={"by": _BY, "reason": _REASON},
    ),
    "lineage": Verb(summary="say what data produced the champion and how good it was", run=_lineage),
}
