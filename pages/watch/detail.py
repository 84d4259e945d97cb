"""Blocks on one feature in one window: state, figures, hard evidence, and what a closer look at the rows found.

Neighbours: ``evidence`` draws the map and the distributions, ``detailwords`` has the sentences.
"""

from __future__ import annotations

import streamlit as st

from pages.ui import look_charts, panels, session, wording
from pages.watch import detailwords, evidence, words
from pipeline_core.records import Examination, FeatureDrift, Schema, WatchReport, WindowReport

EVIDENCE_MAX = 3
SEGMENT_COLUMNS = {
    **{
        name: st.column_config.NumberColumn(format="%.3g") for name in ("Effect inside", "Effect overall", "p adjusted")
    },
    "Share of rows": st.column_config.NumberColumn(format="percent"),
}


def cell(found: FeatureDrift, window: WindowReport, report: WatchReport, schema: Schema) -> None:
    """Draw the state, what happened in words, the figures, and evidence that needs no statistics."""
    policy = session.store().policy
    st.markdown(detailwords.state(found))
    st.markdown(words.in_words(found, window, schema, policy=policy))
    panels.facts(detailwords.facts(found, window, report=report, schema=schema, policy=policy), key="facts")
    look = window.examined
    told = found.hard_evidence[:EVIDENCE_MAX]
    # it is about the feature that moved most; another one's figures are no place for it
    verdict = (
        look.coherence if look is not None and look.coherence and look.coherence.feature == found.feature else None
    )
    loose = next((one for one in look.detached if one.feature == found.feature), None) if look is not None else None
    if not told and verdict is None and loose is None:
        return
    with st.container(border=True, key="hard_evidence", gap="xsmall"):
        if verdict is not None:
            st.markdown(detailwords.verdict(verdict, evidence=bool(told)))
        if loose is not None:
            st.markdown(detailwords.detached(loose))
        for text in told:
            st.markdown(f":red[{wording.icon(wording.State.PAGE)} **Hard evidence**] {wording.safe(text, length=500)}")
        if len(found.hard_evidence) > EVIDENCE_MAX:
            st.caption(f"{len(found.hard_evidence) - EVIDENCE_MAX} more: see the batches of this window.")


def closer_look(window: WindowReport, report: WatchReport, schema: Schema) -> None:
    """Draw what a look at the rows found: joint impact, domain test, attributions, segments; or why there was none."""
    look = window.examined
    if look is None:
        why = detailwords.unlooked(None, session.store().policy, rows_in=report.rows_in)
        st.caption(f":material/search_off: {why}")
        return
    st.subheader("What do the rows say?", anchor=False)
    if look.reason:
        st.caption(f":material/info: {wording.safe(look.reason, length=300)}")
    if not look.rows:  # nobody looked: nothing that could be said to be absent
        return
    left, right = st.columns(2, gap="large")
    with left:
        st.caption(
            f"{wording.count(look.rows, 'row')} of the window against {wording.count(look.baseline_rows, 'row')} of the baseline"
        )
        if together := detailwords.joint(look, schema):
            st.markdown(together)
        st.markdown(detailwords.domain(look))
        st.markdown(detailwords.belonging(look))
        if not look.segments:
            st.markdown("**Segments:** in none did a feature drift clearly more than in the whole window.")
    with right:
        _attributions(look)
    if look.segments:
        _segments(look)


def _segments(look: Examination) -> None:
    st.markdown(
        f"In **{wording.count(len(look.segments), 'segment')}** a feature drifted clearly more than in the whole window:"
    )
    panels.table(
        detailwords.segments(look),
        key="segments",
        alt="Features that drifted inside a segment, largest effect first",
        columns=SEGMENT_COLUMNS,
    )


def _attributions(look: Examination) -> None:
    if not look.attributions:
        st.caption("SHAP shares of this window were not measured.")
        return
    panels.chart(
        look_charts.attributions(look.attributions, title=detailwords.attributions_title(look)),
        key="attributions",
        alt="SHAP share of the features that count most, in the baseline and in this window",
        table=[
            {"Feature": name, "SHAP share, baseline": was, "SHAP share, window": now}
            for name, (was, now) in sorted(look.attributions.items(), key=lambda item: -max(item[1]))
        ],
    )


def distances(found: FeatureDrift, window: WindowReport, report: WatchReport) -> None:
    """Draw PSI, Jensen-Shannon, Wasserstein and the exact KS once somebody unfolds them: rows are read then, if they are here."""
    if report.rows_in:
        st.caption(f":material/cloud: {detailwords.UNDRAWN}")
        return
    fold = st.expander(
        "Other distances: PSI, Jensen-Shannon, Wasserstein, exact KS", key="distances", on_change="rerun"
    )
    with fold:
        if fold.open:
            with session.guard(), st.spinner("Reading rows again"):
                pair = session.cached(
                    evidence.pair_of, report.model, report.window, found.feature, window.start, exact=True
                )
                panels.facts(detailwords.distances(pair), key="distance_facts")
