"""Training: what could replace the champion, how it was made, and how versions compare."""

import streamlit as st

from pages.release import blocks, choice, differences, reads, runs, words
from pages.ui import panels, session

schema = session.model()
if schema is None:
    panels.empty(
        "What could replace the champion?",
        "This page trains versions of a model and compares them. It needs a model with a first file.",
        page="define",
        action="Define a model",
    )
    st.stop()

shelf = session.cached(reads.shelf, schema.model)
panels.sentence(words.training(shelf, schema), state=words.training_state(shelf))
panels.job_progress(schema.model, key="training_jobs")
if shelf.hopeful:
    panels.next_step(shelf.next_step, "challenge", key="decide")
runs.new_run(schema, shelf)

if shelf.versions:
    picked = choice.pick(shelf, schema)
    if len(picked) > 1:
        differences.side_by_side(picked, schema)
    elif picked:
        blocks.version(picked[0], schema)
else:
    st.caption("Trained versions appear here with their metrics, the rows they were made from and what they look at.")
