"""The same season is found where the training data has one, and the check follows it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline_core.engines.duck import DuckEngine
from pipeline_core.flows import compute, intake, release, watch
from pipeline_core.flows.baselines import basis
from pipeline_core.flows.watched import cut, watched
from pipeline_core.policy import Policy
from pipeline_core.records import AlertLevel, BaselineKind, Season
from pipeline_core.store.home import Store

MODEL = "sales"
START = datetime(2024, 1, 1)  # ruff: ignore[call-datetime-without-tzinfo] - event times are naive UTC
DAYS, A_DAY, YEAR = 560, 40, 366


def rows(first: int, count: int, *, cycle: float) -> pa.Table:
    """Days with a temperature that follows the year, and a price that follows nothing."""
    random = np.random.default_rng(first)
    day = np.repeat(np.arange(first, first + count), A_DAY)
    warm = cycle * np.sin(2 * np.pi * day / 365.25) + random.normal(0, 1, len(day))
    price = random.normal(10, 2, len(day))
    moments = [START + timedelta(days=int(d), minutes=30 * (i % A_DAY)) for i, d in enumerate(day)]
    chance = 1 / (1 + np.exp(-warm - 0.3 * (price - 10)))
    return pa.table({
        "when": pa.array(moments, pa.timestamp("us")),
        "warm": np.round(warm, 2),
        "price": np.round(price, 2),
        "sold": np.where(random.random(len(day)) < chance, "yes", "no"),
    })


def home(folder: Path, *, cycle: float) -> Store:
    store = Store.open(folder / "home")
    pq.write_table(rows(0, YEAR, cycle=cycle), folder / "first.parquet")
    intake.define(store, MODEL, folder / "first.parquet", target="sold", positive="yes", time="when")
    release.train(store, MODEL, estimator="logistic_regression", compute=compute.in_process)
    release.promote(store, MODEL, version=1, by="test", reason="first")
    pq.write_table(rows(YEAR, DAYS - YEAR, cycle=cycle).drop_columns(["sold"]), folder / "later.parquet")
    intake.receive(store, MODEL, folder / "later.parquet")
    return store


@pytest.fixture(scope="module")
def seasonal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = home(tmp_path_factory.mktemp("seasonal"), cycle=2.0)
    yield store
    store.close()


def test_a_year_with_a_season_is_held_against_its_season_and_stays_quiet(seasonal: Store) -> None:
    report = watch.check(seasonal, MODEL, window="7d")
    assert report.baseline is not None
    assert (report.baseline.kind, report.baseline.season) == (BaselineKind.SEASON, Season.YEAR)
    assert report.baseline.decided_by == "the data"
    assert "the same year is nearer" in report.baseline.reason
    assert report.rule is not None
    assert report.rule.calibrated
    assert len(report.past) == report.rule.healthy_windows + sum(p.rows < 7 * A_DAY for p in report.past)
    assert {w.alert for w in report.windows} <= {AlertLevel.NONE, AlertLevel.WATCH}
    half_a_year = [w for w in report.windows if w.end <= report.windows[-1].end][-1]
    # 45 days to each side of it, without the week itself where the year holds it
    assert half_a_year.baseline_rows < 100 * A_DAY


def test_the_distribution_is_that_of_the_season(seasonal: Store) -> None:
    report = watch.check(seasonal, MODEL, window="7d")
    window = report.windows[-2]
    drawn = watch.distribution(seasonal, MODEL, feature="warm", start=window.start, end=window.end)
    assert (drawn.baseline_rows, drawn.current_rows) == (window.baseline_rows, window.rows)


def test_without_a_season_everything_is_the_baseline(tmp_path: Path) -> None:
    with home(tmp_path, cycle=0.0) as store:
        report = watch.check(store, MODEL, window="7d")
        assert report.baseline is not None
        assert report.baseline.kind is BaselineKind.TRAINING
        assert "no season is clearly nearer" in report.baseline.reason
        champion = store.models.champion(MODEL)
        assert champion is not None
        with DuckEngine() as engine:
            seen = watched(store, champion)
            laid = cut(store, engine, seen, window="7d")
            found = basis(store, engine, seen, laid)
    past = found.laid.healthy
    assert past == len(laid.reference)
    # leave one out: no window of the past is in its own baseline
    assert not found.selection[np.arange(past), np.arange(past)].any()
    assert (found.selection[past:].sum(axis=1) >= past - 1).all()
    assert np.array_equal(found.rows, found.selection @ np.array(laid.reference_rows))
    assert Policy().healthy_windows_min <= int(found.laid.comparable[:past].sum())
