"""Files that come in through the screen: on disk for as long as a flow reads them, and what became of them."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import streamlit as st
from streamlit.typing import UploadedFile

from pages.intake import words
from pages.ui import panels, session, wording
from pages.ui.wording import State
from pipeline_core.flows import intake
from pipeline_core.records import BatchStatus, Schema

KINDS = ["csv", "tsv", "txt", "parquet", "jsonl", "ndjson", "json"]
CHOICES = {"score": "Receive and score", "receive": "Receive", "labels": "Take as labels"}
RESULT = "arrival_result"


@contextmanager
def on_disk(upload: UploadedFile) -> Generator[Path]:
    """Give an upload as a file; its name never becomes a path, only its ending does."""
    ending = Path(upload.name).suffix.lower()
    with session.store().work_dir() as folder:
        path = folder / f"upload{ending if ending.removeprefix('.') in KINDS else ''}"
        path.write_bytes(upload.getbuffer())
        yield path


def panel(schema: Schema, *, champion: int | None) -> None:
    """Draw the upload of a further file: receive it, receive and score it, or take it as labels."""
    # kept until the next file: the check that follows reruns the page, and must not take the answer away
    told = st.session_state.get(RESULT)
    if told and told[0] == schema.model:
        _tell(*told[1:])
    with st.form("arrival", clear_on_submit=True):
        upload = st.file_uploader(
            "A further file: CSV, Parquet or JSON lines", type=KINDS, key="arrival_file", max_upload_size=limit_mb()
        )
        choices = list(CHOICES) if champion else ["receive", "labels"]
        what = st.radio("What to do with it", choices, format_func=CHOICES.get, key="arrival_what", horizontal=True)
        go = st.form_submit_button("Send the file", type="primary", key="arrival_send", icon=":material/upload:")
    if not champion:
        st.caption("Scoring needs a champion: train and promote a version first.")
    if not go:
        return
    if upload is None:
        st.warning("No file was chosen. Choose a CSV, Parquet or JSON lines file first.")
        return
    with session.guard(), st.spinner(f"Reading and checking {wording.safe(upload.name)} …", show_time=True):
        st.session_state.pop(RESULT, None)
        st.session_state[RESULT] = (schema.model, *_take(schema, upload, what or "receive"))
        st.rerun()


def limit_mb() -> int:
    """Give the largest upload that the policy allows, in MB."""
    return max(1, int(session.store().policy.upload_bytes_max) // 1_000_000)


def _take(schema: Schema, upload: UploadedFile, what: str) -> tuple[State, str, str | None]:
    store = session.store()
    with on_disk(upload) as path:
        if what == "labels":
            labels = intake.labels(store, schema.model, path)
            return words.labels_state(labels), words.labels_result(labels), labels.batch_id
        report = intake.receive(store, schema.model, path, source=upload.name)
    state, text = words.outcome_state(report), words.outcome(report, schema)
    if what == "score" and report.status is BatchStatus.ACCEPTED:
        text += " " + words.scored(intake.score(store, schema.model, batch_id=report.batch_id), schema)
        text += " " + session.check_soon(schema.model)
    return state, text, report.batch_id


def _tell(state: State, text: str, batch_id: str | None) -> None:
    box = {State.PAGE: st.error, State.WATCH: st.warning, State.OK: st.success, State.UNKNOWN: st.info}[state]
    box(text, icon=wording.icon(state))
    if batch_id:
        panels.link(f"Open {batch_id}", "batches", query={"batch": batch_id})
