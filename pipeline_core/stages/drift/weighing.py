"""What stands out in one window by every feature: from chance, and from the healthy past.

Neighbours: ``comparing`` measured each column in every window, ``judging`` puts the answer into words and levels. Refused:
words.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil

import numpy as np
import numpy.typing as npt

from pipeline_core.policy import Policy
from pipeline_core.stages.drift import saying
from pipeline_core.stages.drift.comparing import CHI2, Compared
from pipeline_core.stats.calibration import calibrated
from pipeline_core.stats.multiplicity import benjamini_hochberg

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_EXACT = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seen:
    """One window by feature: what moved for sure, before how long it has lasted is known.

    ``moved``, ``nulls`` and ``fresh`` (new levels) are by feature, ``weighted`` is of the window as a whole. ``p_each`` and ``limits``
    (what 95 % of the healthy windows stayed below) are of the columns of ``Weighed.stand``; ``pool`` counts those windows.
    """

    moved: Flags
    nulls: Flags
    fresh: Flags
    weighted: bool
    small: bool
    adjusted: Floats
    null_adjusted: Floats
    p_each: Floats | None = None
    p_window: float | None = None
    limits: Floats | None = None
    pool: int = 0
    calibrated: bool = False
    hard: tuple[tuple[str, ...], ...] = ()

    @property
    def drifted(self) -> Flags:
        """Which features drifted, by whatever evidence."""
        found = np.array([bool(said) for said in self.hard]) if self.hard else False
        return np.asarray(self.moved | self.nulls | self.fresh | found)


@dataclass(slots=True)
class Past:
    """What the windows before said, as far back as persistence looks.

    Rolling windows share rows, and one bad day is in all of them: only windows that do not overlap are witnesses of each
    other.
    """

    length: int
    laid: Laid
    seen: dict[int, Seen] = field(default_factory=dict)

    def add(self, place: int, seen: Seen) -> tuple[npt.NDArray[np.int64], int]:
        """Give in how many of the last windows, this one included, each feature drifted, and the window as a whole."""
        self.seen[place] = seen
        last = [seen]
        while len(last) < self.length and (place := self.laid.before(place)) in self.seen:
            last.append(self.seen[place])
        return np.sum([one.drifted for one in last], axis=0), sum(one.weighted for one in last)


class Pool:
    """The healthy windows so far: the reference ones, and while they are too few, live ones that proved to be healthy.

    A live window is taken once the windows after it are known. One that merely stood out is healthy too, or the tail of
    chance would be cut off; one that began or belonged to a change that lasted is not, or the change would hide itself.
    """

    def __init__(self, calm: Sequence[int], laid: Laid, *, policy: Policy) -> None:
        self.places, self._laid, self._needed = list(calm), laid, policy.healthy_windows_needed
        self._length, self._least = policy.alert_windows_of, policy.alert_windows_min
        self._recent: deque[tuple[int, Seen]] = deque()
        self._last = -1
        self._ill: set[int] = set()

    @property
    def enough(self) -> bool:
        """Whether a window can be ranked among them at the policy's alpha."""
        return len(self.places) >= self._needed

    def beside(self, place: int) -> list[int]:
        """Give the healthy windows that share no row with a window: the hold-out is in the past and is watched as well."""
        return [one for one in self.places if not self._laid.shared(place, one)]

    def add(self, place: int, seen: Seen) -> None:
        """Take note of a live window, in time order."""
        known = any(self._laid.shared(place, one) for one in range(self._laid.healthy))
        rolled = self._last > self._laid.before(place)
        if self.enough or seen.small or known or (rolled and self._last >= 0):
            return
        self._last = place
        self._recent.append((place, seen))
        drifted = np.array([one.drifted for _, one in self._recent])
        lasting = drifted.sum(axis=0) >= self._least
        weighted = sum(one.weighted for _, one in self._recent) >= self._least
        self._ill |= {
            number
            for (number, one), flags in zip(self._recent, drifted, strict=True)
            if bool((flags & lasting).any()) or (weighted and one.weighted) or bool(one.nulls.any()) or any(one.hard)
        }
        if len(self._recent) == self._length:
            oldest, _ = self._recent.popleft()
            if oldest not in self._ill:
                self.places.append(oldest)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Laid:
    """The windows of a check in time order, the healthy past first.

    ``rows`` (windows,) are the rows of each, ``healthy`` how many of them are the past, ``comparable`` (windows,) which are of
    a size and season that may be compared with others. ``overlaps`` (windows, windows) says which share a stretch of time
    (None: none do).
    """

    rows: npt.NDArray[np.int64]
    healthy: int
    comparable: Flags
    overlaps: Flags | None = None

    def shared(self, one: int, other: int) -> bool:
        """Say whether two windows share rows."""
        return one != other and self.overlaps is not None and bool(self.overlaps[one, other])

    def before(self, place: int) -> int:
        """Give the last window before this one that shares no row with it, of the same side; -1 where there is none."""
        first = self.healthy if place >= self.healthy else 0
        return next((one for one in range(place - 1, first - 1, -1) if not self.shared(place, one)), -1)


class Weighed:
    """All windows of one check, features side by side; see ``judging.judge`` for the arguments."""

    def __init__(
        self,
        columns: Sequence[Compared],
        laid: Laid,
        *,
        shares: Mapping[str, float],
        policy: Policy,
    ) -> None:
        self.columns, self.laid, self.policy = columns, laid, policy
        self.count = len(columns)
        self.weights = np.array([shares.get(c.column.name, 0.0) for c in columns])
        # the order of the schema breaks ties, so that a rank never changes without a reason
        order = np.argsort(-self.weights, kind="stable")
        self.ranks = np.empty(self.count, dtype=np.int64)
        self.ranks[order] = np.arange(1, self.count + 1)
        top = ceil(policy.importance_top_share * self.count)
        known = any(share > 0 for share in shares.values())
        self.calendar = np.array([c.column.calendar for c in columns], dtype=np.bool_)
        self.important = (self.ranks <= top) & ((self.weights > 0) | (not known)) & ~self.calendar
        self.level_columns = max(1, sum(c.test == CHI2 and c.found is not None for c in columns))
        windows = len(laid.rows)
        self.effect, self.p_value, self.nulls, self.null_p = (
            self._figures(windows, name) for name in ("effect", "p_value", "nulls", "null_p")
        )
        larger = np.nan_to_num(np.fmax(self.effect, np.abs(self.nulls)))
        self.contributions = np.where(self.calendar, 0.0, larger * self.weights)
        # the columns of the maximum statistic: effects, null shares, and the window as a whole
        stand = np.hstack([self.effect, np.abs(self.nulls), self.contributions.sum(axis=1, keepdims=True)])
        stand[:, np.hstack([self.calendar, self.calendar, False])] = np.nan
        self.stand = stand

    def fired(self, calm: Sequence[int]) -> int:
        """Count the healthy windows in which the rule would have paged."""
        past, fired = Past(self.policy.alert_windows_of, self.laid), 0
        for place in calm:
            seen = self.seen(place, [p for p in calm if p != place])
            lasted, weighted = past.add(place, seen)
            lasting = lasted >= self.policy.alert_windows_min
            loud = self.important & (seen.nulls | (seen.drifted & lasting))
            fired += bool(loud.any()) or (seen.weighted and weighted >= self.policy.alert_windows_min)
        return fired

    def seen(self, place: int, pool: Sequence[int], *, hard: tuple[tuple[str, ...], ...] = ()) -> Seen:
        """Weigh one window against chance and against the healthy windows ``pool``; ``hard`` is what the door found."""
        policy, count = self.policy, self.count
        effect, nulls = self.effect[place], np.abs(self.nulls[place])
        adjusted, null_adjusted = self._adjusted(place)
        small = self.laid.rows[place] < policy.window_rows_min
        fresh = np.array([self._fresh(column, place) for column in self.columns], dtype=np.bool_)
        blank = Seen(
            moved=np.zeros(count, dtype=np.bool_),
            nulls=np.zeros(count, dtype=np.bool_),
            fresh=fresh & (not small),
            weighted=False,
            small=bool(small),
            adjusted=adjusted,
            null_adjusted=null_adjusted,
            hard=hard,
        )
        compared = self.laid.comparable[place] and len(pool) >= saying.FEW_HEALTHY
        limits = p_each = p_window = None
        sure = False
        if compared:
            found = calibrated(self.stand[list(pool)], self.stand[place : place + 1])
            p_each, limits = found.p_each[0], found.limits
            p_window = float(found.p_window[0])
            sure = len(pool) >= policy.healthy_windows_needed
        # before there are enough windows, the strictest that so few can say: none of them showed as much
        level = policy.alpha if sure else 1 / (len(pool) + 1) + _EXACT
        stands = np.ones(2 * count + 1, dtype=np.bool_) if p_each is None else np.nan_to_num(p_each, nan=1.0) <= level
        with np.errstate(invalid="ignore"):
            by_chance = adjusted <= policy.alpha
            moved = (effect >= policy.drift_effect_min) & stands[:count] & (sure | by_chance)
            gone = (nulls >= policy.null_share_change_min) & (null_adjusted <= policy.null_alpha)
        weight = float(self.contributions[place].sum())
        return replace(
            blank,
            moved=np.asarray(moved & (not small)),
            nulls=np.asarray(gone & stands[count : 2 * count] & (not small)),
            weighted=bool(sure and not small and weight >= policy.weighted_drift_min and stands[-1]),
            p_each=p_each,
            p_window=p_window if sure else None,
            limits=limits,
            pool=len(pool) if self.laid.comparable[place] else 0,
            calibrated=sure,
        )

    def _adjusted(self, place: int) -> tuple[Floats, Floats]:
        """Adjust all p-values of a window together."""
        # by feature: its distribution, then its nulls
        given = np.stack([self.p_value[place], self.null_p[place]], axis=1).ravel()
        known = ~np.isnan(given)
        found = np.full(given.shape, np.nan)
        found[known] = benjamini_hochberg(given[known])
        both = found.reshape(-1, 2)
        return both[:, 0], both[:, 1]

    def _fresh(self, column: Compared, place: int) -> bool:
        moves, policy = column.found, self.policy
        if moves is None or column.test != CHI2 or np.isnan(moves.effect[place]):
            return False
        sure = moves.new_p_value[place] * self.level_columns <= policy.alpha
        return bool(sure and moves.new_excess[place] >= policy.new_level_share_min)

    def _figures(self, windows: int, name: str) -> Floats:
        """Put one figure of all columns side by side: (windows, features)."""
        found = np.full((windows, self.count), np.nan)
        for place, column in enumerate(self.columns):
            if column.found is not None:
                moved = column.found
                found[:, place] = moved.null_now - moved.null_before if name == "nulls" else getattr(moved, name)
        return found
