"""The figure of a closer look at rows: which features the model leans on now, and leant on in the baseline.

Record in, plotly figure out; no Streamlit. Neighbour: ``drift_charts`` draws what counts tell.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from pages.ui import charts, wording
from pages.ui.charts import BASELINE, CURRENT, GUIDE

ATTRIBUTIONS_MAX = 10


def attributions(shares: Mapping[str, tuple[float, float]], *, title: str) -> go.Figure:
    """Draw the SHAP share of the features that count most, in the baseline (grey) and in the window (blue)."""
    ranked = sorted(shares, key=lambda name: (-max(shares[name]), name))[:ATTRIBUTIONS_MAX]
    names = wording.labels(ranked, length=26)
    traces = [
        {
            "type": "scatter", "x": np.array([shares[name][side] for name in ranked]), "y": names, "mode": "markers",
            "marker": {"size": 10, "color": colour}, "hovertemplate": f"%{{y}}, {said}: %{{x:.1%}}<extra></extra>",
        }
        for side, (colour, said) in enumerate(((BASELINE, "baseline"), (CURRENT, "window")))
    ]  # fmt: skip
    shapes = [
        {
            "type": "line", "x0": shares[name][0], "x1": shares[name][1], "y0": place, "y1": place,
            "line": {"color": GUIDE, "width": 3}, "layer": "below",
        }
        for place, name in enumerate(ranked)
    ]  # fmt: skip
    rows = {"type": "category", "categoryorder": "array", "categoryarray": names, "range": [len(names) - 0.5, -0.5]}
    layout = {
        "xaxis": {"title": {"text": "SHAP share"}, "tickformat": ".0%", "rangemode": "tozero"}, "yaxis": rows, "shapes": shapes,
    }  # fmt: skip
    sides = charts.key([(BASELINE, "baseline"), (CURRENT, "this window")])
    return charts.drawn(traces, layout, title=title, height=116 + 24 * len(names), subtitle=sides)
