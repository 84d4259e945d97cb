"""Which signals are worth a person's time, and in which words: ``raising`` decides, ``telling`` has the words.

Neighbours: ``drift`` and ``performance`` measured, the store keeps alerts and who acknowledged them.
"""

from __future__ import annotations

from pipeline_core.stages.alerts.raising import (
    BATCH_QUARANTINED,
    BATCH_SUSPECT,
    CODES,
    DATA_DRIFT,
    DATA_QUALITY,
    HARD_EVIDENCE,
    PERFORMANCE,
    PREDICTION_DRIFT,
    alerts_of,
    batch_alerts,
    hard_evidence,
    window_level,
)

__all__ = [
    "BATCH_QUARANTINED",
    "BATCH_SUSPECT",
    "CODES",
    "DATA_DRIFT",
    "DATA_QUALITY",
    "HARD_EVIDENCE",
    "PERFORMANCE",
    "PREDICTION_DRIFT",
    "alerts_of",
    "batch_alerts",
    "hard_evidence",
    "window_level",
]
