"""What the champion says, held against what it said on its hold-out.

Neighbours: ``judging`` does the same of features. Refused: saying that scores which moved are wrong.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipeline_core.policy import Policy
from pipeline_core.records import PredictionDrift
from pipeline_core.stages.drift.comparing import CHI2, KS, SYMBOLS
from pipeline_core.stages.drift.saying import few, p_text
from pipeline_core.stats.columns import ColumnCounts, aligned
from pipeline_core.stats.twosample import chi2_test, ks_test_counts

_NO_SCORES = ColumnCounts(keys=np.empty(0), n=np.empty(0, dtype=np.int64))


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
    short = few(now.known, policy)
    drifted = not short and test.p_value <= policy.alpha and test.effect >= policy.drift_effect_min
    moved = f"{SYMBOLS[CHI2 if by_level else KS]} = {test.effect:.2f} ({p_text(test.p_value)})"
    means = "" if base.mean is None or now.mean is None else f"mean {now.mean:.3g}, was {base.mean:.3g}; "
    said = "distribution moved by" if drifted else "no drift shown,"
    return replace(
        blank,
        statistic=test.statistic,
        p_value=test.p_value,
        effect=test.effect,
        drifted=drifted,
        reason=f"predictions: {short}" if short else f"predictions: {means}{said} {moved}",
    )
