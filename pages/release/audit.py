"""The audit file on the page: whether it is whole in one line, what is wrong with it, all entries, the way to mend it.

It is read anew each time: what somebody does to the file does not pass through the store.
"""

from __future__ import annotations

import json

import streamlit as st

from pages.ui import dialogs, panels, session, wording
from pages.ui.wording import State
from pipeline_core.errors import StoreBroken
from pipeline_core.records import Act, AuditEntry, AuditReport, Schema
from pipeline_core.store import Store

FAULTS_SHOWN = 5
ENTRIES_SHOWN = 200
WHAT = {
    Act.DEFINE: "schema defined",
    Act.TRAIN: "version trained",
    Act.VERDICT: "verdict of the gate",
    Act.PROMOTE: "promoted",
    Act.ROLLBACK: "rolled back",
    Act.REJECT: "rejected",
    Act.RETIRE: "retired",
    Act.BASELINE: "baseline chosen",
    Act.SEVERITY: "rule changed",
    Act.RULING: "batch decided on",
    Act.REMOVE: "model removed",
    Act.ABSORB: "brought from another home",
    Act.MEND: "audit file mended",
}


def block(schema: Schema) -> None:
    """Draw the state of the audit file in one line, and what belongs to it folded away."""
    store = session.store()
    try:
        report = store.audit.verify()
    except StoreBroken as error:
        session.show(error)
        return
    state = State.OK if report.whole else State.PAGE if report.faults else State.WATCH
    st.markdown(f":{wording.badge_colour(state)}[{wording.icon(state)}] {line(report)}")
    for fault in report.faults[:FAULTS_SHOWN]:
        st.markdown(f"- {wording.safe(fault.message, length=400)}")
    if len(report.faults) > FAULTS_SHOWN:
        st.caption(f"{wording.count(len(report.faults) - FAULTS_SHOWN, 'more fault')}: `audit verify` lists them.")
    if report.faults:
        st.markdown(wording.safe(report.advice, length=400))
        if report.faults[0].code not in {"database", "head"} and st.button(
            "Mend the audit file …", key="audit_mend", icon=":material/build:"
        ):
            _confirm_mend()
    _entries(store, schema, report)


def line(report: AuditReport) -> str:
    """Say in one line how the audit file stands."""
    entries = (
        wording.count(report.entries, "entry") if report.entries == 1 else f"{wording.count(report.entries)} entries"
    )
    if report.faults:
        return f"**Audit chain broken**: {entries} recorded, and the file is not what was recorded."
    if report.waiting:
        return (
            f"**Audit chain waits**: {report.waiting} of {entries} could not be written to the file. Free disk space."
        )
    if not report.entries:
        return (
            "**Audit chain empty**: nothing was decided since there is an audit file; it begins with the next decision."
        )
    return f"**Audit chain whole**: {entries}. Nothing was changed, taken out or cut off since they were written."


def _entries(store: Store, schema: Schema, report: AuditReport) -> None:
    with st.expander("Who decided what", icon=":material/history:", key="audit_entries", on_change="rerun") as fold:
        if not fold.open:
            return
        rows = [row(entry) for entry in session.cached(of_model, schema.model)]
        panels.table(
            rows, key="audit_rows", alt="Entries of the audit file about this model, newest first, with who, what and why",
            columns={"Why": st.column_config.TextColumn(width="large")},
        )  # fmt: skip
        st.caption(
            f"Each line holds the hash of the one before. Note the last one elsewhere, and `audit verify --head HASH` finds a"
            f" history that was rewritten whole: `{report.head}`"
        )
        st.download_button(
            "Download audit.jsonl", store.audit.content(), file_name="audit.jsonl", mime="application/jsonl",
            icon=":material/download:", key="audit_download", on_click="ignore",
        )  # fmt: skip


def of_model(store: Store, model: str) -> tuple[AuditEntry, ...]:
    """Read the newest entries about a model."""
    return store.audit.entries(model, last=ENTRIES_SHOWN)


def row(entry: AuditEntry) -> dict[str, object]:
    """Give one entry as a line of a table."""
    ids = {name: value for name, value in entry.about.items() if value is not None and not name.endswith("sha256")}
    return {
        "Entry": entry.sequence,
        "When": wording.clock(entry.at),
        "What": WHAT[entry.act],
        "By": entry.by or wording.DASH,
        "Why": entry.reason or wording.DASH,
        "Of": ", ".join(
            f"{name} {value if isinstance(value, str) else json.dumps(value)}" for name, value in ids.items()
        ),
        "Hash": entry.hash[:12],
    }


def _confirm_mend() -> None:
    def act(by: str, reason: str) -> None:
        report = session.store().audit.mend(by=by, reason=reason)
        session.tell(f"The audit file is written anew: {report.entries:,} entries.", icon=":material/build:")

    dialogs.confirm(
        "Mend the audit file?",
        "The file as it is now is kept beside the new one, which is written from the database. That you did so, why, and the hash of"
        " the old file become an entry that cannot be erased.",
        button="Write it anew",
        action=act,
        key="confirm_mend",
        reason="Reason (kept in the audit file)",
    )
