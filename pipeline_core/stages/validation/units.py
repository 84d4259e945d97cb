"""Says whether a column changed its unit: the baseline times 10, 1000 or 2.54, or Fahrenheit for Celsius.

The whole column is compared quantile by quantile under each conversion, by its ends and mean where it left the range
as a whole; a part of it (one of several sources) by the rows that left the range. Neighbours: ``numbers`` says
that the range or the distribution changed, this says why. It refuses a conversion that explains the batch no better
than none, and one by 2.54 of whole numbers that stay whole. Growth by just such a factor looks the same, which is why
this is a warning.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline_core.records import ColumnType, Finding, Severity
from pipeline_core.stages.validation.codes import FindingCode, percent
from pipeline_core.stages.validation.outcomes import Case, Compared, Outcome, Outcomes

Floats = npt.NDArray[np.float64]

ROWS_MIN = 50
"""A column with fewer values is not fitted; part of it from ``PART_ROWS_MIN`` rows on."""
PART_ROWS_MIN = 10

_FIT_SHARE = 1 / 3
_RATIO_TOLERANCE = 0.03
_NOISE = 1.95
_WHOLE_SHARE = 0.9
_MOMENT_TOLERANCE = 0.1
_PART_TOLERANCE = 0.25
_FURTHEST = 5.0
_STRAY_SHARE = 0.05
_SIGMAS = 3.0


@dataclass(frozen=True, slots=True)
class _Conversion:
    """``now = factor * before + offset``."""

    name: str
    factor: float
    offset: float = 0.0
    ten: bool = False

    def back(self, values: Floats) -> Floats:
        return (values - self.offset) / self.factor


def _both(name: str, inverse: str, factor: float) -> tuple[_Conversion, _Conversion]:
    return _Conversion(name, factor), _Conversion(inverse, 1 / factor)


TENS = (
    _Conversion("times 10", 10.0, ten=True),
    _Conversion("times 100 (as from euros to cents)", 100.0, ten=True),
    _Conversion("times 1,000", 1000.0, ten=True),
    _Conversion("divided by 10", 0.1, ten=True),
    _Conversion("divided by 100 (as from cents to euros, or percent to shares)", 0.01, ten=True),
    _Conversion("divided by 1,000", 0.001, ten=True),
)
CONVERSIONS = (
    *TENS,
    _Conversion("times 1,000,000", 1e6, ten=True),
    _Conversion("divided by 1,000,000", 1e-6, ten=True),
    *_both("inches to centimetres (times 2.54)", "centimetres to inches (divided by 2.54)", 2.54),
    *_both("miles to kilometres (times 1.609)", "kilometres to miles (divided by 1.609)", 1.609344),
    *_both("pounds to kilograms (times 0.4536)", "kilograms to pounds (divided by 0.4536)", 0.45359237),
    *_both("feet to metres (times 0.3048)", "metres to feet (divided by 0.3048)", 0.3048),
    *_both("minutes to seconds (times 60)", "seconds to minutes (divided by 60)", 60.0),
    _Conversion("Celsius to Fahrenheit", 1.8, 32.0),
    _Conversion("Fahrenheit to Celsius", 1 / 1.8, -32 / 1.8),
    _Conversion("Celsius to Kelvin", 1.0, 273.15),
    _Conversion("Kelvin to Celsius", 1.0, -273.15),
    _Conversion("another sign", -1.0),
)
"""What is tried, whole columns by all, parts of one by ``TENS``."""


def outcomes(compared: Compared, case: Case) -> Outcomes:
    """Look for a change of unit in one column of numbers."""
    baseline = compared.baseline
    if compared.column.type is not ColumnType.NUMBER or len(baseline.quantiles) < 2 or baseline.distinct <= 2:
        return
    if min(compared.known, compared.baseline_known) < ROWS_MIN or len(compared.facts.quantiles) < 2:
        return
    base, now = np.asarray(baseline.quantiles), np.asarray(compared.facts.quantiles)
    share, found = 1.0, _whole(base, now, compared, case)
    if found is None:
        found = _moments(base, compared)
    if found is None:
        share, found = _part(base, compared, case)
    finding = None if found is None else _finding(found, share, compared, case)
    yield Outcome(
        code=FindingCode.UNIT_JUMP,
        column=compared.column,
        measured=share if found is not None else 0.0,
        finding=finding,
    )


def _whole(base: Floats, now: Floats, compared: Compared, case: Case) -> _Conversion | None:
    plain = _distance(base, now)
    if plain < case.policy.distribution_effect_min:
        return None
    noise = _NOISE * float(np.sqrt(1 / compared.known + 1 / compared.baseline_known)) + 0.01
    fits = {c: _distance(base, c.back(now)) for c in CONVERSIONS if _possible(c, base, now, rows=compared.known)}
    if not fits:
        return None
    best = min(fits, key=lambda c: fits[c])
    # a power of ten is no drift; other factors are, so they have to fit as well as chance lets them
    limit = case.policy.unit_fit_max if best.ten else min(noise, case.policy.unit_fit_max)
    return best if fits[best] <= min(limit, plain * _FIT_SHARE) else None


def _distance(base: Floats, now: Floats) -> float:
    """Give the KS distance of the quantiles of a batch (evenly spaced) from those of a baseline."""
    points, n = np.unique(now, return_counts=True)
    after = np.cumsum(n) / n.sum()
    before = np.append(0.0, after[:-1])
    # a conversion there and back may be off by the last digit
    slack = 1e-9 * np.maximum(1.0, np.abs(points))
    base_before = np.searchsorted(base, points - slack, side="left") / len(base)
    base_after = np.searchsorted(base, points + slack, side="right") / len(base)
    return float(max((before - base_before).max(), (base_before - before).max(), np.abs(after - base_after).max()))


def _possible(conversion: _Conversion, base: Floats, now: Floats, *, rows: int) -> bool:
    """Refuse a factor that the middle of the column denies, or that would not leave whole numbers whole."""
    wide = np.quantile(base, 0.9) - np.quantile(base, 0.1), np.quantile(now, 0.9) - np.quantile(now, 0.1)
    if wide[0] > 0 and abs(wide[1] / wide[0] / abs(conversion.factor) - 1) > _RATIO_TOLERANCE + 2 / np.sqrt(rows):
        return False
    if conversion.ten or conversion.factor in {-1.0, 60.0}:
        return True
    return not (_all_whole(base) and _all_whole(now))


def _all_whole(values: Floats) -> bool:
    return bool(np.array_equal(values, np.round(values)))


def _moments(base: Floats, compared: Compared) -> _Conversion | None:
    """Fit ends and mean of a column that left the range as a whole: far out, counts are too coarse for quantiles."""
    facts = compared.facts
    if facts.low is None or facts.high is None or facts.mean is None:
        return None
    outside = sum(compared.tally.outside(float(base[0]), float(base[-1])))
    if outside < _WHOLE_SHARE * compared.known:
        return None
    reach, middle = _MOMENT_TOLERANCE * (base[-1] - base[0]), _mean(base, compared)
    close = _MOMENT_TOLERANCE * (np.quantile(base, 0.9) - np.quantile(base, 0.1))
    fits = {}
    for conversion in CONVERSIONS:
        low, high = np.sort(conversion.back(np.array([facts.low, facts.high]))).tolist()
        mean = float(conversion.back(np.array([facts.mean]))[0])
        if low >= base[0] - reach and high <= base[-1] + reach and abs(mean - middle) <= close:
            fits[conversion] = abs(mean - middle)
    return min(fits, key=lambda c: fits[c], default=None)


def _mean(base: Floats, compared: Compared) -> float:
    return float(base.mean()) if compared.baseline.mean is None else compared.baseline.mean


def _part(base: Floats, compared: Compared, case: Case) -> tuple[float, _Conversion | None]:
    """Fit the rows that left the range: their mean and furthest value must be those of the baseline, converted."""
    facts, known = compared.facts, compared.known
    below, above = compared.tally.outside(float(base[0]), float(base[-1]))
    outside = max(below, above)
    least = max(PART_ROWS_MIN, case.policy.out_of_range_share_min * known)
    stray = min(below, above) > _STRAY_SHARE * outside  # a row or two leave on the other side by themselves
    if outside < least or stray or facts.mean is None or facts.low is None or facts.high is None:
        return 0.0, None
    if _one_value(base, compared) >= outside / 2:
        return 0.0, None  # a value that stands for gaps is no unit
    middle = _mean(base, compared)
    gone = (facts.mean * known - middle * (known - outside)) / outside
    noise = _SIGMAS * float(base.std()) * float(np.sqrt(known)) / outside
    furthest = facts.high if above > below else facts.low
    fits = {}
    for conversion in TENS:
        leaving = base[_leaves(conversion.factor * base + conversion.offset, base, above=above > below)]
        if len(leaving) < len(base) / 2:
            continue  # the tail of a wide column looks like its own multiple
        mean, end = conversion.back(np.array([gone, furthest])).tolist()
        spread = float(leaving.std())
        away = abs(mean - float(leaving.mean()))
        # the furthest of so many rows lies in the last few of the baseline, and hardly beyond
        reach, few = _MOMENT_TOLERANCE * (base[-1] - base[0]), min(0.5, _FURTHEST / outside)
        if above > below:
            inside = np.quantile(leaving, 1 - few) <= end <= base[-1] + reach
        else:
            inside = base[0] - reach <= end <= np.quantile(leaving, few)
        if inside and away <= _PART_TOLERANCE * spread + (noise + spread * _SIGMAS / outside**0.5) / conversion.factor:
            fits[conversion] = away
    best = min(fits, key=lambda c: fits[c], default=None)
    return (outside / known, best) if best is not None else (0.0, None)


def _one_value(base: Floats, compared: Compared) -> int:
    """Count the rows of the commonest value outside the range."""
    common = (*compared.facts.spikes, *compared.facts.asked)
    return max((n for value, n in common if not base[0] <= value <= base[-1]), default=0)


def _leaves(values: Floats, base: Floats, *, above: bool) -> npt.NDArray[np.bool_]:
    return np.asarray(values > base[-1] if above else values < base[0])


def _finding(conversion: _Conversion, share: float, compared: Compared, case: Case) -> Finding:
    whole = share >= 1.0
    part = "" if whole else f" in about {percent(share)} of the values"
    now, was = (q[len(q) // 2] for q in (compared.facts.quantiles, compared.baseline.quantiles))
    middle = f"the median is {now:g}, it was {was:g}" if whole else "the rows that left the range fit"
    return Finding(
        code=FindingCode.UNIT_JUMP,
        column=compared.column.name,
        severity=Severity.WARNING,
        message=(
            f"Column {compared.column.name!r} looks converted{part}: {conversion.name} ({middle}). Send it in the unit of"
            " the baseline, or define the model again with the new one."
        ),
        value=conversion.name,
        allowed="the unit of the baseline",
        rule=(
            f"Told when a conversion of units brings the batch to within {case.policy.unit_fit_max:g} (unit_fit_max) of the"
            f" baseline and none leaves it {case.policy.distribution_effect_min:g} (distribution_effect_min) away: a model"
            " cannot see units."
        ),
    )
