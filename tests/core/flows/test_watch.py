"""Check, distribution and status on a small store; every figure against numpy and scipy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipeline_core.engines.duck import DuckEngine
from pipeline_core.errors import InvalidDefinition, NotFound, Unreadable
from pipeline_core.flows import baselines, choosing, intake, watch
from pipeline_core.flows.sides import Side
from pipeline_core.flows.watched import Cut, watched
from pipeline_core.flows.windows import Length, Span
from pipeline_core.records import (
    COUNTS,
    AlertLevel,
    BaselineKind,
    BatchStatus,
    DriftState,
    Finding,
    Measured,
    Severity,
    WatchReport,
    WindowReport,
)
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


def held(window: WindowReport, base: np.ndarray, now: np.ndarray) -> None:
    """The KS distance of income lies in the interval that counts give, and nothing but its lower end is claimed."""
    income = next(f for f in window.features if f.feature == "income")
    exact, _ = distance(base, now)
    assert income.effect_low is not None
    assert income.effect_high is not None
    assert income.statistic == income.effect == income.effect_low
    assert income.effect_low - 1e-12 <= exact <= income.effect_high + 1e-12
    assert income.effect_high - income.effect_low < 0.05


def apart(rows: dict[str, np.ndarray], window: WindowReport, *, size: int = 0) -> np.ndarray:
    """The incomes that the champion was made from, but for reference windows that overlap the window."""
    when, income = rows["when"][:LEARNED], rows["income"][:LEARNED]
    start, end = moment(window.start), moment(window.end)
    if not size:
        return income[(when < start) | (when >= end)]
    parts = [slice(at, min(at + size, LEARNED)) for at in range(0, LEARNED, size)]
    edges = [(when[part][0], when[part][-1]) for part in parts]
    kept = [p for p, (a, b) in zip(parts, edges, strict=True) if not (a < end and start < b) and (a, b) != (start, end)]
    return np.concatenate([income[:0], *(income[part] for part in kept)])


def test_weeks_are_compared_with_what_the_champion_was_made_from(store: Store) -> None:
    report = watch.check(store, MODEL, window="7d")
    since, rows = cut_at(store), stream()
    fitted = rows["income"][rows["when"] < moment(since)]
    assert (report.model, report.version, report.window) == (MODEL, 1, "7d")
    assert report.baseline_rows == len(fitted) == 1_120
    assert [w.start.weekday() for w in report.windows] == [0] * len(report.windows)
    assert sum(w.rows for w in report.windows) == LEARNED + LATER - 1_120
    assert (report.baseline.kind, report.baseline.number) == (BaselineKind.TRAINING, 0)  # type: ignore[union-attr]
    for window in report.windows:
        inside = (rows["when"] >= moment(max(since, window.start))) & (rows["when"] < moment(window.end))
        assert window.rows == inside.sum()
        base = apart(rows, window)
        assert window.baseline_rows == len(base)
        held(window, base, rows["income"][inside])


def test_the_shift_pages_and_the_weeks_before_are_quiet(store: Store) -> None:
    windows = watch.check(store, MODEL, window="7d").windows
    shifted = START + watching.SHIFT_FROM * STEP
    for window in windows:
        income = next(f for f in window.features if f.feature == "income")
        if window.end <= shifted:
            assert not income.drifted
        if window.start >= shifted and window.rows >= store.policy.window_rows_min:
            assert income.state is DriftState.DRIFTED
            # once is not yet lasting
            assert (income.alert, income.windows_drifted) == (AlertLevel.WATCH, 1)
            assert window.alert is AlertLevel.WATCH
            assert window.prediction_drift.drifted
    days = watch.check(store, MODEL, window="2d").windows
    lasting = [w for w in days if w.start >= shifted + 2 * DAY and w.rows >= store.policy.window_rows_min]
    assert lasting
    assert {w.alert for w in lasting} == {AlertLevel.PAGE}


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
    for window, part in zip(report.windows, parts, strict=True):
        assert (moment(window.start), moment(window.end)) == (rows["when"][part[0]], rows["when"][part[-1]])
        held(window, apart(rows, window, size=size), rows["income"][part])
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
        assert (drawn.baseline_rows, drawn.current_rows) == (reported.baseline_rows, reported.rows)
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


def test_the_distance_is_exact_on_demand(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    window = watch.check(store, MODEL, window="7d").windows[-1]
    rows = stream()
    inside = (rows["when"] >= moment(window.start)) & (rows["when"] < moment(window.end))
    ends = {"feature": "income", "start": window.start, "end": window.end}
    assert watch.distribution(store, MODEL, **ends).exact_ks is None
    exact = watch.distribution(store, MODEL, **ends, exact=True)
    assert exact.exact_ks == pytest.approx(distance(apart(rows, window), rows["income"][inside])[0], abs=1e-12)
    assert exact.js is not None
    assert exact.wasserstein is not None

    def broken(*_: object, **__: object) -> dict[object, float]:
        raise Unreadable("The rows are gone.")

    monkeypatch.setattr(DuckEngine, "exact_ks", broken)
    assert watch.distribution(store, MODEL, **ends, exact=True).exact_ks is None


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
        with pytest.raises(NotFound, match="no champion, so there is nothing to watch"):
            watch.check(opened, MODEL)


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
    for window, part in zip(parts.windows, (income[LEARNED:][:1_000], income[LEARNED:][1_000:]), strict=True):
        held(window, income[:LEARNED], part)


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
    assert sum(w.rows for w in report.windows) == LEARNED + LATER - 1_120
    assert [w.performance.scored_rows for w in report.windows] == [w.rows for w in report.windows]
    assert sum(w.performance.labelled_rows for w in report.windows) == LEARNED + 1_000 - 1_120
    later, first = income[when >= moment(since)], 0
    # what was corrected has left the rows that the champion was made from
    learned = {"when": when[:1_000], "income": income[:1_000]}
    for w in report.windows:
        now = later[first : first + w.rows]
        first += w.rows
        base = apart(learned, w)
        if len(base) and not window.endswith("rows"):
            held(w, base, now)
        drawn = watch.distribution(store, MODEL, feature="income", start=w.start, end=w.end)
        assert drawn.current_rows == w.rows
        # where no other reference window is left, the champion's own counts are drawn
        assert drawn.baseline_rows == (w.baseline_rows or 1_120)


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


def test_what_is_wrong_with_a_batch_marks_only_windows_that_hold_all_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = Finding(code="null_share_up", column="age", severity=Severity.WARNING, message="Wrong.")
    monkeypatch.setattr(
        watch.alerts, "hard_evidence", lambda reports: {"age": (wrong.message,)} if list(reports) else {}
    )
    with Store.open(watching.copied(tmp_path)) as opened:
        champion = opened.models.champion(MODEL)
        assert champion is not None
        newest = watched(opened, champion).batches[0]
        monkeypatch.setattr(
            watch,
            "watched",
            lambda *_: replace(watched(opened, champion), batches=(replace(newest, findings=(wrong,)),)),
        )
        for window, marked in (("2d", 0), ("30d", 1)):
            found = [
                f.hard_evidence
                for w in watch.check(opened, MODEL, window=window).windows
                for f in w.features
                if f.feature == "age"
            ]
            assert (len(found) > 1, sum(map(bool, found))) == (window == "2d", marked)


def test_rows_that_are_elsewhere_have_no_distribution_here(tmp_path: Path) -> None:
    with Store.open(watching.copied(tmp_path)) as opened:
        midnight = (START + 40 * DAY).replace(hour=0)
        days = {midnight + day * DAY: 20 for day in range(10)}
        side = Side(days=days, elsewhere=lambda *_: COUNTS.empty_table())
        report = watch.check(opened, MODEL, away=watch.Away(side=side, told="lake.loans (Spark)"))
        assert (report.window, [w.rows for w in report.windows]) == ("365d", [200])
        ends = {"start": report.windows[0].start, "end": report.windows[0].end}
        with pytest.raises(NotFound, match=r"^The rows of this window are in lake\.loans \(Spark\) and stay there"):
            watch.distribution(opened, MODEL, feature="income", **ends)
        with pytest.raises(NotFound, match="stay there"):
            watch.distribution(opened, MODEL, feature="income", report=report, **ends)


def test_a_window_is_drawn_as_itself_or_not_at_all_once_earlier_rows_came(tmp_path: Path) -> None:
    later = watching.rows(LEARNED, LATER, seed=2).drop_columns(["outcome"])
    with Store.open(tmp_path / "home") as opened:
        watching.champion(opened, tmp_path)
        intake.receive(opened, MODEL, watching.write(tmp_path, "b.parquet", later.slice(900)))
        choosing.choose(opened, MODEL, kind="previous", by="Ada", reason="a reason")
        days, parts = (watch.check(opened, MODEL, window=window) for window in ("1d", "300rows"))
        intake.receive(opened, MODEL, watching.write(tmp_path, "late.parquet", later.slice(0, 850)))

        def drawn(report: WatchReport, place: int) -> int:
            window = report.windows[place]
            return watch.distribution(
                opened, MODEL, feature="age", start=window.start, end=window.end, report=report
            ).current_rows

        assert [drawn(days, place) for place in (-3, -2, -1)] == [w.rows for w in days.windows[-3:]]
        assert (parts.windows[1].rows, drawn(parts, 1)) == (300, 0)


def test_windows_at_one_moment_are_told_apart_by_their_rows_and_turn(store: Store) -> None:
    report = watch.check(store, MODEL, window="500rows")
    one = replace(report.windows[0], start=START, end=START, rows=500)
    report = replace(report, windows=(replace(one, end=START + DAY), one, one, replace(one, rows=100)))
    spans = [Span(bucket=START, start=START, end=START + at) for at in (DAY, 2 * DAY, 0 * DAY, 0 * DAY, 0 * DAY)]
    laid = Cut(length=Length(rows=500), now=Side(spans=tuple(spans), counts=(500, 500, 500, 500, 100), size=500))
    assert [baselines._found(laid, report, place) for place in range(4)] == [0, 2, 3, 4]
    fewer = Cut(length=Length(rows=500), now=Side(spans=tuple(spans[:3]), counts=(500, 500, 500), size=500))
    assert [baselines._found(fewer, report, place) for place in range(4)] == [0, 2, None, None]
