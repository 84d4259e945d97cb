"""Sources: where batches come from by themselves, whether they still do, and the form of another one."""

import streamlit as st

from pages.intake import feed, feedform, feedwords, reads
from pages.ui import losses, panels, session, wording
from pages.ui.wording import State
from pipeline_core.errors import nearest
from pipeline_core.flows import feeds

schema = session.model()
if schema is None:
    panels.empty(
        "Where does it come from by itself?",
        "A source is a folder, a database query, an address or a stream that is asked for new rows at its own pace. Whatever it"
        " brings goes through the same door as an upload. It needs a model with a first file.",
        page="define",
        action="Define a model",
    )
    st.stop()

losses.warn(schema.model)
statuses = feeds.list_sources(session.store(), schema.model)
asked = st.query_params.get("source")
if asked:
    status = next((status for status in statuses if status.feed.name == asked), None)
    if status is not None:
        feed.page(status, session.cached(reads.arrivals, schema.model).batches)
        st.stop()
    known = wording.safe(nearest(asked, [s.feed.name for s in statuses]), length=200)
    st.button("All sources", key="feed_back", icon=":material/arrow_back:", type="tertiary", on_click=feed.back)
    panels.sentence(f"There is no source {wording.safe(asked)} here. {known}", state=State.UNKNOWN)
    st.stop()

if not statuses:
    panels.sentence(
        f"Nothing comes by itself for **{wording.safe(schema.model)}** yet: **add a folder, a query, an address or a stream.**",
        state=State.UNKNOWN,
    )
    feedform.draw(schema)
    st.stop()

text, state = feedwords.summary(statuses, schema.model)
panels.sentence(text, state=state)
for failed in [s for s in statuses if feedwords.state(s) is State.PAGE][:3]:
    st.error(feedwords.trouble(failed), icon=wording.icon(State.PAGE))
picked = panels.table(
    [feedwords.row(status, session.store().now()) for status in statuses],
    key=f"feeds_{st.session_state.get(feed.TURN, 0)}",
    alt="Sources by name; pick a row to open it",
    columns={
        "Source": st.column_config.TextColumn(width=170),
        "State": st.column_config.MultiselectColumn(
            options=["works", "failed", "paused", "not run yet"], color=["green", "red", "gray", "gray"], width=100
        ),
        "Kind": st.column_config.TextColumn(width=85),
        "Runs": st.column_config.TextColumn(width=125),
        "Last run": st.column_config.TextColumn(width=125),
        "Deliveries": st.column_config.NumberColumn(format="localized", width=85),
        "Rows": st.column_config.NumberColumn(format="localized", width=85),
    },
    select=True,
)
if picked is not None:
    st.query_params["source"] = statuses[picked].feed.name
    st.rerun()
with st.expander("Add a source", icon=":material/add:", key="feed_new", on_change="rerun") as fold:
    if fold.open:
        feedform.draw(schema)
