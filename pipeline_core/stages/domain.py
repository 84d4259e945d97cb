"""Can a classifier tell a window's rows from the baseline's: drift that no single column shows.

A classifier two-sample test (C2ST, Lopez-Paz and Oquab 2017): boosted trees learn on half of the rows whether a row is of
the window or of the baseline, and their AUC on the other half is tested against chance. It sees what the columns' own
tests cannot: two columns that moved against each other while each kept its distribution. Trees find such a pair by luck
only where columns are many, so the products of the pairs whose correlation differs most, among the rows to learn on, are
given to them as well. Neighbours: ``drift`` tests the
columns one by one, ``flows/examining`` draws the rows. Refused: a cause, and a verdict on too few rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm, rankdata
from threadpoolctl import threadpool_limits

from pipeline_core.errors import NotEnough
from pipeline_core.policy import Policy
from pipeline_core.records import DomainTest

ROWS_MAX = 2_000
"""Rows a side: enough for every change worth naming, and half a second of work."""
LEVELS_MAX = 50
NAMED_MAX = 8
"""So many of the columns that the trees used are shuffled to see what they carry."""
SHUFFLES = 2
PAIRS = 10
"""So many products of two columns are added."""
PAIR_LEVELS = 3
"""So many levels of a category, the commonest, take part in them."""
_TREES: Mapping[str, Any] = {
    "objective": "binary",
    "n_estimators": 60,
    "learning_rate": 0.1,
    "num_leaves": 7,
    "min_child_samples": 20,
    "n_jobs": 1,
    "verbosity": -1,
    "deterministic": True,
    "force_row_wise": True,
}

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class _Scale:
    """One column between -1 and 1: a number by its rank on the ``ladder`` of learned values, a level by yes or no."""

    place: int
    ladder: Floats
    level: float | None = None

    def of(self, rows: Floats) -> Floats:
        """Give the column on this scale; a null is 0 (numbers) or no (levels)."""
        values = rows[:, self.place]
        if self.level is not None:
            return np.where(values == self.level, 1.0, -1.0)
        around = np.searchsorted(self.ladder, values, side="left") + np.searchsorted(self.ladder, values, side="right")
        return np.where(np.isnan(values), 0.0, around / max(1, self.ladder.size) - 1)


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """The pairs whose products are given to the trees beside the columns."""

    chosen: tuple[tuple[_Scale, _Scale], ...]

    @classmethod
    def learned(cls, rows: Floats, side: Floats, levelled: Sequence[int]) -> _Pairs:
        """Choose the pairs whose correlation differs most between the sides."""
        scales = []
        for place in range(rows.shape[1]):
            ladder = np.sort(rows[~np.isnan(rows[:, place]), place])
            if place in levelled:
                scales += [_Scale(place, ladder, float(level)) for level in range(PAIR_LEVELS)]
            else:
                scales.append(_Scale(place, ladder))
        values = np.column_stack([scale.of(rows) for scale in scales])
        change = np.abs(_correlations(values[side == 1]) - _correlations(values[side == 0]))
        of = np.array([scale.place for scale in scales])
        one, other = np.nonzero(of[:, np.newaxis] < of)
        best = np.argsort(-change[one, other], kind="stable")[:PAIRS]
        return cls(tuple((scales[i], scales[j]) for i, j in zip(one[best], other[best], strict=True)))

    def beside(self, rows: Floats) -> Floats:
        """Give rows with one column more a pair."""
        scaled = {scale: scale.of(rows) for scale in {scale for pair in self.chosen for scale in pair}}
        return np.column_stack([rows, *(scaled[one] * scaled[other] for one, other in self.chosen)])


@dataclass(frozen=True, slots=True, eq=False)
class _Told:
    """What was learned, and the AUC it reached."""

    trees: lightgbm.LGBMClassifier
    pairs: _Pairs
    auc: float

    def gains(self, columns: int) -> Floats:
        """Give what each column brought to the trees, by itself and in its pairs."""
        given = self.trees.booster_.feature_importance("gain")
        gains: Floats = given[:columns].astype(np.float64)
        for pair, gain in zip(self.pairs.chosen, given[columns:], strict=True):
            gains[[scale.place for scale in pair]] += gain
        return gains


def domain_test(
    window: pd.DataFrame, reference: pd.DataFrame, *, policy: Policy, seed: int, names: Mapping[str, str] | None = None
) -> DomainTest:
    """Ask whether a window's rows can be told from the baseline's, all columns together.

    At most 2,000 rows a side, half of each to learn on and half to test. ``z = (AUC - 0.5) / sqrt((n + m + 1) /
    (12 n m))`` over the n and m rows tested, one-sided. Drifted: the p-value is at most the policy's alpha and the AUC at
    least its floor (``domain_auc_min``).

    Parameters
    ----------
    window, reference : pd.DataFrame
        Rows with the columns to look at, named by ``column_id``: numbers as float with NaN, categories as text with None or
        NaN. Columns that only tell the time (calendar, dates) tell every window apart: leave them out. A column that only
        one side has is not looked at.
    policy : Policy
        Alpha, the floor of the AUC, and the rows needed.
    seed : int
        Of the draw, the split and the trees.
    names : mapping of str to str, optional
        How a column is called for people, by ``column_id``.

    Returns
    -------
    DomainTest
        ``features`` by name (``column_id`` where none is given): at most 8 columns whose shuffling costs AUC, largest
        share first; empty where nothing drifted.

    Raises
    ------
    NotEnough
        A side has fewer rows than the policy needs, or the two share no column.
    """
    shared = [name for name in window.columns if name in reference.columns]
    _check(len(window), len(reference), shared, policy)
    random = np.random.default_rng(seed)
    now, base = _drawn(window[shared], random), _drawn(reference[shared], random)
    rows, levelled = _coded(now, base)
    side = np.repeat([1.0, 0.0], [len(now), len(base)])
    learning = _half(side, random)
    with threadpool_limits(1):
        trees = lightgbm.LGBMClassifier(**_TREES, random_state=seed, class_weight="balanced")
        pairs = _Pairs.learned(rows[learning], side[learning], levelled)
        trees.fit(pairs.beside(rows[learning]), side[learning], categorical_feature=levelled)
        tested, truth = rows[~learning], side[~learning]
        auc = _auc(_said(trees, pairs.beside(tested)), truth)
        p_value = _p_value(auc, int(truth.sum()), int(truth.size - truth.sum()))
        drifted = p_value <= policy.alpha and auc >= policy.domain_auc_min
        carried = _carried(_Told(trees, pairs, auc), tested, truth, random) if drifted else {}
    called = names or {}
    features = {called.get(shared[place], shared[place]): share for place, share in carried.items()}
    reason = _reason(auc, p_value, drifted, features, policy)
    return DomainTest(auc=auc, p_value=p_value, drifted=drifted, features=features, reason=reason)


def _check(window_rows: int, reference_rows: int, shared: list[str], policy: Policy) -> None:
    needed = policy.window_rows_min
    if min(window_rows, reference_rows) < needed:
        raise NotEnough(
            f"The domain test has {window_rows:,} rows of the window and {reference_rows:,} of the baseline; at least"
            f" {needed:,} are needed on each side. Widen the window."
        )
    if not shared:
        raise NotEnough(
            "The window and the baseline share no column, so they cannot be told apart by one; at least 1 is needed."
            " Check the columns of both."
        )


def _drawn(rows: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    if len(rows) <= ROWS_MAX:
        return rows
    return rows.iloc[np.sort(random.choice(len(rows), ROWS_MAX, replace=False))]


def _coded(now: pd.DataFrame, base: pd.DataFrame) -> tuple[Floats, list[int]]:
    """Put both sides into one matrix of floats, the window first, and say which columns are codes of levels."""
    columns, levelled = [], []
    for place, name in enumerate(now.columns):
        sides = now[name], base[name]
        if all(pd.api.types.is_numeric_dtype(side) for side in sides):
            columns.append(np.concatenate([side.to_numpy(dtype=np.float64, na_value=np.nan) for side in sides]))
            continue
        levelled.append(place)
        columns.append(_level_codes(pd.concat(sides, ignore_index=True)))
    matrix: Floats = np.column_stack(columns)
    matrix[~np.isfinite(matrix)] = np.nan
    return matrix, levelled


def _level_codes(values: pd.Series[Any]) -> Floats:
    # by frequency: 0 is the commonest; what is rarer than 50 levels is one level, so that ids tell nothing
    codes, levels = pd.factorize(values.map(str, na_action="ignore"))
    ranks = np.empty(len(levels), dtype=np.float64)
    ranks[np.argsort(-np.bincount(codes[codes >= 0], minlength=len(levels)), kind="stable")] = np.arange(len(levels))
    coded = np.full(codes.size, np.nan)
    coded[codes >= 0] = np.minimum(ranks[codes[codes >= 0]], LEVELS_MAX)
    return coded


def _correlations(ranks: Floats) -> Floats:
    centred = ranks - ranks.mean(axis=0)
    spread = np.sqrt(np.square(centred).sum(axis=0))
    scaled = np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 0)
    product: Floats = scaled.T @ scaled
    return product


def _half(side: Floats, random: np.random.Generator) -> NDArray[np.bool_]:
    chosen = np.zeros(side.size, dtype=bool)
    for value in (0.0, 1.0):
        places = random.permutation(np.flatnonzero(side == value))
        chosen[places[: places.size // 2]] = True
    return chosen


def _said(trees: lightgbm.LGBMClassifier, rows: Floats) -> Floats:
    said: Floats = trees.booster_.predict(rows, raw_score=True, num_threads=1)
    return said


def _auc(scores: Floats, truth: Floats) -> float:
    ones = float(truth.sum())
    zeros = truth.size - ones
    return float((rankdata(scores)[truth == 1].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def _p_value(auc: float, ones: int, zeros: int) -> float:
    spread = np.sqrt((ones + zeros + 1) / (12 * ones * zeros))
    return float(norm.sf((auc - 0.5) / spread))


def _carried(told: _Told, rows: Floats, truth: Floats, random: np.random.Generator) -> dict[int, float]:
    """Say what the AUC loses where one column is shuffled, as shares of all such losses, largest first."""
    losses = {}
    for place in np.argsort(-told.gains(rows.shape[1]), kind="stable")[:NAMED_MAX].tolist():
        shuffled = rows.copy()
        aucs = []
        for _ in range(SHUFFLES):
            shuffled[:, place] = random.permutation(rows[:, place])
            aucs.append(_auc(_said(told.trees, told.pairs.beside(shuffled)), truth))
        losses[place] = max(0.0, told.auc - float(np.mean(aucs)))
    total = sum(losses.values())
    ranked = sorted(losses.items(), key=lambda item: -item[1])
    return {place: loss / total for place, loss in ranked if loss > 0}


def _reason(auc: float, p_value: float, drifted: bool, features: Mapping[str, float], policy: Policy) -> str:  # ruff: ignore[boolean-type-hint-positional-argument]
    chance = "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"
    measured = f"AUC {auc:.2f} ({chance}; 0.50 is chance, the floor is {policy.domain_auc_min:.2f})"
    if not drifted:
        return f"the window's rows are not told from the baseline's, all columns together: {measured}"
    leaned = ", ".join(f"{name} {share:.0%}".replace("%", " %") for name, share in list(features.items())[:3])
    on = f", mostly by {leaned}" if leaned else ""
    return f"the window's rows are told from the baseline's, all columns together: {measured}{on}"
