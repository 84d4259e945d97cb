"""Replay: what would the watch have said of a history? Tune before going live, or check the product on data of your own."""

import streamlit as st

from pages.ui import panels, session
from pages.watch import reads, replayform, replayreads, replayresult, replaywords

schema = session.model()
if schema is None:
    panels.empty(
        "Replay: what would the watch have said?",
        "A history is sent through the same code as if it came in live, window by window, and this page shows what would have"
        " been raised and when. It needs a model with a champion.",
        page="define",
        action="Define a model",
    )
    st.stop()

champion = session.cached(reads.champion, schema.model)
if champion is None:
    panels.empty(
        "A history is replayed against a champion; there is no champion yet.",
        "Train a version on the beginning of your history and let the gate promote it. Then its later part can be replayed.",
        page="training",
        action="Train the first version",
    )
    st.stop()

replayed = session.cached(replayreads.latest, schema.model)
text, state = replaywords.answer(replayed, champion, schema)
panels.sentence(text, state=state)
busy = any(job.verb == "replay" for job in session.active_jobs(schema.model))
panels.job_progress(schema.model, key="replay_jobs")
replayform.form(schema, busy=busy, first=replayed is None)

if replayed is not None:
    replayresult.page(replayed, schema, stale=replayed.report.version != champion.version)
elif not busy:
    st.caption(
        "The store stays as it is: the champion and what it was made from are linked into a scratch home, which goes when the"
        " answer is there."
    )
