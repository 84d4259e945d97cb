"""The demo year, lived by the ordinary verbs: what was done to the data is what the records say."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest

from pipeline_core.errors import InvalidDefinition, NotFound
from pipeline_core.flows import compute, demo, intake
from pipeline_core.records import AlertLevel, BatchStatus, Decision, Measured, WindowReport
from pipeline_core.sources.demo import INCIDENTS, MODEL, Incident
from pipeline_core.store.home import Store

DEVICE, DEBT, BROKEN, NULL, CONCEPT = INCIDENTS


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with Store.open(tmp_path_factory.mktemp("demo") / "home") as opened:
        told: list[tuple[float, str]] = []
        status = demo.build(
            opened, progress=lambda share, message: told.append((share, message)), run=compute.in_process
        )
        assert (status.model, status.champion, status.versions, status.demo) == (MODEL, 1, 2, True)
        assert [share for share, _ in told] == sorted(share for share, _ in told)
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


def test_the_champion_was_trained_on_the_first_quarter(store: Store) -> None:
    champion = store.models.champion(MODEL)
    assert champion is not None
    auc = champion.metrics["auc"]
    assert isinstance(auc, Measured)
    assert 0.78 < auc.value < 0.83
    assert champion.dataset.last_event_at is not None
    assert champion.dataset.last_event_at.date() == date(2025, 4, 6)
    assert store.models.promotions(MODEL)[0].by == "demo"
    assert 0.012 < champion.shap_shares["device_age_days"] < 0.03
    assert sorted(champion.shap_shares, key=lambda name: -champion.shap_shares[name])[:3] == [
        "income",
        "debt_to_income",
        "credit_utilisation",
    ]


def test_quiet_weeks_raise_nothing(store: Store) -> None:
    found = {w.start.date().isoformat(): (w.alert, w.reasons) for w in quiet(store) if w.alert is not AlertLevel.NONE}
    assert found == {}


def test_new_phones_are_watched_and_wake_nobody(store: Store) -> None:
    assert len(windows(store, DEVICE)) == 2
    for window in windows(store, DEVICE):
        assert alerted(window) == {"device_age_days": AlertLevel.WATCH}
        assert window.alert is AlertLevel.WATCH
        assert not window.performance.dropped


def test_more_debt_is_a_page_and_the_model_copes(store: Store) -> None:
    assert len(windows(store, DEBT)) == 3
    for window in windows(store, DEBT):
        assert alerted(window) == {"debt_to_income": AlertLevel.PAGE}
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


def test_null_to_zero_is_a_page_on_income_and_costs_performance(store: Store) -> None:
    assert len(windows(store, NULL)) == 3
    for window in windows(store, NULL):
        assert alerted(window) == {"income": AlertLevel.PAGE}
        income = next(f for f in window.features if f.feature == "income")
        assert income.nulls is not None
        assert 0.09 < income.nulls.baseline < 0.15
        assert income.nulls.current == 0
    assert all(w.performance.dropped for w in windows(store, NULL))


def test_the_changed_relation_shows_in_the_labels_only(store: Store) -> None:
    late = windows(store, CONCEPT)
    assert all(alerted(w) == {} for w in late)
    labelled = [w for w in late if w.performance.labelled_rows > 900]
    assert len(labelled) >= 8
    assert sum(w.performance.dropped for w in labelled) >= len(labelled) - 1
    assert not any(w.performance.dropped for w in late if w.performance.labelled_rows < 50)


def test_the_challenger_passes_and_waits_for_a_person(store: Store) -> None:
    verdict = store.models.verdict(MODEL, 2)
    assert verdict is not None
    assert (verdict.verdict, verdict.champion) == (Decision.PROMOTE, 1)
    difference = verdict.metrics["auc"].difference
    assert isinstance(difference, Measured)
    assert difference.low is not None
    assert difference.low > 0
    assert store.models.epoch(MODEL) == 1


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
