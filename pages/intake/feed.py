"""One source: how it does, what it is set to, what it brought, and what may be done: run, look, pause, remove."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.intake import feedform, feedwords, reader, readings, words
from pages.ui import dialogs, panels, session, wording
from pages.ui.panels import Fact
from pages.ui.wording import State
from pipeline_core.flows import feeds
from pipeline_core.records import BatchReport, Feed, FeedReport, FeedStatus

RAN, TURN = "feed_ran", "feeds_turn"
BATCHES_SHOWN = 5


def page(status: FeedStatus, batches: Sequence[BatchReport]) -> None:
    """Draw one source in full."""
    feed, store = status.feed, session.store()
    st.button("All sources", key="feed_back", icon=":material/arrow_back:", type="tertiary", on_click=back)
    panels.sentence(feedwords.opening(status, store.now()), state=feedwords.state(status))
    if status.state.last_error:
        st.error(wording.safe(status.state.last_error, length=1_000), icon=":material/error:")
    _told(feed.name)
    _actions(status)
    questions = feedform.shown(feed.name)
    if st.session_state.get(feedform.TRIED) and reader.said(feedform.READ) != feed.reading and not questions:
        keep = st.button("Read it like this from now on", key="feed_keep", type="primary", icon=":material/check:")
        if keep:
            with session.guard():
                feeds.change_source(store, feed.name, reading=reader.said(feedform.READ))
                feedform.forget()
                session.tell(f"{wording.safe(feed.name)} is read like this from now on.")
                st.rerun()
    _brought(status, batches)
    _settings(status)


def back() -> None:
    """Go back to the list; the browser would give it its picked row back, so it gets a new key."""
    st.query_params.pop("source", None)
    st.session_state[TURN] = st.session_state.get(TURN, 0) + 1
    feedform.forget()


def _told(name: str) -> None:
    report: FeedReport | None = st.session_state.get(RAN)
    if report is None or report.name != name:
        return
    text, state = feedwords.ran(report)
    {State.OK: st.success, State.WATCH: st.warning}[state](text, icon=wording.icon(state))


def _actions(status: FeedStatus) -> None:
    feed = status.feed
    with st.container(horizontal=True, vertical_alignment="center", key="feed_actions"):
        run = st.button("Run now", key="feed_run", type="primary", icon=":material/play_arrow:")
        look = st.button("Look at what it brings", key="feed_try", icon=":material/visibility:")
        word, icon = ("Pause", "pause") if feed.enabled else ("Resume", "resume")
        st.button(
            word,
            key="feed_pause",
            icon=f":material/{icon}:",
            on_click=_pause,
            args=(feed.name,),
            kwargs={"enabled": not feed.enabled},
        )
        if st.button("Remove", key="feed_remove", icon=":material/delete:"):
            dialogs.confirm(
                f"Remove {wording.safe(feed.name)}",
                feedwords.remove_consequences(status),
                button="Remove the source",
                action=lambda _by, _reason: _remove(feed.name),
                key="confirm_feed_remove",
            )
        if not feed.enabled:
            st.caption("The worker leaves it alone while it is paused; “Run now” runs it once.")
    if run:
        _run(status)
    if look:
        reader.begin(feedform.READ, feed.reading)
        with session.guard():
            feedform.try_out(feed)


def _run(status: FeedStatus) -> None:
    """Run it while the person looks on; what was received stays, also if they leave."""
    st.session_state.pop(RAN, None)
    feedform.forget()
    with session.guard(), st.status(f"Running {wording.safe(status.feed.name)} …", expanded=True) as box:
        line = st.empty()

        def told(_share: float, said: str) -> None:
            line.caption(wording.safe(said, length=200))

        try:
            report = feeds.run_source(session.store(), status.feed.name, progress=told)
        finally:  # what was accepted before an error is there all the same
            _score(status.feed)
        box.update(label="Done", state="complete")
        st.session_state[RAN] = report
        st.rerun()


def _score(feed: Feed) -> None:
    """Let the champion score what came in, as it does where the worker runs a source."""
    if feeds.score_brought(session.store(), feed.name):
        session.check_soon(feed.model)


def _pause(name: str, *, enabled: bool) -> None:
    with session.later():
        feeds.change_source(session.store(), name, enabled=enabled)


def _remove(name: str) -> None:
    feeds.remove_source(session.store(), name)
    back()
    session.tell(f"{wording.safe(name)} is removed; its batches stay.", icon=":material/delete:")


def _brought(status: FeedStatus, batches: Sequence[BatchReport]) -> None:
    mine = feedwords.brought(status.feed, batches)
    if not mine:
        st.caption("No batch came by it yet.")
        return
    st.markdown(f"**Last batches** of {wording.count(len(mine), 'batch')}")
    for i, batch in enumerate(mine[:BATCHES_SHOWN]):
        with st.container(horizontal=True, vertical_alignment="center", key=f"feed_batch_{i}"):
            state = words.outcome_state(batch)
            mark = f":{wording.badge_colour(state)}[{wording.icon(state)} {batch.status.value}]"
            source = wording.safe(batch.source.removeprefix(f"{status.feed.name}: "), length=80)
            told = f"{wording.count(batch.rows, 'row')}, {words.tally(batch)}"
            st.markdown(
                f"{mark} **{batch.batch_id}** · {source} · {told} · {wording.clock(batch.received_at)}", width="stretch"
            )
            panels.link("Open", "batches", query={"batch": batch.batch_id})


def _settings(status: FeedStatus) -> None:
    feed = status.feed
    facts = [Fact(label="Kind", value=feedwords.KINDS[feed.kind])]
    labels = {field.setting: field.label for field in feedwords.FIELDS[feed.kind]}
    for setting, value in feed.settings.items():
        facts.append(Fact(label=labels.get(setting, setting), value=wording.safe(value, length=300)))
    for setting, place in feed.secrets.items():
        facts.append(Fact(label=f"{labels.get(setting, setting)} (secret)", value=wording.safe(place)))
    facts.append(Fact(label="Rows a batch, at most", value=wording.count(feed.batch_rows)))
    if feed.reading != type(feed.reading)():
        facts.append(Fact(label="Reading", value=readings.described(feed.reading).replace("**", "")))
    with st.expander("Settings", icon=":material/settings:", key="feed_settings"):
        panels.facts(facts, key="feed_facts", columns=3)
        paces = list(feedwords.PACES) + ([feed.every_s] if feed.every_s and feed.every_s not in feedwords.PACES else [])
        st.selectbox(
            "How often", paces, index=paces.index(feed.every_s or 0), key=f"feed_pace_{feed.name}", width=260,
            format_func=lambda s: feedwords.PACES.get(s, f"every {wording.duration(s)}"), on_change=_repace, args=(feed.name,),
        )  # fmt: skip
        st.caption("To change anything else, remove it and add it again under another name.")


def _repace(name: str) -> None:
    with session.later():
        feeds.change_source(session.store(), name, every_s=int(st.session_state[f"feed_pace_{name}"]))
