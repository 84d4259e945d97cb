"""How a person says a time of a model, the moment that is meant, and back.

Neighbours: the verbs take times as text, the store keeps aware UTC. It refuses to guess a format.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from pipeline_core.errors import InvalidDefinition
from pipeline_core.records import Schema, TimeUnit

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = {TimeUnit.DAY: timedelta(days=1), TimeUnit.ROW: timedelta(seconds=1)}
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?")


def parse_time(given: datetime | date | str | float | None, schema: Schema) -> datetime | None:
    """Read a time as a person gives it for a model.

    Parameters
    ----------
    given : datetime, date, str, float or None
        An ISO date or time (UTC unless it says otherwise), or a day or row number where that is the
        model's event time.
    schema : Schema
        Says how the model's event time is counted.

    Returns
    -------
    datetime or None
        Aware UTC, as ``event_at`` is kept.

    Raises
    ------
    InvalidDefinition
        It is neither.
    """
    if given is None or (isinstance(given, str) and not given.strip()):
        return None
    try:
        return _moment(given, schema.time_unit)
    except (ValueError, OverflowError):
        numbers = f", or a {schema.time_unit.value} number" if schema.time_unit in _UNITS else ""
        raise InvalidDefinition(
            f"The time {given!r} cannot be read for model {schema.model!r}; an ISO date such as 2025-03-31 or time such"
            f" as 2025-03-31T12:00{numbers} is allowed. Write it that way."
        ) from None


def number_of(moment: datetime, unit: TimeUnit) -> float:
    """Say which day or row a moment stands for, where that is the model's event time: ``parse_time`` backwards.

    Parameters
    ----------
    moment : datetime
        Aware.
    unit : TimeUnit
        ``DAY`` or ``ROW``.

    Returns
    -------
    float
        Whole numbers as ``int``, as a person wrote them.
    """
    number = (moment - _EPOCH) / _UNITS[unit]
    return int(number) if number.is_integer() else number


def _moment(given: datetime | date | str | float, unit: TimeUnit) -> datetime:
    if isinstance(given, str):
        text = given.strip()
        counted = unit in _UNITS and _NUMBER.fullmatch(text)
        given = float(text) if counted else datetime.fromisoformat(text)
    if isinstance(given, int | float):
        if unit not in _UNITS:
            raise ValueError(given)
        return _EPOCH + float(given) * _UNITS[unit]
    if not isinstance(given, datetime):
        given = datetime(given.year, given.month, given.day, tzinfo=UTC)
    return given.replace(tzinfo=UTC) if given.tzinfo is None else given.astimezone(UTC)
