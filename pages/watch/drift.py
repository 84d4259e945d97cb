"""The drift page: which change matters, and what exactly changed."""

from __future__ import annotations

import streamlit as st

from pages.ui import panels, session
from pages.watch import evidence, reads, words

schema = session.model()
if schema is None:
    panels.empty(
        "Drift: which change matters?",
        "For every feature and every window, this page shows how far the data moved from what the model was trained on, sorted by "
        "how much the model leans on the feature. It needs a model with a champion, and later data.",
        page="define",
        action="Define a model",
    )
    st.stop()

champion = session.cached(reads.champion, schema.model)
if champion is None:
    panels.empty(
        "Drift is measured against a champion's training data; there is no champion yet.",
        "Train a version and let the gate promote it. Then every window of later data is compared with the rows it was fitted on.",
        page="training",
        action="Train the first version",
    )
    st.stop()

latest = session.cached(reads.report, schema.model, None)
size = evidence.size_choice(schema, latest)
report = session.cached(reads.report, schema.model, size)
windows = reads.inside(report.windows, session.period()) if report else ()
if not windows:
    evidence.nothing_checked(schema, size, report)
    st.stop()

feature, window = evidence.picked(windows)
found = next(drift for drift in window.features if drift.feature == feature)
policy = session.store().policy

paged = reads.last_paged(windows, window)
short = all(reads.undecided(w) for w in windows)
text, state = words.drift(window, schema)
if short:
    text = words.too_short(windows, rows_min=policy.window_rows_min)
panels.sentence(text + words.earlier(paged, schema), state=state)
evidence.controls(schema, report, size=size, paged=paged)

evidence.heat(windows, schema, feature=feature, window=window)

st.subheader("What exactly changed?", anchor=False)
evidence.selectors(windows, schema, feature=feature, window=window)
st.markdown(words.in_words(found, window, schema))
panels.facts(words.facts(found, policy), key="facts")

pair = None
with session.guard():
    pair = session.cached(reads.distribution, schema.model, feature, window.start, window.end)
evidence.figures(pair, found, window, windows, schema)
