"""A closer look at the rows of some windows: is it the world or a pipe, what would it cost, where does it sit.

``examine`` runs in a niced child on samples that lie in files: a window's rows, and the fitted rows kept beside the model
file. Neighbours: ``examining`` chooses and samples the windows; each part is a stage's. It refuses to open a store, and
to let one part that fails take the others with it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from pipeline_core.flows.replies import Progress
from pipeline_core.policy import Policy
from pipeline_core.records import Coherence, ColumnType, Detachment, DomainTest, Examination, Impact, Role, Schema, Task
from pipeline_core.stages import (
    artifact,
    attribution,
    coherence,
    detachment,
    domain,
    impact,
    preprocessing,
    profiling,
    segments,
    serving,
)

LOGGER = logging.getLogger(__name__)
EXPLAINED_ROWS_MAX = 500
"""Of a window, by SHAP: the ranking is stable from 250 rows on, and more would be most of the time of a look."""
FAILED = "could not be measured"
"""Said of a part that tripped over something: a look that says so is not kept for good."""
US_PER_DAY = 86_400e6

P = TypeVar("P")


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One window to look at: a sample of its ``window_rows`` rows as Parquet, and the columns that drifted, furthest first.

    ``against``: spans of event time of the rows that it was compared with (start inclusive, end exclusive); none: all.
    """

    start: datetime
    end: datetime
    rows: Path
    window_rows: int
    drifted: tuple[str, ...]
    against: tuple[tuple[datetime, datetime], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamineRequest:
    """What ``examine`` needs: model file, sample of fitted rows, shares by ``column_id``, and the windows.

    ``types``: what the policy lets a model file hold beside the house's own types. ``calendar`` are the columns that only say
    when a row happened; ``calibration`` is that of the hold-out.
    """

    schema: Schema
    policy: Policy
    seed: int
    artifact: Path
    artifact_sha256: str
    reference: Path
    shares: Mapping[str, float]
    calibration: tuple[tuple[float, float], ...]
    calendar: tuple[str, ...]
    looks: tuple[Look, ...]
    types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamineResult:
    """One examination for each look, in their order."""

    examinations: tuple[Examination, ...]


def examine(request: ExamineRequest, progress: Progress) -> ExamineResult:
    """Look at the rows of some windows.

    Parameters
    ----------
    request : ExamineRequest
        The windows and what they are held against.
    progress : callable
        Is told the share done (0-1) and what is being done.

    Returns
    -------
    ExamineResult
        Parts that could not be measured are said in the ``reason`` of their window.

    Raises
    ------
    ArtifactRejected
        The model file is not what the registry says.
    """
    pipeline = artifact.read(request.artifact, request.artifact_sha256, also=request.types)
    fitted = pq.read_table(request.reference).sort_by("event_at")
    found: list[Examination] = []
    for number, look in enumerate(request.looks):
        progress(number / len(request.looks), f"Looking at the window from {look.start:%Y-%m-%d %H:%M}")
        with threadpool_limits(1):
            found.append(_examination(request, look, pipeline, fitted))
    return ExamineResult(examinations=tuple(found))


@dataclass(frozen=True, slots=True)
class _Parts:
    """Measures one part after the other, and remembers why one could not be measured."""

    reasons: list[str] = field(default_factory=list)

    def measured(self, what: str, part: Callable[[], P], otherwise: P) -> P:
        try:
            return part()
        except Exception as error:  # one part must never cost the others, whatever it trips over
            LOGGER.exception("%s could not be measured", what)
            self.reasons.append(f"{what} {FAILED} ({type(error).__name__}: {str(error)[:200]})")
            return otherwise


def _examination(request: ExamineRequest, look: Look, pipeline: Pipeline, fitted: pa.Table) -> Examination:
    schema, policy, seed = request.schema, request.policy, request.seed
    parts = _Parts()
    rows = pq.read_table(look.rows)
    base = _compared(fitted, look.against, policy, parts)
    now, before = serving.frame(rows, schema), serving.frame(base, schema)
    every_now, every_before = _frame(rows, schema), _frame(base, schema)
    moving = [c.column_id for c in schema.features if c.type is not ColumnType.TIMESTAMP]
    moving = [name for name in moving if name not in request.calendar]
    drifted = [name for name in look.drifted if name in now.columns]
    predict = partial(_scores, pipeline, schema)
    nothing: tuple[tuple[Impact, ...], Impact | None] = ((), None)
    impacts, joint = parts.measured(
        "impact", lambda: impact.impact(predict, now, before, features=drifted, seed=seed), nothing
    )
    names = {c.column_id: c.name for c in schema.columns}
    return Examination(
        rows=rows.num_rows,
        baseline_rows=base.num_rows,
        impacts=tuple(replace(found, feature=names[found.feature]) for found in impacts),
        joint=joint,
        fault_loss=parts.measured("fault loss", lambda: _fault_loss(request, predict, (now, before), drifted), None),
        coherence=parts.measured(
            "coherence", lambda: _coherence(request, (every_now, every_before), drifted, moving), None
        ),
        detached=parts.measured(
            "whether columns belong to their rows",
            lambda: _detached(
                request, predict, (now, serving.frame(fitted, schema)), [name for name in moving if name not in drifted]
            ),
            (),
        ),
        domain=parts.measured(
            "domain test",
            lambda: _domain(every_now[moving], every_before[moving], names, policy=policy, seed=seed),
            None,
        ),
        attributions=parts.measured("attributions", lambda: _attributions(request, pipeline, now, before), {}),
        segments=parts.measured(
            "segments",
            lambda: segments.segment_drift(
                every_now, every_before, schema=schema, shares=request.shares, policy=policy, rows=look.window_rows
            ),
            (),
        ),
        reason="; ".join(parts.reasons),
    )


def _scores(pipeline: Pipeline, schema: Schema, features: pd.DataFrame) -> impact.Floats:
    return serving.scores(pipeline, features, schema)


def _compared(
    fitted: pa.Table, against: Sequence[tuple[datetime, datetime]], policy: Policy, parts: _Parts
) -> pa.Table:
    """Keep the fitted rows of the spans that the window was compared with, where enough of them were sampled."""
    if not against:
        return fitted
    events = fitted.column("event_at").cast(pa.timestamp("us"))
    kept = np.zeros(fitted.num_rows, dtype=np.bool_)
    for start, end in against:
        low, high = (pa.scalar(profiling.naive(moment), pa.timestamp("us")) for moment in (start, end))
        inside = pc.and_(pc.greater_equal(events, low), pc.less(events, high))
        kept |= pc.fill_null(inside, False).to_numpy()  # ruff: ignore[boolean-positional-value-in-call] - its own order
    if kept.sum() >= policy.window_rows_min:
        return fitted.filter(pa.array(kept))
    parts.reasons.append(
        f"held against all {fitted.num_rows:,} fitted rows of the sample: only {int(kept.sum()):,} of them are of the"
        f" baseline's time, {policy.window_rows_min:,} are needed"
    )
    return fitted


def _frame(rows: pa.Table, schema: Schema) -> pd.DataFrame:
    """Give features and protected columns by id: numbers as floats with NaN, dates as days, text with None."""
    wanted = [
        c for c in schema.columns if c.role in {Role.FEATURE, Role.PROTECTED} and c.column_id in rows.column_names
    ]
    return pd.DataFrame({c.column_id: _values(rows.column(c.column_id), c.type) for c in wanted}, copy=False)


def _values(column: pa.ChunkedArray, kind: ColumnType) -> pd.Series[Any]:
    if kind is ColumnType.CATEGORY:
        return pd.Series(np.array(column.cast(pa.string()).to_pylist(), dtype=object), dtype=object)
    if kind is ColumnType.TIMESTAMP:
        column = pc.divide(column.cast(pa.timestamp("us")).cast(pa.int64()).cast(pa.float64(), safe=False), US_PER_DAY)
    return pd.Series(column.cast(pa.float64()).to_numpy())


def _fault_loss(
    request: ExamineRequest, predict: impact.Predict, frames: tuple[pd.DataFrame, pd.DataFrame], drifted: Sequence[str]
) -> float | None:
    if request.schema.task is Task.REGRESSION or not drifted:
        return None
    return impact.fault_loss(
        predict, *frames, features=drifted, seed=request.seed, calibration=request.calibration
    )  # fmt: skip


def _coherence(
    request: ExamineRequest, frames: tuple[pd.DataFrame, pd.DataFrame], drifted: Sequence[str], moving: Sequence[str]
) -> Coherence | None:
    furthest = next((name for name in drifted if name in moving), None)
    if furthest is None:
        return None
    others = [name for name in moving if name != furthest]
    called = request.schema.by_id(furthest).name
    return coherence.coherence(*frames, feature=furthest, others=others, policy=request.policy, called=called)


def _detached(
    request: ExamineRequest, predict: impact.Predict, frames: tuple[pd.DataFrame, pd.DataFrame], columns: Sequence[str]
) -> tuple[Detachment, ...]:
    """Find the features that no longer belong to their rows, and price them where accuracy is defined."""
    # against all fitted rows, whatever the window is compared with: how columns hang together varies over the year as
    # well, and that is the measure
    priced = request.schema.task is not Task.REGRESSION
    return tuple(
        replace(
            one,
            feature=request.schema.by_id(one.feature).name,
            rivals=tuple(request.schema.by_id(other).name for other in one.rivals),
            fault_loss=impact.shuffle_loss(
                predict, frames[1], feature=one.feature, share=1 - one.kept, seed=request.seed,
                calibration=request.calibration,
            ) if priced else None,
        )
        for one in detachment.detached(*frames, columns=columns, policy=request.policy)
    )  # fmt: skip


def _domain(
    now: pd.DataFrame, before: pd.DataFrame, names: Mapping[str, str], *, policy: Policy, seed: int
) -> DomainTest:
    return domain.domain_test(now, before, policy=policy, seed=seed, names=names)


def _attributions(
    request: ExamineRequest, pipeline: Pipeline, now: pd.DataFrame, before: pd.DataFrame
) -> dict[str, tuple[float, float]]:
    found = attribution.explained(
        pipeline,
        now,
        preprocessing.source_features(pipeline),
        rows=min(int(request.policy.shap_rows), EXPLAINED_ROWS_MAX),
        seed=request.seed,
        background=before,
    )
    names = {c.column_id: c.name for c in request.schema.features}
    return {names[key]: (request.shares[key], share) for key, share in found.shares.items() if key in request.shares}
