"""What a replay answers, and how long labels take, as a person says it.

Neighbours: ``replay`` does the work. It refuses a delay that the model's event time does not know.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pipeline_core.errors import InvalidDefinition
from pipeline_core.flows.history import LeftOut
from pipeline_core.records import AlertLevel, BaselineChoice, Figure, Rule, Schema, TimeUnit

_DELAY = re.compile(r"\s*(\d{1,9})\s*(|w|weeks?|d|days?|h|hours?|rows?)\s*", re.IGNORECASE | re.ASCII)
_HOURS = {"w": 168, "d": 24, "h": 1, "": 24}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayWindow:
    """One window of the past: ``start`` inclusive, ``end`` exclusive (row windows: first and last event).

    ``rows`` are those that the watch saw, of which ``replayed_rows`` are of the file: the first window may begin in the
    hold-out. ``reasons`` are codes, ``messages`` the sentences behind them. ``realised`` is what ground truth said by the
    end. ``quarantined``: the door would have refused its batch; ``unread``: nobody could have taken it in.
    """

    start: datetime
    end: datetime
    rows: int
    alert: AlertLevel
    reasons: tuple[str, ...] = ()
    weighted_drift: float | None = None
    drifted_features: tuple[str, ...] = ()
    top_feature: str | None = None
    calibrated: bool = False
    realised: Mapping[str, Figure] = field(default_factory=dict)
    messages: tuple[str, ...] = ()
    replayed_rows: int = 0
    labelled_rows: int = 0
    weighted_limit: float | None = None
    prediction_effect: float | None = None
    prediction_drifted: bool = False
    performance_dropped: bool = False
    quarantined: bool = False
    unread: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayReport:
    """What the watch would have said of a file; ``rows`` are all of it, ``replayed_rows`` those that were sent through."""

    model: str
    version: int
    window: str
    source: str
    rows: int
    replayed_rows: int
    left_out: LeftOut
    batches: int
    quarantined: int
    label_delay: str
    until: datetime | None
    reference: float | None
    windows: tuple[ReplayWindow, ...]
    baseline: BaselineChoice | None = None
    rule: Rule | None = None


def parse_delay(text: str | None, schema: Schema) -> timedelta | int | None:
    """Read how long after its event a label is known.

    Parameters
    ----------
    text : str or None
        ``30d``, ``12h``, ``2w``, or ``500rows``; a number alone is days.
    schema : Schema
        Says what the model's event time counts.

    Returns
    -------
    timedelta, int or None
        A number of rows where the model counts rows or has no event time.

    Raises
    ------
    InvalidDefinition
        It is none of these, or does not fit the model.
    """
    if text is None:
        return None
    found = _DELAY.fullmatch(text)
    if found is None:
        raise InvalidDefinition(
            f"Label delay {text[:80]!r} is not understood; a time such as 30d, 2w or 12h, or rows such as 500rows, is allowed."
        )
    number, unit = int(found[1]), found[2][:1].lower()
    in_rows = schema.time_unit in {TimeUnit.ROW, TimeUnit.NONE}
    if (unit == "r") != in_rows and (unit or not in_rows) and number:
        allowed = "rows such as 500rows" if in_rows else "a time such as 30d or 12h"
        raise InvalidDefinition(
            f"Label delay {text!r} does not fit model {schema.model!r}, whose event time is {counted_in(schema)}; {allowed} is"
            " allowed. Write it that way."
        )
    if in_rows:
        return number
    try:
        return timedelta(hours=number * _HOURS[unit if unit in _HOURS else ""])
    except OverflowError:
        raise InvalidDefinition(f"Label delay {text!r} is longer than any history. Ask for a shorter one.") from None


def counted_in(schema: Schema) -> str:
    """Say how the event time of a model is counted."""
    return {TimeUnit.ROW: "a row number", TimeUnit.NONE: "not known"}.get(schema.time_unit, "a time")
