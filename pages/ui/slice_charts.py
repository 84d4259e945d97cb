"""The parts of the rows of a challenge as dots: how much better or worse the challenger is in each.

Record in, plotly figure out; no Streamlit. Colours come from ``charts``; names are escaped here.
"""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from pages.ui import charts, wording
from pages.ui.wording import State
from pipeline_core.records import SliceComparison

DRAWN_MAX = 8
ROW_PX = 30


def slice_dots(slices: Sequence[SliceComparison], *, title: str, metric: str) -> go.Figure:
    """Draw the first slices as dots with intervals: in the colour of an alarm what blocks, a tick at the allowed loss."""
    drawn = list(slices[:DRAWN_MAX])
    names = _names(drawn)
    figure = go.Figure()
    for blocks in (False, True):
        rows = [(name, found) for name, found in zip(names, drawn, strict=True) if found.blocks is blocks]
        if rows:
            figure.add_trace(_dots(rows, charts.STATE_COLOURS[State.PAGE if blocks else State.UNKNOWN], blocks=blocks))
    tick = {"symbol": "line-ns-open", "size": 16, "color": charts.BASELINE, "line": {"width": 2}}
    figure.add_trace(
        go.Scatter(
            x=[-found.margin for found in drawn], y=names, mode="markers", marker=tick,
            hovertemplate="a loss beyond this, if proven, blocks<extra></extra>",
        )
    )  # fmt: skip
    figure.add_vline(x=0, line={"color": charts.GUIDE, "width": 1.5})
    more = len(slices) - len(drawn)
    charts.finish(
        figure,
        title=title,
        height=110 + ROW_PX * len(drawn),
        subtitle="◆ blocks   ● does not   | allowed loss" + (f"   ({more} more in the table)" if more > 0 else ""),
    )
    figure.update_xaxes(title=f"← champion better     {metric}, by how much     challenger better →")
    figure.update_yaxes(categoryorder="array", categoryarray=names[::-1], range=[-0.6, len(names) - 0.4])
    return figure


def _names(drawn: Sequence[SliceComparison]) -> list[str]:
    whole = [
        " and ".join(
            f"{wording.plain(column, length=20)} = {wording.plain(level, length=20)}"
            for column, level in zip(found.columns, found.levels, strict=True)
        )
        + f" ({found.rows:,})"
        for found in drawn
    ]
    # two long names may be cut to one text, and one text is one place on the axis
    return [name + "\u200b" * whole[:place].count(name) for place, name in enumerate(whole)]


def _dots(rows: Sequence[tuple[str, SliceComparison]], colour: str, *, blocks: bool) -> go.Scatter:
    measured = [found.difference for _, found in rows]
    return go.Scatter(
        x=[m.value for m in measured],
        y=[name for name, _ in rows],
        mode="markers",
        marker={"size": 12 if blocks else 9, "color": colour, "symbol": "diamond" if blocks else "circle"},
        error_x={
            "type": "data", "symmetric": False, "color": colour, "width": 3,
            "array": [(m.value if m.high is None else m.high) - m.value for m in measured],
            "arrayminus": [m.value - (m.value if m.low is None else m.low) for m in measured],
        },
        text=[
            f"{wording.signed(found.difference.value)} on {wording.count(found.rows, 'row')}"
            f"{'' if found.positives is None else f', {found.positives:,} positive'}{': blocks' if blocks else ''}"
            for _, found in rows
        ],
        hovertemplate="%{y}: %{text}<extra></extra>",
    )  # fmt: skip
