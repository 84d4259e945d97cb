"""The clauses in which drift is told.

Neighbours: ``judging`` and ``scores`` decide. Refused: deciding.
"""

from __future__ import annotations

from collections.abc import Mapping

from pipeline_core.policy import Policy

NEW_LEVELS_NAMED = 3
TEXT_MAX = 40


def short(text: str) -> str:
    """Cut a name or level that would drown the sentence."""
    return text if len(text) <= TEXT_MAX else f"{text[:TEXT_MAX]}…"


def p_text(p_value: float) -> str:
    """Write a p-value."""
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"


def percent(share: float) -> str:
    """Write a share with one decimal."""
    return f"{share * 100:.1f} %"


def few(rows: int, policy: Policy) -> str:
    """Say that a window is too small to judge; empty where it is not."""
    if rows >= policy.window_rows_min:
        return ""
    return f"{rows:,} rows in the window, {policy.window_rows_min:,} are needed to judge"


def nulls(current: float, baseline: float) -> str:
    """Say how the null share changed."""
    return f"null share {percent(current)}, was {percent(baseline)}"


def new_levels(levels: Mapping[str, float]) -> str:
    """Name the commonest levels that the baseline does not know."""
    named = [f"{short(level)!r} {percent(share)}" for level, share in levels.items()][:NEW_LEVELS_NAMED]
    more = f" and {len(levels) - len(named)} more" if len(levels) > len(named) else ""
    return f"new levels {', '.join(named)}{more}"


def unusual(measured: str, *, healthy: int, policy: Policy) -> str:
    """Say that a feature did move, and that nobody can tell yet whether that is unusual.

    Parameters
    ----------
    measured : str
        The feature, its state and effect.
    healthy : int
        Windows of the healthy past.
    policy : Policy
        The floor, and how many healthy windows are needed.

    Returns
    -------
    str
    """
    return (
        f"{measured} is more than the floor of {policy.drift_effect_min:.2f}, and healthy windows moved as much; whether that is"
        f" unusual cannot be told from {healthy} of them ({policy.healthy_windows_needed} are needed)"
    )


def rule(policy: Policy, *, healthy: int, calibrated: bool) -> str:
    """Say by which rule windows are judged.

    Parameters
    ----------
    policy : Policy
        Floors, alpha and persistence.
    healthy : int
        Windows of the healthy past.
    calibrated : bool
        Whether they are enough.

    Returns
    -------
    str
    """
    floors = (
        f"moves by {policy.drift_effect_min:.2f} (KS D, or Jensen-Shannon) or its null share by"
        f" {policy.null_share_change_min * 100:.0f} points"
    )
    lasting = (
        f"an important feature pages when that is so in {policy.alert_windows_min} of {policy.alert_windows_of} windows, or"
        " at once when nulls changed or the door found rewritten values"
    )
    if calibrated:
        return (
            f"Calibrated on {healthy} healthy windows: a feature has drifted when it {floors}, and stands out more than any"
            f" feature did in {100 - policy.alpha * 100:.0f} % of them; {lasting}."
        )
    past = f"; {healthy} healthy windows are here, {policy.healthy_windows_needed} are needed" if healthy else ""
    more = " and no healthy window so far showed as much" if healthy >= FEW_HEALTHY else ""
    return (
        f"Uncalibrated{past}: a feature has drifted when it {floors}, not by chance (Benjamini-Hochberg at"
        f" {policy.alpha:g} over all tests of the window){more}; {lasting}."
    )


FEW_HEALTHY = 5
"""From so many healthy windows on, what they all showed as well is not called drift even before there are enough."""
