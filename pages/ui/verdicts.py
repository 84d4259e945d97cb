"""How sure a verdict is, as a sentence that every page says alike; pure.

Neighbour: ``wording`` says how figures read. It refuses to decide: that has the gate done.
"""

from __future__ import annotations

from pages.ui import wording
from pages.ui.wording import State
from pipeline_core.records import Comparison, Decision, Measured, Verdict

STATES = {Decision.PROMOTE: State.OK, Decision.KEEP: State.WATCH, Decision.INSUFFICIENT: State.UNKNOWN}


def deciding(verdict: Verdict) -> tuple[str, Comparison] | None:
    """Give the metric that decides, with both sides."""
    return next(((name, pair) for name, pair in verdict.metrics.items() if pair.decides), None)


def doubt(verdict: Verdict | None) -> str:
    """Say why a first version that passed may still be no better than no model; nothing where it clearly is better."""
    found = deciding(verdict) if verdict else None
    if verdict is None or found is None or verdict.champion or verdict.verdict is not Decision.PROMOTE:
        return ""
    name, pair = found
    gained, trivial = pair.difference, pair.champion
    if not isinstance(gained, Measured) or not isinstance(trivial, Measured) or gained.low is None or gained.low > 0:
        return ""
    chance = "predicting the mean" if name in wording.SMALLER_IS_BETTER else "chance"
    return f"The interval of {wording.metric_name(name)} includes {wording.number(trivial.value)}: it may be no better than {chance}."


def state(verdict: Verdict) -> State:
    """Give the state that a verdict shows as: passed with doubt is to be watched."""
    return State.WATCH if doubt(verdict) else STATES[verdict.verdict]
