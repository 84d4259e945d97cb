"""Blocks of the drift page: what to look at, how to pick it, and the evidence as charts and tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import zip_longest
from typing import Any

import streamlit as st

from pages.ui import charts, drift_charts, panels, session, wording
from pages.ui.charts import Line
from pages.watch import detailwords, heat, needs, reads, signals, sizes, words
from pipeline_core.errors import NotFound
from pipeline_core.flows import watch
from pipeline_core.records import (
    AlertLevel,
    Distribution,
    FeatureDrift,
    Schema,
    TimeUnit,
    WatchReport,
    WindowReport,
)
from pipeline_core.store import Store


def checked(model: str, size: str) -> WatchReport | None:
    """Read the check in windows of that length; the newest one is not read twice."""
    latest = session.cached(reads.report, model, None)
    return latest if latest is not None and latest.window == size else session.cached(reads.report, model, size)


def pair_of(store: Store, model: str, size: str, feature: str, start: datetime, *, exact: bool) -> Distribution:
    """Read a feature's distribution in a window of a check and in its baseline; ``exact``: with the KS from the rows."""
    report = checked(model, size)
    if report is None:
        raise NotFound(f"There is no check in windows of {size} any more. Check again.")
    end = next((window.end for window in report.windows if window.start == start), start)
    return watch.distribution(store, model, feature=feature, start=start, end=end, exact=exact, report=report)


def size_choice(schema: Schema, latest: WatchReport | None) -> str:
    """Give the window length that the URL asks for, or that of the latest check."""
    options, chosen = _sizes(schema, latest), session.asked("size")
    return chosen if chosen in options else latest.window if latest is not None else sizes.usual(schema)[0]


def _sizes(schema: Schema, latest: WatchReport | None) -> list[str]:
    return sizes.offered(schema, latest, rows_min=session.store().policy.window_rows_min)


def controls(
    schema: Schema,
    report: WatchReport | None,
    *,
    latest: WatchReport | None,
    size: str,
    window: WindowReport | None = None,
    paged: WindowReport | None = None,
) -> None:
    """Draw the window length, the next step, when it was checked, and the button that checks now."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="controls"):
        st.session_state["size_pick"] = size
        st.segmented_control(
            "Window length",
            _sizes(schema, latest),
            required=True,
            format_func=sizes.size_words,
            key="size_pick",
            on_change=lambda: session.ask(size=st.session_state["size_pick"]),
        )
        busy = any(job.verb == "check" for job in session.active_jobs(schema.model))
        pressed = st.button(
            "Check now",
            icon=":material/refresh:",
            key="check_now",
            disabled=busy,
            type="primary" if report is None else "secondary",
            help="A check is running." if busy else "Compare every window with its baseline.",
        )
        _next_step(schema, paged, window)
        if report is not None:
            st.caption(f"checked {wording.clock(report.checked_at)}", help=detailwords.against(report, window))
    if pressed:
        with session.guard():
            session.submit("check", schema.model, {"window": size})
            st.rerun()


def _next_step(schema: Schema, paged: WindowReport | None, window: WindowReport | None) -> None:
    """Draw the way to the alert of what pages here, or to the window that last did."""
    if paged is not None:
        where = {"window": wording.window_key(paged.start)}
        if leading := signals.matters(paged):  # none: the window as a whole
            where["feature"] = leading[0].feature
        st.button(
            "Show the last page", icon=":material/history:", key="show_paged", type="primary",
            on_click=lambda: heat.elsewhere(**where),
        )  # fmt: skip
    elif window is not None and reads.level(window) is AlertLevel.PAGE:
        first = next((found.feature for found in signals.matters(window)), None)
        groups = needs.needs(session.cached(reads.alerts, schema.model))
        mine = next((g.key for g in groups if g.alert.code == "data_drift" and g.alert.feature == first), None)
        panels.link("Open the runbook", "alerts", query=None if mine is None else {"alert": mine})


def nothing_checked(schema: Schema, report: WatchReport | None, *, latest: WatchReport | None, size: str) -> None:
    """Say why there is no window to show, and hold the button that makes them."""
    if report is not None and report.windows:
        st.title("No window lies in the chosen period.", anchor=False)
        st.markdown(
            f"There are {wording.count(len(report.windows), 'window')} outside it. Pick **All** in the sidebar."
        )
    elif report is not None:
        st.title("No data has come in since the champion was trained.", anchor=False)
        st.markdown("Receive a later batch; its windows are then compared with the baseline.")
        panels.next_step("Receive a batch", "batches", key="receive")
        return
    else:
        st.title(f"Not checked in windows of {sizes.size_words(size)} yet.", anchor=False)
        st.markdown(
            "A check compares each window of later data with its baseline (the champion's own data, where nobody chose another), "
            "feature by feature, and shows here which change matters."
        )
    controls(schema, report, latest=latest, size=size)


def picked(windows: Sequence[WindowReport]) -> tuple[str, WindowReport]:
    """Give the feature and window that the URL asks for, or the ones that matter most."""
    best_feature, best_window = _leading(windows)
    feature, key = session.asked("feature"), session.asked("window")
    names = _features(windows)
    return (feature if feature in names else best_feature), (_window(windows, key) or best_window)


def _window(windows: Sequence[WindowReport], key: str | None) -> WindowReport | None:
    """Find the window that starts at what the URL says, or else the one that holds that moment."""
    exact = next((window for window in windows if wording.window_key(window.start) == key), None)
    if exact is not None or key is None:
        return exact
    try:
        at = datetime.fromisoformat(key).replace(tzinfo=UTC)
    except ValueError:
        return None
    return next((window for window in windows if window.start <= at < window.end), None)


def _features(windows: Sequence[WindowReport]) -> list[str]:
    return [drift.feature for drift in sorted(windows[-1].features, key=lambda d: (-d.shap_share, d.feature))]


def _leading(windows: Sequence[WindowReport]) -> tuple[str, WindowReport]:
    """Give the newest window that is large enough to judge, and the feature in it that can mean most."""
    newest = reads.newest(windows)
    best = max(newest.features, key=_urgency)
    return best.feature, newest


def _urgency(drift: FeatureDrift) -> tuple[bool, bool, float, float]:
    return (drift.alert is AlertLevel.PAGE, drift.drifted, drift.contribution, drift.shap_share)


def selectors(windows: Sequence[WindowReport], schema: Schema, *, feature: str, window: WindowReport) -> None:
    """Draw the two selectboxes, feature by SHAP share and window newest first; what is picked goes into the URL."""
    starts = {wording.window_key(window.start): window for window in reversed(windows)}
    share = {drift.feature: drift.shap_share for drift in windows[-1].features}

    def named(name: str) -> str:
        return f"{wording.percent(share.get(name), digits=0)} · {wording.shorten(name, 60)}"

    order = {wording.window_key(window.start): place for place, window in enumerate(windows, 1)}

    def dated(key: str) -> str:
        found = starts[key]
        level = "" if found.alert is AlertLevel.NONE else f" · {wording.word(wording.state_of(found.alert))}"
        place = f"{order[key]} of {len(order)} · " if schema.time_unit is TimeUnit.NONE else ""
        return f"{place}{wording.span(found.start, found.end, schema)}{level}"

    st.session_state["feature_pick"] = feature
    st.session_state["window_pick"] = wording.window_key(window.start)
    left, right = st.columns(2)
    left.selectbox(
        "Feature, by SHAP share",
        _features(windows),
        format_func=named,
        key="feature_pick",
        on_change=lambda: heat.elsewhere(feature=st.session_state["feature_pick"]),
    )
    right.selectbox(
        "Window",
        list(starts),
        format_func=dated,
        key="window_pick",
        on_change=lambda: heat.elsewhere(window=st.session_state["window_pick"]),
    )


def pick_feature(clicked: Sequence[Any]) -> None:
    """Take a clicked point of the quadrant into the URL."""
    if clicked:
        heat.elsewhere(feature=str(clicked[0]))


def figures(
    pair: Distribution | None,
    found: FeatureDrift,
    window: WindowReport,
    windows: Sequence[WindowReport],
    schema: Schema,
) -> None:
    """Draw what is known about a feature in a window, two figures a row and no row half empty."""
    drawn: list[Callable[[], None]] = []
    if pair is not None:
        drawn.append(lambda: _bins(pair))
        if pair.cdf:
            drawn.append(lambda: _gap(pair, found))
    if len(windows) > 1:
        drawn.append(lambda: _past(windows, schema, found.feature, window=window))
    drawn.append(lambda: _corners(window))
    if pair is not None and not pair.cdf:  # the names of the levels need the width
        drawn.pop(0)()
    last = drawn.pop() if len(drawn) % 2 else None
    _pairs(drawn)
    if last is not None:
        last()


def _pairs(drawn: Sequence[Callable[[], None]]) -> None:
    for first, second in zip(drawn[::2], drawn[1::2], strict=True):
        left, right = st.columns(2, gap="large")
        with left:
            first()
        with right:
            second()


def _past(windows: Sequence[WindowReport], schema: Schema, feature: str, *, window: WindowReport) -> None:
    floor = session.store().policy.drift_effect_min
    effects = [drift.effect or 0.0 for one in windows if (drift := _of(one, feature))]
    over = sum(effect >= floor for effect in effects)
    figure = charts.lines(
        [history(windows, schema, feature)],
        title=f"Is it new? Above the floor in {over} of {wording.count(len(windows), 'window')}",
        y_title="Effect (dotted: floor)",
        schema=schema,
        limit=floor,
        markers=[charts.Marker(at=window.start, label="shown above", kind="incident")],
    )
    panels.chart(
        figure.update_yaxes(rangemode="tozero"),
        key="history",
        alt=f"Effect of {feature} in every window, with the floor",
        table=history_rows(windows, schema, feature),
    )


def _corners(window: WindowReport) -> None:
    policy = session.store().policy
    panels.chart(
        drift_charts.quadrant(
            window,
            title=words.quadrant_title(window),
            floor=policy.drift_effect_min,
            important=reads.important_share(window, top_share=policy.importance_top_share),
        ),
        key="quadrant",
        alt="Effect against SHAP share of every feature in the chosen window",
        table=feature_rows(window),
        on_point=pick_feature,
    )


def _bins(pair: Distribution) -> None:
    panels.chart(
        drift_charts.distribution(pair, title="What came in?"),
        key="distribution",
        alt=f"Distribution of {pair.feature} in the baseline and in the window",
        table=distribution_rows(pair),
    )


def _gap(pair: Distribution, found: FeatureDrift) -> None:
    at = "" if pair.gap_at is None else f" at {wording.number(pair.gap_at)}"
    panels.chart(
        drift_charts.cdf(
            pair,
            title=f"How far apart? KS distance {wording.number(found.effect)}{at}",
            state=wording.state_of(found.alert) if found.drifted else wording.State.UNKNOWN,
        ),
        key="cdf",
        alt=f"Cumulative shares of {pair.feature} in baseline and window with the widest gap",
        table=[{"Value": value, "Baseline": base, "Current": now} for value, base, now in pair.cdf],
    )


def distribution_rows(pair: Distribution) -> panels.Rows:
    """Give the bars as a table."""
    if pair.edges:
        names = [
            f"{wording.number(a)} to {wording.number(b)}" for a, b in zip(pair.edges, pair.edges[1:], strict=False)
        ]
    else:
        names = list(pair.levels)
    rows = [
        {"Value": n, "Baseline share": b, "Current share": c}
        for n, b, c in zip_longest(names, pair.baseline, pair.current)  # a side without rows has no shares
    ]
    nulls = {"Value": "null", "Baseline share": pair.baseline_null_share, "Current share": pair.current_null_share}
    return [*rows, nulls]


def history(windows: Sequence[WindowReport], schema: Schema, feature: str) -> Line:
    """Give a feature's effect by window."""
    return Line(
        name=feature,
        x=[wording.position(window.start, schema) for window in windows],
        y=[drift.effect if (drift := _of(window, feature)) else None for window in windows],
        colour=charts.CURRENT,
    )


def history_rows(windows: Sequence[WindowReport], schema: Schema, feature: str) -> panels.Rows:
    """Give a feature's history as a table, newest first."""
    return [
        {"Window": wording.span(window.start, window.end, schema), **words.drift_row(drift)}
        for window in reversed(windows)
        if (drift := _of(window, feature)) is not None
    ]


def feature_rows(window: WindowReport) -> panels.Rows:
    """Give one window's features as a table, those that can mean most first."""
    ranked = sorted(window.features, key=lambda drift: -drift.contribution)
    return [{"Feature": drift.feature, **words.drift_row(drift)} for drift in ranked]


def _of(window: WindowReport, feature: str) -> FeatureDrift | None:
    return next((drift for drift in window.features if drift.feature == feature), None)
