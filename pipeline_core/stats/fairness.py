"""How a model treats groups of rows: the rates of each group, and the widest gap between any two.

Both are fairlearn's. Neighbours: ``groups`` says who belongs together, ``disparity`` holds a group against a limit.
Refused: deciding by the widest gap, which grows by chance alone with the number of small groups.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline_core.records import (
    BiasMeasure,
    Figure,
    GroupRates,
    GroupSpread,
    Measured,
    NotMeasured,
)
from pipeline_core.stats.intervals import LEVEL, Floats, normal_quantile, wilson


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Treated:
    """Rows with truth, what a model said, and the group of each (a place in ``names``; -1: in none).

    ``y`` and ``said`` are 0 or 1, ``score`` is P(1).
    """

    y: Floats
    said: Floats
    score: Floats
    codes: npt.NDArray[np.intp]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Of one group: rows, positives, selected, and selected among the positives."""

    rows: int
    positives: int
    selected: int
    hits: int

    def __sub__(self, other: Counts) -> Counts:
        """Give the rest."""
        return Counts(
            rows=self.rows - other.rows,
            positives=self.positives - other.positives,
            selected=self.selected - other.selected,
            hits=self.hits - other.hits,
        )

    def of(self, measure: BiasMeasure) -> tuple[int, int]:
        """Give how often it happened and how often it could have."""
        if measure is BiasMeasure.SELECTION_RATIO:
            return self.selected, self.rows
        if measure is BiasMeasure.TPR_GAP:
            return self.hits, self.positives
        return self.selected - self.hits, self.rows - self.positives


def counts(rows: Treated) -> tuple[tuple[Counts, ...], Counts]:
    """Count each group, and all rows.

    Parameters
    ----------
    rows : Treated
        Truth, predictions and groups.

    Returns
    -------
    tuple
        One ``Counts`` a group, and that of all rows, those in no group too.

    Examples
    --------
    >>> y, said = np.array([0.0, 1, 1]), np.array([0.0, 1, 0])
    >>> _, both = counts(Treated(y=y, said=said, score=said, codes=np.array([0, 0, 1]), names=("a", "b")))
    >>> both
    Counts(rows=3, positives=2, selected=1, hits=1)
    """
    size = len(rows.names) + 1
    place = np.where(rows.codes < 0, size - 1, rows.codes)
    table = np.stack([
        np.bincount(place, weights=weights, minlength=size)
        for weights in (np.ones(rows.y.size), rows.y, rows.said, rows.y * rows.said)
    ]).astype(np.int64)
    each = [Counts(rows=a, positives=b, selected=c, hits=d) for a, b, c, d in table.T.tolist()]
    rows_, positives, selected, hits = table.sum(axis=1).tolist()
    return tuple(each[:-1]), Counts(rows=rows_, positives=positives, selected=selected, hits=hits)


# --- rates of each group ------------------------------------------------------------------------


def group_rates(rows: Treated) -> tuple[GroupRates, ...]:
    """Measure each group by itself, with fairlearn's ``MetricFrame``; intervals are Wilson's.

    Parameters
    ----------
    rows : Treated
        Truth, predictions and groups.

    Returns
    -------
    tuple of GroupRates
        In the order of ``rows.names``.
    """
    each, _ = counts(rows)
    found = _by_group(rows)
    made = []
    for place, (name, n) in enumerate(zip(rows.names, each, strict=True)):
        inside = rows.codes == place
        made.append(
            GroupRates(
                group=name,
                rows=n.rows,
                positives=n.positives,
                selection=_share(found["selection"][place], n.selected, n.rows, "the group has no row"),
                tpr=_share(found["tpr"][place], n.hits, n.positives, "the group has no positive row"),
                fpr=_share(
                    found["fpr"][place], n.selected - n.hits, n.rows - n.positives, "the group has no negative row"
                ),
                ppv=_share(found["ppv"][place], n.hits, n.selected, "nobody in the group is selected"),
                calibration=_calibration(rows.score[inside] - rows.y[inside]),
            )
        )
    return tuple(made)


def _by_group(rows: Treated) -> Mapping[str, Sequence[float]]:
    from fairlearn.metrics import MetricFrame, false_positive_rate, selection_rate, true_positive_rate
    from sklearn.metrics import precision_score

    cells = _cells(rows)
    if not cells.weight.size:
        return dict.fromkeys(("selection", "tpr", "fpr", "ppv"), ())

    def tpr(y: Any, said: Any, sample_weight: Any) -> float:  # of a group without positives it is not asked for
        return true_positive_rate(y, said, pos_label=1, sample_weight=sample_weight) if (y == 1).any() else 0.0

    def fpr(y: Any, said: Any, sample_weight: Any) -> float:
        return false_positive_rate(y, said, pos_label=1, sample_weight=sample_weight) if (y == 0).any() else 0.0

    def ppv(y: Any, said: Any, sample_weight: Any) -> float:
        return precision_score(y, said, sample_weight=sample_weight, zero_division=0.0)

    measures = {"selection": selection_rate, "tpr": tpr, "fpr": fpr, "ppv": ppv}
    frame = MetricFrame(
        metrics=measures,
        y_true=cells.y,
        y_pred=cells.said,
        sensitive_features=cells.code,
        sample_params={name: {"sample_weight": cells.weight} for name in measures},
    )
    table = frame.by_group.reindex(range(len(rows.names)))
    return {name: table[name].tolist() for name in measures}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Cells:
    """Rows that are alike, once, with how many they are: fairlearn handles rows one by one, which takes seconds."""

    y: npt.NDArray[np.int64]
    said: npt.NDArray[np.int64]
    code: npt.NDArray[np.int64]
    weight: npt.NDArray[np.int64]


def _cells(rows: Treated) -> _Cells:
    inside = rows.codes >= 0
    flat = rows.codes[inside] * 4 + rows.y[inside].astype(np.int64) * 2 + rows.said[inside].astype(np.int64)
    kinds, weight = np.unique(flat, return_counts=True)
    return _Cells(y=kinds // 2 % 2, said=kinds % 2, code=kinds // 4, weight=weight)


def _share(value: float, hits: int, rows: int, reason: str) -> Figure:
    if rows == 0:
        return NotMeasured(reason=reason)
    low, high = wilson(hits, rows)
    return Measured(value=float(value), low=low, high=high, rows=rows)


def _calibration(off: Floats) -> Figure:
    """Mean of score minus outcome, with the interval of a mean."""
    if off.size < 2:
        return NotMeasured(reason="the group has fewer than 2 rows")
    mean, half = float(off.mean()), normal_quantile(0.5 + LEVEL / 2) * float(off.std(ddof=1)) / math.sqrt(off.size)
    return Measured(value=mean, low=mean - half, high=mean + half, rows=int(off.size))


def spread(rows: Treated) -> GroupSpread:
    """Give the widest gaps between two groups, as fairlearn gives them; rows in no group take no part.

    Parameters
    ----------
    rows : Treated
        Truth, predictions and groups.

    Returns
    -------
    GroupSpread
        Equalized odds: the larger of the widest TPR and the widest FPR gap. Where a group has no positive (negative)
        row, what needs one is not measured.
    """
    from fairlearn import metrics

    if len(rows.names) < 2:
        none = NotMeasured(reason="there are fewer than two groups")
        return GroupSpread(**dict.fromkeys(GroupSpread.__slots__, none))
    each, _ = counts(rows)
    cells = _cells(rows)
    told = {"sensitive_features": cells.code, "sample_weight": cells.weight}

    def of(gap: Callable[..., float]) -> Measured:
        return Measured(value=float(gap(cells.y, cells.said, **told)), rows=int(cells.weight.sum()))

    positives = all(n.positives for n in each)
    negatives = all(n.rows > n.positives for n in each)
    selected = any(n.selected for n in each)
    no_positive = NotMeasured(reason="a group has no positive row")
    no_negative = NotMeasured(reason="a group has no negative row")
    return GroupSpread(
        demographic_parity_difference=of(metrics.demographic_parity_difference),
        demographic_parity_ratio=of(metrics.demographic_parity_ratio)
        if selected
        else NotMeasured(reason="nobody is selected"),
        equal_opportunity_difference=of(metrics.equal_opportunity_difference) if positives else no_positive,
        equalized_odds_difference=of(metrics.equalized_odds_difference)
        if positives and negatives
        else (no_negative if positives else no_positive),
    )
