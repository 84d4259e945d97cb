"""Where does a version come from? Batches, dataset, run, version, verdict, promotion, in one answer.

Neighbours: ``tracing`` asks whether all of it still agrees, ``card`` tells it to people, ``release`` makes it. It only reads.
"""

from __future__ import annotations

from pipeline_core.errors import NotFound
from pipeline_core.records import BatchReport, DatasetVersion, Lineage, ModelVersion, Promotion, Verdict
from pipeline_core.store.home import Store


def lineage(store: Store, model: str, *, version: int | None = None) -> Lineage:
    """Say what data produced a version, how good it was, how it was judged and who promoted it.

    Parameters
    ----------
    store : Store
        The home.
    model : str
        The model's name.
    version : int, optional
        Which version; the champion, unless said.

    Returns
    -------
    Lineage

    Raises
    ------
    NotFound
        No such model or version, or none was named and the model has no champion.
    """
    chosen = asked(store, model, version)
    move = _move(store, chosen)
    verdict = _verdict(store, chosen, move)
    passed = _override(store, move) if move else None
    return Lineage(
        model=model,
        version=chosen.version,
        stage=chosen.stage,
        dataset=chosen.dataset,
        metrics=chosen.metrics,
        run=chosen.run,
        promoted_by=move.by if move else "",
        promoted_at=move.at if move else None,
        reason=move.reason if move else "",
        verdict_id=move.verdict_id if move else None,
        artifact_sha256=chosen.artifact_sha256,
        batches=_batches(store, chosen),
        source=source(store, chosen),
        verdict=verdict,
        promotion=move,
        override_by=passed.override_by if passed else "",
        override_reason=passed.override_reason if passed else "",
    )


def asked(store: Store, model: str, version: int | None) -> ModelVersion:
    """Give the version of that number, or the champion.

    Parameters
    ----------
    store : Store
        The home.
    model : str
        The model's name.
    version : int or None
        None: the champion.

    Returns
    -------
    ModelVersion

    Raises
    ------
    NotFound
        No such model or version, or there is no champion.
    """
    store.models.schema(model)
    if version is not None:
        return store.models.version(model, version)
    champion = store.models.champion(model)
    if champion is None:
        raise NotFound(
            f"Model {model!r} has no champion yet. Train a version and promote it, or name one with --version."
        )
    return champion


def source(store: Store, version: ModelVersion) -> DatasetVersion | None:
    """Give the dataset that a version was made from; None: it was made before datasets were kept.

    Parameters
    ----------
    store : Store
        The home.
    version : ModelVersion
        Of a model.

    Returns
    -------
    DatasetVersion or None
    """
    if not version.dataset.dataset_id:
        return None
    return store.datasets.get(version.model, version.dataset.dataset_id)


def _override(store: Store, move: Promotion) -> Promotion | None:
    """Give the promotion that somebody let pass; a champion that came back by a rollback was let pass when it was promoted."""
    moves = store.models.promotions(move.model)
    return next(
        (m for m in moves if m.override_by and (m.version, m.verdict_id) == (move.version, move.verdict_id)), None
    )


def _move(store: Store, version: ModelVersion) -> Promotion | None:
    moves = store.models.promotions(version.model)
    return next((move for move in moves if move.version == version.version), None)


def _verdict(store: Store, version: ModelVersion, move: Promotion | None) -> Verdict | None:
    """Give the verdict that promoted it; where none did, the newest one on it."""
    kept = [v for v in store.models.verdicts(version.model) if v.version == version.version]
    passed = (v for v in kept if move is not None and v.verdict_id == move.verdict_id)
    return next(passed, kept[0] if kept else None)


def _batches(store: Store, version: ModelVersion) -> tuple[BatchReport, ...]:
    return tuple(store.batches.get(version.model, batch_id) for batch_id in version.dataset.batches)
