"""Which rows teach a model, which are kept to judge it, and how it is fitted.

The hold-out is never fitted on, by any version: with an event time it is the newest rows, cut between
two distinct times; without one it is the rows whose hashed id, or hashed features where there is no id
either, falls into the share: the same rows for every version (decision 0005). Neighbours: ``preprocessing`` builds the first step of the
pipeline, ``serving`` makes frames, ``stats.scores`` judges. It refuses to tune and to stop early on a
random part of the rows, because both leak what is held out in time.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from pipeline_core.errors import InvalidDefinition, NotEnough, NotFound, nearest
from pipeline_core.policy import Policy
from pipeline_core.records import Schema, Task, TimeUnit
from pipeline_core.stats.rowkeys import eight_bytes, head

DEFAULT_ESTIMATOR = "hist_gradient_boosting"
MODEL_STEP = "model"

_HASH_RANGE = float(1 << 64)
_SLICE_ROWS = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Which rows are fitted on (true in ``fit``) and from when on rows are held out, if by time."""

    fit: npt.NDArray[np.bool_]
    holdout_from: datetime | None


def enough(model: str, rows: int, policy: Policy) -> None:
    """Refuse to train on too few rows.

    Parameters
    ----------
    model : str
        The model's name.
    rows : int
        Its labelled rows.
    policy : Policy
        ``train_rows_min``.

    Raises
    ------
    NotEnough
        There are fewer.
    """
    if rows < policy.train_rows_min:
        raise NotEnough(
            f"Model {model!r} has {rows:,} labelled rows to train on; policy asks for at least"
            f" {policy.train_rows_min:,}. Receive more rows or labels, or lower train_rows_min in the policy."
        )


def split(rows: pa.Table, schema: Schema, policy: Policy) -> Split:
    """Keep a part of the labelled rows away from the fit.

    Parameters
    ----------
    rows : pa.Table
        Labelled typed rows with ``row_id`` and ``event_at``.
    schema : Schema
        Says whether the rows have an event time.
    policy : Policy
        ``holdout_share`` and ``train_rows_min``.

    Returns
    -------
    Split

    Raises
    ------
    NotEnough
        Too few rows, or all of them at one event time, or one of the two parts is empty.
    """
    enough(schema.model, rows.num_rows, policy)
    if schema.time_unit is TimeUnit.NONE:
        cut = Split(fit=~held_out(rows, schema, policy.holdout_share), holdout_from=None)
    else:
        cut = _time_split(rows, schema, policy)
    if not cut.fit.any() or cut.fit.all():
        raise NotEnough(
            f"A hold-out share of {policy.holdout_share} leaves {int(cut.fit.sum()):,} of {rows.num_rows:,} rows to"
            " fit on; both parts need rows. Set holdout_share in the policy between 0.05 and 0.5."
        )
    return cut


def held_out(rows: pa.Table, schema: Schema, share: float) -> npt.NDArray[np.bool_]:
    """Say which rows are held out where there is no event time.

    Parameters
    ----------
    rows : pa.Table
        Typed rows with ``row_id``.
    schema : Schema
        Says whether the rows have an id. Generated ids differ from file to file: without an id, rows of equal
        features are held out together, in whatever file they come and whatever their label becomes.
    share : float
        Share (0-1) that is held out.

    Returns
    -------
    np.ndarray of bool
    """
    if schema.id is not None:
        return hashed_holdout(rows.column("row_id").to_pylist(), share)
    keys = [
        key for start in range(0, rows.num_rows, _SLICE_ROWS) for key in _keys(rows.slice(start, _SLICE_ROWS), schema)
    ]
    return _below(keys, share)


def hashed_holdout(row_ids: Sequence[str], share: float) -> npt.NDArray[np.bool_]:
    """Say which rows are held out where there is no event time.

    Parameters
    ----------
    row_ids : sequence of str
        The rows' ids.
    share : float
        Share (0-1) that is held out; the rows of a smaller share are among those of a larger one.

    Returns
    -------
    np.ndarray of bool
        True where the first 8 bytes of md5(row_id), as a fraction, are below the share.
    """
    return _below([i.encode() for i in row_ids], share)


def encode(labels: Sequence[str | None], schema: Schema) -> npt.NDArray[Any]:
    """Turn ground truth as text into what estimators and metrics take.

    Parameters
    ----------
    labels : sequence of str
        One per row.
    schema : Schema
        Task, classes and positive class.

    Returns
    -------
    np.ndarray
        Binary: 1 for the positive class, else 0. Multiclass: the position in ``schema.classes``.
        Regression: the number.

    Raises
    ------
    InvalidDefinition
        A label is no class of the schema, or no finite number.
    """
    if schema.task is Task.REGRESSION:
        values = pd.to_numeric(pd.Series(list(labels), dtype=object), errors="coerce").to_numpy(dtype=np.float64)
        _refuse_labels(
            [v for v, bad in zip(labels, ~np.isfinite(values), strict=True) if bad], schema, "finite numbers"
        )
        return values
    position = {name: i for i, name in enumerate(schema.classes)}
    allowed = f"the classes {', '.join(repr(c) for c in schema.classes[:12])}"
    _refuse_labels([v for v in labels if v not in position], schema, allowed)
    if schema.task is Task.BINARY:
        return np.fromiter((v == schema.positive for v in labels), dtype=np.int64, count=len(labels))
    return np.fromiter((position[str(v)] for v in labels), dtype=np.int64, count=len(labels))


def fit(
    steps: Pipeline, features: pd.DataFrame, target: npt.NDArray[Any], *, task: Task, estimator: str, seed: int
) -> Pipeline:
    """Fit preprocessing and estimator as one pipeline.

    Parameters
    ----------
    steps : Pipeline
        Unfitted preprocessing.
    features : pd.DataFrame
        The rows to fit on.
    target : np.ndarray
        Their encoded ground truth.
    task : Task
        What is predicted.
    estimator : str
        A name of ``ESTIMATORS``.
    seed : int
        Same rows, seed and packages give the same pipeline.

    Returns
    -------
    Pipeline
        Fitted.

    Raises
    ------
    NotFound
        No estimator of that name.
    NotEnough
        The rows hold one class only, or one value only.
    """
    known(estimator)
    model = ESTIMATORS[estimator](task, seed)
    distinct = np.unique(target)
    if len(distinct) < 2:
        what = "value" if task is Task.REGRESSION else "class"
        raise NotEnough(
            f"All {len(target):,} rows to fit on have the same target {what}; at least two are needed."
            " Receive labelled rows of another, or train on a longer period."
        )
    pipeline = Pipeline([*steps.steps, (MODEL_STEP, model)])
    # threads that wait for each other on busy cores made a fit 15 times slower, and they change the last digits
    with warnings.catch_warnings(), threadpool_limits(1):
        # an unfinished logistic regression is still a usable model; the run says so ("converged")
        warnings.simplefilter("ignore", ConvergenceWarning)
        return pipeline.fit(features, target)


def parameters(pipeline: Pipeline) -> dict[str, Any]:
    """Give the estimator's settings as the run keeps them.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted.

    Returns
    -------
    dict
        Plain values by name, and for an iterative linear model whether it ``converged``.
    """
    model = pipeline[-1]
    plain = {k: v for k, v in model.get_params().items() if v is None or isinstance(v, str | int | float | bool)}
    if isinstance(model, LogisticRegression):
        plain["converged"] = bool(np.max(model.n_iter_) < model.max_iter)
    return plain


def known(estimator: str) -> None:
    """Refuse an estimator that is not on offer.

    Parameters
    ----------
    estimator : str
        A name.

    Raises
    ------
    NotFound
        It is none of ``ESTIMATORS``.
    """
    if estimator not in ESTIMATORS:
        raise NotFound(f"There is no estimator {estimator!r}. {nearest(estimator, ESTIMATORS)}")


def _below(keys: Sequence[bytes], share: float) -> npt.NDArray[np.bool_]:
    heads = [head(key) for key in keys]
    held: npt.NDArray[np.bool_] = np.frombuffer(b"".join(heads), dtype=">u8") / _HASH_RANGE < share
    return held


def _keys(rows: pa.Table, schema: Schema) -> list[bytes]:
    """Give the features of each row as bytes: nine a column, of which the first says whether there is a value."""
    cells = np.zeros((rows.num_rows, len(schema.features)), dtype=[("known", "u1"), ("value", "<u8")])
    for place, column in enumerate(schema.features):
        values = rows.column(column.column_id)
        cells["known"][:, place] = values.is_valid().to_numpy()
        cells["value"][:, place] = eight_bytes(values, column.type)
    width = cells.dtype.itemsize * cells.shape[1]
    flat = cells.tobytes()
    return [flat[at : at + width] for at in range(0, len(flat), width)]


def _time_split(rows: pa.Table, schema: Schema, policy: Policy) -> Split:
    events = rows.column("event_at").cast(pa.timestamp("us")).cast(pa.int64()).to_numpy()
    ordered = np.sort(events)
    times, first_rows = np.unique(ordered, return_index=True)
    if len(times) < 2:
        raise NotEnough(
            f"All {rows.num_rows:,} labelled rows of model {schema.model!r} have one event time,"
            f" {_moment(times[0]):%Y-%m-%d %H:%M}; a hold-out in time needs at least two. Receive rows of another time,"
            " or define the model without an event time."
        )
    # rows of one time stay together: of the possible cuts, the one that comes nearest to the share
    wanted = rows.num_rows * (1 - policy.holdout_share)
    cut = times[1:][np.argmin(np.abs(first_rows[1:] - wanted))]
    return Split(fit=events < cut, holdout_from=_moment(cut))


def _moment(micros: int) -> datetime:
    return datetime.fromtimestamp(int(micros) // 1_000_000, tz=UTC).replace(microsecond=int(micros) % 1_000_000)


def _refuse_labels(unknown: Sequence[object], schema: Schema, allowed: str) -> None:
    if not unknown:
        return
    shown = ", ".join(f"{v!r} ({n:,} rows)" for v, n in Counter(unknown).most_common(5))
    raise InvalidDefinition(
        f"The labels of model {schema.model!r} hold {shown}; {allowed} are allowed by its definition."
        " Send corrected labels for these rows, or define the model again."
    )


def _leaves_and_pace(task: Task) -> tuple[int, float]:
    """Give the leaves of a tree and the learning rate: labels of yes and no are noisier than amounts (decision 0008)."""
    return (31, 0.04) if task is Task.REGRESSION else (15, 0.05)


def _boosting(task: Task, seed: int) -> Any:
    kind = HistGradientBoostingRegressor if task is Task.REGRESSION else HistGradientBoostingClassifier
    leaves, pace = _leaves_and_pace(task)
    return kind(
        max_iter=150, learning_rate=pace, max_leaf_nodes=leaves, min_samples_leaf=20, l2_regularization=1.0,
        early_stopping=False, random_state=seed,
    )  # fmt: skip


def _linear(task: Task, seed: int) -> Any:
    if task is Task.REGRESSION:
        return Ridge(alpha=1.0, random_state=seed)
    return LogisticRegression(max_iter=500, random_state=seed)


def _forest(task: Task, seed: int) -> Any:
    kind = RandomForestRegressor if task is Task.REGRESSION else RandomForestClassifier
    return kind(n_estimators=100, min_samples_leaf=20, n_jobs=1, random_state=seed)


def _lightgbm(task: Task, seed: int) -> Any:
    from lightgbm import LGBMClassifier, LGBMRegressor  # loads a shared library: only where it is chosen

    kind = LGBMRegressor if task is Task.REGRESSION else LGBMClassifier
    leaves, pace = _leaves_and_pace(task)
    return kind(
        n_estimators=150, learning_rate=pace, num_leaves=leaves, min_child_samples=20, reg_lambda=1.0,
        deterministic=True, force_row_wise=True, n_jobs=1, random_state=seed, verbosity=-1,
    )  # fmt: skip


ESTIMATORS: Mapping[str, Callable[[Task, int], Any]] = {
    "hist_gradient_boosting": _boosting,
    "logistic_regression": _linear,
    "random_forest": _forest,
    "lightgbm": _lightgbm,
}
"""The estimators on offer; the first is the default. One thread each: the same numbers on every machine."""
