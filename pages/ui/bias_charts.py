"""The figure of a bias audit: each group against all other rows, both models, the limits as lines.

Record in, plotly figure out; no Streamlit. Colours come from ``charts``; names are escaped here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from pages.ui import charts, wording
from pipeline_core.records import AttributeAudit, BiasFinding, BiasMeasure, BiasState, Figure, Measured

TITLES = {
    BiasMeasure.SELECTION_RATIO: "Selection ratio, 1 is alike",
    BiasMeasure.TPR_GAP: "TPR gap, 0 is alike",
    BiasMeasure.FPR_GAP: "FPR gap, 0 is alike",
}
SYMBOLS = {BiasState.VIOLATION: "x-thin", BiasState.CLEARED: "circle", BiasState.INSUFFICIENT: "circle-open"}
SYMBOLS_KEY = "● cleared   ○ too few rows to say   ✕ violation proven   ┊ limit"
ROW_PX = 40
SHIFT = 0.16
_LIMIT = {"color": charts.STATE_COLOURS[wording.State.PAGE], "dash": "dot", "width": 1.5}


def against_rest(attribute: AttributeAudit, *, title: str, sides: Sequence[tuple[str, str]]) -> go.Figure:
    """Draw what decides; groups from top to bottom as the audit has them, the champion above the challenger."""
    groups = list(dict.fromkeys(f.group for f in attribute.findings))
    names = wording.labels(groups, length=26)
    place = {group: len(groups) - 1 - at for at, group in enumerate(groups)}
    figure = make_subplots(
        rows=1, cols=3, shared_yaxes=True, horizontal_spacing=0.05, subplot_titles=list(TITLES.values())
    )
    for col, measure in enumerate(TITLES, start=1):
        found = [f for f in attribute.findings if f.measure is measure]
        for f in found:
            at, name = place[f.group], names[groups.index(f.group)]
            shift = -SHIFT if f.champion is not None else 0.0
            theirs = _Look(col, charts.CHAMPION, _symbol(f, f.champion_state), f"{name}, champion")
            ours = _Look(col, charts.CHALLENGER, _symbol(f, f.state), f"{name}, challenger{_told(f)}")
            _dot(figure, f.champion, at + SHIFT, theirs)
            _dot(figure, f.figure, at + shift, ours)
        _limits(figure, found, col)  # after the dots: a plot without any takes no line
        ratio = measure is BiasMeasure.SELECTION_RATIO
        figure.update_xaxes(range=[0, 1.04] if ratio else _span(found), row=1, col=col)
    figure.update_yaxes(tickvals=list(place.values()), ticktext=names, range=[-0.6, len(groups) - 0.4], showgrid=False)
    figure.update_yaxes(automargin=True, row=1, col=1)
    height = 130 + ROW_PX * max(len(groups), 2)
    figure = charts.finish(figure, title=title, height=height, subtitle=f"{charts.key(sides)}   {SYMBOLS_KEY}")
    figure.update_annotations(font_size=12)
    figure.update_layout(margin_t=92)
    return figure


def _limits(figure: go.Figure, found: Sequence[BiasFinding], col: int) -> None:
    for f in found[:1]:
        ratio = f.measure is BiasMeasure.SELECTION_RATIO
        figure.add_vline(x=1 if ratio else 0, line={"color": charts.GUIDE, "width": 1}, row=1, col=col)
        if f.decides:
            for x in (f.limit,) if ratio else (-f.limit, f.limit):
                figure.add_vline(x=x, line=_LIMIT, row=1, col=col)


def _span(found: Sequence[BiasFinding]) -> list[float]:
    ends = [f.limit for f in found if f.decides]
    for f in found:
        for side in (f.figure, f.champion):
            if isinstance(side, Measured):
                ends += [abs(end) for end in (side.value, side.low, side.high) if end is not None]
    most = 1.08 * max(ends, default=1.0)
    return [-most, most]


def _told(finding: BiasFinding) -> str:
    """Say the state, and what is missing, for the hover."""
    if not finding.decides:
        return ", does not decide"
    if finding.state is not BiasState.INSUFFICIENT:
        return f", {'violation proven' if finding.state is BiasState.VIOLATION else 'cleared'}"
    needed = "" if finding.rows_needed is None else f", about {wording.count(finding.rows_needed, 'row')} needed"
    return f", too few rows to say{needed}"


@dataclass(frozen=True, slots=True)
class _Look:
    """Where a dot stands, whose it is, what its shape says, and what the hover says."""

    col: int
    colour: str
    symbol: str
    said: str


def _symbol(finding: BiasFinding, state: BiasState | None) -> str:
    return SYMBOLS[state] if finding.decides and state is not None else "circle-open"


def _dot(figure: go.Figure, found: Figure | None, at: float, look: _Look) -> None:
    if not isinstance(found, Measured):
        return
    low = found.value if found.low is None else found.low
    high = found.value if found.high is None else found.high
    figure.add_scatter(
        x=[found.value], y=[at], mode="markers", row=1, col=look.col,
        marker={"size": 10, "color": look.colour, "symbol": look.symbol, "line": {"width": 2, "color": look.colour}},
        error_x={
            "type": "data", "symmetric": False, "array": [high - found.value], "arrayminus": [found.value - low],
            "color": look.colour, "width": 3,
        },
        hovertemplate=f"{look.said}: {found.value:.3f} ({low:.3f} to {high:.3f}), {wording.count(found.rows, 'row')}<extra></extra>",
    )  # fmt: skip
