"""One batch: why it was accepted or refused, what was done to it, its columns and rows, what may be done about it."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import streamlit as st

from pages.intake import columns, findings, ledger, offending, readings, reads, rulings, severities, words
from pages.intake.reads import Arrivals
from pages.ui import panels, session, wording
from pages.ui.wording import State
from pipeline_core.errors import nearest
from pipeline_core.flows import intake
from pipeline_core.records import BatchReport, BatchStatus, Schema

TURN = "batches_turn"
PREDICTIONS_SHOWN = 12


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
    if report.ruling:
        st.markdown(words.ruling(report))
    findings.listing(report, schema, overrides=arrivals.severities)
    _actions(report, arrivals, schema)
    parts = _parts(report, arrivals)
    for tab, draw in zip(st.tabs(list(parts), key="batch_tabs"), parts.values(), strict=True):
        with tab, session.guard():
            draw(report, schema)
    severities.changed(schema, arrivals.severities)
    notes = "".join(f" · {wording.safe(note, length=200)}" for note in report.notes)
    st.caption(f"{readings.described(report.reading)}{notes}")
    st.caption(
        f"SHA-256 {report.sha256} · schema {report.schema_version} · received {wording.clock(report.received_at)}"
    )


def _parts(report: BatchReport, arrivals: Arrivals) -> dict[str, Callable[[BatchReport, Schema], None]]:
    """Give the tabs that the batch has something for; the one that matters most first."""
    parts: dict[str, Callable[[BatchReport, Schema], None]] = {}
    refused = report.status is BatchStatus.QUARANTINED
    if refused and any(finding.examples for finding in report.findings):
        parts["Offending rows"] = offending.draw
    parts["Columns"] = _columns
    if refused and "Offending rows" not in parts:
        parts["Rows as they arrived"] = offending.draw
    changed = sum(change.rows for _, change in ledger.entries(report))
    parts[f"Ledger ({changed:,} changed)" if changed else "Ledger"] = ledger.draw
    if report.status is BatchStatus.ACCEPTED:
        parts["First rows"] = _first_rows
    if report.set_aside_rows:
        parts[f"Set aside ({report.set_aside_rows:,})"] = _aside
    if report.batch_id in arrivals.scored:
        parts["Predictions"] = _predictions
    return parts


def _back() -> None:
    st.query_params.pop("batch", None)
    forget_row()


def forget_row() -> None:
    """Give the list a new key: the browser would give the old one its picked row back, and open the batch again."""
    st.session_state[TURN] = st.session_state.get(TURN, 0) + 1


def _actions(report: BatchReport, arrivals: Arrivals, schema: Schema) -> None:
    go = False
    with st.container(horizontal=True, vertical_alignment="center", key="batch_actions"):
        if report.status is BatchStatus.ACCEPTED:
            go = _score_button(report, arrivals)
        else:
            label, primary = "Send a corrected file", report.status is BatchStatus.QUARANTINED
            st.button(
                label,
                key="batch_resend",
                type="primary" if primary else "secondary",
                icon=":material/upload:",
                on_click=_back,
            )
        if report.status is BatchStatus.QUARANTINED:
            rulings.buttons(report, schema)
        raw = session.cached(reads.raw_file, report)
        if raw is not None:
            st.download_button(
                "Download as received", data=raw.read_bytes, file_name=f"{report.batch_id}{raw.suffix}", key="batch_raw"
            )
        block = words.score_block(report, arrivals)
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


def _score_button(report: BatchReport, arrivals: Arrivals) -> bool:
    block = words.score_block(report, arrivals)
    label = f"Score with champion v{arrivals.champion}" if arrivals.champion else "Score"
    return st.button(label, key="batch_score", type="primary", disabled=block is not None, help=block)


def _columns(report: BatchReport, schema: Schema) -> None:
    alt = "Columns of the batch, types and nulls beside the baseline; those with findings first"
    panels.table(columns.rows(report, schema), key="batch_columns", alt=alt, columns=columns.FORMATS)


def _first_rows(report: BatchReport, schema: Schema) -> None:
    table = session.cached(reads.first_rows, schema.model, report.batch_id)
    panels.table(columns.named(table, schema), key="batch_rows", alt="First rows of the batch as stored")


def _aside(report: BatchReport, schema: Schema) -> None:
    st.markdown("These rows broke a rule about rows. They take part in nothing; the file as received keeps them.")
    table = columns.aside(session.cached(reads.aside, schema.model, report.batch_id), schema)
    panels.table(table, key="batch_aside", alt="Rows that were set aside, with the reason")
    panels.download_csv("Download the list", table, name=f"{report.batch_id}-set-aside.csv", key="batch_aside_csv")


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
