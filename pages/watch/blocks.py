"""Blocks of the watch pages: the welcome, what needs a person, the strip's lanes, the demo's story."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from pages.ui import charts, dialogs, panels, session, wording
from pages.ui.charts import Line, Marker
from pages.watch import needs, reads, words
from pages.watch.reads import Seen
from pipeline_core.flows import demo
from pipeline_core.records import BatchReport, BatchStatus, Schema, WindowReport
from pipeline_core.sources.demo import INCIDENTS, Incident

NEEDS_MAX = 5


def welcome() -> None:
    """Say what this is on an empty store: the demo with its progress, beside the person's own data."""
    st.title("Is your model still right? Nothing is watched yet.", anchor=False)
    left, right = st.columns(2, gap="medium")
    building = any(job.verb == "demo" for job in session.active_jobs())
    with left.container(border=True, height="stretch", key="welcome_demo"):
        st.subheader("Look around in the demo", anchor=False)
        st.markdown(
            "A year of an invented lending portfolio: 60,000 applications, weekly batches, late labels, and five incidents "
            "that really happen to models. It takes under a minute and one click removes it."
        )
        panels.job_progress(key="welcome_jobs")
        if not building:
            with session.guard():
                if st.button("Build the demo", icon=":material/science:", key="demo_build"):
                    session.submit("demo", None)
                    st.rerun()
    with right.container(border=True, height="stretch", key="welcome_own"):
        st.subheader("Bring your own data", anchor=False)
        st.markdown(
            "A CSV, Parquet or JSON lines file with the column to predict is enough. The product learns what normal looks "
            "like, checks every later file against it, and trains, compares and watches the model."
        )
        if st.button("Define a model", type="primary", icon=":material/add_box:", key="welcome_define"):
            st.switch_page(session.PAGES["define"], query_params={})


def needs_you(seen: Seen, schema: Schema) -> None:
    """List the open alerts by what they are about, each with a link to where it can be looked at."""
    st.subheader("Needs you", anchor=False)
    groups = needs.needs(seen.alerts)
    if not groups:
        st.markdown(f":green[{wording.icon(wording.State.OK)} OK] No open alerts.")
    for i, group in enumerate(groups[:NEEDS_MAX]):
        with st.container(horizontal=True, vertical_alignment="center", key=f"need_{i}", wrap=False):
            st.markdown(words.need(group, schema), width="stretch")
            if group.batch_id:
                panels.link("Look", "batches", query={"batch": group.batch_id})
            else:
                panels.link("Look", "alerts", query={"alert": group.key})
    if groups:
        rest = len(groups) - NEEDS_MAX
        label = f"{rest} more" if rest > 0 else f"All {wording.count(len(seen.alerts), 'open alert')}"
        panels.link(label, "alerts", icon=":material/notifications:")


def way(seen: Seen) -> None:
    """List the steps until a model is watched: what is done, what comes next, where."""
    taken = [batch for batch in seen.batches if batch.status is BatchStatus.ACCEPTED]
    steps = (
        (
            f"Receive a first file: {wording.count(sum(b.rows for b in taken), 'row')} are here",
            "batches",
            "Batches",
            bool(taken),
        ),
        ("Train a version on its labelled rows", "training", "Training", bool(seen.versions)),
        ("Challenge it: it has to beat a guess", "challenge", "Challenge", seen.verdict is not None),
        ("Promote it: a person decides", "challenge", "Challenge", False),
        ("Receive later batches, which the champion scores", "batches", "Batches", False),
        ("Check them: drift, scores and performance by window then stand here", "drift", "Drift", False),
    )
    with st.container(border=True, key="way", gap="xsmall"):
        st.markdown("**Until this model is watched**")
        for i, (text, page, label, done) in enumerate(steps, start=1):
            with st.container(horizontal=True, vertical_alignment="center", key=f"way_{i}"):
                mark = ":green[:material/check_circle:]" if done else ":gray[:material/radio_button_unchecked:]"
                st.markdown(f"{mark} {i}. {text}", width="stretch")
                panels.link(label, page)


def lanes(windows: Sequence[WindowReport], schema: Schema) -> Mapping[str, Line]:
    """Give the strip's lanes: volume, weighted drift, mean score, realised metric with its interval."""
    x = [wording.position(window.start, schema) for window in windows]
    figures = [reads.primary(window) for window in windows]
    found = {
        "Rows per window": Line(
            name="rows", x=x, y=[float(w.rows) for w in windows], kind="bar", colour=charts.BASELINE
        ),
    }
    drifts = [window.weighted_drift for window in windows]
    if any(drift is not None for drift in drifts):
        found["Weighted drift"] = Line(name="weighted drift", x=x, y=drifts)
    means = [window.prediction_drift.current_mean for window in windows]
    if any(mean is not None for mean in means):
        found[_mean_lane(schema)] = Line(name="mean", x=x, y=means)
    if any(figures):
        found[_metric_lane(windows)] = Line(
            name="realised",
            x=x,
            y=[figure.value if figure else None for figure in figures],
            low=[figure.low if figure else None for figure in figures],
            high=[figure.high if figure else None for figure in figures],
        )
    return found


def _mean_lane(schema: Schema) -> str:
    return f"Mean {words.score_name(schema)} (dotted: baseline)"


def _metric_lane(windows: Sequence[WindowReport]) -> str:
    last = reads.last_measured(windows)
    name = wording.primary_metric(last.performance.metrics) if last else None
    return f"Realised {wording.metric_name(name or 'metric')}, 95 % interval (dotted: validation)"


def limits(windows: Sequence[WindowReport], schema: Schema) -> Mapping[str, float]:
    """Give the lines to hold the lanes against: the baseline's mean score and the validation figure."""
    mean, reference = windows[-1].prediction_drift.baseline_mean, windows[-1].performance.reference
    found = {_mean_lane(schema): mean, _metric_lane(windows): reference}
    return {lane: value for lane, value in found.items() if value is not None}


def markers(seen: Seen, windows: Sequence[WindowReport], schema: Schema) -> list[Marker]:
    """Give the moments to mark within the windows: promotions, quarantined batches, and the demo's incidents."""
    first, last = windows[0].start, windows[-1].end
    promoted = [
        Marker(at=p.at, label=f"{'retired ' if p.action == 'retire' else ''}v{p.version}, by {p.by}", kind="promotion")
        for p in seen.promotions
    ]
    held = [
        Marker(at=batch.first_event_at or batch.received_at, label=f"quarantined: {batch.source}", kind="batch")
        for batch in seen.batches
        if batch.status is BatchStatus.QUARANTINED
    ]
    told = (
        [Marker(at=reads.midnight(i.first_day), label=i.title, kind="incident") for i in INCIDENTS]
        if schema.demo
        else []
    )
    return [marker for marker in (*promoted, *held, *told) if first <= marker.at < last]


def strip_rows(windows: Sequence[WindowReport], schema: Schema) -> panels.Rows:
    """Give the strip as a table."""
    return [
        {
            "Window": wording.span(window.start, window.end, schema),
            "Rows": window.rows,
            "Alert": wording.word(wording.state_of(window.alert)),
            "Weighted drift": window.weighted_drift,
            "Mean score": window.prediction_drift.current_mean,
            "Metric": figure.value if (figure := reads.primary(window)) else None,
            "Labelled rows": window.performance.labelled_rows,
        }
        for window in windows
    ]


def demo_story(incidents: Sequence[Incident], windows: Sequence[WindowReport], batches: Sequence[BatchReport]) -> None:
    """Hold what was done to the demo's data against what was found, and offer to remove the demo."""
    st.caption(
        "Five things were done to this data on purpose. Left what was done, right what the product found by itself."
    )
    for i, incident in enumerate(incidents):
        done, found = st.columns([3, 2], gap="large")
        days = f"{wording.day(reads.midnight(incident.first_day))} – {wording.day(reads.midnight(incident.last_day))}"
        with done.container(key=f"incident_{i}"):
            st.markdown(f"**{incident.title}** :gray[{days}]  \n{incident.what}  \n*Expect* – {incident.expect}")
        with found:
            st.markdown("  \n".join(["**Found**", *reads.found_in(incident, windows, batches)]))
    if st.button("Remove the demo", icon=":material/delete:", key="demo_remove"):
        dialogs.confirm(
            "Remove the demo?",
            "The model **lending** goes, with its batches, versions, alerts and files. Other models stay as they are. "
            "The demo can be built again at any time.",
            button="Remove it",
            action=_remove,
            key="demo_confirm",
        )


def _remove(_by: str, _reason: str) -> None:
    demo.remove(session.store())
    session.tell("The demo is removed.", icon=":material/delete:")
