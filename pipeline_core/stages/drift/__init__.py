"""What moved away from the baseline in each window, features and scores, and what that means to the model.

Neighbours: counts come from ``engines`` or the store, shares from ``attribution``; ``alerts`` turns the answer into
signals. Refused: raw rows, and the word stable where the window is too small to say so.

A feature has drifted when an effect is both real and large enough to care: its distribution moved, its null share
changed, levels appeared that the baseline does not know, or the door found that its values were rewritten. Real means,
as soon as there are enough healthy windows, that it stands out from them (maximum statistic, decision 0016), and before
that Benjamini-Hochberg over all tests of the window. One column that cannot be compared costs the others nothing.
"""

from __future__ import annotations

from pipeline_core.stages.drift.comparing import CHI2, DISTINCT_MAX, KS, SYMBOLS, Compared, Counted, compared
from pipeline_core.stages.drift.judging import DataDrift, Judged, judge, window_drift
from pipeline_core.stages.drift.scores import prediction_drift
from pipeline_core.stages.drift.weighing import Laid

__all__ = [
    "CHI2",
    "DISTINCT_MAX",
    "KS",
    "SYMBOLS",
    "Compared",
    "Counted",
    "DataDrift",
    "Judged",
    "Laid",
    "compared",
    "judge",
    "prediction_drift",
    "window_drift",
]
