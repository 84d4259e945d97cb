"""Two independent shares against each other: their ratio and their difference, held against a limit.

Score tests: the variance is taken where the limit would hold, which keeps its level down to a few hits, where a normal
approximation (Katz, Wald) says too much. Neighbours: ``intervals`` has the share alone, ``fairness`` asks here. Refused:
knowing which of the two is meant to be the larger.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from pipeline_core.stats.intervals import LEVEL, normal_quantile

_HALVINGS = 60
_RATIO_MAX = 1e9
_TINY = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """``hits`` of ``rows`` in a group, ``other_hits`` of ``other_rows`` outside it; both with at least one row."""

    hits: int
    rows: int
    other_hits: int
    other_rows: int

    @property
    def ratio(self) -> float:
        """The group's share over the other one; infinite where only the group has hits, NaN where nobody has."""
        if self.other_hits == 0:
            return math.inf if self.hits else math.nan
        return (self.hits / self.rows) / (self.other_hits / self.other_rows)

    @property
    def difference(self) -> float:
        """The group's share minus the other one."""
        return self.hits / self.rows - self.other_hits / self.other_rows


def ratio_z(shares: Shares, ratio: float) -> float:
    """Say how many standard errors the shares lie above a ratio (Koopman 1984).

    ``z = (p1 - t p2) / sqrt(v1 (1-v1)/n1 + t² v2 (1-v2)/n2)`` with v1 = t v2, the likeliest shares of that ratio t.

    Parameters
    ----------
    shares : Shares
        What was counted.
    ratio : float
        The ratio that is held against; above 0.

    Returns
    -------
    float
        Below 0 where the observed ratio is smaller. 0 where nobody has a hit.

    Examples
    --------
    >>> round(ratio_z(Shares(hits=36, rows=40, other_hits=16, other_rows=80), 1.0), 4)
    7.2947
    """
    n, m = shares.rows, shares.other_rows
    hits = shares.hits + shares.other_hits
    a = (n + m) * ratio
    b = -(n * ratio + shares.hits + m + shares.other_hits * ratio)
    root = math.sqrt(max(b * b - 4 * a * hits, 0.0))
    other = min((2 * hits) / (-b + root), 1.0) if hits else 0.0
    own = min(ratio * other, 1.0)
    error = math.sqrt(max(own * (1 - own) / n + ratio * ratio * other * (1 - other) / m, 0.0))
    apart = shares.hits / n - ratio * shares.other_hits / m
    return _over(apart, error)


def difference_z(shares: Shares, difference: float) -> float:
    """Say how many standard errors the shares lie above a difference (Mee 1984).

    ``z = (p1 - p2 - d) / sqrt(v1 (1-v1)/n1 + v2 (1-v2)/n2)`` with v1 = v2 + d, the likeliest shares of that difference
    d: the root of a cubic (Farrington and Manning 1990).

    Parameters
    ----------
    shares : Shares
        What was counted.
    difference : float, -1 to 1
        The difference that is held against.

    Returns
    -------
    float
        Below 0 where the observed difference is smaller.

    Examples
    --------
    >>> round(difference_z(Shares(hits=56, rows=70, other_hits=48, other_rows=80), 0.0), 4)
    2.6502
    """
    own = _constrained(shares, difference)
    other = min(max(own - difference, 0.0), 1.0)
    error = math.sqrt(own * (1 - own) / shares.rows + other * (1 - other) / shares.other_rows)
    return _over(shares.difference - difference, error)


def _constrained(shares: Shares, d: float) -> float:
    """Give the group's likeliest share if it lies above the other one by ``d`` (Farrington and Manning 1990)."""
    times = shares.other_rows / shares.rows
    own, other = shares.hits / shares.rows, shares.other_hits / shares.other_rows
    a = 1 + times
    b = -(1 + times + own + times * other + d * (times + 2))
    c = d * d + d * (2 * own + times + 1) + own + times * other
    v = b**3 / (3 * a) ** 3 - b * c / (6 * a * a) - own * d * (1 + d) / (2 * a)
    u = math.copysign(math.sqrt(max((b / (3 * a)) ** 2 - c / (3 * a), 0.0)), v)
    angle = (math.pi + math.acos(min(max(v / u**3, -1.0), 1.0))) / 3 if abs(u) > _TINY else math.pi / 2
    return min(max(2 * u * math.cos(angle) - b / (3 * a), 0.0, d), 1.0, 1.0 + d)


def _over(apart: float, error: float) -> float:
    if error > 0:
        return apart / error
    return 0.0 if abs(apart) < 1e-12 else math.copysign(math.inf, apart)


def ratio_interval(shares: Shares, *, level: float = LEVEL) -> tuple[float, float]:
    """Say within which bounds the ratio lies: all ratios that the score test does not reject (Koopman 1984).

    Parameters
    ----------
    shares : Shares
        What was counted.
    level : float, 0-1
        Confidence.

    Returns
    -------
    tuple of float
        Low, from 0; high, infinite where the other share may be 0.

    Examples
    --------
    >>> low, high = ratio_interval(Shares(hits=36, rows=40, other_hits=16, other_rows=80))
    >>> round(low, 2), round(high, 2)
    (2.94, 7.15)
    """
    z = normal_quantile(0.5 + level / 2)

    def above(log: float) -> float:
        return ratio_z(shares, math.exp(log))

    most = math.log(_RATIO_MAX)
    ratio = shares.ratio
    if math.isnan(ratio):
        return 0.0, math.inf
    middle = math.log(ratio) if 0 < ratio < math.inf else math.copysign(most, ratio - 1)
    low = 0.0 if shares.hits == 0 else math.exp(_crossing(above, -most, middle, z))
    high = math.inf if shares.other_hits == 0 else math.exp(_crossing(above, middle, most, -z))
    return low, high


def difference_interval(shares: Shares, *, level: float = LEVEL) -> tuple[float, float]:
    """Say within which bounds the difference lies: all that the score test does not reject (Mee 1984).

    Parameters
    ----------
    shares : Shares
        What was counted.
    level : float, 0-1
        Confidence.

    Returns
    -------
    tuple of float, -1 to 1

    Examples
    --------
    >>> low, high = difference_interval(Shares(hits=56, rows=70, other_hits=48, other_rows=80))
    >>> round(low, 4), round(high, 4)
    (0.0533, 0.3377)
    """
    z = normal_quantile(0.5 + level / 2)

    def above(difference: float) -> float:
        return difference_z(shares, difference)

    return _crossing(above, -1.0, shares.difference, z), _crossing(above, shares.difference, 1.0, -z)


def _crossing(above: Callable[[float], float], low: float, high: float, z: float) -> float:
    """Halve to where a falling z crosses a value; an end of the span where it never does."""
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if above(middle) > z:
            low = middle
        else:
            high = middle
    return (low + high) / 2
