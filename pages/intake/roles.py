"""What the person says about the columns of a first file: one truth for the choices and the editable table.

The truth is the state of the widgets (target, time, id, protected, excluded) and a mapping of corrected types. The
table shows it and its edits are written back here, so that the two ways to say a thing never disagree.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import streamlit as st

from pages.ui import wording
from pipeline_core.records import ColumnType, Finding, Role
from pipeline_core.stages.schema import Suggestion

SINGLE = {Role.TARGET: "define_target", Role.TIME: "define_time", Role.ID: "define_id"}
SEVERAL = {Role.PROTECTED: "define_protected", Role.EXCLUDED: "define_exclude"}
BRIEF = 10
TYPES, EDITOR, ZONE = "define_types", "define_columns", "define_zone"
UTC = "UTC"


def begin(suggestion: Suggestion, *, file_name: str) -> None:
    """Fill all choices with what the file suggests; runs once per file, before the widgets are drawn."""
    state = st.session_state
    state["define_model"] = re.sub(r"[^a-z0-9]+", "_", Path(file_name).stem.lower()).strip("_")[:40] or "model"
    state[SINGLE[Role.TARGET]], state[SINGLE[Role.TIME]] = suggestion.target, suggestion.time
    state[SINGLE[Role.ID]] = suggestion.id
    state[SEVERAL[Role.PROTECTED]], state[SEVERAL[Role.EXCLUDED]] = [*suggestion.protected], [*suggestion.exclude]
    state["define_positive"], state[ZONE] = None, UTC
    state[TYPES] = {}
    state.pop(EDITOR, None)


def role_of(name: str) -> Role:
    """Give the role of a column as the choices stand."""
    state = st.session_state
    single = next((role for role, key in SINGLE.items() if state.get(key) == name), None)
    several = next((role for role, key in SEVERAL.items() if name in (state.get(key) or ())), None)
    return single or several or Role.FEATURE


def give(name: str, role: Role) -> None:
    """Give a column one role and take it out of all others."""
    state: MutableMapping[Any, Any] = st.session_state
    for key in SINGLE.values():
        if state.get(key) == name:
            state[key] = None
    for key in SEVERAL.values():
        state[key] = [kept for kept in state.get(key) or () if kept != name]
    if role in SINGLE:
        state[SINGLE[role]] = name
    elif role in SEVERAL:
        state[SEVERAL[role]] = [*state[SEVERAL[role]], name]


def chosen(role: Role) -> None:
    """Take what a choice now holds out of the other roles: the callback of that choice."""
    value = st.session_state.get(SINGLE.get(role) or SEVERAL[role])
    for name in [value] if isinstance(value, str) else list(value or ()):
        give(name, role)
    if role is Role.TARGET:
        st.session_state["define_positive"] = None


def edited(suggestion: Suggestion) -> None:
    """Write the edits of the table back to the choices: the callback of the table."""
    for position, change in st.session_state[EDITOR]["edited_rows"].items():
        name = suggestion.columns[int(position)].name
        if "role" in change:
            give(name, Role(change["role"]))
        if "type" in change:
            st.session_state[TYPES] = st.session_state[TYPES] | {name: ColumnType(change["type"])}


def has_clock(suggestion: Suggestion) -> bool:
    """Say whether the event time, as it was chosen, is one of a clock: only that has days in a zone."""
    name, types = st.session_state.get(SINGLE[Role.TIME]), st.session_state[TYPES]
    kind = next((types.get(g.name, g.type) for g in suggestion.columns if g.name == name), None)
    return kind is ColumnType.TIMESTAMP


def rows(suggestion: Suggestion) -> list[dict[str, object]]:
    """Give the columns of the file as rows of the table."""
    types = st.session_state[TYPES]
    return [
        {
            "name": wording.cell(guess.name),
            "type": types.get(guess.name, guess.type).value,
            "role": role_of(guess.name).value,
            "examples": wording.cell(", ".join(_brief(example) for example in guess.examples)),
            "nulls": guess.null_share,
            "distinct": guess.distinct,
            "why": guess.why if role_of(guess.name) is guess.role else "as you said",
        }
        for guess in suggestion.columns
    ]


def leave_out(name: str) -> None:
    """Leave a column out, as its button says."""
    give(name, Role.EXCLUDED)


def suspects(suggestion: Suggestion) -> list[Finding]:
    """Give the features that may give the target away, as long as the target is the one that was guessed."""
    if st.session_state.get(SINGLE[Role.TARGET]) != suggestion.target:
        return []
    return [f for f in suggestion.suspects if f.column and role_of(f.column) is Role.FEATURE]


def _brief(example: str) -> str:
    """Cut the digits of a long number: an example has to be recognised, not computed with."""
    try:
        number = float(example)
    except ValueError:
        return example
    return (f"{number:.4g}" if len(example) > BRIEF else example).replace("-", wording.MINUS)


def arguments(suggestion: Suggestion) -> dict[str, Any]:
    """Give the choices as the verb takes them; a feature that a default would leave out is named."""
    state = st.session_state
    guessed_out = {g.name for g in suggestion.columns if g.role is Role.EXCLUDED}
    return {
        "target": state[SINGLE[Role.TARGET]],
        "positive": state.get("define_positive"),
        "time": state[SINGLE[Role.TIME]],
        "id": state[SINGLE[Role.ID]],
        "protected": tuple(state[SEVERAL[Role.PROTECTED]]),
        "exclude": tuple(state[SEVERAL[Role.EXCLUDED]]),
        "features": tuple(
            g.name for g in suggestion.columns if g.name in guessed_out and role_of(g.name) is Role.FEATURE
        ),
        "types": dict(state[TYPES]),
        "zone": state.get(ZONE) if has_clock(suggestion) else None,
    }
