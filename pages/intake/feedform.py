"""A new source: its kind and settings, and a look at what it would bring before it is kept.

What is fetched for the look is thrown away; how it is to be read is kept with the source. Neighbour: ``sources`` is the
page. It refuses to take a secret: a field takes the name of one.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import streamlit as st

from pages.intake import feedwords, firstfile, reader, readings
from pages.intake.feedwords import Field
from pages.ui import panels, session, wording
from pipeline_core.errors import PipelineError
from pipeline_core.flows import feeds, intake
from pipeline_core.records import Feed, FeedKind, Reading, Schema
from pipeline_core.service.door import allowed_hosts

TRIED, READ, TURN = "feed_tried", "feed", "feed_turn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What a look at a source showed, and how it was read for it; None: there was nothing to bring."""

    feed: Feed
    said: Reading
    name: str = ""
    preview: intake.Preview | None = None


def kinds() -> list[FeedKind]:
    """Give the kinds that may be added here: people elsewhere must not read this machine's files."""
    return [kind for kind in feedwords.KINDS if kind is not FeedKind.FOLDER or not allowed_hosts()]


def draw(schema: Schema) -> None:
    """Draw the form of a new source, and below it what it would bring once that was asked for."""
    kind = st.segmented_control(
        "Where is it?",
        kinds(),
        format_func=feedwords.KINDS.__getitem__,
        default=kinds()[0],
        required=True,
        key="feed_kind",
    )
    kind = kind or kinds()[0]
    st.caption(feedwords.ABOUT[kind])
    turn = st.session_state.setdefault(TURN, 0)
    with st.form(f"feed_form_{kind}_{turn}", border=True):
        _fields(kind, turn)
        st.caption(
            ":material/key: Passwords and tokens are never stored here. Put one into an environment variable or into"
            " `.streamlit/secrets.toml`, and write where it is: `env:SHOP_DSN` or `streamlit:shop.dsn`."
        )
        with st.container(horizontal=True):
            add = st.form_submit_button("Add the source", type="primary", key="feed_add", icon=":material/add:")
            look = st.form_submit_button("Look at what it brings", key="feed_look", icon=":material/visibility:")
    if look:
        reader.begin(READ)
        st.session_state.pop(TRIED, None)
        with session.guard():
            try_out(_feed(schema, kind, turn))
    questions = shown()
    if add:
        with session.guard():
            _add(_feed(schema, kind, turn), questions)


def _fields(kind: FeedKind, turn: int) -> None:
    """Draw what has to be said, and folded what may be."""
    needed = feeds.KINDS[kind].required
    fields = [field for field in feedwords.FIELDS[kind] if not field.many]
    grid = st.grid(3)
    grid.text_input("Name", key=f"feed_name_{turn}", max_chars=64, placeholder="shop-orders")
    for field in fields:
        if field.setting in needed:
            _field(grid, field, kind, turn)
    paces = feedwords.PACES
    grid.selectbox("How often", list(paces), format_func=paces.__getitem__, key=f"feed_every_{turn}")
    for field in feedwords.FIELDS[kind]:
        if field.many:
            st.text_area(field.label, key=_key(field, kind, turn), placeholder=field.placeholder, help=field.help)
    with st.expander("More settings"):
        more = st.grid(3)
        for field in fields:
            if field.setting not in needed:
                _field(more, field, kind, turn)
        more.number_input("Rows a batch, at most", min_value=1, value=50_000, step=1_000, key=f"feed_rows_{turn}")
        if kind in feedwords.STREAMS:
            more.number_input("Seconds a batch, at most", min_value=0.1, value=5.0, key=f"feed_seconds_{turn}")


def _field(grid: Any, field: Field, kind: FeedKind, turn: int) -> None:
    grid.text_input(field.label, key=_key(field, kind, turn), placeholder=field.placeholder, help=field.help)


def _key(field: Field, kind: FeedKind, turn: int) -> str:
    return f"feed_{kind}_{field.setting}_{turn}"


def _feed(schema: Schema, kind: FeedKind, turn: int) -> Feed:
    typed = {f.setting: session.typed(_key(f, kind, turn)) for f in feedwords.FIELDS[kind]}
    named = {s: value for s, value in typed.items() if value.startswith(feedwords.SECRET_PREFIXES)}
    plain = {s: value for s, value in typed.items() if value and s not in named}
    return Feed(
        name=session.typed(f"feed_name_{turn}"),
        model=schema.model,
        kind=kind,
        settings=plain,
        secrets=named,
        every_s=st.session_state.get(f"feed_every_{turn}") or None,
        batch_rows=int(st.session_state.get(f"feed_rows_{turn}") or 50_000),
        batch_s=float(st.session_state.get(f"feed_seconds_{turn}") or 5.0),
        added_at=session.store().now(),
    )


def _add(feed: Feed, questions: int) -> None:
    if questions:
        st.warning(
            f"Answer {wording.count(questions, 'question')} about how it is to be read first.", icon=":material/edit:"
        )
        return
    tried: Tried | None = st.session_state.get(TRIED)
    if tried is not None and tried.feed.name == feed.name:
        feed = replace(feed, reading=reader.said(READ))
    feeds.add_source(session.store(), feed)
    forget()
    st.session_state[TURN] += 1
    session.tell(f"{wording.safe(feed.name)} is added. Run it now, or wait for its time.")
    st.query_params["source"] = feed.name
    st.rerun()


def forget() -> None:
    """Forget the last look."""
    st.session_state.pop(TRIED, None)
    reader.begin(READ)


def try_out(feed: Feed) -> None:
    """Fetch what a source would bring first, look at it, and keep what was seen for this person."""
    store, said = session.store(), reader.said(READ)
    with st.spinner(f"Asking {wording.safe(feed.name) or 'the source'} …", show_time=True), store.work_dir() as work:
        with tempfile.TemporaryDirectory(dir=work) as folder:
            delivery = feeds.sample(store, feed, to=Path(folder))
            if delivery is None:
                st.session_state[TRIED] = Tried(feed=feed, said=said)
                return
            seen = intake.preview(store, delivery.path, name=delivery.name, reading=said)
        reader.fill(READ, seen.unpacked.reading, [column.name for column in seen.unpacked.columns])
        st.session_state[TRIED] = Tried(feed=feed, said=said, name=delivery.name, preview=seen)


def shown(name: str | None = None) -> int:
    """Draw what a look showed (of the source of that name), asking again where it is to be read otherwise; give the questions."""
    tried: Tried | None = st.session_state.get(TRIED)
    if tried is None or (name is not None and tried.feed.name != name):
        return 0
    if tried.said != reader.said(READ):
        try:
            try_out(tried.feed)
        except PipelineError as error:
            session.show(error)
            reader.change(READ, tried.preview.unpacked.reading if tried.preview else Reading(), expanded=True)
            return 1
        tried = st.session_state[TRIED]
    if tried.preview is None:
        st.info("It answers, and holds nothing new now.", icon=":material/inbox:")
        return 0
    seen = tried.preview.unpacked
    st.markdown(
        f"**{wording.safe(tried.name, length=120)}** · {wording.count(seen.rows, 'row')} looked at,"
        f" {wording.count(len(seen.columns), 'column')}. {readings.described(seen.reading)}"
    )
    questions = reader.questions(READ, seen.doubts)
    reader.line(READ, seen)
    panels.table(firstfile.head(tried.preview), key="feed_head", alt="First rows of what the source would bring")
    return questions
