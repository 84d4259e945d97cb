"""What a person may do about a batch that the door refused: take it in, throw it away, have it judged again.

A decision is asked for in a dialog and carried out by the run after it, where its progress can be seen. Neighbour:
``batch``, whose page this is part of.
"""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from pages.intake import words
from pages.ui import dialogs, session, wording
from pipeline_core.flows import intake
from pipeline_core.records import BatchReport, BatchStatus, Schema

DECIDED = "batch_decided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What a person has decided and what is yet to be done."""

    what: str
    model: str
    batch_id: str
    by: str = ""
    reason: str = ""


def carry_out(schema: Schema) -> None:
    """Do what was decided in the run before; the page that follows shows the batch as it then is."""
    decided: Decided | None = st.session_state.pop(DECIDED, None)
    if decided is None or decided.model != schema.model:
        return
    doing = {"readmit": "Taking in", "discard": "Discarding", "again": "Judging"}[decided.what]
    with session.guard(), st.spinner(f"{doing} {decided.batch_id} …", show_time=True):
        session.tell(_done(decided, schema), icon=":material/gavel:")
        st.rerun()


def _done(decided: Decided, schema: Schema) -> str:
    store, batch_id = session.store(), decided.batch_id
    if decided.what == "readmit":
        taken = intake.readmit(store, schema.model, batch_id, by=decided.by, reason=decided.reason)
        checked = f" {session.check_soon(schema.model)}" if store.models.champion(schema.model) else ""
        return f"{batch_id} is accepted with {wording.count(taken.rows, 'row')}.{checked}"
    if decided.what == "discard":
        intake.discard(store, schema.model, batch_id, by=decided.by, reason=decided.reason)
        return f"{batch_id} is discarded; what was found about it stays."
    return _again(store.batches.get(schema.model, batch_id), schema)


def _again(report: BatchReport, schema: Schema) -> str:
    store = session.store()
    raw = store.batches.raw_path(report)
    judged = intake.receive(store, schema.model, raw, source=report.source, reading=report.asked)
    if judged.status is BatchStatus.ACCEPTED and judged.batch_id != report.batch_id:
        st.query_params["batch"] = judged.batch_id
        return f"Judged again, it is accepted: as {judged.batch_id}. {report.batch_id} is closed; what was found about it stays."
    return f"Judged again under today's rules, {report.batch_id} is still quarantined ({words.tally(judged)})."


def buttons(report: BatchReport, schema: Schema) -> None:
    """Draw what may be done about a quarantined batch."""
    if st.button("Judge again", key="batch_again", icon=":material/refresh:", help=words.JUDGE_AGAIN):
        st.session_state[DECIDED] = Decided(what="again", model=schema.model, batch_id=report.batch_id)
        st.rerun()
    if st.button("Take it in anyway", key="batch_readmit", icon=":material/gavel:"):
        _ask(
            report,
            "readmit",
            title=f"Take in {report.batch_id} anyway",
            consequences=words.readmit_consequences(report),
            button="Take it in",
        )
    if st.button("Discard", key="batch_discard", icon=":material/delete:"):
        _ask(
            report,
            "discard",
            title=f"Discard {report.batch_id}",
            consequences=words.discard_consequences(report),
            button="Discard it",
        )


def _ask(report: BatchReport, what: str, *, title: str, consequences: str, button: str) -> None:
    def act(by: str, reason: str) -> None:
        st.session_state[DECIDED] = Decided(
            what=what, model=report.model, batch_id=report.batch_id, by=by, reason=reason
        )

    reason = "Reason (kept with the batch for good)"
    dialogs.confirm(title, consequences, button=button, action=act, key=f"confirm_{what}", reason=reason)
