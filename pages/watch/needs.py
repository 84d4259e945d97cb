"""What the alerts are about: consecutive windows of one cause as one thing, with since when and how often; pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pages.ui import wording
from pipeline_core.records import Alert, AlertLevel

CODE_ORDER = {"performance": 0, "batch_quarantined": 1, "batch_suspect": 2, "prediction_drift": 3}
BATCH_CODES = frozenset({"batch_quarantined", "batch_suspect"})
_BATCH = re.compile(r"^Batch (b-\d+)\b")


def rank(alert: Alert) -> tuple[bool, int, float, float]:
    """Order pages first, then what is certainly harm, then by contribution, the newest first."""
    at = alert.window_start or alert.raised_at
    code = CODE_ORDER.get(alert.code, len(CODE_ORDER))
    return (alert.level is not AlertLevel.PAGE, code, -(alert.contribution or 0.0), -at.timestamp())


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Alerts of one cause in consecutive windows; ``alert``, the one that can mean most, stands for them."""

    alert: Alert
    alerts: tuple[Alert, ...]
    first: datetime | None
    last: datetime | None

    @property
    def count(self) -> int:
        """How many windows it is about: one that was watched first and paged once its labels came is still one."""
        return len({alert.window_start or alert.alert_id for alert in self.alerts})

    @property
    def waiting(self) -> bool:
        """Whether nobody has seen it yet."""
        return self.alert.acknowledged_at is None

    @property
    def key(self) -> str:
        """Its name in the URL, which stays while further windows join it."""
        begin = wording.window_key(self.first) if self.first else self.alert.alert_id
        return ":".join(filter(None, (self.alert.code, self.alert.feature, begin)))

    @property
    def batch_id(self) -> str | None:
        """The batch that it is about, where it is about one."""
        found = _BATCH.match(self.alert.message) if self.alert.code in BATCH_CODES else None
        return found.group(1) if found else None


def needs(alerts: Iterable[Alert]) -> tuple[Need, ...]:
    """Group alerts by cause, and each cause by runs of windows; what waits first, then by harm.

    A cause is a code and a feature, and whether it drifted or left its row. A single quiet window does not end a run; two do. What somebody has seen stands apart
    from what waits, and each quarantined batch stands alone: another file is another matter.

    Returns
    -------
    tuple of Need
        Each alert in exactly one of them.
    """
    causes: dict[tuple[object, ...], list[Alert]] = {}
    for alert in alerts:
        alone = alert.alert_id if alert.code == "batch_quarantined" or alert.window_start is None else ""
        causes.setdefault((alert.code, alert.feature, alert.detached, alert.acknowledged_at is None, alone), []).append(
            alert
        )
    found = [_need(run) for cause in causes.values() for run in runs(cause)]
    return tuple(sorted(found, key=lambda need: (not need.waiting, *rank(need.alert))))


def runs(alerts: Sequence[Alert]) -> list[list[Alert]]:
    """Cut the alerts of one cause where two windows or more were quiet between them; oldest run first."""
    ordered = sorted(alerts, key=lambda alert: alert.window_start or alert.raised_at)
    found: list[list[Alert]] = []
    reached: datetime | None = None
    for alert in ordered:
        start, end = alert.window_start or alert.raised_at, alert.window_end or alert.raised_at
        if reached is not None and start - reached <= end - start:
            found[-1].append(alert)
            reached = max(reached, end)
        else:
            found.append([alert])
            reached = end
    return found


def _need(run: Sequence[Alert]) -> Need:
    return Need(
        alert=min(run, key=rank),
        alerts=tuple(sorted(run, key=rank)),
        first=min((alert.window_start for alert in run if alert.window_start), default=None),
        last=max((alert.window_end for alert in run if alert.window_end), default=None),
    )
