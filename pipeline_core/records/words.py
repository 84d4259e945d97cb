"""The choices a record may hold, and figures that were measured or not."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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
    """What the door decided; a quarantined batch can be discarded by a person."""

    ACCEPTED = "accepted"
    QUARANTINED = "quarantined"
    DISCARDED = "discarded"


class Stage(StrEnum):
    """Where a version stands in the registry: waiting, in production, no longer in production, or turned down for good."""

    CHALLENGER = "challenger"
    CHAMPION = "champion"
    RETIRED = "retired"
    REJECTED = "rejected"


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


class BaselineKind(StrEnum):
    """What windows are compared with; ``SEASON`` is the training data of the same season."""

    TRAINING = "training"
    SEASON = "season"
    PERIOD = "period"
    PREVIOUS = "previous"


class Season(StrEnum):
    """Which cycle the same season is sought in."""

    YEAR = "year"
    WEEKDAY = "weekday"
    HOUR = "hour"


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
    STOPPED = "stopped"


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
