"""A replay's answer on the screen: the timeline with its alerts, the table per window, the sentences, the downloads."""

from __future__ import annotations

import json

import streamlit as st

from pages.ui import panels, replay_charts, wording
from pages.watch import replaywords
from pages.watch.replayreads import Replayed
from pipeline_core.flows.replayed import ReplayWindow
from pipeline_core.records import AlertLevel, Schema

MESSAGES_MAX = 12
FORMATS = {
    **{name: st.column_config.NumberColumn(format="%.3g") for name in ("Weighted drift", "Healthy limit")},
    "Why": st.column_config.TextColumn(width=150),
}


def page(replayed: Replayed, schema: Schema, *, stale: bool) -> None:
    """Draw what the watch would have said."""
    report = replayed.report
    if stale:
        st.info(f"This is about v{report.version}, which is no longer the champion. Replay the history again.")
    table = replaywords.rows(report, schema)
    panels.chart(
        replay_charts.timeline(
            report,
            schema=schema,
            title=replaywords.title(report),
            metric=replaywords.metric(report.windows),
            figures=[replaywords.primary(w) for w in report.windows],
        ),
        key="replay_timeline",
        alt="Weighted drift of each window over time, marked where it would have paged or been watched",
    )
    panels.facts(replaywords.facts(report), key="replay_facts")
    if report.quarantined:
        st.caption(
            f"{wording.icon(wording.State.WATCH)} The door would have quarantined {wording.count(report.quarantined, 'batch')} of"
            f" {report.batches:,}. A replay takes them in all the same, so that their drift is measured; their windows page."
        )
    st.subheader("Window by window", anchor=False)
    picked = panels.table(
        table, key="replay_table", alt="Windows in time order; pick a row to read why", columns=FORMATS, select=True
    )
    chosen = report.windows[picked] if picked is not None else _first(report.windows)
    if chosen is not None:
        _why(chosen, schema)
    _downloads(replayed, table)


def _first(windows: tuple[ReplayWindow, ...]) -> ReplayWindow | None:
    """Give the first window that asks for most attention."""
    raised = [w for w in windows if w.alert is not AlertLevel.NONE]
    return next((w for w in raised if w.alert is AlertLevel.PAGE), raised[0] if raised else None)


def _why(window: ReplayWindow, schema: Schema) -> None:
    state = wording.state_of(window.alert)
    mark = f":{wording.badge_colour(state)}[{wording.icon(state)} {wording.word(state)}]"
    with st.container(border=True, key="replay_why", gap="xsmall"):
        st.markdown(f"{mark} **{wording.safe(wording.span(window.start, window.end, schema))}**")
        for message in window.messages[:MESSAGES_MAX]:
            st.markdown(f"- {wording.safe(message, length=500)}")
        if not window.messages:
            st.markdown("Nothing would have been raised.")
        if len(window.messages) > MESSAGES_MAX:
            st.caption(f"{len(window.messages) - MESSAGES_MAX} more: see the download.")


def _downloads(replayed: Replayed, table: panels.Rows) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="replay_downloads"):
        panels.download_csv("Download CSV", table, name="replay.csv", key="replay_csv")
        st.download_button(
            "Download JSON",
            json.dumps(replayed.content, ensure_ascii=False, indent=1).encode(),
            file_name="replay.json",
            mime="application/json",
            icon=":material/download:",
            key="replay_json",
            on_click="ignore",
            help="As the command replay prints it with --json.",
        )
        if replayed.ended_at is not None:
            st.caption(f"replayed {wording.clock(replayed.ended_at)}")
