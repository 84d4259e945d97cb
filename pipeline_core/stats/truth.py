"""Stored labels and predictions as numbers without gaps: what every score starts from.

Neighbours: ``serving.predict`` gives the columns, the store gives the labels, ``scores`` measures. Refused: guessing a
truth that is not known; such rows are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from pipeline_core.records import Schema, Task
from pipeline_core.stats.intervals import Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scored:
    """Rows with known truth and what one model said about them, as numbers without gaps.

    Binary: ``y`` and ``prediction`` are 0 or 1 (1: the positive class), ``score`` is P(positive). Multiclass: they are
    positions in the schema's classes, ``score`` is P(predicted class) and ``scores`` has one column per class.
    Regression: ``y`` is the value and ``prediction`` and ``score`` are both the predicted value. ``places`` are those of
    the rows among the ones that were given (None: not asked).
    """

    task: Task
    y: Floats
    prediction: Floats
    score: Floats
    scores: Floats | None = None
    class_count: int = 0
    places: NDArray[np.intp] | None = None

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return int(self.y.size)


def judged(schema: Schema, labels: ArrayLike | Sequence[str | None], said: pa.Table) -> Scored:
    """Put ground truth beside a table of predictions, as numbers.

    Parameters
    ----------
    schema : Schema
        Gives task, classes and the positive class.
    labels : array of str or float, shape (rows,)
        Ground truth as stored; None where unknown.
    said : pa.Table
        ``prediction``, ``score`` and for multiclass ``scores``, as ``serving.predict`` gives them; same rows, same order.

    Returns
    -------
    Scored
    """
    return scored(
        schema,
        np.asarray(labels, dtype=object),
        prediction=said.column("prediction").to_numpy(),
        score=said.column("score").to_numpy(),
        scores=said.column("scores").to_pylist() if schema.task is Task.MULTICLASS else None,
    )


def negative(schema: Schema) -> str:
    """Give the label of the class that is not the positive one.

    Parameters
    ----------
    schema : Schema
        Of a binary task.

    Returns
    -------
    str
    """
    return next((c for c in schema.classes if c != schema.positive), f"not {schema.positive}")


def scored(
    schema: Schema, labels: ArrayLike, *, prediction: ArrayLike, score: ArrayLike, scores: ArrayLike | None = None
) -> Scored:
    """Turn stored labels and predictions (``serving.predict``'s columns) into numbers.

    Rows without a label, with a label that is none of the schema's classes (text that is no number, in regression),
    or without a score are left out: they have no truth to compare with.

    Parameters
    ----------
    schema : Schema
        Gives task, classes and the positive class.
    labels : array of str or float, shape (rows,)
        Ground truth as stored; None where unknown.
    prediction : array of str, shape (rows,)
        The predicted class (regression: ignored, the score is the prediction).
    score : array of float, shape (rows,)
        P(positive), P(predicted class) or the predicted value.
    scores : array of float, shape (rows, classes), optional
        Multiclass: probabilities in the order of ``schema.classes``; a list of lists will do.

    Returns
    -------
    Scored
    """
    score_array = np.asarray(score, dtype=np.float64)
    if schema.task is Task.REGRESSION:
        y = _numbers(labels)
        kept = np.isfinite(y) & np.isfinite(score_array)
        known = score_array[kept]
        return Scored(task=schema.task, y=y[kept], prediction=known, score=known, places=np.flatnonzero(kept))
    classes = _ordered_classes(schema)
    y, said = _codes(labels, classes), _codes(prediction, classes)
    if schema.task is Task.BINARY:
        said = np.maximum(said, 0.0)  # whatever is said and not the positive class is the other one
    kept = (y >= 0) & (said >= 0) & np.isfinite(score_array)
    table = None
    if schema.task is Task.MULTICLASS and scores is not None:
        table = _rows_of_scores(scores, len(classes))[kept]
    return Scored(
        task=schema.task,
        y=y[kept],
        prediction=said[kept],
        score=score_array[kept],
        scores=table,
        class_count=len(classes),
        places=np.flatnonzero(kept),
    )


def _ordered_classes(schema: Schema) -> Mapping[str, int]:
    if schema.task is Task.BINARY:
        return {label: int(label == schema.positive) for label in schema.classes}
    return {label: place for place, label in enumerate(schema.classes)}


def _codes(labels: ArrayLike, classes: Mapping[str, int]) -> Floats:
    given: Sequence[Any] = np.asarray(labels, dtype=object).tolist()
    return np.array([classes.get(label, -1) if isinstance(label, str) else -1 for label in given], dtype=np.float64)


def _numbers(labels: ArrayLike) -> Floats:
    given: Sequence[Any] = np.asarray(labels, dtype=object).tolist()
    return np.array([_number(label) for label in given], dtype=np.float64)


def _number(label: object) -> float:
    if not isinstance(label, str | float | int):
        return float("nan")
    try:
        return float(label)
    except ValueError:  # text that is no number has no truth to compare with; the door reports it
        return float("nan")


def _rows_of_scores(scores: ArrayLike, count: int) -> Floats:
    if isinstance(scores, np.ndarray) and scores.ndim == 2:
        return scores.astype(np.float64)
    listed = [np.asarray(row, dtype=np.float64) for row in scores]  # type: ignore[union-attr]
    return np.vstack(listed) if listed else np.empty((0, count))
