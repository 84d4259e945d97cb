"""The verbs of a release: train, challenge, shadow, promote, rollback, reject, retire, and where a version comes from.

Neighbours: ``verbs`` puts them into the one table, ``flows.release`` does them. It turns text into arguments, nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from pipeline_core.errors import InvalidDefinition
from pipeline_core.flows import card, datasets, dismissing, release, shadow, tracing
from pipeline_core.flows.lineage import lineage
from pipeline_core.records import Decision, LineageCheck, dump
from pipeline_core.service.asking import Call, Option, Verb
from pipeline_core.stages import training
from pipeline_core.stages.registry import Override
from pipeline_core.store.home import Store


def _train(store: Store, call: Call) -> object:
    given = {name: call.arguments[option] for option, name in _RECIPE.items() if call.arguments.get(option)}
    options = cast("release.RecipeOptions", given)
    until, dataset = call.arguments.get("until"), call.arguments.get("dataset")
    return release.train(store, call.model, until=until, dataset=dataset, progress=call.progress, **options)


def _challenge(store: Store, call: Call) -> object:
    return release.challenge(store, call.model, version=call.arguments.get("version"))


def _promote(store: Store, call: Call) -> object:
    given = dict(call.arguments)
    by, reason = given.pop("override-by", None), given.pop("override-reason", None)
    # one of the two alone is said to lack the other, not dropped
    second = None if by is None and reason is None else Override(by=by or "", reason=reason or "")
    return release.promote(store, call.model, override=second, **given)


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


def _reject(store: Store, call: Call) -> object:
    return dismissing.reject(store, call.model, **call.arguments)


def _retire(store: Store, call: Call) -> object:
    said = {name: value for name, value in call.arguments.items() if name != "leave-empty"}
    return dismissing.retire(store, call.model, leave_empty=bool(call.arguments.get("leave-empty")), **said)


def _lineage(store: Store, call: Call) -> object:
    version = call.arguments.get("version")
    if call.arguments.get("verify"):
        return tracing.verify(store, call.model, version=version, progress=call.progress)
    return lineage(store, call.model, version=version)


def _dataset(store: Store, call: Call) -> object:
    given = call.arguments
    return datasets.make(
        store, call.model, since=given.get("since"), until=given.get("until"), batches=given.get("batches") or ()
    )


def _datasets(store: Store, call: Call) -> object:
    store.models.schema(call.model)
    versions = store.models.versions(call.model)
    return {
        "model": call.model,
        "datasets": [
            {**dump(kept), "versions": [v.version for v in versions if v.dataset.dataset_id == kept.dataset_id]}
            for kept in store.datasets.list(call.model)
        ],
    }


def _card(store: Store, call: Call) -> object:
    return card.card(store, call.model, version=call.arguments.get("version"))


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
_VERSION = Option(kind="whole", help="the version", required=True)
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
            "dataset": Option(help="use the rows of this dataset, like d-2 (dataset MODEL makes one)"),
        },
    ),
    "dataset": Verb(
        summary="keep a choice of accepted, labelled rows under a name, to train on",
        run=_dataset,
        options={
            "since": Option(help="only rows from this event time on"),
            "until": Option(help="only rows before this event time"),
            "batches": Option(kind="names", help="only these batches, b-0001,b-0002"),
        },
    ),
    "datasets": Verb(summary="list the datasets and the versions made from each", run=_datasets),
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
        options={
            "version": Option(kind="whole", help="the version", required=True),
            "by": _BY,
            "reason": _REASON,
            "override-by": Option(help="a second person, who lets it pass although the bias audit blocks it"),
            "override-reason": Option(help="why that is right, in a sentence"),
        },
    ),
    "rollback": Verb(
        summary="make the champion before this one champion again",
        run=_rollback,
        options={"by": _BY, "reason": _REASON},
    ),
    "lineage": Verb(
        summary="say what data produced a version and how good it was; --verify asks all of it again",
        run=_lineage,
        no=lambda record: isinstance(record, LineageCheck) and not record.agrees,
        options={
            "version": Option(kind="whole", help="the version (the champion)"),
            "verify": Option(kind="flag", help="hash data and model file again and compute the metrics again"),
        },
    ),
    "card": Verb(
        summary="tell everything about a version on one page",
        run=_card,
        options={"version": Option(kind="whole", help="the version (the champion)")},
    ),
    "reject": Verb(
        summary="turn a challenger down for good, with a reason that stays with it",
        run=_reject,
        options={"version": _VERSION, "by": _BY, "reason": _REASON},
    ),
    "retire": Verb(
        summary="take a version that is or was champion out for good: nobody can roll back to it",
        run=_retire,
        options={
            "version": _VERSION,
            "by": _BY,
            "reason": _REASON,
            "leave-empty": Option(kind="flag", help="also where it is the champion: the model has none then"),
        },
    ),
}
