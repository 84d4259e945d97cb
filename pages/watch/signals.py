"""What is loud in a window beyond a feature that pages: what waits to last, the window as a whole, what only rows show; pure.

Neighbours: ``reads`` takes the records apart, ``words`` makes the sentences. Foreign names are escaped here.
"""

from __future__ import annotations

from pages.ui import wording
from pages.ui.wording import State
from pages.watch import reads
from pipeline_core.policy import Policy
from pipeline_core.records import AlertLevel, FeatureDrift, WindowReport


def matters(window: WindowReport) -> list[FeatureDrift]:
    """Give the window's features that page, those that can mean most first."""
    return sorted((f for f in window.features if f.alert is AlertLevel.PAGE), key=lambda f: -f.contribution)


def waiting(window: WindowReport) -> list[FeatureDrift]:
    """Give the important features that drifted in too few windows to page, those that can mean most first."""
    soon = (f for f in window.features if f.drifted and f.important and f.alert is AlertLevel.WATCH)
    return sorted(soon, key=lambda f: -f.contribution)


def detached(window: WindowReport) -> list[FeatureDrift]:
    """Give the columns that did not drift and alert because they no longer belong to their rows."""
    look = window.examined
    names = set() if look is None else {one.feature for one in look.detached}
    return [f for f in window.features if f.feature in names and f.alert is not AlertLevel.NONE and not f.drifted]


def weighty(window: WindowReport) -> bool:
    """Say whether something drifted in a window that the model leans on, lasting or not."""
    return bool(matters(window) or waiting(window)) or window.weighted_alert is not AlertLevel.NONE


def drift_state(window: WindowReport) -> State:
    """Give the state of a window's drift: page, watch, ok, or unknown where nothing could be weighed."""
    level = reads.level(window)
    return State.UNKNOWN if level is AlertLevel.NONE and reads.undecided(window) else wording.state_of(level)


def lasting(policy: Policy, *, several: bool = False) -> str:
    """Say in a clause when what drifted pages."""
    verbs = ("page", "last") if several else ("pages", "lasts")
    return f"{verbs[0]} if {'they' if several else 'it'} {verbs[1]} ({policy.alert_windows_min} of {policy.alert_windows_of} windows)"


def beside(window: WindowReport) -> list[str]:
    """Say in clauses what is loud and no feature that drifted: detached or uncounted columns, the whole, the rows."""
    gone = detached(window)
    lost = [f for f in window.features if f.alert is not AlertLevel.NONE and not f.drifted and f not in gone]
    told = []
    if gone:
        verb, row = ("belong", "their rows") if len(gone) > 1 else ("belongs", "its row")
        told.append(f"{wording.listing([f.feature for f in gone])} no longer {verb} to {row}")
    if lost:
        told.append(f"{wording.listing([f.feature for f in lost])} could not be compared")
    if window.weighted_alert is not AlertLevel.NONE and not matters(window):
        told.append(_weighted(window))
    if not told and all(feature.alert is AlertLevel.NONE for feature in window.features):
        told += _rows(window)
    return told


def _weighted(window: WindowReport) -> str:
    drift, limit = wording.number(window.weighted_drift, digits=2), wording.number(window.weighted_limit, digits=2)
    said = next((reason for reason in window.reasons if reason.startswith("weighted drift ")), None)
    return wording.safe(said or f"weighted drift {drift}, healthy windows stay below {limit}", length=200)


def _rows(window: WindowReport) -> list[str]:
    domain, segments = reads.rows_only(window)
    told = []
    if domain is not None:
        told.append(f"a classifier tells its rows from the baseline's (AUC {wording.number(domain.auc, digits=2)})")
    if segments:
        names = wording.listing(list(dict.fromkeys(one.feature for one in segments)), most=2)
        told.append(f"inside {wording.count(len(segments), 'segment')} {names} drifted")
    return told
