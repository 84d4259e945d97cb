"""Questions before what cannot be undone: consequences, who decides and why, or a name typed to be sure.

Neighbours: ``panels`` draws the pages' blocks, ``session`` keeps the person's name. Nothing here knows a verb.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from pages.ui import session, wording


def confirm(
    title: str,
    consequences: str,
    *,
    button: str,
    action: Callable[[str, str], None],
    key: str,
    reason: str | None = None,
) -> None:
    """Open a dialog that states the consequences and asks for the person's name and a reason.

    Parameters
    ----------
    title, consequences : str
        What is asked, and what happens then (Markdown).
    button : str
        What the button says.
    action : callable
        ``action(by, reason)``, run in the button's callback once nothing is missing; the dialog closes after it. A known
        error is shown above the page.
    key : str
        Unique on the page.
    reason : str or None
        The label of the reason's field; None asks for neither name nor reason.
    """
    _Question(title, consequences, button, key, action, reason=reason).ask()


def confirm_by_name(
    title: str, consequences: str, *, button: str, action: Callable[[str, str], None], key: str, name: str
) -> None:
    """Open a dialog that states the consequences, wants a name typed and says who and why, as ``confirm`` does otherwise."""
    _Question(title, consequences, button, key, action, reason="Reason (kept in the audit file)", name=name).ask()


@dataclass(frozen=True, slots=True)
class _Question:
    """A dialog whose fields and button are one form: the first click counts, although a field was being typed into."""

    title: str
    consequences: str
    button: str
    key: str
    action: Callable[[str, str], None]
    reason: str | None = None
    name: str | None = None

    def missing(self) -> str:
        """Say what has not been filled in."""
        if self.name is not None and session.typed(f"{self.key}_name") != self.name:
            return f"Type {wording.safe(self.name)} first, exactly as it stands here."
        wanted = {"your name": f"{self.key}_by", "the reason": f"{self.key}_reason"} if self.reason else {}
        blank = [said for said, field in wanted.items() if not session.typed(field)]
        return f"Fill in {' and '.join(blank)} first." if blank else ""

    def answer(self) -> None:
        """Act, once nothing is missing."""
        if self.missing():
            return
        by, reason = session.typed(f"{self.key}_by"), session.typed(f"{self.key}_reason")
        if by:
            st.session_state["person_name"] = by
        with session.later():
            self.action(by, reason)

    def ask(self) -> None:
        """Open the dialog."""
        st.dialog(self.title)(self.draw)()

    def draw(self) -> None:
        """Draw what is asked, and after a click what is missing."""
        st.markdown(self.consequences)
        with st.form(f"{self.key}_form", border=False):
            if self.reason is not None:
                session.person(key=f"{self.key}_by")
                st.text_area(self.reason, key=f"{self.key}_reason", max_chars=500)
            if self.name is not None:
                st.text_input(f"Type {wording.safe(self.name)} to be sure", key=f"{self.key}_name")
            sent = st.form_submit_button(self.button, type="primary", key=f"{self.key}_yes", on_click=self.answer)
        if sent and (lacking := self.missing()):
            st.warning(lacking, icon=":material/edit:")
        elif sent:
            st.rerun()
