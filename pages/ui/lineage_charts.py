"""The lineage of a version as a graph: batches, dataset, run, version, verdict, promotion, each with its hash.

Nodes in, plotly figure out; no Streamlit. Colour says what the last verification found; names are escaped here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from pages.ui import charts, wording
from pages.ui.wording import State

BOX_WIDTH, BOX_HEIGHT = 0.84, 0.78
HASH_SHOWN = 12
_ROW_PX = 92
_MARKS = {State.OK: "✓", State.PAGE: "✗", State.UNKNOWN: "", State.WATCH: "!"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One box: its column and row in the graph, what it is, a figure, a hash, what verification found, and what hover says."""

    name: str
    column: int
    row: float
    title: str
    figure: str
    sha256: str = ""
    state: State = State.UNKNOWN
    told: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


def graph(nodes: Sequence[Node], *, title: str, subtitle: str) -> go.Figure:
    """Draw nodes as boxes from left to right, each with an arrow from those that it comes after."""
    placed = {node.name: node for node in nodes}
    columns = max(node.column for node in nodes) + 1
    rows = max(node.row for node in nodes) + 1
    arrows = [_arrow(placed[before], node) for node in nodes for before in node.after if before in placed]
    layout: dict[str, Any] = {
        "shapes": [_box(node) for node in nodes],
        "annotations": [*arrows, *(_label(node) for node in nodes)],
        "xaxis": {"range": [-0.5, columns - 0.5], "visible": False, "fixedrange": True},
        "yaxis": {"range": [rows - 0.5, -0.5], "visible": False, "fixedrange": True},
    }
    return charts.drawn([_hover(nodes)], layout, title=title, subtitle=subtitle, height=int(84 + _ROW_PX * rows))


def _box(node: Node) -> Mapping[str, Any]:
    colour = charts.STATE_COLOURS[node.state]
    return {
        "type": "rect", "x0": node.column - BOX_WIDTH / 2, "x1": node.column + BOX_WIDTH / 2,
        "y0": node.row - BOX_HEIGHT / 2, "y1": node.row + BOX_HEIGHT / 2,
        "line": {"color": colour, "width": 2 if node.state is State.PAGE else 1.5}, "fillcolor": charts.faded(colour, 0.10),
        "layer": "below",
    }  # fmt: skip


def _label(node: Node) -> Mapping[str, Any]:
    mark = _MARKS[node.state]
    short = f"<br><span style='font-family:monospace'>{node.sha256[:HASH_SHOWN]}</span>" if node.sha256 else ""
    text = f"{node.title}{f' {mark}' if mark else ''}<br><b>{wording.plain(node.figure, length=18)}</b>{short}"
    return {
        "x": node.column, "y": node.row, "text": text, "showarrow": False, "font": {"size": 12}, "align": "center",
        "captureevents": False,
    }  # fmt: skip


def _arrow(before: Node, after: Node) -> Mapping[str, Any]:
    upward = before.column == after.column
    x, y = after.column - (0 if upward else BOX_WIDTH / 2), after.row + (BOX_HEIGHT / 2 if upward else 0)
    from_x, from_y = (
        before.column + (0 if upward else BOX_WIDTH / 2),
        before.row - (BOX_HEIGHT / 2 if upward else 0),
    )
    return {
        "x": x, "y": y, "ax": from_x, "ay": from_y, "xref": "x", "yref": "y", "axref": "x", "ayref": "y", "text": "",
        "showarrow": True, "arrowhead": 2, "arrowsize": 1, "arrowwidth": 1.5, "arrowcolor": charts.BASELINE,
    }  # fmt: skip


def _hover(nodes: Sequence[Node]) -> Mapping[str, Any]:
    """Give invisible points all over the boxes that say the full hash."""
    told = [
        "<br>".join([
            f"<b>{node.title}</b>",
            *(wording.plain(line, length=90) for line in node.told),
            *([f"SHA-256 {node.sha256[:32]}<br>{node.sha256[32:]}"] if node.sha256 else []),
        ])
        for node in nodes
    ]
    return {
        "type": "scatter", "x": [node.column for node in nodes], "y": [node.row for node in nodes], "mode": "markers",
        "marker": {"size": 62, "symbol": "square", "color": "rgba(0,0,0,0)"}, "text": told, "hovertemplate": "%{text}<extra></extra>",
    }  # fmt: skip
