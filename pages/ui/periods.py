"""How a stretch of event time reads: days where it is long, moments where it is short; pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from pages.ui import wording
from pipeline_core.records import Schema, TimeUnit

SHORT = timedelta(days=2)


def period(first: datetime | None, last: datetime | None, schema: Schema) -> str:
    """Name a stretch of event time by its first and its last moment, both in it: ``"6 Jan – 6 Apr 2025"``."""
    if first is None or last is None or schema.time_unit is TimeUnit.NONE:
        return wording.DASH
    if schema.time_unit is TimeUnit.CLOCK and last - first >= SHORT:
        begin = wording.day(first)
        if (first.year, first.month) == (last.year, last.month):
            return f"{first.day}–{wording.day(last)}"
        return f"{begin.rsplit(' ', 1)[0] if first.year == last.year else begin} – {wording.day(last)}"
    start, end = wording.moment(first, schema), wording.moment(last, schema)
    return start if start == end else f"{start} – {end}"
