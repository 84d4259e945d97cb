"""The overview: is anything wrong now, where, and what is the next step."""

from __future__ import annotations

import streamlit as st

from pages.ui import charts, losses, panels, session
from pages.watch import blocks, cards, reads, words
from pipeline_core.sources import demo as demo_source

schema = session.model()
if schema is None:
    blocks.welcome()
    st.stop()

losses.warn(schema.model)
seen = session.cached(reads.seen, schema.model)
period = session.period()
windows = reads.inside(seen.report.windows, period) if seen.report else ()

text, state = words.overview(seen, windows, schema, policy=session.store().policy)
panels.sentence(text, state=state)
label, page, why, query = words.step(seen, windows)
panels.next_step(label, page, key="next", why=why, query=query or None)

if seen.champion is None:
    blocks.way(seen)
    st.stop()

panels.cards(cards.cards(seen, windows, schema), key="cards")

if len(windows) < 2:
    blocks.needs_you(seen, schema)
    st.caption("Volume, drift, scores and performance over time stand here from the second window on.")
else:
    left, right = st.columns([5, 7], gap="large")
    with left:
        blocks.needs_you(seen, schema)
    with right:
        panels.chart(
            charts.strip(
                blocks.lanes(windows, schema),
                title=words.strip_title(windows, schema),
                schema=schema,
                markers=blocks.markers(seen, windows, schema),
                limits=blocks.limits(windows, schema),
            ),
            key="strip",
            alt="Volume, weighted drift, mean score and realised metric by window, with promotions and quarantined batches",
            table=blocks.strip_rows(windows, schema),
        )
if schema.demo:
    fold = st.expander("What happens in this demo", icon=":material/science:", key="demo_fold", on_change="rerun")
    with fold:
        if fold.open:
            blocks.demo_story(demo_source.INCIDENTS, seen.report.windows if seen.report else (), seen.batches)
