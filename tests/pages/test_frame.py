"""What every page shares: it opens cold, on any store, with model and period from the URL, and shows the work."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui import session
from pipeline_core.errors import StoreBusy
from pipeline_core.records import Alert, JobStatus, TimeUnit
from pipeline_core.service import host
from pipeline_core.store import Store
from tests.pages.conftest import fill, schema, week

Visit = Callable[..., AppTest]
PAGES = sorted(session.PAGES.values())
NOW = datetime(2025, 6, 1, tzinfo=UTC)


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that never takes a job, so that a queued one stays."""
    monkeypatch.setattr("pipeline_core.service.worker.Worker.start", lambda _self: None)


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_cold_on_an_empty_store(home: Store, visit: Visit, page: str) -> None:
    at = visit(page)
    assert not at.exception
    assert len(at.title) == 1
    assert not at.sidebar.selectbox


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_cold_on_a_watched_model(seeded: Store, visit: Visit, page: str) -> None:
    at = visit(page)
    assert not at.exception
    assert not at.error
    assert len(at.title) == 1
    assert [box.label for box in at.sidebar.selectbox] == ["Model", "Period"]


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_on_a_model_without_a_champion(home: Store, visit: Visit, page: str) -> None:
    fill(home, champion=False)
    at = visit(page)
    assert not at.exception
    assert not at.error
    assert len(at.title) == 1


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_on_a_champion_that_nobody_checked(home: Store, visit: Visit, page: str) -> None:
    fill(home, watched=False)
    at = visit(page)
    assert not at.exception
    assert not at.error


def test_the_model_comes_from_the_url_and_a_wrong_one_falls_back(home: Store, visit: Visit) -> None:
    fill(home, model="cards", champion=False)
    fill(home, model="loans")
    assert "AUC 0.710" in visit(model="loans").title[0].value
    assert "No champion yet" in visit(model="cards").title[0].value
    gone = visit(model="gone")
    assert gone.sidebar.selectbox(key="model").value == "cards"
    assert gone.warning[0].value == "There is no model 'gone'. Shown is 'cards'. There are: 'cards'; 'loans'."
    gone.run()
    assert gone.warning
    gone.sidebar.selectbox(key="model").set_value("loans").run()
    assert not gone.warning
    assert not visit(model="loans").warning


def test_the_person_picks_another_model(home: Store, visit: Visit) -> None:
    fill(home, model="cards", champion=False)
    fill(home, model="loans")
    at = visit()
    at.sidebar.selectbox(key="model").set_value("loans").run()
    assert "AUC 0.710" in at.title[0].value


def test_the_period_counts_back_from_the_models_own_last_event(seeded: Store, visit: Visit) -> None:
    at = visit("watch/drift.py", period="Last 7 days")
    assert at.selectbox(key="window_pick").options == ["the week of 21 Apr 2025 · Page"]
    at.sidebar.selectbox(key="period").set_value("All").run()
    assert len(at.selectbox(key="window_pick").options) == 8


def test_a_model_that_counts_rows_offers_rows() -> None:
    assert list(session.periods(schema(time_unit=TimeUnit.ROW))) == ["All", "Last 10,000 rows", "Last 1,000 rows"]
    assert list(session.periods(schema()))[:2] == ["All", "Last 365 days"]


def test_a_period_holds_its_first_moment_and_not_its_end() -> None:
    period = session.Period(label="x", since=week(1), until=week(2))
    assert [period.holds(at) for at in (week(1), week(2), None)] == [True, False, True]
    assert [period.covers(week(n), week(n + 1)) for n in (0, 1, 2)] == [False, True, False]
    assert period.covers(None, None)


def test_the_sidebar_shows_a_job_on_every_page(still: None, home: Store, visit: Visit) -> None:
    fill(home)
    job = home.jobs.add("train", "loans", arguments={}, created_at=NOW)
    home.jobs.update(job.job_id, status=JobStatus.RUNNING, started_at=NOW, progress=0.4, message="Fitting *fold* 2")
    at = visit("act/alerts.py")
    assert [bar.text for bar in at.sidebar.get("progress")] == ["**Training loans** – Fitting \\*fold\\* 2"]
    assert "You may leave this page; the work goes on." in [caption.value for caption in at.sidebar.caption]


def test_the_end_of_a_job_is_told_once(still: None, home: Store, visit: Visit) -> None:
    fill(home)
    job = home.jobs.add("check", "loans", arguments={}, created_at=NOW)
    at = visit()
    home.jobs.update(job.job_id, status=JobStatus.DONE, progress=1.0, message="8 windows, 3 page", ended_at=NOW)
    at.run()
    assert [toast.value for toast in at.toast] == ["Checking loans: done. 8 windows\\, 3 page"]
    at.run()
    assert not at.toast


def test_a_failed_job_says_why_until_it_is_dismissed(still: None, home: Store, visit: Visit) -> None:
    fill(home)
    job = home.jobs.add("train", "loans", arguments={}, created_at=NOW)
    at = visit()
    home.jobs.update(
        job.job_id, status=JobStatus.FAILED, error="Not enough data yet. 12 rows; 200 are needed.", ended_at=NOW
    )
    at.run().run()
    assert [error.value for error in at.error] == ["Not enough data yet\\. 12 rows\\; 200 are needed\\."]
    at.button(key="complaint_dismiss").click().run()
    assert not at.error


def test_a_store_that_is_in_use_is_said_not_thrown(home: Store, visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy() -> None:
        raise StoreBusy("Process 42 owns data. Stop it, or open its address.")

    monkeypatch.setattr(session, "host", busy)
    at = visit()
    assert not at.exception
    assert [error.value for error in at.error] == ["Process 42 owns data\\. Stop it\\, or open its address\\."]


def test_reads_are_kept_until_the_store_changes(seeded: Store) -> None:
    first = session.cached(_first_alert)
    assert session.cached(_first_alert) is first
    seeded.signals.reopen(first.alert_id)
    seeded.signals.acknowledge(first.alert_id, by="Ada", at=NOW)
    assert session.cached(_first_alert).acknowledged_by == "Ada"


def test_a_read_that_closes_over_something_is_refused(seeded: Store) -> None:
    name = "loans"
    with pytest.raises(TypeError, match="closes over"):
        session.cached(lambda store: store.models.schema(name))


def _first_alert(store: Store) -> Alert:
    return store.signals.alert("a-1")


def test_the_host_is_the_one_that_pages_use(home: Store) -> None:
    assert session.store() is host.host().store
