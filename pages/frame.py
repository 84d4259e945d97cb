"""The entry script: page config, navigation, the filters that all pages share, the state of the work.

It runs before every page, also on a cold deep link, so model and period live here and nowhere else.
"""

from __future__ import annotations

import streamlit as st

from pages.ui import panels, session

ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><rect width="24" height="24" rx="5" fill="#2B4251"/>'
    '<path d="M3 13h4l3-7 4 12 3-5h4" fill="none" stroke="#FDFDFC" stroke-width="2.2" stroke-linejoin="round"/></svg>'
)
# drawn here: a named icon would be fetched from the network
st.set_page_config(page_title="Pipeline Monitor", page_icon=ICON, layout="wide")

st.logo(panels.wordmark(st.context.theme.type or "light"), size="large")

P = session.PAGES
START = st.Page(P["overview"], title="Overview", url_path="start", default=True, visibility="hidden")
NAVIGATION = {
    "": [START],
    "Watch": [
        st.Page(P["overview"], title="Overview", url_path="overview", icon=":material/monitor_heart:"),
        st.Page(P["drift"], title="Drift", url_path="drift", icon=":material/ssid_chart:"),
        st.Page(P["replay"], title="Replay", url_path="replay", icon=":material/replay:"),
    ],
    "Act": [st.Page(P["alerts"], title="Alerts", url_path="alerts", icon=":material/notifications:")],
    "Intake": [
        st.Page(P["batches"], title="Batches", url_path="batches", icon=":material/inbox:"),
        st.Page(P["sources"], title="Sources", url_path="sources", icon=":material/cable:"),
        st.Page(P["define"], title="New model", url_path="define", icon=":material/add_box:"),
    ],
    "Release": [
        st.Page(P["training"], title="Training", url_path="training", icon=":material/model_training:"),
        st.Page(P["challenge"], title="Challenge", url_path="challenge", icon=":material/balance:"),
        st.Page(P["registry"], title="Registry", url_path="registry", icon=":material/inventory_2:"),
    ],
}
# the default page's own path is "", so the overview is listed twice: once as the start, once under its name
page = st.navigation(NAVIGATION, expanded=True)

with session.guard(whole=True):
    names = session.models()
    with st.sidebar:
        if names:
            session.note_unknown(names)
            st.selectbox("Model", names, key="model", bind="query-params", on_change=session.forget_unknown)
            st.selectbox("Period", list(session.periods(session.model())), key="period", bind="query-params")
        panels.job_progress(key="sidebar_jobs")
    session.announce()
    session.warn_unknown(names)
    page.run()
