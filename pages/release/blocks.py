"""One version in full: metrics, importance, what it was made from."""

from __future__ import annotations

import streamlit as st

from pages.release import reads, tried, words
from pages.ui import charts, panels, release_charts, session, wording
from pages.ui.panels import Fact
from pipeline_core.records import ModelVersion, Schema, Stage

BARS = 14


def metric_facts(version: ModelVersion) -> list[Fact]:
    """Give the metrics of a version with their intervals, definitions on hover."""
    return [
        Fact(
            label=wording.metric_name(name),
            value=wording.interval(figure),
            help=wording.reason(figure) or name,
        )
        for name, figure in version.metrics.items()
    ]


def version(chosen: ModelVersion, schema: Schema) -> None:
    """Draw one version in full: metrics, importance, what it was made from."""
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.subheader(f"v{chosen.version}, {words.estimator_name(chosen.run.estimator)}, {chosen.stage}", anchor=False)
        if chosen.stage is Stage.CHALLENGER:
            query = {"challenger": str(chosen.version)}
            panels.link("Open its challenge", "challenge", icon=":material/swords:", query=query)
    tried.leaks(chosen)
    panels.facts(metric_facts(chosen), key="version_metrics")
    colour = release_charts.stage_colour(chosen)
    left, right = st.columns([5, 4])
    with left:
        if chosen.shap_shares:
            top = next(iter(sorted(chosen.shap_shares, key=lambda n: -chosen.shap_shares[n])))
            panels.chart(
                charts.bars(
                    chosen.shap_shares,
                    title=f"{wording.plain(top)} matters most to v{chosen.version}",
                    x_title="SHAP share"
                    if len(chosen.shap_shares) <= BARS
                    else f"SHAP share, the first {BARS} of {len(chosen.shap_shares)}",
                    colour=colour,
                    most=BARS,
                ),
                key="version_shares",
                alt=f"SHAP share per feature of version {chosen.version}",
                table=[{"feature": n, "SHAP share": s} for n, s in chosen.shap_shares.items()],
            )
    with right:
        st.markdown("**What it was made from**")
        st.table(words.made_of(chosen, schema), border="horizontal", alt="What the version was made from")
        kept = session.cached(reads.artifact_kept, chosen.artifact_sha256)
        with st.expander("Parameters, packages and artifact"):
            st.caption(
                f"Run {chosen.run.run_id}. Pipeline file {chosen.artifact_sha256} ({wording.size(chosen.artifact_bytes)}), {'kept' if kept else 'missing'}."
            )
            st.json({"parameters": dict(chosen.run.parameters), "packages": dict(chosen.run.packages)})
    if chosen.curves.roc:
        panels.chart(
            charts.curves(
                {f"v{chosen.version} {chosen.stage}": chosen.curves},
                title="Does it rank well, and can its probabilities be believed?",
                colours=[colour],
            ),
            key="version_curves",
            alt=f"ROC, precision-recall and calibration curves of version {chosen.version} on its hold-out",
        )
    tried.before(chosen, schema)
