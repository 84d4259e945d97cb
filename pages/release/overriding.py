"""What two people may do about a proven violation: one promotes, the other one answers for it."""

from __future__ import annotations

import streamlit as st

from pages.release.reads import Shelf
from pages.ui import session, wording
from pipeline_core.flows import release
from pipeline_core.records import ModelVersion, Schema, Verdict
from pipeline_core.stages.registry import Override

KEY = "override"
FIELDS = {
    "your name": f"{KEY}_by",
    "the reason of the promotion": f"{KEY}_reason",
    "the second person's name": f"{KEY}_second",
    "the second person's reason": f"{KEY}_second_reason",
}


def offered(verdict: Verdict | None, shelf: Shelf) -> bool:
    """Say whether nothing but a proven violation stands between the version and its promotion."""
    return verdict is not None and verdict.epoch == shelf.epoch and verdict.blocked_by_bias


def form(version: ModelVersion, shelf: Shelf, schema: Schema) -> None:
    """Draw the form of the override; only where ``offered``."""
    with st.expander("Override the block, with a second person", icon=":material/group:"):
        st.caption(
            "The gate would let this version pass; only the bias audit blocks it. Somebody else than you can let it pass all"
            " the same. Both names and reasons stay in the registry and in the lineage for good."
        )
        with st.form(f"{KEY}_form", border=False):
            session.person(key=FIELDS["your name"])
            st.text_area("Reason of the promotion", key=FIELDS["the reason of the promotion"], max_chars=500, height=80)
            st.text_input(
                "Name of the second person", key=FIELDS["the second person's name"], max_chars=80,
                placeholder="Who else answers for this?",
            )  # fmt: skip
            st.text_area(
                "Why it may pass although the violation is proven", key=FIELDS["the second person's reason"], max_chars=500,
                height=80,
            )  # fmt: skip
            sent = st.form_submit_button(
                f"Make v{version.version} champion all the same",
                key=f"{KEY}_yes",
                on_click=_act,
                args=(version, shelf, schema),
            )
        if sent and (lacking := _missing()):
            st.warning(lacking, icon=":material/edit:")


def _missing() -> str:
    blank = [said for said, field in FIELDS.items() if not session.typed(field)]
    return f"Fill in {' and '.join(blank)} first." if blank else ""


def _act(version: ModelVersion, shelf: Shelf, schema: Schema) -> None:
    if _missing():
        return
    by, reason, second, why = (session.typed(field) for field in FIELDS.values())
    with session.later():
        release.promote(
            session.store(),
            schema.model,
            version=version.version,
            by=by,
            reason=reason,
            override=Override(by=second, reason=why),
            expected_epoch=shelf.epoch,
        )
        told = f"v{version.version} is champion of {wording.safe(schema.model)}, by an override."
        session.tell(f"{told} {session.check_soon(schema.model)}", icon=":material/trophy:")
