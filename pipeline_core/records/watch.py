"""Is anything wrong: drift, performance, windows, alerts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pipeline_core.records.words import AlertLevel, DriftState, Figure


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
    """One window: ``start`` inclusive, ``end`` exclusive (row windows: first and last event)."""

    start: datetime
    end: datetime
    rows: int
    alert: AlertLevel
    reasons: tuple[str, ...]
    weighted_drift: float | None
    features: tuple[FeatureDrift, ...]
    prediction_drift: PredictionDrift
    performance: Performance


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchReport:
    """One answer of ``check``: every window since the champion's fitted rows end."""

    model: str
    version: int
    window: str
    baseline_rows: int
    checked_at: datetime
    windows: tuple[WindowReport, ...]
    new_alerts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One signal worth a person's time, in the same sentence form as findings.

    ``code``: data_drift, prediction_drift, performance, batch_quarantined, batch_suspect.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """A feature in baseline and window, over the same bins, ready to draw.

    Numbers: ``edges`` (bins + 1, the column's unit); categories: ``levels``. Shares are of all rows,
    nulls apart. ``cdf`` rows are (value, baseline share below or at, current share below or at).
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
