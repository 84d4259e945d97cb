"""Check, distribution and status on a small store; every figure against numpy and scipy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipeline_core.engines.duck import DuckEngine
from pipeline_core.errors import InvalidDefinition, NotFound, Unreadable
from pipeline_core.flows import intake, watch
from pipeline_core.records import AlertLevel, BatchStatus, DriftState, Grid, Measured
from pipeline_core.stages.training import hashed_holdout
from pipeline_core.store.home import Store
from tests.core.flows import watching
from tests.core.flows.watching import LATER, LEARNED, MODEL, START, STEP, distance, income_of, moment, stream

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("watch")
    with Store.open(folder / "home") as opened:
        watching.champion(opened, folder)
        watching.deliver(opened, folder)
        yield opened


def cut_at(store: Store) -> datetime:
    champion = store.models.champion(MODEL)
    assert champion is not None
    assert champion.dataset.holdout_from is not None
    return champion.dataset.holdout_from


def test_weeks_are_compared_with_what_the_champion_learned(store: Store) -> None:
    report = watch.check(store, MODEL, window="7d")
    since, rows = cut_at(store), stream()
    fitted = rows["income"][rows["when"] < moment(since)]
    assert (report.model, report.version, report.window) == (MODEL, 1, "7d")
    assert report.baseline_rows == len(fitted) == 1_120
    assert [w.start.weekday() for w in report.windows] == [0] * len(report.windows)
    assert sum(w.rows for w in report.windows) == LEARNED + LATER - 1_120
    for window, (statistic, p_value) in zip(report.windows, income_of(report), strict=True):
        inside = (rows["when"] >= moment(max(since, window.start))) & (rows["when"] < moment(window.end))
        assert window.rows == inside.sum()
        expected = distance(fitted, rows["income"][inside])
        assert statistic == pytest.approx(expected[0], abs=1e-12)
        assert p_value == pytest.approx(expected[1], abs=1e-9)


def test_the_shift_pages_and_the_weeks_before_are_quiet(store: Store) -> None:
    windows = watch.check(store, MODEL, window="7d").windows
    shifted = START + watching.SHIFT_FROM * STEP
    for window in windows:
        income = next(f for f in window.features if f.feature == "income")
        if window.end <= shifted:
            assert not income.drifted
        if window.start >= shifted and window.rows >= store.policy.window_rows_min:
            assert income.state is DriftState.DRIFTED
            assert income.alert is AlertLevel.PAGE
            assert window.alert is AlertLevel.PAGE
            assert window.prediction_drift.drifted


def test_truth_is_measured_where_it_has_arrived(store: Store) -> None:
    windows = watch.check(store, MODEL, window="7d").windows
    assert sum(w.performance.scored_rows for w in windows) == LATER
    assert sum(w.performance.labelled_rows for w in windows) == 1_000
    best = max(windows, key=lambda w: w.performance.labelled_rows).performance
    assert isinstance(best.metrics["auc"], Measured)
    assert best.reference == pytest.approx(store.models.version(MODEL, 1).metrics["auc"].value)  # type: ignore[union-attr]


def test_checking_again_changes_nothing(store: Store) -> None:
    watch.check(store, MODEL, window="7d")
    kept, alerts = store.signals.windows(MODEL, version=1, window="7d"), store.signals.alerts(MODEL)
    again = watch.check(store, MODEL, window="7d")
    assert again.new_alerts == 0
    assert again.windows == kept == store.signals.windows(MODEL, version=1, window="7d")
    assert store.signals.alerts(MODEL) == alerts
    assert any(alert.code == "data_drift" and alert.feature == "income" for alert in alerts)


@pytest.mark.parametrize("size", [500, 777])
def test_windows_in_rows_follow_the_stream(store: Store, size: int) -> None:
    report = watch.check(store, MODEL, window=f"{size}rows")
    since, rows = cut_at(store), stream()
    late = rows["when"] >= moment(since)
    places = np.flatnonzero(late)
    parts = [places[i : i + size] for i in range(0, len(places), size)]
    assert [w.rows for w in report.windows] == [len(p) for p in parts]
    for window, part, (statistic, _) in zip(report.windows, parts, income_of(report), strict=True):
        assert (moment(window.start), moment(window.end)) == (rows["when"][part[0]], rows["when"][part[-1]])
        assert statistic == pytest.approx(distance(rows["income"][~late], rows["income"][part])[0], abs=1e-12)
    assert sum(w.performance.scored_rows for w in report.windows) == LATER


def test_the_length_is_chosen_when_nobody_asks(store: Store) -> None:
    report = watch.check(store, MODEL)
    assert report.window == "7d"
    assert watch.check(store, MODEL, window="24h").window == "1d"


def test_days_hold_only_what_came_after_the_fitted_rows(store: Store) -> None:
    report, since = watch.check(store, MODEL, window="1d"), cut_at(store)
    assert since.hour + since.minute > 0
    first = report.windows[0]
    assert first.start == since.replace(hour=0, minute=0)
    assert first.rows == -((since - first.start - DAY) // STEP)
    assert {w.rows for w in report.windows[1:-1]} == {watching.ROWS_A_DAY}


@pytest.mark.parametrize("window", ["7d", "777rows", "1d"])
def test_a_distribution_is_that_of_the_window(store: Store, window: str) -> None:
    report = watch.check(store, MODEL, window=window)
    for reported, (statistic, _) in list(zip(report.windows, income_of(report), strict=True))[:3]:
        drawn = watch.distribution(store, MODEL, feature="income", start=reported.start, end=reported.end)
        assert (drawn.baseline_rows, drawn.current_rows) == (1_120, reported.rows)
        assert statistic == pytest.approx(max(abs(f - g) for _, f, g in drawn.cdf), abs=2e-3)
        levels = watch.distribution(store, MODEL, feature="plan", start=reported.start, end=reported.end)
        assert set(levels.levels) == {"basic", "plus", "gold"}
        assert sum(levels.current) + levels.current_null_share == pytest.approx(1.0)


def test_a_distribution_of_any_time_and_of_none(store: Store) -> None:
    start = START + (LEARNED + 10) * STEP
    drawn = watch.distribution(store, MODEL, feature="age", start=start, end=start + 20 * STEP)
    assert drawn.current_rows == 20
    empty = watch.distribution(store, MODEL, feature="age", start=start + 900 * DAY, end=start + 901 * DAY)
    assert (empty.current_rows, empty.current) == (0, ())


def test_a_feature_or_time_that_cannot_be_is_said(store: Store) -> None:
    with pytest.raises(NotFound, match=r"no feature 'incom'\. Did you mean 'income'"):
        watch.distribution(store, MODEL, feature="incom", start=START, end=START + DAY)
    with pytest.raises(InvalidDefinition, match="before it starts"):
        watch.distribution(store, MODEL, feature="income", start=START, end=START - DAY)
    with pytest.raises(InvalidDefinition, match="is not understood"):
        watch.check(store, MODEL, window="fortnight")


def test_a_feature_that_is_not_counted_is_said(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = replace(store.models.schema(MODEL), grids=())
    monkeypatch.setattr(store.models, "schema", lambda *_: bare)
    with pytest.raises(NotFound, match=r"^Column 'age' of model 'loans' is not counted"):
        watch.distribution(store, MODEL, feature="age", start=START, end=START + DAY)


def test_one_column_that_cannot_be_read_again_costs_the_others_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = income_of(watch.check(store, MODEL, window="7d"))

    def broken(self: DuckEngine, base: object, current: object, grid: Grid, **rest: Any) -> dict[object, float]:
        raise Unreadable(f"{grid.column_id} is gone.")

    monkeypatch.setattr(DuckEngine, "exact_ks", broken)
    report = watch.check(store, MODEL, window="7d")
    for (bound, _), (distance_, _) in zip(income_of(report), exact, strict=True):
        assert bound is not None
        assert distance_ is not None
        assert bound <= distance_ <= bound + 0.02
    assert {f.feature for f in report.windows[0].features} == {"income", "age", "plan"}


def test_status_is_of_all_or_of_one(store: Store) -> None:
    assert [s.model for s in watch.status(store)] == [MODEL]
    assert watch.status(store, MODEL)[0].champion == 1
    with pytest.raises(NotFound):
        watch.status(store, "other")


def test_without_a_champion_there_is_nothing_to_watch(tmp_path: Path) -> None:
    with Store.open(tmp_path / "home") as opened:
        with pytest.raises(NotFound):
            watch.check(opened, MODEL)
        first = watching.write(tmp_path, "first.parquet", watching.rows(0, 400, seed=1))
        intake.define(opened, MODEL, first, target="outcome", positive="yes", time="when", id="loan")
        with pytest.raises(NotFound, match="no champion yet, so there is nothing to watch"):
            watch.check(opened, MODEL)


def test_labels_that_came_after_the_training_are_not_what_was_learned(tmp_path: Path) -> None:
    with Store.open(tmp_path / "home") as opened:
        watching.champion(opened, tmp_path, late=400)
        watching.deliver(opened, tmp_path)
        champion = opened.models.champion(MODEL)
        assert champion is not None
        assert champion.dataset.rows == LEARNED - 200
        assert opened.batches.labelled_rows(MODEL) == LEARNED + 1_000
        rows = stream()
        labelled = np.concatenate([rows["income"][:200], rows["income"][400:LEARNED]])
        fitted = labelled[: champion.dataset.fit_rows]
        report = watch.check(opened, MODEL, window="7d")
    since = champion.dataset.holdout_from
    assert since is not None
    for window, (statistic, _) in zip(report.windows, income_of(report), strict=True):
        inside = (rows["when"] >= moment(max(since, window.start))) & (rows["when"] < moment(window.end))
        assert statistic == pytest.approx(distance(fitted, rows["income"][inside])[0], abs=1e-12)


def test_without_an_event_time_later_batches_are_watched(tmp_path: Path) -> None:
    with Store.open(tmp_path / "home") as opened:
        watching.champion(opened, tmp_path, time=None)
        assert watch.check(opened, MODEL, window="1d").windows == ()
        watching.deliver(opened, tmp_path)
        champion = opened.models.champion(MODEL)
        assert champion is not None
        days, parts = watch.check(opened, MODEL), watch.check(opened, MODEL, window="1000rows")
        drawn = watch.distribution(
            opened, MODEL, feature="income", start=parts.windows[1].start, end=parts.windows[1].end
        )
    assert days.window == "1d"
    assert days.baseline_rows == champion.dataset.fit_rows < LEARNED
    assert sum(w.rows for w in days.windows) == LATER
    assert sum(w.performance.scored_rows for w in days.windows) == LATER
    assert [w.rows for w in parts.windows] == [1_000, 800] == [w.performance.scored_rows for w in parts.windows]
    assert drawn.current_rows == 800
    assert days.windows[0].start <= datetime.now(UTC)
    income = stream()["income"]
    held = hashed_holdout([f"loan-{i}" for i in range(LEARNED)], champion.dataset.holdout_share)
    fitted, later = income[:LEARNED][~held], income[LEARNED:]
    expected = [distance(fitted, part)[0] for part in (later[:1_000], later[1_000:])]
    assert [statistic for statistic, _ in income_of(parts)] == pytest.approx(expected, abs=1e-12)
    assert [statistic for statistic, _ in income_of(days)] == pytest.approx([distance(fitted, later)[0]], abs=1e-12)


@pytest.fixture(scope="module")
def corrected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, np.ndarray]]:
    """Rows 1,000 to 2,399 come again with other incomes: fitted ones, held-out ones and later ones."""
    folder = tmp_path_factory.mktemp("again")
    with Store.open(folder / "home") as opened:
        watching.champion(opened, folder)
        watching.deliver(opened, folder)
        stream_rows = pa.concat_tables([watching.rows(0, LEARNED, seed=1), watching.rows(LEARNED, LATER, seed=2)])
        part = stream_rows.slice(1_000, 1_400).drop_columns(["outcome"])
        part = part.set_column(2, "income", pc.add(part["income"], 0.5))
        batch = intake.receive(opened, MODEL, watching.write(folder, "again.parquet", part))
        assert batch.status is BatchStatus.ACCEPTED
        for batch_id in ("b-0001", batch.batch_id):
            intake.score(opened, MODEL, batch_id=batch_id)
        income = stream()["income"].copy()
        income[1_000:2_400] += 0.5
        yield opened, income


@pytest.mark.parametrize("window", ["1d", "7d", "10d", "300rows"])
def test_a_row_that_came_again_counts_once(corrected: tuple[Store, np.ndarray], window: str) -> None:
    store, income = corrected
    report, since, when = watch.check(store, MODEL, window=window), cut_at(store), stream()["when"]
    fitted = stream()["income"][when < moment(since)]  # as it was learned
    assert sum(w.rows for w in report.windows) == LEARNED + LATER - 1_120
    assert [w.performance.scored_rows for w in report.windows] == [w.rows for w in report.windows]
    assert sum(w.performance.labelled_rows for w in report.windows) == LEARNED + 1_000 - 1_120
    later, first = income[when >= moment(since)], 0
    for w, (statistic, p_value) in zip(report.windows, income_of(report), strict=True):
        expected = distance(fitted, later[first : first + w.rows])
        first += w.rows
        assert statistic == pytest.approx(expected[0], abs=1e-12)
        assert p_value == pytest.approx(expected[1], abs=1e-9)
        drawn = watch.distribution(store, MODEL, feature="income", start=w.start, end=w.end)
        assert drawn.current_rows == w.rows


def test_without_an_event_time_a_fitted_row_that_comes_again_is_watched_once(tmp_path: Path) -> None:
    with Store.open(tmp_path / "home") as opened:
        watching.champion(opened, tmp_path, time=None)
        watching.deliver(opened, tmp_path)
        again = pa.concat_tables([watching.rows(1_200, 200, seed=1), watching.rows(LEARNED, 300, seed=2)])
        path = watching.write(tmp_path, "again.parquet", again.drop_columns(["outcome"]))
        intake.score(opened, MODEL, path)
        for window in ("1d", "1000rows"):
            windows = watch.check(opened, MODEL, window=window).windows
            assert sum(w.rows for w in windows) == LATER + 200
            assert sum(w.performance.scored_rows for w in windows) == LATER + 200
