"""The demo year, lived by the ordinary verbs: what was done to the data is what the records say, and when."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline_core.errors import InvalidDefinition, NotFound
from pipeline_core.flows import demo, intake
from pipeline_core.records import Alert, AlertLevel, BatchStatus, Decision, Measured, WindowReport
from pipeline_core.sources.demo import INCIDENTS, MODEL, STARTS, Incident
from pipeline_core.store.home import Store

DEVICE, DEBT, BROKEN, NULL, CONCEPT = INCIDENTS
WATCH, PAGE = AlertLevel.WATCH, AlertLevel.PAGE
WEEK = timedelta(weeks=1)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, demo_home: Path) -> Iterator[Store]:
    home = shutil.copytree(demo_home, tmp_path_factory.mktemp("demo") / "home")
    with Store.open(home) as opened:
        yield opened


def windows(store: Store, incident: Incident) -> list[WindowReport]:
    """The windows that lie wholly in an incident."""
    start = datetime.combine(incident.first_day, time.min, tzinfo=UTC)
    end = datetime.combine(incident.last_day + timedelta(days=1), time.min, tzinfo=UTC)
    return [w for w in store.signals.windows(MODEL) if w.start >= start and w.end <= end]


def quiet(store: Store) -> list[WindowReport]:
    """The windows that no incident touches."""

    def touched(window: WindowReport) -> bool:
        return any(
            window.start.date() <= i.last_day and (window.end - timedelta(seconds=1)).date() >= i.first_day
            for i in (DEVICE, DEBT, NULL, CONCEPT)
        )

    return [w for w in store.signals.windows(MODEL) if not touched(w)]


def alerted(window: WindowReport) -> dict[str, AlertLevel]:
    return {f.feature: f.alert for f in window.features if f.alert is not AlertLevel.NONE}


def test_everything_is_one_model_and_nothing_else_came_along(store: Store) -> None:
    assert store.models.names() == (MODEL,)
    batches = store.batches.list(MODEL)
    assert len(batches) == 53
    assert [b.source for b in batches if b.status is BatchStatus.QUARANTINED] == ["lending-2025-06-23.csv"]
    assert not list((store.home / "work").iterdir())
    assert store.jobs.list() == ()


def monday(week: int) -> datetime:
    return datetime(2025, 1, 6, tzinfo=UTC) + week * WEEK


def test_files_were_received_on_the_monday_after_their_week(store: Store) -> None:
    received = {b.source: b.received_at for b in store.batches.list(MODEL)}
    history = [received[f"lending-{monday(week):%Y-%m-%d}.csv"] for week in range(10)]
    assert history == [STARTS + timedelta(minutes=2 * week) for week in range(10)]
    for week in range(10, 52):
        at = received[f"lending-{monday(week):%Y-%m-%d}.csv"]
        assert timedelta(hours=4.5) < at - monday(week + 1) < timedelta(hours=6.5)
    repaired = received["lending-2025-06-23-again.csv"]
    assert repaired.date() == date(2025, 7, 7)
    assert len(set(received.values())) == 53
    assert max(received.values()).date() == date(2026, 1, 5)


def test_outcomes_were_received_thirty_to_sixty_days_later(store: Store) -> None:
    rows = pa.concat_tables([
        store.batches.read_rows(MODEL, b.batch_id).select(["row_id", "event_at"])
        for b in store.batches.list(MODEL, status=BatchStatus.ACCEPTED)
    ])
    labels = store.batches.labels(MODEL).join(rows, "row_id")
    assert labels.num_rows == store.batches.labelled_rows(MODEL) == 53_490
    pairs = zip(labels["received_at"].to_pylist(), labels["event_at"].to_pylist(), strict=True)
    later = [(received, received - event) for received, event in pairs]
    assert min(delay for _, delay in later) >= timedelta(days=30)
    assert max(delay for received, delay in later if received.date() > STARTS.date()) <= timedelta(days=60)
    days = sorted({received.date() for received, _ in later})
    assert days == [monday(week).date() for week in range(10, 53)]


def test_the_champion_was_made_when_its_labels_were_there(store: Store) -> None:
    champion, first = store.models.champion(MODEL), store.models.promotions(MODEL)[0]
    assert champion is not None
    auc = champion.metrics["auc"]
    assert isinstance(auc, Measured)
    assert auc.value == pytest.approx(0.8013, abs=0.002)
    assert champion.run.started_at == champion.created_at == datetime(2025, 4, 14, 9, 30, tzinfo=UTC)
    assert (champion.dataset.rows, champion.dataset.fit_rows) == (9_525, 7_620)
    assert champion.dataset.last_event_at is not None
    assert champion.created_at - champion.dataset.last_event_at > timedelta(days=30)
    assert (first.by, first.at) == ("demo", datetime(2025, 4, 14, 14, 10, tzinfo=UTC))
    verdict = store.models.verdict(MODEL, 1)
    assert verdict is not None
    assert verdict.decided_at == datetime(2025, 4, 14, 9, 50, tzinfo=UTC)
    assert champion.shap_shares["device_age_days"] == pytest.approx(0.024, abs=0.004)
    assert sorted(champion.shap_shares, key=lambda name: -champion.shap_shares[name])[:3] == [
        "income",
        "credit_utilisation",
        "debt_to_income",
    ]


def test_quiet_weeks_raise_nothing(store: Store) -> None:
    found = {w.start.date().isoformat(): (w.alert, w.reasons) for w in quiet(store) if w.alert is not AlertLevel.NONE}
    assert found == {}
    assert len(quiet(store)) == 46 - 2 - 3 - 3 - 19


def told(store: Store, code: str) -> dict[tuple[date, str | None, AlertLevel], date]:
    """What was raised: the window's first day, feature and level, and the day on which it was."""

    def about(alert: Alert) -> tuple[date, str | None, AlertLevel]:
        assert alert.window_start is not None
        return alert.window_start.date(), alert.feature, alert.level

    found = [(about(alert), alert.raised_at.date()) for alert in store.signals.alerts(MODEL) if alert.code == code]
    assert len(found) == len(dict(found))
    return dict(found)


def test_what_moved_was_said_at_the_next_check_and_once(store: Store) -> None:
    assert {b - a for a, b in pairwise(demo.CHECKS)} == {2 * WEEK}
    assert {at.weekday() for at in demo.CHECKS} == {0}
    report = store.signals.watch(MODEL)
    assert report is not None
    assert report.checked_at == demo.CHECKS[-1] == datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
    drifted = {
        **{(monday(week).date(), "device_age_days", WATCH): week for week in (15, 16)},
        # a change of something that matters is watched in its first window, and pages when it lasts
        (monday(19).date(), "debt_to_income", WATCH): 19,
        **{(monday(week).date(), "debt_to_income", PAGE): week for week in (20, 21)},
        **{(monday(week).date(), "income", PAGE): week for week in (27, 28, 29)},
    }
    checked = {week: min(at for at in demo.CHECKS if at >= monday(week + 1)).date() for week in range(52)}
    assert told(store, "data_drift") == {about: checked[week] for about, week in drifted.items()}
    moved = {(monday(week).date(), None, WATCH): checked[week] for week in (19, 20, 21, 27, 28, 29)}
    assert told(store, "prediction_drift") == moved
    assert told(store, "batch_quarantined") == {(date(2025, 6, 23), "income", PAGE): date(2025, 6, 30)}


def test_lost_performance_is_watched_as_labels_arrive_and_pages_when_they_are_in(store: Store) -> None:
    raised = told(store, "performance")
    pages = {first: at for (first, _, level), at in raised.items() if level is PAGE}
    assert sorted(pages) == [monday(week).date() for week in (27, 28, 29, *range(33, 45))]
    watches = {first: at for (first, _, level), at in raised.items() if level is WATCH}
    assert sorted(watches) == [monday(week).date() for week in (27, *range(33, 44), 45, 46)]
    assert all(watches[first] < pages[first] for first in set(watches) & set(pages))
    # the outcomes of a week's last day come 60 days later, and every other Monday is checked
    assert all(timedelta(days=48) <= at - first <= timedelta(days=80) for first, at in pages.items())
    assert raised[date(2025, 7, 14), None, WATCH] == date(2025, 9, 1)
    assert raised[date(2025, 7, 14), None, PAGE] == date(2025, 9, 15)


def test_new_phones_are_watched_and_wake_nobody(store: Store) -> None:
    assert len(windows(store, DEVICE)) == 2
    for window in windows(store, DEVICE):
        assert alerted(window) == {"device_age_days": WATCH}
        assert window.alert is WATCH
        assert not window.performance.dropped


def test_more_debt_is_a_page_when_it_lasts_and_the_model_copes(store: Store) -> None:
    assert len(windows(store, DEBT)) == 3
    for window, level in zip(windows(store, DEBT), (WATCH, PAGE, PAGE), strict=True):
        assert alerted(window) == {"debt_to_income": level}
        assert window.prediction_drift.drifted
        assert not window.performance.dropped


def test_the_broken_file_is_quarantined_and_its_repair_accepted(store: Store) -> None:
    broken, again = (
        next(b for b in store.batches.list(MODEL) if b.source == f"lending-2025-06-23{end}.csv")
        for end in ("", "-again")
    )
    assert [(f.code, f.column) for f in broken.findings] == [("type_changed", "income")]
    assert (again.status, again.findings) == (BatchStatus.ACCEPTED, ())
    assert not store.signals.has_predictions(MODEL, 1, batch_id=broken.batch_id)


def test_the_door_warns_in_the_weeks_of_incidents_only(store: Store) -> None:
    warned = {b.source: {f.column for f in b.findings} for b in store.batches.list(MODEL) if b.findings}
    columns = {DEVICE: "device_age_days", DEBT: "debt_to_income", BROKEN: "income", NULL: "income"}
    weeks = {
        f"lending-{incident.first_day + number * WEEK}.csv": {column}
        for incident, column in columns.items()
        for number in range((incident.last_day - incident.first_day).days // 7 + 1)
    }
    assert warned == weeks


def test_null_to_zero_pages_with_the_first_file_that_has_it(store: Store) -> None:
    suspects = [a for a in store.signals.alerts(MODEL) if a.code == "batch_suspect"]
    raised = [a for a in suspects if a.feature == "income"]
    # new phones crowd at the lowest age, far more often than before: true, and of a feature that hardly matters
    assert {(a.feature, a.level) for a in suspects} == {("income", PAGE), ("device_age_days", WATCH)}
    assert sorted(a.raised_at.date() for a in raised) == [monday(week + 1).date() for week in (27, 28, 29)]
    assert all("null -> 0" in a.message for a in raised)


def test_null_to_zero_is_a_page_on_income_and_costs_performance(store: Store) -> None:
    assert len(windows(store, NULL)) == 3
    for window in windows(store, NULL):
        assert alerted(window) == {"income": PAGE}
        income = next(f for f in window.features if f.feature == "income")
        assert income.nulls is not None
        assert 0.09 < income.nulls.baseline < 0.15
        assert income.nulls.current == 0
    assert all(w.performance.dropped for w in windows(store, NULL))


def test_the_changed_relation_shows_in_the_labels_only(store: Store) -> None:
    late = windows(store, CONCEPT)
    assert all(alerted(w) == {} for w in late)
    assert not any(w.prediction_drift.drifted for w in late)
    labelled = [w.performance.dropped for w in late if w.performance.labelled_rows > 400]
    assert labelled == [True] * 14
    assert [w.performance.dropped for w in late[14:]] == [False] * 5
    assert late[-1].performance.labelled_rows == 0


def test_the_challenger_passes_and_waits_for_a_person(store: Store) -> None:
    verdict = store.models.verdict(MODEL, 2)
    assert verdict is not None
    assert (verdict.verdict, verdict.champion) == (Decision.PROMOTE, 1)
    difference = verdict.metrics["auc"].difference
    assert isinstance(difference, Measured)
    assert (difference.value, difference.low) == pytest.approx((0.0290, 0.0238), abs=0.002)
    assert store.models.epoch(MODEL) == 1
    challenger = store.models.version(MODEL, 2)
    assert challenger.created_at == challenger.run.started_at == datetime(2025, 12, 29, 9, 30, tzinfo=UTC)
    assert verdict.decided_at == datetime(2025, 12, 29, 9, 50, tzinfo=UTC)


def test_the_demo_keeps_no_moment_of_the_machine(store: Store) -> None:
    schema, status = store.models.schema(MODEL), store.models.statuses()[0]
    assert schema.defined_at == STARTS
    assert status.last_received_at is not None
    assert status.last_received_at.date() == date(2026, 1, 5)
    assert store.now() > datetime(2026, 1, 6, tzinfo=UTC)


def test_the_calendar_stands_still_and_never_goes_back() -> None:
    calendar = demo.Calendar(STARTS)
    assert calendar() == calendar() == STARTS
    calendar.move(STARTS + WEEK)
    calendar.move(STARTS)
    assert calendar() == STARTS + WEEK


def test_the_demo_is_built_once_and_removed_whole(store: Store) -> None:
    with pytest.raises(InvalidDefinition, match="already here"):
        demo.build(store)
    assert demo.remove(store) == MODEL
    assert store.models.names() == ()
    assert not [p for p in (store.home / "raw").rglob("*") if p.is_file()]
    with pytest.raises(NotFound, match="no demo"):
        demo.remove(store)


def test_a_model_that_somebody_defined_himself_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    file.write_text("x,y\n" + "\n".join(f"{i},{'ab'[i % 2]}" for i in range(300)))
    with Store.open(tmp_path / "home") as own:
        intake.define(own, MODEL, file, target="y")
        with pytest.raises(NotFound, match="no demo"):
            demo.remove(own)
        with pytest.raises(InvalidDefinition, match="already here"):
            demo.build(own)
