"""Which window lengths are offered, and how they read; pure.

Neighbours: ``evidence`` and ``replayform`` draw the choice, ``flows.windows`` knows what a length means.
"""

from __future__ import annotations

from datetime import timedelta

from pages.ui import wording
from pipeline_core.flows.windows import WINDOWS_MAX
from pipeline_core.records import Schema, TimeUnit, WatchReport

CLOCK_SIZES = ("1d", "7d", "1mo", "7d/1d", "1000rows")
DAY_SIZES = ("1d", "7d", "30d", "7d/1d", "1000rows")
ORDER_SIZES = ("1000rows", "5000rows")
HOUR = "1h"
_NOUNS = (("rows", "row"), ("mo", "month"), ("d", "day"), ("h", "hour"))
_USUAL = {TimeUnit.CLOCK: CLOCK_SIZES, TimeUnit.DAY: DAY_SIZES}


def size_words(size: str) -> str:
    """Give a window length in words: ``7d`` -> ``7 days``, ``7d/1d`` -> ``7 days, daily``."""
    length, _, step = size.partition("/")
    told = _length(length)
    return f"{told}, daily" if step == "1d" else f"{told}, every {_length(step)}" if step else told


def _length(size: str) -> str:
    for unit, noun in _NOUNS:
        if size.endswith(unit) and size.removesuffix(unit).isdigit():
            return wording.count(int(size.removesuffix(unit)), noun)
    return size


def usual(schema: Schema) -> tuple[str, ...]:
    """Give the lengths that fit how the model's event time is counted."""
    return _USUAL.get(schema.time_unit, ORDER_SIZES)


def offered(schema: Schema, latest: WatchReport | None, *, rows_min: int) -> list[str]:
    """Give the lengths to choose from: hours where there is enough in an hour, and always that of the latest check."""
    known = [*([HOUR] if _hourly(schema, latest, rows_min) else []), *usual(schema)]
    return [latest.window, *known] if latest is not None and latest.window not in known else known


def _hourly(schema: Schema, latest: WatchReport | None, rows_min: int) -> bool:
    if schema.time_unit is not TimeUnit.CLOCK or latest is None or not latest.windows:
        return False
    first, last = latest.windows[0].start, max(window.end for window in latest.windows)
    hours = (last - first) / timedelta(hours=1)
    return 0 < hours <= WINDOWS_MAX and sum(window.rows for window in latest.windows) / hours >= rows_min
