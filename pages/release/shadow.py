"""The block of a challenge that lets the challenger score live rows unseen, and says how it does beside the champion."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from pages.release import shadowwords as words
from pages.release.reads import Shelf
from pages.ui import dialogs, panels, release_charts, session, wording
from pages.ui.panels import Fact
from pipeline_core.errors import NotFound
from pipeline_core.flows import shadow
from pipeline_core.records import Latency, Measured, ModelVersion, Schema, Shadow, ShadowReport, Task
from pipeline_core.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Who is in shadow now, and how the version of the page did or does; ``newest``: it is the last that was there."""

    running: Shadow | None
    report: ShadowReport | None
    newest: bool = False


def view(store: Store, model: str, version: int) -> View:
    """Read what the block shows."""
    running, known = shadow.current(store, model), store.shadows.list(model)
    try:
        found = shadow.report(store, model, version=version)
    except NotFound:
        return View(running=running, report=None)
    return View(running=running, report=found, newest=known[0].number == found.shadow.number)


def block(version: ModelVersion, shelf: Shelf, schema: Schema) -> None:
    """Draw the block; without a champion there is nothing to be beside."""
    if shelf.champion is None:
        return
    seen = session.cached(view, schema.model, version.version)
    report, here = seen.report, seen.running is not None and seen.running.version == version.version
    st.subheader("On live rows, unseen by callers", anchor=False)
    with st.container(key="shadow"):
        if report is None:
            st.markdown(words.offer(version.version, shelf.champion.version, seen.running))
        else:
            _sentence(report)
        with st.container(horizontal=True, key="shadow_actions"):
            if here:
                _stop_button(version.version, schema.model)
            else:
                _start_button(version.version, schema.model, seen.running, shelf.champion.version)
            if report is not None and seen.newest and report.labelled_rows:
                _ask_button(schema.model, report)
        if report is not None and report.rows:
            _evidence(report, schema)


def _sentence(report: ShadowReport) -> None:
    state = words.state(report)
    st.markdown(f":{wording.badge_colour(state)}[{wording.icon(state)}] {words.sentence(report)}")
    st.caption(words.who(report.shadow))
    if report.errors:
        st.warning(words.failed(report), icon=":material/warning:")


def _start_button(version: int, model: str, running: Shadow | None, champion: int) -> None:
    block = f"v{running.version} is in shadow: stop it first." if running else None
    if st.button(
        f"Put v{version} in shadow",
        key="shadow_start",
        disabled=block is not None,
        help=block,
        icon=":material/visibility_off:",
    ):

        def act(by: str, reason: str) -> None:
            shadow.start(session.store(), model, version=version, by=by, reason=reason)
            session.tell(
                f"v{version} scores beside v{champion} from the next batch on.", icon=":material/visibility_off:"
            )

        dialogs.confirm(
            f"Put v{version} in shadow",
            words.offer(version, champion, None) + " It ends when you stop it, or when it becomes champion.",
            button="Start the shadow",
            action=act,
            key="confirm_shadow",
            reason="Reason (kept with the shadow)",
        )


def _stop_button(version: int, model: str) -> None:
    if st.button("Stop the shadow", key="shadow_stop", icon=":material/stop_circle:"):

        def act(by: str, reason: str) -> None:
            shadow.stop(session.store(), model, by=by, reason=reason)
            session.tell(f"v{version} is in shadow no more. What it scored stays.", icon=":material/stop_circle:")

        dialogs.confirm(
            f"Stop the shadow of v{version}",
            f"v{version} scores nothing from now on. What it has scored stays here, and it can be started again.",
            button="Stop it",
            action=act,
            key="confirm_unshadow",
            reason="Reason (kept with the shadow)",
        )


def _ask_button(model: str, report: ShadowReport) -> None:
    label = f"Ask the gate about {wording.count(report.labelled_rows, 'labelled live row')}"
    if st.button(label, key="shadow_ask", icon=":material/swords:"):
        with session.guard():
            session.submit("shadow", model, {})
            st.rerun()


def _evidence(report: ShadowReport, schema: Schema) -> None:
    panels.facts(_facts(report), key="shadow_facts", columns=4)
    left, right = st.columns([5, 3])
    with left:
        panels.chart(
            release_charts.score_bins(report, title=words.title(report), axis=_axis(schema)),
            key="shadow_scores",
            alt=f"Distribution of the scores of v{report.champion} and v{report.version} on the same {report.rows} live rows",
            table=words.bins(report),
        )
    with right:
        _gate(report)
    if report.groups:
        with st.expander("By protected group, those where they agree least first"):
            panels.table(
                words.groups(report), key="shadow_groups", alt="Agreement of champion and shadow by protected group"
            )
    rows = words.different(report, schema.task)
    with st.expander(
        f"The {len(rows):,} rows where they differ most" if len(rows) > 1 else "The row where they differ"
    ):
        panels.table(rows, key="shadow_rows", alt="Rows where champion and shadow differ most")
        panels.download_csv("Download CSV", rows, name="shadow_rows.csv", key="shadow_csv")


def _gate(report: ShadowReport) -> None:
    st.markdown(words.labelled(report))
    if report.shadow.live is None:
        return
    st.markdown(words.verdict(report))
    for reason in report.shadow.live.reasons:
        st.markdown(f"- {wording.safe(reason, length=400)}")
    st.caption("This moves nothing: a promotion asks for the challenge above, on all rows that neither was fitted on.")


def _axis(schema: Schema) -> str:
    return {
        Task.BINARY: f"Score: probability of {wording.plain(schema.positive)}",
        Task.MULTICLASS: "Score: probability of the predicted class",
        Task.REGRESSION: "Predicted value",
    }[schema.task]


def _facts(report: ShadowReport) -> list[Fact]:
    moved = report.mean_difference
    sides = ((f"v{report.champion}", report.champion_latency), (f"v{report.version}", report.shadow_latency))
    return [
        Fact(label="Same decision", value=words.share(report.agreement), help=wording.reason(report.agreement) or "Share of rows on which both decide alike, with its 95 % interval. It does not say who is right."),
        Fact(label=f"v{report.version} minus v{report.champion}", value=wording.interval(moved), help="Mean difference of the scores on the same rows, with its 95 % interval."),
        *(
            Fact(
                label=f"Time a row, {name}",
                value=_times(side),
                help=wording.reason(side.p50_ms) or "Milliseconds a row while scoring: half of the rows · 99 of 100 rows. A row's time is its batch's time over its rows.",
            )
            for name, side in sides
        ),
    ]  # fmt: skip


def _times(side: Latency) -> str:
    if not isinstance(side.p50_ms, Measured) or not isinstance(side.p99_ms, Measured):
        return wording.DASH
    return f"{wording.number(side.p50_ms.value)} · {wording.number(side.p99_ms.value)} ms"
