"""Local days of a time zone in SQL, by constants: no engine's own calendar decides where a day begins.

Answers "on which day of this zone did a row happen?" in two steps: times become what clocks on the wall showed, so that
days are cut as they are in UTC; and afterwards each day gets the moment at which it began. Neighbours: ``duck`` and ``spark``
count in between. It refuses to run anything.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from pipeline_core.clock import KNOWN_FROM, KNOWN_TO, ahead, moment_in
from pipeline_core.sql import moment

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


def offsets(zone: ZoneInfo, first: datetime, last: datetime) -> list[tuple[datetime, timedelta]]:
    """Say how far clocks were ahead of UTC, and since when.

    Parameters
    ----------
    zone : ZoneInfo
        Whose clocks.
    first, last : datetime
        Aware; between these.

    Returns
    -------
    list of (datetime, timedelta)
        From ``first`` on, in time order; clocks change at the second.
    """
    found = [(first, ahead(zone, first))]
    at = max(first, min(last, KNOWN_FROM))
    if ahead(zone, at) != found[-1][1]:
        found.append((at, ahead(zone, at)))
    while at < min(last, KNOWN_TO):
        after = min(at + DAY, last, KNOWN_TO)
        if ahead(zone, after) != found[-1][1]:
            found.append(_change(zone, at, after))
        at = after
    return found


def on_the_wall(zone: ZoneInfo, first: datetime, last: datetime) -> str:
    """Write ``event_at`` as clocks in a zone showed it.

    Parameters
    ----------
    zone : ZoneInfo
        Whose clocks.
    first, last : datetime
        The first and the last event.

    Returns
    -------
    str
        An expression of type TIMESTAMP.
    """
    known = offsets(zone, first, last)
    shifted = [f"event_at + INTERVAL '{int(offset.total_seconds())} seconds'" for _, offset in known]
    # changes follow each other: the first that is still to come decides
    cases = "".join(f" WHEN event_at < {moment(s)} THEN {a}" for (s, _), a in zip(known[1:], shifted, strict=False))
    return f"CASE{cases} ELSE {shifted[-1]} END" if cases else shifted[-1]


def in_utc(counts: pa.Table, zone: ZoneInfo) -> pa.Table:
    """Give each day the moment at which it began.

    Parameters
    ----------
    counts : pa.Table
        With a column ``bucket``: dates of the zone, as midnights; null stays null.
    zone : ZoneInfo
        Whose dates.

    Returns
    -------
    pa.Table
        The same with moments in UTC.
    """
    encoded = counts.column("bucket").combine_chunks().dictionary_encode()
    days = [d.date().toordinal() for d in encoded.dictionary.to_pylist()]
    begins = pa.array([moment_in(zone, d).replace(tzinfo=None) for d in days], pa.timestamp("us"))
    at = counts.column_names.index("bucket")
    return counts.set_column(at, counts.schema.field("bucket"), begins.take(encoded.indices))


def _change(zone: ZoneInfo, before: datetime, after: datetime) -> tuple[datetime, timedelta]:
    """Find the second within a day at which clocks were changed."""
    old = ahead(zone, before)
    low, high = 0, int(np.ceil((after - before) / SECOND))
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if ahead(zone, before + middle * SECOND) == old else (low, middle)
    changed = (before + high * SECOND).replace(microsecond=0)
    return changed, ahead(zone, after)
