"""How serious a finding is from now on: said by a person for one column or for all, with name and reason, taken back alike.

Neighbours: ``findings`` shows the form beside each finding. It refuses to hide what was changed: ``changed`` lists it.
"""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from pages.intake import words
from pages.ui import dialogs, session, wording
from pipeline_core.records import Finding, Schema, Severity

OFF = "off"
WORDS = {
    Severity.ERROR.value: "error: quarantines",
    Severity.WARNING.value: "warning",
    Severity.INFO.value: "note",
    OFF: "off",
}
HERE, EVERYWHERE = "here", "everywhere"


def form(finding: Finding, schema: Schema, overrides: Mapping[tuple[str, str | None], str], *, key: str) -> None:
    """Ask how serious such a finding is from now on."""
    column = schema.by_name(finding.column) if finding.column else None
    now = next((overrides[rule] for rule in ((finding.code, column.column_id if column else None), (finding.code, None))
                if rule in overrides), None)  # fmt: skip
    st.divider()
    if now:
        st.markdown(f":material/edit: From now on it is **{WORDS[now]}**: a person said so.")
    with st.form(f"{key}_severity", border=False):
        st.segmented_control(
            "How serious is it from now on?", list(WORDS), format_func=lambda word: WORDS[word].split(":")[0],
            default=now or finding.severity.value, required=True, key=f"{key}_word",
        )  # fmt: skip
        if column is not None:
            st.radio(
                "Where?", [HERE, EVERYWHERE], key=f"{key}_scope", horizontal=True,
                format_func={HERE: f"in {wording.safe(column.name, length=30)}", EVERYWHERE: "in every column"}.get,
            )  # fmt: skip
        session.person(key=f"{key}_by")
        st.text_input("Reason", key=f"{key}_reason", max_chars=500, placeholder="Kept with the rule")
        rule = (finding.code, column.column_id if column else None)
        st.form_submit_button(
            "Change the rule", key=f"{key}_change", on_click=_change, args=(schema, rule, key), type="primary"
        )
    if st.session_state.pop(f"{key}_lacking", False):
        st.warning(
            "Fill in your name and the reason first: others should know who decided this.", icon=":material/edit:"
        )
    st.caption("It counts for batches that come from now on, and when this one is judged again.")


def _change(schema: Schema, rule: tuple[str, str | None], key: str) -> None:
    code, column_id = rule
    by, reason = session.typed(f"{key}_by"), session.typed(f"{key}_reason")
    if not by or not reason:
        st.session_state[f"{key}_lacking"] = True
        return
    st.session_state["person_name"] = by
    if st.session_state.get(f"{key}_scope") == EVERYWHERE:
        column_id = None
    _keep(schema, (code, column_id), str(st.session_state[f"{key}_word"]), by=by, reason=reason)


def _keep(schema: Schema, rule: tuple[str, str | None], severity: str | None, *, by: str, reason: str) -> None:
    code, column_id = rule
    with session.later():
        session.store().models.set_severity(
            schema.model, code=code, column_id=column_id, severity=severity, by=by, reason=reason
        )
        told = f"is {WORDS[severity].split(':')[0]} from now on" if severity else "is as the policy says again"
        session.tell(f"{words.rule_name(code)} in {where(column_id, schema)} {told}.")


def where(column_id: str | None, schema: Schema) -> str:
    """Name the place of a rule: a column, or all; escaped."""
    named = next((c.name for c in schema.columns if c.column_id == column_id), None)
    return "every column" if column_id is None else wording.safe(named or column_id, length=40)


def changed(schema: Schema, overrides: Mapping[tuple[str, str | None], str]) -> None:
    """List the rules that people changed, each with the way back; nothing where there are none."""
    if not overrides:
        return
    ordered = sorted(overrides.items(), key=lambda item: (item[0][0], item[0][1] or ""))
    with st.expander(
        f"{wording.count(len(ordered), 'rule')} changed by hand", icon=":material/edit:", key="rules_changed"
    ):
        for i, (rule, severity) in enumerate(ordered):
            with st.container(horizontal=True, vertical_alignment="center", key=f"rule_{i}"):
                st.markdown(
                    f"**{words.rule_name(rule[0])}** in {where(rule[1], schema)}: **{WORDS[severity]}**",
                    width="stretch",
                )
                if st.button("Back to default", key=f"rule_{i}_back", icon=":material/undo:", type="tertiary"):
                    _ask_back(rule, schema)


def _ask_back(rule: tuple[str, str | None], schema: Schema) -> None:
    dialogs.confirm(
        "Back to the policy",
        f"From now on **{words.rule_name(rule[0])}** in {where(rule[1], schema)} is as serious as the policy says. Batches"
        " that were judged already stay as they are.",
        button="Back to default",
        action=lambda by, reason: _keep(schema, rule, None, by=by, reason=reason),
        key="rule_back",
        reason="Reason (kept with the rule)",
    )
