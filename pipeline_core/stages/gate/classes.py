"""How much of each class is found by each of two models, and by the mean over the classes.

Neighbours: ``comparing`` asks for tasks of many classes. Refused: deciding (the macro AUC does).
"""

from __future__ import annotations

import numpy as np

from pipeline_core.records import ClassComparison, Comparison, Figure, Measured, NotMeasured, Schema, Task
from pipeline_core.stats.intervals import Floats, bootstrap, percentile_interval
from pipeline_core.stats.truth import Scored

CLASSES_MAX = 20
"""So many classes are told one by one, the most frequent first; the mean is over all that occur."""
_ABSENT = NotMeasured(reason="the class is neither true nor said in these rows")


def by_class(ours: Scored, theirs: Scored, *, schema: Schema, seed: int) -> tuple[ClassComparison, ...]:
    """Compare recall and F1 of each class, with paired bootstrap intervals.

    Parameters
    ----------
    ours, theirs : Scored
        The champion's and the challenger's predictions for the same rows in the same order.
    schema : Schema
        Names the classes.
    seed : int
        Of the bootstrap.

    Returns
    -------
    tuple of ClassComparison
        The mean first, then the classes by how often they occur; empty for other tasks and without rows.
    """
    if ours.task is not Task.MULTICLASS or not ours.rows:
        return ()
    counts = np.bincount(ours.y.astype(np.intp), minlength=ours.class_count)
    present = np.flatnonzero(counts)

    def both(weights: Floats) -> Floats:
        """Give (repeats, model, class or mean, recall or F1), flat behind the repeats."""
        found = np.stack([_shares(rows, present, weights) for rows in (ours, theirs)], axis=-3)
        with_mean = np.concatenate([np.nanmean(found, axis=-2, keepdims=True), found], axis=-2)
        return with_mean.reshape(*with_mean.shape[:-3], -1)

    shape = (2, len(present) + 1, 2)
    value = both(np.ones((1, ours.rows))).reshape(shape)
    repeated = bootstrap(both, ours.rows, seed=seed).reshape(-1, *shape)
    order = [0, *(1 + np.argsort(-counts[present], kind="stable")[:CLASSES_MAX])]
    return tuple(
        ClassComparison(
            label=schema.classes[present[place - 1]] if place else "",
            rows=int(counts[present[place - 1]]) if place else ours.rows,
            recall=_pair(value[:, place, 0], repeated[:, :, place, 0], ours.rows),
            f1=_pair(value[:, place, 1], repeated[:, :, place, 1], ours.rows),
        )
        for place in order
    )


def _shares(rows: Scored, classes: np.ndarray, weights: Floats) -> Floats:
    """Give recall and F1, shape (repeats, classes, 2); NaN where a resample does not hold the class."""
    found = np.empty((*weights.shape[:-1], len(classes), 2))
    for place, k in enumerate(classes):
        true, said = rows.y == k, rows.prediction == k
        hits, real, called = (weights[..., part].sum(axis=-1) for part in (true & said, true, said))
        for kind, whole in enumerate((real, (real + called) / 2)):
            nothing = np.full(np.shape(whole), np.nan)
            found[..., place, kind] = np.divide(hits, whole, out=nothing, where=whole > 0)
    return found


def _pair(value: Floats, repeated: Floats, rows: int) -> Comparison:
    return Comparison(
        champion=_figure(value[0], repeated[:, 0], rows),
        challenger=_figure(value[1], repeated[:, 1], rows),
        difference=_figure(value[1] - value[0], repeated[:, 1] - repeated[:, 0], rows),
    )


def _figure(value: float, repeated: Floats, rows: int) -> Figure:
    if not np.isfinite(value):
        return _ABSENT
    low, high = percentile_interval(repeated)
    return Measured(value=float(value), low=low, high=high, rows=rows)
