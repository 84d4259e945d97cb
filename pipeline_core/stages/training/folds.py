"""How good a recipe is on parts of the fitted rows.

With an event time a part is judged by a fit on the rows before it, as life will judge the model; without one by a fit on
all the others. The hold-out takes no part, so that it stays a fair judge of what was chosen here. Neighbours:
``splitting`` cuts the parts, ``fitting`` fits,
``searching`` tries settings on the same parts. It refuses to shuffle rows that have a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from pipeline_core.errors import NotEnough
from pipeline_core.records import CrossValidation, Figure, Fold, Measured, NotMeasured, Schema, Task, TimeUnit
from pipeline_core.stages.training.fitting import fit_on
from pipeline_core.stages.training.splitting import blocks
from pipeline_core.stats.scores import PRIMARY, primary
from pipeline_core.stats.truth import Scored

Tell = Callable[[float, str], None]
Indices = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parts:
    """The fitted rows, framed, with the pairs of (fitted, judged) row numbers of each fold."""

    features: pd.DataFrame
    target: npt.NDArray[Any]
    task: Task
    classes: int
    pairs: Sequence[tuple[Indices, Indices]]
    spans: Sequence[tuple[datetime | None, datetime | None]]
    by_time: bool


def parts(rows: pa.Table, features: pd.DataFrame, target: npt.NDArray[Any], *, schema: Schema, count: int) -> Parts:
    """Cut the fitted rows into folds.

    Parameters
    ----------
    rows : pa.Table
        The rows to fit on.
    features : pd.DataFrame
        The same rows, framed.
    target : np.ndarray
        Their encoded ground truth.
    schema : Schema
        Task, classes, and whether there is an event time.
    count : int
        How many folds.

    Returns
    -------
    Parts

    Raises
    ------
    NotEnough
        Too few different times.
    """
    by_time = schema.time_unit is not TimeUnit.NONE
    block = blocks(rows, schema, count + 1 if by_time else count)
    if by_time:
        pairs = [(np.flatnonzero(block < k), np.flatnonzero(block == k)) for k in range(1, count + 1)]
    else:
        pairs = [(np.flatnonzero(block != k), np.flatnonzero(block == k)) for k in range(count)]
    spans = [_span(rows, judged) if by_time else (None, None) for _, judged in pairs]
    return Parts(
        features=features,
        target=target,
        task=schema.task,
        classes=len(schema.classes),
        pairs=pairs,
        spans=spans,
        by_time=by_time,
    )


def cross_validate(pipeline: Pipeline, given: Parts, tell: Tell) -> CrossValidation:
    """Judge a pipeline on each fold.

    Parameters
    ----------
    pipeline : Pipeline
        Unfitted; stays so.
    given : Parts
        The folds.
    tell : callable
        Is told the share done (0-1) and what is being done.

    Returns
    -------
    CrossValidation
        A fold whose rows define no metric, or cannot be fitted on, has its reason instead of a figure.
    """
    found = []
    for i, ((fitted, judged), span) in enumerate(zip(given.pairs, given.spans, strict=True)):
        tell(i / len(given.pairs), f"Fold {i + 1} of {len(given.pairs)}: fitting on {len(fitted):,} rows")
        found.append(
            Fold(
                fit_rows=len(fitted),
                rows=len(judged),
                figure=_figure(pipeline, given, fitted, judged),
                first_event_at=span[0],
                last_event_at=span[1],
            )
        )
    return _summed(tuple(found), given)


def said(fitted: Pipeline, features: pd.DataFrame, target: npt.NDArray[Any], *, task: Task, classes: int) -> Scored:
    """Put what a pipeline says beside the truth.

    Parameters
    ----------
    fitted : Pipeline
        Fitted on encoded targets.
    features : pd.DataFrame
        Rows as it takes them.
    target : np.ndarray
        Their encoded ground truth.
    task : Task
        What is predicted.
    classes : int
        How many classes the schema has.

    Returns
    -------
    Scored
    """
    truth = np.asarray(target, dtype=np.float64)
    if task is Task.REGRESSION:
        values = np.asarray(fitted.predict(features), dtype=np.float64)
        return Scored(task=task, y=truth, prediction=values, score=values)
    every = np.zeros((len(features), max(classes, 2)))
    every[:, np.asarray(fitted.classes_, dtype=np.intp)] = fitted.predict_proba(features)
    if task is Task.BINARY:
        return Scored(
            task=task, y=truth, prediction=(every[:, 1] >= 0.5).astype(float), score=every[:, 1], class_count=2
        )
    best = every.argmax(axis=1)
    return Scored(
        task=task,
        y=truth,
        prediction=best.astype(float),
        score=every[np.arange(len(best)), best],
        scores=every,
        class_count=classes,
    )


def _figure(pipeline: Pipeline, given: Parts, fitted: Indices, judged: Indices) -> Figure:
    try:
        model = fit_on(clone(pipeline), given.features.iloc[fitted], given.target[fitted], task=given.task)
    except NotEnough:
        return NotMeasured(reason=f"the {len(fitted):,} rows before it are all of one class")
    with threadpool_limits(1):
        rows = said(model, given.features.iloc[judged], given.target[judged], task=given.task, classes=given.classes)
    return primary(rows, seed=0)


def _summed(found: tuple[Fold, ...], given: Parts) -> CrossValidation:
    values = [fold.figure.value for fold in found if isinstance(fold.figure, Measured)]
    return CrossValidation(
        metric=PRIMARY[given.task],
        by_time=given.by_time,
        folds=found,
        mean=float(np.mean(values)) if values else None,
        spread=float(np.std(values, ddof=1)) if len(values) > 1 else None,
    )


def _span(rows: pa.Table, judged: Indices) -> tuple[datetime | None, datetime | None]:
    times = rows.column("event_at").take(pa.array(judged)).cast(pa.timestamp("us"))
    found = pc.min_max(times).as_py()
    return found["min"].replace(tzinfo=UTC), found["max"].replace(tzinfo=UTC)
