"""New model: the first file becomes a schema and the baseline that every later batch is compared with."""

import streamlit as st

from pages.intake import definition, firstfile, proposal, reader, readings, roles
from pages.ui import panels, wording
from pages.ui.wording import State

if definition.result():
    st.stop()
answer = st.container()
file = firstfile.choose()
preview = firstfile.look(file) if file else None
if file is None:
    st.caption(
        "The columns are proposed with type and role. You correct them, say what is to be predicted, and the file becomes the"
        " first batch. Nothing is stored before you press “Define model”."
    )
if file is None or preview is None:
    with answer:
        panels.sentence(
            "A first file teaches a model its columns and its baseline: **choose one, correct what is proposed, define.**",
            state=State.UNKNOWN,
        )
    st.stop()

suggestion = preview.suggestion
st.markdown(
    f"**{wording.safe(file.name)}** has {proposal.size(suggestion, whole=file.is_whole(suggestion.rows))}."
    f" {readings.described(preview.unpacked.reading)}"
)
questions = reader.questions(firstfile.READ, preview.unpacked.doubts)
reader.line(firstfile.READ, preview.unpacked)
with st.expander("First rows of the file", expanded=questions > 0):
    panels.table(firstfile.head(preview), key="define_head", alt="First rows of the file as it was read")
definition.choices(suggestion)
st.data_editor(
    roles.rows(suggestion),
    key=roles.EDITOR,
    hide_index=True,
    disabled=["name", "examples", "nulls", "distinct", "why"],
    on_change=roles.edited,
    args=(suggestion,),
    height=min(440, 40 + 35 * len(suggestion.columns)),
    alt="Proposed columns; type and role can be corrected",
    column_config=definition.EDITOR_COLUMNS,
)
definition.suspects(suggestion)
definition.finish(file, suggestion, answer=answer, questions=questions)
