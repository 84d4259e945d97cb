"""Each group of rows against all other rows, in one of three states: beyond a limit, within it, or open.

A comparison with the rest is of two independent samples, so that it has an interval however many groups there are.
Neighbours: ``fairness`` counts, ``proportions`` has the score intervals, ``stages/bias`` knows columns and policy. Refused:
knowing whether being selected is good or bad for a person; a limit is broken on either side.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline_core.records import BiasFinding, BiasMeasure, BiasState, Figure, Measured, NotMeasured
from pipeline_core.stats.fairness import Counts, Treated, counts
from pipeline_core.stats.intervals import LEVEL, normal_quantile
from pipeline_core.stats.multiplicity import holm
from pipeline_core.stats.proportions import Shares, difference_interval, difference_z, ratio_interval, ratio_z

ALPHA = (1 - LEVEL) / 2
"""One side of the printed interval: how often a group that is at the limit may be called beyond it, over all groups."""

POWER = 0.8
ROWS_NEEDED_MAX = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """One group against the rest in one measure, and what decides.

    ``to_limit``: standard errors beyond the limit, below 0 within it. ``beyond_p`` tests that the limit holds,
    ``unequal_p`` that the two are equal.
    """

    place: int
    rows: int
    measure: BiasMeasure
    limit: float
    figure: Figure
    shares: Shares | None = None
    to_limit: float = -math.inf
    unequal_p: float = 1.0

    @property
    def beyond_p(self) -> float:
        """How often chance alone would carry a group at the limit so far beyond it."""
        return math.erfc(self.to_limit / math.sqrt(2)) / 2

    @property
    def decides(self) -> bool:
        """Whether something was measured that can break the limit."""
        return isinstance(self.figure, Measured) and decides(self.measure, self.limit)


def against_rest(rows: Treated, *, limits: Mapping[BiasMeasure, float], attribute: str) -> tuple[BiasFinding, ...]:
    """Hold each group against all other rows, measure by measure.

    The interval is a score interval of 95 %. A violation is proven where it lies beyond the limit and this remains so
    after Holm's correction over all groups and measures; cleared is what lies within the limit; the rest is open. Two
    groups are one comparison, told of the smaller one.

    Parameters
    ----------
    rows : Treated
        Truth, predictions and groups.
    limits : mapping of BiasMeasure to float
        The least ratio (0: none decides) and the largest gaps (1: none decides).
    attribute : str
        What the groups are groups of.

    Returns
    -------
    tuple of BiasFinding
        By measure, then in the order of the groups.
    """
    each, whole = counts(rows)
    held = [
        _held(place, each[place], whole - each[place], measure=measure, limit=limit)
        for measure, limit in limits.items()
        for place in _places(each, whole)
    ]
    deciding = [at for at, one in enumerate(held) if one.decides]
    beyond = dict(zip(deciding, holm([held[at].beyond_p for at in deciding]).tolist(), strict=True))
    apart = [p for measure in limits for p in holm([h.unequal_p for h in held if h.measure is measure]).tolist()]
    found = []
    for at, one in enumerate(held):
        state = _state(one, proven=beyond.get(at, 1.0) <= ALPHA)
        found.append(
            BiasFinding(
                attribute=attribute,
                group=rows.names[one.place],
                measure=one.measure,
                state=state,
                limit=one.limit,
                figure=one.figure,
                rows=one.rows,
                rate=one.shares.hits / one.shares.rows if one.shares else None,
                other_rate=one.shares.other_hits / one.shares.other_rows if one.shares else None,
                higher=one.shares is not None and one.shares.difference > 0,
                suspected=one.to_limit > 0 and apart[at] <= 1 - LEVEL,
                decides=decides(one.measure, one.limit),
                rows_needed=_needed(one, len(deciding)) if state is BiasState.INSUFFICIENT else None,
            )
        )
    return tuple(found)


def _places(each: Sequence[Counts], whole: Counts) -> Sequence[int]:
    """Choose the groups that have a rest to be held against; of two that are each other's rest, the smaller one."""
    if len(each) == 2 and each[0].rows + each[1].rows == whole.rows:
        return [int(each[1].rows <= each[0].rows)]
    return [place for place, group in enumerate(each) if group.rows < whole.rows]


def decides(measure: BiasMeasure, limit: float) -> bool:
    """Say whether a limit can be broken at all: a ratio below 0 and a gap above 1 do not exist.

    Parameters
    ----------
    measure : BiasMeasure
        What is limited.
    limit : float
        By the policy.

    Returns
    -------
    bool

    Examples
    --------
    >>> decides(BiasMeasure.SELECTION_RATIO, 0.8), decides(BiasMeasure.TPR_GAP, 1.0)
    (True, False)
    """
    return limit > 0 if measure is BiasMeasure.SELECTION_RATIO else limit < 1


def _held(place: int, own: Counts, rest: Counts, *, measure: BiasMeasure, limit: float) -> _Held:
    hits, rows = own.of(measure)
    other_hits, other_rows = rest.of(measure)
    known = _Held(
        place=place, rows=own.rows, measure=measure, limit=limit, figure=NotMeasured(reason="nobody is selected")
    )
    if not rows or not other_rows:
        kind = {BiasMeasure.TPR_GAP: "positive ", BiasMeasure.FPR_GAP: "negative "}.get(measure, "")
        who = "the group has" if not rows else "the other rows have"
        return replace(known, figure=NotMeasured(reason=f"{who} no {kind}row"))
    known = replace(known, shares=Shares(hits=hits, rows=rows, other_hits=other_hits, other_rows=other_rows))
    if measure is not BiasMeasure.SELECTION_RATIO:
        return _gap(known)
    return _ratio(known) if hits or other_hits else known


def _ratio(known: _Held) -> _Held:
    """Compare the smaller share with the larger one, whichever group has it: a limit from both sides."""
    shares, limit = known.shares, known.limit
    assert shares is not None
    low, high = ratio_interval(shares)
    ends = [1 / bound if bound > 1 else bound for bound in (low, high)]
    figure = Measured(
        value=1 / shares.ratio if shares.ratio > 1 else shares.ratio,
        low=min(ends),
        high=1.0 if low <= 1 <= high else max(ends),
        rows=shares.rows,
    )
    return replace(
        known,
        figure=figure,
        unequal_p=_two_sided(ratio_z(shares, 1.0)),
        to_limit=max(-ratio_z(shares, limit), ratio_z(shares, 1 / limit)) if limit > 0 else -math.inf,
    )


def _gap(known: _Held) -> _Held:
    shares, limit = known.shares, known.limit
    assert shares is not None
    low, high = difference_interval(shares)
    return replace(
        known,
        figure=Measured(value=shares.difference, low=low, high=high, rows=shares.rows),
        unequal_p=_two_sided(difference_z(shares, 0.0)),
        to_limit=max(difference_z(shares, limit), -difference_z(shares, -limit)) if limit < 1 else -math.inf,
    )


def _state(one: _Held, *, proven: bool) -> BiasState:
    figure = one.figure
    if isinstance(figure, NotMeasured) or figure.low is None or figure.high is None:
        return BiasState.INSUFFICIENT
    if proven:
        return BiasState.VIOLATION
    ratio = one.measure is BiasMeasure.SELECTION_RATIO
    within = figure.low >= one.limit if ratio else max(-figure.low, figure.high) <= one.limit
    return BiasState.CLEARED if within else BiasState.INSUFFICIENT


def _needed(one: _Held, comparisons: int) -> int | None:
    """Rows of the group that would decide if all rates stay: z grows with the square root of the rows."""
    if not math.isfinite(one.to_limit) or abs(one.to_limit) < 1e-6:
        return None  # right at the limit no number of rows decides
    # to prove it, the strictest step of Holm must be passed; to clear it, the interval alone
    alpha = ALPHA / comparisons if one.to_limit > 0 else ALPHA
    times = ((normal_quantile(1 - alpha) + normal_quantile(POWER)) / one.to_limit) ** 2
    return min(math.ceil(one.rows * max(times, 1.0)), ROWS_NEEDED_MAX)


def _two_sided(z: float) -> float:
    return math.erfc(abs(z) / math.sqrt(2))
