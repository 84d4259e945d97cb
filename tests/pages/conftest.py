"""A store that a page can be opened on: empty, or one model with a champion, eight watched weeks and three alerts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pipeline_core.records import (
    COUNTS,
    Alert,
    AlertLevel,
    BatchReport,
    BatchStatus,
    Column,
    ColumnBaseline,
    ColumnType,
    Curves,
    Dataset,
    DriftState,
    FeatureDrift,
    Finding,
    Grid,
    Measured,
    ModelVersion,
    NullChange,
    Performance,
    PredictionDrift,
    Promotion,
    Role,
    Run,
    Schema,
    Severity,
    Stage,
    Task,
    TimeUnit,
    WatchReport,
    WindowReport,
)
from pipeline_core.service import host
from pipeline_core.store import Store

FRAME = Path(__file__).resolve().parents[2] / "pages" / "frame.py"
DAY = datetime(2025, 3, 3, tzinfo=UTC)
HOSTILE = "=cmd|'/c calc'!A0 <b>**x**</b> :red[a]"
SHARES = {"income": 0.4, "debt": 0.35, "purpose": 0.23, HOSTILE: 0.02}
WEEKS = 8


def week(number: int) -> datetime:
    """The Monday of the n-th watched week, from 3 March 2025 on."""
    return DAY + timedelta(days=7 * number)


def schema(model: str = "loans", *, time_unit: TimeUnit = TimeUnit.CLOCK, demo: bool = False) -> Schema:
    kinds = {name: ColumnType.CATEGORY if name == "purpose" else ColumnType.NUMBER for name in SHARES}
    features = [
        Column(column_id=f"c00{i}", name=name, type=kind, role=Role.FEATURE)
        for i, (name, kind) in enumerate(kinds.items(), start=1)
    ]
    grids = [Grid(column_id=c.column_id, kind="level" if c.type is ColumnType.CATEGORY else "value") for c in features]
    return Schema(
        model=model,
        schema_version=1,
        task=Task.BINARY,
        columns=(
            *features,
            Column(column_id="c008", name="default", type=ColumnType.CATEGORY, role=Role.TARGET),
            Column(column_id="c009", name="at", type=ColumnType.TIMESTAMP, role=Role.TIME),
        ),
        baselines=tuple(ColumnBaseline(column_id=c.column_id, rows=1000, null_share=0.0, distinct=9) for c in features),
        grids=tuple(grids),
        time_unit=time_unit,
        positive="yes",
        classes=("no", "yes"),
        defined_at=DAY,
        demo=demo,
    )


def batch(
    number: int, *, model: str = "loans", rows: int = 200, status: BatchStatus = BatchStatus.ACCEPTED
) -> BatchReport:
    start = week(number)
    broken = Finding(
        code="type_changed", column="income", severity=Severity.ERROR, message="Column 'income' came as text; number is allowed."
    )  # fmt: skip
    return BatchReport(
        model=model,
        batch_id=f"b-{number + 2:04d}",
        status=status,
        rows=rows,
        sha256=hashlib.sha256(f"{model}{number}{status}".encode()).hexdigest(),
        source=f"week-{number}.csv",
        received_at=start + timedelta(days=8),
        findings=(broken,) if status is BatchStatus.QUARANTINED else (),
        first_event_at=start,
        last_event_at=start + timedelta(days=7, seconds=-1),
    )


def typed(report: BatchReport) -> pa.Table:
    """Rows of a batch: income and debt count up, a quarter has no income."""
    n = report.rows
    start = (report.first_event_at or DAY).replace(tzinfo=None)
    return pa.table({
        "row_id": [f"{report.batch_id}-{i}" for i in range(n)],
        "row_number": pa.array(range(n), pa.int64()),
        "event_at": pa.array([start] * n, pa.timestamp("us")),
        "c001": pa.array([None if i % 4 == 0 else float(i % 50) for i in range(n)], pa.float64()),
        "c002": pa.array([float(i % 20) for i in range(n)], pa.float64()),
        "c003": pa.array([("car", "home", "other")[i % 3] for i in range(n)]),
        "c004": pa.array([float(i % 3) for i in range(n)], pa.float64()),
        "c008": pa.array([None] * n, pa.string()),
        "c009": pa.array([start] * n, pa.timestamp("us")),
    })


def counted(rows: pa.Table) -> pa.Table:
    """COUNTS of the four features by day, one entry a row."""
    parts = []
    for column_id in ("c001", "c002", "c003", "c004"):
        level = column_id == "c003"
        entries = rows.select(["event_at", column_id]).group_by(["event_at", column_id]).aggregate([([], "count_all")])
        n = entries.num_rows
        parts.append(
            pa.table(
                {
                    "column_id": [column_id] * n,
                    "bucket": entries["event_at"],
                    "cell": pa.nulls(n, pa.float64()) if level else entries[column_id],
                    "level": entries[column_id] if level else pa.nulls(n, pa.string()),
                    "n": entries["count_all"].cast(pa.int64()),
                },
                schema=COUNTS,
            )
        )
    return pa.concat_tables(parts)


def version(number: int, artifact: str, *, model: str = "loans") -> ModelVersion:
    return ModelVersion(
        model=model,
        version=number,
        stage=Stage.CHALLENGER,
        run=Run(
            run_id=f"r-{number}", estimator="logistic_regression", parameters={}, seed=7, code_version="0",
            packages={"scikit-learn": "1.9.1"}, started_at=DAY, duration_s=1.5,
        ),
        dataset=Dataset(
            batches=("b-0001",), rows=1000, sha256="0" * 64, fit_rows=800, holdout_rows=200, holdout_share=0.2,
            first_event_at=DAY - timedelta(days=90), last_event_at=DAY - timedelta(days=1),
        ),
        metrics={"auc": Measured(value=0.78, low=0.76, high=0.8, rows=200), "brier": Measured(value=0.12, rows=200)},
        curves=Curves(),
        shap_shares=SHARES,
        artifact_sha256=artifact,
        artifact_bytes=8,
        schema_version=1,
        created_at=DAY,
    )  # fmt: skip


def drift(feature: str, effect: float, *, drifted: bool = False, nulls: NullChange | None = None) -> FeatureDrift:
    share = SHARES[feature]
    level = AlertLevel.NONE if not drifted else AlertLevel.PAGE if feature == "income" else AlertLevel.WATCH
    return FeatureDrift(
        feature=feature,
        test="chi2" if feature == "purpose" else "ks",
        statistic=effect,
        p_value=0.0001 if drifted else 0.4,
        p_adjusted=0.0004 if drifted else 0.6,
        effect=effect,
        drifted=drifted,
        state=DriftState.DRIFTED if drifted else DriftState.STABLE,
        shap_share=share,
        shap_rank=list(SHARES).index(feature) + 1,
        nulls=nulls or NullChange(baseline=0.25, current=0.25, p_value=1.0, p_adjusted=1.0),
        contribution=share * effect,
        smallest_detectable=0.09,
        alert=level,
        reason=f"{feature}: distribution moved by D = {effect} (p < 0.001)"
        if drifted
        else f"{feature}: stable, D = {effect}",
    )


def window(number: int) -> WindowReport:
    """Week 5 to 7: income drifts and pages; all weeks: the hostile one drifts and is watched; from week 6 the AUC drops."""
    income = drift("income", 0.31 if number >= 5 else 0.04, drifted=number >= 5)
    known, dropped = number <= 6, number == 6
    auc = {"auc": Measured(value=0.71 if dropped else 0.78, low=0.68, high=0.8, rows=150)} if known else {}
    return WindowReport(
        start=week(number),
        end=week(number + 1),
        rows=200,
        alert=AlertLevel.PAGE if number >= 5 else AlertLevel.WATCH,
        reasons=("income drifted",) if number >= 5 else (),
        weighted_drift=0.16 if number >= 5 else 0.05,
        features=(income, drift("debt", 0.05), drift("purpose", 0.02), drift(HOSTILE, 0.45, drifted=True)),
        prediction_drift=PredictionDrift(
            rows=200, statistic=0.1, p_value=0.3, effect=0.05, drifted=False, baseline_mean=0.2, current_mean=0.21
        ),
        performance=Performance(
            labelled_rows=150 if known else 0, scored_rows=200, metrics=auc, reference=0.78, dropped=dropped,
            reason="" if known else "no labels yet",
        ),
    )  # fmt: skip


def alert(
    alert_id: str, *, number: int, feature: str | None, level: AlertLevel = AlertLevel.PAGE, code: str = "data_drift"
) -> Alert:
    return Alert(
        alert_id=alert_id,
        model="loans",
        version=1,
        code=code,
        level=level,
        feature=feature,
        message=f"{feature or 'AUC'} moved far; 0.1 is allowed by drift_effect_min. Look upstream.",
        window_start=week(number),
        window_end=week(number + 1),
        contribution=None if feature is None else SHARES[feature] * 0.4,
        raised_at=week(number + 1),
        rule="Calibrated on 43 healthy windows. On the 9 healthy windows themselves it would have paged once."
        if code == "data_drift"
        else "",
    )


def fill(
    store: Store, *, model: str = "loans", watched: bool = True, champion: bool = True, demo: bool = False
) -> None:
    """Put the scene into a store: batches, and where asked the champion and what was watched."""
    store.models.define(schema(model, demo=demo))
    for number in range(-1, WEEKS):
        report = batch(number, model=model)
        rows = typed(report)
        with store.work_dir() as work:
            pq.write_table(rows, work / "rows.parquet")
            store.batches.add(report, rows=work / "rows.parquet", counts=counted(rows))
    if champion:
        _crown(store, model)
    if watched and champion:
        seen = WatchReport(
            model=model, version=1, window="7d", baseline_rows=800, checked_at=week(WEEKS),
            windows=tuple(window(number) for number in range(WEEKS)),
        )  # fmt: skip
        store.signals.put_windows(seen)
        store.signals.add_alerts([
            alert("a-1", number=5, feature="income"),
            alert("a-2", number=6, feature="income"),
            alert("a-3", number=6, feature=HOSTILE, level=AlertLevel.WATCH),
            alert("a-4", number=6, feature=None, code="performance"),
        ])


def _crown(store: Store, model: str) -> None:
    with store.work_dir() as work, store.transaction():
        file = work / "model.skops"
        file.write_bytes(f"pipeline of {model}".encode())
        store.models.add_version(version(1, store.artifacts.put(file), model=model))
        first = typed(batch(-1, model=model))
        store.models.set_baseline(model, 1, counts=counted(first), score_counts=None)
        store.models.apply(
            Promotion(
                model=model, epoch=1, version=1, previous=None, action="promote", by="Ada", reason="better than a guess",
                verdict_id=None, at=week(0),
            )
        )  # fmt: skip


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The process's own store on an empty home; what a page does lands here."""
    monkeypatch.setenv("PIPELINE_HOME", str(tmp_path / "home"))
    host.stop()
    st.cache_resource.clear()
    yield host.host().store
    host.stop()
    st.cache_resource.clear()


@pytest.fixture
def seeded(home: Store) -> Store:
    """The store with one watched model, ``loans``."""
    fill(home)
    return home


@pytest.fixture
def visit() -> Callable[..., AppTest]:
    """Open a page cold, as a deep link does: the frame runs with that page and these query parameters."""

    def go(page: str = "watch/overview.py", **query: str) -> AppTest:
        at = AppTest.from_file(str(FRAME), default_timeout=30)
        for name, value in query.items():
            at.query_params[name] = value
        at.switch_page(page)
        return at.run()

    return go
