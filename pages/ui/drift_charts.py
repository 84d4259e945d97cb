"""Figures of the watch: which feature moved when, how much it matters, and what the move looks like.

Record in, plotly figure out; no Streamlit. Colours and the common look come from ``charts``; names are escaped here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from pages.ui import charts, wording
from pages.ui.charts import BASELINE, CURRENT, STATE_COLOURS
from pages.ui.wording import State
from pipeline_core.records import AlertLevel, Distribution, DriftState, FeatureDrift, Schema, TimeUnit, WindowReport

ROW_PX = 20
FEATURES_MAX = 20
COLUMNS_MIN = 8
GAPS_MAX = 120
FULL_EFFECT = 0.4
CHART_PX = 244
LABELS_MAX = 8
_KEEP = {"marker": {"opacity": 1}}


def shown_features(windows: Sequence[WindowReport], *, most: int = FEATURES_MAX) -> list[str]:
    """Give the features to draw, largest SHAP share first: the leading ones and those that can have meant most."""
    newest = {drift.feature: drift for window in windows for drift in window.features}
    meant: dict[str, float] = {}
    for drift in (drift for window in windows for drift in window.features if drift.alert is not AlertLevel.NONE):
        meant[drift.feature] = max(meant.get(drift.feature, 0.0), drift.contribution)
    alerted = sorted(meant, key=lambda name: -meant[name])[: most // 2]
    ranked = sorted(newest.values(), key=lambda drift: (-drift.shap_share, drift.feature))
    leading = [drift.feature for drift in ranked if drift.feature not in alerted][: most - len(alerted)]
    chosen = {*alerted, *leading}
    return [drift.feature for drift in ranked if drift.feature in chosen]


def heat_map(
    windows: Sequence[WindowReport],
    *,
    schema: Schema,
    title: str,
    picked: tuple[str, str] | None = None,
    names: Sequence[str] | None = None,
) -> go.Figure:
    """Draw features (by SHAP share) x windows, cell = effect; the bars on top are the weighted drift of the window.

    Parameters
    ----------
    windows : sequence of WindowReport
        In time order.
    schema : Schema
        For the unit of event time.
    title : str
        The finding.
    picked : (feature, window key), optional
        The cell to frame.
    names : sequence of str, optional
        The features to draw, from above; what ``shown_features`` gives where it is not given.

    Returns
    -------
    Figure
        Each cell can be hovered and clicked at (place of the window, row in ``shown_features``); its ``customdata`` is the effect.
        Names stand on the axes once, not in every cell, so that a year of days stays light.
    """
    names = shown_features(windows) if names is None else names
    share = {drift.feature: drift.shap_share for window in windows for drift in window.features}
    figure = make_subplots(
        rows=2, cols=2, column_widths=[0.13, 0.87], row_heights=[64, max(ROW_PX * len(names), 60)], shared_xaxes=True,
        horizontal_spacing=0.006, vertical_spacing=0.02, specs=[[None, {}], [{}, {}]],
    )  # fmt: skip
    _weighted_row(figure, windows)
    _share_bars(figure, [share[name] for name in names])
    _cells(figure, windows, names=names)
    if picked is not None:
        _frame_cell(figure, picked, windows=windows, names=names)
    _heat_axes(figure, windows, names=names, schema=schema)
    charts.finish(figure, title=title, height=134 + 64 + ROW_PX * len(names))
    figure.update_layout(hoverdistance=40, bargap=0.2)
    return figure


def _weighted_row(figure: go.Figure, windows: Sequence[WindowReport]) -> None:
    states = [wording.state_of(_level(window)) for window in windows]
    colours = [BASELINE if state is State.OK else STATE_COLOURS[state] for state in states]
    bars = go.Bar(
        x=np.arange(len(windows)), y=charts.values([w.weighted_drift for w in windows]), marker_color=colours,
        customdata=[wording.word(state) for state in states], unselected=_KEEP,
        hovertemplate="%{x}: weighted drift %{y:.3f}, %{customdata}<extra></extra>",
    )  # fmt: skip
    figure.add_trace(bars, row=1, col=2)
    limits = charts.values([w.weighted_limit if w.calibrated else None for w in windows])
    if np.isfinite(limits).any():
        style = {"color": BASELINE, "width": 1.5, "dash": "dot", "shape": "hvh"}
        line = go.Scatter(x=np.arange(len(windows)), y=limits, mode="lines", line=style, hoverinfo="skip")
        figure.add_trace(line, row=1, col=2)


def _level(window: WindowReport) -> AlertLevel:
    """Give what the features of a window raised; its performance is another chart's matter."""
    raised = {window.weighted_alert, *(drift.alert for drift in window.features)}
    return next((level for level in (AlertLevel.PAGE, AlertLevel.WATCH) if level in raised), AlertLevel.NONE)


def _share_bars(figure: go.Figure, shares: Sequence[float]) -> None:
    text = [wording.percent(share, digits=0) if share >= 0.01 else wording.percent(share) for share in shares]
    bars = go.Bar(
        x=-np.array(shares), y=np.arange(len(shares)), orientation="h", marker_color=BASELINE, text=text, cliponaxis=False,
        textposition="outside", hovertemplate="SHAP share %{text}<extra></extra>", unselected=_KEEP, width=0.55,
    )  # fmt: skip
    figure.add_trace(bars, row=2, col=1)


def _cells(figure: go.Figure, windows: Sequence[WindowReport], *, names: Sequence[str]) -> None:
    """Colour the cells, lay an invisible layer over them to be clicked, and mark alerts and unclear windows."""
    effect = np.full((len(names), len(windows)), np.nan, dtype=np.float32)
    place = {name: row for row, name in enumerate(names)}
    clicks: list[tuple[int, int, FeatureDrift]] = []
    for column, window in enumerate(windows):
        for drift in window.features:
            if drift.feature in place:
                row = place[drift.feature]
                if drift.effect is not None:
                    effect[row, column] = drift.effect
                clicks.append((column, row, drift))
    # one hue from nothing to full: the background shows where nothing moved, on either theme
    stops = ((0.0, 0.03), (0.25, 0.16), (0.5, 0.5), (1.0, 1.0))
    scale = [[at, charts.faded(CURRENT, share)] for at, share in stops]
    bar = {"title": {"text": "Effect", "side": "right"}, "thickness": 8, "len": 0.6, "y": 0.35, "outlinewidth": 0}
    gap = 1 if len(windows) <= GAPS_MAX else 0
    heat = go.Heatmap(
        z=effect, zmin=0, zmax=FULL_EFFECT, colorscale=scale, xgap=gap, ygap=1, hoverinfo="skip", colorbar=bar
    )
    figure.add_trace(heat, row=2, col=2)
    for said in dict.fromkeys(_state_words(drift) for _, _, drift in clicks):
        same = [click for click in clicks if _state_words(click[2]) == said]
        for start in range(0, len(same), charts.POINTS_MAX):
            figure.add_trace(_click_layer(same[start : start + charts.POINTS_MAX], said))
    for trace in _marks(clicks, wide=len(windows) <= GAPS_MAX):
        figure.add_trace(trace, row=2, col=2)


def _state_words(drift: FeatureDrift) -> str:
    """Say in a word or two how a cell stands; cells of one answer share a layer."""
    if drift.alert is not AlertLevel.NONE:
        return wording.word(wording.state_of(drift.alert))
    return "not measured" if drift.effect is None and drift.state is DriftState.UNCLEAR else drift.state.value


def _click_layer(clicks: Sequence[tuple[int, int, FeatureDrift]], said: str) -> go.Scatter:
    data = charts.values([drift.effect for _, _, drift in clicks]).astype(np.float32)
    hidden = {"marker": {"opacity": 0}}
    effect = "" if said == "not measured" else "effect %{customdata:.3f} · "
    return go.Scatter(
        x=np.array([x for x, _, _ in clicks], dtype=np.uint16), y=np.array([y for _, y, _ in clicks], dtype=np.uint16),
        mode="markers", customdata=data, xaxis="x4", yaxis="y3", selected=hidden, unselected=hidden,
        # every point can be hovered and clicked, but only one is drawn: thousands of nodes would cost a second
        marker={"symbol": "square", "size": 18, "opacity": 0, "maxdisplayed": 1},
        hovertemplate=f"<b>%{{y}}</b>, %{{x}}<br>{effect}{said}<extra></extra>",
    )  # fmt: skip


def _marks(clicks: Sequence[tuple[int, int, FeatureDrift]], *, wide: bool) -> list[go.Scatter]:
    """Mark alerts and unclear cells; where columns are narrow the marks are small, or they would hide each other."""
    size, edge = (9, 1.5) if wide else (4, 0)
    looks = (
        ([c for c in clicks if c[2].alert is AlertLevel.PAGE], {"symbol": "circle", "size": size, "color": STATE_COLOURS[State.PAGE], "line": {"width": edge, "color": "white"}}),
        ([c for c in clicks if c[2].alert is AlertLevel.WATCH], {"symbol": "circle-open", "size": size, "color": STATE_COLOURS[State.WATCH], "line": {"width": 2.5 if wide else 1}}),
        ([c for c in clicks if c[2].state is DriftState.UNCLEAR], {"symbol": "line-ne-open", "size": size, "color": BASELINE, "line": {"width": 1}}),
    )  # fmt: skip
    return [
        go.Scatter(
            x=np.array([x for x, _, _ in points][-charts.POINTS_MAX :]),
            y=np.array([y for _, y, _ in points][-charts.POINTS_MAX :]),
            mode="markers", marker=marker, hoverinfo="skip", unselected=_KEEP,
        )
        for points, marker in looks
        if points
    ]  # fmt: skip


def _frame_cell(
    figure: go.Figure, picked: tuple[str, str], *, windows: Sequence[WindowReport], names: Sequence[str]
) -> None:
    keys = [wording.window_key(window.start) for window in windows]
    if picked[0] in names and picked[1] in keys:
        x, y = keys.index(picked[1]), names.index(picked[0])
        frame = {"color": BASELINE, "width": 2.5}
        figure.add_shape(type="rect", x0=x - 0.5, x1=x + 0.5, y0=y - 0.5, y1=y + 0.5, line=frame, row=2, col=2)


def _heat_axes(figure: go.Figure, windows: Sequence[WindowReport], *, names: Sequence[str], schema: Schema) -> None:
    step = max(1, math.ceil(len(windows) / 9))
    ticks = list(range(0, len(windows), step))
    timeless = schema.time_unit is TimeUnit.NONE
    labels = [f"{i + 1}" if timeless else wording.moment(windows[i].start, schema) for i in ticks]
    title = "Window, in the order of arrival" if timeless else "Window starts"
    # the names stand beside the bars; the cells have them for hovering
    rows = {"range": [len(names) - 0.5, -0.5], "tickvals": list(range(len(names))), "showgrid": False}
    # a single window is not drawn as wide as the page
    columns = {"range": [-0.5, max(len(windows), COLUMNS_MIN) - 0.5]}
    known = any(window.weighted_drift is not None for window in windows)
    weighted = {"title": "Weighted<br>drift", "nticks": 3} if known else {"showticklabels": False, "ticks": ""}
    figure.update_yaxes(weighted, showgrid=False, rangemode="tozero", side="right", row=1, col=2)
    figure.update_xaxes(columns, tickvals=ticks, ticktext=labels, tickangle=0, title=title, row=2, col=2)
    figure.update_yaxes(rows, ticktext=wording.labels(names, length=48), showticklabels=False, ticks="", row=2, col=2)
    figure.update_yaxes(rows, ticktext=wording.labels(names, length=30), row=2, col=1)
    spans = [wording.span(window.start, window.end, schema) for window in windows]
    hover = {"tickvals": list(range(len(windows))), "ticktext": spans, "showticklabels": False, "ticks": ""}
    figure.update_xaxes(columns, **hover, row=1, col=2)
    figure.update_layout(xaxis4={**columns, **hover, "overlaying": "x3", "anchor": "y3", "showgrid": False})
    widest = max([drift.shap_share for window in windows for drift in window.features], default=1.0)
    # room for the percent beside the widest bar
    figure.update_xaxes(showticklabels=False, ticks="", range=[-1.8 * widest, 0], row=2, col=1)
    figure.add_annotation(
        text="SHAP share", x=1, xref="x2 domain", xanchor="right", y=1, yref="y2 domain", yanchor="bottom", showarrow=False,
        font={"size": 12},
    )  # fmt: skip


def quadrant(window: WindowReport, *, title: str, floor: float, important: float) -> go.Figure:
    """Draw the effect (x) against the SHAP share (y) of one window's features, with four named corners."""
    points = [drift for drift in window.features if drift.effect is not None]
    x = charts.values([drift.effect for drift in points])
    y = charts.values([drift.shap_share for drift in points])
    ranked = sorted(points, key=lambda d: (d.alert is not AlertLevel.PAGE, -d.contribution))
    loud = _apart([
        (d.feature, d.effect or 0.0, d.shap_share)
        for i, d in enumerate(ranked[:LABELS_MAX])
        if d.contribution > 0 and (i < 3 or d.drifted)
    ])
    colours = [STATE_COLOURS[wording.state_of(d.alert)] if d.alert is not AlertLevel.NONE else BASELINE for d in points]
    symbols = [{"page": "circle", "watch": "circle-open", "none": "circle"}[drift.alert.value] for drift in points]
    words = [
        [
            d.feature,
            f"{wording.plain(d.feature)}: effect {wording.number(d.effect)}, share {wording.percent(d.shap_share)}",
        ]
        for d in points
    ]
    names = wording.labels((d.feature for d in points), length=22)
    dots = {
        "type": "scatter", "x": x, "y": y, "mode": "markers+text", "customdata": words, "unselected": _KEEP, "cliponaxis": False,
        "text": [label if d.feature in loud else "" for d, label in zip(points, names, strict=True)],
        "textposition": ["middle left" if value > 0.6 * max([*x.tolist(), floor]) else "middle right" for value in x],
        "marker": {"size": 10, "color": colours, "symbol": symbols, "line": {"width": 2, "color": colours}},
        "hovertemplate": "%{customdata[1]}<extra></extra>",
    }  # fmt: skip
    corners = (
        ("act ↓", 1, 1, "right"),
        ("watch", 1, 0, "right"),
        ("leans on it, unmoved ↓", 0, 1, "left"),
        ("ignore", 0, 0, "left"),
    )
    notes = [
        {
            "text": word, "x": at_x, "y": at_y, "xref": "paper", "yref": "paper", "xanchor": anchor, "yanchor": "bottom",
            "showarrow": False, "opacity": 0.6, "font": {"size": 13, "weight": 600},
        }
        for word, at_x, at_y, anchor in corners
    ]  # fmt: skip
    wide, top = max([*x.tolist(), floor * 2]), max([*y.tolist(), important, 0.01])
    layout = {
        "xaxis": {"title": {"text": "Effect (distance from the baseline)"}, "range": [-0.04 * wide, wide * 1.15]},
        "yaxis": {"title": {"text": "SHAP share"}, "tickformat": ".0%", "range": [-0.24 * top, top * 1.12], "showgrid": False},
        "shapes": [charts.across(x=floor), charts.across(y=important)],
        "annotations": notes,
        "margin": {"l": 8, "r": 12, "t": 68, "b": 8},
    }  # fmt: skip
    return charts.drawn([dots], layout, title=title, height=CHART_PX)


def _apart(points: Sequence[tuple[str, float, float]]) -> set[str]:
    """Give the names that can be written beside their points without lying on each other; the first ones win."""
    wide, tall = max([x for _, x, _ in points], default=1.0), max([y for _, _, y in points], default=1.0)
    placed: list[tuple[str, float, float]] = []
    for name, x, y in points:
        if all(abs(x - a) > 0.4 * wide or abs(y - b) > 0.15 * tall for _, a, b in placed):
            placed.append((name, x, y))
    return {name for name, _, _ in placed}


def _sides(pair: Distribution) -> str:
    baseline, current = wording.count(pair.baseline_rows, "row"), wording.count(pair.current_rows, "row")
    return charts.key([(BASELINE, f"baseline, {baseline}"), (CURRENT, f"window, {current}")])


def distribution(pair: Distribution, *, title: str) -> go.Figure:
    """Draw baseline against current over the same bins; nulls stand apart as their own bars."""
    shares = {"tickformat": ".0%", "rangemode": "tozero", "nticks": 5}
    layout: dict[str, Any] = {
        "xaxis": {"title": {"text": wording.plain(pair.feature)}},
        "yaxis": shares | {"title": {"text": "Share of rows"}},
        "bargap": 0.25,
    }
    if pair.edges:
        edges = _without_long_tails(np.array(pair.edges, dtype=np.float64))
        middle, width = (edges[:-1] + edges[1:]) / 2, np.diff(edges)
        hover = "%{x:,.4~g}: %{y:.1%}<extra>"
        bars = {
            "type": "bar", "x": middle, "y": np.array(pair.baseline), "width": width,
            "marker": {"color": charts.faded(BASELINE, 0.55), "line": {"width": 0}}, "hovertemplate": f"{hover}baseline</extra>",
        }  # fmt: skip
        steps = {
            "type": "scatter", "x": edges, "y": np.append(pair.current, pair.current[-1:]), "mode": "lines",
            "line": {"color": CURRENT, "width": 2, "shape": "hv"}, "hovertemplate": f"{hover}current</extra>",
        }  # fmt: skip
        traces = [bars, steps]
    else:
        traces = _two_bars(wording.labels(pair.levels, length=20), pair.baseline, pair.current)
        layout["xaxis"]["type"] = "category"
    if pair.baseline_null_share > 0 or pair.current_null_share > 0:
        missing = _two_bars(["null"], (pair.baseline_null_share,), (pair.current_null_share,))
        traces += [{**trace, "xaxis": "x2", "yaxis": "y2"} for trace in missing]
        layout["xaxis"]["domain"] = [0.0, 0.85]
        layout |= {
            "xaxis2": {"domain": [0.88, 1.0], "anchor": "y2"},
            "yaxis2": shares | {"anchor": "x2", "matches": "y", "showticklabels": False},
        }
    return charts.drawn(traces, layout, title=title, height=CHART_PX, subtitle=_sides(pair))


def _without_long_tails(edges: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Draw the first and last bin, which hold the tails, no wider than twice the usual bin."""
    if len(edges) < 4:
        return edges
    usual = 2 * float(np.median(np.diff(edges)))
    drawn = edges.copy()
    drawn[0], drawn[-1] = max(edges[0], edges[1] - usual), min(edges[-1], edges[-2] + usual)
    return drawn


def _two_bars(names: Sequence[str], baseline: Sequence[float], current: Sequence[float]) -> list[dict[str, Any]]:
    return [
        {
            "type": "bar", "x": list(names), "y": np.array(shares), "marker": {"color": colour}, "offsetgroup": side,
            "hovertemplate": f"%{{x}}: %{{y:.1%}}<extra>{side}</extra>",
        }
        for side, shares, colour in (("baseline", baseline, BASELINE), ("current", current, CURRENT))
    ]  # fmt: skip


def cdf(pair: Distribution, *, title: str, state: State = State.UNKNOWN) -> go.Figure:
    """Draw both cumulative shares with the KS gap where it is largest, in the colour of the feature's state."""
    rows = np.array(pair.cdf, dtype=np.float64).reshape(-1, 3)
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter", "x": rows[:, 0], "y": rows[:, column], "mode": "lines",
            "line": {"color": colour, "width": 2, "shape": "hv"},
            "hovertemplate": f"%{{y:.1%}} of {name} at or below %{{x:,.4~g}}<extra></extra>",
        }
        for column, colour, name in ((1, BASELINE, "baseline"), (2, CURRENT, "current"))
    ]  # fmt: skip
    if pair.gap_at is not None and len(rows):
        at = rows[int(np.argmin(np.abs(rows[:, 0] - pair.gap_at)))]
        gap = {"color": STATE_COLOURS[state], "width": 4}
        ends = {"x": [at[0], at[0]], "y": [at[1], at[2]]}
        traces.append({"type": "scatter", **ends, "mode": "lines", "line": gap, "hoverinfo": "skip"})
    layout = {
        "xaxis": {"title": {"text": wording.plain(pair.feature)}},
        "yaxis": {"title": {"text": "Share at or below"}, "tickformat": ".0%", "range": [0, 1.02]},
    }
    return charts.drawn(traces, layout, title=title, height=CHART_PX, subtitle=_sides(pair))
