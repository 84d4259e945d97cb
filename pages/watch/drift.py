"""The drift page: which change matters, since when, and what exactly changed."""

from __future__ import annotations

import streamlit as st

from pages.ui import panels, session
from pages.watch import detail, detailwords, evidence, heat, reads, rule, signals, words

schema = session.model()
if schema is None:
    panels.empty(
        "Drift: which change matters?",
        "For every feature and every window, this page shows how far the data moved from its baseline, sorted by "
        "how much the model leans on the feature. It needs a model with a champion, and later data.",
        page="define",
        action="Define a model",
    )
    st.stop()

champion = session.cached(reads.champion, schema.model)
if champion is None:
    panels.empty(
        "Drift is measured for a champion; there is none yet.",
        "Train a version and let the gate promote it. Then every window of later data is compared with a baseline: its own "
        "data, or what somebody chooses.",
        page="training",
        action="Train the first version",
    )
    st.stop()

latest = session.cached(reads.report, schema.model, None)
size = evidence.size_choice(schema, latest)
report = evidence.checked(schema.model, size)
windows = reads.inside(report.windows, session.period()) if report else ()
if report is None or not windows:
    evidence.nothing_checked(schema, report, latest=latest, size=size)
    st.stop()

feature, window = evidence.picked(windows)
found = next(drift for drift in window.features if drift.feature == feature)

paged = reads.last_paged(windows, window)
policy = session.store().policy
text, state = words.drift(window, schema, policy=policy)
if all(reads.undecided(w) for w in windows):
    text = words.too_short(windows, rows_min=policy.window_rows_min)
leading = signals.matters(window)
lasting = detailwords.since(windows, window, leading[0].feature, schema) if leading else ""
panels.sentence(text + lasting + words.earlier(paged, schema), state=state)
evidence.controls(schema, report, latest=latest, size=size, window=window, paged=paged)
if where := detailwords.elsewhere(report):
    st.caption(f":material/cloud: {where}")

heat.heat(windows, schema, report, at=(feature, window))
rule.why(report, schema)

st.subheader("What exactly changed?", anchor=False)
evidence.selectors(windows, schema, feature=feature, window=window)
detail.cell(found, window, report, schema)

pair = None
if not report.rows_in:  # rows that are elsewhere cannot be drawn
    with session.guard():
        pair = session.cached(evidence.pair_of, schema.model, size, feature, window.start, exact=False)
evidence.figures(pair, found, window, windows, schema)
detail.distances(found, window, report)
detail.closer_look(window, report, schema)
