"""What a fitted pipeline says about rows.

The one door from typed rows to a pipeline, used in training, in the gate and in service alike, so
that a model is never served a frame that differs from the one it was fitted on. Neighbours: typed
rows come from ``validation``, pipelines from ``artifact``. It refuses to know about stores and labels.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from pipeline_core.errors import InvalidDefinition
from pipeline_core.records import Column, ColumnType, Schema, Task
from pipeline_core.stats.truth import negative

SLICE_ROWS = 50_000
THRESHOLD = 0.5
LATENCY_CALLS = 100
LATENCY_BUDGET_MS = 1_000

_US_PER_DAY = 86_400_000_000.0
_KEYS = ("row_id", "row_number", "event_at")

Floats = npt.NDArray[np.float64]


def frame(rows: pa.Table, schema: Schema) -> pd.DataFrame:
    """Give the features of typed rows as a pipeline takes them.

    Parameters
    ----------
    rows : pa.Table
        Typed rows; columns other than features are not looked at.
    schema : Schema
        Names the features.

    Returns
    -------
    pd.DataFrame
        One column per feature, named by ``column_id``: float64 for numbers, text or NaN for categories,
        days since 1970 for timestamps.

    Raises
    ------
    InvalidDefinition
        The rows lack a feature.
    """
    missing = [c.name for c in schema.features if c.column_id not in rows.column_names]
    if missing:
        raise InvalidDefinition(
            f"The rows of model {schema.model!r} lack {', '.join(repr(n) for n in missing[:12])}, which its schema"
            f" {schema.schema_version} feeds to the model. Receive the rows again, or train a new version."
        )
    return pd.DataFrame({c.column_id: _values(rows.column(c.column_id), c) for c in schema.features}, copy=False)


def predict(pipeline: Pipeline, rows: pa.Table, schema: Schema) -> pa.Table:
    """Score typed rows.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted on targets encoded as ``training.encode`` does.
    rows : pa.Table
        Typed rows with ``row_id``, ``row_number``, ``event_at`` and the features by ``column_id``.
    schema : Schema
        Task, classes and positive class.

    Returns
    -------
    pa.Table
        ``row_id, row_number, event_at, prediction, score, value``. Binary: ``score`` is the probability
        of the positive class, cut at 0.5. Multiclass: the probability of the predicted class, and
        ``scores`` lists all of them in the order of ``schema.classes``. Regression: ``score`` and
        ``value`` are the predicted value; ``value`` is null otherwise.
    """
    with threadpool_limits(1):  # as in training: waiting threads cost more than they bring
        scored = [scores(pipeline, frame(part, schema), schema) for part in _slices(rows)]
    keys = rows.select(list(_KEYS))
    if schema.task is Task.MULTICLASS:
        every = np.vstack(scored) if scored else np.empty((0, len(schema.classes)))
        return _multiclass_table(keys, every, schema)
    score = np.concatenate(scored) if scored else np.empty(0)
    if schema.task is Task.BINARY:
        return _binary_table(keys, score, schema)
    text = pa.array([repr(v) for v in score.tolist()], pa.string())
    return _table(keys, text, score, pa.array(score))


def latency(pipeline: Pipeline, rows: pa.Table, schema: Schema) -> tuple[float, float, int]:
    """Measure how long a row that comes alone waits for its prediction, on this machine as busy as it is.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted.
    rows : pa.Table
        Typed rows, as ``predict`` takes them; at least one. Up to 100 of them, spread evenly, are asked one by one, for at
        most a second.
    schema : Schema
        Task and features.

    Returns
    -------
    p50_ms, p99_ms : float, milliseconds
    calls : int
        How many rows were asked; the first is asked once before, unmeasured.
    """
    places = np.unique(np.linspace(0, rows.num_rows - 1, LATENCY_CALLS).astype(np.intp))
    asked = [rows.slice(place, 1) for place in places.tolist()]
    predict(pipeline, asked[0], schema)
    spent: list[float] = []
    for row in asked:
        began = time.perf_counter()
        predict(pipeline, row, schema)
        spent.append(1_000 * (time.perf_counter() - began))
        if sum(spent) > LATENCY_BUDGET_MS:
            break
    p50, p99 = np.quantile(spent, [0.5, 0.99]).tolist()
    return p50, p99, len(spent)


def scores(pipeline: Pipeline, features: pd.DataFrame, schema: Schema) -> Floats:
    """Score rows that are framed already.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted.
    features : pd.DataFrame
        As ``frame`` gives them.
    schema : Schema
        Task and classes.

    Returns
    -------
    ndarray
        Binary: P(positive), shape (rows,). Multiclass: shape (rows, classes), in the order of ``schema.classes``.
        Regression: the predicted values, shape (rows,).
    """
    if schema.task is Task.REGRESSION:
        return np.asarray(pipeline.predict(features), dtype=np.float64)
    known = np.asarray(pipeline.classes_, dtype=np.intp)
    every = np.zeros((len(features), max(len(schema.classes), int(known.max()) + 1)))
    every[:, known] = pipeline.predict_proba(features)  # a class absent from the fit part has probability 0
    return every[:, 1] if schema.task is Task.BINARY else every


def _slices(rows: pa.Table) -> Iterator[pa.Table]:
    # one-hot columns are dense: slices bound the memory of a large batch
    for start in range(0, rows.num_rows, SLICE_ROWS):
        yield rows.slice(start, SLICE_ROWS)


def _values(column: pa.ChunkedArray, spec: Column) -> npt.NDArray[Any] | pd.Series[Any]:
    if spec.type is ColumnType.CATEGORY:
        text = column.cast(pa.string()).to_pandas().to_numpy(dtype=object)
        text[pd.isna(text)] = np.nan  # the one null that scikit-learn's imputer takes for missing in text
        return pd.Series(text, dtype=object)  # pandas would guess its own text type, and another one for all-null
    if spec.type is ColumnType.TIMESTAMP:
        micros = column.cast(pa.timestamp("us")).cast(pa.int64()).cast(pa.float64(), safe=False)
        return pc.divide(micros, _US_PER_DAY).to_numpy()
    return column.cast(pa.float64()).to_numpy()


def _binary_table(keys: pa.Table, score: Floats, schema: Schema) -> pa.Table:
    yes, no = schema.positive, negative(schema)
    labels = [yes if s >= THRESHOLD else no for s in score.tolist()]
    return _table(keys, pa.array(labels, pa.string()), score, None)


def _multiclass_table(keys: pa.Table, scores: Floats, schema: Schema) -> pa.Table:
    best = scores.argmax(axis=1)
    labels = pa.array([schema.classes[i] for i in best], pa.string())
    table = _table(keys, labels, scores[np.arange(len(best)), best], None)
    flat = pa.array(scores.ravel())
    offsets = pa.array(np.arange(len(scores) + 1, dtype=np.int32) * scores.shape[1])
    return table.append_column("scores", pa.ListArray.from_arrays(offsets, flat))


def _table(keys: pa.Table, prediction: pa.Array, score: Floats, value: pa.Array | None) -> pa.Table:
    values = pa.nulls(keys.num_rows, pa.float64()) if value is None else value
    return (
        keys
        .append_column("prediction", prediction)
        .append_column("score", pa.array(score))
        .append_column("value", values)
    )
