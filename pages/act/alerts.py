"""The alerts page: what do I do? One list by cause, and for one the runbook's questions as links."""

from __future__ import annotations

import streamlit as st

from pages.act import runbook
from pages.ui import panels, session, wording
from pages.watch import needs, reads, words

schema = session.model()
if schema is None:
    panels.empty(
        "Alerts: what do I do?",
        "An alert says which feature, score or metric moved, when, and how much the model leans on it; a quarantined file raises one "
        "too. Each comes with the runbook's questions. It needs a model first.",
        page="define",
        action="Define a model",
    )
    st.stop()

alerts = session.cached(reads.alerts, schema.model)
if not alerts:
    has_champion = session.cached(reads.champion, schema.model) is not None
    panels.empty(
        "No alerts: nothing has asked for you yet.",
        "Checks raise a **page** when something drifts that the model leans on or when the model gets worse, and a **watch** "
        "when the scores move, or something drifts that hardly matters or has not lasted yet.",
        page="drift" if has_champion else "training",
        action="See what was checked" if has_champion else "Train the first version",
    )
    st.stop()

groups = needs.needs(alerts)
text, state = runbook.summary(groups, schema)
panels.sentence(text, state=state)

shown = runbook.filtered(groups, session.period())
if not shown:
    st.caption("No alert in this selection.")
    st.stop()

asked = next((i for i, group in enumerate(shown) if group.key == session.asked("alert")), 0)
picked = panels.table(
    [words.need_row(group, schema) for group in shown],
    key="alert_rows",
    alt="What the alerts are about: open ones first, then by harm; pick a row to see it below",
    columns=runbook.COLUMNS,
    select=True,
)
group = shown[asked if picked is None else picked]
if picked is not None:
    session.ask(alert=group.key)
runbook.evidence(group, schema)
with st.container(horizontal=True, vertical_alignment="center"):
    panels.download_csv(
        "Download all as CSV", runbook.csv_rows(alerts, schema), name=f"alerts_{schema.model}.csv", key="alerts_csv"
    )
    st.caption(f"One line an alert: {wording.count(len(alerts), 'alert')}, also those that somebody has seen.")
