"""Whether a column only repeats what the event time says: an hour, a weekday, a month, a season, a year.

Such a column differs between any two windows, and nothing follows from it. Neighbours: ``learning`` marks the column,
``drift`` keeps it from alerting. Refused: guessing by the column's name, and taking a figure that is constant within a
month (an interest rate) for the month: beyond hour and weekday, the values themselves must count or name the calendar.
"""

from __future__ import annotations

import calendar
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

DAYS_MIN: Mapping[str, int] = {"hour": 7, "weekday": 28, "day": 28, "month": 45, "quarter": 135, "year": 300}
"""Different days that must have been seen before a part of the calendar is believed."""
_ROWS_MIN, _LEVELS_MAX = 100, 400
_PARTS: Mapping[str, Callable[[pa.Array], pa.Array]] = {
    "hour": pc.hour,
    "weekday": pc.day_of_week,
    "day": pc.day,
    "month": pc.month,
    "quarter": pc.quarter,
    "year": pc.year,
}
_FREE = frozenset({"hour", "weekday"})
"""Parts of which any function counts: they come round so often that nothing else is constant within them."""
_SPRING = 3
_TURNS = range(19, 25)

_NAMES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "month": (tuple(calendar.month_name)[1:], tuple(calendar.month_abbr)[1:]),
    "weekday": (tuple(calendar.day_name), tuple(calendar.day_abbr)),
    "quarter": (("q1", "q2", "q3", "q4"),),
}
_SEASONS: Mapping[str, int] = {"winter": 0, "spring": 1, "summer": 2, "autumn": 3, "fall": 3}

Ints = npt.NDArray[np.int64]


class Calendar:
    """The parts of the event times, taken once for all columns.

    Parameters
    ----------
    events : pa.ChunkedArray of timestamp, (rows,)
        Event times, UTC.
    zone : str
        The IANA zone whose calendar is meant.
    """

    def __init__(self, events: pa.ChunkedArray, *, zone: str = "UTC") -> None:
        self._known = events.is_valid().to_numpy()
        local = _local(events.drop_null(), zone)
        days = pc.floor_temporal(local, unit="day").cast(pa.timestamp("us")).cast(pa.int64()).to_numpy()
        self._days = np.unique(days, return_inverse=True)
        self._parts = {
            name: part(local).to_numpy(zero_copy_only=False).astype(np.int64)
            for name, part in _PARTS.items()
            if len(self._days[0]) >= DAYS_MIN[name]
        }

    def repeated_by(self, values: pa.ChunkedArray) -> bool:
        """Say whether a column is a plain function of the event time.

        Parameters
        ----------
        values : pa.ChunkedArray, (rows,)
            Numbers or text.

        Returns
        -------
        bool
            False where there is too little to tell.
        """
        encoded = values.combine_chunks().dictionary_encode()
        count = len(encoded.dictionary)
        # no part of the calendar has more than 366 values
        if not 2 <= count <= _LEVELS_MAX:
            return False
        known = encoded.is_valid().to_numpy(zero_copy_only=False)
        place = np.asarray(pc.fill_null(encoded.indices, 0)).astype(np.int64)[self._known]
        known = known[self._known]
        if known.sum() < _ROWS_MIN:
            return False
        levels, place = encoded.dictionary.to_numpy(zero_copy_only=False), place[known]
        for name, part in self._parts.items():
            own = part[known]
            if _function(own, place, count) and (name in _FREE or _counts(name, own, levels, place)):
                return True
        seen = count == 4 and len(self._days[0]) >= DAYS_MIN["quarter"]
        return seen and _seasons(self._days[0], self._days[1][known], levels, place)


def _local(events: pa.ChunkedArray, zone: str) -> pa.Array:
    naive = events.combine_chunks().cast(pa.timestamp("us"))
    if zone == "UTC":
        return naive
    return pc.local_timestamp(naive.cast(pa.timestamp("us", tz="UTC")).cast(pa.timestamp("us", tz=zone)))


def _function(part: Ints, place: Ints, count: int) -> bool:
    """Say whether each value of the part has one value of the column, and there is more than one of each."""
    own = part - part.min()
    pairs = np.bincount(own * count + place, minlength=0) > 0
    parts = np.bincount(own) > 0
    return bool(pairs.sum() == parts.sum() > 1)


def _counts(name: str, part: Ints, levels: npt.NDArray[np.object_], place: Ints) -> bool:
    """Say whether the values count the part (month 1 to 12, or 0 to 11) or name it."""
    numbers = _numbers(levels)
    if numbers is None:
        texts = [str(level).strip().casefold() for level in levels]
        first = 0 if name == "weekday" else 1
        for names in _NAMES.get(name, ()):
            order = {text.casefold(): number for number, text in enumerate(names, first)}
            if all(text in order for text in texts):
                return bool(np.array_equal(np.array([order[text] for text in texts])[place], part))
        return False
    return bool(np.unique(numbers[place] - part).size == 1)


def _numbers(levels: npt.NDArray[np.object_]) -> Ints | None:
    try:
        numbers = levels.astype(np.float64)
    except ValueError:
        return None
    return numbers.astype(np.int64) if np.all(np.isfinite(numbers) & (numbers == np.floor(numbers))) else None


def _seasons(days: Ints, of_row: Ints, levels: npt.NDArray[np.object_], place: Ints) -> bool:
    """Say whether four values follow each other at the turns of the seasons, or on the first of their months."""
    numbers = _numbers(levels)
    if numbers is None:
        texts = [str(level).strip().casefold() for level in levels]
        if not all(text in _SEASONS for text in texts):
            return False
        numbers = np.array([_SEASONS[text] for text in texts])
    if numbers.max() - numbers.min() != len(levels) - 1 or not _function(of_row, place, len(levels)):
        return False
    seen, first = np.unique(of_row, return_index=True)
    said = numbers[place][first]
    turned = days[seen][1:][np.diff(said) != 0].astype("datetime64[us]").astype("datetime64[D]")
    if len(turned) < _SPRING:
        return False
    month = turned.astype("datetime64[M]").astype(np.int64) % 12 + 1
    day = (turned - turned.astype("datetime64[M]")).astype(np.int64) + 1
    return bool(np.all((month % _SPRING == 0) & (np.isin(day, _TURNS) | (day == 1))))
