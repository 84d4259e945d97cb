"""The sentences, rows and figures of the replay page; pure. Foreign names are escaped here."""

from __future__ import annotations

from collections.abc import Sequence

from pages.ui import wording
from pages.ui.panels import Fact, Rows
from pages.ui.wording import State
from pages.watch import sizes, words
from pages.watch.replayreads import Replayed
from pipeline_core.flows.replayed import ReplayReport, ReplayWindow
from pipeline_core.records import AlertLevel, Measured, ModelVersion, Schema

REASONS = {
    **words.CODES,
    "estimated_performance": "The model probably got worse",
    "data_quality": "The door objected",
}


def answer(replayed: Replayed | None, champion: ModelVersion, schema: Schema) -> tuple[str, State]:
    """Say what the watch would have said, with the figures in it."""
    if replayed is None:
        name = wording.safe(schema.model, length=40)
        return (
            f"What would the watch have said? No history was replayed against v{champion.version} of {name} yet.",
            State.UNKNOWN,
        )
    report = replayed.report
    paged, watched = (_levels(report, level) for level in (AlertLevel.PAGE, AlertLevel.WATCH))
    count = wording.count(len(report.windows), "window")
    over = f"of {count} of {wording.safe(report.source, length=48)}"
    if paged:
        first = next(w for w in report.windows if w.alert is AlertLevel.PAGE)
        since = wording.during(first.start, first.end, schema)
        return f"**{len(paged):,}** {over} would have paged, the first {since}.", State.PAGE
    if watched:
        return f"None {over} would have paged, **{len(watched):,}** would have been logged.", State.WATCH
    return f"None {over} would have raised anything.", State.OK


def _levels(report: ReplayReport, level: AlertLevel) -> list[ReplayWindow]:
    return [w for w in report.windows if w.alert is level]


def title(report: ReplayReport) -> str:
    """Give the chart's finding: which feature leads."""
    tops: dict[str, int] = {}
    for window in _levels(report, AlertLevel.PAGE):
        if window.drifted_features and window.top_feature:
            tops[window.top_feature] = tops.get(window.top_feature, 0) + 1
    size = sizes.size_words(report.window)
    if not tops:
        return f"Weighted drift in windows of {wording.plain(size)}: no feature would have paged"
    name = max(tops, key=lambda n: tops[n])
    return f"{wording.plain(name)} leads in {tops[name]} of {wording.count(len(_levels(report, AlertLevel.PAGE)), 'window')} that page"


def facts(report: ReplayReport) -> list[Fact]:
    """Give what was replayed and how, in figures."""
    left = report.left_out
    parts = (
        (left.trained_rows, "known to the champion"),
        (left.later_rows, "after the end"),
        (left.untimed_rows, "without a time"),
    )
    out = "; ".join(f"{rows:,} {why}" for rows, why in parts if rows)
    calibrated = sum(w.calibrated for w in report.windows)
    late = "with the row" if report.label_delay == "0" else f"{sizes.size_words(report.label_delay)} later"
    return [
        Fact(label="Rows replayed", value=f"{report.replayed_rows:,} of {report.rows:,}", help=f"Left out: {out or 'none'}."),
        Fact(label="Windows", value=f"{len(report.windows):,}, {wording.safe(sizes.size_words(report.window))} each"),
        Fact(label="Calibrated", value=f"{calibrated:,} of {len(report.windows):,}", help=report.rule.words if report.rule else None),
        Fact(label="Labels known", value=wording.safe(late)),
    ]  # fmt: skip


def primary(window: ReplayWindow) -> Measured | None:
    """Give the window's leading realised metric, where ground truth allowed to measure it."""
    name = wording.primary_metric(window.realised)
    figure = window.realised[name] if name else None
    return figure if isinstance(figure, Measured) else None


def metric(windows: Sequence[ReplayWindow]) -> str | None:
    """Give the name of the leading metric, if some window has it."""
    return next((wording.primary_metric(w.realised) for w in windows if primary(w) is not None), None)


def rows(report: ReplayReport, schema: Schema) -> Rows:
    """Give the table: a window a row."""
    name = wording.metric_name(metric(report.windows) or "metric")
    return [
        {
            "Window": wording.span(window.start, window.end, schema),
            "Alert": wording.word(wording.state_of(window.alert)),
            "Why": ", ".join(REASONS.get(code, code) for code in window.reasons) or "nothing",
            "Weighted drift": window.weighted_drift,
            "Healthy limit": window.weighted_limit,
            "Leading feature": window.top_feature or "none",
            "Drifted": ", ".join(window.drifted_features) or "none",
            "Rows": window.rows,
            name: figure.value if (figure := primary(window)) else None,
            "Labelled": window.labelled_rows,
            "Calibrated": "yes" if window.calibrated else "no",
        }
        for window in report.windows
    ]
