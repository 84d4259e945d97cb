"""The table of versions, from which one or several are picked."""

from __future__ import annotations

import streamlit as st

from pages.release import words
from pages.release.reads import Shelf
from pages.ui import glossary, wording
from pipeline_core.records import Measured, ModelVersion, Schema

BOUNDED = {"auc", "auc_macro"}


def row(version: ModelVersion, schema: Schema) -> dict[str, object]:
    """Give a version as a row of the table."""
    name = wording.primary_metric(version.metrics)
    figure = version.metrics[name] if name else None
    data = version.dataset
    return {
        "version": f"v{version.version}",
        "stage": version.stage.value,
        "estimator": words.estimator_name(version.run.estimator),
        "metric": wording.interval(figure),
        "bar": figure.value if isinstance(figure, Measured) and name in BOUNDED else None,
        "rows": data.rows,
        "period": words.data_period(version, schema),
        "duration": wording.duration(version.run.duration_s),
        "made": wording.clock(version.created_at),
    }


def pick(shelf: Shelf, schema: Schema) -> tuple[ModelVersion, ...]:
    """Draw the versions, newest first, and give the picked ones; the URL keeps them (``?versions=2,1``)."""
    versions = shelf.versions
    wanted = {v for v in st.query_params.get("versions", "").split(",") if v.isdigit()}
    default = [i for i, v in enumerate(versions) if str(v.version) in wanted]
    metric = wording.primary_metric(versions[0].metrics)
    name = wording.metric_name(metric) if metric else "Metric"
    event = st.dataframe(
        [row(v, schema) for v in versions],
        # the count is part of the key: a new version on top would shift the picked positions
        key=f"runs_{schema.model}_{len(versions)}",
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        selection_default={"selection": {"rows": default or [0]}},
        alt="Trained versions; pick one for its details, two or more to compare them",
        column_config={
            "version": st.column_config.TextColumn("Version", width="small"),
            "stage": "Stage",
            "estimator": "Estimator",
            "metric": st.column_config.TextColumn(f"{name} on its hold-out", help=glossary.GLOSSARY.get(metric or "")),
            "bar": st.column_config.ProgressColumn("", min_value=0.5, max_value=1.0, format=" ", width="small")
            if metric in BOUNDED
            else None,
            "rows": st.column_config.NumberColumn("Rows", format="localized"),
            "period": "Data",
            "duration": "Took",
            "made": "Made",
        },
    )
    picked = tuple(versions[i] for i in event.selection.rows if i < len(versions))
    if picked and picked != versions[:1]:
        st.query_params["versions"] = ",".join(str(v.version) for v in picked)
    else:
        # the newest is what the page shows anyway; naming it would hide the next version that is trained
        st.query_params.pop("versions", None)
    if len(picked) == 1 and len(versions) > 1:
        st.caption("Pick a second version to compare the two.")
    return picked
