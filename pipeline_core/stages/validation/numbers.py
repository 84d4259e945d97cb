"""Says whether the numbers of a column are where they were, and whether the column still varies.

Neighbours: ``units`` asks whether a shift is one of measure, ``fingerprints`` whether a value was filled in, ``levels``
does the same for categories. It refuses to name a shift on a handful of rows, or a constant that chance explains.
"""

from __future__ import annotations

import numpy as np

from pipeline_core.records import ColumnType, Finding, Severity
from pipeline_core.stages.validation.codes import FindingCode, percent
from pipeline_core.stages.validation.outcomes import P_VALUE_MAX, Case, Compared, Outcome, Outcomes
from pipeline_core.stats.twosample import smallest_detectable_ks

_TAIL = 100


def outcomes(compared: Compared, case: Case) -> Outcomes:
    """Apply range, constancy and shift to one column of numbers; constancy to a category too."""
    if not compared.known:
        return
    yield from _constant(compared)
    if compared.column.type is ColumnType.NUMBER and len(compared.tally.n):
        yield from _range(compared, case)
        yield from _shift(compared, case)


def _range(compared: Compared, case: Case) -> Outcomes:
    low, high, facts = compared.baseline.low, compared.baseline.high, compared.facts
    if low is None or high is None or facts.low is None or facts.high is None:
        return
    outside = outside_rows(compared)
    share, limit = outside / compared.known, case.policy.out_of_range_share_min
    if share > limit and _by_chance(compared, case, outside):
        share = 0.0
    finding = None
    if share > limit:
        finding = Finding(
            code=FindingCode.OUT_OF_RANGE,
            column=compared.column.name,
            severity=Severity.WARNING,
            message=(
                f"Column {compared.column.name!r}: {outside:,} of {compared.known:,} values ({percent(share)}) lie outside"
                f" {low:g} to {high:g}, the range of the baseline; they reach from {facts.low:g} to {facts.high:g}."
                " Check the unit and the source; a model answers there by guessing."
            ),
            value=share,
            allowed=f"{low:g} to {high:g}",
            rule=(
                f"Told when more than {percent(limit)} (out_of_range_share_min) of the values lie outside the baseline's"
                f" range, and far outside or more than chance puts there (p < {P_VALUE_MAX:g} over all columns): there the"
                " model has seen nothing."
            ),
        )
    yield Outcome(
        code=FindingCode.OUT_OF_RANGE,
        column=compared.column,
        measured=share,
        fires_from=float(np.nextafter(limit, 1.0)),
        finding=finding,
    )


def _by_chance(compared: Compared, case: Case, outside: int) -> bool:
    """Say whether another sample of the same source would leave the range of the first so often, and no further."""
    quantiles = compared.baseline.quantiles
    if len(quantiles) > _TAIL:
        # as far again as the last hundredth of the baseline reaches
        low, high = (
            2 * quantiles[0] - quantiles[len(quantiles) // _TAIL],
            2 * quantiles[-1] - quantiles[-1 - len(quantiles) // _TAIL],
        )
        if sum(compared.tally.outside(low, high)) > case.policy.out_of_range_share_min * compared.known:
            return False
    ratio = compared.known / max(1, compared.known + compared.baseline_known)
    # the chance that of both samples together the first and last so many are all of the batch
    chance = ratio**outside * (1 + outside * (1 - ratio))
    return chance * max(1, len(case.compared)) >= P_VALUE_MAX


def outside_rows(compared: Compared) -> int:
    """Count the values outside the baseline's range: from counts, and from quantiles where a bin reaches across."""
    low, high = compared.baseline.low, compared.baseline.high
    if low is None or high is None:
        return 0
    below, above = compared.tally.outside(low, high)
    facts = compared.facts
    steps = np.asarray(facts.quantiles)
    if len(steps) > 1:
        # a bin that reaches beyond the range hides how many of its rows do; between two quantiles lies a hundredth
        each = compared.known / (len(steps) - 1)
        below = max(below, int((np.count_nonzero(steps < low) - 1) * each))
        above = max(above, int((np.count_nonzero(steps > high) - 1) * each))
    below = max(below, int(facts.low is not None and facts.low < low))
    above = max(above, int(facts.high is not None and facts.high > high))
    return min(compared.known, below + above)


def _shift(compared: Compared, case: Case) -> Outcomes:
    quantiles, policy = compared.baseline.quantiles, case.policy
    if not quantiles or min(compared.known, compared.baseline_known) < policy.window_rows_min:
        return
    distance = compared.tally.ks_distance(quantiles)
    chance = smallest_detectable_ks(compared.known, compared.baseline_known, P_VALUE_MAX)
    how = f"KS distance {distance:.2f}"
    if compared.facts.quantiles:
        now, was = (q[len(q) // 2] for q in (compared.facts.quantiles, quantiles))
        how += f"; the median is {now:g}, it was {was:g}"
    yield shift(compared, distance, chance=chance, how=how, case=case)


def shift(compared: Compared, distance: float, *, chance: float, how: str, case: Case) -> Outcome:
    """Give the outcome of the rule about distributions.

    Parameters
    ----------
    compared : Compared
        The column.
    distance : float, 0-1
        From the baseline.
    chance : float, 0-1
        The distance that two samples of one source reach once in a thousand times.
    how : str
        What moved, as a clause.
    case : Case
        Has the policy.

    Returns
    -------
    Outcome
    """
    least = case.policy.distribution_effect_min
    finding = None
    if distance >= max(least, chance):
        finding = Finding(
            code=FindingCode.DISTRIBUTION_SHIFT,
            column=compared.column.name,
            severity=Severity.WARNING,
            message=(
                f"Column {compared.column.name!r} is distributed otherwise than in the baseline ({how}); policy names shifts"
                f" from {least:g}. Look at its drift before trusting scores."
            ),
            value=distance,
            allowed=f"below {least:g}",
            rule=(
                f"Told when the distance from the baseline is at least {least:g} (distribution_effect_min) on"
                f" {case.policy.window_rows_min:,} rows (window_rows_min), and p < {P_VALUE_MAX:g}: smaller shifts are for the"
                " watch."
            ),
        )
    return Outcome(
        code=FindingCode.DISTRIBUTION_SHIFT,
        column=compared.column,
        measured=distance,
        fires_from=max(least, chance),
        finding=finding,
    )


def _constant(compared: Compared) -> Outcomes:
    code, baseline, known = FindingCode.CONSTANT, compared.baseline, compared.known
    if baseline.distinct < 2:
        return
    # how often would so many rows hold the commonest value alone?
    chance = _commonest_share(compared) ** known
    stuck = compared.facts.distinct == 1 and chance < P_VALUE_MAX and not baseline.follows_calendar
    finding = None
    if stuck:
        finding = Finding(
            code=code,
            column=compared.column.name,
            severity=Severity.WARNING,
            message=(
                f"Column {compared.column.name!r} holds {_only_value(compared)} in all {known:,} rows with a value; the"
                f" baseline has {baseline.distinct:,} different ones. Upstream may have lost its source or send a default."
            ),
            value=1.0,
            allowed="more than one value",
            rule=(
                f"Told when a column that varied holds one value only and chance explains it less than {P_VALUE_MAX:g} of"
                " the time: a constant tells the model nothing."
            ),
        )
    yield Outcome(code=code, column=compared.column, measured=float(stuck), fires_from=1.0, finding=finding)


def _commonest_share(compared: Compared) -> float:
    baseline = compared.baseline
    shares = [*baseline.levels.values(), *(share for _, share in baseline.spikes)]
    if shares:
        return max(shares)
    if not baseline.quantiles:
        return 1 / baseline.distinct
    _, n = np.unique(np.asarray(baseline.quantiles), return_counts=True)
    return float(n.max()) / len(baseline.quantiles)


def _only_value(compared: Compared) -> str:
    if compared.column.type is ColumnType.NUMBER:
        return "one value" if compared.facts.low is None else f"{compared.facts.low:g}"
    return next((repr(level[:40]) for level in compared.tally.levels), "one value")
