"""Blocks of the release pages: the form of a new run, and one version in full."""

from __future__ import annotations

from datetime import date

import streamlit as st

from pages.release import reads, words
from pages.release.reads import Shelf
from pages.ui import charts, panels, release_charts, session, wording
from pages.ui.panels import Fact
from pipeline_core.records import ModelVersion, Schema, Stage, TimeUnit


def until_field(schema: Schema, shelf: Shelf) -> str | None:
    """Draw the field that ends the training rows, in the model's own unit, and give it as the verb takes it."""
    hint = "Only rows before this moment are used. Leave it empty to use all."
    if schema.time_unit is TimeUnit.NONE:
        return None
    if schema.time_unit is TimeUnit.CLOCK:
        first, last = shelf.first_event_at, shelf.last_event_at
        picked: date | None = st.date_input(
            "Use rows until (optional)", value=None, key="run_until", help=hint, min_value=first and first.date(),
            max_value=last and last.date(),
        )  # fmt: skip
        return None if picked is None else picked.isoformat()
    unit = "day" if schema.time_unit is TimeUnit.DAY else "row"
    number = st.number_input(f"Use rows until {unit} (optional)", value=None, step=1, key="run_until", help=hint)
    return None if number is None else str(number)


def new_run(schema: Schema, shelf: Shelf) -> None:
    """Draw the form of a new run; its button queues the training and the sidebar follows it."""
    policy = session.store().policy
    short = shelf.labelled_rows < policy.train_rows_min
    with st.form("new_run"):
        fields = st.columns([4, 3, 2], vertical_alignment="bottom")
        with fields[0]:
            estimator = st.selectbox(
                "Estimator", list(words.ESTIMATORS), format_func=words.estimator, key="run_estimator"
            )
        with fields[1]:
            until = until_field(schema, shelf)
        with fields[2]:
            start = st.form_submit_button(
                "Train a version", type="primary", disabled=short, width="stretch", key="run_start"
            )
        st.caption(words.run_defaults(shelf, schema, policy) if not short else words.too_few(shelf, policy))
    if start:
        with session.guard():
            session.submit("train", schema.model, {"estimator": estimator, "until": until})
            st.rerun()


def retrain(schema: Schema, *, key: str, leads: bool) -> None:
    """Draw the button that queues a training on all labelled rows with the default estimator."""
    if st.button(
        "Retrain on all labelled rows",
        key=key,
        width="stretch",
        type="primary" if leads else "secondary",
        icon=":material/model_training:",
    ):
        with session.guard():
            session.submit("train", schema.model, {})
            st.rerun()


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
            page = session.PAGES["challenge"]
            query = {"challenger": str(chosen.version)}
            st.page_link(page, label="Open its challenge", icon=":material/swords:", query_params=query)
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
                    x_title="SHAP share",
                    colour=colour,
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
            charts.curves({f"v{chosen.version} {chosen.stage}": chosen.curves}, colours=[colour]),
            key="version_curves",
            alt=f"ROC, precision-recall and calibration curves of version {chosen.version} on its hold-out",
        )
