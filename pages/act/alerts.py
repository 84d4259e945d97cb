"""The alerts page: what do I do? One list, and for one alert the runbook's questions as links."""

from __future__ import annotations

import streamlit as st

from pages.act import runbook
from pages.ui import panels, session, wording
from pages.watch import reads, words

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
        "when the scores move or something drifts that hardly matters.",
        page="drift" if has_champion else "training",
        action="See what was checked" if has_champion else "Train the first version",
    )
    st.stop()

text, state = runbook.summary(alerts, schema)
panels.sentence(text, state=state)

shown = runbook.filtered(alerts, session.period())
if not shown:
    st.caption("No alert in this selection.")
    st.stop()

picked = panels.table(
    [words.alert_row(alert, schema) for alert in shown],
    key="alert_rows",
    alt="Alerts, open ones first, then by harm",
    columns=runbook.COLUMNS,
    select=True,
)
panels.download_csv(
    "Download all as CSV", runbook.csv_rows(alerts, schema), name=f"alerts_{schema.model}.csv", key="alerts_csv"
)
alert = shown[picked or 0]

with st.container(border=True, key="alert_detail"):
    st.subheader(f":{wording.badge_colour(wording.state_of(alert.level))}[{wording.icon(wording.state_of(alert.level))}] "
                 f"{runbook.title(alert, schema)}", anchor=False)  # fmt: skip
    st.markdown(wording.safe(alert.message, length=800))
    left, right = st.columns([3, 2], gap="large")
    with left:
        runbook.checklist(alert)
    with right:
        runbook.acknowledgement(alert, runbook.same_thing(alert, alerts))
