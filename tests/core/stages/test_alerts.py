from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipeline_core.policy import Policy
from pipeline_core.records import (
    AlertLevel,
    BatchReport,
    BatchStatus,
    Coherence,
    Detachment,
    DomainTest,
    DriftState,
    Examination,
    FeatureDrift,
    Finding,
    Impact,
    Origin,
    Performance,
    PredictionDrift,
    Rule,
    SegmentDrift,
    Severity,
    WatchReport,
    WindowReport,
)
from pipeline_core.stages.alerts import CODES, alerts_of, batch_alerts, hard_evidence, window_level

POLICY = Policy()
START = datetime(2025, 3, 3, tzinfo=UTC)
NO_DRIFT = PredictionDrift(
    rows=900,
    statistic=0.01,
    p_value=0.9,
    effect=0.01,
    drifted=False,
    baseline_mean=0.3,
    current_mean=0.3,
    reason="quiet",
)
MOVED = replace(NO_DRIFT, effect=0.2, drifted=True, reason="predictions: moved by D = 0.20 (p < 0.001)")
FINE = Performance(labelled_rows=900, scored_rows=900, metrics={}, reference=0.8, dropped=False, reason="no labels")
DROPPED = replace(FINE, dropped=True, reason="auc 0.70 is worse than 0.80 in validation")


def feature(name: str, level: AlertLevel, **given: Any) -> FeatureDrift:
    state = DriftState.STABLE if level is AlertLevel.NONE else DriftState.DRIFTED
    fields = {
        "feature": name,
        "test": "ks",
        "statistic": 0.14,
        "p_value": 0.0,
        "p_adjusted": 0.0,
        "effect": 0.14,
        "drifted": level is not AlertLevel.NONE,
        "state": state,
        "shap_share": 0.4,
        "shap_rank": 1,
        "nulls": None,
        "contribution": 0.056,
        "alert": level,
        "reason": f"{name}: distribution moved by D = 0.14 (p < 0.001)",
    }
    return FeatureDrift(**(fields | given))


def window(*features: FeatureDrift, start: datetime = START, **given: Any) -> WindowReport:
    fields = {
        "start": start,
        "end": start + timedelta(days=7),
        "rows": 900,
        "alert": AlertLevel.NONE,
        "reasons": (),
        "weighted_drift": 0.1,
        "features": features,
        "prediction_drift": NO_DRIFT,
        "performance": FINE,
    }
    return WindowReport(**(fields | given))


def report(*windows: WindowReport) -> WatchReport:
    return WatchReport(
        model="lending",
        version=1,
        window="7d",
        baseline_rows=9000,
        checked_at=START + timedelta(days=60),
        windows=windows,
    )


def level(*features: FeatureDrift, **given: Any) -> tuple[AlertLevel, tuple[str, ...]]:
    said = window_level(window(*features, **given), policy=POLICY)
    return said.alert, said.reasons


PAGE, WATCH, QUIET = (
    feature("income", AlertLevel.PAGE),
    feature("age", AlertLevel.WATCH, shap_rank=2),
    feature("term", AlertLevel.NONE),
)


def test_the_worst_signal_gives_the_level_and_comes_first() -> None:
    assert level(WATCH, QUIET) == (AlertLevel.WATCH, (WATCH.reason,))
    worst = level(WATCH, QUIET, PAGE, prediction_drift=MOVED, performance=DROPPED)
    assert worst == (AlertLevel.PAGE, (DROPPED.reason, PAGE.reason, WATCH.reason, MOVED.reason))
    assert level(QUIET, prediction_drift=MOVED) == (AlertLevel.WATCH, (MOVED.reason,))
    assert level(QUIET, performance=DROPPED)[0] is AlertLevel.PAGE


def test_the_larger_contribution_is_named_first() -> None:
    small, large = (feature(name, AlertLevel.PAGE, contribution=c) for name, c in (("a", 0.02), ("b", 0.2)))
    assert level(small, large)[1] == (large.reason, small.reason)


def test_quiet_windows_say_why_they_are_quiet() -> None:
    assert level(QUIET) == (AlertLevel.NONE, ("no signal: no feature drifted",))
    unclear = replace(QUIET, state=DriftState.UNCLEAR)
    assert level(QUIET, unclear)[1] == ("no signal: no feature drifted; 1 of 2 features are unclear with 900 rows",)
    assert level(unclear, rows=40)[1] == ("40 rows in the window, 200 are needed to judge",)


def test_one_alert_per_window_and_thing() -> None:
    later = START + timedelta(days=7)
    found = alerts_of(
        report(window(PAGE, WATCH, QUIET, prediction_drift=MOVED), window(PAGE, start=later, performance=DROPPED)),
        (),
        policy=POLICY,
    )
    assert [(a.code, a.feature, a.level, a.window_start) for a in found] == [
        ("data_drift", "income", AlertLevel.PAGE, START),
        ("data_drift", "age", AlertLevel.WATCH, START),
        ("prediction_drift", None, AlertLevel.WATCH, START),
        ("data_drift", "income", AlertLevel.PAGE, later),
        ("performance", None, AlertLevel.PAGE, later),
    ]
    assert len({a.alert_id for a in found}) == 5
    assert {a.code for a in found} <= set(CODES)
    assert {a.raised_at for a in found} == {START + timedelta(days=60)}
    assert [a.contribution for a in found] == [0.056, 0.056, None, 0.056, None]


def test_checking_again_raises_nothing_new_even_when_the_window_grew() -> None:
    first = alerts_of(report(window(PAGE)), (), policy=POLICY)
    grown = window(replace(PAGE, effect=0.2, contribution=0.08), end=START + timedelta(days=5), rows=700)
    known = first
    assert alerts_of(report(grown), known, policy=POLICY) == ()
    assert len(alerts_of(report(grown, window(PAGE, start=START + timedelta(days=7))), known, policy=POLICY)) == 1


def test_another_window_length_raises_the_same_news_only_once() -> None:
    weeks = alerts_of(report(window(PAGE)), (), policy=POLICY)
    month = window(PAGE, start=START - timedelta(days=3), end=START + timedelta(days=27))
    assert alerts_of(report(month), weeks, policy=POLICY) == ()
    after = window(PAGE, start=START + timedelta(days=7), end=START + timedelta(days=37))
    assert len(alerts_of(report(after), weeks, policy=POLICY)) == 1


def test_a_loss_on_few_labels_is_watched_and_pages_once_the_labels_are_there() -> None:
    early = replace(DROPPED, labelled_rows=719)
    watched = alerts_of(report(window(performance=early)), (), policy=POLICY)
    assert [a.level for a in watched] == [AlertLevel.WATCH]
    assert level(QUIET, performance=early)[0] is AlertLevel.WATCH
    mature = replace(DROPPED, labelled_rows=720)
    paged = alerts_of(report(window(performance=mature)), watched, policy=POLICY)
    assert [a.level for a in paged] == [AlertLevel.PAGE]
    assert alerts_of(report(window(performance=early)), paged, policy=POLICY) == ()


def test_windows_that_start_together_and_names_that_run_together_stay_apart() -> None:
    twins = alerts_of(report(window(PAGE), window(PAGE)), (), policy=POLICY)
    assert len({alert.alert_id for alert in twins}) == 2
    other = replace(report(window(PAGE)), version=2)
    assert alerts_of(other, twins, policy=POLICY)[0].version == 2


def test_a_message_says_what_happened_what_was_allowed_and_what_to_do() -> None:
    paged, watched = alerts_of(report(window(PAGE, WATCH)), (), policy=POLICY)
    assert paged.message == (
        "income: distribution moved by D = 0.14 (p < 0.001). It carries 40 % of the model (rank 1). The policy allows a move "
        "below 0.10, a null-share change below 2.0 points and new levels below 0.5 %. Check the upstream extract first; if "
        "the change is real, train on recent rows and challenge the champion."
    )
    assert watched.message.endswith(
        "Log it and look again in 7 days: it is not among the features that the model leans on most."
    )
    lost = feature("term", AlertLevel.WATCH, state=DriftState.UNCLEAR, drifted=False, reason="term: it was not counted")
    assert alerts_of(report(window(lost)), (), policy=POLICY)[0].message == (
        "term: it was not counted. A count in every window is expected. Check the upstream extract."
    )
    scores, drop = alerts_of(report(window(prediction_drift=MOVED, performance=DROPPED)), (), policy=POLICY)
    assert "The policy allows a move below 0.10." in scores.message
    assert drop.message.startswith("auc 0.70 is worse than 0.80 in validation. Look at recent rows by hand")


@pytest.mark.parametrize(("count", "more"), [(1, False), (5, True)])
def test_a_quarantined_batch_pages_with_its_errors(count: int, more: bool) -> None:
    findings = tuple(
        Finding(code="all_null", column=f"x{i}", severity=Severity.ERROR, message=f"Column x{i} is all null.")
        for i in range(count)
    )
    note = Finding(code="column_extra", column="z", severity=Severity.INFO, message="Column z is extra.")
    batch = BatchReport(
        model="lending",
        batch_id="b-0007",
        status=BatchStatus.QUARANTINED,
        rows=1200,
        sha256="0" * 64,
        source="week.csv",
        received_at=START,
        findings=(note, *findings),
    )
    (alert,) = batch_alerts(batch, shares={}, policy=POLICY)
    assert (alert.code, alert.level, alert.feature, alert.version, alert.raised_at) == (
        "batch_quarantined",
        AlertLevel.PAGE,
        "x0",
        None,
        START,
    )
    assert alert.message.startswith("Batch b-0007 (1,200 rows from 'week.csv') is quarantined: Column x0 is all null.")
    assert "Column z" not in alert.message
    assert ("(and 2 more)" in alert.message) is more
    assert (alert,) == batch_alerts(batch, shares={}, policy=POLICY)
    assert batch_alerts(replace(batch, status=BatchStatus.ACCEPTED), shares={}, policy=POLICY) == ()


@pytest.mark.parametrize(
    ("column", "severity", "told"),
    [
        ("income", Severity.WARNING, [AlertLevel.PAGE]),
        ("town", Severity.WARNING, [AlertLevel.WATCH]),
        ("income", Severity.INFO, []),
    ],
)
def test_values_that_were_rewritten_are_told_as_loud_as_the_feature_is_important(
    column: str, severity: Severity, told: list[AlertLevel]
) -> None:
    batch = BatchReport(
        model="lending",
        batch_id="b-0007",
        status=BatchStatus.ACCEPTED,
        rows=1200,
        sha256="0" * 64,
        source="week.csv",
        received_at=START,
        findings=(Finding(code="imputed", column=column, severity=severity, message="Nulls are 0 now."),),
    )
    raised = batch_alerts(batch, shares={"income": 0.6, "town": 0.1, "age": 0.2, "debt": 0.1}, policy=POLICY)
    assert [a.level for a in raised] == told
    assert all((a.code, a.feature) == ("batch_suspect", column) for a in raised)
    assert all("b-0007 (1,200 rows from 'week.csv') was accepted" in a.message for a in raised)
    (alone,) = batch_alerts(
        replace(batch, findings=(replace(batch.findings[0], severity=Severity.WARNING),)), shares={}, policy=POLICY
    )
    assert alone.level is AlertLevel.WATCH


def test_codes_say_what_the_reasons_are_about() -> None:
    found = "in batch b-0007: Nulls are 0 now."
    only = feature("age", AlertLevel.WATCH, effect=0.02, hard_evidence=(found,), reason=f"age: {found}")
    told = window_level(window(only, PAGE, prediction_drift=MOVED, performance=DROPPED), policy=POLICY)
    assert told.codes == ("performance", "data_drift", "data_quality", "prediction_drift")
    # what only the door found has its alert already, about the batch
    assert [a.feature for a in alerts_of(report(window(only, PAGE)), (), policy=POLICY)] == ["income"]


def test_a_window_that_moved_as_a_whole_pages_once_and_only_alone() -> None:
    whole = window(QUIET, weighted_drift=0.21, weighted_limit=0.08, weighted_alert=AlertLevel.PAGE)
    told = window_level(whole, weighted_reason="weighted drift 0.21, healthy windows stay below 0.08", policy=POLICY)
    assert (told.alert, told.codes) == (AlertLevel.PAGE, ("data_drift",))
    (alert,) = alerts_of(report(told), (), policy=POLICY)
    assert (alert.level, alert.feature) == (AlertLevel.PAGE, None)
    assert alert.message.startswith("Weighted drift is 0.21; healthy windows stay below 0.08.")
    both = replace(whole, features=(PAGE,))
    assert [a.feature for a in alerts_of(report(both), (), policy=POLICY)] == ["income"]


def test_what_only_the_rows_show_is_watched() -> None:
    domain = DomainTest(auc=0.8, p_value=0.0, drifted=True, reason="the rows are told apart: AUC 0.80")
    segment = SegmentDrift(
        by="town", segment="B", rows=50, share=0.05, feature="age", effect=0.5, overall=0.02, p_value=0.0, p_adjusted=0.0,
        reason="age moved where town is 'B'",
    )  # fmt: skip
    looked = Examination(rows=900, baseline_rows=9000, domain=domain, segments=(segment,))
    told = window_level(window(QUIET, examined=looked), policy=POLICY)
    assert (told.alert, told.reasons) == (AlertLevel.WATCH, (domain.reason, segment.reason))
    (alert,) = alerts_of(report(told), (), policy=POLICY)
    assert "AUC 0.80; age moved where town is 'B'" in alert.message
    # beside a feature that drifted by itself the classifier says nothing new
    assert domain.reason not in window_level(window(PAGE, examined=looked), policy=POLICY).reasons


def test_a_drift_alert_carries_its_rule_and_what_the_rows_show() -> None:
    coherence = Coherence(feature="income", origin=Origin.FAULT, ratio=0.1, strength=80.0, reason="only income moved")
    looked = Examination(
        rows=900,
        baseline_rows=9000,
        impacts=(Impact(feature="income", mean_change=0.052, shift=-0.05),),
        coherence=coherence,
    )
    rule = Rule(words="A rule.", calibrated=True, healthy_windows=26, fired=2, tried=26)
    (alert,) = alerts_of(replace(report(window(PAGE, examined=looked)), rule=rule), (), policy=POLICY)
    assert alert.rule == "A rule. On the 26 healthy windows themselves it would have paged 2 times."
    assert "predictions would differ by 0.052 on average. The measurement changed: only income moved." in alert.message


def test_an_important_feature_that_drifted_once_says_what_is_needed() -> None:
    once = feature("income", AlertLevel.WATCH, windows_drifted=1, important=True)
    (alert,) = alerts_of(report(window(once, QUIET, QUIET, QUIET)), (), policy=POLICY)
    assert alert.message.endswith("It pages when it lasts: 2 of 3 windows are needed, so far 1 drifted.")


DOMAIN = DomainTest(auc=0.8, p_value=0.0, drifted=True, reason="the rows are told apart: AUC 0.80")
SEGMENT = SegmentDrift(
    by="town", segment="B", rows=50, share=0.05, feature="age", effect=0.5, overall=0.02, p_value=0.0, p_adjusted=0.0,
    reason="age moved where town is 'B'",
)  # fmt: skip
CALIBRATED = Rule(
    words="A rule.", uncalibrated_words="Without a past.", calibrated=True, healthy_windows=26, fired=2, tried=26
)
OF_DOMAIN = (
    "All columns together have drifted when a classifier tells the rows from the baseline's with an AUC of at least 0.60, not"
    " by chance (p at most 0.05)."
)
OF_SEGMENTS = (
    "A feature has drifted inside a segment when its effect there is at least 0.20 and clearly above that of all rows, not by"
    " chance (Benjamini-Hochberg at 0.05 over all features in all segments)."
)


def rules(*windows: WindowReport, rule: Rule = CALIBRATED) -> list[str]:
    return [a.rule for a in alerts_of(replace(report(*windows), rule=rule), (), policy=POLICY)]


def test_a_window_that_may_not_be_held_against_the_healthy_ones_names_its_own_rule() -> None:
    past = "A rule. On the 26 healthy windows themselves it would have paged 2 times."
    assert rules(window(PAGE)) == ["Without a past."]
    assert rules(window(PAGE, calibrated=True)) == [past]
    assert rules(window(PAGE), rule=replace(CALIBRATED, uncalibrated_words="")) == [past]
    assert rules(window(PAGE), rule=Rule(words="So far.", uncalibrated_words="x", calibrated=False)) == ["So far."]


@pytest.mark.parametrize(
    ("domain", "segments", "told"),
    [(DOMAIN, (), OF_DOMAIN), (None, (SEGMENT,), OF_SEGMENTS), (DOMAIN, (SEGMENT,), f"{OF_DOMAIN} {OF_SEGMENTS}")],
)
def test_what_only_the_rows_show_has_a_rule_of_its_own(
    domain: DomainTest | None, segments: tuple[SegmentDrift, ...], told: str
) -> None:
    looked = Examination(rows=900, baseline_rows=9000, domain=domain, segments=segments)
    assert rules(window(QUIET, examined=looked, calibrated=True)) == [told]


def test_a_detached_column_has_a_rule_of_its_own() -> None:
    loose = feature("income", AlertLevel.PAGE, state=DriftState.STABLE, drifted=False)
    looked = Examination(
        rows=900, baseline_rows=9000, detached=(Detachment(feature="income", kept=0.1, p_adjusted=0.0),)
    )
    assert rules(window(loose, WATCH, examined=looked, calibrated=True)) == [
        "A column no longer belongs to its row when 50 % or less is left of its relation to the other columns, not by chance"
        " (Bonferroni at 0.05 over all columns); one window is enough.",
        "A rule. On the 26 healthy windows themselves it would have paged 2 times.",
    ]
    raised = alerts_of(report(window(loose, WATCH, examined=looked, calibrated=True)), (), policy=POLICY)
    assert [alert.detached for alert in raised] == [True, False]


def test_a_page_for_a_dear_fault_of_a_feature_that_matters_little_says_so() -> None:
    dear = feature("income", AlertLevel.PAGE, important=False, windows_drifted=2)
    looked = Examination(rows=900, baseline_rows=9000, fault_loss=0.02)
    assert rules(window(dear, examined=looked, calibrated=True)) == [
        "Where no important feature pages, the drifted feature that moves the predictions most does, if it has lasted 2 of 3 windows"
        " and the drift of the window, were it a fault, would cost at least 1 % of accuracy."
    ]
    (rule,) = rules(window(replace(dear, important=True), examined=looked, calibrated=True))
    assert rule.startswith("A rule.")


def test_a_window_that_moved_as_a_whole_names_the_important_features_that_did() -> None:
    def said(*features: FeatureDrift) -> str:
        whole = window(*features, weighted_drift=0.21, weighted_limit=0.08, weighted_alert=AlertLevel.PAGE)
        return alerts_of(report(whole), (), policy=POLICY)[-1].message

    nothing = "No single important feature moved by its floor, many together did."
    assert nothing in said(WATCH, QUIET)
    once = [feature(name, AlertLevel.WATCH, important=True, windows_drifted=1) for name in ("income", "debt", "a", "b")]
    assert nothing not in said(*once)
    assert (
        "Of the important features income drifted, but none has lasted yet (2 of 3 windows); together with the others it is"
        " too much."
    ) in said(once[0], QUIET)
    assert "features income and debt drifted, but" in said(*once[:2])
    assert "features income, debt and a drifted, but" in said(*once[:3])
    assert "features income, debt, a and 1 more drifted, but" in said(*once)
    long = feature("x" * 50, AlertLevel.WATCH, important=True)
    assert f"features {'x' * 40}… drifted" in said(long)
    # what only the door found moved nothing, and has its alert already
    found = feature(
        "age", AlertLevel.PAGE, important=True, effect=0.01, hard_evidence=("in batch b-0007: Nulls are 0.",)
    )
    assert nothing in said(found)


def test_beside_what_the_door_found_the_rows_do_not_say_that_nothing_drifted() -> None:
    looked = Examination(rows=900, baseline_rows=9000, segments=(SEGMENT,))
    (quiet,) = alerts_of(report(window(QUIET, examined=looked)), (), policy=POLICY)
    assert quiet.message.startswith("No feature drifted by itself over all rows, but: age moved where town is 'B'.")
    found = feature("debt", AlertLevel.PAGE, effect=0.01, hard_evidence=("in batch b-0007: Nulls are 0 now.",))
    (alert,) = alerts_of(report(window(found, examined=looked)), (), policy=POLICY)
    assert alert.message == (
        "Besides what drifted by itself (debt), the rows show: age moved where town is 'B'. Look at the rows of this window by"
        " hand."
    )


def test_hard_evidence_is_collected_by_feature() -> None:
    finding = Finding(code="imputed", column="income", severity=Severity.WARNING, message="Nulls are 0 now.")
    batch = BatchReport(
        model="lending", batch_id="b-0007", status=BatchStatus.ACCEPTED, rows=9, sha256="0" * 64, source="w.csv",
        received_at=START, findings=(finding, replace(finding, code="out_of_range", column="age")),
    )  # fmt: skip
    assert hard_evidence([batch, batch]) == {"income": ("in batch b-0007: Nulls are 0 now.",)}
