"""Batches: what came in, what was refused and why; the place to send a further file."""

import streamlit as st

from pages.intake import arrival, batch, columns, reads, rulings, severities, words
from pages.ui import charts, losses, panels, session, wording

schema = session.model()
if schema is None:
    panels.empty(
        "What came in?",
        "Every file that arrives is typed, checked against the first one and accepted or quarantined as a whole. This page"
        " shows them all. It needs a model with a first file.",
        page="define",
        action="Define a model",
    )
    st.stop()

rulings.carry_out(schema)
losses.warn(schema.model)
arrivals = session.cached(reads.arrivals, schema.model)
asked = st.query_params.get("batch")
if asked:
    batch.page(asked, arrivals, schema)
    st.stop()

period = session.period()
shown = [b for b in arrivals.batches if period.holds(b.last_event_at or b.received_at)]
if not arrivals.batches:
    panels.sentence(f"Nothing came in for **{wording.safe(schema.model)}** yet.", state=words.arrivals_state(arrivals))
    arrival.panel(schema, champion=arrivals.champion)
    st.stop()

panels.sentence(words.arrivals_sentence(arrivals, shown, schema), state=words.arrivals_state(arrivals))
panels.job_progress(schema.model, key="batches_jobs")
left, right = st.columns(2, gap="large")
with left:
    panels.chart(
        charts.batch_strip(shown, schema=schema, title=words.strip_title(shown, period.label)),
        key="batch_strip",
        alt="Rows per batch over time, accepted and quarantined",
        table=columns.batches(shown, arrivals, schema),
    )
with right:
    arrival.panel(schema, champion=arrivals.champion)

if shown:
    picked = panels.table(
        columns.batches(shown, arrivals, schema),
        key=f"batches_{st.session_state.get(batch.TURN, 0)}",
        alt="Batches, newest first; pick a row to open it",
        columns=columns.FORMATS,
        select=True,
    )
    if picked is not None:
        batch.forget_row()
        st.query_params["batch"] = shown[picked].batch_id
        st.rerun()
    severities.changed(schema, arrivals.severities)
else:
    st.info(f"No batch has rows in the period “{period.label}”. Pick a longer one in the sidebar.")
