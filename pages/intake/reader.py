"""How is this file to be read? The line that says how it was read, the choices to say otherwise, and open questions.

What a person says is one ``Reading``, kept for the session under a prefix, so that several pages can ask. Whoever reads a
file calls ``fill`` with how it was read, before anything is drawn. Refuses to decide: an open question has no answer
chosen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import streamlit as st

from pages.intake import readings
from pages.ui import wording
from pages.ui.wording import State
from pipeline_core.records import Doubt, Reading, Unpacked

TOPICS = ("encoding", "delimiter", "decimal", "date_order", "header", "names", "nulls", "sheet")


def said(prefix: str) -> Reading:
    """Give what the person said about reading."""
    reading: Reading = st.session_state.get(f"{prefix}_said") or Reading()
    return reading


def begin(prefix: str, reading: Reading | None = None) -> None:
    """Forget what was said, or begin with what was said earlier: another file is another matter."""
    st.session_state[f"{prefix}_said"] = reading or Reading()
    for topic in TOPICS:
        st.session_state.pop(f"{prefix}_ask_{topic}", None)


def fill(prefix: str, used: Reading, names: Iterable[str] = ()) -> None:
    """Show in the choices how the file was read; call it before they are drawn."""
    shown = {
        "encoding": _known(used.encoding),
        "delimiter": used.delimiter,
        "decimal": used.decimal,
        "date_order": used.date_order,
        "header": None if used.header is None else "yes" if used.header else "no",
        "names": "\n".join(used.names or names),
        "nulls": list(used.nulls),
        "sheet": used.sheet or "",
    }
    for topic, value in shown.items():
        st.session_state[f"{prefix}_read_{topic}"] = value


def _known(encoding: str | None) -> str | None:
    plain = (encoding or "").lower().replace("_", "-")
    return "utf-8" if plain in {"utf-8", "utf-8-sig", "ascii"} else encoding


def line(prefix: str, unpacked: Unpacked) -> None:
    """Say what was left out and what may be meant otherwise, with the choices folded below."""
    if unpacked.notes:
        st.caption(" ".join(wording.safe(note, length=300) for note in unpacked.notes))
    for i, doubt in enumerate(readings.hints(unpacked.doubts, said(prefix))):
        _hint(prefix, doubt, i)
    change(prefix, unpacked.reading)


def change(prefix: str, used: Reading, *, expanded: bool = False) -> None:
    """Draw the choices of reading, each filled with what is used; a change reads the file again."""
    with st.expander("Read it differently", icon=":material/tune:", expanded=expanded, key=f"{prefix}_read"):
        text = readings.is_text(used)
        grid = st.grid(3)
        if text:
            _choice(grid, prefix, "encoding", "Encoding", readings.ENCODINGS, free=True)
            _choice(grid, prefix, "delimiter", "Between the fields", readings.DELIMITERS)
        if text or used.format == "excel":
            _choice(grid, prefix, "header", "The first row holds", readings.HEADERS)
            _choice(grid, prefix, "decimal", "Decimal mark", readings.DECIMALS)
        if used.format not in {"parquet", "arrow"}:
            _choice(grid, prefix, "date_order", "Dates such as 03/04/2025", readings.ORDERS)
        if used.format == "excel":
            grid.text_input("Sheet", key=f"{prefix}_read_sheet", on_change=_changed, args=(prefix, "sheet"))
        grid.multiselect(
            "Cells that mean “no value”", [*st.session_state.get(f"{prefix}_read_nulls", ())], accept_new_options=True,
            key=f"{prefix}_read_nulls", placeholder="such as -200 or unknown", on_change=_changed, args=(prefix, "nulls"),
            help="Beside blank cells, NA, NULL and their like. Numbers are compared as numbers.",
        )  # fmt: skip
        if used.header is False:
            st.text_area(
                "Names of the columns, one a line",
                key=f"{prefix}_read_names",
                on_change=_changed,
                args=(prefix, "names"),
            )
        if said(prefix) != Reading():
            st.button(
                "Back to what was found",
                key=f"{prefix}_read_back",
                icon=":material/undo:",
                on_click=begin,
                args=(prefix,),
            )


def _choice(grid: Any, prefix: str, topic: str, title: str, options: Mapping[str, str], *, free: bool = False) -> None:
    key = f"{prefix}_read_{topic}"
    now = st.session_state.get(key)
    grid.selectbox(
        title, [*options, *([now] if now and now not in options else [])], index=None, key=key, accept_new_options=free,
        format_func=lambda value: options.get(value, value), placeholder="as its content says",
        on_change=_changed, args=(prefix, topic),
    )  # fmt: skip


def _changed(prefix: str, topic: str) -> None:
    value, before = st.session_state.get(f"{prefix}_read_{topic}"), said(prefix)
    if topic == "nulls":
        after = replace(before, nulls=tuple(str(word) for word in value or ()))
    elif not value:
        after = readings.unsaid(before, topic)
    else:
        after = readings.answered(before, topic, str(value))
    st.session_state[f"{prefix}_said"] = after


def _hint(prefix: str, doubt: Doubt, number: int) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key=f"{prefix}_hint_{number}"):
        st.markdown(f":gray[:material/lightbulb: {readings.question(doubt)}]", width="stretch")
        for value in [value for value in readings.answers(doubt) if value != doubt.chosen][:2]:
            shown = value.replace("-", wording.MINUS)
            text = (
                f"Treat {shown} as missing"
                if doubt.topic == "nulls"
                else readings.label(doubt.topic, value).capitalize()
            )
            key = f"{prefix}_treat_{number}_{value}"
            st.button(text, key=key, on_click=_say, args=(prefix, doubt.topic, value))


def _say(prefix: str, topic: str, value: str) -> None:
    st.session_state[f"{prefix}_said"] = readings.answered(said(prefix), topic, value)


def _answer(prefix: str, topic: str) -> None:
    value = st.session_state.get(f"{prefix}_ask_{topic}")
    if value:
        _say(prefix, topic, value)


def questions(prefix: str, doubts: Iterable[Doubt]) -> int:
    """Ask what the content leaves open, nothing chosen; give how many questions are open."""
    asked = readings.open_questions(doubts, said(prefix))
    colour, icon = wording.badge_colour(State.WATCH), wording.icon(State.WATCH)
    for doubt in asked:
        with st.container(border=True, key=f"{prefix}_doubt_{doubt.topic}"):
            column = f" · column {wording.safe(doubt.column, length=40)}" if doubt.column else ""
            st.markdown(f":{colour}[{icon} **You decide{column}**]  \n{readings.question(doubt)}")
            st.radio(
                "Your answer", readings.answers(doubt), index=None, horizontal=True, key=f"{prefix}_ask_{doubt.topic}",
                format_func=partial(readings.label, doubt.topic), label_visibility="collapsed",
                on_change=_answer, args=(prefix, doubt.topic),
            )  # fmt: skip
    return len(asked)
