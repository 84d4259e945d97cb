"""The shapes that rooms hand to each other; no logic lives here.

Every record is frozen, keyword-only and made of plain values, so that it can be stored as JSON,
sent over HTTP, printed by the command line and drawn by a screen without a second shape.
What was not measured is a ``NotMeasured`` with its reason, never a NaN.
"""

from __future__ import annotations

from pipeline_core.records.codec import (
    COUNTS,
    dump,
    dump_text,
    load,
)
from pipeline_core.records.intake import (
    BatchReport,
    Column,
    ColumnArrival,
    ColumnBaseline,
    Finding,
    Grid,
    LabelReport,
    Schema,
    ScoringReport,
)
from pipeline_core.records.release import (
    Comparison,
    Curves,
    Dataset,
    Lineage,
    ModelVersion,
    Promotion,
    Run,
    Verdict,
)
from pipeline_core.records.watch import (
    Alert,
    Distribution,
    FeatureDrift,
    NullChange,
    Performance,
    PredictionDrift,
    WatchReport,
    WindowReport,
)
from pipeline_core.records.words import (
    AlertLevel,
    BatchStatus,
    ColumnType,
    Decision,
    DriftState,
    Figure,
    JobStatus,
    Measured,
    NotMeasured,
    Role,
    Severity,
    Stage,
    Task,
    TimeUnit,
)
from pipeline_core.records.work import (
    Job,
    ModelStatus,
)

__all__ = [
    "COUNTS",
    "Alert",
    "AlertLevel",
    "BatchReport",
    "BatchStatus",
    "Column",
    "ColumnArrival",
    "ColumnBaseline",
    "ColumnType",
    "Comparison",
    "Curves",
    "Dataset",
    "Decision",
    "Distribution",
    "DriftState",
    "FeatureDrift",
    "Figure",
    "Finding",
    "Grid",
    "Job",
    "JobStatus",
    "LabelReport",
    "Lineage",
    "Measured",
    "ModelStatus",
    "ModelVersion",
    "NotMeasured",
    "NullChange",
    "Performance",
    "PredictionDrift",
    "Promotion",
    "Role",
    "Run",
    "Schema",
    "ScoringReport",
    "Severity",
    "Stage",
    "Task",
    "TimeUnit",
    "Verdict",
    "WatchReport",
    "WindowReport",
    "dump",
    "dump_text",
    "load",
]
