"""The words on one feature in one window: is it real, does it matter, where does it come from; pure.

Foreign names are escaped here. What is unknown is a word with its reason.
"""

from __future__ import annotations

from collections.abc import Sequence

from pages.ui import wording
from pages.ui.panels import Fact, Rows
from pipeline_core.policy import Policy
from pipeline_core.records import (
    BaselineChoice,
    BaselineKind,
    Coherence,
    Detachment,
    Distribution,
    DriftState,
    Examination,
    FeatureDrift,
    Impact,
    Origin,
    Schema,
    Task,
    WatchReport,
    WindowReport,
)

UNSEEN = "not looked at"
_CALIBRATED = "Share of healthy windows in which some feature stood out as much as this one does here (maximum over the features)."
_STATES = {
    DriftState.DRIFTED: ("orange", ":material/trending_up:", "Drifted"),
    DriftState.STABLE: ("green", ":material/check_circle:", "Stable"),
    DriftState.UNCLEAR: ("gray", ":material/help:", "Unclear"),
}
_ORIGINS = {
    Origin.POPULATION: ("blue", ":material/groups:", "Population shift"),
    Origin.FAULT: ("red", ":material/build:", "Measurement fault"),
    Origin.UNKNOWN: ("gray", ":material/help:", "Cannot tell whether the world or the measurement changed"),
}
_KINDS = {
    BaselineKind.TRAINING: "everything that the champion was made from",
    BaselineKind.SEASON: "the same season of the champion's data",
    BaselineKind.PERIOD: "a period that a person chose",
    BaselineKind.PREVIOUS: "the window before",
}


def state(found: FeatureDrift) -> str:
    """Give the state as a badge (Markdown), with the smallest shift that this window could have seen."""
    colour, icon, word = _STATES[found.state]
    if found.alert is not found.alert.NONE:
        level = wording.state_of(found.alert)
        colour, icon, word = wording.badge_colour(level), wording.icon(level), f"{word}, {wording.word(level).lower()}"
    least = wording.number(found.smallest_detectable)
    # of what was found it does not matter how small it could have been
    silent = found.smallest_detectable is None or found.drifted
    known = "" if silent else f" :gray[A shift below {least} could hide in so many rows.]"
    return f":{colour}-badge[{icon} {word}]{known}"


def healthy(found: FeatureDrift, window: WindowReport, report: WatchReport, policy: Policy) -> tuple[str, str]:
    """Give the effect that healthy windows stay below, or that it is not calibrated, and what that means."""
    if window.calibrated and found.healthy_effect is not None:
        return f"below {wording.number(found.healthy_effect)}", "95 % of the healthy windows stayed below this effect."
    need = policy.healthy_windows_needed
    if not window.calibrated and report.rule is not None and report.rule.calibrated:
        why = (
            "This window is not comparable with the healthy ones: it has too few rows, or is of a season that none of them has"
            f" ({need} that are like it are needed). Its p-values are adjusted over all features (Benjamini-Hochberg)."
        )
        return "not comparable", why
    known = report.rule.healthy_windows if report.rule is not None else None
    why = f"{need} healthy windows of this size are needed. Until then p-values are adjusted over all features (Benjamini-Hochberg)."
    if window.calibrated:
        return "not measured", "The healthy windows have no figure for this feature."
    return (f"uncalibrated: {known} of {need}" if known is not None else f"uncalibrated: under {need}"), why


def amount(change: float, schema: Schema, *, sign: bool = False) -> str:
    """Give a change of the score: percentage points of probability, or the target's unit."""
    told = wording.signed if sign else wording.number
    return told(change) if schema.task is Task.REGRESSION else f"{told(100 * change, digits=2)} points"


def impact_of(found: FeatureDrift, look: Examination | None) -> Impact | None:
    """Give the impact of one feature, where it was measured."""
    return next((i for i in look.impacts if i.feature == found.feature), None) if look is not None else None


def unlooked(look: Examination | None, policy: Policy, *, rows_in: str = "") -> str:
    """Say why a closer look is missing; empty where it is there."""
    if look is None and rows_in:
        return f"Nobody looked row by row: the rows are in {wording.safe(rows_in, length=200)}."
    if look is None:
        return (
            "Row by row only the newest window and the newest of those that alert are looked at,"
            f" {policy.examined_windows_max} at most; this one is not among them."
        )
    return wording.safe(look.reason, length=300)


def facts(
    found: FeatureDrift, window: WindowReport, *, report: WatchReport, schema: Schema, policy: Policy
) -> list[Fact]:
    """Give the figures of one feature in one window: first whether it is real, then whether it matters."""
    look, nulls = window.examined, found.nulls
    limit, limit_help = healthy(found, window, report, policy)
    sure = found.p_calibrated if window.calibrated else found.p_adjusted
    how = "calibrated" if window.calibrated and found.p_calibrated is not None else "adjusted"
    uncounted = "not measured" if found.effect is None else wording.number(found.effect)
    moved = impact_of(found, look)
    if moved is not None:
        impact = amount(moved.mean_change, schema)
        impact_help = (
            "Mean change of a score if this feature had its baseline distribution again."
            f" On balance scores are {amount(moved.shift, schema, sign=True)} from there."
        )
    else:
        quiet = look is not None and not found.drifted
        impact = "none: not drifted" if quiet else UNSEEN if look is None else "not measured"
        impact_help = unlooked(look, policy, rows_in=report.rows_in) or "It is measured for features that drifted."
    share = look.attributions.get(found.feature) if look is not None else None
    was = f"{wording.percent(found.shap_share)} (#{found.shap_rank})"
    return [
        Fact(label=f"Effect ({'KS' if found.test == 'ks' else 'JS'}), floor {wording.number(policy.drift_effect_min)}", value=uncounted, help="effect"),
        Fact(label=f"p, {how}", value=wording.p_value(sure) if sure is not None else "not measured", help=_CALIBRATED if how == "calibrated" else "p_adjusted"),
        Fact(label="Healthy windows", value=limit, help=limit_help),
        Fact(label="Smallest detectable", value="unknown" if found.smallest_detectable is None else wording.number(found.smallest_detectable), help="smallest_detectable"),
        Fact(label="Impact on scores", value=impact, help=impact_help),
        Fact(label="SHAP share", value=was, help="shap_share"),
        Fact(label="SHAP share, this window", value=UNSEEN if share is None else f"{wording.percent(share[1])} ({wording.signed(100 * (share[1] - share[0]), digits=2)} points)", help=unlooked(look, policy, rows_in=report.rows_in) or "Share of mean |SHAP| on a sample of the window's rows, and the difference from the baseline's."),
        Fact(label="Nulls, before → now", value=f"{wording.percent(nulls.baseline)} → {wording.percent(nulls.current)}" if nulls else "not measured", help="nulls"),
    ]  # fmt: skip


def verdict(coherence: Coherence, *, evidence: bool) -> str:
    """Say whether the world or the measurement changed (Markdown); hard evidence speaks louder than the other columns."""
    said, origin = wording.safe(coherence.reason, length=400), coherence.origin
    if evidence and origin is not Origin.FAULT:
        said = (
            f"the hard evidence below speaks for how it is measured or delivered; from the other columns alone: {said}"
        )
        origin = Origin.FAULT
    colour, icon, word = _ORIGINS[origin]
    return f":{colour}-badge[{icon} {word}] **{wording.safe(coherence.feature, length=40)}**: {said}"


def detached(found: Detachment) -> str:
    """Say that a column no longer belongs to its row, as a badge and its evidence (Markdown)."""
    name = wording.safe(found.feature, length=40)
    cost = (
        ""
        if found.fault_loss is None
        else f" Accuracy loses {wording.number(100 * found.fault_loss, digits=2)} points by it."
    )
    said = wording.safe(found.reason, length=300)
    return (
        f":red-badge[:material/link_off: Not its row] **{name}** {said} (p {wording.p_value(found.p_adjusted)}).{cost}"
    )


def belonging(look: Examination) -> str:
    """Say whether the columns still belong to their rows."""
    if not look.detached:
        return "**Joins:** no column lost its relation to the others, as it does when values come from other rows."
    names = wording.listing([one.feature for one in look.detached])
    return f"**Joins:** {names} no longer belong{'s' if len(look.detached) == 1 else ''} to the rows: a wrong join or a shifted column."


def joint(look: Examination, schema: Schema) -> str:
    """Say what all drifted features together do to the scores, and what a fault would cost."""
    if look.joint is None:
        return ""
    told = f"All drifted features together change a score by **{amount(look.joint.mean_change, schema)}** on average"
    told += f" ({amount(look.joint.shift, schema, sign=True)} on balance)."
    if look.fault_loss is not None:
        told += f" If it is a fault, accuracy loses {wording.number(100 * look.fault_loss, digits=2)} points."
    return told


def domain(look: Examination) -> str:
    """Say whether a classifier tells the window's rows from the baseline's."""
    test = look.domain
    if test is None:
        return "Domain test: not measured for this window."
    leant = wording.listing(list(test.features)) if test.drifted and test.features else ""
    said = wording.safe(test.reason.removesuffix("."), length=300)
    return f"**Domain test:** {said}.{f' It leans on {leant}.' if leant else ''}"


def segments(look: Examination) -> Rows:
    """Give what drifted inside segments as a table, largest effect first."""
    return [
        {
            "Segment": f"{one.by} = {one.segment}",
            "Feature": one.feature,
            "Effect inside": one.effect,
            "Effect overall": one.overall,
            "p adjusted": one.p_adjusted,
            "Rows": one.rows,
            "Share of rows": one.share,
        }
        for one in sorted(look.segments, key=lambda s: -s.effect)
    ]


def attributions_title(look: Examination) -> str:
    """Say which feature the model leans on differently in this window (for a chart)."""
    moved = {name: now - was for name, (was, now) in look.attributions.items()}
    name = max(moved, key=lambda one: abs(moved[one]))
    points = wording.signed(100 * moved[name], digits=2)
    return f"Leans elsewhere? {wording.plain(name, length=20)} {points} points"


def distances(pair: Distribution) -> list[Fact]:
    """Give the other distances of a pair, each unknown one with its reason."""
    categories, whole = not pair.edges, "read row by row; all of the champion's data must be the baseline"

    def told(value: float | None, why: str) -> str:
        return wording.number(value) if value is not None else why

    return [
        Fact(label="PSI", value=told(pair.psi, "too few rows"), help="Population stability index over baseline deciles. 0.1 and 0.25 are rules of thumb."),
        Fact(label="Jensen-Shannon (nat)", value=told(pair.js, "too few rows"), help="Distance of the two sets of bars, 0 to 0.83."),
        Fact(label="Wasserstein", value=told(pair.wasserstein, "categories have none" if categories else "too few rows"), help="Mean distance that a value has moved, in the column's unit."),
        Fact(label="Exact KS", value=told(pair.exact_ks, "categories have none" if categories else "not read"), help=f"The widest gap of the cumulative shares, {whole}."),
    ]  # fmt: skip


def since(windows: Sequence[WindowReport], window: WindowReport, feature: str, schema: Schema) -> str:
    """Say since when a feature has drifted without a pause, up to a window; empty where it has not."""
    first, count = None, 0
    for one in reversed([w for w in windows if w.start <= window.start]):
        if not any(f.feature == feature and f.drifted for f in one.features):
            break
        first, count = one, count + 1
    if first is None:
        return ""
    if count == 1:
        return " It is new in this window."
    return f" It has drifted since {wording.moment(first.start, schema)} ({wording.count(count, 'window')})."


def compared_with(choice: BaselineChoice | None) -> str:
    """Say what the windows are compared with, in a few words."""
    if choice is None:
        return "the baseline"
    return _KINDS[choice.kind] if choice.season is None else f"the same {choice.season.value} of the champion's data"


def against(report: WatchReport, window: WindowReport | None) -> str:
    """Say how many windows a check has, against what, and how many rows of it the one that is shown has."""
    told = f"{wording.count(len(report.windows), 'window')} against {compared_with(report.baseline)}."
    if window is None or not window.baseline_rows:
        return told
    return f"{told} For the window that is shown, that is {wording.count(window.baseline_rows, 'row')}."


def elsewhere(report: WatchReport) -> str:
    """Say where the rows of a check are (Markdown); empty where they are in the store."""
    return f"The rows of this check are in **{wording.safe(report.rows_in, length=200)}**." if report.rows_in else ""


UNDRAWN = "The rows stay where they are, so no distribution is drawn and no exact distance is measured here."


def baseline(choice: BaselineChoice | None, schema: Schema) -> str:
    """Say in words what the windows are compared with, who said so and why."""
    if choice is None:
        return "The check was made before baselines were kept with it: check again."
    what = compared_with(choice)
    if choice.start is not None and choice.end is not None:
        what = f"{wording.moment(choice.start, schema)} to {wording.moment(choice.end, schema)} (excluded)"
    return (
        f"Windows are compared with **{wording.safe(what)}**, as {wording.safe(choice.decided_by, length=40)} decided on"
        f" {wording.clock(choice.decided_at)}: {wording.safe(choice.reason, length=400)}."
    )


def paged_on_history(report: WatchReport) -> str:
    """Say how often the rule would have paged on the healthy past."""
    rule = report.rule
    if rule is None:
        return "How often it would have paged on healthy windows is unknown: check again."
    if not rule.tried:
        return "There is no healthy past to try it on, so how often it pages for nothing is unknown."
    return f"On {wording.count(rule.tried, 'healthy window')} of the past it would have paged **{rule.fired:,}** times."


def rule_line(report: WatchReport) -> str:
    """Say the rule in a line, for the fold that explains it."""
    rule = report.rule
    if rule is None:
        return "Why this rule?"
    how = f"calibrated on {rule.healthy_windows} healthy windows" if rule.calibrated else "uncalibrated"
    past = "the windows it was fitted on" if rule.tried < rule.healthy_windows else "them"
    tried = f"; tried on {rule.tried} of {past}, it pages in {rule.fired}" if rule.tried else ""
    held = f"; against {compared_with(report.baseline)}" if report.baseline else ""
    return f"Why this rule? It is {how}{tried}{held}"


def choice_rows(choices: Sequence[BaselineChoice], schema: Schema) -> Rows:
    """Give the history of choices as a table."""
    return [
        {
            "No.": choice.number,
            "Baseline": choice.kind.value if choice.season is None else f"same {choice.season.value}",
            "From": wording.moment(choice.start, schema),
            "To": wording.moment(choice.end, schema),
            "By": choice.decided_by,
            "At": wording.clock(choice.decided_at),
            "Why": choice.reason,
        }
        for choice in choices
    ]
