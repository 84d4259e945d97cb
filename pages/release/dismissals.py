"""Taking a version out for good: a challenger is rejected, a present or former champion retired; each with its consequences."""

from __future__ import annotations

import streamlit as st

from pages.release.reads import Shelf
from pages.ui import dialogs, session, wording
from pipeline_core.flows import dismissing
from pipeline_core.records import ModelVersion, Schema, Stage

_BEFORE = {Stage.CHALLENGER: "challenger", Stage.RETIRED: "was champion", Stage.CHAMPION: "champion now"}


def fold(shelf: Shelf, schema: Schema) -> None:
    """Draw the fold with the choice of a version and the one thing that may be done to it; nothing where there is none."""
    legal = [v for v in shelf.versions if v.version not in shelf.dismissed]
    if not legal:
        return
    with st.expander("Take a version out for good", icon=":material/block:", key="dismissal"):
        st.markdown(
            "A challenger that shall never go out is **rejected**; a version that was champion is **retired**, so that nobody rolls"
            " back to it. Its record, file and predictions stay."
        )
        with st.container(horizontal=True, vertical_alignment="bottom"):
            picked = st.selectbox(
                "Version", legal, key="dismissal_pick", width=320,
                format_func=lambda v: f"v{v.version}, {_BEFORE[v.stage]}",
            )  # fmt: skip
            verb = word(picked)
            if st.button(f"{verb} v{picked.version} …", key="dismiss", icon=":material/block:"):
                _confirm(picked, shelf, schema)


def word(version: ModelVersion) -> str:
    """Name what may be done to a version."""
    return "Reject" if version.stage is Stage.CHALLENGER else "Retire"


def _confirm(version: ModelVersion, shelf: Shelf, schema: Schema) -> None:
    number, verb = version.version, word(version)

    def act(by: str, reason: str) -> None:
        store, model = session.store(), schema.model
        if version.stage is Stage.CHALLENGER:
            dismissing.reject(store, model, version=number, by=by, reason=reason, expected_epoch=shelf.epoch)
        else:
            empty = version.stage is Stage.CHAMPION
            dismissing.retire(
                store, model, version=number, leave_empty=empty, by=by, reason=reason, expected_epoch=shelf.epoch
            )
        session.tell(f"v{number} is {verb.lower()}{'ed' if verb == 'Reject' else 'd'}.", icon=":material/block:")

    dialogs.confirm(
        f"{verb} v{number} of {wording.safe(schema.model, length=40)}?",
        consequences(version, shelf),
        button=f"{verb} v{number} for good",
        action=act,
        key="confirm_dismissal",
        reason="Reason (kept with the version)",
    )


def consequences(version: ModelVersion, shelf: Shelf) -> str:
    """Say what taking a version out does."""
    number = version.version
    if version.stage is Stage.CHALLENGER:
        does = f"v{number} can no longer be challenged or promoted."
    elif version.stage is Stage.RETIRED:
        does = f"Nobody can promote v{number} again or roll back to it."
    else:
        back = f" Rolling back would bring v{shelf.rollback_to} in its place." if shelf.rollback_to else ""
        does = (
            f"**v{number} is the champion: without it nothing is scored and nothing is watched** until another version is promoted."
            f"{back} Nobody can promote v{number} again or roll back to it."
        )
    return f"{does} This cannot be undone; to bring the same model back, train it again. It is kept with your name and reason."
