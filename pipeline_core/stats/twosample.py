"""Could two histograms come from one source: tests, each with its effect beside its p-value.

Neighbours: ``distances`` measures the effect, ``multiplicity`` corrects many p-values. Refused: raw values (counts
only), and the word drift: a p-value without a floor under the effect is none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2, fisher_exact, kstwo

from pipeline_core.errors import NotEnough
from pipeline_core.stats.distances import js_distance, ks_distance
from pipeline_core.stats.intervals import Floats

EXPECTED_MIN = 5.0
"""Expected rows in a cell below which the chi-squared approximation does not hold (Cochran)."""
SMIRNOV_PAIRS_MAX = 10_000
SMIRNOV_FROM = 2.2
"""From this ``n D²`` on scipy takes twice the one-sided tail; beyond these pairs its sum is slow and not needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """One test. ``effect`` is D (KS), the Jensen-Shannon distance in nat (chi-squared) or a change of share."""

    __test__ = False  # a record of the field's word, not a test class for pytest

    statistic: float
    p_value: float
    effect: float


def ks_p_value(distance: float, base_n: int, current_n: int) -> float:
    """Say how often two samples of one source are at least this far apart (Kolmogorov-Smirnov, two-sided).

    ``kstwo(round(n m / (n + m))).sf(D)``: the same as ``scipy.stats.ks_2samp(method="asymp")``. With ties it is
    conservative.

    Parameters
    ----------
    distance : float, 0-1
        D.
    base_n, current_n : int, rows
        Sizes without nulls.

    Returns
    -------
    float, 0-1

    Raises
    ------
    NotEnough
        A side has no rows.

    Examples
    --------
    >>> round(ks_p_value(0.4, 5, 5), 6)
    0.82
    """
    _need_rows("KS", base_n, current_n)
    pairs = float(np.round(base_n * current_n / (base_n + current_n)))
    if pairs < 1:
        return 1.0  # one row on each side: scipy's formula has no answer, and there is no evidence
    if pairs > SMIRNOV_PAIRS_MAX and pairs * distance * distance >= SMIRNOV_FROM:
        return _smirnov_tail(distance, pairs)
    return float(np.clip(kstwo.sf(distance, pairs), 0.0, 1.0))


def ks_test_counts(base_n: ArrayLike, current_n: ArrayLike) -> Test:
    """Test whether two ordered histograms differ (Kolmogorov-Smirnov).

    Parameters
    ----------
    base_n, current_n : array of int, shape (cells,)
        Rows per cell, in the order of the values; where a cell is one value the result is exact, ties included.

    Returns
    -------
    Test
        Statistic and effect are both D (its lower bound where a cell holds several values).

    Raises
    ------
    NotEnough
        A side has no rows.

    Examples
    --------
    >>> ks_test_counts([5, 5], [5, 5]).p_value
    1.0
    """
    low, _, _ = ks_distance(base_n, current_n)
    p_value = ks_p_value(low, int(np.sum(np.asarray(base_n))), int(np.sum(np.asarray(current_n))))
    return Test(statistic=low, p_value=p_value, effect=low)


def chi2_test(base_n: ArrayLike, current_n: ArrayLike) -> Test:
    """Test whether two sets of level counts differ (Pearson's chi-squared, no correction).

    Levels with fewer than 5 expected rows on either side, and levels that the baseline does not know, are counted as
    one level "other" first; otherwise the same as ``scipy.stats.chi2_contingency(correction=False)``.

    Parameters
    ----------
    base_n, current_n : array of int, shape (levels,)
        Rows per level, nulls as a level of their own.

    Returns
    -------
    Test
        Effect: the Jensen-Shannon distance (nat) over the same merged levels, so that rare levels add no noise to it.
        Where "other" is itself too rare for the chi-squared approximation it joins the rarest level of the statistic;
        two levels that are still too rare are tested exactly (Fisher).

    Raises
    ------
    NotEnough
        A side has no rows.

    Examples
    --------
    >>> round(chi2_test([10, 20], [20, 10]).statistic, 6)
    6.666667
    """
    base, current = merged_levels(base_n, current_n)
    effect = js_distance(base, current)
    base, current = _without_rare_rest(base, current)
    if base.size < 2:
        return Test(statistic=0.0, p_value=1.0, effect=effect)
    if base.size == 2:
        pair = share_test(int(base[1]), int(base.sum()), int(current[1]), int(current.sum()))
        return Test(statistic=pair.statistic, p_value=pair.p_value, effect=effect)
    statistic = _chi2_statistic(base, current)
    return Test(statistic=statistic, p_value=float(chi2.sf(statistic, base.size - 1)), effect=effect)


def merged_levels(base_n: ArrayLike, current_n: ArrayLike) -> tuple[Floats, Floats]:
    """Count rare levels, and levels new since the baseline, as one; drop levels that neither side has.

    Parameters
    ----------
    base_n, current_n : array of int, shape (levels,)
        Rows per level.

    Returns
    -------
    base, current : ndarray, shape (merged levels,)
        The merged level, if any, is last.

    Raises
    ------
    NotEnough
        A side has no rows.

    Examples
    --------
    >>> [side.tolist() for side in merged_levels([90, 4, 2, 0], [90, 1, 1, 3])]
    [[90.0, 6.0], [90.0, 5.0]]
    """
    base, current = np.asarray(base_n, dtype=np.float64), np.asarray(current_n, dtype=np.float64)
    total = base.sum() + current.sum()
    _need_rows("Levels", base.sum(), current.sum())
    smaller_expected = (base + current) * min(base.sum(), current.sum()) / total
    rare = (smaller_expected < EXPECTED_MIN) | (base == 0)
    kept_base, kept_current = base[~rare], current[~rare]
    if (base + current)[rare].sum() == 0:
        return kept_base, kept_current
    return np.append(kept_base, base[rare].sum()), np.append(kept_current, current[rare].sum())


def _without_rare_rest(base: Floats, current: Floats) -> tuple[Floats, Floats]:
    """Let levels that are still too rare join the rarest other one: one stray row must not decide a p-value."""
    smaller_share = min(base.sum(), current.sum()) / (base.sum() + current.sum())
    while base.size > 2 and ((base + current) * smaller_share).min() < EXPECTED_MIN:
        order = np.argsort(base + current, kind="stable")
        rarest, next_rarest = order[0], order[1]
        base[next_rarest] += base[rarest]
        current[next_rarest] += current[rarest]
        base, current = np.delete(base, rarest), np.delete(current, rarest)
    return base, current


def share_test(base_hits: int, base_n: int, current_hits: int, current_n: int) -> Test:
    """Test whether a share changed (2x2 chi-squared without correction; Fisher where fewer than 5 rows are expected).

    Parameters
    ----------
    base_hits, base_n : int, rows
        How often, out of how many, in the baseline.
    current_hits, current_n : int, rows
        The same in the window.

    Returns
    -------
    Test
        Effect: current share minus baseline share. Statistic: chi-squared in both cases.

    Raises
    ------
    NotEnough
        A side has no rows.

    Examples
    --------
    >>> changed = share_test(120, 1000, 0, 1000)
    >>> round(changed.effect, 3), round(changed.statistic, 4)
    (-0.12, 127.6596)
    """
    _need_rows("Shares", base_n, current_n)
    effect = current_hits / current_n - base_hits / base_n
    hits, rows = base_hits + current_hits, base_n + current_n
    if hits in {0, rows}:
        return Test(statistic=0.0, p_value=1.0, effect=effect)
    table: NDArray[np.float64] = np.array([
        [base_hits, base_n - base_hits],
        [current_hits, current_n - current_hits],
    ])
    statistic = _chi2_statistic(table[0].astype(np.float64), table[1].astype(np.float64))
    least_expected = min(base_n, current_n) * min(hits, rows - hits) / rows
    if least_expected < EXPECTED_MIN:
        return Test(statistic=statistic, p_value=float(fisher_exact(table)[1]), effect=effect)
    return Test(statistic=statistic, p_value=float(chi2.sf(statistic, 1)), effect=effect)


def smallest_detectable_ks(base_n: int, current_n: int, alpha: float) -> float:
    """Give the distance D that these sizes call significant half the time.

    ``c sqrt((n + m) / (n m))``, ``c = sqrt(-ln(alpha / 2) / 2)`` (1.358 at alpha 0.05).

    Parameters
    ----------
    base_n, current_n : int, rows
        Sizes without nulls.
    alpha : float, 0-1
        The level of one test (divide by the number of tests).

    Returns
    -------
    float, 0-1

    Raises
    ------
    NotEnough
        A side has no rows.

    Examples
    --------
    >>> round(smallest_detectable_ks(1000, 1000, 0.05), 4)
    0.0607
    """
    _need_rows("KS", base_n, current_n)
    scale = float(np.sqrt(-np.log(alpha / 2) / 2))
    return min(1.0, scale * float(np.sqrt((base_n + current_n) / (base_n * current_n))))


def smallest_detectable_js(base_n: int, current_n: int, *, levels: int, alpha: float) -> float:
    """Give the Jensen-Shannon distance (nat) that these sizes call significant half the time.

    For near shares ``8 JS² / (1/n + 1/m)`` is the chi-squared statistic, so ``JS = sqrt(chi2_alpha (1/n + 1/m) / 8)``.

    Parameters
    ----------
    base_n, current_n : int, rows
        Sizes, nulls included.
    levels : int
        How many levels after merging.
    alpha : float, 0-1
        The level of one test.

    Returns
    -------
    float

    Raises
    ------
    NotEnough
        A side has no rows.

    Examples
    --------
    >>> round(smallest_detectable_js(1000, 1000, levels=2, alpha=0.05), 4)
    0.031
    """
    _need_rows("Levels", base_n, current_n)
    critical = float(chi2.isf(alpha, max(1, levels - 1)))
    return float(np.sqrt(critical * (1 / base_n + 1 / current_n) / 8))


def _smirnov_tail(distance: float, pairs: float) -> float:
    # The expansion of Smirnov's one-sided tail (Lauwerier 1963), doubled as scipy does here. Measured against scipy: at
    # most 1.2e-10 off at 10,000 pairs, falling with their square. scipy's sum has a term per pair: 0.1 to 0.9 s a column.
    square = pairs * distance * distance
    z = float(np.sqrt(square))
    first = -2 * z / (3 * pairs**0.5)
    second = 2 * square / (3 * pairs) * (1 - 2 * square / 3)
    third = 4 * z / (9 * pairs**1.5) * (0.2 - 19 * square / 15 + 2 * square**2 / 3)
    return max(0.0, float(2 * np.exp(-2 * square) * (1 + first + second + third)))


def _chi2_statistic(base: Floats, current: Floats) -> float:
    observed = np.vstack([base, current])
    expected = observed.sum(axis=1, keepdims=True) * observed.sum(axis=0) / observed.sum()
    return float((np.square(observed - expected) / expected).sum())


def _need_rows(what: str, base_n: float, current_n: float) -> None:
    if base_n <= 0 or current_n <= 0:
        raise NotEnough(
            f"{what} of {base_n:.0f} and {current_n:.0f} rows: at least 1 row is needed on each side. Widen the window."
        )
