"""Batches that were promised and are not whole any more: said above the page, with what to do about it."""

from __future__ import annotations

import streamlit as st

from pages.ui import session, wording
from pipeline_core.flows import restoring
from pipeline_core.flows.restoring import Restored
from pipeline_core.records import Loss

SHOWN = 8
MISSING = {
    "record": "its record is gone",
    "rows": "its rows are gone",
    "ruling": "what was decided about it is gone",
    "raw": "its file as received is gone",
}


def sentence(loss: Loss) -> str:
    """Say what is missing of a batch, and what to do; escaped."""
    if loss.missing == "ruling":
        todo = "Decide about it again."
    elif loss.raw_kept:
        todo = "The file as received is still here."
    else:
        todo = "Ask the sender for the file and send it again."
    source, rows = wording.safe(loss.source, length=60), wording.count(loss.rows, "row")
    missing = MISSING.get(loss.missing, "something is missing")
    return f"**{wording.safe(loss.batch_id)}** ({source}, {rows}, {wording.clock(loss.acknowledged_at)}): {missing}. {todo}"


def warn(model: str) -> None:
    """Warn of what was lost of a model, with the way to bring it back; nothing where nothing was."""
    lost = [loss for loss in session.store().losses if loss.model == model]
    if not lost:
        return
    listed = "\n".join(f"- {sentence(loss)}" for loss in lost[:SHOWN])
    more = f"\n\n{len(lost) - SHOWN:,} more." if len(lost) > SHOWN else ""
    st.error(
        f"It was received and acknowledged, and the store does not hold it whole any more. Figures below leave it out.\n\n{listed}{more}",
        title=f"{wording.count(len(lost), 'batch')} lost after {'it was' if len(lost) == 1 else 'they were'} received",
        icon=":material/running_with_errors:",
    )
    if any(loss.raw_kept for loss in lost) and st.button(
        "Bring back what can be", key="losses_restore", icon=":material/settings_backup_restore:"
    ):
        with session.guard(), st.spinner("Receiving again what was lost …", show_time=True):
            session.tell(brought_back(restoring.restore(session.store(), model)), icon=":material/healing:")
            st.rerun()


def brought_back(restored: Restored) -> str:
    """Say what became of the losses; escaped."""
    whole = (
        f"{wording.count(len(restored.batches), 'batch')} {'is' if len(restored.batches) == 1 else 'are'} whole again."
    )
    left = " ".join(wording.safe(left.reason, length=400) for left in restored.left[:SHOWN])
    return f"{whole} {left}".strip()
