"""Figures of the release pages that no other page needs: shares of several versions, and who was champion when.

Record in, plotly figure out; no Streamlit. Colours come from ``charts``; names are escaped here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import plotly.graph_objects as go

from pages.ui import charts, wording
from pipeline_core.records import Measured, ModelVersion, Promotion, ShadowReport, Stage, Verdict

SHADES = ("#868E96", "#ADB5BD", "#5C636A", "#C9CED3")
ROW_PX = 26
# a share beside errors in the target's unit would be a dot at zero; of a share of positives neither side is better
_APART = {"r2", "cost"} | wording.NEITHER_IS_BETTER


def version_colours(versions: Sequence[ModelVersion]) -> tuple[str, ...]:
    """Give champion blue, the newest challenger orange, and greys to the others, in the order given."""
    newest = max((v.version for v in versions if v.stage is Stage.CHALLENGER), default=None)
    greys = iter(SHADES * (len(versions) // len(SHADES) + 1))
    colours = []
    for version in versions:
        if version.stage is Stage.CHAMPION:
            colours.append(charts.CHAMPION)
        elif version.version == newest:
            colours.append(charts.CHALLENGER)
        else:
            colours.append(next(greys))
    return tuple(colours)


def shares_side_by_side(versions: Sequence[ModelVersion], *, title: str, most: int = 12) -> go.Figure:
    """SHAP share per feature, one bar a version; the features that matter most to any of them on top."""
    names = sorted(
        {name for v in versions for name in v.shap_shares},
        key=lambda name: max(v.shap_shares.get(name, 0.0) for v in versions),
        reverse=True,
    )[:most]
    figure = go.Figure()
    labels = wording.labels(names, length=28)
    for version, colour in zip(versions, version_colours(versions), strict=True):
        figure.add_bar(
            y=labels,
            x=[version.shap_shares.get(name, 0.0) for name in names],
            orientation="h",
            name=f"v{version.version} {version.stage}",
            marker_color=colour,
            hovertemplate="%{y}: %{x:.1%}<extra>v" + str(version.version) + "</extra>",
        )
    figure.update_layout(
        title=title,
        barmode="group",
        height=max(220, 110 + ROW_PX * len(names) * max(1, len(versions) // 2)),
        margin={"l": 8, "r": 16, "t": 64, "b": 44},
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0},
    )
    figure.update_xaxes(title="SHAP share", tickformat=".0%", rangemode="tozero")
    figure.update_yaxes(type="category", autorange="reversed", automargin=True)
    return figure


def reigns(
    versions: Sequence[ModelVersion], promotions: Sequence[Promotion], *, now: datetime, title: str
) -> go.Figure:
    """One row a version: a dot where it was made, a blue line for as long as it was champion."""
    rows = sorted(versions, key=lambda v: v.version)
    labels = {v.version: f"v{v.version}, {v.stage}" for v in rows}
    figure = go.Figure()
    for start, end, number, move in _spells(promotions, now):
        figure.add_scatter(
            x=[start, end], y=[labels.get(number, f"v{number}")] * 2, mode="lines", name="champion",
            line={"color": charts.CHAMPION, "width": 9}, showlegend=False,
            hovertemplate=f"champion since {wording.clock(start)}<br>{move.action} by {wording.plain(move.by)}<extra></extra>",
        )  # fmt: skip
        said = "again champion" if move.action == "rollback" else "champion"
        figure.add_annotation(
            x=start, y=labels.get(number, f"v{number}"), text=f"{said} from {wording.day(start)}, by {wording.plain(move.by, length=20)}",
            xanchor="left", yshift=15, showarrow=False, font={"size": 11},
        )  # fmt: skip
    figure.add_scatter(
        x=[v.created_at for v in rows], y=[labels[v.version] for v in rows], mode="markers", showlegend=False,
        marker={"size": 11, "symbol": "circle-open", "line": {"width": 2}, "color": [stage_colour(v) for v in rows]},
        text=[f"v{v.version} made {wording.clock(v.created_at)}" for v in rows],
        hovertemplate="%{text}<extra></extra>",
    )  # fmt: skip
    charts.finish(figure, title=title, height=132 + 44 * len(rows), subtitle="○ made, as what it is now   ▬ champion")
    figure.update_xaxes(title="Time (UTC)")
    order = [labels[v.version] for v in rows]
    figure.update_yaxes(
        type="category", categoryorder="array", categoryarray=order, range=[-0.6, len(order) - 0.2], showgrid=False
    )
    return figure


def _spells(promotions: Sequence[Promotion], now: datetime) -> list[tuple[datetime, datetime, int, Promotion]]:
    ordered = sorted(promotions, key=lambda p: p.epoch)
    ends = [p.at for p in ordered[1:]] + [now]
    moves = zip(ordered, ends, strict=True)
    return [(move.at, end, move.version, move) for move, end in moves if move.action != "retire"]


def stage_colour(version: ModelVersion) -> str:
    """Give champion blue, challenger orange, retired grey."""
    colours: Mapping[Stage, str] = {Stage.CHAMPION: charts.CHAMPION, Stage.CHALLENGER: charts.CHALLENGER}
    return colours.get(version.stage, charts.BASELINE)


def verdict_dots(verdict: Verdict, *, title: str) -> go.Figure:
    """Difference per metric with its interval; on the deciding one the margin, keep to its left and promote to its right."""
    # without a champion only the deciding metric has something to be compared with
    known = {n: p for n, p in verdict.metrics.items() if verdict.champion or isinstance(p.difference, Measured)}
    shown = {name: pair for name, pair in known.items() if name not in _APART}
    ordered = dict(sorted(shown.items(), key=lambda item: not item[1].decides))
    figure = charts.difference_dots(ordered, title=title)
    if verdict.champion is None:
        figure.update_xaxes(title="← trivial predictor better     by how much     challenger better →")
    deciding = next((pair for pair in ordered.values() if pair.decides), None)
    if deciding is not None and deciding.margin is not None:
        figure.add_annotation(
            x=-deciding.margin, y=len(ordered) - 1, yshift=22, text="← keep | promote →", showarrow=False,
            font={"size": 11},
        )  # fmt: skip
    return figure


def score_bins(report: ShadowReport, *, title: str, axis: str) -> go.Figure:
    """Share of live rows per bin of scores, champion blue and challenger orange, as outlines over the same bins."""
    sides = (
        (charts.CHAMPION, f"v{report.champion} champion", report.champion_bins),
        (charts.CHALLENGER, f"v{report.version} in shadow", report.shadow_bins),
    )
    traces = [
        {
            "type": "scatter", "mode": "lines", "line": {"color": colour, "width": 2, "shape": "hv"}, "fill": "tozeroy",
            "fillcolor": charts.faded(colour, 0.12), "x": list(report.edges), "y": [n / report.rows for n in (*bins, bins[-1])],
            "customdata": [*bins, bins[-1]],
            "hovertemplate": "from %{x:.3~g}: %{y:.1%}, %{customdata:,} rows<extra>" + name + "</extra>",
        }
        for colour, name, bins in sides
    ]  # fmt: skip
    layout = {
        "xaxis": {"title": {"text": axis}},
        "yaxis": {"title": {"text": "Share of rows"}, "tickformat": ".0%", "rangemode": "tozero"},
    }
    key = charts.key([(colour, name) for colour, name, _ in sides])
    return charts.drawn(traces, layout, title=title, height=300, subtitle=key)
