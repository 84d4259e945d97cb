"""Alerts of one cause in consecutive windows are one thing."""

from __future__ import annotations

from dataclasses import replace

from pages.watch import needs
from pipeline_core.records import Alert, AlertLevel
from tests.pages.conftest import alert, week


def weekly(*numbers: int, feature: str | None = "income", code: str = "data_drift") -> list[Alert]:
    return [alert(f"{code}-{feature}-{n}", number=n, feature=feature, code=code) for n in numbers]


def test_consecutive_windows_of_one_cause_are_one_thing_with_since_count_and_period() -> None:
    (found,) = needs.needs(weekly(3, 1, 2))
    assert (found.count, found.first, found.last) == (3, week(1), week(4))
    assert {a.alert_id for a in found.alerts} == {"data_drift-income-1", "data_drift-income-2", "data_drift-income-3"}
    assert found.key == "data_drift:income:2025-03-10"


def test_one_quiet_window_does_not_end_a_run_and_two_do() -> None:
    assert [n.count for n in needs.needs(weekly(0, 2))] == [2]
    parted = needs.needs(weekly(0, 3))
    assert [n.count for n in parted] == [1, 1]
    assert parted[0].first == week(3)


def test_overlapping_windows_of_two_lengths_are_one_run() -> None:
    month = replace(alert("m", number=0, feature="income"), window_end=week(4))
    (found,) = needs.needs([month, *weekly(1, 3)])
    assert (found.count, found.last) == (3, week(4))


def test_other_features_codes_and_what_was_seen_stand_apart() -> None:
    seen = replace(alert("s", number=1, feature="income"), acknowledged_at=week(2), acknowledged_by="Ada")
    found = needs.needs([seen, *weekly(0), *weekly(1, feature="debt"), *weekly(1, feature=None, code="performance")])
    assert [(n.alert.code, n.alert.feature, n.waiting) for n in found] == [
        ("performance", None, True), ("data_drift", "income", True), ("data_drift", "debt", True), ("data_drift", "income", False),
    ]  # fmt: skip


def test_each_quarantined_batch_stands_alone_and_is_named() -> None:
    held = [
        replace(a, message=f"Batch b-000{i} (3 rows from 'x') is quarantined")
        for i, a in enumerate(weekly(0, 1, feature=None, code="batch_quarantined"))
    ]
    assert [n.batch_id for n in needs.needs(held)] == ["b-0001", "b-0000"]
    assert needs.needs(weekly(0))[0].batch_id is None


def test_a_page_leads_the_run_that_a_watch_began() -> None:
    soft = replace(alert("w", number=0, feature="income"), level=AlertLevel.WATCH, contribution=0.9)
    (found,) = needs.needs([soft, *weekly(1)])
    assert (found.alert.level, found.count) == (AlertLevel.PAGE, 2)


def test_an_alert_without_a_window_stands_alone() -> None:
    loose = [replace(a, window_start=None, window_end=None) for a in weekly(0, 1)]
    found = needs.needs(loose)
    assert [(n.count, n.first) for n in found] == [(1, None), (1, None)]
    assert found[0].key == "data_drift:income:data_drift-income-1"


def test_a_window_that_was_watched_first_and_paged_later_is_one_window() -> None:
    watched = [replace(a, level=AlertLevel.WATCH) for a in weekly(0, 1, feature=None, code="performance")]
    paged = [replace(a, alert_id=f"{a.alert_id}-paged", level=AlertLevel.PAGE) for a in watched]
    (found,) = needs.needs([*watched, *paged])
    assert (found.count, len(found.alerts), found.alert.level) == (2, 4, AlertLevel.PAGE)
