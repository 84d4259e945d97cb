"""Files that come in through the screen: on disk for as long as a flow reads them, and what became of them.

A file that can be read in two ways is kept, with the question in the place of the form, until somebody has answered.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import streamlit as st
from streamlit.typing import UploadedFile

from pages.intake import reader, readings, words
from pages.ui import session, wording
from pages.ui.wording import State
from pipeline_core.errors import Doubtful, PipelineError
from pipeline_core.flows import intake
from pipeline_core.records import BatchStatus, Doubt, Reading, Schema

KINDS = ["csv", "tsv", "txt", "json", "jsonl", "ndjson", "parquet", "arrow", "feather", "xlsx", "gz", "zst"]
FORMATS = "CSV, JSON, Parquet, Arrow or Excel, also as .gz or .zst"
CHOICES = {"score": "Receive and score", "receive": "Receive", "labels": "Take as labels"}
RESULT, PENDING, READ = "arrival_result", "arrival_pending", "arrival"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A file that waits for an answer, and what was said when it was last tried."""

    model: str
    upload: UploadedFile
    what: str
    question: str
    doubts: tuple[Doubt, ...]
    used: Reading
    tried: Reading


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
    pending: Pending | None = st.session_state.get(PENDING)
    if pending is not None and pending.model == schema.model:
        _ask(schema, pending)
        return
    with st.form("arrival", clear_on_submit=True):
        upload = st.file_uploader(
            f"A further file: {FORMATS}", type=KINDS, key="arrival_file", max_upload_size=limit_mb()
        )
        choices = list(CHOICES) if champion else ["receive", "labels"]
        what = st.radio("What to do with it", choices, format_func=CHOICES.get, key="arrival_what", horizontal=True)
        go = st.form_submit_button("Send the file", type="primary", key="arrival_send", icon=":material/upload:")
    if not champion:
        st.caption("Scoring needs a champion: train and promote a version first.")
    if not go:
        return
    if upload is None:
        st.warning(f"No file was chosen. Choose one first: {FORMATS}.")
        return
    reader.begin(READ)
    _send(schema, upload, what or "receive")


def limit_mb() -> int:
    """Give the largest upload that the policy allows, in MB."""
    return max(1, int(session.store().policy.upload_bytes_max) // 1_000_000)


def _send(schema: Schema, upload: UploadedFile, what: str) -> None:
    """Send a file as it was said to be read; what it leaves open becomes a question."""
    with session.guard(), st.spinner(f"Reading and checking {wording.safe(upload.name)} …", show_time=True):
        st.session_state.pop(RESULT, None)
        try:
            st.session_state[RESULT] = (schema.model, *_take(schema, upload, what))
            st.session_state.pop(PENDING, None)
        except Doubtful as error:
            st.session_state[PENDING] = _pending(schema, upload, what, question=error.message)
        st.rerun()


def _pending(schema: Schema, upload: UploadedFile, what: str, *, question: str) -> Pending:
    said, used = reader.said(READ), Reading(format="csv")
    doubts: tuple[Doubt, ...] = ()
    with suppress(PipelineError), on_disk(upload) as path:  # the question stands, with or without its options
        seen = intake.preview(session.store(), path, name=upload.name, reading=said).unpacked
        used = seen.reading
        # what the first file settled is not asked again, unless it is all that is asked
        doubts = readings.open_questions(seen.doubts, said.over(schema.reading)) or readings.open_questions(
            seen.doubts, said
        )
        reader.fill(READ, used, [column.name for column in seen.columns])
    return Pending(
        model=schema.model, upload=upload, what=what, question=question, doubts=doubts, used=used, tried=said
    )


def _ask(schema: Schema, pending: Pending) -> None:
    """Ask how a kept file is to be read; the last answer sends it."""
    with st.container(border=True, key="arrival_question"):
        st.markdown(f"**{wording.safe(pending.upload.name)}** is kept, and nothing of it is stored yet.")
        still_open = reader.questions(READ, pending.doubts)
        if not pending.doubts:
            st.warning(wording.safe(pending.question, length=900), icon=wording.icon(State.WATCH))
        reader.change(READ, pending.used, expanded=not pending.doubts)
        changed = reader.said(READ) != pending.tried
        with st.container(horizontal=True):
            again = st.button("Send it again", key="arrival_again", disabled=still_open > 0) if changed else False
            st.button("Do not send it", key="arrival_drop", type="tertiary", on_click=_drop)
    if again or (pending.doubts and not still_open and st.session_state.get("arrival_answered") != reader.said(READ)):
        st.session_state["arrival_answered"] = reader.said(
            READ
        )  # tried once by itself; after an error only by the button
        _send(schema, pending.upload, pending.what)


def _drop() -> None:
    st.session_state.pop(PENDING, None)
    reader.begin(READ)


def _take(schema: Schema, upload: UploadedFile, what: str) -> tuple[State, str, str | None]:
    store, reading = session.store(), reader.said(READ)
    with on_disk(upload) as path:
        if what == "labels":
            labels = intake.labels(store, schema.model, path, source=upload.name, reading=reading)
            return words.labels_state(labels), words.labels_result(labels), labels.batch_id
        report = intake.receive(store, schema.model, path, source=upload.name, reading=reading)
    state, text = words.outcome_state(report), words.outcome(report, schema)
    if what == "score" and report.status is BatchStatus.ACCEPTED:
        text += " " + words.scored(intake.score(store, schema.model, batch_id=report.batch_id), schema)
        text += " " + session.check_soon(schema.model)
    return state, text, report.batch_id


def _tell(state: State, text: str, batch_id: str | None) -> None:
    box = {State.PAGE: st.error, State.WATCH: st.warning, State.OK: st.success, State.UNKNOWN: st.info}[state]
    box(text, icon=wording.icon(state))
    if batch_id:
        # a link to the page that one is on does not reach the address bar, and the next click would lose the batch
        st.button(
            f"Open {batch_id}", key="arrival_open", icon=":material/arrow_forward:", type="tertiary",
            on_click=session.ask, kwargs={"batch": batch_id},
        )  # fmt: skip
