"""What a verdict rests on: the difference of each metric with its interval, and the curves of both sides."""

from __future__ import annotations

import streamlit as st

from pages.ui import charts, panels, release_charts, wording
from pipeline_core.records import Figure, Measured, Verdict

CURVES = "Which one ranks better, and whose probabilities can be believed?"


def table(verdict: Verdict) -> list[dict[str, object]]:
    """Give the figures of both sides and their difference, the deciding metric first."""
    ordered = sorted(verdict.metrics.items(), key=lambda item: not item[1].decides)
    return [
        {
            "Metric": wording.metric_name(name) + (", decides" if pair.decides else "") + wording.direction(name),
            "Champion" if verdict.champion else "Trivial predictor": _text(pair.champion),
            "Challenger": _text(pair.challenger),
            "Better by": wording.DASH if name in wording.NEITHER_IS_BETTER else _text(pair.difference, signed=True),
            "Margin": None if pair.margin is None else wording.number(pair.margin),
        }
        for name, pair in ordered
    ]


def _text(figure: Figure, *, signed: bool = False) -> str:
    if not isinstance(figure, Measured):
        return f"{wording.DASH} ({figure.reason})"
    if not signed or figure.low is None or figure.high is None:
        return wording.signed(figure.value) if signed else wording.interval(figure)
    return f"{wording.signed(figure.value)} ({wording.signed(figure.low)} to {wording.signed(figure.high)})"


def differences(verdict: Verdict) -> None:
    """Draw the difference per metric as a dot with its interval, the margin as a line."""
    deciding = next((wording.metric_name(n) for n, c in verdict.metrics.items() if c.decides), "no metric")
    panels.chart(
        release_charts.verdict_dots(verdict, title=f"How much better is v{verdict.version}? {deciding} decides"),
        key="verdict_differences",
        alt=f"Difference between challenger and {'champion' if verdict.champion else 'trivial predictor'} per metric with 95 % intervals; {deciding} decides",
        table=table(verdict),
    )
    if verdict.overlap:
        st.caption(wording.safe(verdict.overlap.words, length=600))


def curves(verdict: Verdict) -> None:
    """Draw both sides' curves over each other, champion blue and challenger orange."""
    if not verdict.challenger_curves.roc:
        return
    sides, colours = {f"v{verdict.version} challenger": verdict.challenger_curves}, [charts.CHALLENGER]
    if verdict.champion and verdict.champion_curves.roc:
        sides = {f"v{verdict.champion} champion": verdict.champion_curves} | sides
        colours = [charts.CHAMPION, *colours]
    panels.chart(
        charts.curves(sides, colours=colours, title=CURVES),
        key="verdict_curves",
        alt=f"ROC, precision-recall and calibration of {' and '.join(sides)} on the same {verdict.rows} rows",
    )


def figures(verdict: Verdict) -> None:
    """Fold away the whole verdict: every figure, and where it is kept; open where there is no curve to see instead."""
    with st.expander("Every figure of this verdict", expanded=not verdict.challenger_curves.roc):
        st.dataframe(
            table(verdict),
            hide_index=True,
            key="verdict_table",
            alt=f"Figures of {'champion' if verdict.champion else 'trivial predictor'} and challenger",
            placeholder=wording.DASH,
        )
        against = f"champion v{verdict.champion}" if verdict.champion else "the trivial predictor"
        st.caption(
            f"Verdict `{verdict.verdict_id}` of {wording.clock(verdict.decided_at)} on v{verdict.version} against"
            f" {against}, {wording.count(verdict.rows, 'row')}, both predicted anew for it."
        )
