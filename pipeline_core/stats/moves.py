"""How one column moved in many windows: its distribution, its nulls and its levels, each window against its baseline.

Answers for all windows at once what ``columns`` answers for one, with the same numbers. Neighbours: ``cubes`` counts and
sums the baselines, ``tails`` gives the p-values, ``calibration`` and ``stages/drift`` judge. Refused: rows, floors and
alphas, and the other columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline_core.stats.columns import BOUND_ALPHA, NEW_LEVELS_SHOWN, level_text
from pipeline_core.stats.cubes import Cube
from pipeline_core.stats.intervals import Floats, normal_quantile
from pipeline_core.stats.tails import LevelTests, ks_p_values, level_tests, share_p_values
from pipeline_core.stats.twosample import smallest_detectable_js, smallest_detectable_ks

Ints = NDArray[np.int64]
Keys = NDArray[Any]

_AT_ONCE = 500_000
"""Counts that are compared at once: a few passes over them take some ten megabytes."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moves:
    """How one column moved in each window, arrays of shape (windows,); NaN where it was not measured.

    ``effect`` is D or the Jensen-Shannon distance (nat), ``effect_low`` to ``effect_high`` what the counts leave open of
    it, and ``effect_most`` its upper 95 % bound. ``null_before`` and ``null_now`` are shares (0-1), ``null_p`` the chance of
    their difference. ``sizes`` (windows, 2) are the rows compared, baseline first; ``levels`` how many were compared (0: by
    number). ``new_levels`` gives the share (of all rows) of the 20 commonest levels that the baseline does not know,
    ``new_excess`` by how much all of them exceed what levels seen once predict, ``new_p_value`` how often chance does that.
    """

    statistic: Floats
    p_value: Floats
    effect: Floats
    effect_low: Floats
    effect_high: Floats
    effect_most: Floats
    null_before: Floats
    null_now: Floats
    null_p: Floats
    sizes: Ints
    levels: Ints
    new_excess: Floats
    new_p_value: Floats
    new_levels: tuple[Mapping[str, float], ...]

    @property
    def null_change(self) -> Floats:
        """By how much the share of nulls changed, (windows,), 0-1, without a sign."""
        return np.abs(self.null_now - self.null_before)

    def smallest_detectable(self, place: int, alpha: float) -> float | None:
        """Give the effect that the sizes of a window call significant half the time.

        Parameters
        ----------
        place : int
            Which window.
        alpha : float, 0-1
            The level of one test.

        Returns
        -------
        float or None
            None where nothing was measured.
        """
        before, now = (int(size) for size in self.sizes[place])
        if before == 0 or now == 0:
            return None
        levels = int(self.levels[place])
        if levels:
            return smallest_detectable_js(before, now, levels=levels, alpha=alpha)
        return smallest_detectable_ks(before, now, alpha)


def moves(base: Cube, now: Cube, *, by_level: bool, celled: bool, exact: Floats | None = None) -> Moves:
    """Say how a column moved in every window: ``columns.compare_numbers``, ``compare_levels`` and ``null_test`` for many.

    Parameters
    ----------
    base : Cube
        One window that all are compared with, or one for each window of ``now``.
    now : Cube
        The windows.
    by_level : bool
        Chi-squared with null as a level; otherwise Kolmogorov-Smirnov over the rows that are not null.
    celled : bool
        A cell holds several values, so counts only bound D; the lower bound is tested.
    exact : ndarray, shape (windows,), optional
        D from reading the rows again; NaN where nobody did.

    Returns
    -------
    Moves
        A distribution is not measured where the baseline has nothing but nulls, or a number has nothing but nulls now;
        null shares are measured where both sides have rows.
    """
    parts = []
    for before, after, at in _blocks(base, now):
        part = _level_moves(before, after) if by_level else _number_moves(before, after, celled=celled)
        if not by_level and exact is not None:
            part = _with_exact(part, exact[at])
        parts.append(part | _null_moves(before, after))
    joined: dict[str, Any] = {f.name: [part[f.name] for part in parts] for f in fields(Moves)}
    new = tuple(levels for part in joined.pop("new_levels") for levels in part)
    return Moves(**{name: np.concatenate(values) for name, values in joined.items()}, new_levels=new)


def effects(base: Cube, now: Cube, *, by_level: bool) -> tuple[Floats, Floats]:
    """Say how far a column moved in every window, without a word about chance: what healthy windows are needed for.

    Parameters
    ----------
    base, now : Cube
        As in ``moves``.
    by_level : bool
        As in ``moves``.

    Returns
    -------
    effect : ndarray, shape (windows,)
        As ``Moves.effect``, NaN where it was not measured.
    null_change : ndarray, shape (windows,), 0-1
        As ``Moves.null_change``.
    """
    found, nulls = [], []
    for before, after, _ in _blocks(base, now):
        shares = _share(before.nulls, before.rows), _share(after.nulls, after.rows)
        nulls.append(np.broadcast_to(np.abs(shares[1] - shares[0]), (after.windows,)))
        found.append(
            _level_effects(before, after)[0].effect if by_level else _distances(before, after, celled=False)[0]
        )
    return np.concatenate(found), np.concatenate(nulls)


def _blocks(base: Cube, now: Cube) -> Iterator[tuple[Cube, Cube, slice]]:
    """Give both sides over the same keys, some windows at a time."""
    keys = now.keys
    if not np.array_equal(base.keys, now.keys):
        parts = [side.keys for side in (base, now) if len(side.keys)]
        keys = np.unique(np.concatenate(parts))
    before, after = base.on(keys), now.on(keys)
    size = max(1, _AT_ONCE // max(1, len(keys)))
    for first in range(0, max(1, now.windows), size):
        at = slice(first, first + size)
        yield before if base.windows == 1 else _part(before, at), _part(after, at), at


def _part(counts: Cube, at: slice) -> Cube:
    return Cube(keys=counts.keys, n=counts.n[at], nulls=counts.nulls[at])


def _share(hits: Ints, rows: Ints) -> Floats:
    return np.where(rows > 0, hits / np.maximum(rows, 1), np.nan)


def _all(values: NDArray[Any], windows: int) -> NDArray[Any]:
    return np.broadcast_to(values, (windows,))


def _null_moves(before: Cube, after: Cube) -> dict[str, Any]:
    w, rows = after.windows, (before.rows, after.rows)
    given = [_all(side, w).astype(np.float64) for side in (before.nulls, rows[0], after.nulls, rows[1])]
    return {
        "null_before": _all(_share(before.nulls, rows[0]), w),
        "null_now": _share(after.nulls, rows[1]),
        "null_p": share_p_values(*given),
    }


def _distances(before: Cube, after: Cube, *, celled: bool) -> tuple[Floats, Floats]:
    """Bound D from below and above: ``distances.ks_distance`` for many."""
    known = before.known, after.known
    measured = (known[0] > 0) & (known[1] > 0)
    if not len(after.keys):
        return np.full(after.windows, np.nan), np.full(after.windows, np.nan)
    f, g = (
        np.cumsum(side.n, axis=1) / np.maximum(k, 1)[:, None] for side, k in zip((before, after), known, strict=True)
    )
    low = np.where(measured, np.abs(f - g).max(axis=1), np.nan)
    if not celled:
        return low, low
    high = np.maximum((f - _shifted(g)).max(axis=1), (g - _shifted(f)).max(axis=1))
    return low, np.where(measured, np.minimum(high, 1.0), np.nan)


def _shifted(cumulative: Floats) -> Floats:
    before = np.zeros_like(cumulative)
    before[:, 1:] = cumulative[:, :-1]
    return before


def _number_moves(before: Cube, after: Cube, *, celled: bool) -> dict[str, Any]:
    w = after.windows
    low, high = _distances(before, after, celled=celled)
    sizes = np.column_stack([_all(before.known, w), after.known])
    return {
        "statistic": low,
        "effect": low,
        "effect_low": low,
        "effect_high": high,
        "effect_most": _most(high, sizes),
        "p_value": ks_p_values(low, sizes[:, 0].astype(np.float64), sizes[:, 1].astype(np.float64)),
        "sizes": sizes,
        "levels": np.zeros(w, dtype=np.int64),
        "new_excess": np.zeros(w),
        "new_p_value": np.ones(w),
        "new_levels": ({},) * w,
    }


def _with_exact(part: dict[str, Any], exact: Floats) -> dict[str, Any]:
    read = ~np.isnan(exact) & ~np.isnan(part["effect"])
    distance, sizes = np.where(read, exact, part["effect"]), part["sizes"]
    high = np.where(read, exact, part["effect_high"])
    return part | {
        "statistic": distance,
        "effect": distance,
        "effect_low": distance,
        "effect_high": high,
        "effect_most": _most(high, sizes),
        "p_value": ks_p_values(distance, sizes[:, 0].astype(np.float64), sizes[:, 1].astype(np.float64)),
    }


def _most(furthest: Floats, sizes: Ints) -> Floats:
    n, m = np.maximum(sizes, 1).astype(np.float64).T
    band = np.minimum(1.0, np.sqrt(-np.log(BOUND_ALPHA / 2) / 2) * np.sqrt((n + m) / (n * m)))
    return np.minimum(1.0, furthest + band)


def _level_effects(before: Cube, after: Cube) -> tuple[LevelTests, Ints, Ints]:
    w = after.windows
    rows = _all(before.rows, w), after.rows
    base, now = (np.column_stack([side.n, side.nulls]).astype(np.float64) for side in (before, after))
    base = np.where((_all(before.known, w) > 0)[:, None], np.broadcast_to(base, now.shape), 0.0)
    return level_tests(base, now), *rows


def _level_moves(before: Cube, after: Cube) -> dict[str, Any]:
    test, n, m = _level_effects(before, after)
    spread = np.sqrt((1 / np.maximum(n, 1) + 1 / np.maximum(m, 1)) / 8)
    new = (before.n == 0) & (after.n > 0)
    unseen = np.where(new, after.n, 0).sum(axis=1)
    # each level that the baseline saw once would have been new without that row: Good and Turing's estimate
    once = _all((before.n == 1).sum(axis=1), after.windows)
    measured = ~np.isnan(test.effect)
    beyond = share_p_values(*(side.astype(np.float64) for side in (once, n, unseen, m)))
    return {
        "statistic": test.statistic,
        "effect": test.effect,
        "effect_low": test.effect,
        "effect_high": test.effect,
        "effect_most": test.effect + normal_quantile(1 - BOUND_ALPHA / 2) * spread,
        "p_value": test.p_value,
        "sizes": np.column_stack([n, m]),
        "levels": test.levels,
        "new_excess": np.where(measured, _share(unseen, m) - _share(once, n), np.nan),
        "new_p_value": np.where(measured, beyond, np.nan),
        "new_levels": tuple(
            _newest(after.keys[which], row[which], int(rows)) if ok and which.any() else {}
            for which, row, rows, ok in zip(new, after.n, m, measured, strict=True)
        ),
    }


def _newest(keys: Keys, n: Ints, rows: int) -> dict[str, float]:
    order = np.argsort(-n, kind="stable")[:NEW_LEVELS_SHOWN]
    return {level_text(key): int(k) / rows for key, k in zip(keys[order], n[order], strict=True)}
