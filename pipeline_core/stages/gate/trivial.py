"""Is a first version better than no model: a coin, or the mean.

Neighbours: ``deciding`` decides where there is a champion. Refused: a margin; there is nobody to be no worse than.
"""

from __future__ import annotations

import numpy as np

from pipeline_core.records import Comparison, Decision, Figure, Measured, NotMeasured, Task
from pipeline_core.stages.gate import saying
from pipeline_core.stages.gate.deciding import Finding
from pipeline_core.stats.scores import PRIMARY, SPOKEN
from pipeline_core.stats.truth import Scored

NO_CHAMPION = NotMeasured(reason="there is no champion to compare with")
_CHANCE_AUC = 0.5


def against_trivial(rows: Scored, measured: dict[str, Figure]) -> tuple[dict[str, Comparison], Finding]:
    """Compare the deciding metric with what the trivial predictor has on the same rows.

    Parameters
    ----------
    rows : Scored
        Truth and the challenger's predictions.
    measured : dict of str to Figure
        The challenger's metrics.

    Returns
    -------
    compared : dict of str to Comparison
        One entry a metric; only the deciding one has another side.
    finding : Finding
    """
    deciding = PRIMARY[rows.task]
    figure = measured[deciding]
    compared = {
        name: Comparison(champion=NO_CHAMPION, challenger=value, difference=NO_CHAMPION)
        for name, value in measured.items()
    }
    if not isinstance(figure, Measured):
        reason = f"{SPOKEN[deciding]} cannot be measured: {saying.why(figure)}."
        return compared, Finding(decision=Decision.INSUFFICIENT, reasons=(reason,))
    compared[deciding] = _comparison(rows, figure)
    return compared, _decision(deciding, compared[deciding], figure)


def _comparison(rows: Scored, figure: Measured) -> Comparison:
    if rows.task is Task.REGRESSION:
        # the best constant for these very rows: harder to beat than the mean of the fit part
        trivial = float(np.std(rows.y))
        ends = (trivial - figure.value, figure.high, figure.low)
        value, low, high = ends[0], *(None if end is None else trivial - end for end in ends[1:])
    else:
        trivial = _CHANCE_AUC
        value = figure.value - trivial
        low, high = (None if end is None else end - trivial for end in (figure.low, figure.high))
    return Comparison(
        champion=Measured(value=trivial, rows=rows.rows),
        challenger=figure,
        difference=Measured(value=value, low=low, high=high, rows=rows.rows),
        margin=0.0,
        decides=True,
    )


def _decision(deciding: str, compared: Comparison, figure: Measured) -> Finding:
    regression = deciding == PRIMARY[Task.REGRESSION]
    trivial = "predicting the mean" if regression else "a coin"
    difference = compared.difference
    better = isinstance(difference, Measured) and difference.value > 0
    says = "it may be promoted" if better else "it is no better than no model"
    reason = (
        f"There is no champion yet. On {figure.rows or 0:,} rows the challenger has {SPOKEN[deciding]}"
        f" {figure.value:.4f}{saying.interval(figure)}; {trivial} has {saying.value(compared.champion)}: {says}."
    )
    if not better:
        return Finding(decision=Decision.KEEP, reasons=(reason,))
    if isinstance(difference, Measured) and (difference.low is None or difference.low > 0):
        return Finding(decision=Decision.PROMOTE, reasons=(reason,))
    chance = f"than {trivial}" if regression else "than chance"
    includes = saying.value(compared.champion) if regression else f"{_CHANCE_AUC:g}"
    doubt = f"But the interval includes {includes}: it may be no better {chance}."
    return Finding(decision=Decision.PROMOTE, reasons=(reason, doubt))
