"""Small real records for the store's tests: a schema of four columns, and batches whose figures are known."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline_core.records import (
    COUNTS,
    Alert,
    AlertLevel,
    BatchReport,
    BatchStatus,
    Column,
    ColumnType,
    Curves,
    Dataset,
    Decision,
    Measure,
    Measured,
    ModelVersion,
    Performance,
    PredictionDrift,
    Promotion,
    Role,
    Run,
    Schema,
    Stage,
    Task,
    TimeUnit,
    Verdict,
    WatchReport,
    WindowReport,
)
from pipeline_core.store import Store

DAY = datetime(2025, 1, 6, tzinfo=UTC)


def day(number: int) -> datetime:
    """The n-th day after the first one."""
    return DAY + timedelta(days=number)


def schema(model: str = "bank", *, task: Task = Task.BINARY, schema_version: int = 1, name: str = "income") -> Schema:
    target = ColumnType.NUMBER if task is Task.REGRESSION else ColumnType.CATEGORY
    return Schema(
        model=model,
        schema_version=schema_version,
        task=task,
        columns=(
            Column(column_id="c001", name=name, type=ColumnType.NUMBER, role=Role.FEATURE),
            Column(column_id="c002", name="job", type=ColumnType.CATEGORY, role=Role.FEATURE),
            Column(column_id="c003", name="y", type=target, role=Role.TARGET),
        ),
        baselines=(),
        grids=(),
        time_unit=TimeUnit.CLOCK,
        positive="yes" if task is Task.BINARY else None,
        classes=("no", "yes") if task is Task.BINARY else (),
        defined_at=DAY,
    )


def typed_rows(ids: Sequence[str], *, target: Sequence[Any] | None = None, first_day: int = 0) -> pa.Table:
    """One row a day from ``first_day`` on; c001 = 10, 20, ...; c002 alternates a, b."""
    n = len(ids)
    days = [day(first_day + i).replace(tzinfo=None) for i in range(n)]
    kind = pa.float64() if target is not None and any(isinstance(t, float) for t in target) else pa.string()
    return pa.table({
        "row_id": pa.array(ids, pa.string()),
        "row_number": pa.array(range(n), pa.int64()),
        "event_at": pa.array(days, pa.timestamp("us")),
        "c001": pa.array([10.0 * (i + 1) for i in range(n)], pa.float64()),
        "c002": pa.array(["ab"[i % 2] for i in range(n)], pa.string()),
        "c003": pa.array(list(target) if target is not None else [None] * n, kind),
    })


def day_counts(rows: pa.Table) -> pa.Table:
    """Counts of the two features by day, as an engine gives them: one entry a row here."""
    n = rows.num_rows
    return pa.table(
        {
            "column_id": ["c001"] * n + ["c002"] * n,
            "bucket": pa.chunked_array([*rows["event_at"].chunks, *rows["event_at"].chunks]),
            "cell": pa.array(rows["c001"].to_pylist() + [None] * n, pa.float64()),
            "level": pa.array([None] * n + rows["c002"].to_pylist(), pa.string()),
            "n": pa.array([1] * (2 * n), pa.int64()),
        },
        schema=COUNTS,
    )


def report(
    batch_id: str,
    rows: int,
    content: bytes,
    *,
    model: str = "bank",
    status: BatchStatus = BatchStatus.ACCEPTED,
) -> BatchReport:
    return BatchReport(
        model=model,
        batch_id=batch_id,
        status=status,
        rows=rows,
        sha256=hashlib.sha256(content).hexdigest(),
        source="file.csv",
        received_at=DAY,
        findings=(),
    )


def file(rows: pa.Table, folder: Path, name: str = "rows.parquet") -> Path:
    """Write typed rows as the confined child does."""
    pq.write_table(rows, folder / name)
    return folder / name


def add_batch(
    store: Store,
    ids: Sequence[str],
    *,
    model: str = "bank",
    target: Sequence[Any] | None = None,
    first_day: int = 0,
    status: BatchStatus = BatchStatus.ACCEPTED,
    measures: Sequence[Measure] = (),
) -> BatchReport:
    """Receive a batch as a flow does; its content is made of the arguments."""
    content = f"{model}{list(ids)}{target}{first_day}".encode()
    rows = typed_rows(ids, target=target, first_day=first_day)
    with store.work_dir() as work, store.transaction():
        raw = work / "file.csv"
        raw.write_bytes(content)
        told = report(store.batches.next_id(model), len(ids), content, model=model, status=status)
        return store.batches.add(told, raw=raw, rows=file(rows, work), counts=day_counts(rows), measures=measures)


def add_version(store: Store, *, model: str = "bank", content: bytes = b"pipeline") -> ModelVersion:
    """Keep a version as a flow does."""
    with store.work_dir() as work, store.transaction():
        file = work / "model.skops"
        file.write_bytes(content)
        kept = version(store.models.next_version(model), store.artifacts.put(file), model=model)
        store.models.add_version(kept)
    return kept


def version(number: int, artifact: str, *, model: str = "bank") -> ModelVersion:
    return ModelVersion(
        model=model,
        version=number,
        stage=Stage.CHALLENGER,
        run=Run(
            run_id=f"r-{number}",
            estimator="logistic_regression",
            parameters={"C": 1.0},
            seed=7,
            code_version="0",
            packages={"scikit-learn": "1.9.1"},
            started_at=DAY,
            duration_s=1.5,
        ),
        dataset=Dataset(batches=("b-0001",), rows=3, sha256="0" * 64, fit_rows=2, holdout_rows=1, holdout_share=0.2),
        metrics={"auc": Measured(value=0.75, low=0.7, high=0.8, rows=1)},
        curves=Curves(),
        shap_shares={"income": 0.6, "job": 0.4},
        artifact_sha256=artifact,
        artifact_bytes=8,
        schema_version=1,
        created_at=DAY,
    )


def promotion(number: int, *, epoch: int, previous: int | None, model: str = "bank", by: str = "Ada") -> Promotion:
    return Promotion(
        model=model,
        epoch=epoch,
        version=number,
        previous=previous,
        action="promote",
        by=by,
        reason="better",
        verdict_id=None,
        at=DAY,
    )


def verdict(number: int, verdict_id: str, *, model: str = "bank") -> Verdict:
    return Verdict(
        verdict_id=verdict_id,
        model=model,
        version=number,
        champion=None,
        epoch=0,
        verdict=Decision.PROMOTE,
        reasons=("better",),
        metrics={},
        rows=3,
        decided_at=DAY,
    )


def predicted(rows: pa.Table, *, score: float = 0.5) -> pa.Table:
    n = rows.num_rows
    return pa.table({
        "row_id": rows["row_id"],
        "row_number": rows["row_number"],
        "event_at": rows["event_at"],
        "prediction": pa.array(["yes"] * n, pa.string()),
        "score": pa.array([score] * n, pa.float64()),
        "value": pa.array([None] * n, pa.float64()),
    })


def window(first_day: int, *, rows: int = 10) -> WindowReport:
    return WindowReport(
        start=day(first_day),
        end=day(first_day + 7),
        rows=rows,
        alert=AlertLevel.NONE,
        reasons=(),
        weighted_drift=0.1,
        features=(),
        prediction_drift=PredictionDrift(
            rows=rows,
            statistic=None,
            p_value=None,
            effect=None,
            drifted=False,
            baseline_mean=None,
            current_mean=None,
            reason="no scores",
        ),
        performance=Performance(
            labelled_rows=0, scored_rows=0, metrics={}, reference=None, dropped=False, reason="no labels"
        ),
    )


def watch(number: int, windows: Sequence[WindowReport], *, spec: str = "7d", model: str = "bank") -> WatchReport:
    return WatchReport(
        model=model,
        version=number,
        window=spec,
        baseline_rows=100,
        checked_at=DAY,
        windows=tuple(windows),
    )


def alert(alert_id: str, *, model: str = "bank", level: AlertLevel = AlertLevel.PAGE, raised: int = 0) -> Alert:
    return Alert(
        alert_id=alert_id,
        model=model,
        version=1,
        code="data_drift",
        level=level,
        feature="income",
        message="income drifted.",
        window_start=day(0),
        window_end=day(7),
        contribution=0.2,
        raised_at=day(raised),
    )


def labels(*pairs: tuple[str | None, object]) -> pa.Table:
    """Ground truth as a flow hands it over."""
    return pa.table({"row_id": pa.array([p[0] for p in pairs], pa.string()), "value": pa.array([p[1] for p in pairs])})


def known(store: Store, model: str = "bank") -> dict[str, tuple[str, int]]:
    """The newest label of each row and its revision."""
    return {r["row_id"]: (r["value"], r["revision"]) for r in store.batches.labels(model).to_pylist()}
