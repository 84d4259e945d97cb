"""The figure of a replay: what the watch would have said over time.

Record in, plotly figure out; no Streamlit. Colours and the common look come from ``charts``; names are escaped here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from pages.ui import charts, wording
from pages.ui.charts import CURRENT, GUIDE, STATE_COLOURS
from pages.ui.wording import State
from pipeline_core.flows.replayed import ReplayReport, ReplayWindow
from pipeline_core.records import AlertLevel, Measured, Schema, TimeUnit

LANE_PX = 150
_LOOKS = {
    AlertLevel.PAGE: {"symbol": "circle", "size": 9, "color": STATE_COLOURS[State.PAGE]},
    AlertLevel.WATCH: {"symbol": "circle-open", "size": 9, "color": STATE_COLOURS[State.WATCH], "line": {"width": 2}},
}


def timeline(
    report: ReplayReport, *, schema: Schema, title: str, metric: str | None, figures: Sequence[Measured | None]
) -> go.Figure:
    """Draw the weighted drift of each window, marked where an alert would have been raised, above the realised metric.

    Parameters
    ----------
    report : ReplayReport
        Windows in time order.
    schema : Schema
        For the unit of event time.
    title : str
        The finding.
    metric : str or None
        The leading metric; None: no window has labels, and there is no second lane.
    figures : sequence of Measured or None
        That metric, window by window.

    Returns
    -------
    Figure
    """
    windows, x = report.windows, _places(report.windows, schema)
    rows = 2 if metric else 1
    figure = make_subplots(rows=rows, cols=1, shared_xaxes=True, vertical_spacing=0.16)
    _drift_lane(figure, windows, x=x, schema=schema)
    if metric:
        _metric_lane(figure, figures, x=x, reference=report.reference, windows=windows, schema=schema)
        _name(figure, f"Realised {wording.metric_name(metric)}, 95 % interval (dotted: validation)", row=2)
    timeless = schema.time_unit is TimeUnit.NONE
    figure.update_xaxes(title="Window, in the order of the file" if timeless else wording.axis(schema), row=rows, col=1)
    sides = charts.key([(STATE_COLOURS[State.PAGE], "page"), (STATE_COLOURS[State.WATCH], "watch"), (CURRENT, "quiet")])
    charts.finish(figure, title=title, height=130 + LANE_PX * rows, subtitle=sides)
    return figure.update_layout(margin_t=92)


def _places(windows: Sequence[ReplayWindow], schema: Schema) -> list[object]:
    if schema.time_unit is TimeUnit.NONE:
        return list(range(1, len(windows) + 1))
    return [wording.position(window.start, schema) for window in windows]


def _name(figure: go.Figure, text: str, *, row: int) -> None:
    figure.add_annotation(
        text=wording.plain(text, length=90), x=0, xref="paper", xanchor="left", y=1.0, yanchor="bottom",
        yref=f"y{'' if row == 1 else row} domain", showarrow=False, font={"size": 12},
    )  # fmt: skip


def _drift_lane(figure: go.Figure, windows: Sequence[ReplayWindow], *, x: Sequence[object], schema: Schema) -> None:
    drift, places = charts.values([w.weighted_drift for w in windows]), charts.places(x)
    figure.add_trace(
        go.Scatter(
            x=places, y=drift, mode="lines+markers", line={"color": CURRENT, "width": 1.5}, marker={"size": 4},
            customdata=[_words(w, schema) for w in windows], hovertemplate="%{customdata}<extra></extra>",
        ),
        row=1, col=1,
    )  # fmt: skip
    limits = charts.values([w.weighted_limit for w in windows])
    if np.isfinite(limits).any():
        guide = {"color": GUIDE, "dash": "dot", "width": 1.5}
        figure.add_trace(go.Scatter(x=places, y=limits, mode="lines", line=guide, hoverinfo="skip"), row=1, col=1)
    for level, look in _LOOKS.items():
        here = [i for i, w in enumerate(windows) if w.alert is level]
        if here:  # where no drift was measured the mark stands on the floor
            marks = go.Scatter(
                x=places[here], y=np.nan_to_num(drift[here]), mode="markers", marker=look, cliponaxis=False,
                customdata=[_words(windows[i], schema) for i in here], hovertemplate="%{customdata}<extra></extra>",
            )  # fmt: skip
            figure.add_trace(marks, row=1, col=1)
    calibrated = " (dotted: 95 % of healthy windows)" if np.isfinite(limits).any() else ""
    _name(figure, f"Weighted drift{calibrated}", row=1)
    figure.update_yaxes(rangemode="tozero", nticks=4, row=1, col=1)


def _metric_lane(
    figure: go.Figure,
    figures: Sequence[Measured | None],
    *,
    x: Sequence[object],
    reference: float | None,
    windows: Sequence[ReplayWindow],
    schema: Schema,
) -> None:
    places = charts.places(x)
    low, high = (charts.values([getattr(f, side, None) for f in figures]) for side in ("low", "high"))
    value = charts.values([f.value if f else None for f in figures])
    whisker = {"type": "data", "symmetric": False, "array": high - value, "arrayminus": value - low, "width": 0}
    words = [
        f"{wording.span(w.start, w.end, schema)}: {wording.interval(f)}" for w, f in zip(windows, figures, strict=True)
    ]
    figure.add_trace(
        go.Scatter(
            x=places, y=value, mode="lines+markers", line={"color": CURRENT, "width": 1.5}, marker={"size": 4},
            error_y={**whisker, "color": charts.faded(CURRENT, 0.35)}, customdata=words, hovertemplate="%{customdata}<extra></extra>",
        ),
        row=2, col=1,
    )  # fmt: skip
    if reference is not None:
        figure.add_hline(y=reference, line={"color": GUIDE, "dash": "dot", "width": 1.5}, row=2, col=1)
    figure.update_yaxes(nticks=4, row=2, col=1)


def _words(window: ReplayWindow, schema: Schema) -> str:
    """Say what a window is, for hovering."""
    state = wording.word(wording.state_of(window.alert))
    top = "" if window.top_feature is None else f"<br>leads: {wording.plain(window.top_feature)}"
    drift = wording.number(window.weighted_drift)
    refused = "<br>the door would have refused it" if window.quarantined else ""
    return f"<b>{wording.span(window.start, window.end, schema)}</b>: {state}<br>weighted drift {drift}{top}{refused}"
