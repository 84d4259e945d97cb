"""Whether a model treats protected groups alike: rates by group, and what may be concluded from so few rows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pipeline_core.records.words import Decision, Figure


class BiasState(StrEnum):
    """What the interval allows to say. ``VIOLATION``: it lies beyond the limit; ``CLEARED``: within it; else neither."""

    VIOLATION = "violation"
    CLEARED = "cleared"
    INSUFFICIENT = "insufficient"


class BiasMeasure(StrEnum):
    """What is held against a limit, each a group against all other rows.

    ``SELECTION_RATIO``: the smaller of the two selection rates over the larger one (0-1). ``TPR_GAP`` and ``FPR_GAP``:
    the group's rate minus that of the other rows.
    """

    SELECTION_RATIO = "selection_ratio"
    TPR_GAP = "tpr_gap"
    FPR_GAP = "fpr_gap"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRates:
    """What a model does to one group, each figure with its 95 % interval.

    ``calibration`` is the mean score minus the observed share of positives: above 0 the model promises too much.
    """

    group: str
    rows: int
    positives: int
    selection: Figure
    tpr: Figure
    fpr: Figure
    ppv: Figure
    calibration: Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSpread:
    """The widest difference between any two groups, as fairlearn defines it. Grows with the number of small groups."""

    demographic_parity_difference: Figure
    demographic_parity_ratio: Figure
    equal_opportunity_difference: Figure
    equalized_odds_difference: Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class BiasFinding:
    """One group against all other rows in one measure.

    ``higher``: the group's rate is above that of the others. ``unequal``: the two differ by more than chance, whether or
    not by more than the limit. ``decides``: the policy's limit can be broken at all. ``rows_needed``: rows of the group
    that would decide if the rates stay as they are (None: decided, or no number would). ``champion`` is None where there
    is none. ``rate`` and ``other_rate``: what is compared, of the group and of the other rows.
    """

    attribute: str
    group: str
    measure: BiasMeasure
    state: BiasState
    limit: float
    figure: Figure
    rows: int
    rate: float | None = None
    other_rate: float | None = None
    higher: bool = False
    suspected: bool = False
    decides: bool = True
    rows_needed: int | None = None
    champion: Figure | None = None
    champion_state: BiasState | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeAudit:
    """One protected column, or two crossed: its groups as both models treat them, and what follows.

    ``left_out`` says which groups were not judged, and why; ``champion`` is empty where there is none.
    """

    attribute: str
    columns: tuple[str, ...]
    challenger: tuple[GroupRates, ...]
    spread: GroupSpread
    findings: tuple[BiasFinding, ...]
    champion: tuple[GroupRates, ...] = ()
    champion_spread: GroupSpread | None = None
    left_out: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BiasAudit:
    """The audit in a verdict. ``gate``: what the gate said by itself, before a proven violation turned it.

    ``state`` is of the protected columns; of crossed ones only a violation counts, because their groups are small.
    ``reasons`` are the violations as sentences, or what is open; ``notes`` say what could not be looked at.
    """

    state: BiasState
    reasons: tuple[str, ...]
    attributes: tuple[AttributeAudit, ...]
    rows: int
    gate: Decision
    notes: tuple[str, ...] = ()

    @property
    def blocks(self) -> bool:
        """Whether nothing but a proven violation stands between the version and its promotion."""
        return self.state is BiasState.VIOLATION and self.gate is Decision.PROMOTE
