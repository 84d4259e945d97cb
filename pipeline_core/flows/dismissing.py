"""What shall not go out (again): reject a challenger, retire a version that is or was champion.

Each verb loads, asks the pure rules, and saves in one transaction. Neighbours: ``release`` promotes and rolls back,
``stages.registry`` holds the rules. It refuses to leave a model without a champion unless that is said in so many words.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Required, TypedDict, Unpack

from pipeline_core.errors import Refused
from pipeline_core.flows.release import close_alerts, seat_of
from pipeline_core.records import Dismissal, Stage
from pipeline_core.stages import registry
from pipeline_core.store.home import Store


class Signed(TypedDict, total=False):
    """Who takes a version out and why; ``expected_epoch``: how often the champion had moved when the person decided."""

    by: Required[str]
    reason: Required[str]
    expected_epoch: int | None


def reject(store: Store, model: str, *, version: int, **signed: Unpack[Signed]) -> Dismissal:
    """Turn a challenger down for good.

    Parameters
    ----------
    store : Store
        The home.
    model : str
        The model's name.
    version : int
        The challenger.
    **signed
        ``by`` and ``reason``, kept for ever; ``expected_epoch``: how often the champion had moved when the person decided.

    Returns
    -------
    Dismissal

    Raises
    ------
    Refused
        It is or was champion, or was rejected before.
    Stale
        Somebody else moved the champion meanwhile.
    NotFound
        No such model or version.
    InvalidDefinition
        Nobody signed, or no reason is given.
    """
    who = registry.Signature(by=signed["by"], reason=signed["reason"], at=store.now())
    with store.transaction():
        found = store.models.version(model, version)
        seat = seat_of(store, model, signed.get("expected_epoch"))
        gone = registry.reject(found, store.models.verdict(model, version), seat=seat, signed=who)
        store.models.dismiss(gone)
    return gone


def retire(store: Store, model: str, *, version: int, leave_empty: bool = False, **signed: Unpack[Signed]) -> Dismissal:
    """Take a version that is or was champion out for good: nobody can promote it again or roll back to it.

    Parameters
    ----------
    store : Store
        The home.
    model : str
        The model's name.
    version : int
        The version.
    leave_empty : bool
        Also where it is the champion, so that the model has none.
    **signed
        As for ``reject``.

    Returns
    -------
    Dismissal

    Raises
    ------
    Refused
        It never was champion, or was retired before; or it is the champion, and ``leave_empty`` was not said.
    Stale
        Somebody else moved the champion meanwhile.
    NotFound
        No such model or version.
    InvalidDefinition
        Nobody signed, or no reason is given.
    """
    who = registry.Signature(by=signed["by"], reason=signed["reason"], at=store.now())
    with store.transaction():
        found = store.models.version(model, version)
        seat = seat_of(store, model, signed.get("expected_epoch"))
        gone = registry.retire(found, store.models.verdict(model, version), seat=seat, signed=who)
        if found.stage is Stage.CHAMPION:
            if not leave_empty:
                raise Refused(
                    f"Version {version} is the champion of model {model!r}: without it nothing scores and nothing is watched until"
                    " another version is promoted. Roll back or promote another one instead, or say --leave-empty."
                )
            move = registry.vacate(seat=seat, signed=who)
            store.models.apply(move)
            close_alerts(store, move)
            gone = replace(gone, epoch=move.epoch)
        store.models.dismiss(gone)
    return gone
