"""Where a process may be killed on purpose, so that a test can see what is left.

The points are numbered by their place in ``POINTS``. A child process started with the environment
variable ``FAULT`` set to a name (``receive.after_files``) dies there with SIGKILL; ``name:3`` dies at
the third hit. This module refuses to do anything when the variable was not set at start.
"""

from __future__ import annotations

import os
import signal
from collections import Counter

POINTS = (
    "receive.before_files",
    "receive.after_files",
    "receive.before_commit",
    "receive.after_commit",
    "acknowledge.before_flush",
    "acknowledge.after_flush",
    "rule.after_files",
    "rule.before_commit",
    "rule.after_commit",
    "train.before_files",
    "train.after_files",
    "train.before_commit",
    "train.after_commit",
    "promote.before_write",
    "promote.before_commit",
    "promote.after_commit",
    "dismiss.before_commit",
    "audit.before_commit",
    "audit.before_flush",
    "audit.after_flush",
)
"""Every numbered fault point, in the order in which one batch and one model pass them."""

_ARMED = os.environ.get("FAULT")
_hits: Counter[str] = Counter()


def point(name: str) -> None:
    """Die here if this is the armed fault point; otherwise do nothing.

    Parameters
    ----------
    name : str
        One of ``POINTS``.
    """
    if _ARMED is None:
        return
    _hits[name] += 1
    if _ARMED in {name, f"{name}:{_hits[name]}"}:
        os.kill(os.getpid(), signal.SIGKILL)
