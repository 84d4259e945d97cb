"""What a closer look at the rows of one window found: segments, impact, coherence, detached columns, the domain test, attributions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Origin(StrEnum):
    """Where a move comes from, as far as the other columns of the same rows tell (``statistics.md`` 2.4)."""

    POPULATION = "population_shift"
    FAULT = "measurement_fault"
    UNKNOWN = "cannot_tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentDrift:
    """One feature that drifted inside one segment (``by`` = ``segment``) and not as much in the window as a whole.

    ``share`` is the segment's share (0-1) of the window's rows; ``effect`` is D for numbers, the Jensen-Shannon distance
    (nat) for levels; ``overall`` is the same of all rows; ``p_adjusted`` covers all features in all segments.
    """

    by: str
    segment: str
    rows: int
    share: float
    feature: str
    effect: float
    overall: float
    p_value: float
    p_adjusted: float
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """How much the predictions would change if a feature had its baseline distribution again.

    ``mean_change`` is mean |f(x) - f(x restored)|, ``shift`` the mean of f(x) - f(x restored) with its sign; both in
    the score's unit (probability, or the target's unit; multiclass: half the sum over classes).
    """

    feature: str
    mean_change: float
    shift: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Coherence:
    """Whether the other columns moved as the baseline says they do when this one moves.

    ``ratio`` is observed along predicted shift (1: fully coherent, 0: only this column moved), ``strength`` how large
    the predicted shift is against noise; below 50 nothing can be told.
    """

    feature: str
    origin: Origin
    ratio: float | None
    strength: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainTest:
    """A classifier asked to tell the window from the baseline (C2ST): its AUC on held-out rows.

    ``features`` are those it leaned on, most first, with their share (0-1) of the loss when shuffled.
    """

    auc: float
    p_value: float
    drifted: bool
    features: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detachment:
    """A column that no longer belongs to its row, though its own distribution is what it was.

    ``kept`` is the share (0-1) of its relation to the other columns that the window still shows; ``p_adjusted`` covers all
    columns. ``fault_loss`` is what accuracy (0-1) loses where so many rows hold another row's value (None: not defined).
    ``rivals``: it may as well be one of these instead.
    """

    feature: str
    kept: float
    p_adjusted: float
    fault_loss: float | None = None
    rivals: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """One window looked at row by row, on a sample; what was not measured says so in ``reason``.

    ``impacts`` are of the drifted features, largest first; ``joint`` is of all of them at once. ``fault_loss`` is what the
    realised metric would lose, in its own unit, if the move is a fault (accuracy; None where not defined).
    ``asked`` says by what it was looked at (baseline and policy), so that an answer is used again only for the same question.
    ``attributions`` maps a feature to its share (0-1) of mean |SHAP| in the baseline and in the window.
    """

    rows: int
    baseline_rows: int
    impacts: tuple[Impact, ...] = ()
    joint: Impact | None = None
    fault_loss: float | None = None
    coherence: Coherence | None = None
    domain: DomainTest | None = None
    detached: tuple[Detachment, ...] = ()
    attributions: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    segments: tuple[SegmentDrift, ...] = ()
    reason: str = ""
    asked: str = ""
