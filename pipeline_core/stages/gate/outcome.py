"""What the gate found, what it may be told beside the predictions, and where everything that forbids a promotion meets.

Neighbours: every module of the gate fills an ``Outcome``; ``blocked`` is the one place where a finding of any kind, of the
gate or of somebody else, turns a verdict. Refused: deciding by a metric (``deciding`` does).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa

from pipeline_core.records import (
    ClassComparison,
    Comparison,
    Curves,
    Decision,
    Discordance,
    SliceComparison,
    Trial,
)

_PASSED, _PASSED_BUT = ": it may be promoted.", ": by that alone it might be promoted."


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the gate found; a ``Verdict`` without its names and times."""

    decision: Decision
    reasons: tuple[str, ...]
    metrics: dict[str, Comparison]
    rows: int
    rows_needed: int | None = None
    champion_curves: Curves = field(default_factory=Curves)
    challenger_curves: Curves = field(default_factory=Curves)
    blocks: tuple[str, ...] = ()
    trial: Trial | None = None
    threshold: float | None = None
    discordance: Discordance | None = None
    slices: tuple[SliceComparison, ...] = ()
    slices_judged: int = 0
    classes: tuple[ClassComparison, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Setting:
    """What the gate may know beside truth and predictions.

    ``cells``: the rows' columns by ``column_id``, for slices (None: none are cut). ``shares``: the challenger's SHAP share
    by column name, which says which columns are cut first. ``earlier``: p-values of the tries before this one, in their
    order. ``told``: metrics to measure beside those that decide or block, without intervals of either side (None: all of
    the task, with them).
    """

    cells: pa.Table | None = None
    shares: Mapping[str, float] = field(default_factory=dict)
    earlier: tuple[float, ...] = ()
    told: tuple[str, ...] | None = None


def blocked(outcome: Outcome, blocks: Sequence[str]) -> Outcome:
    """Add what forbids a promotion whatever the deciding metric says; with any of it, the champion stays.

    Parameters
    ----------
    outcome : Outcome
        What was found so far.
    blocks : sequence of str
        Whole sentences for people; none of them changes nothing.

    Returns
    -------
    Outcome
    """
    if not blocks:
        return outcome
    return replace(
        outcome,
        decision=Decision.KEEP,
        reasons=(*(reason.replace(_PASSED, _PASSED_BUT) for reason in outcome.reasons), *blocks),
        blocks=(*outcome.blocks, *blocks),
        rows_needed=None,
    )
