"""A join goes wrong upstream: every column looks as it always did, and one of them holds the values of other rows."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline_core.flows import compute, intake, release, watch
from pipeline_core.records import AlertLevel, BatchStatus
from pipeline_core.store.home import Store

MODEL = "credit"
MONDAY = datetime.fromisoformat("2025-03-03")
WEEK_ROWS, LEARNED_WEEKS = 1_000, 8
STEP = timedelta(weeks=1) / WEEK_ROWS


def weeks(first: int, count: int) -> pa.Table:
    """Give weeks of loans; what is owed, what is earned and the plan hang together."""
    rows = count * WEEK_ROWS
    random = np.random.default_rng(first + 1)
    wealth = random.normal(size=rows)
    income = np.exp(10.3 + 0.5 * wealth + 0.25 * random.normal(size=rows))
    debt = np.exp(8 + 0.6 * wealth + 0.5 * random.normal(size=rows))
    plan = np.where(wealth + random.normal(size=rows) > 0.8, "gold", "basic")
    chance = 1 / (1 + np.exp(-1.5 * (np.log(debt) - 8 - 1.6 * (np.log(income) - 10.3))))
    start = MONDAY + timedelta(weeks=first)
    return pa.table({
        "id": [f"r{first}-{i}" for i in range(rows)],
        "at": pa.array([start + i * STEP for i in range(rows)], pa.timestamp("us")),
        "income": income.round(0),
        "debt": debt.round(0),
        "plan": pa.array(plan, pa.string()),
        "age": random.normal(40, 10, size=rows).round(0),
        "outcome": pa.array(np.where(random.random(rows) < chance, "yes", "no")),
    })


def test_a_wrong_join_pages_by_the_columns_name_though_no_count_shows_it(tmp_path: Path) -> None:
    def written(name: str, table: pa.Table) -> Path:
        pq.write_table(table, tmp_path / f"{name}.parquet")
        return tmp_path / f"{name}.parquet"

    with Store.open(tmp_path / "home") as store:
        first = written("first", weeks(0, LEARNED_WEEKS))
        intake.define(store, MODEL, first, target="outcome", positive="yes", time="at", id="id")
        release.train(store, MODEL, estimator="logistic_regression", compute=compute.in_process)
        release.promote(store, MODEL, version=1, by="test", reason="first")

        def checked(number: int, table: pa.Table) -> watch.WatchReport:
            batch = intake.receive(store, MODEL, written(f"b{number}", table.drop_columns(["outcome"])))
            assert batch.status is BatchStatus.ACCEPTED
            assert batch.findings == ()
            intake.score(store, MODEL, batch_id=batch.batch_id)
            return watch.check(store, MODEL, window="7d", compute=compute.in_process)

        healthy = checked(1, weeks(LEARNED_WEEKS, 1)).windows[-1]
        assert healthy.alert is AlertLevel.NONE
        assert healthy.examined is not None
        assert healthy.examined.detached == ()

        broken = weeks(LEARNED_WEEKS + 1, 1)
        others = np.random.default_rng(9).permutation(WEEK_ROWS)
        broken = broken.set_column(2, "income", broken["income"].take(pa.array(others)))
        report = checked(2, broken)
        window = report.windows[-1]
        assert not any(f.drifted for f in window.features)
        assert window.examined is not None
        (found,) = window.examined.detached
        assert found.feature == "income"
        assert found.kept < 0.2
        assert found.fault_loss is not None
        assert found.fault_loss > 0.05
        assert {f.feature: f.alert for f in window.features if f.alert is not AlertLevel.NONE} == {
            "income": AlertLevel.PAGE
        }
        assert window.alert is AlertLevel.PAGE
        (alert,) = [a for a in store.signals.alerts(MODEL) if a.level is AlertLevel.PAGE]
        assert alert.feature == "income"
        assert "no longer belongs to its row" in alert.message
        assert "points of accuracy" in alert.message
        assert "Check the join" in alert.message
        # the same look is not paid for twice, and raises nothing twice
        again = watch.check(store, MODEL, window="7d", compute=compute.in_process)
        assert again.new_alerts == 0
        assert again.windows == report.windows
