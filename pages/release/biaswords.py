"""How a bias audit reads; pure. Foreign names are escaped here."""

from __future__ import annotations

from collections.abc import Mapping

from pages.ui import wording
from pages.ui.wording import State
from pipeline_core.records import (
    AttributeAudit,
    BiasAudit,
    BiasFinding,
    BiasMeasure,
    BiasState,
    Figure,
    GroupRates,
    GroupSpread,
    Measured,
)

STATES: Mapping[BiasState, State] = {
    BiasState.VIOLATION: State.PAGE,
    BiasState.CLEARED: State.OK,
    BiasState.INSUFFICIENT: State.UNKNOWN,
}
SAID: Mapping[BiasState, str] = {
    BiasState.VIOLATION: "Violation proven",
    BiasState.CLEARED: "Cleared",
    BiasState.INSUFFICIENT: "Too few rows to say",
}
MEASURES: Mapping[BiasMeasure, str] = {
    BiasMeasure.SELECTION_RATIO: "Selection ratio",
    BiasMeasure.TPR_GAP: "TPR gap",
    BiasMeasure.FPR_GAP: "FPR gap",
}
SPREADS: Mapping[str, tuple[str, str]] = {
    "demographic_parity_difference": ("Demographic parity difference", "bias_dp_difference"),
    "demographic_parity_ratio": ("Demographic parity ratio", "bias_dp_ratio"),
    "equal_opportunity_difference": ("Equal opportunity difference", "bias_equal_opportunity"),
    "equalized_odds_difference": ("Equalized odds difference", "bias_equalized_odds"),
}


def headline(audit: BiasAudit) -> str:
    """Say in one sentence what the audit found."""
    single = [f for a in audit.attributes if len(a.columns) == 1 for f in a.findings if f.decides]
    proven = [f for a in audit.attributes for f in a.findings if f.decides and f.state is BiasState.VIOLATION]
    rows = f"on {wording.count(audit.rows, 'row')}"
    if not single:
        return f"**No limit decides** {rows}: the policy switches all three off."
    if audit.state is BiasState.VIOLATION:
        blocks = ", and this alone blocks the promotion" if audit.blocks else ""
        return f"**A violation is proven** {rows}: {wording.count(len(proven), 'comparison')} beyond a limit{blocks}."
    if audit.state is BiasState.CLEARED:
        return f"**Protected groups are treated alike** {rows}, within the limits of the policy."
    waiting = sum(f.state is BiasState.INSUFFICIENT for f in single)
    return f"**No violation is proven** {rows}, but {waiting} of {wording.count(len(single), 'comparison')} cannot be cleared yet."


def state(audit: BiasAudit) -> State:
    """Give the state that an audit shows as; a suspicion is to be watched."""
    suspected = any(f.suspected and f.decides for a in audit.attributes for f in a.findings)
    found = STATES[audit.state]
    return State.WATCH if found is State.UNKNOWN and suspected else found


def finding_rows(attribute: AttributeAudit, *, champion: bool) -> list[dict[str, object]]:
    """Give what decides as a table: each group against all other rows."""
    return [
        {
            "Group": f.group,
            "Measure": MEASURES[f.measure],
            "Group's rate": wording.percent(f.rate),
            "Other rows": wording.percent(f.other_rate),
            "Challenger": text(f.figure),
            **({"Champion": text(f.champion)} if champion else {}),
            "Limit": limit(f),
            "State": SAID[f.state] if f.decides else "Does not decide",
            "Rows": f.rows,
            "Rows needed": f.rows_needed,
        }
        for f in attribute.findings
    ]


def limit(finding: BiasFinding) -> str:
    """Say what a measure is allowed to be."""
    if not finding.decides:
        return "none"
    least = finding.measure is BiasMeasure.SELECTION_RATIO
    return f"at least {finding.limit:g}" if least else f"at most ±{finding.limit:g}"


def rate_rows(groups: tuple[GroupRates, ...], side: str) -> list[dict[str, object]]:
    """Give the rates of each group as a table."""
    return [
        {
            "Model": side,
            "Group": g.group,
            "Rows": g.rows,
            "Positives": g.positives,
            "Selection rate": text(g.selection),
            "TPR": text(g.tpr),
            "FPR": text(g.fpr),
            "PPV": text(g.ppv),
            "Calibration": text(g.calibration),
        }
        for g in groups
    ]


def text(figure: Figure | None) -> str:
    """Give a figure with its interval, or why there is none."""
    if figure is None:
        return wording.DASH
    if not isinstance(figure, Measured):
        return f"{wording.DASH} ({figure.reason})"
    shown = f"{figure.value:.3f}"
    return shown if figure.low is None or figure.high is None else f"{shown} ({figure.low:.3f} to {figure.high:.3f})"


def spread_value(spread: GroupSpread, name: str) -> str:
    """Give one of fairlearn's gaps."""
    return text(getattr(spread, name))


def downloaded(audit: BiasAudit) -> list[dict[str, object]]:
    """Give the whole audit as one table: every group, every figure of both sides."""
    made: list[dict[str, object]] = []
    for attribute in audit.attributes:
        sides = (("challenger", attribute.challenger), ("champion", attribute.champion))
        for side, groups in sides:
            for group in groups:
                made += [
                    {
                        "attribute": attribute.attribute, "group": group.group, "rows": group.rows, "model": side,
                        "measure": name, **_parts(getattr(group, name)), "limit": None, "state": None, "rows_needed": None,
                    }
                    for name in ("selection", "tpr", "fpr", "ppv", "calibration")
                ]  # fmt: skip
        made += [
            {
                "attribute": attribute.attribute, "group": f.group, "rows": f.rows, "model": side, "measure": f.measure.value,
                **_parts(figure), "limit": f.limit if f.decides else None,
                "state": None if reached is None else reached.value,
                "rows_needed": f.rows_needed if side == "challenger" else None,
            }
            for f in attribute.findings
            for side, figure, reached in (("challenger", f.figure, f.state), ("champion", f.champion, f.champion_state))
            if figure is not None
        ]  # fmt: skip
    return made


def _parts(figure: Figure) -> dict[str, object]:
    if isinstance(figure, Measured):
        return {"value": figure.value, "low": figure.low, "high": figure.high, "not_measured": None}
    return {"value": None, "low": None, "high": None, "not_measured": figure.reason}
