"""Which signals are worth a person's time, and in which words.

Neighbours: ``drift`` and ``performance`` measured, the store keeps alerts and who acknowledged them. Refused: measuring
anything, and raising the same signal twice: an alert's id follows from what it is about, so a second check finds it known.

Levels: a drifted feature pages when it is among the most important, and is watched otherwise; a drop in realised
performance and a quarantined batch page; a batch in which nulls became a value or a unit jumped is told at once, as
loud as its feature is important; prediction drift alone is watched, because it says that scores moved and not
that they are wrong.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from math import ceil

from pipeline_core.policy import Policy
from pipeline_core.records import (
    Alert,
    AlertLevel,
    BatchReport,
    BatchStatus,
    DriftState,
    FeatureDrift,
    Performance,
    PredictionDrift,
    Severity,
    WatchReport,
    WindowReport,
)
from pipeline_core.records.codes import FindingCode

DATA_DRIFT = "data_drift"
PREDICTION_DRIFT = "prediction_drift"
PERFORMANCE = "performance"
BATCH_QUARANTINED = "batch_quarantined"
BATCH_SUSPECT = "batch_suspect"
CODES = (DATA_DRIFT, PREDICTION_DRIFT, PERFORMANCE, BATCH_QUARANTINED, BATCH_SUSPECT)
HARD_EVIDENCE = frozenset({FindingCode.IMPUTED, FindingCode.UNIT_JUMP})
"""Findings that no world makes by itself: somebody changed how values are written, and one batch is proof enough."""

_WORST_FIRST = (AlertLevel.PAGE, AlertLevel.WATCH, AlertLevel.NONE)
_FINDINGS_NAMED = 3


def window_level(
    features: Sequence[FeatureDrift],
    *,
    rows: int,
    prediction_drift: PredictionDrift,
    performance: Performance,
    policy: Policy,
) -> tuple[AlertLevel, tuple[str, ...]]:
    """Give the level of a window and its reasons, the worst first.

    Parameters
    ----------
    features : sequence of FeatureDrift
        All features of the window, each with its own level.
    rows : int, rows
        In the window.
    prediction_drift : PredictionDrift
        Of the window.
    performance : Performance
        Of the window.
    policy : Policy
        Says how many rows a window needs.

    Returns
    -------
    level : AlertLevel
        The worst of all.
    reasons : tuple of str
        One sentence per signal; where there is none, one that says so, or that the window is too small.
    """
    signals: list[tuple[AlertLevel, str]] = []
    if performance.dropped:
        signals.append((_performance_level(performance, policy), performance.reason))
    ordered = sorted(features, key=lambda feature: -feature.contribution)
    signals += [(f.alert, f.reason) for f in ordered if f.alert is not AlertLevel.NONE]
    if prediction_drift.drifted:
        signals.append((AlertLevel.WATCH, prediction_drift.reason))
    if not signals:
        return AlertLevel.NONE, (_quiet(features, rows, policy),)
    signals.sort(key=lambda signal: _WORST_FIRST.index(signal[0]))
    return signals[0][0], tuple(reason for _, reason in signals)


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
    found = (f for f in report.findings if f.code in HARD_EVIDENCE and f.severity is not Severity.INFO)
    return tuple(
        _batch_alert(
            report,
            BATCH_SUSPECT,
            AlertLevel.PAGE if finding.column in important else AlertLevel.WATCH,
            feature=finding.column,
            text=f"was accepted, and this is in it: {finding.message}",
        )
        for finding in found
    )


def _quarantined(report: BatchReport) -> Alert:
    broken = [finding for finding in report.findings if finding.severity is Severity.ERROR]
    more = f" (and {len(broken) - _FINDINGS_NAMED} more)" if len(broken) > _FINDINGS_NAMED else ""
    return _batch_alert(
        report,
        BATCH_QUARANTINED,
        AlertLevel.PAGE,
        feature=next((finding.column for finding in broken), None),
        text=(
            f"is quarantined: {' '.join(finding.message for finding in broken[:_FINDINGS_NAMED])}{more} A batch without"
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
    def alert(code: str, level: AlertLevel, message: str, feature: FeatureDrift | None = None) -> Alert:
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
        )

    alerts = [
        alert(DATA_DRIFT, f.alert, _drift_message(f, policy), f)
        for f in window.features
        if f.alert is not AlertLevel.NONE
    ]
    if window.prediction_drift.drifted:
        alerts.append(alert(PREDICTION_DRIFT, AlertLevel.WATCH, _prediction_message(window.prediction_drift, policy)))
    if window.performance.dropped:
        level = _performance_level(window.performance, policy)
        alerts.append(alert(PERFORMANCE, level, _performance_message(window.performance)))
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


def _drift_message(feature: FeatureDrift, policy: Policy) -> str:
    if feature.state is not DriftState.DRIFTED:
        return f"{_sentence(feature.reason)} A count in every window is expected. Check the upstream extract."
    share = f"{feature.shap_share:.0%}".replace("%", " %")
    nulls, levels = policy.null_share_change_min * 100, policy.new_level_share_min * 100
    allowed = (
        f"The policy allows a move below {policy.drift_effect_min:.2f}, a null-share change below {nulls:.1f} points and "
        f"new levels below {levels:.1f} %."
    )
    if feature.alert is AlertLevel.PAGE:
        todo = (
            "Check the upstream extract first; if the change is real, train on recent rows and challenge the champion."
        )
    else:
        todo = "Log it and look again in 7 days; the model leans little on it."
    return f"{_sentence(feature.reason)} It carries {share} of the model (rank {feature.shap_rank}). {allowed} {todo}"


def _prediction_message(moved: PredictionDrift, policy: Policy) -> str:
    return (
        f"{_sentence(moved.reason)} The policy allows a move below {policy.drift_effect_min:.2f}. "
        "Look at the features that drifted in this window, and at ground truth as it arrives."
    )


def _performance_message(performance: Performance) -> str:
    return (
        f"{_sentence(performance.reason)} Look at recent rows by hand and at the drifted features; then train on recent rows "
        "and challenge the champion."
    )


def _sentence(clause: str) -> str:
    return f"{clause}."


def _quiet(features: Sequence[FeatureDrift], rows: int, policy: Policy) -> str:
    if rows < policy.window_rows_min:
        return f"{rows:,} rows in the window, {policy.window_rows_min:,} are needed to judge"
    unclear = sum(feature.state is DriftState.UNCLEAR for feature in features)
    rest = f"; {unclear} of {len(features)} features are unclear with {rows:,} rows" if unclear else ""
    return f"no signal: no feature drifted{rest}"


def _identity(*parts: str) -> str:
    # the lengths keep ("a", "bc") and ("ab", "c") apart whatever a name contains
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
