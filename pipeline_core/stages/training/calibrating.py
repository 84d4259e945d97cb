"""Whether probabilities are believed more when they are mapped, learned on held-out rows of the fitted part.

The oldest eight tenths of the fitted rows make a model, the next tenth teaches the map, the newest judges it. Where the
whole interval of the fall in Brier score is above zero, the map is learned again on both tenths and put over the model
that was fitted on all rows; else nothing changes. The hold-out takes no part. Neighbours: ``fitting`` fits, ``splitting``
cuts. It refuses classes with too few rows to learn a map from: it then says so and keeps the model.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from pipeline_core.records import Calibration, Figure, Measured, NotMeasured, Task
from pipeline_core.stages.training.fitting import MODEL_STEP, fit_on
from pipeline_core.stats.intervals import Floats, bootstrap, percentile_interval

PARTS = 10
"""Of the fitted rows: the last but one teaches the map, the last judges it."""


def calibrate(
    fitted: Pipeline,
    features: pd.DataFrame,
    target: npt.NDArray[Any],
    *,
    part: npt.NDArray[np.intp],
    method: str,
    class_rows_min: int,
) -> tuple[Pipeline, Calibration]:
    """Map the probabilities of a fitted pipeline where that helps.

    Parameters
    ----------
    fitted : Pipeline
        Fitted on all of the rows.
    features : pd.DataFrame
        The fitted rows.
    target : np.ndarray
        Their encoded ground truth.
    part : np.ndarray of int
        Which of ``PARTS`` blocks each row is in, the oldest first.
    method : str
        ``isotonic`` or ``sigmoid``.
    class_rows_min : int
        Rows of each class that both tenths need.

    Returns
    -------
    tuple of Pipeline and Calibration
        The pipeline with the map over its model, or the same pipeline.
    """
    teach, judge = part == PARTS - 2, part == PARTS - 1
    short = _too_few(target, teach, judge, class_rows_min)
    if short:
        return fitted, _answer(method, teach, judge, NotMeasured(reason=short))
    early = fit_on(clone(fitted), features[part < PARTS - 2], target[part < PARTS - 2], task=Task.BINARY)
    if not np.array_equal(early.classes_, fitted.classes_):
        return fitted, _answer(method, teach, judge, NotMeasured(reason="a class is missing from the older rows"))
    with threadpool_limits(1):
        before = early.predict_proba(features[judge])
        after = _mapped(early, features[teach], target[teach], method=method)[-1].predict_proba(
            early[:-1].transform(features[judge])
        )
        gain = _brier_gain(before, after, np.searchsorted(early.classes_, target[judge]))
        found = _answer(method, teach, judge, gain)
        if not found.kept:
            return fitted, found
        both = teach | judge
        learned = _mapped(early, features[both], target[both], method=method)[-1]
        made = _mapped(fitted, features[both], target[both], method=method)
    # the map rests on what a model said about rows that it had not seen; the model under it has seen all
    made[-1].calibrated_classifiers_[0].calibrators = learned.calibrated_classifiers_[0].calibrators
    return made, found


def _mapped(fitted: Pipeline, features: pd.DataFrame, target: npt.NDArray[Any], *, method: str) -> Pipeline:
    over = CalibratedClassifierCV(FrozenEstimator(fitted[-1]), method=method)
    over.fit(fitted[:-1].transform(features), target)
    return Pipeline([*fitted.steps[:-1], (MODEL_STEP, over)])


def _too_few(
    target: npt.NDArray[Any], teach: npt.NDArray[np.bool_], judge: npt.NDArray[np.bool_], least: int
) -> str | None:
    for code in np.unique(target):
        for rows, use in ((teach, "learn the map from"), (judge, "judge the map on")):
            there = int(np.count_nonzero(target[rows] == code))
            if there < least:
                return f"only {there:,} rows of one class to {use}; {least:,} are needed"
    return None


def _brier_gain(before: Floats, after: Floats, truth: npt.NDArray[np.intp]) -> Figure:
    losses = [np.square(p - np.eye(p.shape[1])[truth]).sum(axis=1) for p in (before, after)]
    fall = (losses[0] - losses[1]) / (2 if before.shape[1] == 2 else 1)  # two classes: the usual single square
    rows = len(fall)
    repeated = bootstrap(lambda weights: (weights @ fall / rows)[..., np.newaxis], rows, seed=0)[:, 0]
    low, high = percentile_interval(repeated)
    return Measured(value=float(fall.mean()), low=low, high=high, rows=rows)


def _answer(method: str, teach: npt.NDArray[np.bool_], judge: npt.NDArray[np.bool_], gain: Figure) -> Calibration:
    return Calibration(
        method=method,
        kept=isinstance(gain, Measured) and gain.low is not None and gain.low > 0,
        learned_rows=int(teach.sum()),
        judged_rows=int(judge.sum()),
        brier_gain=gain,
    )
