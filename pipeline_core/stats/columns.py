"""One column counted twice: what its distribution, its nulls and its levels did between baseline and window.

Neighbours: ``stages/drift`` counts the columns and judges; the tests come from ``twosample``. Refused: floors and
alphas beyond the bound of an effect, and the other columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline_core.stats.distances import ks_distance
from pipeline_core.stats.intervals import normal_quantile
from pipeline_core.stats.twosample import (
    Test,
    chi2_test,
    ks_p_value,
    merged_levels,
    share_test,
    smallest_detectable_js,
    smallest_detectable_ks,
)

Ints = NDArray[np.int64]
Keys = NDArray[Any]

BOUND_ALPHA = 0.05
NEW_LEVELS_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ColumnCounts:
    """Rows per value of one column: ``keys`` are cells (float) or levels (text), ascending and distinct; nulls apart."""

    keys: Keys
    n: Ints
    nulls: int = 0

    @property
    def known(self) -> int:
        """Rows that are not null."""
        return int(self.n.sum())

    @property
    def rows(self) -> int:
        """All rows."""
        return self.known + self.nulls

    @property
    def null_share(self) -> float:
        """The share of nulls, 0-1 (0 where there are no rows)."""
        return self.nulls / self.rows if self.rows else 0.0

    @property
    def mean(self) -> float | None:
        """The mean of cells that are values; None for levels and where nothing is known."""
        if self.known == 0 or self.keys.dtype == object:
            return None
        return float(self.keys.astype(np.float64) @ self.n / self.known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """How a distribution moved. ``effect_high`` is the upper 95 % bound of the effect.

    ``new_levels`` gives the share (0-1, of all rows) of levels that the baseline does not know, the 20 commonest;
    ``new_excess`` is by how much their share in all exceeds what once-seen levels of the baseline predict, and
    ``new_p_value`` how often chance does that.
    """

    test: Test
    effect_high: float
    sizes: tuple[int, int]
    levels: int = 0
    new_levels: Mapping[str, float] = field(default_factory=dict)
    new_excess: float = 0.0
    new_p_value: float = 1.0

    def smallest_detectable(self, alpha: float) -> float:
        """Give the effect that these sizes call significant half the time.

        Parameters
        ----------
        alpha : float, 0-1
            The level of one test.

        Returns
        -------
        float
        """
        if self.levels:
            return smallest_detectable_js(*self.sizes, levels=self.levels, alpha=alpha)
        return smallest_detectable_ks(*self.sizes, alpha)


def aligned(base: ColumnCounts, current: ColumnCounts) -> tuple[Keys, Ints, Ints]:
    """Put two counts over the same ascending keys.

    Parameters
    ----------
    base, current : ColumnCounts
        Of the same column.

    Returns
    -------
    keys : ndarray, shape (keys,)
    base_n, current_n : ndarray, shape (keys,), rows

    Examples
    --------
    >>> one = ColumnCounts(keys=np.array([1.0, 2.0]), n=np.array([5, 6]))
    >>> two = ColumnCounts(keys=np.array([2.0, 3.0]), n=np.array([7, 8]))
    >>> [side.tolist() for side in aligned(one, two)]
    [[1.0, 2.0, 3.0], [5, 6, 0], [0, 7, 8]]
    """
    keys = np.union1d(base.keys, current.keys)
    sides = []
    for counts in (base, current):
        spread = np.zeros(keys.size, dtype=np.int64)
        spread[np.searchsorted(keys, counts.keys)] = counts.n
        sides.append(spread)
    return keys, sides[0], sides[1]


def null_test(base: ColumnCounts, current: ColumnCounts) -> Test:
    """Test whether the share of nulls changed.

    Parameters
    ----------
    base, current : ColumnCounts
        Of the same column.

    Returns
    -------
    Test
        Effect: current null share minus baseline null share.

    Raises
    ------
    NotEnough
        A side has no rows.
    """
    return share_test(base.nulls, base.rows, current.nulls, current.rows)


def compare_numbers(
    base: ColumnCounts, current: ColumnCounts, *, celled: bool = False, exact: float | None = None
) -> Move:
    """Say how a number moved (Kolmogorov-Smirnov over the rows that are not null).

    The upper bound of the effect is ``D + 1.358 sqrt((n + m) / (n m))``: the 95 % band of two empirical distributions.

    Parameters
    ----------
    base, current : ColumnCounts
        Keys are cells in the order of the values.
    celled : bool
        A cell holds several values, so the counts only bound D; the lower bound is tested.
    exact : float, optional
        D from reading the rows again; replaces what the counts say.

    Returns
    -------
    Move

    Raises
    ------
    NotEnough
        A side has nulls only.
    """
    _, before, after = aligned(base, current)
    low, high, _ = ks_distance(before, after)
    distance = low if exact is None else exact
    furthest = high if celled and exact is None else distance
    sizes = (base.known, current.known)
    test = Test(statistic=distance, p_value=ks_p_value(distance, *sizes), effect=distance)
    return Move(test=test, effect_high=min(1.0, furthest + smallest_detectable_ks(*sizes, BOUND_ALPHA)), sizes=sizes)


def compare_levels(base: ColumnCounts, current: ColumnCounts) -> Move:
    """Say how levels moved (chi-squared with null as a level), and which are new.

    The upper bound of the effect is ``JS + 1.96 sqrt((1/n + 1/m) / 8)``: near equality ``JS sqrt(8 / (1/n + 1/m))`` is a
    chi variable, whose spread is at most 1.

    Parameters
    ----------
    base, current : ColumnCounts
        Keys are levels, or cells of a number with few values.

    Returns
    -------
    Move

    Raises
    ------
    NotEnough
        A side has no rows.
    """
    keys, before, after = aligned(base, current)
    with_nulls = np.append(before, base.nulls), np.append(after, current.nulls)
    test = chi2_test(*with_nulls)
    sizes = (base.rows, current.rows)
    spread = float(np.sqrt((1 / sizes[0] + 1 / sizes[1]) / 8))
    new = (before == 0) & (after > 0)
    # each level that the baseline saw once would have been new without that row: Good and Turing's estimate
    once, unseen = int((base.n == 1).sum()), int(after[new].sum())
    beyond = share_test(once, base.rows, unseen, current.rows)
    order = np.argsort(-after[new], kind="stable")[:NEW_LEVELS_SHOWN]
    return Move(
        test=test,
        effect_high=test.effect + normal_quantile(1 - BOUND_ALPHA / 2) * spread,
        sizes=sizes,
        levels=max(2, int(merged_levels(*with_nulls)[0].size)),
        new_levels={
            level_text(key): int(n) / current.rows for key, n in zip(keys[new][order], after[new][order], strict=True)
        },
        new_excess=beyond.effect,
        new_p_value=beyond.p_value,
    )


def level_text(key: object) -> str:
    """Write a level as it is shown: text as it is, a number without a needless fraction.

    Parameters
    ----------
    key : object
        A level, or a cell that is a value.

    Returns
    -------
    str

    Examples
    --------
    >>> level_text(3.0), level_text(0.5), level_text("3.0")
    ('3', '0.5', '3.0')
    """
    if isinstance(key, float):
        return str(int(key)) if key.is_integer() else repr(float(key))
    return str(key)
