"""Whether a part of the rows, or one of many classes, loses although the whole does not."""

from __future__ import annotations

import streamlit as st

from pages.ui import panels, slice_charts, wording
from pipeline_core.records import Comparison, Figure, Measured, Schema, SliceComparison, Task, Verdict

UNITS = {Task.BINARY: "AUC", Task.MULTICLASS: "accuracy", Task.REGRESSION: "RMSE"}


def slices(verdict: Verdict, schema: Schema) -> None:
    """Draw the worst slices as dots with intervals, those that block first and in the colour of an alarm."""
    if not verdict.slices:
        return
    metric = UNITS[schema.task]
    panels.chart(
        slice_charts.slice_dots(verdict.slices, title=title(verdict), metric=metric),
        key="verdict_slices",
        alt=f"Difference in {metric} between challenger and champion in the worst slices of the rows, with 95 % intervals",
        table=table(verdict.slices, metric),
    )


def title(verdict: Verdict) -> str:
    """Say as a finding whether a part of the rows loses."""
    blocking = [found for found in verdict.slices if found.blocks]
    judged = wording.count(verdict.slices_judged, "part")
    if not blocking:
        return f"No part of the rows is shown to lose too much ({judged} judged, the worst first)"
    return f"{wording.count(len(blocking), 'part')} of {verdict.slices_judged:,} lose too much: no promotion"


def table(slices: tuple[SliceComparison, ...], metric: str) -> list[dict[str, object]]:
    """Give the slices as a table, in their order."""
    return [
        {
            "Part of the rows": " and ".join(f"{c} = {v}" for c, v in zip(found.columns, found.levels, strict=True)),
            "Rows": found.rows,
            "Positives": found.positives,
            f"Better by ({metric})": signed(found.difference),
            "Allowed loss": wording.number(found.margin),
            "p of no such loss": wording.p_value(found.loss_p_value),
            "Blocks": "yes" if found.blocks else "no",
        }
        for found in slices
    ]


def signed(figure: Figure) -> str:
    """Give a difference with its interval, signs shown."""
    if not isinstance(figure, Measured):
        return f"{wording.DASH} ({figure.reason})"
    if figure.low is None or figure.high is None:
        return wording.signed(figure.value)
    return f"{wording.signed(figure.value)} ({wording.signed(figure.low)} to {wording.signed(figure.high)})"


def classes(verdict: Verdict) -> None:
    """Show recall and F1 of each class, the mean first."""
    if not verdict.classes:
        return
    st.markdown("**Each class on its own**")
    panels.table(
        [
            {"Class": found.label or "mean of all classes", "Rows": found.rows}
            | _sides("Recall", found.recall)
            | _sides("F1", found.f1)
            for found in verdict.classes
        ],
        key="verdict_classes",
        alt="Recall and F1 of champion and challenger in each class, with 95 % intervals",
    )


def _sides(name: str, pair: Comparison) -> dict[str, object]:
    return {
        f"{name}, champion": wording.interval(pair.champion),
        f"{name}, challenger": wording.interval(pair.challenger),
        f"{name}, better by": signed(pair.difference),
    }
