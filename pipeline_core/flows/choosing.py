"""What a person says that a model's windows are compared with: ``baseline``.

Neighbours: ``baselines`` turns the choice into counts at the next check. It refuses a choice without a name and a reason.
"""

from __future__ import annotations

from datetime import datetime
from typing import Required, TypedDict, Unpack

from pipeline_core.errors import InvalidDefinition, nearest
from pipeline_core.flows.times import parse_time
from pipeline_core.records import BaselineChoice, BaselineKind, Schema, Season, TimeUnit
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
        There is no such kind or season, the model's event time knows no seasons, what belongs to the kind is missing or
        wrong, or nobody and no reason was named.
    """
    schema = store.models.schema(model)
    by, reason, season = said["by"].strip(), said["reason"].strip(), said.get("season")
    start, end = said.get("start"), said.get("end")
    if not by or not reason:
        raise InvalidDefinition("A baseline is chosen by a person for a reason, which stay with it. Say both.")
    wanted, cycle = _kind(kind), _season(season, kind=kind, schema=schema)
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
            season=cycle,
            start=span[0],
            end=span[1],
            decided_by=by,
            decided_at=store.now(),
            reason=reason,
        )
    )


def _kind(kind: str) -> BaselineKind:
    if kind not in set(BaselineKind):
        raise InvalidDefinition(
            f"There is no baseline of kind {kind!r}; {', '.join(BaselineKind)} are allowed. {nearest(kind, BaselineKind)}"
        )
    return BaselineKind(kind)


def _season(season: str | None, *, kind: str, schema: Schema) -> Season | None:
    if (kind == BaselineKind.SEASON) != (season is not None):
        raise InvalidDefinition(
            f"A season belongs to the kind 'season' and to no other; this is {kind!r} with season {season!r}."
            f" One of {', '.join(Season)} is allowed."
        )
    if season is None:
        return None
    if season not in set(Season):
        raise InvalidDefinition(
            f"There is no season {season!r}; {', '.join(Season)} are allowed. {nearest(season, Season)}"
        )
    if schema.time_unit in {TimeUnit.ROW, TimeUnit.NONE}:
        counted = "counts rows" if schema.time_unit is TimeUnit.ROW else "is not known"
        raise InvalidDefinition(
            f"The event time of model {schema.model!r} {counted}, so its rows have no {season} to be the same; a season needs"
            " a clock or a count of days. Choose another kind of baseline."
        )
    return Season(season)
