"""The registry: what is in production, and where it comes from."""

import streamlit as st

from pages.release import audit, descent, dismissals, moves, paper, reads, removal, standing
from pages.ui import panels, release_charts, session, verdicts, wording
from pages.ui.wording import State

schema = session.model()
if schema is None:
    panels.empty(
        "What is in production, and where does it come from?",
        "This page shows the champion with the batches, the run and the decision that made it. It needs a model first.",
        page="define",
        action="Define a model",
    )
    st.stop()

shelf = session.cached(reads.shelf, schema.model)
lineage = session.cached(reads.lineage, schema.model)
if lineage is None and not shelf.promotions:
    panels.empty(
        f"{wording.safe(schema.model)} has no champion",
        standing.no_champion(shelf),
        page="challenge" if shelf.challengers else "training",
        action=shelf.next_step if shelf.challengers else "Train a version",
    )
    if shelf.versions:
        paper.fold(schema, descent.section(shelf, schema))
    dismissals.fold(shelf, schema)
    audit.block(schema)
    removal.fold(schema)
    st.stop()

if lineage is None:
    panels.sentence(standing.vacant(shelf, schema), state=State.WATCH)
    with st.container(horizontal=True):
        if shelf.rollback_to:
            moves.rollback(shelf, schema, leads=True)
        label, page = (shelf.next_step, "challenge") if shelf.challengers else ("Train a version", "training")
        if shelf.rollback_to:
            panels.link(label, page)
        else:
            panels.next_step(label, page, key="registry_next")
else:
    doubt = verdicts.doubt(shelf.crowned)
    check = session.cached(reads.check_of, schema.model, lineage.version)
    state = State.PAGE if check and not check.agrees else State.WATCH if doubt else State.OK
    panels.sentence(standing.made_from(lineage, schema, doubt) + standing.traced(check), state=state)
    st.markdown(standing.promoted(lineage, shelf))
paper.fold(schema, descent.section(shelf, schema))

if lineage is not None:
    with st.container(horizontal=True):
        if shelf.hopeful:
            panels.next_step(shelf.next_step, "challenge", key="registry_challenge")
        moves.rollback(shelf, schema)
        st.download_button(
            "Download the lineage",
            data=reads.lineage_text(lineage),
            file_name=f"lineage-{schema.model}-v{lineage.version}.json",
            mime="application/json",
            icon=":material/download:",
            key="lineage_download",
        )

panels.chart(
    release_charts.reigns(
        shelf.versions, shelf.promotions, now=session.store().now(), title=standing.reign_title(shelf)
    ),
    key="reigns",
    alt="Versions by the time they were made, and the times in which each was champion",
    table=descent.version_rows(shelf),
)
st.markdown("**Every move of the champion, and what was taken out**")
panels.table(
    descent.promotion_rows(shelf),
    key="promotions",
    alt="Promotions, rollbacks, rejections and retirements, newest first, with who and why",
    columns={"Reason": st.column_config.TextColumn(width="large")},
)
st.markdown("**Every version**")
panels.table(descent.version_rows(shelf), key="versions", alt="All versions with stage, metric and artifact hash")
audit.block(schema)
dismissals.fold(shelf, schema)
removal.fold(schema)
