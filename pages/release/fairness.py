"""Whether protected groups are treated alike: the audit of a verdict, drawn."""

from __future__ import annotations

import streamlit as st

from pages.release import biaswords
from pages.ui import bias_charts, charts, glossary, panels, wording
from pages.ui.panels import Fact
from pages.ui.wording import State
from pipeline_core.records import AttributeAudit, BiasAudit, BiasState, NotMeasured, Verdict


def audit(verdict: Verdict) -> None:
    """Draw the audit below the verdict: one sentence, a chart for each protected column, the figures, a download."""
    found = verdict.audit
    with st.container(border=True, key="bias"):
        if found is None:
            _headline("This verdict was made before there was a bias audit: run the challenge again.", State.UNKNOWN)
        elif isinstance(found, NotMeasured):
            _nothing(found)
        else:
            _found(found, verdict)


def _headline(text: str, state: State) -> None:
    colour = wording.badge_colour(state)
    st.markdown("**Bias audit**", help=glossary.explained("bias_audit"))
    st.markdown(f":{colour}[{wording.icon(state)}] {text}")


def _nothing(found: NotMeasured) -> None:
    _headline(f"**Not audited**: {wording.safe(found.reason, length=300)}.", State.UNKNOWN)
    st.caption(
        "Give columns such as sex, race or age the role *protected* when the model is defined (on the page New model, or"
        " with `define MODEL --protected sex,age`). They are kept in the rows for audits and never fed to a model."
    )
    panels.link("Define a model with protected columns", "define", icon=":material/add_box:")


def _found(found: BiasAudit, verdict: Verdict) -> None:
    _headline(biaswords.headline(found), biaswords.state(found))
    if found.state is not BiasState.VIOLATION:  # what is proven stands among the reasons of the verdict
        for reason in found.reasons[1:]:
            st.markdown(f"- {wording.safe(reason, length=500)}")
    single = [a for a in found.attributes if len(a.columns) == 1]
    crossed = [a for a in found.attributes if len(a.columns) > 1]
    for at, attribute in enumerate(single):
        _attribute(attribute, verdict, key=f"bias_{at}")
    if crossed:
        with st.expander(f"Two columns at once ({wording.count(sum(len(a.challenger) for a in crossed), 'group')})"):
            for at, attribute in enumerate(crossed):
                _attribute(attribute, verdict, key=f"bias_crossed_{at}")
    with st.expander("Every rate by group, and the widest gaps"):
        for at, attribute in enumerate(found.attributes):
            _rates(attribute, verdict, key=f"bias_rates_{at}")
    for note in found.notes:
        st.caption(f":material/info: {wording.safe(note, length=300)}.")
    panels.download_csv(
        "Download the audit",
        biaswords.downloaded(found),
        name=f"bias-audit-v{verdict.version}.csv",
        key="bias_download",
    )


def _attribute(attribute: AttributeAudit, verdict: Verdict, *, key: str) -> None:
    sides = [(charts.CHALLENGER, f"v{verdict.version} challenger")]
    if attribute.champion:
        sides = [(charts.CHAMPION, f"v{verdict.champion} champion"), *sides]
    name = wording.plain(attribute.attribute, length=60)
    if attribute.findings:
        panels.chart(
            bias_charts.against_rest(attribute, title=f"{name}: each group against all other rows", sides=sides),
            key=key,
            alt=f"Selection ratio, TPR gap and FPR gap of each group of {name} against all other rows, with 95 % intervals and limits",
            table=biaswords.finding_rows(attribute, champion=bool(attribute.champion)),
        )
    if attribute.left_out:
        st.caption(f":material/info: Not judged: {wording.safe(attribute.left_out, length=400)}.")


def _rates(attribute: AttributeAudit, verdict: Verdict, *, key: str) -> None:
    name = wording.safe(attribute.attribute, length=60)
    st.markdown(f"**{name}**")
    rows = biaswords.rate_rows(attribute.champion, f"v{verdict.champion}")
    rows += biaswords.rate_rows(attribute.challenger, f"v{verdict.version}")
    panels.table(
        rows,
        key=key,
        alt=f"Rates of each group of {wording.plain(attribute.attribute, length=60)}, with 95 % intervals",
        columns={
            label: st.column_config.TextColumn(help=glossary.explained(term))
            for label, term in (
                ("Selection rate", "bias_selection"),
                ("TPR", "bias_tpr"),
                ("FPR", "bias_fpr"),
                ("PPV", "bias_ppv"),
                ("Calibration", "bias_calibration"),
            )
        },
    )
    panels.facts(
        [
            Fact(label=label, value=biaswords.spread_value(attribute.spread, measure), help=term)
            for measure, (label, term) in biaswords.SPREADS.items()
        ],
        key=f"{key}_spread",
    )
