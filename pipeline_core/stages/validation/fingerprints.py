"""Says whether gaps were filled with a value: one that is far more common than the baseline lets expect.

The article's incident: upstream turns nulls into 0, -1 or the mean, and every value is in range. A filled value shows
as rows that are equal where values are not: off the column's steps, outside its range, or many at one place of a
continuum. Such a value needs few rows to be told; one that the baseline has too needs a two-proportion exact test, its
neighbourhood, and either fewer nulls or several times the share. Every test is corrected for the columns and values
that were looked at. Neighbours: ``nulls`` says that the null share fell, an engine found the common values. It refuses
to call a value filled in because the whole distribution moved.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import hypergeom, poisson

from pipeline_core.records import ColumnType, Finding, Severity
from pipeline_core.stages.validation.codes import FindingCode, percent
from pipeline_core.stages.validation.outcomes import Case, Compared, Outcome, Outcomes
from pipeline_core.stats.grids import cells_of
from pipeline_core.stats.twosample import share_test

Floats = npt.NDArray[np.float64]

LENIENT_P_MAX = 0.05
"""For values that no clean row has: rows that are equal off the steps of a column are evidence of their own."""
NULLS_P_MAX = 0.01
"""From here on a fall of nulls speaks for a filled value that the baseline has too."""

_CONTINUOUS_MAX = 2.0
_TIES_NONE = 0.98
_DECIMALS = 6
_NEAR = 20
_GAP_SHARES = {True: 0.05, False: 0.25}
_GAP_STEPS = 3
_REACH_SHARE = 0.05
_BASE_MIN = 20
_ABOUT = (0.5, 2.0)
_ODD_MAX = 20
_SIDE = 5
_STANDS_OUT = 1.5
_COUNTED_MIN = 5
_RARE = 0.5
_SIGMAS = 2.5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """A value with its rows, how many values were tried to find it, and the rows that the baseline has or lets expect."""

    value: float
    rows: int
    tried: int
    asked: bool
    base: float
    listed: bool

    @property
    def base_rows(self) -> int:
        return math.ceil(self.base)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fall:
    """By how many rows nulls are fewer than the baseline lets expect, give or take, and whether chance explains it."""

    rows: float
    sigma: float
    p_value: float

    def explains(self, excess: float) -> bool:
        """Say whether so many filled rows are about what is missing among the nulls."""
        near = abs(excess - self.rows) <= _SIGMAS * math.hypot(self.sigma, math.sqrt(max(1.0, 2 * excess)))
        return self.p_value < NULLS_P_MAX and (near or _ABOUT[0] <= excess / self.rows <= _ABOUT[1])


def outcomes(compared: Compared, case: Case) -> Outcomes:
    """Look for filled gaps in one column."""
    if compared.known < case.policy.fingerprint_rows_min or compared.baseline_known < 1:
        return
    if compared.column.type is ColumnType.NUMBER:
        yield _numbers(compared, case)
    elif compared.column.type is ColumnType.CATEGORY and compared.baseline.levels:
        yield _levels(compared, case)


def _numbers(compared: Compared, case: Case) -> Outcome:
    fall = _fall(compared)
    found = [c for c in _candidates(compared, case) if _fires(c, compared, case, fall)]
    best = max(found, key=lambda c: c.rows - c.base * compared.known / compared.baseline_known, default=None)
    if best is None:
        return Outcome(code=FindingCode.IMPUTED, column=compared.column, measured=0.0)
    excess = _excess(best, compared, fall)
    what = _named(best.value, compared)
    share, was = best.rows / compared.known, best.base / compared.baseline_known
    return _outcome(compared, case, what=what, shares=(share, was), rows=(best.rows, excess))


def _excess(candidate: _Candidate, compared: Compared, fall: _Fall | None) -> float:
    """Give the rows that a value has beyond its share of the values that were no gaps."""
    unfilled = compared.known - (fall.rows if fall is not None else 0.0)
    return candidate.rows - candidate.base * max(1.0, unfilled) / compared.baseline_known


def _candidates(compared: Compared, case: Case) -> list[_Candidate]:
    facts, asked = compared.facts, [v for v, _ in compared.facts.asked]
    found_rows = dict(facts.spikes) | _odd(compared, case)
    rows: dict[float, tuple[int, int]] = {v: (n, max(1, facts.distinct)) for v, n in found_rows.items()}
    rows |= {v: (n, len(asked)) for v, n in facts.asked}
    found = []
    for value, (n, tried) in rows.items():
        if n >= case.policy.fingerprint_rows_min:
            base = _listed(value, compared)
            listed = base is not None
            expected = _expected(value, compared) if base is None else base
            found.append(
                _Candidate(value=value, rows=n, tried=tried, asked=value in asked, base=expected, listed=listed)
            )
    return found


def _odd(compared: Compared, case: Case) -> dict[float, int]:
    """Give the values that are off the steps or outside the range, where every value was counted for itself."""
    tally, quantiles = compared.tally, np.asarray(compared.baseline.quantiles)
    if tally.grid.kind != "value" or len(quantiles) < 2:
        return {}
    values = tally.first
    odd = (values < quantiles[0]) | (values > quantiles[-1]) | _off_steps(values, quantiles)
    often = np.flatnonzero(odd & (tally.n >= case.policy.fingerprint_rows_min))
    commonest = often[np.argsort(-tally.n[often], kind="stable")][:_ODD_MAX]
    return {float(values[i]): int(tally.n[i]) for i in commonest}


def _listed(value: float, compared: Compared) -> float | None:
    """Give the rows that the baseline has of a value, where it says so."""
    baseline = compared.baseline
    known = [*baseline.spikes, *((float(level), share) for level, share in baseline.levels.items())]
    near = [share for v, share in known if math.isclose(v, value, rel_tol=1e-9, abs_tol=1e-12)]
    if near:
        return max(near) * compared.baseline_known
    # a column of few values lists them all
    return 0.0 if baseline.levels and baseline.levels_complete else None


def _multiplicity(compared: Compared) -> float:
    """Say how many rows share a value on average, common values apart."""
    baseline, known = compared.baseline, compared.baseline_known
    if baseline.levels:
        return known / max(1, baseline.distinct)
    common = sum(share for _, share in baseline.spikes)
    return known * (1 - common) / max(1, baseline.distinct - len(baseline.spikes))


def _expected(value: float, compared: Compared) -> float:
    """Estimate the rows of the baseline at a value that did not stand out there."""
    baseline, known = compared.baseline, compared.baseline_known
    quantiles = np.asarray(baseline.quantiles)
    if len(quantiles) < 2 or not quantiles[0] <= value <= quantiles[-1] or _off(value, quantiles):
        return 0.0
    each = known / len(quantiles)
    if _multiplicity(compared) < _CONTINUOUS_MAX:
        few = baseline.distinct >= _TIES_NONE * known
        return 1.0 if few else max(4.0, 0.001 * known)  # one row more and it would have been listed
    equal = np.count_nonzero(quantiles == value)
    if equal >= _COUNTED_MIN:
        return float((equal + 1) * each)
    # too rare to be counted on the quantiles: as dense as its neighbourhood, one value a step
    place = int(np.searchsorted(quantiles, value))
    near = np.unique(quantiles[max(0, place - _NEAR) : place + _NEAR])
    inside = np.count_nonzero((quantiles >= near[0]) & (quantiles <= near[-1]))
    dense = inside / (near[-1] - near[0]) * np.diff(near).min() * each if len(near) > 1 else 0.0
    return float(max(dense, (equal + 1) * each))


def _decimals(quantiles: Floats) -> int | None:
    """Say in which steps (1, 0.1, ...) all values lie, counted from the first; None: in none."""
    steps = quantiles - quantiles[0]
    for decimals in range(_DECIMALS + 1):
        if np.allclose(steps, np.round(steps, decimals), rtol=1e-12, atol=1e-11):
            return decimals
    return None


def _off_steps(values: Floats, quantiles: Floats) -> npt.NDArray[np.bool_]:
    """Say which values lie between the steps that all of the baseline keep to."""
    decimals = _decimals(quantiles)
    if decimals is None:
        return np.zeros(len(values), dtype=np.bool_)
    steps = values - quantiles[0]
    return np.asarray(~np.isclose(steps, np.round(steps, decimals), rtol=1e-12, atol=1e-11))


def _off(value: float, quantiles: Floats) -> bool:
    return bool(_off_steps(np.array([value]), quantiles)[0])


def _fires(candidate: _Candidate, compared: Compared, case: Case, fall: _Fall | None) -> bool:
    known, base_known = compared.known, compared.baseline_known
    if candidate.rows / known <= candidate.base / base_known:
        return False
    # half of the level is for values that are asked for, half for those that were found
    level = case.policy.fingerprint_alpha / (2 * candidate.tried * max(1, len(case.compared)))
    p_value = _more(candidate.rows, known, candidate.base_rows, base_known)
    if _usual(candidate, compared):
        if p_value >= level:
            return False
        supported = fall is not None and fall.explains(_excess(candidate, compared, fall))
        return supported or (_odd_by_itself(candidate, compared, case) and _local(candidate, compared) < level)
    if _alone(candidate, compared):
        return p_value < LENIENT_P_MAX
    others = (known - candidate.rows) / max(1, compared.facts.distinct - 1)
    usual = _RARE if others <= 1 / _TIES_NONE else 1.5 * others
    return bool(p_value < LENIENT_P_MAX and poisson.sf(candidate.rows - 1, usual) < level)


def _usual(candidate: _Candidate, compared: Compared) -> bool:
    """Say whether clean rows have this value, or may: values come again in this column."""
    if candidate.listed and candidate.base_rows:
        return True
    return _multiplicity(compared) >= _CONTINUOUS_MAX and not _alone(candidate, compared)


def _odd_by_itself(candidate: _Candidate, compared: Compared, case: Case) -> bool:
    """Say whether a value that may be usual is suspicious although nulls did not fall."""
    # one that gaps are filled with, because sources come and go with values of their own; and several times as common
    # as it was, or out of line with its neighbours
    if not candidate.asked:
        return False
    if candidate.listed and candidate.base_rows:
        ratio = candidate.rows / compared.known / (candidate.base / compared.baseline_known)
        return ratio >= case.policy.fingerprint_ratio_min and not compared.baseline.levels
    tally = compared.tally
    if tally.grid.kind != "value":
        return True
    place = int(np.searchsorted(tally.first, candidate.value))
    around = [int(n) for i, n in enumerate(tally.n) if 0 < abs(i - place) <= _SIDE]
    return candidate.rows >= _STANDS_OUT * float(np.median(around)) if around else True


def _more(hits: int, rows: int, base_hits: int, base_rows: int) -> float:
    """Say how often chance puts so many of all hits among the rows (one-sided exact test of two shares)."""
    return float(hypergeom.sf(hits - 1, rows + base_rows, hits + base_hits, rows))


def _alone(candidate: _Candidate, compared: Compared) -> bool:
    """Say whether no clean row could have this value: off the steps, or by itself away from the range."""
    value, quantiles = candidate.value, np.asarray(compared.baseline.quantiles)
    if len(quantiles) < 2:
        return False
    # a column of few values comes by new ones as the world moves
    likely = candidate.asked or _sentinel(value) or not compared.baseline.levels
    if likely and _off(value, quantiles):
        # a source that rounds otherwise has many values off the steps; one that fills gaps has one
        often = candidate.rows >= 3 * compared.known / max(1, compared.facts.distinct)
        return often or candidate.rows >= _off_rows(compared, quantiles) / 2
    low, high = quantiles[0], quantiles[-1]
    if low <= value <= high:
        return False
    below, above = compared.tally.outside(float(low), float(high))
    decimals = _decimals(quantiles)
    steps = 0.0 if decimals is None else _GAP_STEPS * 10.0**-decimals
    away = max(low - value, value - high) > max(steps, _GAP_SHARES[candidate.asked] * (high - low))
    return bool(likely and (value < 0 <= low or away) and candidate.rows >= (below if value < low else above) / 2)


def _off_rows(compared: Compared, quantiles: Floats) -> float:
    """Count the rows off the steps of the baseline; infinite where values were not counted for themselves."""
    tally = compared.tally
    return float(tally.n[_off_steps(tally.first, quantiles)].sum()) if tally.grid.kind == "value" else math.inf


def _sentinel(value: float) -> bool:
    """Say whether a number is one that stands for no value by custom: 99, -999, 9999."""
    return value.is_integer() and abs(value) > 9 and set(f"{abs(value):.0f}") == {"9"}


def _local(candidate: _Candidate, compared: Compared) -> float:
    """Test the value against its neighbourhood: where everything around it is more common too, the column moved."""
    tally = compared.tally
    cell = float(cells_of(np.array([candidate.value]), tally.grid)[0])
    others = tally.n.astype(np.float64)
    own = (tally.first <= cell) & (cell <= tally.last)
    others[own] = np.maximum(0.0, others[own] - candidate.rows)
    below, after = np.cumsum(others), int(np.searchsorted(tally.first, cell, side="right"))
    middle = below[after - 1] if after else 0.0
    reach = _REACH_SHARE * others.sum()
    first = int(np.searchsorted(below, middle - reach, side="left"))
    last = min(len(below) - 1, int(np.searchsorted(below, middle + reach, side="left")))
    first = min(first, max(0, after - 1))
    ends = min(tally.first[first], cell), max(tally.last[last], cell)
    around = int(below[last] - (below[first - 1] if first else 0.0))
    places = cells_of(np.asarray(compared.baseline.quantiles), tally.grid)
    share = np.count_nonzero((places >= ends[0]) & (places <= ends[1])) / len(places)
    base_around = max(0, round(share * compared.baseline_known) - candidate.base_rows)
    if base_around < _BASE_MIN:
        # the baseline knows nothing here: the value has to stand out of what the batch itself has around it
        usual = float(np.median(others[max(0, first) : last + 1])) if tally.grid.kind == "value" else 1.0
        return float(poisson.sf(candidate.rows - 1, max(1.0, usual)))
    return _more(candidate.rows, candidate.rows + around, candidate.base_rows, candidate.base_rows + base_around)


def _fall(compared: Compared) -> _Fall | None:
    rows, base_rows, nulls = compared.facts.rows, compared.baseline.rows, compared.nulls
    was = compared.baseline.null_share
    fewer = was * rows - nulls
    if fewer <= 0 or not was:
        return None
    sigma = math.sqrt(was * (1 - was) * rows * (1 + rows / base_rows))
    return _Fall(rows=fewer, sigma=sigma, p_value=share_test(compared.baseline_nulls, base_rows, nulls, rows).p_value)


def _named(value: float, compared: Compared) -> str:
    baseline, facts = compared.baseline, compared.facts
    if value in {0.0, -1.0}:
        return f"{value:g}"
    spread = (baseline.high or 0.0) - (baseline.low or 0.0)
    middle = baseline.quantiles[len(baseline.quantiles) // 2] if baseline.quantiles else None
    here = facts.quantiles[len(facts.quantiles) // 2] if facts.quantiles else None
    known_places = (("the mean", baseline.mean), ("the mean", facts.mean), ("the median", middle), ("the median", here))
    for name, known in known_places:
        if known is not None and abs(known - value) <= 1e-3 * spread:
            return f"{name} ({value:.6g})"
    return f"{value:.6g}"


def _levels(compared: Compared, case: Case) -> Outcome:
    """Look for a category that grew by what the nulls lost: nothing else tells a filled category from a common one."""
    nothing = Outcome(code=FindingCode.IMPUTED, column=compared.column, measured=0.0)
    fall, counted, known = _fall(compared), compared.tally.levels, compared.known
    if fall is None or not counted or fall.p_value >= case.policy.fingerprint_alpha / max(1, len(case.compared)):
        return nothing
    shares = compared.baseline.levels
    unfilled = max(1.0, known - fall.rows)
    excess, level = max((n - shares.get(level, 0.0) * unfilled, level) for level, n in counted.items())
    rows, base = counted[level], round(shares.get(level, 0.0) * compared.baseline_known)
    # that nulls fell was the hard test; which level took them is asked of each of them
    grown = _more(rows, known, base, compared.baseline_known) < LENIENT_P_MAX / len(counted)
    if not grown or not fall.explains(excess):
        return nothing
    was = base / compared.baseline_known
    return _outcome(compared, case, what=repr(level[:40]), shares=(rows / known, was), rows=(rows, excess))


def _outcome(
    compared: Compared, case: Case, *, what: str, shares: tuple[float, float], rows: tuple[int, float]
) -> Outcome:
    (share, was), (hits, excess) = shares, rows
    now_null, was_null = compared.nulls / compared.facts.rows, compared.baseline.null_share
    fall = _fall(compared)
    if fall is not None and fall.explains(excess):
        how = (
            f"null -> {what}: the share of nulls fell from {percent(was_null)} to {percent(now_null)}, by about as much"
        )
    elif was_null:
        how = f"nulls may have been filled with {what} (they were {percent(was_null)}, now {percent(now_null)})"
    else:
        how = f"{what} may stand for a missing value"
    before = f"about {percent(was)}" if was else "none"
    policy = case.policy
    finding = Finding(
        code=FindingCode.IMPUTED,
        column=compared.column.name,
        severity=Severity.WARNING,
        message=(
            f"Column {compared.column.name!r}: {what} is in {hits:,} of {compared.known:,} values ({percent(share)}), in the"
            f" baseline in {before}; {how}. Ask upstream what a gap is now, because the model learned another meaning."
        ),
        value=what,
        allowed=f"about {percent(was)}",
        rule=(
            f"Told when one value is in at least {policy.fingerprint_rows_min:,} rows (fingerprint_rows_min) and more common"
            f" than before beyond chance ({policy.fingerprint_alpha:g} over all columns and values, fingerprint_alpha); a"
            f" value that may be usual also needs fewer nulls, {policy.fingerprint_ratio_min:g} times its share"
            " (fingerprint_ratio_min) or a neighbourhood that it stands out of: filled gaps look like data."
        ),
    )
    return Outcome(code=FindingCode.IMPUTED, column=compared.column, measured=max(0.0, share - was), finding=finding)
