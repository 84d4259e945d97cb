"""Is anything wrong: drift, performance, windows, alerts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pipeline_core.records.examined import Examination
from pipeline_core.records.words import AlertLevel, BaselineKind, DriftState, Figure, Season


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineChoice:
    """What the windows of a model are compared with, who said so and why.

    ``number`` counts a model's choices from 1; 0 is what the data suggested and nobody has changed. ``season`` belongs to
    kind ``season``; ``start`` (inclusive) and ``end`` (exclusive) to kind ``period``.
    """

    model: str
    number: int
    kind: BaselineKind
    decided_by: str
    decided_at: datetime
    reason: str
    season: Season | None = None
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A stretch of event time, ``start`` inclusive and ``end`` exclusive, and its rows."""

    start: datetime
    end: datetime
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """The rule by which windows were judged, in words, and how often it would have paged on the healthy past.

    ``healthy_windows`` are those it was calibrated on (0: uncalibrated); ``fired`` of ``tried`` windows of that past.
    ``uncalibrated_words`` is the rule for a window that may not be held against the healthy ones (too small, of a season
    that none of them has), where the others are calibrated.
    """

    words: str
    calibrated: bool
    uncalibrated_words: str = ""
    healthy_windows: int = 0
    fired: int = 0
    tried: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NullChange:
    """Null share (0-1) in the baseline and in the window, with the two-sample p-values."""

    baseline: float
    current: float
    p_value: float
    p_adjusted: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureDrift:
    """One feature in one window against the baseline.

    ``test`` is ``ks`` (effect: the KS distance D) or ``chi2`` (effect: Jensen-Shannon distance, nat).
    ``contribution`` is shap_share x the larger of effect and null-share change.
    ``smallest_detectable`` is the effect that this many rows would have called drifted half the time.
    ``effect_low`` and ``effect_high`` bound D as far as counts tell (equal where it is exact). ``p_calibrated`` is the
    share of healthy windows in which some feature stood out as much as this one (None: uncalibrated), and
    ``healthy_effect`` the effect that 95 % of them stayed below. ``windows_drifted`` of the last 3 windows, this one
    included. ``hard_evidence`` are sentences of findings that no world makes by itself. ``calendar``: the column only says
    what day or hour it is, so it never alerts. ``important``: among the features that page when their drift lasts.
    """

    feature: str
    test: str
    statistic: float | None
    p_value: float | None
    p_adjusted: float | None
    effect: float | None
    drifted: bool
    state: DriftState
    shap_share: float
    shap_rank: int
    nulls: NullChange | None
    new_levels: Mapping[str, float] = field(default_factory=dict)
    contribution: float = 0.0
    smallest_detectable: float | None = None
    effect_low: float | None = None
    effect_high: float | None = None
    p_calibrated: float | None = None
    healthy_effect: float | None = None
    windows_drifted: int = 0
    hard_evidence: tuple[str, ...] = ()
    calendar: bool = False
    important: bool = False
    alert: AlertLevel = AlertLevel.NONE
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionDrift:
    """The scores of a window against the scores on the hold-out. Means in the score's unit."""

    rows: int
    statistic: float | None
    p_value: float | None
    effect: float | None
    drifted: bool
    baseline_mean: float | None
    current_mean: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """Realised metrics of a window where ground truth is known, against the validation figure."""

    labelled_rows: int
    scored_rows: int
    metrics: Mapping[str, Figure]
    reference: float | None
    dropped: bool
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowReport:
    """One window: ``start`` inclusive, ``end`` exclusive (row windows: first and last event).

    ``codes`` are the alert codes behind ``reasons``, each once. ``weighted_limit`` is the weighted drift that 95 % of the
    healthy windows stayed below (``weighted_alert``: how loud it is that this one did not), ``p_calibrated`` the share of them in which something stood out as much as here.
    ``examined``: what a closer look at its rows found (None: nobody looked).
    """

    start: datetime
    end: datetime
    rows: int
    alert: AlertLevel
    reasons: tuple[str, ...]
    weighted_drift: float | None
    features: tuple[FeatureDrift, ...]
    prediction_drift: PredictionDrift
    performance: Performance
    codes: tuple[str, ...] = ()
    baseline_rows: int = 0
    calibrated: bool = False
    p_calibrated: float | None = None
    weighted_limit: float | None = None
    weighted_alert: AlertLevel = AlertLevel.NONE
    examined: Examination | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchReport:
    """One answer of ``check``: every window since the champion's fitted rows end.

    ``past`` are the windows that baselines are made of, by the rule of ``baseline``. ``rows_in``: where the watched rows are,
    "" for the store.
    """

    model: str
    version: int
    window: str
    baseline_rows: int
    checked_at: datetime
    windows: tuple[WindowReport, ...]
    new_alerts: int = 0
    baseline: BaselineChoice | None = None
    rule: Rule | None = None
    past: tuple[Period, ...] = ()
    rows_in: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One signal worth a person's time, in the same sentence form as findings; ``rule`` says by which rule it was raised.

    ``code``: data_drift, prediction_drift, performance, batch_quarantined, batch_suspect. ``detached``: of a column that did
    not drift and no longer belongs to its row. ``window``: of what length, as a check names it (empty: no window of a check).
    """

    alert_id: str
    model: str
    version: int | None
    code: str
    level: AlertLevel
    feature: str | None
    message: str
    window_start: datetime | None
    window_end: datetime | None
    contribution: float | None
    raised_at: datetime
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = None
    note: str = ""
    rule: str = ""
    detached: bool = False
    window: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """A feature in baseline and window, over the same bins, ready to draw.

    Numbers: ``edges`` (bins + 1, the column's unit); categories: ``levels``. Shares are of all rows,
    nulls apart. ``cdf`` rows are (value, baseline share below or at, current share below or at). ``psi`` is over baseline
    deciles (None: too few rows), ``js`` in nat over the bars, ``wasserstein`` in the column's unit, ``exact_ks`` read from the rows.
    """

    feature: str
    baseline_rows: int
    current_rows: int
    edges: tuple[float, ...] = ()
    levels: tuple[str, ...] = ()
    baseline: tuple[float, ...] = ()
    current: tuple[float, ...] = ()
    baseline_null_share: float = 0.0
    current_null_share: float = 0.0
    cdf: tuple[tuple[float, float, float], ...] = ()
    gap_at: float | None = None
    psi: float | None = None
    js: float | None = None
    wasserstein: float | None = None
    exact_ks: float | None = None
