"""What the figures hold: aggregated, escaped, and true to the record."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from pages.release import evidence
from pages.ui import charts, drift_charts, release_charts, wording
from pages.ui.charts import Line, Marker
from pages.ui.wording import State
from pipeline_core.records import (
    BatchStatus,
    Comparison,
    Curves,
    Decision,
    Distribution,
    DriftState,
    Measured,
    NotMeasured,
    TimeUnit,
    Verdict,
)
from tests.pages.conftest import HOSTILE, batch, schema, window

WINDOWS = [window(number) for number in range(8)]


def text_of(figure: go.Figure) -> str:
    return json.dumps(json.loads(figure.to_json()), ensure_ascii=False)


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("ground", ["#FDFDFC", "#12181C"], ids=["light", "dark"])
def test_every_mark_can_be_seen_on_both_themes(ground: str) -> None:
    for colour in (charts.BASELINE, charts.CURRENT, charts.CHALLENGER, *charts.STATE_COLOURS.values()):
        assert contrast(colour, ground) >= 3.0, colour


def test_the_heat_map_sorts_features_by_share_and_leaves_unclear_cells_empty() -> None:
    unclear = replace(
        WINDOWS[0].features[0], state=DriftState.UNCLEAR, effect=None, reason="income: 12 rows in the window"
    )
    first = replace(WINDOWS[0], features=(unclear, *WINDOWS[0].features[1:]))
    figure = drift_charts.heat_map([first, *WINDOWS[1:]], schema=schema(), title="t", picked=("debt", "2025-03-10"))
    heat = next(trace for trace in figure.data if trace.type == "heatmap")
    assert heat.z.shape == (4, 8)
    assert np.isnan(heat.z[0, 0])
    assert heat.z[0].tolist()[1:] == pytest.approx([0.04] * 4 + [0.31] * 3)
    assert heat.z[3].tolist() == pytest.approx([0.45] * 8)
    assert list(figure.layout.yaxis2.ticktext)[:3] == ["income", "debt", "purpose"]
    frame = figure.layout.shapes[0]
    assert (frame.x0, frame.y0) == (0.5, 0.5)


def test_each_cell_can_be_clicked_and_says_what_it_is() -> None:
    figure = drift_charts.heat_map(WINDOWS, schema=schema(), title="t")
    layers = {t.hovertemplate: t.customdata for t in figure.data if t.type == "scatter" and t.customdata is not None}
    assert sum(map(len, layers.values())) == 32
    paged = layers["<b>%{y}</b>, %{x}<br>effect %{customdata:.3f} · Page<extra></extra>"]
    assert paged.tolist() == pytest.approx([0.31] * 3)
    assert figure.layout.xaxis4.ticktext[5] == "the week of 7 Apr 2025", "names stand on the axes, once"
    assert list(figure.layout.yaxis3.ticktext)[:2] == ["income", "debt"]
    pages = next(t for t in figure.data if t.type == "scatter" and t.marker.symbol == "circle")
    assert (pages.x.tolist(), pages.y.tolist()) == ([5, 6, 7], [0, 0, 0])


def test_a_hostile_name_is_never_markup_in_a_figure() -> None:
    figures = [
        drift_charts.heat_map(WINDOWS, schema=schema(), title="t"),
        drift_charts.quadrant(WINDOWS[5], title="t", floor=0.1, important=0.4),
        charts.bars({HOSTILE: 0.2}, title="t", x_title="x"),
        charts.interval_dots([(HOSTILE, Measured(value=1.0)), ("b", NotMeasured(reason=HOSTILE))], title="t", x_title="x"),
        drift_charts.distribution(Distribution(feature=HOSTILE, baseline_rows=1, current_rows=1, levels=(HOSTILE,), baseline=(1.0,), current=(1.0,)), title="t"),
    ]  # fmt: skip
    for figure in figures:
        shown = json.loads(figure.to_json())
        for trace in shown["data"]:
            trace.pop("customdata", None)  # raw for the click; what is shown of it is tested above
        assert "<b>**x**" not in json.dumps(shown)


def test_many_features_are_cut_to_those_that_matter_or_alerted() -> None:
    many = [replace(WINDOWS[0].features[1], feature=f"f{i:03d}", shap_share=1 / (i + 1)) for i in range(300)]
    wide = replace(WINDOWS[0], features=(*many, *WINDOWS[0].features))
    shown = drift_charts.shown_features([wide])
    assert len(shown) == drift_charts.FEATURES_MAX
    assert HOSTILE in shown
    figure = drift_charts.heat_map([wide] * 60, schema=schema(), title="t")
    assert max(len(t.x) for t in figure.data if t.type == "scatter") <= charts.POINTS_MAX


def test_the_quadrant_names_what_matters() -> None:
    figure = drift_charts.quadrant(WINDOWS[5], title="t", floor=0.1, important=0.4)
    trace = figure.data[0]
    assert "income" in trace.text
    assert next(iter(trace.marker.color)) == charts.STATE_COLOURS[State.PAGE]
    assert {note.text for note in figure.layout.annotations} == {"act ↓", "watch", "leans on it, unmoved ↓", "ignore"}


PAIR = Distribution(
    feature="income", baseline_rows=100, current_rows=50, edges=(-900.0, 0.0, 1.0, 2.0, 3.0), baseline=(0.1, 0.4, 0.4, 0.0),
    current=(0.0, 0.2, 0.4, 0.4), baseline_null_share=0.1, cdf=((0.0, 0.1, 0.0), (1.0, 0.5, 0.2), (2.0, 1.0, 0.6)), gap_at=2.0,
)  # fmt: skip


def test_a_distribution_has_the_same_bins_and_nulls_apart() -> None:
    figure = drift_charts.distribution(PAIR, title="t")
    bars, steps, *nulls = figure.data
    assert bars.y.tolist() == [0.1, 0.4, 0.4, 0.0]
    assert steps.y.tolist() == [0.0, 0.2, 0.4, 0.4, 0.4]
    assert steps.x.tolist() == [-2.0, 0.0, 1.0, 2.0, 3.0], "a tail is drawn no wider than two usual bins"
    assert [bar.y.tolist() for bar in nulls] == [[0.1], [0.0]]
    assert "baseline, 100 rows" in figure.layout.title.subtitle.text


def test_the_gap_is_drawn_where_it_is_largest() -> None:
    gap = drift_charts.cdf(PAIR, title="t", state=State.PAGE).data[-1]
    assert (list(gap.x), list(gap.y)) == ([2.0, 2.0], [1.0, 0.6])
    assert gap.line.color == charts.STATE_COLOURS[State.PAGE]
    assert len(drift_charts.cdf(Distribution(feature="x", baseline_rows=0, current_rows=0), title="t").data) == 2


def test_categories_are_two_bars_a_level() -> None:
    pair = Distribution(
        feature="c", baseline_rows=2, current_rows=2, levels=("a", "b"), baseline=(0.5, 0.5), current=(1.0, 0.0)
    )
    assert [bar.y.tolist() for bar in drift_charts.distribution(pair, title="t").data] == [[0.5, 0.5], [1.0, 0.0]]


def test_lines_have_gaps_bands_and_markers() -> None:
    at = [datetime(2025, 3, day, tzinfo=UTC) for day in (3, 10, 17)]
    line = Line(name="auc", x=at, y=[0.7, None, 0.8], low=[0.6, None, 0.7], high=[0.8, None, 0.9])
    figure = charts.lines(
        [line], title="t", y_title="AUC", schema=schema(), limit=0.75, markers=[Marker(at=at[1], label="v2")]
    )
    assert [len(trace.x) for trace in figure.data] == [3, 3, 3]
    assert np.isnan(figure.data[-1].y[1])
    assert len(figure.layout.shapes) == 2
    assert figure.layout.xaxis.title.text == "Event time (UTC)"


def test_the_strip_stacks_lanes_under_its_markers() -> None:
    x: list[Any] = [wording.position(w.start, schema()) for w in WINDOWS]
    lanes = {"Rows": Line(name="rows", x=x, y=[200.0] * 8, kind="bar"), "Drift": Line(name="d", x=x, y=[0.1] * 8)}
    marks = [Marker(at=WINDOWS[2].start, label="v2"), Marker(at=WINDOWS[4].start, label=HOSTILE, kind="batch")]
    figure = charts.strip(lanes, title="t", schema=schema(), markers=marks, limits={"Drift": 0.2})
    assert [trace.type for trace in figure.data] == ["bar", "scatter", "scatter", "scatter"]
    assert len(figure.layout.shapes) == 5
    assert "<b>**x**" not in text_of(figure)
    assert len(charts.strip(lanes, title="t", schema=None).data) == 2


def test_differences_show_interval_margin_and_reason() -> None:
    same = Measured(value=0.7)
    metrics = {
        "auc": Comparison(champion=same, challenger=same, difference=Measured(value=0.02, low=0.01, high=0.03), margin=0.01, decides=True),
        "f1": Comparison(champion=same, challenger=same, difference=NotMeasured(reason="one class")),
    }  # fmt: skip
    figure = charts.difference_dots(metrics, title="t")
    dot, margin = figure.data
    assert [dot.x[0], dot.error_x.array[0], margin.x[0]] == pytest.approx([0.02, 0.01, -0.01])
    assert list(figure.layout.yaxis.categoryarray) == ["F1", "AUC (decides)"]
    assert "one class" in text_of(figure)


def test_curves_put_the_champion_in_blue_and_the_challenger_in_orange() -> None:
    side = Curves(roc=((0, 0), (1, 1)), precision_recall=((0, 1), (1, 0.2)), calibration=((0.1, 0.2),))
    figure = charts.curves({"v1": side, "v2": side})
    assert [t.line.color for t in figure.data[:6]] == [charts.CHAMPION] * 3 + [charts.CHALLENGER] * 3
    assert charts.curves({"v1": Curves()}, title="No curves").data[0].x.size == 0


def test_batches_are_coloured_and_shaped_by_outcome() -> None:
    held = batch(2, status=BatchStatus.QUARANTINED)
    figure = charts.batch_strip([batch(1), held], schema=schema(time_unit=TimeUnit.CLOCK), title="t")
    assert [trace.marker.color for trace in figure.data] == ["#009E73", "#D55E00"]
    assert figure.data[1].marker.pattern.shape == "x"


def test_bars_are_sorted_and_labelled() -> None:
    figure = charts.bars({"a": 0.2, "b": 0.8}, title="t", x_title="SHAP share")
    assert list(figure.data[0].y) == ["b", "a"]
    assert list(figure.data[0].text) == ["80.0 %", "20.0 %"]


def test_a_year_of_days_by_200_features_stays_small() -> None:
    many = [replace(WINDOWS[0].features[1], feature=f"f{i:03d}", shap_share=1 / (i + 1)) for i in range(200)]
    wide = [replace(WINDOWS[0], features=tuple(many))] * 250
    figure = drift_charts.heat_map(wide, schema=schema(), title="t")
    cells = next(trace for trace in figure.data if trace.type == "heatmap")
    assert cells.z.size <= charts.POINTS_MAX
    assert drift_charts.heat_map(
        wide[:25], schema=schema(), title="t", names=drift_charts.shown_features(wide, most=200)
    ).data[2].z.shape == (200, 25)


def test_a_metric_of_which_neither_side_is_better_is_no_difference() -> None:
    pair = Comparison(challenger=Measured(value=0.3), champion=Measured(value=0.2), difference=Measured(value=-0.1))
    verdict = Verdict(
        verdict_id="x",
        model="m",
        version=2,
        champion=1,
        verdict=Decision.KEEP,
        reasons=(),
        epoch=1,
        rows=9,
        decided_at=WINDOWS[0].start,
        metrics={"auc": replace(pair, decides=True, margin=0.01), "log_loss": pair, "positive_share": pair},
    )
    drawn = list(release_charts.verdict_dots(verdict, title="t").layout.yaxis.categoryarray)
    assert drawn == ["Log loss (less is better)", "AUC (decides)"]
    told = {row["Metric"]: row["Better by"] for row in evidence.table(verdict)}
    assert told["Predicted positive (neither is better)"] == wording.DASH
