"""The model card of a version on a page, with its downloads."""

from __future__ import annotations

import streamlit as st

from pages.release import reads
from pages.ui import panels, session, wording
from pipeline_core.records import Schema
from pipeline_core.service import cardtext


def fold(schema: Schema, number: int) -> None:
    """Draw the model card of a version, unfolded by ``?card=open``, and offer it as Markdown and HTML."""
    with st.expander(
        f"Model card of v{number}", icon=":material/description:", expanded=session.asked("card") == "open"
    ):
        card = session.cached(reads.card_of, schema.model, number)
        with st.container(horizontal=True):
            _download("Download as HTML", cardtext.page(card), name=f"{schema.model}-v{number}.html", kind="html")
            _download("Download as Markdown", cardtext.markdown(card), name=f"{schema.model}-v{number}.md", kind="md")
        for place, section in enumerate(card.sections):
            st.markdown(f"**{wording.safe(section.title)}**")
            for sentence in section.sentences:
                st.markdown(f"- {wording.safe(sentence, length=900)}")
            if section.table is not None:
                panels.table(
                    [dict(zip(section.table.header, row, strict=True)) for row in section.table.rows],
                    key=f"card_{place}",
                    alt=section.title,
                )


def _download(label: str, text: str, *, name: str, kind: str) -> None:
    mime = {"html": "text/html", "md": "text/markdown"}[kind]
    st.download_button(
        label, text.encode(), file_name=f"card-{name}", mime=mime, icon=":material/download:", key=f"card_{kind}",
        on_click="ignore",
    )  # fmt: skip
