"""Blocks of the page "New model": the choices, what will happen, the button, the result."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.intake import firstfile, proposal, reader, roles, words
from pages.intake.firstfile import FirstFile
from pages.ui import panels, session
from pages.ui.wording import State
from pipeline_core.flows import intake
from pipeline_core.records import ColumnType, Role
from pipeline_core.stages.schema import Suggestion

DONE = "define_done"
EDITOR_COLUMNS: dict[str, Any] = {
    "name": st.column_config.TextColumn("Column", width=175),
    "type": st.column_config.SelectboxColumn("Type", width=90, options=[t.value for t in ColumnType], required=True),
    "role": st.column_config.SelectboxColumn(
        "Role",
        width=90,
        options=[r.value for r in Role],
        required=True,
        help="Protected columns are kept for audits, never fed in.",
    ),
    "examples": st.column_config.TextColumn("Examples", width=125),
    "nulls": st.column_config.NumberColumn("Nulls", format="percent", width=60),
    "distinct": st.column_config.NumberColumn("Distinct", format="localized", width=75),
    "why": st.column_config.TextColumn("Why", width=238),
}


def choices(suggestion: Suggestion) -> None:
    """Draw the choices that make a model; each takes its column out of the other roles."""
    names = [guess.name for guess in suggestion.columns]
    classes = positive_classes(suggestion)
    grid = st.grid(3)
    grid.text_input("Model name", key="define_model", max_chars=60, help="Letters, digits, dash and underscore.")
    with grid.cell():
        _single(Role.TARGET, "Target: what to predict", names)
    grid.selectbox(
        "Positive class", classes, index=None, key="define_positive", disabled=not classes, accept_new_options=True,
        placeholder="yes, 1, true, or the rarer" if classes else "only for two classes",
        help="A score is the probability of this class.",
    )  # fmt: skip
    with grid.cell():
        _single(Role.TIME, "Event time", names)
    with grid.cell():
        _single(Role.ID, "Row id", names)
    with grid.cell():
        _several(Role.PROTECTED, "Protected (audits only)", names)
    with grid.cell():
        _zone(suggestion)
    with grid.cell(column_span=2):
        _several(Role.EXCLUDED, "Excluded", names)


def _zone(suggestion: Suggestion) -> None:
    """Ask in which zone days begin; UTC unless somebody says otherwise, the browser's own zone is near at hand."""
    clock = roles.has_clock(suggestion)
    near = [zone for zone in (roles.UTC, st.context.timezone) if zone]
    st.selectbox(
        "Days begin in the zone", list(dict.fromkeys([*near, *sorted(available_timezones())])), key=roles.ZONE,
        disabled=not clock, accept_new_options=True,
        help="Windows of days, weeks and hours follow this clock, also when it changes for summer. It stays with the model."
        if clock
        else "Only an event time with a clock has days in a zone.",
    )  # fmt: skip


def _single(role: Role, label: str, names: list[str]) -> None:
    placeholder = "Choose a column" if role is Role.TARGET else "none"
    st.selectbox(
        label, names, index=None, key=roles.SINGLE[role], placeholder=placeholder, on_change=roles.chosen, args=(role,)
    )


def _several(role: Role, label: str, names: list[str]) -> None:
    st.multiselect(label, names, key=roles.SEVERAL[role], on_change=roles.chosen, args=(role,), placeholder="none")


def positive_classes(suggestion: Suggestion) -> list[str]:
    """Give the two classes of a binary target, as far as the examples tell."""
    target = st.session_state.get(roles.SINGLE[Role.TARGET])
    guess = next((g for g in suggestion.columns if g.name == target), None)
    return list(guess.examples) if guess is not None and guess.distinct == 2 else []


def suspects(suggestion: Suggestion) -> None:
    """Name the features that may give the target away, each with the click that leaves it out."""
    found = roles.suspects(suggestion)
    for i, finding in enumerate(found):
        with st.container(horizontal=True, vertical_alignment="center", key=f"define_suspect_{i}"):
            panels.findings([finding], key=f"define_suspect_text_{i}")
            st.button("Exclude it", key=f"define_exclude_{i}", on_click=roles.leave_out, args=(finding.column,))


def finish(file: FirstFile, suggestion: Suggestion, *, answer: DeltaGenerator, questions: int = 0) -> None:
    """Say what will happen, above in short, and draw the button that makes it so; disabled says why."""
    name = (st.session_state["define_model"] or "").strip()
    given = roles.arguments(suggestion)
    block = proposal.define_block(name, given["target"], known=session.models(), questions=questions)
    with answer:
        if questions:
            panels.sentence(proposal.asks(file.name, questions), state=State.WATCH)
        else:
            state = State.UNKNOWN if block else State.OK
            panels.sentence(proposal.will_predict(name, given, suggestion), state=state)
    if block is None:
        st.markdown(proposal.will_define(given, suggestion, whole=file.is_whole(suggestion.rows)))
    go = st.button("Define model", type="primary", key="define_go", disabled=block is not None, help=block)
    if block:
        st.caption(f":material/block: {block}")
    if go:
        with session.guard(), st.spinner("Learning schema and baseline from every row …", show_time=True):
            with file.on_disk() as path:
                st.session_state[DONE] = intake.define(
                    session.store(), name, path, source=file.name, reading=reader.said(firstfile.READ), **given
                )
            firstfile.done()
            st.rerun()


def result() -> bool:
    """Say what was defined last, with the way to the next step; False where nothing was."""
    done: intake.Definition | None = st.session_state.get(DONE)
    if done is None:
        return False
    panels.sentence(proposal.defined(done.schema), state=words.outcome_state(done.batch))
    st.markdown(words.outcome(done.batch, done.schema))
    panels.findings(done.batch.findings, key="define_findings", most=8)
    with st.container(horizontal=True):
        go = st.button(
            "Train the first version", type="primary", key="define_train", icon=":material/arrow_forward:",
            on_click=_pick, args=(done.schema.model,),
        )  # fmt: skip
        st.button("Define another model", key="define_another", on_click=lambda: st.session_state.pop(DONE))
    if go:
        st.session_state.pop(DONE)
        # None would clear the URL and with it the bound model, which Streamlit refuses
        st.switch_page(session.PAGES["training"], query_params={})
    return True


def _pick(model: str) -> None:
    # the sidebar's choice can only be set before the frame draws it
    st.session_state["model"] = model
