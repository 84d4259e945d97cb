"""Which features drifted in which window, how sure that is, and how loud it should be.

Neighbours: ``comparing`` measured each column in every window; ``alerts`` makes signals of the answer. Refused: counts.

The healthy past runs through the same rules as the live windows, each of its windows held against the others: that gives
the calibration, and how often the rule would have paged although nothing was wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from pipeline_core.policy import Policy
from pipeline_core.records import AlertLevel, DriftState, FeatureDrift, NullChange, Schema
from pipeline_core.stages.drift import saying
from pipeline_core.stages.drift.comparing import KS, SYMBOLS, Compared, Counted, compared
from pipeline_core.stages.drift.weighing import Floats, Laid, Past, Pool, Seen, Weighed
from pipeline_core.stats.cubes import cube
from pipeline_core.stats.moves import Moves

Evidence = Mapping[str, tuple[str, ...]]
TRIED_MAX = 400
"""Healthy windows that the rule is tried on, the newest: each is ranked among all others, so more would cost their square."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataDrift:
    """One window's features, most important first, and the sum of their contributions (None: too few rows).

    ``weighted_limit`` is what 95 % of the healthy windows stayed below; ``weighted_reason`` says in a clause that the
    window as a whole moved too far ("" where it did not), and ``weighted_level`` how loud that is.
    """

    features: tuple[FeatureDrift, ...]
    weighted_drift: float | None
    calibrated: bool = False
    healthy: int = 0
    p_calibrated: float | None = None
    weighted_limit: float | None = None
    weighted_level: AlertLevel = AlertLevel.NONE
    weighted_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """All windows, the rule in words, and in how many of the healthy windows (``tried``) it would have paged."""

    windows: tuple[DataDrift, ...]
    words: str
    calibrated: bool
    healthy: int
    uncalibrated_words: str
    fired: int
    tried: int


def judge(
    columns: Sequence[Compared],
    laid: Laid,
    *,
    shares: Mapping[str, float],
    policy: Policy,
    evidence: Sequence[Evidence] = (),
) -> Judged:
    """Judge every window, the healthy past first.

    Windows with fewer rows than the policy asks are not judged. Where the healthy past (and the first live windows since, but for
    changes that lasted: ``weighing.Pool``) has ``healthy_windows_needed`` windows that share no row with a window, a feature has drifted when its effect reaches the floor
    and its maxT-adjusted p-value is at most alpha (``stats.calibration``); before that when the Benjamini-Hochberg
    adjusted p-value is, and no healthy window showed as much. Null shares need ``null_alpha`` as well.
    New levels count when their share exceeds what the baseline's once-seen levels predict (Good-Turing) by the policy's
    share, and not by chance (Bonferroni over the columns with levels).

    Parameters
    ----------
    columns : sequence of Compared
        Every feature, in the order of the schema, over the same windows: first the healthy ones, then the live ones, in
        time order.
    laid : Laid
        Those windows.
    shares : mapping of str to float, 0-1
        The model's mean |SHAP| share per feature name; a feature that is not named has 0.
    policy : Policy
        Floors, alpha, rows needed, and which share of the features is important.
    evidence : sequence of mapping of str to tuple of str, (live windows,), optional
        What the door found in the batches of a window, by feature: sentences that need no statistics.

    Returns
    -------
    Judged
        One entry per live window, each with one entry per feature of the schema whatever its state.
    """
    return _Court(columns, laid, shares=shares, policy=policy).judged(evidence)


def window_drift(
    baseline: Counted,
    current: Counted,
    *,
    schema: Schema,
    shares: Mapping[str, float],
    policy: Policy,
    exact_ks: Mapping[str, float] | None = None,
) -> DataDrift:
    """Compare every feature of one window with the baseline, without a past to calibrate on.

    Parameters
    ----------
    baseline, current : mapping of str to ColumnCounts
        Rows per cell or level, by column id.
    schema : Schema
        Names the features and their grids.
    shares, policy
        As ``judge`` takes them.
    exact_ks : mapping of str to float, optional
        D by column id, where the rows were read again.

    Returns
    -------
    DataDrift
    """
    grids = {grid.column_id: grid for grid in schema.grids}
    columns = []
    for column in schema.features:
        name = column.column_id
        sides = [None if c is None or not c.rows else cube([c]) for c in (baseline.get(name), current.get(name))]
        if sides[0] is not None and sides[1] is None:
            sides[1] = cube([None]).on(sides[0].keys)
        exact = None if exact_ks is None or name not in exact_ks else np.array([exact_ks[name]])
        columns.append(compared(column, grids.get(name), base=sides[0], now=sides[1], exact=exact))
    rows = max((counts.rows for counts in current.values()), default=0)
    alone = Laid(rows=np.array([rows]), healthy=0, comparable=np.array([False]))
    return judge(columns, alone, shares=shares, policy=policy).windows[0]


class _Court(Weighed):
    """The windows of one check, told in words."""

    def judged(self, evidence: Sequence[Evidence]) -> Judged:
        calm = [place for place in range(self.laid.healthy) if self.laid.comparable[place]]
        tried = calm[-TRIED_MAX:]
        fired = self.fired(tried)
        past, windows = Past(self.policy.alert_windows_of, self.laid), []
        pool = Pool(calm, self.laid, policy=self.policy)
        for place in range(self.laid.healthy, len(self.laid.rows)):
            given = evidence[place - self.laid.healthy] if evidence else {}
            seen = self.seen(place, pool.beside(place), hard=tuple(given.get(c.column.name, ()) for c in self.columns))
            lasted, weighted = past.add(place, seen)
            windows.append(self._told(place, seen, lasted, weighted))
            if self.laid.comparable[place]:
                pool.add(place, seen)
        sure = any(window.calibrated for window in windows) or (pool.enough and not windows)
        count = max((window.healthy for window in windows), default=len(calm))
        return Judged(
            windows=tuple(windows),
            words=saying.rule(self.policy, healthy=count, calibrated=sure),
            uncalibrated_words=saying.rule(self.policy, healthy=0, calibrated=False) if sure else "",
            calibrated=sure,
            healthy=count,
            fired=fired,
            tried=len(tried),
        )

    def _told(self, place: int, seen: Seen, lasted: npt.NDArray[np.int64], weighted: int) -> DataDrift:
        features = [self._feature(place, number, seen, int(lasted[number])) for number in range(self.count)]
        features.sort(key=lambda feature: feature.shap_rank)
        drift = DataDrift(
            features=tuple(features),
            weighted_drift=None if seen.small else float(self.contributions[place].sum()),
            calibrated=seen.calibrated,
            healthy=seen.pool,
            p_calibrated=seen.p_window,
            weighted_limit=None if seen.limits is None else float(seen.limits[-1]),
        )
        if not seen.weighted:
            return drift
        loud = weighted >= self.policy.alert_windows_min
        return replace(
            drift,
            weighted_level=AlertLevel.PAGE if loud else AlertLevel.WATCH,
            weighted_reason=(
                f"weighted drift {drift.weighted_drift:.2f}, healthy windows stay below {drift.weighted_limit:.2f}"
            ),
        )

    def _feature(self, place: int, number: int, seen: Seen, lasted: int) -> FeatureDrift:
        column, policy = self.columns[number], self.policy
        share, rank = float(self.weights[number]), int(self.ranks[number])
        feature = self._measured(place, number, seen)
        feature = replace(feature, windows_drifted=lasted, hard_evidence=seen.hard[number] if seen.hard else ())
        name = saying.short(feature.feature)
        few = saying.few(int(self.laid.rows[place]), policy)
        if few and not feature.hard_evidence:
            return replace(feature, reason=f"{name}: {few}")
        said = self._clauses(feature, column, seen, number)
        if said:
            hard = bool(seen.nulls[number]) or bool(feature.hard_evidence)
            reason = f"{name}: {'; '.join(said)}"
            drifted = replace(feature, drifted=True, state=DriftState.DRIFTED, reason=reason)
            if self.calendar[number]:
                return replace(drifted, reason=f"{reason}; it only says when, so it never alerts")
            loud = bool(self.important[number]) and (hard or lasted >= policy.alert_windows_min)
            return replace(drifted, alert=AlertLevel.PAGE if loud else AlertLevel.WATCH)
        missing = column.why_not(place)
        if missing:
            level = AlertLevel.WATCH if column.lost(place) else AlertLevel.NONE
            return replace(feature, alert=level, reason=f"{name}: {missing}", shap_share=share, shap_rank=rank)
        return self._undrifted(feature, column, place, healthy=seen.pool)

    def _measured(self, place: int, number: int, seen: Seen) -> FeatureDrift:
        column = self.columns[number]
        blank = FeatureDrift(
            feature=column.column.name,
            test=column.test,
            statistic=None,
            p_value=None,
            p_adjusted=None,
            effect=None,
            drifted=False,
            state=DriftState.UNCLEAR,
            shap_share=float(self.weights[number]),
            shap_rank=int(self.ranks[number]),
            nulls=None,
            contribution=float(self.contributions[place, number]),
            calendar=bool(self.calendar[number]),
            important=bool(self.important[number]),
        )
        moves = column.found
        if moves is None or np.isnan(moves.null_p[place]):
            return blank
        nulls = NullChange(
            baseline=float(moves.null_before[place]),
            current=float(moves.null_now[place]),
            p_value=float(moves.null_p[place]),
            p_adjusted=float(seen.null_adjusted[number]),
        )
        blank = replace(blank, nulls=nulls)
        if np.isnan(moves.effect[place]):
            return blank
        return replace(
            blank,
            statistic=float(moves.statistic[place]),
            p_value=float(moves.p_value[place]),
            p_adjusted=float(seen.adjusted[number]),
            effect=float(moves.effect[place]),
            effect_low=float(moves.effect_low[place]),
            effect_high=float(moves.effect_high[place]),
            new_levels=moves.new_levels[place] if moves.new_levels else {},
            smallest_detectable=self._detectable(moves, place, seen),
            p_calibrated=_known(seen.p_each, number) if seen.calibrated else None,
            healthy_effect=_known(seen.limits, number),
        )

    def _detectable(self, moves: Moves, place: int, seen: Seen) -> float | None:
        """Give the smallest shift that this window would have called drifted half the time."""
        tests = int(np.sum(~np.isnan(seen.adjusted)) + np.sum(~np.isnan(seen.null_adjusted)))
        # Bonferroni's level is the strictest that Benjamini and Hochberg ask, so the promise is on the safe side
        found = moves.smallest_detectable(place, self.policy.alpha / max(1, tests))
        return None if found is None else max(found, self.policy.drift_effect_min)

    def _clauses(self, feature: FeatureDrift, column: Compared, seen: Seen, number: int) -> list[str]:
        """Say in clauses what moved; empty where nothing did."""
        said = []
        if seen.nulls[number] and feature.nulls is not None:
            said.append(saying.nulls(feature.nulls.current, feature.nulls.baseline))
        if seen.fresh[number]:
            said.append(saying.new_levels(feature.new_levels))
        if seen.moved[number] and feature.effect is not None and feature.p_adjusted is not None:
            what = "distribution" if column.test == KS else "level shares"
            chance = feature.p_adjusted if feature.p_calibrated is None else feature.p_calibrated
            past = (
                "" if feature.healthy_effect is None else f"; healthy windows stay below {feature.healthy_effect:.2f}"
            )
            said.append(
                f"{what} moved by {SYMBOLS[column.test]} = {feature.effect:.2f} ({saying.p_text(chance)}{past})"
            )
        return [*said, *(text.rstrip(".") for text in feature.hard_evidence)]

    def _undrifted(self, feature: FeatureDrift, column: Compared, place: int, *, healthy: int) -> FeatureDrift:
        moves, floor = column.found, self.policy.drift_effect_min
        assert moves is not None
        assert feature.effect is not None
        name = saying.short(feature.feature)
        measured = f"{SYMBOLS[column.test]} = {feature.effect:.2f}"
        most = _most(moves, place)
        kept = (
            feature.nulls is None
            or abs(feature.nulls.current - feature.nulls.baseline) < self.policy.null_share_change_min
        )
        if most < floor and kept:
            reason = f"{name}: stable, {measured}, at most {most:.2f} (floor {floor:.2f})"
            return replace(feature, state=DriftState.STABLE, reason=reason)
        usual = feature.healthy_effect
        if kept and feature.p_calibrated is not None and usual is not None and floor <= feature.effect <= usual:
            reason = f"{name}: stable, {measured} is what healthy windows show (below {usual:.2f})"
            return replace(feature, state=DriftState.STABLE, reason=reason)
        if feature.effect_low is not None and feature.effect_low >= floor:
            reason = saying.unusual(f"{name}: unclear, {measured}", healthy=healthy, policy=self.policy)
            return replace(feature, reason=reason)
        reason = (
            f"{name}: unclear, {measured} may be up to {most:.2f} with {int(moves.sizes[place, 1]):,} rows"
            f" (floor {floor:.2f})"
        )
        return replace(feature, reason=reason)


def _most(moves: Moves, place: int) -> float:
    return float(moves.effect_most[place])


def _known(values: Floats | None, place: int) -> float | None:
    return None if values is None or np.isnan(values[place]) else float(values[place])
