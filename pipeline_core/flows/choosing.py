"""What a person says that a model's windows are compared with: ``baseline``.

Neighbours: ``baselines`` turns the choice into counts at the next check. It refuses a choice without a name and a reason.
"""

from __future__ import annotations

from datetime import datetime
from typing import Required, TypedDict, Unpack

from pipeline_core.errors import InvalidDefinition
from pipeline_core.flows.times import parse_time
from pipeline_core.records import BaselineChoice, BaselineKind, Season
from pipeline_core.store.home import Store


class Chosen(TypedDict, total=False):
    """What a person says about a baseline beside its kind."""

    by: Required[str]
    reason: Required[str]
    season: str | None
    start: str | datetime | None
    end: str | datetime | None


def choose(store: Store, model: str, *, kind: str, **said: Unpack[Chosen]) -> BaselineChoice:
    """Say what the windows of a model are compared with from the next check on.

    Parameters
    ----------
    store : Store
        The home.
    model : str
        The model's name.
    kind : str
        ``training`` (all of the champion's dataset), ``season`` (its same season), ``period`` (a stretch of accepted rows) or
        ``previous`` (the window before).
    **said
        ``by`` and ``reason`` (both stay with the choice); ``season`` (``year``, ``weekday`` or ``hour``) for kind ``season``;
        ``start`` and ``end`` (exclusive) for kind ``period``.

    Returns
    -------
    BaselineChoice
        Kept with the next number.

    Raises
    ------
    NotFound
        No such model.
    InvalidDefinition
        What belongs to the kind is missing or wrong, or nobody and no reason was named.
    """
    schema = store.models.schema(model)
    by, reason, season = said["by"].strip(), said["reason"].strip(), said.get("season")
    start, end = said.get("start"), said.get("end")
    if not by or not reason:
        raise InvalidDefinition("A baseline is chosen by a person for a reason, which stay with it. Say both.")
    wanted = BaselineKind(kind)
    if (wanted is BaselineKind.SEASON) != (season is not None):
        raise InvalidDefinition(
            f"A season belongs to the kind 'season' and to no other; this is {kind!r} with season {season!r}."
            f" One of {', '.join(Season)} is allowed."
        )
    span = parse_time(start, schema), parse_time(end, schema)
    if wanted is BaselineKind.PERIOD:
        if span[0] is None or span[1] is None or span[0] >= span[1]:
            raise InvalidDefinition(
                f"A period needs a start and a later end; this one goes from {start!r} to {end!r}. Name both."
            )
    elif span != (None, None):
        raise InvalidDefinition(f"Start and end belong to the kind 'period'; this is {kind!r}. Leave them out.")
    return store.choices.add(
        BaselineChoice(
            model=model,
            number=0,
            kind=wanted,
            season=None if season is None else Season(season),
            start=span[0],
            end=span[1],
            decided_by=by,
            decided_at=store.now(),
            reason=reason,
        )
    )
