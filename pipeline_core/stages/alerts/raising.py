"""Which signals are worth a person's time, and in which words.

Neighbours: ``telling`` has the words, ``drift`` and ``performance`` measured, the store keeps alerts and who acknowledged
them. Refused: measuring anything, and raising the same signal twice: an alert's id follows from what it is about, so a
second check finds it known.

Levels: ``drift`` says how loud a feature is; a drop in realised performance and a quarantined batch page; a batch in which
nulls became a value or a unit jumped is told at once, as loud as its feature is important; prediction drift and a joint
change that no single column shows are watched, because they say that something moved and not that it is wrong.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from math import ceil

from pipeline_core.policy import Policy
from pipeline_core.records import (
    Alert,
    AlertLevel,
    BatchReport,
    BatchStatus,
    FeatureDrift,
    Finding,
    Performance,
    Severity,
    WatchReport,
    WindowReport,
)
from pipeline_core.records.codes import FindingCode
from pipeline_core.stages.alerts import telling

DATA_DRIFT = "data_drift"
PREDICTION_DRIFT = "prediction_drift"
PERFORMANCE = "performance"
BATCH_QUARANTINED = "batch_quarantined"
BATCH_SUSPECT = "batch_suspect"
DATA_QUALITY = "data_quality"
CODES = (DATA_DRIFT, PREDICTION_DRIFT, PERFORMANCE, BATCH_QUARANTINED, BATCH_SUSPECT)
HARD_EVIDENCE = frozenset({FindingCode.IMPUTED, FindingCode.UNIT_JUMP})
"""Findings that no world makes by itself: somebody changed how values are written, and one batch is proof enough."""

_WORST_FIRST = (AlertLevel.PAGE, AlertLevel.WATCH, AlertLevel.NONE)


def window_level(
    window: WindowReport, *, weighted_reason: str = "", seasonal: bool = False, policy: Policy
) -> WindowReport:
    """Give a window its level, its reasons, the worst first, and their codes.

    Parameters
    ----------
    window : WindowReport
        With features, scores, performance and what a closer look found; ``weighted_alert`` as ``drift`` gave it.
    weighted_reason : str
        In which clause, where the window as a whole moved too far.
    seasonal : bool
        The baseline is a season: rows are then told apart in any window, so what only a look at them shows is no signal.
    policy : Policy
        Says how many rows a window needs.

    Returns
    -------
    WindowReport
        The same with ``alert``, ``reasons`` and ``codes``; where there is no signal, one reason that says so, or that the
        window is too small.
    """
    signals: list[tuple[AlertLevel, str, str]] = []
    if window.performance.dropped:
        signals.append((_performance_level(window.performance, policy), PERFORMANCE, window.performance.reason))
    loud = sorted((f for f in window.features if f.alert is not AlertLevel.NONE), key=lambda f: -f.contribution)
    signals += [(feature.alert, _code(feature, policy), feature.reason) for feature in loud]
    if window.weighted_alert is not AlertLevel.NONE:
        signals.append((window.weighted_alert, DATA_DRIFT, weighted_reason))
    if window.prediction_drift.drifted:
        signals.append((AlertLevel.WATCH, PREDICTION_DRIFT, window.prediction_drift.reason))
    signals += [(AlertLevel.WATCH, DATA_DRIFT, one.reason) for one in ([] if seasonal else telling.looked_at(window))]
    if not signals:
        quiet = telling.quiet(window.features, window.rows, policy)
        return replace(window, alert=AlertLevel.NONE, reasons=(quiet,), codes=())
    signals.sort(key=lambda signal: _WORST_FIRST.index(signal[0]))
    return replace(
        window,
        alert=signals[0][0],
        reasons=tuple(reason for _, _, reason in signals),
        codes=tuple(dict.fromkeys(code for _, code, _ in signals)),
    )


def hard_evidence(reports: Iterable[BatchReport]) -> dict[str, tuple[str, ...]]:
    """Collect what the door found in batches that no world makes by itself, by feature.

    Parameters
    ----------
    reports : iterable of BatchReport
        Accepted batches.

    Returns
    -------
    dict of str to tuple of str
        Sentences that name the batch.
    """
    found: dict[str, list[str]] = {}
    for report in reports:
        for finding in _hard(report):
            found.setdefault(finding.column or "", []).append(f"in batch {report.batch_id}: {finding.message}")
    return {name: tuple(dict.fromkeys(said)) for name, said in found.items()}


def alerts_of(report: WatchReport, known: Collection[Alert], *, policy: Policy) -> tuple[Alert, ...]:
    """Turn the signals of a check into alerts that were not raised before.

    Parameters
    ----------
    report : WatchReport
        One answer of ``check``.
    known : collection of Alert
        What the store holds, acknowledged or not. The same signal in an overlapping window is the same news, so a check
        with another window length raises nothing twice. What got worse (watch, now page) is news.
    policy : Policy
        Named in the message as what was allowed.

    Returns
    -------
    tuple of Alert
        In the order of the windows; one per window and feature, and one per window for scores and for performance.
    """
    raised: list[Alert] = []
    seen: dict[datetime, int] = {}
    for window in report.windows:
        # windows counted in rows can start at the same moment when a whole batch arrived at once
        place = seen.get(window.start, 0)
        seen[window.start] = place + 1
        raised += _window_alerts(report, window, place, policy)
    return tuple(alert for alert in raised if not _told(alert, known))


def batch_alerts(report: BatchReport, *, shares: Mapping[str, float], policy: Policy) -> tuple[Alert, ...]:
    """Raise that a batch was quarantined, or that one was accepted whose values somebody has rewritten.

    Parameters
    ----------
    report : BatchReport
        What the door decided.
    shares : mapping of str to float
        SHAP shares of the champion by feature; none where there is no champion.
    policy : Policy
        Says which features are important enough to page.

    Returns
    -------
    tuple of Alert
        Of a quarantined batch one, on the column of its first error. Of an accepted one an alert for each finding that is
        hard evidence: a page on an important feature, otherwise to be watched.
    """
    if report.status is BatchStatus.QUARANTINED:
        return (_quarantined(report),)
    top = ceil(policy.importance_top_share * len(shares))
    important = sorted(shares, key=lambda name: -shares[name])[:top]
    return tuple(
        _batch_alert(
            report,
            BATCH_SUSPECT,
            AlertLevel.PAGE if finding.column in important else AlertLevel.WATCH,
            feature=finding.column,
            text=f"was accepted, and this is in it: {finding.message}",
        )
        for finding in _hard(report)
    )


def _hard(report: BatchReport) -> list[Finding]:
    return [f for f in report.findings if f.code in HARD_EVIDENCE and f.severity is not Severity.INFO]


def _code(feature: FeatureDrift, policy: Policy) -> str:
    return DATA_QUALITY if telling.only_found(feature, policy) else DATA_DRIFT


def _quarantined(report: BatchReport) -> Alert:
    broken = [finding for finding in report.findings if finding.severity is Severity.ERROR]
    more = f" (and {len(broken) - telling.NAMED} more)" if len(broken) > telling.NAMED else ""
    return _batch_alert(
        report,
        BATCH_QUARANTINED,
        AlertLevel.PAGE,
        feature=next((finding.column for finding in broken), None),
        text=(
            f"is quarantined: {' '.join(finding.message for finding in broken[: telling.NAMED])}{more} A batch without"
            " errors is allowed; nothing of this one is trained on or scored. Mend it at its source and send it again."
        ),
    )


def _batch_alert(report: BatchReport, code: str, level: AlertLevel, *, feature: str | None, text: str) -> Alert:
    about = () if code == BATCH_QUARANTINED else (feature or "",)
    return Alert(
        alert_id=_identity(report.model, code, report.batch_id, *about),
        model=report.model,
        version=None,
        code=code,
        level=level,
        feature=feature,
        message=f"Batch {report.batch_id} ({report.rows:,} rows from {report.source!r}) {text}",
        window_start=report.first_event_at,
        window_end=report.last_event_at,
        contribution=None,
        raised_at=report.received_at,
    )


def _window_alerts(report: WatchReport, window: WindowReport, place: int, policy: Policy) -> list[Alert]:
    counted = telling.counted_rule(report, window)

    def alert(
        code: str, level: AlertLevel, message: str, feature: FeatureDrift | None = None, *, rule: str = ""
    ) -> Alert:
        name = None if feature is None else feature.feature
        start = window.start.isoformat() if place == 0 else f"{window.start.isoformat()}#{place}"
        return Alert(
            alert_id=_identity(report.model, str(report.version), code, name or "", start, level.value),
            model=report.model,
            version=report.version,
            code=code,
            level=level,
            feature=name,
            message=message,
            window_start=window.start,
            window_end=window.end,
            contribution=None if feature is None else feature.contribution,
            raised_at=report.checked_at,
            rule=rule,
            window=report.window,
            detached=feature is not None and not feature.drifted and telling.detached(feature, window),
        )

    # what only the door found has its own alert, about the batch
    alerts = [
        alert(
            DATA_DRIFT,
            f.alert,
            telling.drift_message(f, window, policy),
            f,
            rule=telling.rule_of(f, window, policy, counted=counted),
        )
        for f in window.features
        if f.alert is not AlertLevel.NONE and not telling.only_found(f, policy)
    ]
    paged = any(a.level is AlertLevel.PAGE for a in alerts)
    if window.weighted_alert is AlertLevel.PAGE and not paged:
        alerts.append(alert(DATA_DRIFT, AlertLevel.PAGE, telling.weighted_message(window, policy), rule=counted))
    seasonal = report.baseline is not None and report.baseline.season is not None
    if not alerts and not seasonal:
        # one alert is enough for what no single column shows
        looked = telling.looked_at(window)
        if looked:
            message = telling.joint_message(looked, window)
            alerts.append(alert(DATA_DRIFT, AlertLevel.WATCH, message, rule=telling.joint_rule(looked, policy)))
    if window.prediction_drift.drifted:
        message = telling.prediction_message(window.prediction_drift, policy)
        alerts.append(alert(PREDICTION_DRIFT, AlertLevel.WATCH, message))
    if window.performance.dropped:
        level = _performance_level(window.performance, policy)
        alerts.append(alert(PERFORMANCE, level, telling.performance_message(window.performance)))
    return alerts


def _performance_level(performance: Performance, policy: Policy) -> AlertLevel:
    # the labels that come first are not a fair sample, so a loss that they show is looked at and wakes nobody yet
    mature = performance.labelled_rows >= policy.label_share_min * performance.scored_rows
    return AlertLevel.PAGE if mature else AlertLevel.WATCH


def _told(alert: Alert, known: Iterable[Alert]) -> bool:
    """Say whether the same signal, at least as severe, was raised in an overlapping window."""
    return any(
        alert.alert_id == other.alert_id
        or (
            (alert.version, alert.code, alert.feature) == (other.version, other.code, other.feature)
            and _WORST_FIRST.index(other.level) <= _WORST_FIRST.index(alert.level)
            and _overlap(alert, other)
        )
        for other in known
    )


def _overlap(one: Alert, other: Alert) -> bool:
    if one.window_start is None or one.window_end is None or other.window_start is None or other.window_end is None:
        return False
    return one.window_start < other.window_end and other.window_start < one.window_end


def _identity(*parts: str) -> str:
    # the lengths keep ("a", "bc") and ("ab", "c") apart whatever a name contains
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
