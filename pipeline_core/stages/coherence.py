"""Population shift or measurement fault: whether the rest of the row moved as the baseline says it does with a column.

When the world changes, columns that go together move together; when a pipe breaks, one column moves alone
(``statistics.md`` 2.4). Neighbours: ``impact`` prices a fault; ``flows/examining`` gives the rows and the column that
drifted most. It refuses to decide where the baseline predicts no move of the others: then nothing can be told.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline_core.policy import Policy
from pipeline_core.records import Coherence, Origin

BINS = 20
BIN_ROWS_MIN = 50
"""Baseline rows below which the mean of a bin is noise: it then predicts no move."""
LEVELS_MAX = 20
LEVEL_SHARE_MIN = 0.02
CLIP_SHARE = 0.005

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]


def coherence(
    window: pd.DataFrame,
    reference: pd.DataFrame,
    *,
    feature: str,
    others: Sequence[str],
    policy: Policy,
    called: str | None = None,
) -> Coherence:
    """Say whether the other columns moved as the baseline says they do when this one moves.

    With z the other columns, standardised on the baseline, and m(b) their mean there in bin b of the feature: predicted
    shift a = mean of m(bin) over the window, observed shift o = mean of z over the window, ratio = <a, o> / <a, a>,
    strength = <a, a> / (1/n + 1/m).

    Parameters
    ----------
    window, reference : pd.DataFrame
        Numbers with NaN, categories as text with None or NaN.
    feature : str
        The column that drifted; 20 quantile bins of the baseline, or its commonest levels, nulls apart.
    others : sequence of str
        Columns to hold against it: numbers (without their outermost 0.5 % of the baseline) and an indicator for each
        level that 2 % of the baseline have; the feature itself is passed over.
    policy : Policy
        ``coherence_strength_min`` and ``coherence_ratio_min``.
    called : str, optional
        What people call the feature; its column's name, unless said.

    Returns
    -------
    Coherence
        ``feature`` and the reason name the feature as it is called.
    """
    told = [other for other in others if other != feature]
    name, rows, base_rows = called or feature, len(window), len(reference)
    if not told or not rows or not base_rows:
        return _untold(name, None, 0.0, "there is no other column or no row to hold it against")
    places, base_places, bins = _binned(window[feature], reference[feature])
    parts = [_standardised(window[other], reference[other]) for other in told]
    z, base_z = (np.hstack([part[side] for part in parts]) for side in (0, 1))
    predicted = _means(base_z, base_places, bins).T @ (np.bincount(places, minlength=bins) / rows)
    observed = z.mean(axis=0)
    square = float(predicted @ predicted)
    strength = square / (1 / rows + 1 / base_rows)
    ratio = float(predicted @ observed) / square if square > 0 else None
    return _judged(name, ratio, strength, policy)


def _judged(feature: str, ratio: float | None, strength: float, policy: Policy) -> Coherence:
    if ratio is None or strength < policy.coherence_strength_min:
        return _untold(
            feature, ratio, strength,
            f"too little goes with {feature!r} in the baseline, or it moved too little, for the other columns to show it"
            f" (strength {strength:.0f}, {policy.coherence_strength_min:.0f} is needed)",
        )  # fmt: skip
    if ratio >= policy.coherence_ratio_min:
        reason = (
            f"the other columns moved {ratio:.0%} of the way that the baseline says they move with {feature!r}:"
            " the population changed"
        )
        return Coherence(feature=feature, origin=Origin.POPULATION, ratio=ratio, strength=strength, reason=reason)
    reason = (
        f"{feature!r} moved, and the columns that go with it moved only {max(ratio, 0.0):.0%} of the way that the baseline"
        " says: a fault in how it is measured or delivered is suspected"
    )
    return Coherence(feature=feature, origin=Origin.FAULT, ratio=ratio, strength=strength, reason=reason)


def _untold(feature: str, ratio: float | None, strength: float, reason: str) -> Coherence:
    return Coherence(feature=feature, origin=Origin.UNKNOWN, ratio=ratio, strength=strength, reason=reason)


def _is_text(*columns: pd.Series[Any]) -> bool:
    return any(not pd.api.types.is_numeric_dtype(column) for column in columns)


def _binned(now: pd.Series[Any], base: pd.Series[Any]) -> tuple[Ints, Ints, int]:
    """Give the bin of each row of both sides, and how many bins there are; the last one is null."""
    if _is_text(now, base):
        levels = base.value_counts().index[: LEVELS_MAX - 1]
        # what is rarer, and what is new, shares a bin
        sides = [_coded(column, levels) for column in (now, base)]
        return sides[0], sides[1], len(levels) + 2
    values, base_values = now.to_numpy(np.float64), base.to_numpy(np.float64)
    known = base_values[~np.isnan(base_values)]
    count = min(BINS, known.size // BIN_ROWS_MIN)
    edges = np.unique(np.quantile(known, np.linspace(0, 1, count + 1)[1:-1])) if count > 1 else np.empty(0)
    last = edges.size + 1
    placed = [np.where(np.isnan(v), last, np.searchsorted(edges, v, side="left")) for v in (values, base_values)]
    return placed[0], placed[1], last + 1


def _coded(column: pd.Series[Any], levels: pd.Index[Any]) -> Ints:
    place = levels.get_indexer(pd.Index(column))
    return np.where(column.isna(), len(levels) + 1, np.where(place < 0, len(levels), place))


def _means(z: Floats, places: Ints, bins: int) -> Floats:
    """Give the mean of each column in each bin, shape (bins, columns); 0, the mean of all, where it has few rows."""
    rows = np.bincount(places, minlength=bins)
    filled = np.flatnonzero(rows)
    means = np.zeros((bins, z.shape[1]))
    starts = (np.cumsum(rows) - rows)[filled]
    means[filled] = np.add.reduceat(z[np.argsort(places, kind="stable")], starts, axis=0) / rows[filled, np.newaxis]
    means[rows < BIN_ROWS_MIN] = 0.0
    return means


def _standardised(now: pd.Series[Any], base: pd.Series[Any]) -> tuple[Floats, Floats]:
    """Give a column of both sides in standard deviations of the baseline, nulls at its mean; levels side by side."""
    if _is_text(now, base):
        shares = base.value_counts(normalize=False) / max(len(base), 1)
        levels = [level for level in shares.index[:LEVELS_MAX] if shares[level] >= LEVEL_SHARE_MIN]
        sides = [np.column_stack([(c == level).to_numpy(np.float64) for level in levels]) if levels
                 else np.empty((len(c), 0)) for c in (now, base)]  # fmt: skip
    else:
        sides = [column.to_numpy(np.float64)[:, np.newaxis] for column in (now, base)]
        known = sides[1][~np.isnan(sides[1])]
        if known.size:
            # one far value would otherwise outweigh every other row
            low, high = np.quantile(known, [CLIP_SHARE, 1 - CLIP_SHARE])
            sides = [np.clip(side, low, high) for side in sides]
    known_rows = np.maximum((~np.isnan(sides[1])).sum(axis=0), 1)
    mean = np.nansum(sides[1], axis=0) / known_rows
    spread = np.sqrt(np.nansum((sides[1] - mean) ** 2, axis=0) / known_rows)
    scale = np.where(spread > 0, spread, np.inf)  # a constant says nothing
    return np.nan_to_num((sides[0] - mean) / scale), np.nan_to_num((sides[1] - mean) / scale)
