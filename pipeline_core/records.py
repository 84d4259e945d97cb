"""The shapes that rooms hand to each other; no logic lives here.

Every record is frozen, keyword-only and made of plain values, so that it can be stored as JSON,
sent over HTTP, printed by the command line and drawn by a screen without a second shape.
What was not measured is a ``NotMeasured`` with its reason, never a NaN.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar

import pyarrow as pa
from pydantic import TypeAdapter

R = TypeVar("R")


class Task(StrEnum):
    """What a model predicts."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"


class ColumnType(StrEnum):
    """How a column is stored: DOUBLE, VARCHAR or TIMESTAMP (UTC)."""

    NUMBER = "number"
    CATEGORY = "category"
    TIMESTAMP = "timestamp"


class Role(StrEnum):
    """What a column is for. Protected columns are kept for audits and never fed to a model."""

    FEATURE = "feature"
    TARGET = "target"
    TIME = "time"
    ID = "id"
    PROTECTED = "protected"
    EXCLUDED = "excluded"


class TimeUnit(StrEnum):
    """How the event time is counted. ``ROW`` is an order without a clock, ``NONE`` uses arrival."""

    CLOCK = "clock"
    DAY = "day"
    ROW = "row"
    NONE = "none"


class Severity(StrEnum):
    """An error quarantines the batch; a warning and a note do not."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class BatchStatus(StrEnum):
    """What the door decided."""

    ACCEPTED = "accepted"
    QUARANTINED = "quarantined"


class Stage(StrEnum):
    """Where a version stands in the registry."""

    CHALLENGER = "challenger"
    CHAMPION = "champion"
    RETIRED = "retired"


class Decision(StrEnum):
    """What the gate says."""

    PROMOTE = "promote"
    KEEP = "keep"
    INSUFFICIENT = "insufficient"


class AlertLevel(StrEnum):
    """``PAGE``: wake somebody; ``WATCH``: log and look later; ``NONE``."""

    PAGE = "page"
    WATCH = "watch"
    NONE = "none"


class DriftState(StrEnum):
    """``UNCLEAR``: the window is too small to say either."""

    DRIFTED = "drifted"
    STABLE = "stable"
    UNCLEAR = "unclear"


class JobStatus(StrEnum):
    """The life of a long piece of work."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A figure with its 95 % interval (``low`` and ``high`` may be unknown) and its row count."""

    value: float
    low: float | None = None
    high: float | None = None
    rows: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotMeasured:
    """Why there is no figure, as a clause for people."""

    reason: str


Figure = Measured | NotMeasured


# --- intake -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a schema. ``column_id`` (c001 ...) is its name in SQL, Parquet and pipelines."""

    column_id: str
    name: str
    type: ColumnType
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """How a column's values become countable cells (``performance.md``, grid, bound, refine).

    ``kind`` is ``value`` (the cell is the number itself), ``cells`` (cell = arithmetic map with
    ``centre`` and ``spread`` onto 0..65535) or ``level`` (the category itself).
    """

    column_id: str
    kind: str
    centre: float = 0.0
    spread: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnBaseline:
    """What the first file taught about a column; shares are 0-1, unit of low/high is the column's.

    ``levels`` maps a category (or a number with at most 20 values, as text) to its share, the 200
    commonest only; ``quantiles`` are the 1001 evenly spaced quantiles of a number, for drawing and
    for the distribution finding.
    """

    column_id: str
    rows: int
    null_share: float
    distinct: int
    low: float | None = None
    high: float | None = None
    mean: float | None = None
    levels: Mapping[str, float] = field(default_factory=dict)
    levels_complete: bool = True
    quantiles: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """What a model expects at the door. ``classes`` are the target's labels, sorted."""

    model: str
    schema_version: int
    task: Task
    columns: tuple[Column, ...]
    baselines: tuple[ColumnBaseline, ...]
    grids: tuple[Grid, ...]
    time_unit: TimeUnit
    positive: str | None = None
    classes: tuple[str, ...] = ()
    defined_at: datetime
    demo: bool = False

    def role(self, role: Role) -> tuple[Column, ...]:
        """Give the columns of one role, in schema order."""
        return tuple(c for c in self.columns if c.role is role)

    @property
    def features(self) -> tuple[Column, ...]:
        """The columns that are fed to the model, in schema order."""
        return self.role(Role.FEATURE)

    @property
    def target(self) -> Column:
        """The one target column."""
        return self.role(Role.TARGET)[0]

    @property
    def time(self) -> Column | None:
        """The event time column, if there is one."""
        return next(iter(self.role(Role.TIME)), None)

    @property
    def id(self) -> Column | None:
        """The id column, if there is one."""
        return next(iter(self.role(Role.ID)), None)

    def by_id(self, column_id: str) -> Column:
        """Give the column with that internal id."""
        return next(c for c in self.columns if c.column_id == column_id)

    def by_name(self, name: str) -> Column | None:
        """Give the column with that display name, if there is one."""
        return next((c for c in self.columns if c.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing about a batch that a person should know. ``code`` is stable (docs/findings.md)."""

    code: str
    column: str | None
    severity: Severity
    message: str
    value: float | str | None = None
    allowed: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnArrival:
    """One column of one batch as it arrived and as it was stored; shares are 0-1."""

    column: str
    arrived: str
    stored: str
    null_share: float
    failed_rows: int = 0
    low: float | None = None
    high: float | None = None
    distinct: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchReport:
    """What came in and what the door decided. ``duplicate``: this content was already known."""

    model: str
    batch_id: str
    status: BatchStatus
    rows: int
    sha256: str
    source: str
    received_at: datetime
    findings: tuple[Finding, ...]
    columns: tuple[ColumnArrival, ...] = ()
    first_event_at: datetime | None = None
    last_event_at: datetime | None = None
    labelled_rows: int = 0
    schema_version: int = 1
    duplicate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelReport:
    """What a file of ground truth changed; all figures in rows."""

    model: str
    rows: int
    new_rows: int
    changed_rows: int
    unchanged_rows: int
    unknown_rows: int
    matched_predictions: int
    batch_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringReport:
    """What the champion said about a batch. ``predictions`` is the table row_id, prediction, score."""

    model: str
    batch_id: str
    version: int
    rows: int
    mean_score: float | None
    predicted: Mapping[str, int]
    already_scored: bool = False


# --- release ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """The rows that a version was made from. ``until`` is exclusive; ``sha256`` names the content.

    Rows at or after ``holdout_from`` were not fitted on (time-ordered models); where there is no
    event time the hold-out is the rows whose id hashes into ``holdout_share``.
    """

    batches: tuple[str, ...]
    rows: int
    sha256: str
    fit_rows: int
    holdout_rows: int
    holdout_share: float
    first_event_at: datetime | None = None
    last_event_at: datetime | None = None
    holdout_from: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """Curves on held-out rows, at most 200 points each, all axes 0-1 (regression: empty).

    ``roc`` (false positive rate, true positive rate), ``precision_recall`` (recall, precision),
    ``calibration`` (mean predicted probability, observed share).
    """

    roc: tuple[tuple[float, float], ...] = ()
    precision_recall: tuple[tuple[float, float], ...] = ()
    calibration: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How a version was made: enough to make it again."""

    run_id: str
    estimator: str
    parameters: Mapping[str, Any]
    seed: int
    code_version: str
    packages: Mapping[str, str]
    started_at: datetime
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """One trained pipeline in the registry. Shares are of mean |SHAP| and sum to 1, by name."""

    model: str
    version: int
    stage: Stage
    run: Run
    dataset: Dataset
    metrics: Mapping[str, Figure]
    curves: Curves
    shap_shares: Mapping[str, float]
    artifact_sha256: str
    artifact_bytes: int
    schema_version: int
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One metric of two models on the same rows. ``difference`` > 0: the challenger is better."""

    champion: Figure
    challenger: Figure
    difference: Figure
    margin: float | None = None
    decides: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the gate decided and on what. ``champion`` None: compared with the trivial predictor."""

    verdict_id: str
    model: str
    version: int
    champion: int | None
    epoch: int
    verdict: Decision
    reasons: tuple[str, ...]
    metrics: Mapping[str, Comparison]
    rows: int
    first_event_at: datetime | None = None
    last_event_at: datetime | None = None
    rows_needed: int | None = None
    champion_curves: Curves = field(default_factory=Curves)
    challenger_curves: Curves = field(default_factory=Curves)
    decided_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """One move of the champion. ``epoch`` counts them; ``action`` is ``promote`` or ``rollback``."""

    model: str
    epoch: int
    version: int
    previous: int | None
    action: str
    by: str
    reason: str
    verdict_id: str | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """What data produced the champion and what was its validation metric, in one answer."""

    model: str
    version: int
    dataset: Dataset
    metrics: Mapping[str, Figure]
    run: Run
    promoted_by: str
    promoted_at: datetime
    reason: str
    verdict_id: str | None
    artifact_sha256: str
    batches: tuple[BatchReport, ...] = ()


# --- watch ------------------------------------------------------------------------------------


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
    """One signal worth a person's time. ``code``: data_drift, prediction_drift, performance,
    batch_quarantined. Sentence form as for findings."""

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


# --- work -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A long piece of work and how far it is (``progress`` 0-1)."""

    job_id: str
    model: str | None
    verb: str
    arguments: Mapping[str, Any]
    status: JobStatus
    progress: float
    message: str
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    result: Mapping[str, Any] | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelStatus:
    """One model at a glance."""

    model: str
    task: Task
    champion: int | None
    versions: int
    batches: int
    quarantined: int
    rows: int
    last_received_at: datetime | None
    open_pages: int
    open_watches: int
    demo: bool
    next_step: str


COUNTS = pa.schema([
    pa.field("column_id", pa.string()),
    pa.field("bucket", pa.timestamp("us")),
    pa.field("cell", pa.float64()),
    pa.field("level", pa.string()),
    pa.field("n", pa.int64()),
])
"""Counts of a scan: sparse, additive. ``cell`` for numbers, ``level`` for categories; both null: nulls."""


@cache
def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def dump(record: object) -> dict[str, Any]:
    """Give a record as JSON-ready plain values (times in ISO 8601, enums as text)."""
    plain: dict[str, Any] = _adapter(type(record)).dump_python(record, mode="json")
    return plain


def dump_text(record: object) -> str:
    """Give a record as one line of JSON."""
    return _adapter(type(record)).dump_json(record).decode()


def load(kind: type[R], value: Mapping[str, Any] | str) -> R:
    """Build a record from plain values or JSON text, checking every field."""
    adapter = _adapter(kind)
    loaded: R = adapter.validate_json(value) if isinstance(value, str) else adapter.validate_python(value)
    return loaded
