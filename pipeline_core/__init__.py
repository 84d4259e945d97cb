"""Pipeline Monitor: the machine learning pipeline from the door to the runbook.

The front door: what a notebook needs without knowing the rooms. Names are fetched when they are first
asked for, so that ``import pipeline_core`` costs nothing. Nothing inside the package imports it.

>>> from pathlib import Path
>>> from tempfile import TemporaryDirectory
>>> import pipeline_core as pc
>>> with TemporaryDirectory() as home, pc.Store.open(Path(home)) as store:
...     store.models.names()
()
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_ROOMS = {
    "errors": (
        "ArtifactRejected",
        "ComputeFailed",
        "Doubtful",
        "InvalidDefinition",
        "NotEnough",
        "NotFound",
        "PipelineError",
        "Quarantined",
        "Refused",
        "Stale",
        "StoreBroken",
        "StoreBusy",
        "Unreadable",
    ),
    "flows.dismissing": (
        "reject",
        "retire",
    ),
    "flows.intake": (
        "define",
        "labels",
        "predictions_of",
        "preview",
        "receive",
        "score",
    ),
    "flows.lineage": ("lineage",),
    "flows.release": (
        "challenge",
        "promote",
        "rollback",
        "train",
    ),
    "flows.tracing": ("verify",),
    "flows.watch": (
        "check",
        "distribution",
        "status",
    ),
    "policy": (
        "Policy",
        "load_policy",
    ),
    "records": (
        "Act",
        "Alert",
        "AlertLevel",
        "AuditEntry",
        "AuditFault",
        "AuditReport",
        "AttributeAudit",
        "BatchReport",
        "BatchStatus",
        "BiasAudit",
        "BiasFinding",
        "BiasMeasure",
        "BiasState",
        "COUNTS",
        "CardSection",
        "CardTable",
        "Change",
        "Column",
        "ColumnArrival",
        "ColumnBaseline",
        "ColumnType",
        "Comparison",
        "Curves",
        "Dataset",
        "DatasetPart",
        "DatasetVersion",
        "Decision",
        "Dismissal",
        "Distribution",
        "Doubt",
        "DriftState",
        "Example",
        "FeatureDrift",
        "Figure",
        "Finding",
        "Grid",
        "GroupRates",
        "GroupSpread",
        "Job",
        "JobStatus",
        "LabelReport",
        "Lineage",
        "LineageCheck",
        "LinkCheck",
        "LinkState",
        "Measured",
        "ModelCard",
        "ModelStatus",
        "ModelVersion",
        "NotMeasured",
        "NullChange",
        "Overlap",
        "Performance",
        "PredictionDrift",
        "Promotion",
        "Reading",
        "Role",
        "Ruling",
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
    ),
    "stages.registry": ("Override",),
    "store": ("Store",),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = sorted(_ROOM_OF)


def __getattr__(name: str) -> Any:
    """Fetch a public name from its room."""
    if name not in _ROOM_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOM_OF[name]}"), name)


def __dir__() -> list[str]:
    return __all__
