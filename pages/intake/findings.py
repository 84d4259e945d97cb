"""What was found about a batch, why there is such a rule, and how serious it is from now on.

Neighbours: ``severities`` keeps what a person says about a rule, ``batch`` puts this on its page. It refuses to change
what was found: another severity is for the batches that come.
"""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from pages.intake import severities, words
from pages.ui import panels, wording
from pipeline_core.records import BatchReport, Finding, Schema

SHOWN = 5
EXAMPLES_SHOWN = 5
Overrides = Mapping[tuple[str, str | None], str]


def listing(report: BatchReport, schema: Schema, *, overrides: Overrides) -> None:
    """List the findings as sentences, errors first, each with the reason of its rule a click away."""
    ranked = sorted(report.findings, key=lambda finding: list(words.SEVERITY_NOUNS).index(finding.severity))
    with st.container(key="batch_findings", gap="xsmall"):
        for i, finding in enumerate(ranked[:SHOWN]):
            _row(finding, schema, overrides, key=f"finding_{i}")
    if rest := ranked[SHOWN:]:
        fold = st.expander(wording.count(len(rest), "more finding"), key="batch_findings_more", on_change="rerun")
        with fold:
            if fold.open:
                for i, finding in enumerate(rest, start=SHOWN):
                    _row(finding, schema, overrides, key=f"finding_{i}")


def _row(finding: Finding, schema: Schema, overrides: Overrides, *, key: str) -> None:
    with st.container(horizontal=True, vertical_alignment="top", wrap=False, key=key):
        with st.container(width="stretch"):
            panels.findings([finding], key=f"{key}_text")
        column = schema.by_name(finding.column) if finding.column else None
        by_hand = {(finding.code, column.column_id if column else None), (finding.code, None)} & set(overrides)
        label = "Why this rule?" if not by_hand else "Rule changed by hand"
        fold = st.popover(label, type="tertiary", key=f"{key}_why", on_change="rerun", width="content")
    with fold:
        if fold.open:
            _why(finding, key=key)
            severities.form(finding, schema, overrides, key=key)


def _why(finding: Finding, *, key: str) -> None:
    st.markdown(wording.safe(finding.rule or "The rule of this finding was not kept with it.", length=600))
    measured = [f"Here **{_figure(finding)}**"] if finding.value is not None else []
    allowed = [f"allowed: {wording.safe(finding.allowed, length=200)}"] if finding.allowed else []
    if measured or allowed:
        st.markdown(" · ".join([*measured, *allowed]))
    st.caption(history(finding))
    if finding.examples:
        shown = finding.examples[:EXAMPLES_SHOWN]
        st.markdown(
            f"**{'First ' if len(finding.examples) > len(shown) else ''}{wording.count(len(shown), 'example')}**"
        )
        rows = [{"Row": e.row_number, "Arrived": e.arrived, "Stored": e.stored or "null"} for e in shown]
        panels.table(rows, key=f"{key}_examples", alt="Cells that the finding is about")


def _figure(finding: Finding) -> str:
    if finding.value is None or isinstance(finding.value, str):
        return wording.safe(finding.value or "")
    share = "%" in (finding.allowed or "")
    return wording.percent(finding.value) if share else wording.number(float(finding.value))


def history(finding: Finding) -> str:
    """Say how often the rule would have spoken up before."""
    if not finding.past_batches or finding.fired_batches is None:
        return "No accepted batch before this one was measured by this rule yet."
    past = wording.count(finding.past_batches, "accepted batch")
    if finding.fired_batches == 0:
        return f"On the {past} before, today's limit would never have fired."
    share = wording.percent(finding.fired_batches / finding.past_batches, digits=0)
    return f"On the {past} before, today's limit would have fired {finding.fired_batches:,} times ({share})."
