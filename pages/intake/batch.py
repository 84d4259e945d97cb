"""One batch: why it was accepted or refused, its columns, its first rows, what the champion says about it."""

from __future__ import annotations

import pyarrow as pa
import streamlit as st

from pages.intake import columns, reads, words
from pages.intake.reads import Arrivals
from pages.ui import panels, session, wording
from pages.ui.wording import State
from pipeline_core.errors import nearest
from pipeline_core.flows import intake
from pipeline_core.records import BatchReport, BatchStatus, Schema

TURN = "batches_turn"
PREDICTIONS_SHOWN = 12
FINDINGS_SHOWN = 5


def page(batch_id: str, arrivals: Arrivals, schema: Schema) -> None:
    """Draw one batch in full, or say that there is none of that id."""
    st.button("All batches", key="batch_back", icon=":material/arrow_back:", type="tertiary", on_click=_back)
    report = arrivals.numbered(batch_id)
    if report is None:
        known = nearest(batch_id, [b.batch_id for b in arrivals.batches])
        panels.sentence(
            f"There is no batch {wording.safe(batch_id)} here. {wording.safe(known, length=200)}", state=State.UNKNOWN
        )
        return
    panels.sentence(words.outcome(report, schema), state=words.outcome_state(report))
    ranked = sorted(report.findings, key=lambda finding: list(words.SEVERITY_NOUNS).index(finding.severity))
    panels.findings(ranked[:FINDINGS_SHOWN], key="batch_findings")
    if rest := ranked[FINDINGS_SHOWN:]:
        with st.expander(f"{wording.count(len(rest), 'more finding')}"):
            panels.findings(rest, key="batch_findings_rest", most=200)
    _actions(report, arrivals, schema)
    names = ["Columns", *(["First rows"] if report.status is BatchStatus.ACCEPTED else [])]
    names += ["Predictions"] if report.batch_id in arrivals.scored else []
    for name, tab in zip(names, st.tabs(names, key="batch_tabs"), strict=True):
        with tab:
            _PARTS[name](report, schema)
    st.caption(
        f"SHA-256 {report.sha256} · schema {report.schema_version} · received {wording.clock(report.received_at)}"
    )


def _back() -> None:
    st.query_params.pop("batch", None)
    forget_row()


def forget_row() -> None:
    """Give the list a new key: the browser would give the old one its picked row back, and open the batch again."""
    st.session_state[TURN] = st.session_state.get(TURN, 0) + 1


def _actions(report: BatchReport, arrivals: Arrivals, schema: Schema) -> None:
    block = None
    if report.status is BatchStatus.QUARANTINED:
        block = "A quarantined batch is never scored."
    elif arrivals.champion is None:
        block = "There is no champion yet: train and promote a version first."
    elif report.batch_id in arrivals.scored:
        block = f"v{arrivals.champion} has scored it."
    label = f"Score with champion v{arrivals.champion}" if arrivals.champion else "Score"
    with st.container(horizontal=True, vertical_alignment="center"):
        go = st.button(label, key="batch_score", type="primary", disabled=block is not None, help=block)
        raw = session.cached(reads.raw_file, report)
        if raw is not None:
            st.download_button(
                "Download as received", data=raw.read_bytes, file_name=f"{report.batch_id}{raw.suffix}", key="batch_raw"
            )
        if block:
            st.caption(f":material/block: {block}")
    if go:
        with (
            session.guard(),
            st.spinner(f"v{arrivals.champion} scores {wording.count(report.rows, 'row')} …", show_time=True),
        ):
            said = intake.score(session.store(), schema.model, batch_id=report.batch_id)
            session.tell(words.scored(said, schema))
            st.rerun()


def _columns(report: BatchReport, schema: Schema) -> None:
    alt = "Columns of the batch, types and nulls beside the baseline; those with findings first"
    panels.table(columns.rows(report, schema), key="batch_columns", alt=alt, columns=columns.FORMATS)


def _first_rows(report: BatchReport, schema: Schema) -> None:
    table = session.cached(reads.first_rows, schema.model, report.batch_id)
    panels.table(columns.named(table, schema), key="batch_rows", alt="First rows of the batch as stored")


def _predictions(report: BatchReport, schema: Schema) -> None:
    table: pa.Table = session.cached(reads.predictions, schema.model, report.batch_id)
    kept = [name for name in ("row_id", "prediction", "score", "label") if name in table.column_names]
    said = table.select(kept)
    st.markdown(f"**What the champion said about {wording.count(said.num_rows, 'row')}**")
    panels.table(
        said.slice(0, PREDICTIONS_SHOWN).to_pylist(), key="batch_predictions", alt="First predictions of the batch"
    )
    st.download_button(
        "Download all predictions",
        data=lambda: panels.csv_text(said.to_pylist()).encode("utf-8-sig"),
        file_name=f"{report.batch_id}-predictions.csv",
        mime="text/csv",
        key="batch_said",
        on_click="ignore",
    )


_PARTS = {"Columns": _columns, "First rows": _first_rows, "Predictions": _predictions}
