"""Removing a model with everything that belongs to it: folded away, named in full, and only for who types its name."""

from __future__ import annotations

import streamlit as st

from pages.release import reads
from pages.ui import dialogs, session, wording
from pipeline_core.records import Schema


def fold(schema: Schema) -> None:
    """Draw the fold with the button that asks; while work is under way for the model it is disabled and says why."""
    with st.expander("Remove this model", icon=":material/delete:", key="removal"):
        busy = bool(session.active_jobs(schema.model))
        st.markdown(f"{_belongings(schema.model)} This cannot be undone; other models stay as they are.")
        why = "Work is under way for this model: remove it when that has ended." if busy else None
        if st.button("Remove …", key="remove", disabled=busy, help=why, icon=":material/delete:"):
            _confirm(schema)
        if why:
            st.caption(f":material/block: {why}")


def _belongings(model: str) -> str:
    """Say what would go."""
    found = session.cached(reads.belongings, model)
    told = [wording.count(n, noun) for noun, n in found.items()]
    return f"**{wording.safe(model)}** goes, with {', '.join(told[:-1])} and {told[-1]}, and all their files."


def _confirm(schema: Schema) -> None:
    model = schema.model

    def act(by: str, reason: str) -> None:
        session.store().models.remove(model, by=by, reason=reason)
        rest = session.models()
        if rest:
            st.session_state["model"] = rest[0]  # otherwise the URL would go on asking for what is gone
        session.tell(f"{wording.safe(model)} is removed.", icon=":material/delete:")

    dialogs.confirm_by_name(
        f"Remove {wording.safe(model, length=40)}?",
        f"{_belongings(model)} Its history of promotions goes too; the audit file keeps who decided what. This cannot be undone.",
        button="Remove it for good",
        action=act,
        key="confirm_remove",
        name=model,
    )
