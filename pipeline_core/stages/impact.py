"""What a drift costs in the model's own unit: a feature gets its baseline distribution back, and the model is asked again.

The restored row is what would have arrived if only the distribution had stayed: ranks are kept, values come from the
baseline. Neighbours: ``coherence`` says whether the move is more likely a fault, for which ``fault_loss`` is the price;
``flows/examining`` gives the rows. It refuses to know pipelines and stores: whoever predicts is an argument.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline_core.policy import Policy
from pipeline_core.records import AlertLevel, Examination, FeatureDrift, Impact

SPIKE_SHARE_MIN = 0.02
SPIKE_RATIO_MIN = 3.0
THRESHOLD = 0.5
SHUFFLED_ROWS_MAX = 5_000
JOINT = "all drifted features"

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
Predict = Callable[[pd.DataFrame], Floats]


def restored(now: pd.Series[Any] | Array, baseline: pd.Series[Any] | Array, *, seed: int) -> Array:
    """Give a column the distribution that it had in the baseline, row by row.

    Numbers keep their rank (ties are spread by a seeded draw). Nulls are a mass of their own, and so is a value on which
    far more rows sit than in the baseline (a filled hole): rows beyond the baseline's share of either are taken as
    unknown and drawn from the baseline. Of categories, rows of the levels that are too common get those that are too rare.

    Parameters
    ----------
    now : array, shape (rows,)
        Float with NaN, or text with None or NaN.
    baseline : array, shape (baseline rows,)
        Of the same kind.
    seed : int
        Of the draws.

    Returns
    -------
    ndarray, shape (rows,)
        Without a baseline row: ``now`` itself.
    """
    present, before = np.asarray(now), np.asarray(baseline)
    if not before.size or not present.size:
        return present
    random = np.random.default_rng(seed)
    if present.dtype == object or before.dtype == object:
        return _levels(present.astype(object), before.astype(object), random)
    return _numbers(present.astype(np.float64), before.astype(np.float64), random)


def restore(window: pd.DataFrame, reference: pd.DataFrame, *, features: Sequence[str], seed: int) -> pd.DataFrame:
    """Give some columns of a window their baseline distribution back, each by itself.

    Parameters
    ----------
    window, reference : pd.DataFrame
        Features by the same names.
    features : sequence of str
        Which.
    seed : int
        Of the draws; a column's draws do not depend on the other columns.

    Returns
    -------
    pd.DataFrame
        The other columns as they are.
    """
    back = {name: restored(window[name], reference[name], seed=seed) for name in features}
    return window.assign(**{name: pd.Series(values, index=window.index) for name, values in back.items()})


def impact(
    predict: Predict, window: pd.DataFrame, reference: pd.DataFrame, *, features: Sequence[str], seed: int
) -> tuple[tuple[Impact, ...], Impact | None]:
    """Say how much the predictions would change if features had their baseline distribution again.

    Parameters
    ----------
    predict : callable
        From features to scores: shape (rows,), or (rows, classes) of which half the sum of changes is taken.
    window, reference : pd.DataFrame
        Features of the window and of the baseline.
    features : sequence of str
        The drifted ones; there is nothing to say without any.
    seed : int
        Of the draws.

    Returns
    -------
    impacts : tuple of Impact
        One a feature, the largest mean change first.
    joint : Impact or None
        Of all of them at once; None without a feature or a row.
    """
    if not features or not len(window) or not len(reference):
        return (), None
    before = predict(window)
    joint = restore(window, reference, features=features, seed=seed)
    impacts = [
        _impact(name, before, predict(window.assign(**{name: joint[name]})) if len(features) > 1 else predict(joint))
        for name in features
    ]
    both = _impact(JOINT, before, predict(joint))
    return tuple(sorted(impacts, key=lambda found: -found.mean_change)), both


def fault_loss(
    predict: Predict,
    window: pd.DataFrame,
    reference: pd.DataFrame,
    *,
    features: Sequence[str],
    seed: int,
    calibration: Sequence[tuple[float, float]] = (),
) -> float:
    """Say how much accuracy the window would lose if its drift is a fault and the restored rows are the truth.

    The mean over rows of ``p(best) - p(said)``: the probabilities, given the restored row, of the class that it would
    have got and of the class that the row as it came gets (``statistics.md`` 2.2, with the baseline's accuracy on the same
    rows). Where no prediction flips it is 0.

    Parameters
    ----------
    predict : callable
        From features to P(positive), shape (rows,), or P(class), shape (rows, classes).
    window, reference : pd.DataFrame
        Features of the window and of the baseline.
    features : sequence of str
        The drifted ones.
    seed : int
        Of the draws, as in ``impact``.
    calibration : sequence of (float, float)
        Mean score and observed share on held-out rows (binary): scores are read through it, made to rise.

    Returns
    -------
    float
        0-1.
    """
    if not features or not len(window) or not len(reference):
        return 0.0
    truth = predict(restore(window, reference, features=features, seed=seed))
    return _lost(predict(window), truth, calibration)


def shuffle_loss(
    predict: Predict,
    reference: pd.DataFrame,
    *,
    feature: str,
    share: float,
    seed: int,
    calibration: Sequence[tuple[float, float]] = (),
) -> float:
    """Say how much accuracy is lost where a share of the rows has the feature's value of another row.

    ``fault_loss`` with the baseline's rows as the truth: what belonged to a row of the window is not known.

    Parameters
    ----------
    predict : callable
        From features to P(positive), shape (rows,), or P(class), shape (rows, classes).
    reference : pd.DataFrame
        Features of the baseline.
    feature : str
        Which.
    share : float
        Of the rows, 0-1.
    seed : int
        Of the draws.
    calibration : sequence of (float, float)
        As in ``fault_loss``.

    Returns
    -------
    float
        0-1.
    """
    random = np.random.default_rng(seed)
    rows = reference.sample(n=min(len(reference), SHUFFLED_ROWS_MAX), random_state=seed)
    taken = np.flatnonzero(random.random(len(rows)) < share)
    order = np.arange(len(rows))
    order[taken] = random.permutation(taken)
    return _lost(predict(rows.assign(**{feature: rows[feature].to_numpy()[order]})), predict(rows), calibration)


def _lost(said: Floats, truth: Floats, calibration: Sequence[tuple[float, float]]) -> float:
    if not said.size:
        return 0.0
    if said.ndim == 1:
        flipped = (said >= THRESHOLD) != (truth >= THRESHOLD)
        chance = np.where(truth >= THRESHOLD, 1.0, -1.0) * (2 * _calibrated(truth, calibration) - 1)
        return float(np.clip(np.mean(flipped * chance), 0.0, 1.0))
    rows = np.arange(len(said))
    return float(np.mean(truth.max(axis=1) - truth[rows, said.argmax(axis=1)]))


def priced(
    features: Sequence[FeatureDrift], examined: Examination | None, *, policy: Policy
) -> tuple[FeatureDrift, ...]:
    """Let a lasting drift page that would cost accuracy, however little the model leans on each feature.

    Shares of importance are spread over many features in some models, and a fault of any of them may cost more than its
    share says. So where a window's drift would cost ``fault_loss_page_min`` and nothing of it pages yet, the feature
    that moves the predictions most does, if it has lasted as long as a page asks.

    Parameters
    ----------
    features : sequence of FeatureDrift
        Of one window, judged.
    examined : Examination or None
        What a look at its rows found.
    policy : Policy
        ``fault_loss_page_min`` and ``alert_windows_min``.

    Returns
    -------
    tuple of FeatureDrift
        The same, one of them perhaps louder.
    """
    same = tuple(features)
    loss = None if examined is None else examined.fault_loss
    if examined is None or loss is None or loss < policy.fault_loss_page_min:
        return same
    if any(feature.alert is AlertLevel.PAGE for feature in same):
        return same
    lasting = {
        f.feature for f in same if f.drifted and not f.calendar and f.windows_drifted >= policy.alert_windows_min
    }
    first = next((i.feature for i in examined.impacts if i.feature in lasting), None)
    cost = f"if the drift of this window is a fault, it costs {100 * loss:.1f} points of accuracy"
    return tuple(
        replace(f, alert=AlertLevel.PAGE, reason=f"{f.reason}; {cost}") if f.feature == first else f for f in same
    )


def _impact(feature: str, before: Floats, after: Floats) -> Impact:
    change = before - after
    if change.ndim == 1:
        return Impact(feature=feature, mean_change=float(np.abs(change).mean()), shift=float(change.mean()))
    # probabilities sum to 1, so the signed sum is always 0: the sign of many classes is not one number
    return Impact(feature=feature, mean_change=float(np.abs(change).sum(axis=1).mean() / 2), shift=0.0)


def _calibrated(score: Floats, points: Sequence[tuple[float, float]]) -> Floats:
    if len(points) < 2:
        return score
    expected, observed = np.array(sorted(points), dtype=np.float64).T
    return np.interp(score, expected, _rising(observed))


def _rising(values: Floats) -> Floats:
    """Pool neighbours that fall, as isotonic regression with equal weights does."""
    blocks: list[tuple[float, int]] = []
    for value in values.tolist():
        total, size = value, 1
        while blocks and blocks[-1][0] / blocks[-1][1] >= total / size:
            last = blocks.pop()
            total, size = total + last[0], size + last[1]
        blocks.append((total, size))
    return np.concatenate([np.full(size, total / size) for total, size in blocks])


def _numbers(now: Floats, before: Floats, random: np.random.Generator) -> Floats:
    known = np.sort(before[~np.isnan(before)])
    holes = np.isnan(now)
    piled = _piled(now, known, len(before), random)
    # a null of the baseline's share stays or comes back, first where a value looks filled in
    standing = np.where(holes, 0, np.where(piled, 1, 2))
    order = np.lexsort((random.random(now.size), standing))
    nulls = now.size if not known.size else round(now.size * (1 - known.size / before.size))
    back = np.full(now.size, np.nan)
    rest = order[nulls:]
    lost, ranked = rest[standing[rest] < 2], rest[standing[rest] == 2]
    back[lost] = _quantiles(known, random.permutation(lost.size), lost.size)
    by_value = ranked[np.lexsort((random.random(ranked.size), now[ranked]))]
    back[by_value] = _quantiles(known, np.arange(ranked.size), ranked.size)
    return back


def _quantiles(known: Floats, ranks: npt.NDArray[np.intp], count: int) -> Floats:
    return known[np.minimum(((ranks + 0.5) / max(count, 1) * known.size).astype(np.intp), known.size - 1)]


def _piled(now: Floats, known: Floats, rows: int, random: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Mark the rows by which a value is far commoner than it was: which of them are the real ones, nobody knows."""
    values, counts = np.unique(now[~np.isnan(now)], return_counts=True)
    was = np.searchsorted(known, values, side="right") - np.searchsorted(known, values, side="left")
    share, expected = counts / now.size, was / rows
    piled = np.zeros(now.size, dtype=np.bool_)
    for place in np.flatnonzero(share > SPIKE_SHARE_MIN + SPIKE_RATIO_MIN * expected):
        at = random.permutation(np.flatnonzero(now == values[place]))
        piled[at[: int(counts[place] - np.floor(expected[place] * now.size))]] = True
    return piled


def _levels(now: Array, before: Array, random: np.random.Generator) -> Array:
    codes, levels = pd.factorize(np.concatenate([before, now]), use_na_sentinel=True)
    codes = np.where(codes < 0, len(levels), codes)  # null is a level of its own
    wanted = _apportioned(np.bincount(codes[: before.size], minlength=len(levels) + 1), now.size)
    present = codes[before.size :]
    have = np.bincount(present, minlength=len(levels) + 1)
    shuffled = random.permutation(now.size)
    grouped = shuffled[np.argsort(present[shuffled], kind="stable")]
    starts = np.cumsum(have) - have
    turn = np.arange(now.size) - starts[present[grouped]]  # the how-manieth row of its level this is
    spare = grouped[turn >= wanted[present[grouped]]]
    missing = np.repeat(np.arange(len(levels) + 1), np.maximum(wanted - have, 0))
    back = present.copy()
    back[spare] = random.permutation(missing)
    text = np.append(np.asarray(levels, dtype=object), np.nan)
    return text[back]


def _apportioned(counts: npt.NDArray[np.intp], rows: int) -> npt.NDArray[np.intp]:
    """Share out rows as the counts are shared, by largest remainders."""
    exact = counts * (rows / counts.sum())
    whole = np.floor(exact).astype(np.intp)
    order = np.argsort(whole - exact, kind="stable")
    whole[order[: rows - int(whole.sum())]] += 1
    return whole
