"""The tests of ``twosample`` for many windows at once: the same numbers without a Python call per window.

Neighbours: ``cubes`` counts the windows and asks here. Refused: a row's own error: what cannot be tested is NaN, so
that one window without rows costs the others nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, rel_entr
from scipy.stats import chi2, kstwo

from pipeline_core.stats.intervals import Floats
from pipeline_core.stats.twosample import EXPECTED_MIN, SMIRNOV_FROM

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

_SERIES_FROM = 140
"""From so many pairs on scipy takes the expansion of Pelz and Good (1976), and so it is written out here."""
_TAIL_FROM = 1_000
"""From so many pairs on Smirnov's tail by its expansion is within 2e-8 of the sum, which takes 0.5 to 8 ms a window."""
_CERTAIN = 0.04
"""Below this ``n D²`` a distance that small or smaller never happens (1e-12): p is 1."""
_HITS_MOST = 2_000
_TIE = 1e-9
"""Chances that differ by less are the same chance."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LevelTests:
    """One chi-squared test per window, arrays of shape (windows,); ``effect`` is the Jensen-Shannon distance (nat)."""

    statistic: Floats
    p_value: Floats
    effect: Floats
    levels: Ints


def ks_p_values(distance: Floats, base_n: Floats, current_n: Floats) -> Floats:
    """Say how often two samples of one source are at least this far apart: ``twosample.ks_p_value`` for many.

    Parameters
    ----------
    distance : ndarray, shape (windows,), 0-1
        D; NaN where it was not measured.
    base_n, current_n : ndarray, shape (windows,), rows
        Sizes without nulls.

    Returns
    -------
    ndarray, shape (windows,), 0-1
        NaN where a side has no rows.

    Examples
    --------
    >>> ks_p_values(np.array([0.4, 0.1]), np.array([5.0, 0.0]), np.array([5.0, 9.0])).round(6).tolist()
    [0.82, nan]
    """
    found = np.full(distance.shape, np.nan)
    known = (base_n > 0) & (current_n > 0) & ~np.isnan(distance)
    d, n, m = distance[known], base_n[known], current_n[known]
    pairs = np.round(n * m / (n + m))
    square = pairs * d * d
    p = np.ones(d.shape)
    tail = (pairs > _TAIL_FROM) & (square >= SMIRNOV_FROM)
    p[tail] = _smirnov_tails(d[tail], pairs[tail])
    series = (pairs > _SERIES_FROM) & (square < SMIRNOV_FROM) & (square > _CERTAIN)
    p[series] = 1 - _pelz_good(d[series], pairs[series])
    certain = (pairs < 1) | ((pairs > _SERIES_FROM) & (square <= _CERTAIN))
    summed = (pairs > _SERIES_FROM) & (pairs <= _TAIL_FROM) & (square >= SMIRNOV_FROM)
    p[summed] = _smirnov_sums(d[summed], pairs[summed])
    slow = ~(tail | series | certain | summed)
    p[slow] = kstwo.sf(d[slow], pairs[slow])
    found[known] = np.clip(p, 0.0, 1.0)
    return found


def share_p_values(base_hits: Floats, base_n: Floats, current_hits: Floats, current_n: Floats) -> Floats:
    """Test whether shares changed: the p-values of ``twosample.share_test`` for many.

    Parameters
    ----------
    base_hits, base_n : ndarray, shape (windows,), rows
        How often, out of how many, in the baseline.
    current_hits, current_n : ndarray, shape (windows,), rows
        The same in the window.

    Returns
    -------
    ndarray, shape (windows,), 0-1
        NaN where a side has no rows.

    Examples
    --------
    >>> one, hundred = np.array([1.0]), np.array([100.0])
    >>> share_p_values(one, hundred, 5 * one, hundred).round(4).tolist()
    [0.2116]
    """
    found = np.full(base_n.shape, np.nan)
    known = (base_n > 0) & (current_n > 0)
    n, m = base_n[known], current_n[known]
    a, c = base_hits[known], current_hits[known]
    rows, hits = n + m, a + c
    rare = np.minimum(hits, rows - hits)
    p = np.ones(n.shape)
    few = (np.minimum(n, m) * rare / rows < EXPECTED_MIN) & (rare > 0)
    many = ~few & (rare > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.square(a * (m - c) - c * (n - a)) * rows / (hits * (rows - hits) * n * m)
    p[many] = chi2.sf(statistic[many], 1)
    if few.any():
        small = np.minimum(n, m)[few]
        in_small = np.where(n <= m, a, c)[few]
        seen = np.where(hits[few] <= rows[few] - hits[few], in_small, small - in_small)
        p[few] = _fisher(seen, small, rare[few], rows[few])
    found[known] = p
    return found


def level_tests(base: Floats, current: Floats) -> LevelTests:
    """Test whether level counts differ: ``twosample.chi2_test`` for many windows over the same levels.

    Parameters
    ----------
    base, current : ndarray, shape (windows, levels), rows
        Nulls as a level of their own.

    Returns
    -------
    LevelTests
        ``levels``: how many after merging, at least 2. NaN (levels 0) where a side has no rows.

    Examples
    --------
    >>> level_tests(np.array([[10.0, 20.0]]), np.array([[20.0, 10.0]])).statistic.round(6).tolist()
    [6.666667]
    """
    n, m = base.sum(axis=1), current.sum(axis=1)
    measured = (n > 0) & (m > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        smaller_share = np.minimum(n, m) / (n + m)
        # the same product, in the same order, as for one window: an expectation of exactly 5 must fall on the same side
        rare = ((base + current) * np.minimum(n, m)[:, None] / (n + m)[:, None] < EXPECTED_MIN) | (base == 0)
        before, after = _with_rest(base, rare), _with_rest(current, rare)
        p, q = before / n[:, None], after / m[:, None]
        middle = (p + q) / 2
        divergence = (rel_entr(p, middle).sum(axis=1) + rel_entr(q, middle).sum(axis=1)) / 2
        levels = (before + after > 0).sum(axis=1)
        _join_rest(before, after, (levels > 2) & ((before + after)[:, -1] * smaller_share < EXPECTED_MIN))
        both = before + after
        expected = both * n[:, None] / (n + m)[:, None], both * m[:, None] / (n + m)[:, None]
        terms = np.square(before - expected[0]) / expected[0] + np.square(after - expected[1]) / expected[1]
        statistic = np.where(both > 0, terms, 0.0).sum(axis=1)
    left = (both > 0).sum(axis=1)
    p_value = np.where(left < 2, 1.0, chi2.sf(statistic, np.maximum(left - 1, 1)))
    pairs = left == 2
    if pairs.any():
        one = (both[pairs] > 0).argmax(axis=1)[:, None]
        hits = [np.take_along_axis(side[pairs], one, axis=1)[:, 0] for side in (before, after)]
        p_value[pairs] = share_p_values(hits[0], n[pairs], hits[1], m[pairs])
    return LevelTests(
        statistic=np.where(measured, np.where(left < 2, 0.0, statistic), np.nan),
        p_value=np.where(measured, p_value, np.nan),
        effect=np.where(measured, np.sqrt(np.maximum(divergence, 0.0)), np.nan),
        levels=np.where(measured, np.maximum(levels, 2), 0),
    )


def _with_rest(counts: Floats, rare: Mask) -> Floats:
    rest: Floats = np.where(rare, counts, 0.0).sum(axis=1)
    return np.column_stack([np.where(rare, 0.0, counts), rest])


def _join_rest(before: Floats, after: Floats, joins: Mask) -> None:
    """Let the rest join the rarest other level, where it is itself too rare to be tested."""
    both = before[joins, :-1] + after[joins, :-1]
    rarest = np.where(both > 0, both, np.inf).argmin(axis=1)
    where = np.flatnonzero(joins)
    for side in (before, after):
        side[where, rarest] += side[where, -1]
        side[where, -1] = 0.0


def _fisher(seen: Floats, sample: Floats, rare: Floats, rows: Floats) -> Floats:
    """Sum the hypergeometric chances that are at most the chance of what was seen (fewer than 5 hits are expected)."""
    # each chance follows from the one before by a quotient of whole numbers; beyond 2,000 hits all are 0 in a float
    most = int(min(_HITS_MOST, max(60.0, seen.max() + 20)))
    x = np.arange(most, dtype=np.float64)
    over = np.maximum(rare[:, None] - x, 0) * np.maximum(sample[:, None] - x, 0)
    under = (x + 1) * (rows - rare - sample)[:, None] + (x + 1) ** 2
    with np.errstate(divide="ignore"):
        steps = np.log(over / under)
    chance = np.cumsum(np.column_stack([np.zeros(len(seen)), steps]), axis=1)
    here = np.take_along_axis(chance, np.minimum(seen, most).astype(np.intp)[:, None], axis=1)
    weight = np.exp(chance - chance.max(axis=1, keepdims=True))
    p: Floats = np.where(chance <= here + _TIE, weight, 0.0).sum(axis=1) / weight.sum(axis=1)
    return np.where(seen > most, 0.0, np.minimum(p, 1.0))


def _smirnov_tails(distance: Floats, pairs: Floats) -> Floats:
    """Give twice Smirnov's one-sided tail by its expansion (Lauwerier 1963), as ``twosample`` does for one."""
    square = pairs * distance * distance
    z = np.sqrt(square)
    first = -2 * z / (3 * pairs**0.5)
    second = 2 * square / (3 * pairs) * (1 - 2 * square / 3)
    third = 4 * z / (9 * pairs**1.5) * (0.2 - 19 * square / 15 + 2 * square**2 / 3)
    tail: Floats = np.maximum(0.0, 2 * np.exp(-2 * square) * (1 + first + second + third))
    return tail


def _smirnov_sums(distance: Floats, pairs: Floats) -> Floats:
    """Give twice Smirnov's one-sided tail as the sum that it is, a term a pair, all of them positive."""
    if not len(pairs):
        return pairs
    j = np.arange(int(pairs.max()) + 1)
    factorials = gammaln(j + 1.0)
    n, d = pairs[:, None], distance[:, None]
    left = np.maximum(n * (1 - d) - j, 0.0) / n
    with np.errstate(divide="ignore", invalid="ignore"):
        ways = (
            factorials[pairs.astype(np.intp)][:, None] - factorials - factorials[np.maximum(n - j, 0).astype(np.intp)]
        )
        terms = ways + (j - 1) * np.log(d + j / n) + (n - j) * np.log(left)
    sums: Floats = 2 * distance * np.exp(np.where(left > 0, terms, -np.inf)).sum(axis=1)
    return sums


def _pelz_good(distance: Floats, pairs: Floats) -> Floats:
    """Give P(D < distance) by Pelz and Good's expansion: Kolmogorov's limit and three terms in ``1 / sqrt(pairs)``."""
    z = np.sqrt(pairs) * distance
    z2, z4, z6, z8 = z**2, z**4, z**6, z**8
    pi2 = np.pi**2
    sums = np.zeros((4, *z.shape))
    for k in range(8):  # z stays below 1.5, where the eighth term is below 1e-100
        m2 = (2 * k + 1.0) ** 2
        q = np.exp(-pi2 * m2 / (8 * z2))
        sums[0] += q
        sums[1] += q * (pi2 / 4 * m2 - z2)
        sums[2] += q * (6 * z6 + 2 * z4 + pi2 / 4 * (2 * z4 - 5 * z2) * m2 + pi2**2 / 16 * (1 - 2 * z2) * m2**2)
        sums[3] += q * (
            -30 * z6
            - 90 * z8
            + pi2 / 4 * (135 * z4 - 96 * z6) * m2
            + pi2**2 / 16 * (212 * z4 - 60 * z2) * m2**2
            + pi2**3 / 64 * (5 - 30 * z2) * m2**3
        )
    root = np.sqrt(2 * np.pi)
    terms = [root * s / over for s, over in zip(sums, (z, 6 * z4, 72 * z**7, 6480 * z**10), strict=True)]
    for k in range(1, 8):
        q = k * k * np.exp(-pi2 * k * k / (2 * z2))
        terms[2] -= pi2 * root / (36 * z**3) * q
        terms[3] += pi2 * root / (216 * z6) * q * (3 * z2 - pi2 * k * k)
    total: Floats = sum((term / pairs ** (place / 2) for place, term in enumerate(terms)), np.zeros(z.shape))
    return total
