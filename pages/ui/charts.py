"""Record in, plotly figure out; no Streamlit, no store: the charts that several rooms share.

Colours mean state or side, are defined once here, and are readable on both themes (no text colour is ever set: the theme
does that). At most 5,000 points a trace, numpy arrays, direct labels. A figure's title is its finding or its question and
is given by the caller; names of columns and levels are escaped here. Neighbours: ``drift_charts`` draws the watch's own
figures, ``release_charts`` those of versions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from pages.ui import wording
from pages.ui.wording import State
from pipeline_core.records import BatchReport, BatchStatus, Comparison, Curves, Measured, NotMeasured, Schema

BASELINE = "#868E96"
CURRENT = "#0F7BBD"
CHAMPION = CURRENT
CHALLENGER = "#D9730D"
STATE_COLOURS: Mapping[State, str] = {
    State.PAGE: "#D55E00",
    State.WATCH: "#BF8A00",
    State.OK: "#009E73",
    State.UNKNOWN: "#868E96",
}
POINTS_MAX = 5_000
_AXES = {
    "x": {"showgrid": False, "zeroline": False, "automargin": True},
    "y": {"zeroline": False, "automargin": True},
}
GUIDE = "rgba(134,142,150,0.55)"
SOFT = "rgba(134,142,150,0.6)"
_LIMIT = {"color": GUIDE, "dash": "dot", "width": 1.5}


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """A moment on a time axis: a promotion, a quarantined batch, a demo incident (``kind``: promotion, batch, incident)."""

    at: datetime
    label: str
    kind: str = "promotion"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One named series; ``low``/``high`` draw a band, ``dashed`` is an estimate, ``kind`` is ``line`` or ``bar``."""

    name: str
    x: Sequence[object]
    y: Sequence[float | None]
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()
    colour: str = CURRENT
    dashed: bool = False
    kind: str = "line"


_MARKS = {
    "promotion": ("triangle-up", CHAMPION),
    "batch": ("x", STATE_COLOURS[State.PAGE]),
    "incident": ("diamond", BASELINE),
}


_KINDS = {"promotion": "promoted", "batch": "quarantined", "incident": "demo incident"}


def key(sides: Sequence[tuple[str, str]]) -> str:
    """Give (colour, name) pairs as one line of coloured words: the label of sides that share a plot."""
    return "   ".join(f'<span style="color:{colour}">■</span> {wording.plain(name)}' for colour, name in sides)


def drawn(
    traces: Sequence[Mapping[str, Any]], layout: Mapping[str, Any], *, title: str, height: int, subtitle: str = ""
) -> go.Figure:
    """Make a figure out of plain traces and layout, with what every figure has: checked once, it takes a quarter of the time."""
    named = {name: dict(value) for name, value in layout.items() if name.startswith(("xaxis", "yaxis"))}
    axes = {name: _AXES[name[0]] | named.get(name, {}) for name in ("xaxis", "yaxis", *named)}
    common = _common(title=title, height=height, subtitle=subtitle)
    return go.Figure({"data": list(traces), "layout": common | dict(layout) | axes})


def across(*, x: Any = None, y: Any = None, line: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Give a line through the whole plot at ``x`` or at ``y``, as a shape of a layout; without a look, dotted like a limit."""
    ends: dict[str, Any] = {"x0": x, "x1": x, "y0": 0, "y1": 1, "yref": "y domain"}
    if y is not None:
        ends = {"x0": 0, "x1": 1, "y0": y, "y1": y, "xref": "x domain"}
    return {"type": "line", **ends, "line": dict(line or _LIMIT)}


def finish(figure: go.Figure, *, title: str, height: int, subtitle: str = "") -> go.Figure:
    """Set what every figure has: title at the left, no legend, no modebar clutter, thin guides only."""
    figure.update_layout(_common(title=title, height=height, subtitle=subtitle), overwrite=True)
    figure.update_xaxes(_AXES["x"])
    figure.update_yaxes(_AXES["y"])
    return figure


def _common(*, title: str, height: int, subtitle: str) -> dict[str, Any]:
    heading = {
        "text": title, "x": 0, "xanchor": "left", "xref": "container", "y": 1, "yanchor": "top", "yref": "container",
        "pad": {"t": 10}, "font": {"size": 15, "weight": 600},
    }  # fmt: skip
    if subtitle:
        heading["subtitle"] = {"text": subtitle, "font": {"size": 12}}
    margin = {"l": 8, "r": 12, "t": 68 if subtitle else 48, "b": 8}
    return {
        "title": heading, "height": height, "margin": margin, "showlegend": False, "hovermode": "closest", "bargap": 0.15,
    }  # fmt: skip


def values(numbers: Sequence[float | None]) -> npt.NDArray[np.float64]:
    """Give figures as an array; what is missing becomes a gap."""
    return np.array([np.nan if number is None else number for number in numbers], dtype=np.float64)


def places(points: Sequence[object]) -> npt.NDArray[np.generic]:
    """Give places on an axis as an array: times as naive UTC, numbers as they are, names as text."""
    if points and isinstance(points[0], datetime):
        naive = [at.replace(tzinfo=None) for at in points if isinstance(at, datetime)]
        return np.array(naive, dtype="datetime64[ms]")
    return np.array(points)


def lines(
    series: Sequence[Line],
    *,
    title: str,
    y_title: str,
    schema: Schema | None,
    limit: float | None = None,
    markers: Sequence[Marker] = (),
) -> go.Figure:
    """Draw a metric or effect over time with intervals, an optional limit line and thin markers."""
    shapes = [] if limit is None else [across(y=limit)]
    for marker in markers:
        place = places([wording.position(marker.at, schema)])[0]
        shapes.append(across(x=place, line={"color": faded(_MARKS[marker.kind][1], 0.55), "width": 1}))
    layout = {
        "xaxis": {"title": {"text": wording.axis(schema)}},
        "yaxis": {"title": {"text": y_title}},
        "shapes": shapes,
    }
    subtitle = key([(line.colour, line.name) for line in series]) if len(series) > 1 else ""
    traces = [trace for line in series for trace in _traces(line)]
    return drawn(traces, layout, title=title, height=244, subtitle=subtitle)


def _traces(line: Line) -> list[dict[str, Any]]:
    x, y = places(line.x)[-POINTS_MAX:], values(line.y)[-POINTS_MAX:]
    said = {"x": x, "y": y, "name": wording.plain(line.name), "hovertemplate": "%{x}: %{y:,.4~g}<extra></extra>"}
    if line.kind == "bar":
        return [{"type": "bar", **said, "marker": {"color": line.colour}}]
    found: list[dict[str, Any]] = []
    if line.low and line.high:
        band = {"type": "scatter", "x": x, "mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
        low, high = values(line.low)[-POINTS_MAX:], values(line.high)[-POINTS_MAX:]
        found = [{**band, "y": high}, {**band, "y": low, "fill": "tonexty", "fillcolor": faded(line.colour, 0.18)}]
    style = {"color": line.colour, "width": 2, "dash": "dash" if line.dashed else "solid"}
    return [*found, {"type": "scatter", **said, "mode": "lines+markers", "line": style, "marker": {"size": 5}}]


def faded(colour: str, share: float) -> str:
    """Give a colour with that opacity."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{share})"


def strip(
    lanes: Mapping[str, Line],
    *,
    title: str,
    schema: Schema | None,
    markers: Sequence[Marker] = (),
    limits: Mapping[str, float] | None = None,
) -> go.Figure:
    """Stack lanes on one event time axis, named with their units; markers get a lane on top and a line through all."""
    rows = len(lanes) + bool(markers)
    kinds = len({marker.kind for marker in markers})
    heights = [0.2 * kinds] * bool(markers) + [1.0] * len(lanes)
    figure = make_subplots(rows=rows, cols=1, shared_xaxes=True, vertical_spacing=0.05, row_heights=heights)
    for row, (name, line) in enumerate(lanes.items(), start=1 + bool(markers)):
        figure.add_traces(_traces(line), rows=row, cols=1)
        figure.update_yaxes(nticks=4, row=row, col=1)
        axis = "" if row == 1 else row
        figure.add_annotation(
            text=wording.plain(name, length=90), x=0, xref="paper", xanchor="left", y=1.0, yanchor="bottom",
            yref=f"y{axis} domain", showarrow=False, font={"size": 12},
        )  # fmt: skip
        if limits and name in limits:
            figure.add_hline(y=limits[name], line={"color": GUIDE, "dash": "dot", "width": 1.5}, row=row, col=1)
    if markers:
        _marker_lane(figure, markers, schema=schema, rows=rows)
    figure.update_xaxes(title=wording.axis(schema), row=rows, col=1)
    finish(figure, title=title, height=96 + 96 * len(lanes) + 30 * kinds)
    return figure if markers else figure.update_layout(margin_t=64)  # the first lane's name stands where markers would


def _marker_lane(figure: go.Figure, markers: Sequence[Marker], *, schema: Schema | None, rows: int) -> None:
    kinds = list(dict.fromkeys(marker.kind for marker in markers))
    for kind in kinds:
        symbol, colour = _MARKS[kind]
        same = [marker for marker in markers if marker.kind == kind][:POINTS_MAX]
        x = places([wording.position(marker.at, schema) for marker in same])
        names = [wording.plain(marker.label, length=60) for marker in same]
        points = go.Scatter(
            x=x, y=[_KINDS[kind]] * len(same), mode="markers", customdata=names, cliponaxis=False,
            marker={"symbol": symbol, "size": 9, "color": colour}, hovertemplate="%{customdata}<br>%{x}<extra></extra>",
        )  # fmt: skip
        figure.add_trace(points, row=1, col=1)
        for place in x[:60]:
            for row in range(2, rows + 1):
                figure.add_vline(x=place, line={"color": faded(colour, 0.5), "width": 1}, row=row, col=1)
    order = [_KINDS[kind] for kind in reversed(kinds)]
    figure.update_yaxes(
        categoryorder="array",
        categoryarray=order,
        tickvals=order,
        range=[-0.7, len(kinds) - 0.3],
        showgrid=False,
        ticks="",
        row=1,
        col=1,
    )
    figure.update_xaxes(ticks="", row=1, col=1)


def interval_dots(
    rows: Sequence[tuple[str, Measured | NotMeasured]],
    *,
    title: str,
    x_title: str,
    reference: float | None = None,
    colours: Sequence[str] = (),
) -> go.Figure:
    """Draw figures as dots with their intervals, one labelled row each; not measured rows say why."""
    figure = go.Figure()
    names = [wording.plain(name) for name, _ in rows]
    for i, (_, found) in enumerate(rows):
        colour = colours[i] if i < len(colours) else CURRENT
        if isinstance(found, NotMeasured):
            note = wording.plain(f"{wording.DASH} {found.reason}", length=70)
            figure.add_annotation(x=0.01, xref="paper", xanchor="left", y=names[i], text=note, showarrow=False)
            continue
        _add_dot(figure, name=names[i], found=found, colour=colour)
    if reference is not None:
        figure.add_vline(x=reference, line={"color": GUIDE, "dash": "dot", "width": 1.5})
    figure.update_xaxes(title=x_title)
    figure.update_yaxes(categoryorder="array", categoryarray=names[::-1], range=[-0.6, len(names) - 0.4])
    return finish(figure, title=title, height=104 + 34 * max(len(rows), 1))


def _add_dot(figure: go.Figure, *, name: str, found: Measured, colour: str, signed: bool = False) -> None:
    low = found.value - (found.value if found.low is None else found.low)
    high = (found.value if found.high is None else found.high) - found.value
    of = "" if found.rows is None else f" · {wording.count(found.rows, 'row')}"
    text = f"{wording.interval(found)}{of}"
    figure.add_trace(
        go.Scatter(
            x=[found.value], y=[name], mode="markers+text", marker={"size": 11, "color": colour},
            error_x={"type": "data", "symmetric": False, "array": [high], "arrayminus": [low], "color": colour, "width": 4},
            text=[(wording.signed if signed else wording.number)(found.value)], textposition="top center", hovertemplate=f"%{{y}}: {text}<extra></extra>",
        )
    )  # fmt: skip


def difference_dots(metrics: Mapping[str, Comparison], *, title: str) -> go.Figure:
    """Draw challenger minus champion per metric as a dot with its interval and the margin; right of zero is better."""
    figure = go.Figure()
    names = [
        wording.plain(wording.metric_name(name)) + (" (decides)" if pair.decides else f"{wording.direction(name)}")
        for name, pair in metrics.items()
    ]
    for name, pair in zip(names, metrics.values(), strict=True):
        if isinstance(pair.difference, NotMeasured):
            note = wording.plain(f"{wording.DASH} {pair.difference.reason}", length=70)
            figure.add_annotation(x=0, xanchor="left", y=name, text=note, showarrow=False)
            continue
        _add_dot(figure, name=name, found=pair.difference, colour=CHALLENGER, signed=True)
        if pair.margin is not None:
            tick = {"symbol": "line-ns-open", "size": 22, "color": BASELINE, "line": {"width": 2}}
            margin = f"margin: worse by at most {wording.number(pair.margin)} still counts as no worse<extra></extra>"
            figure.add_trace(go.Scatter(x=[-pair.margin], y=[name], mode="markers", marker=tick, hovertemplate=margin))
    figure.add_vline(x=0, line={"color": GUIDE, "width": 1.5})
    figure.update_xaxes(title="← champion better     by how much     challenger better →")
    figure.update_yaxes(categoryorder="array", categoryarray=names[::-1], range=[-0.6, len(names) - 0.4])
    return finish(figure, title=title, height=max(300, 104 + 40 * len(names)))


def curves(
    sides: Mapping[str, Curves],
    *,
    title: str = "",
    titles: tuple[str, str, str] = ("ROC", "Precision and recall", "Calibration"),
    colours: Sequence[str] = (CHAMPION, CHALLENGER, BASELINE),
) -> go.Figure:
    """Draw ROC, precision-recall and calibration side by side; first side champion blue, second challenger orange."""
    figure = make_subplots(rows=1, cols=3, subplot_titles=titles, horizontal_spacing=0.08)
    for colour, (name, side) in zip(colours, sides.items(), strict=False):
        for col, points in enumerate((side.roc, side.precision_recall, side.calibration), start=1):
            xy = np.array(points, dtype=np.float64).reshape(-1, 2)
            mode = "lines+markers" if col == 3 else "lines"
            hover = f"{wording.plain(name)}: %{{x:.2f}}, %{{y:.2f}}<extra></extra>"
            trace = go.Scatter(
                x=xy[:, 0], y=xy[:, 1], mode=mode, line={"color": colour, "width": 2}, hovertemplate=hover
            )
            figure.add_trace(trace, row=1, col=col)
    for col in (1, 3):
        diagonal = go.Scatter(
            x=[0, 1], y=[0, 1], mode="lines", line={"color": GUIDE, "dash": "dot", "width": 1}, hoverinfo="skip"
        )
        figure.add_trace(diagonal, row=1, col=col)
    words = (
        ("False positive rate", "True positive rate"),
        ("Recall", "Precision"),
        ("Predicted probability", "Observed share"),
    )
    for col, (x_title, y_title) in enumerate(words, start=1):
        figure.update_xaxes(title=x_title, range=[0, 1], row=1, col=col)
        figure.update_yaxes(title=y_title, range=[0, 1.02], row=1, col=col)
    sides_key = key(list(zip(colours, sides, strict=False)))
    figure = finish(figure, title=title or sides_key, height=320, subtitle=sides_key if title else "")
    figure.update_annotations(font_size=13)
    figure.update_layout(margin_t=92 if title else 72)
    return figure


def bars(shares: Mapping[str, float], *, title: str, x_title: str, colour: str = CURRENT, most: int = 20) -> go.Figure:
    """Draw shares as horizontal bars, largest on top, percent as direct labels (SHAP share per feature)."""
    top = sorted(shares.items(), key=lambda item: -item[1])[:most]
    names = wording.labels(name for name, _ in top)
    share = np.array([value for _, value in top])
    text = [wording.percent(value) for _, value in top]
    figure = go.Figure(
        go.Bar(
            x=share,
            y=names,
            orientation="h",
            text=text,
            textposition="outside",
            marker_color=colour,
            cliponaxis=False,
            hovertemplate="%{y}: %{text}<extra></extra>",
        )
    )
    figure.update_xaxes(title=x_title, tickformat=".0%", range=[0, max([*share.tolist(), 0.01]) * 1.15])
    figure.update_yaxes(type="category", categoryorder="array", categoryarray=names[::-1])
    return finish(figure, title=title, height=104 + 24 * max(len(names), 1))


def batch_strip(batches: Sequence[BatchReport], *, schema: Schema | None, title: str) -> go.Figure:
    """Draw rows per batch over event time (arrival where there is none), coloured and shaped by outcome."""
    figure = go.Figure()
    kinds = [(BatchStatus.ACCEPTED, State.OK, ""), (BatchStatus.QUARANTINED, State.PAGE, "x")]
    if any(batch.status is BatchStatus.DISCARDED for batch in batches):
        kinds.append((BatchStatus.DISCARDED, State.UNKNOWN, "/"))
    for status, state, pattern in kinds:
        same = [batch for batch in batches if batch.status is status][:POINTS_MAX]
        x = places([wording.position(batch.first_event_at or batch.received_at, schema) for batch in same])
        rows = np.array([batch.rows for batch in same], dtype=np.float64)
        names = [wording.plain(f"{batch.batch_id} · {batch.source}", length=60) for batch in same]
        figure.add_trace(
            go.Bar(
                x=x, y=rows, customdata=names, marker={"color": STATE_COLOURS[state], "pattern": {"shape": pattern}},
                hovertemplate="%{customdata}<br>%{y:,} rows, " + status.value + "<extra></extra>", name=status.value,
            )
        )  # fmt: skip
    figure.update_xaxes(title=wording.axis(schema))
    figure.update_yaxes(title="Rows", nticks=4)
    sides = key([(STATE_COLOURS[state], status.value) for status, state, _ in kinds])
    return finish(figure, title=title, height=230, subtitle=sides)
