"""Does each column still belong to its row: a broken join leaves every distribution as it was.

Columns of a row know something of each other. Where a column's values came from other rows, the others no longer tell
anything about it, and no count of the column shows that. Neighbours: ``domain`` says that a window can be told from the
baseline, this names the column; ``impact`` prices it. It refuses to look at columns that drifted by themselves: their
relation to the others moves with them, and they have been told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from math import ceil
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.linalg import block_diag
from scipy.stats import norm
from scipy.stats import t as student

from pipeline_core.policy import Policy
from pipeline_core.records import AlertLevel, Detachment, FeatureDrift

NAMED_MAX, BLAMED_MAX = 3, 8
"""Columns looked for, one after the other (with more, the row itself is another one), and those that are asked each time."""
SLOPE_MIN = 0.5
"""A prediction that holds on rows it was not learned on has a slope near 1; one of chance has any."""
STRETCHES_MIN, STRETCHES_MAX, STRETCH_ROWS_MIN = 6, 40, 100
RIDGE = 0.01
LEVELS_MAX = 20
LEVEL_SHARE_MIN = 0.02

Floats = npt.NDArray[np.float64]
Parts = dict[str, tuple[Floats, Floats]]


def detached(
    window: pd.DataFrame, reference: pd.DataFrame, *, columns: Sequence[str], policy: Policy
) -> tuple[Detachment, ...]:
    """Name the columns that the other columns of the row no longer know.

    Numbers become normal scores of the baseline, categories an indicator for each level that 2 % of the baseline have. The
    baseline is cut into stretches as long as the window; each column is predicted linearly from all others (ridge, learned
    on every second stretch), and b is the slope of the column on that prediction, in the other stretches and in the
    window. ``kept`` = b(window) / mean b(stretches): 1 where the rows hang together as ever, 1 - s where a share s of
    them has another row's value. Selecting rows by other columns leaves b as it is. How much b varies by itself, through
    seasons and neighbouring rows that are alike, is what it varied from stretch to stretch (Student's t).

    Parameters
    ----------
    window, reference : pd.DataFrame
        Numbers as float with NaN, categories as text with None or NaN; the reference in the order of time.
    columns : sequence of str
        Those to look at and to predict from: all that did not drift.
    policy : Policy
        ``alpha``, for all columns together (Bonferroni), and ``detachment_kept_max``.

    Returns
    -------
    tuple of Detachment
        The clearest first, at most 3, each with ``rivals`` where it cannot be told from them (two columns that know only each
        other); empty where none is detached, fewer than two columns can be held against each other, or
        there are fewer than 6 stretches of at least 100 rows.
    """
    stretches = min(STRETCHES_MAX, len(reference) // max(len(window), STRETCH_ROWS_MIN))
    if len(window) < policy.window_rows_min or len(reference) < STRETCHES_MIN * STRETCH_ROWS_MIN:
        return ()
    stretches = max(stretches, STRETCHES_MIN)
    parts = {name: part for name in columns if (part := _scored(window[name], reference[name]))[0].shape[1]}
    tests, found = len(parts), list[Detachment]()
    lost = _lost(parts, stretches, tests, policy)
    while lost and len(found) < NAMED_MAX:
        # a column of other rows takes away what the others know of each other: to blame is the one without which most is well
        without = {name: _lost(_but(parts, name), stretches, tests, policy) for name in list(lost)[:BLAMED_MAX]}
        name = min(without, key=lambda one: len(without[one]))
        rivals = [other for other, left in without.items() if other != name and not left]
        found.append(_told(name, *lost[name], rivals))
        parts, lost = _but(parts, name), without[name]
    return tuple(found)


def louder(
    features: Sequence[FeatureDrift], found: Sequence[Detachment], *, policy: Policy
) -> tuple[FeatureDrift, ...]:
    """Let columns alert that no longer belong to their rows, though nothing in their own counts moved.

    No world makes that by itself while every distribution stays, so one window is enough.

    Parameters
    ----------
    features : sequence of FeatureDrift
        Of one window, judged.
    found : sequence of Detachment
        What a look at its rows found, by display name.
    policy : Policy
        ``fault_loss_page_min``: from there on it pages; where a loss is not defined, the features of
        ``importance_top_share`` do. The others are watched.

    Returns
    -------
    tuple of FeatureDrift
        The same, some of them perhaps louder.
    """
    known = {one.feature: one for one in found}
    top = ceil(policy.importance_top_share * len(features))
    return tuple(_louder(f, known[f.feature], top, policy) if f.feature in known else f for f in features)


def _louder(feature: FeatureDrift, found: Detachment, top: int, policy: Policy) -> FeatureDrift:
    if found.fault_loss is None:
        dear, cost = feature.shap_rank <= top, ""
    else:
        dear = found.fault_loss >= policy.fault_loss_page_min
        cost = f"; so many rows with another row's value cost {100 * found.fault_loss:.1f} points of accuracy"
    level = AlertLevel.PAGE if dear or feature.alert is AlertLevel.PAGE else AlertLevel.WATCH
    instead = f" (or it is {' or '.join(found.rivals)}: they know only each other)" if found.rivals else ""
    return replace(feature, alert=level, reason=f"{feature.feature}: {found.reason}{instead}{cost}")


def _but(parts: Parts, name: str) -> Parts:
    return {other: part for other, part in parts.items() if other != name}


def _lost(parts: Parts, stretches: int, tests: int, policy: Policy) -> dict[str, tuple[float, float]]:
    """Give what is left of the relation, and the adjusted p-value, of the columns that lost theirs, clearest first."""
    if len(parts) < 2:
        return {}
    kept, p_values = _relations(parts, stretches)
    p_adjusted = np.minimum(1.0, p_values * tests)
    lost = (kept <= policy.detachment_kept_max) & (p_adjusted <= policy.alpha)
    names, order = list(parts), np.argsort(p_adjusted, kind="stable")
    return {names[place]: (float(kept[place]), float(p_adjusted[place])) for place in order if lost[place]}


def _told(name: str, kept: float, p_adjusted: float, rivals: Sequence[str]) -> Detachment:
    left = min(max(kept, 0.0), 1.0)
    return Detachment(
        feature=name,
        kept=left,
        p_adjusted=p_adjusted,
        rivals=tuple(rivals),
        reason=(
            f"looks as it always did and no longer belongs to its row, {left:.0%} is left of what the other columns used to tell"
            " about it"
        ).replace("%", " %"),
    )


def _relations(parts: Parts, stretches: int) -> tuple[Floats, Floats]:
    """Give for each column the share of its relation to the others that the window kept, and the p-value of a loss."""
    now, base = (np.hstack([part[side] for part in parts.values()]) for side in (0, 1))
    widths = [part[0].shape[1] for part in parts.values()]
    cut = np.array_split(base, stretches)
    before, after = [], []
    for learned, held in ((cut[0::2], cut[1::2]), (cut[1::2], cut[0::2])):
        weights = _weights(np.concatenate(learned), widths)
        before += [_slopes(stretch, weights, widths) for stretch in held]
        after.append(_slopes(now, weights, widths))
    usual, varied, found = np.mean(before, axis=0), np.std(before, axis=0, ddof=1), np.mean(after, axis=0)
    known = (usual >= SLOPE_MIN) & (varied > 0)
    spread = np.where(known, varied, 1.0) * np.sqrt(1 + 1 / stretches)
    p_values = np.where(known, student.sf((usual - found) / spread, stretches - 1), 1.0)
    return np.where(known, found / np.where(known, usual, 1.0), 1.0), p_values


def _weights(z: Floats, widths: Sequence[int]) -> Floats:
    """Give the weights (from, to) by which each column is predicted from all others at once."""
    # the inverse P of the correlations holds all of these regressions: those of a block J are -P[:, J] P[J, J]^-1
    precision = np.linalg.inv(z.T @ z / len(z) + RIDGE * np.eye(z.shape[1]))
    edges = np.cumsum([0, *widths])
    blocks = [slice(a, b) for a, b in pairwise(edges.tolist())]
    weights: Floats = -precision @ block_diag(*(np.linalg.inv(precision[b, b]) for b in blocks))
    for block in blocks:
        weights[block, block] = 0.0
    return weights


def _slopes(z: Floats, weights: Floats, widths: Sequence[int]) -> Floats:
    """Give the slope of each column on its prediction; the levels of a category share one."""
    said = z @ weights
    said, own = said - said.mean(axis=0), z - z.mean(axis=0)
    starts = np.cumsum([0, *widths[:-1]])
    square = np.add.reduceat(np.square(said).sum(axis=0), starts)
    slopes: Floats = np.add.reduceat((said * own).sum(axis=0), starts) / np.where(square > 0, square, np.inf)
    return slopes


def _scored(now: pd.Series[Any], base: pd.Series[Any]) -> tuple[Floats, Floats]:
    """Give both sides in columns of mean 0 and spread 1 on the baseline; nulls are at the mean, constants are left out."""
    if any(not pd.api.types.is_numeric_dtype(side) for side in (now, base)):
        shares = base.value_counts() / max(len(base), 1)
        levels = [level for level in shares.index[:LEVELS_MAX] if shares[level] >= LEVEL_SHARE_MIN]
        sides = [np.column_stack([np.empty((len(s), 0)), *((s == v).to_numpy(np.float64) for v in levels)]) for s in (now, base)]  # fmt: skip
    else:
        ladder = np.sort(base.dropna().to_numpy(np.float64))
        sides = [_normal(side.to_numpy(np.float64), ladder)[:, np.newaxis] for side in (now, base)]
    mean, spread = sides[1].mean(axis=0), sides[1].std(axis=0)
    varied = spread > 0
    return tuple((side[:, varied] - mean[varied]) / spread[varied] for side in sides)


def _normal(values: Floats, ladder: Floats) -> Floats:
    around = (np.searchsorted(ladder, values, side="left") + np.searchsorted(ladder, values, side="right")) / 2
    scores: Floats = norm.ppf((around + 0.5) / (ladder.size + 1))
    return np.where(np.isnan(values), 0.0, scores)
