"""What moved away from the baseline in a window, features and scores, and what that means to the model.

Neighbours: counts come from ``engines`` or the store, shares from ``attribution``; ``alerts`` turns the answer into
signals. Refused: raw rows, and the word stable where the window is too small to say so.

A feature has drifted when an effect is both real (Benjamini-Hochberg over all tests of the window) and large enough to
care (the policy's floor): its distribution moved, its null share changed, or levels appeared that the baseline does not
know. One column that cannot be compared is reported as such and costs the others nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil

import numpy as np

from pipeline_core.policy import Policy
from pipeline_core.records import (
    AlertLevel,
    Column,
    ColumnType,
    DriftState,
    FeatureDrift,
    NullChange,
    PredictionDrift,
    Schema,
)
from pipeline_core.stats.columns import (
    ColumnCounts,
    Move,
    aligned,
    compare_levels,
    compare_numbers,
    null_test,
)
from pipeline_core.stats.multiplicity import benjamini_hochberg
from pipeline_core.stats.twosample import Test, chi2_test, ks_test_counts

KS, CHI2 = "ks", "chi2"
SYMBOLS: Mapping[str, str] = {KS: "D", CHI2: "JS"}
DISTINCT_MAX = 20
"""A number with at most this many baseline values is compared by level: ties make KS blind (statistics notes 1.1)."""
NEW_LEVELS_NAMED = 3
TEXT_MAX = 40

Counted = Mapping[str, ColumnCounts]
_NO_SCORES = ColumnCounts(keys=np.empty(0), n=np.empty(0, dtype=np.int64))


@dataclass(frozen=True, slots=True, kw_only=True)
class DataDrift:
    """One window's features, most important first, and the sum of their contributions (None: too few rows)."""

    features: tuple[FeatureDrift, ...]
    weighted_drift: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Evidence:
    """What one column's counts say, before the other columns' tests are known."""

    column: Column
    test: str
    move: Move | None = None
    nulls: Test | None = None
    null_shares: tuple[float, float] = (0.0, 0.0)
    unmeasured: str = ""
    lost: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Window:
    """What judging one feature needs to know of the whole window."""

    policy: Policy
    rows: int
    tests: int
    level_features: int
    top: int
    shares_known: bool


def window_drift(
    baseline: Counted,
    current: Counted,
    *,
    schema: Schema,
    shares: Mapping[str, float],
    policy: Policy,
    exact_ks: Mapping[str, float] | None = None,
) -> DataDrift:
    """Compare every feature of a window with the baseline and rank what moved by what it means to the model.

    Numbers with more than 20 baseline values: Kolmogorov-Smirnov over the rows that are not null, an exact D where cells
    are values and its lower bound where they are not. Categories and other numbers: chi-squared with null as a level,
    rare levels merged. Every column: a test of its null share. All p-values of the window are adjusted together.

    States: ``stable`` needs the upper 95 % bound of the effect below the floor (KS: ``D + 1.358 sqrt((n+m)/(nm))``;
    Jensen-Shannon: ``JS + 1.96 sqrt((1/n + 1/m) / 8)``) and a null share within its own floor; what is neither stable nor
    drifted is ``unclear``. New levels count when their share exceeds what the baseline's once-seen levels predict
    (Good-Turing) by the policy's share, and not by chance (Bonferroni over the columns with levels).

    Parameters
    ----------
    baseline, current : mapping of str to ColumnCounts
        Rows per cell or level, by column id.
    schema : Schema
        Names the features and their grids.
    shares : mapping of str to float, 0-1
        The model's mean |SHAP| share per feature name; a feature that is not named has 0.
    policy : Policy
        Floors, alpha, rows needed, and which share of the features is important.
    exact_ks : mapping of str to float, optional
        D by column id, where the flow has read the undecided cells again.

    Returns
    -------
    DataDrift
        One entry per feature of the schema whatever its state, by importance.
    """
    evidence = _all_evidence(schema, baseline, current, exact_ks or {})
    given = [test.p_value for e in evidence for test in _tests(e)]
    adjusted = iter(benjamini_hochberg(given).tolist())
    rows = max((counts.rows for counts in current.values()), default=0)
    window = _Window(
        policy=policy,
        rows=rows,
        tests=max(1, len(given)),
        level_features=max(1, sum(e.test == CHI2 for e in evidence)),
        top=ceil(policy.importance_top_share * len(evidence)),
        shares_known=any(share > 0 for share in shares.values()),
    )
    weights = [shares.get(e.column.name, 0.0) for e in evidence]
    # the order of the schema breaks ties, so that a rank never changes without a reason
    order = np.argsort([-w for w in weights], kind="stable").tolist()
    ranks = {place: rank for rank, place in enumerate(order, 1)}
    judged = [
        _judge(e, window, share=weights[place], rank=ranks[place], adjusted=[next(adjusted) for _ in _tests(e)])
        for place, e in enumerate(evidence)
    ]
    judged.sort(key=lambda feature: feature.shap_rank)
    weighted = sum(f.contribution for f in judged) if rows >= policy.window_rows_min else None
    return DataDrift(features=tuple(judged), weighted_drift=weighted)


def prediction_drift(baseline: ColumnCounts | None, current: ColumnCounts | None, *, policy: Policy) -> PredictionDrift:
    """Compare the scores of a window with the champion's scores on its hold-out.

    KS where the keys are scores (each the score itself, or the middle of its cell: 1,000 cells are plenty), chi-squared
    where they are levels (predicted classes). One test, so nothing to adjust; drifted needs alpha and the floor.

    Parameters
    ----------
    baseline, current : ColumnCounts or None
        How often each score (or predicted class) was given; None: never.
    policy : Policy
        Alpha, floor and the rows needed.

    Returns
    -------
    PredictionDrift
        Without figures, and with the reason, where a side has no scores.
    """
    base, now = baseline or _NO_SCORES, current or _NO_SCORES
    blank = PredictionDrift(
        rows=now.known,
        statistic=None,
        p_value=None,
        effect=None,
        drifted=False,
        baseline_mean=base.mean,
        current_mean=now.mean,
    )
    if base.known == 0 or now.known == 0:
        where = "the baseline" if base.known == 0 else "this window"
        return replace(blank, reason=f"predictions: no scores in {where}, so their drift is not measured")
    _, before, after = aligned(base, now)
    by_level = base.keys.dtype == object
    test = chi2_test(before, after) if by_level else ks_test_counts(before, after)
    few = _few(now.known, policy)
    drifted = not few and test.p_value <= policy.alpha and test.effect >= policy.drift_effect_min
    moved = f"{SYMBOLS[CHI2 if by_level else KS]} = {test.effect:.2f} ({_p(test.p_value)})"
    means = "" if base.mean is None or now.mean is None else f"mean {now.mean:.3g}, was {base.mean:.3g}; "
    said = "distribution moved by" if drifted else "no drift shown,"
    return replace(
        blank,
        statistic=test.statistic,
        p_value=test.p_value,
        effect=test.effect,
        drifted=drifted,
        reason=f"predictions: {few}" if few else f"predictions: {means}{said} {moved}",
    )


def _all_evidence(schema: Schema, base: Counted, now: Counted, exact: Mapping[str, float]) -> list[_Evidence]:
    kinds = {grid.column_id: grid.kind for grid in schema.grids}
    evidence = []
    for column in schema.features:
        name = column.column_id
        kind = kinds.get(name, "level" if column.type is ColumnType.CATEGORY else "value")
        before, after = base.get(name), now.get(name)
        few_values = kind == "value" and before is not None and before.keys.size <= DISTINCT_MAX
        blank = _Evidence(column=column, test=CHI2 if kind == "level" or few_values else KS)
        evidence.append(_evidence(blank, before, after, celled=kind == "cells", exact=exact.get(name)))
    return evidence


def _evidence(
    blank: _Evidence, base: ColumnCounts | None, now: ColumnCounts | None, *, celled: bool, exact: float | None
) -> _Evidence:
    if base is None or base.rows == 0:
        return replace(blank, unmeasured="it was not counted in the baseline, so drift cannot be judged")
    if now is None or now.rows == 0:
        reason = "it was not counted in this window, so drift cannot be judged; check that the column still arrives"
        return replace(blank, unmeasured=reason, lost=True)
    known = replace(blank, nulls=null_test(base, now), null_shares=(base.null_share, now.null_share))
    if base.known == 0 or (blank.test == KS and now.known == 0):
        where = "the baseline" if base.known == 0 else "this window"
        return replace(known, unmeasured=f"all values in {where} are null, so only the null share is compared")
    if blank.test == CHI2:
        return replace(known, move=compare_levels(base, now))
    return replace(known, move=compare_numbers(base, now, celled=celled, exact=exact))


def _tests(e: _Evidence) -> list[Test]:
    return [test for test in (e.move.test if e.move else None, e.nulls) if test is not None]


def _judge(e: _Evidence, window: _Window, *, share: float, rank: int, adjusted: list[float]) -> FeatureDrift:
    policy = window.policy
    nulls = None
    if e.nulls is not None:
        before, now = e.null_shares
        nulls = NullChange(baseline=before, current=now, p_value=e.nulls.p_value, p_adjusted=adjusted[-1])
    blank = FeatureDrift(
        feature=e.column.name,
        test=e.test,
        statistic=None,
        p_value=None,
        p_adjusted=None,
        effect=None,
        drifted=False,
        state=DriftState.UNCLEAR,
        shap_share=share,
        shap_rank=rank,
        nulls=nulls,
        contribution=share * max(e.move.test.effect if e.move else 0.0, abs(e.nulls.effect) if e.nulls else 0.0),
    )
    feature = _with_move(blank, e.move, adjusted[0], window) if e.move is not None else blank
    few = _few(window.rows, policy)
    if few:
        return replace(feature, reason=f"{_name(feature)}: {few}")
    said = _moves(feature, e, window)
    if said:
        important = rank <= window.top and (share > 0 or not window.shares_known)
        level = AlertLevel.PAGE if important else AlertLevel.WATCH
        reason = f"{_name(feature)}: {'; '.join(said)}"
        return replace(feature, drifted=True, state=DriftState.DRIFTED, alert=level, reason=reason)
    if e.move is None:
        level = AlertLevel.WATCH if e.lost else AlertLevel.NONE
        return replace(feature, alert=level, reason=f"{_name(feature)}: {e.unmeasured}")
    return _undrifted(feature, e.move, policy)


def _with_move(blank: FeatureDrift, move: Move, adjusted: float, window: _Window) -> FeatureDrift:
    # Bonferroni's level is the strictest that Benjamini and Hochberg ask, so the promise is on the safe side
    detectable = move.smallest_detectable(window.policy.alpha / window.tests)
    return replace(
        blank,
        statistic=move.test.statistic,
        p_value=move.test.p_value,
        p_adjusted=adjusted,
        effect=move.test.effect,
        new_levels=move.new_levels,
        smallest_detectable=max(detectable, window.policy.drift_effect_min),
    )


def _moves(feature: FeatureDrift, e: _Evidence, window: _Window) -> list[str]:
    """Say in clauses what moved by more than its floor and not by chance; empty where nothing did."""
    policy, said = window.policy, []
    nulls = feature.nulls
    if nulls is not None and _nulls_moved(nulls, policy):
        said.append(f"null share {nulls.current:.1%}, was {nulls.baseline:.1%}".replace("%", " %"))
    if e.move is None or feature.p_adjusted is None:
        return said
    if e.move.new_excess >= policy.new_level_share_min and e.move.new_p_value * window.level_features <= policy.alpha:
        said.append(_new_levels(e.move.new_levels))
    effect = e.move.test.effect
    if feature.p_adjusted <= policy.alpha and effect >= policy.drift_effect_min:
        what = "distribution" if e.test == KS else "level shares"
        said.append(f"{what} moved by {SYMBOLS[e.test]} = {effect:.2f} ({_p(feature.p_adjusted)})")
    return said


def _nulls_moved(nulls: NullChange, policy: Policy) -> bool:
    # 2 points are within reach of one bad draw (5.7 % to 8.0 % in 1,000 rows), so chance must be a stricter thousandth
    points = abs(nulls.current - nulls.baseline)
    return points >= policy.null_share_change_min and nulls.p_adjusted <= policy.null_alpha


def _undrifted(feature: FeatureDrift, move: Move, policy: Policy) -> FeatureDrift:
    floor = policy.drift_effect_min
    measured = f"{SYMBOLS[feature.test]} = {move.test.effect:.2f}"
    nulls_kept = (
        feature.nulls is None or abs(feature.nulls.current - feature.nulls.baseline) < policy.null_share_change_min
    )
    if move.effect_high < floor and nulls_kept:
        reason = f"{_name(feature)}: stable, {measured}, at most {move.effect_high:.2f} (floor {floor:.2f})"
        return replace(feature, state=DriftState.STABLE, reason=reason)
    reason = (
        f"{_name(feature)}: unclear, {measured} may be up to {move.effect_high:.2f} with {move.sizes[1]:,} rows"
        f" (floor {floor:.2f})"
    )
    return replace(feature, reason=reason)


def _new_levels(levels: Mapping[str, float]) -> str:
    named = [f"{_short(level)!r} {share:.1%}".replace("%", " %") for level, share in levels.items()][:NEW_LEVELS_NAMED]
    more = f" and {len(levels) - len(named)} more" if len(levels) > len(named) else ""
    return f"new levels {', '.join(named)}{more}"


def _few(rows: int, policy: Policy) -> str:
    if rows >= policy.window_rows_min:
        return ""
    return f"{rows:,} rows in the window, {policy.window_rows_min:,} are needed to judge"


def _name(feature: FeatureDrift) -> str:
    return _short(feature.feature)


def _short(text: str) -> str:
    return text if len(text) <= TEXT_MAX else f"{text[:TEXT_MAX]}…"


def _p(p_value: float) -> str:
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"
