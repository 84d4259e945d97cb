"""What an alert about a window says, and by which rule it was raised.

Neighbour: ``raising`` decides what is worth an alert. Refused: deciding how loud one is.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline_core.policy import Policy
from pipeline_core.records import (
    AlertLevel,
    DomainTest,
    DriftState,
    FeatureDrift,
    Origin,
    Performance,
    PredictionDrift,
    SegmentDrift,
    WatchReport,
    WindowReport,
)

NAMED = 3
_ORIGINS = {
    Origin.POPULATION: "The world changed",
    Origin.FAULT: "The measurement changed",
    Origin.UNKNOWN: "Whether the world or the measurement changed cannot be told",
}
_NAME_MAX = 40


def only_found(feature: FeatureDrift, policy: Policy) -> bool:
    """Say whether the door's findings are all there is: the counts of the window show nothing."""
    moved = feature.effect is not None and feature.effect >= policy.drift_effect_min
    nulls = feature.nulls
    gone = nulls is not None and abs(nulls.current - nulls.baseline) >= policy.null_share_change_min
    return bool(feature.hard_evidence) and not (moved or gone or feature.new_levels)


def detached(feature: FeatureDrift, window: WindowReport) -> bool:
    """Say whether a look at the rows found that a column no longer belongs to them."""
    return window.examined is not None and any(one.feature == feature.feature for one in window.examined.detached)


def looked_at(window: WindowReport) -> list[DomainTest | SegmentDrift]:
    """Give what only a look at the rows shows, each with its clause."""
    if window.examined is None:
        return []
    domain = window.examined.domain
    # a classifier that only finds the feature that drifted by itself says nothing new
    alone = domain is not None and domain.drifted and not any(f.drifted for f in window.features)
    return [*([domain] if domain is not None and alone else []), *window.examined.segments]


def counted_rule(report: WatchReport, window: WindowReport) -> str:
    """Say by which rule the counts of a window were judged."""
    rule = report.rule
    if rule is None:
        return ""
    if rule.calibrated and not window.calibrated and rule.uncalibrated_words:
        return rule.uncalibrated_words
    times = "once" if rule.fired == 1 else f"{rule.fired} times"
    past = f" On the {rule.tried} healthy windows themselves it would have paged {times}." if rule.tried else ""
    return rule.words + past


def priced_rule(policy: Policy) -> str:
    """Say when a drift pages although the model leans little on the feature."""
    return (
        "Where no important feature pages, the drifted feature that moves the predictions most does, if it has lasted"
        f" {policy.alert_windows_min} of {policy.alert_windows_of} windows and the drift of the window, were it a fault, would cost at"
        f" least {_percent(policy.fault_loss_page_min)} of accuracy."
    )


def detached_rule(policy: Policy) -> str:
    """Say when a column no longer belongs to its row."""
    return (
        f"A column no longer belongs to its row when {_percent(policy.detachment_kept_max)} or less is left of its relation to"
        f" the other columns, not by chance (Bonferroni at {policy.alpha:g} over all columns); one window is enough."
    )


def rule_of(feature: FeatureDrift, window: WindowReport, policy: Policy, *, counted: str) -> str:
    """Say by which rule a feature's alert was raised."""
    if detached(feature, window):
        return detached_rule(policy)
    loss = None if window.examined is None else window.examined.fault_loss
    dear = loss is not None and loss >= policy.fault_loss_page_min
    return priced_rule(policy) if feature.alert is AlertLevel.PAGE and not feature.important and dear else counted


def joint_rule(looked: Sequence[DomainTest | SegmentDrift], policy: Policy) -> str:
    """Say when what no single column shows is told."""
    said = []
    if any(isinstance(one, DomainTest) for one in looked):
        said.append(
            "All columns together have drifted when a classifier tells the rows from the baseline's with an AUC of at least"
            f" {policy.domain_auc_min:.2f}, not by chance (p at most {policy.alpha:g})."
        )
    if any(isinstance(one, SegmentDrift) for one in looked):
        said.append(
            f"A feature has drifted inside a segment when its effect there is at least {policy.segment_effect_min:.2f} and"
            f" clearly above that of all rows, not by chance (Benjamini-Hochberg at {policy.alpha:g} over all features in all"
            " segments)."
        )
    return " ".join(said)


def drift_message(feature: FeatureDrift, window: WindowReport, policy: Policy) -> str:
    """Say what happened to a feature, what was allowed, and what to do."""
    share = _percent(feature.shap_share)
    if detached(feature, window):
        return (
            f"{feature.reason}. It carries {share} of the model (rank {feature.shap_rank}). The policy wants more than"
            f" {_percent(policy.detachment_kept_max)} of it left. Check the join, and the order of rows and columns, upstream."
        )
    if feature.state is not DriftState.DRIFTED:
        return f"{feature.reason}. A count in every window is expected. Check the upstream extract."
    nulls, levels = policy.null_share_change_min * 100, policy.new_level_share_min * 100
    allowed = (
        f"The policy allows a move below {policy.drift_effect_min:.2f}, a null-share change below {nulls:.1f} points and "
        f"new levels below {levels:.1f} %."
    )
    if feature.alert is AlertLevel.PAGE:
        todo = (
            "Check the upstream extract first; if the change is real, train on recent rows and challenge the champion."
        )
    elif feature.important:
        todo = (
            f"It pages when it lasts: {policy.alert_windows_min} of {policy.alert_windows_of} windows are needed, so far"
            f" {feature.windows_drifted} drifted."
        )
    else:
        todo = "Log it and look again in 7 days: it is not among the features that the model leans on most."
    seen = "".join(f" {text}" for text in _examined(feature, window))
    return f"{feature.reason}. It carries {share} of the model (rank {feature.shap_rank}).{seen} {allowed} {todo}"


def _examined(feature: FeatureDrift, window: WindowReport) -> list[str]:
    """Say what the rows of the window show about a feature, in sentences."""
    if window.examined is None:
        return []
    said = [
        f"With its baseline distribution back, predictions would differ by {impact.mean_change:.3g} on average."
        for impact in window.examined.impacts
        if impact.feature == feature.feature
    ]
    coherence = window.examined.coherence
    if coherence is not None and coherence.feature == feature.feature:
        said.append(f"{_ORIGINS[coherence.origin]}: {coherence.reason.rstrip('.')}.")
    return said


def weighted_message(window: WindowReport, policy: Policy) -> str:
    """Say that the window as a whole moved, and whether an important feature did too."""
    drift, limit = window.weighted_drift or 0.0, window.weighted_limit or 0.0
    moved = [f for f in window.features if f.drifted and f.important and not only_found(f, policy)]
    lasting = f"{policy.alert_windows_min} of {policy.alert_windows_of} windows"
    each = (
        f"Of the important features {_names(moved)} drifted, but none has lasted yet ({lasting}); together with the others"
        " it is too much."
        if moved
        else "No single important feature moved by its floor, many together did."
    )
    return (
        f"Weighted drift is {drift:.2f}; healthy windows stay below {limit:.2f}. {each} Look at the largest contributions, and"
        " at what changed upstream for all of them."
    )


def joint_message(looked: Sequence[DomainTest | SegmentDrift], window: WindowReport) -> str:
    """Say what only the rows show, beside what drifted by itself."""
    drifted = [f for f in window.features if f.drifted]
    begin = (
        f"Besides what drifted by itself ({_names(drifted)}), the rows show:"
        if drifted
        else "No feature drifted by itself over all rows, but:"
    )
    more = f" (and {len(looked) - NAMED} more)" if len(looked) > NAMED else ""
    said = "; ".join(one.reason.rstrip(".") for one in looked[:NAMED])
    return f"{begin} {said}{more}. Look at the rows of this window by hand."


def prediction_message(moved: PredictionDrift, policy: Policy) -> str:
    """Say that the scores moved, and what was allowed."""
    return (
        f"{moved.reason}. The policy allows a move below {policy.drift_effect_min:.2f}. "
        "Look at the features that drifted in this window, and at ground truth as it arrives."
    )


def performance_message(performance: Performance) -> str:
    """Say that the model got worse, and what to do."""
    return (
        f"{performance.reason}. Look at recent rows by hand and at the drifted features; then train on recent rows "
        "and challenge the champion."
    )


def quiet(features: Sequence[FeatureDrift], rows: int, policy: Policy) -> str:
    """Say in a clause why there is no signal."""
    if rows < policy.window_rows_min:
        return f"{rows:,} rows in the window, {policy.window_rows_min:,} are needed to judge"
    unclear = sum(feature.state is DriftState.UNCLEAR for feature in features)
    rest = f"; {unclear} of {len(features)} features are unclear with {rows:,} rows" if unclear else ""
    return f"no signal: no feature drifted{rest}"


def _names(features: Sequence[FeatureDrift]) -> str:
    names = [f.feature if len(f.feature) <= _NAME_MAX else f"{f.feature[:_NAME_MAX]}…" for f in features[:NAMED]]
    if len(features) > NAMED:
        return f"{', '.join(names)} and {len(features) - NAMED} more"
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %")
