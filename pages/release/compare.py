"""Versions beside each other: the table to pick from, and what differs between the picked ones."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.release import words
from pages.release.reads import Shelf
from pages.ui import charts, panels, release_charts, wording
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
            "metric": st.column_config.TextColumn(f"{name} on its hold-out", help=wording.GLOSSARY.get(metric or "")),
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


def side_by_side(versions: Sequence[ModelVersion], schema: Schema) -> None:
    """Draw what differs between versions: figures, data, settings, curves, importance."""
    names = ", ".join(f"v{v.version}" for v in versions)
    st.subheader(f"{names} compared", anchor=False)
    st.caption("Each version is judged on its own hold-out here. Only the challenge compares them on the same rows.")
    left, right = st.columns([5, 4]) if len(versions) == 2 else (st.container(), st.container())
    with left:
        st.table(_facts(versions, schema), border="horizontal", hide_index=True, alt=f"{names} compared")
        if (settings := _settings(versions))[""]:
            with st.expander(f"{wording.count(len(settings['']), 'setting')} that differ"):
                st.table(settings, border="horizontal", hide_index=True, alt=f"Settings of {names} that differ")
    with right:
        panels.chart(
            release_charts.shares_side_by_side(versions, title="What each version looks at"),
            key="compare_shares",
            alt=f"SHAP share per feature of {names}",
            table=_shares(versions),
        )
    if any(v.curves.roc for v in versions):
        sides = {f"v{v.version} {v.stage}": v.curves for v in versions}
        panels.chart(
            charts.curves(sides, colours=release_charts.version_colours(versions)),
            key="compare_curves",
            alt=f"ROC, precision-recall and calibration curves of {names}",
        )


def _facts(versions: Sequence[ModelVersion], schema: Schema) -> dict[str, list[str]]:
    """Columns of the comparison: the question, then one a version; what is equal is left out, metrics apart."""
    metrics = list(dict.fromkeys(name for v in versions for name in v.metrics))
    rows = {wording.metric_name(m): [wording.interval(v.metrics.get(m)) for v in versions] for m in metrics}
    made = [{"Estimator": words.estimator_name(v.run.estimator)} | words.made_of(v, schema) for v in versions]
    return _table(versions, rows)


def _settings(versions: Sequence[ModelVersion]) -> dict[str, list[str]]:
    """Columns of the settings that are not the same in all versions."""
    rows = {
        wording.safe(name): [wording.safe(v.run.parameters.get(name, wording.DASH)) for v in versions]
        for name in dict.fromkeys(name for v in versions for name in v.run.parameters)
    }
    return _table(versions, {name: values for name, values in rows.items() if _differ(values)})


def _table(versions: Sequence[ModelVersion], rows: dict[str, list[str]]) -> dict[str, list[str]]:
    columns = {f"v{v.version} {v.stage}": [values[i] for values in rows.values()] for i, v in enumerate(versions)}
    return {"": list(rows)} | columns


def _differ(values: Sequence[str]) -> bool:
    return len(set(values)) > 1


def _shares(versions: Sequence[ModelVersion]) -> list[dict[str, object]]:
    features = dict.fromkeys(name for v in versions for name in v.shap_shares)
    return [{"feature": n} | {f"v{v.version}": v.shap_shares.get(n, 0.0) for v in versions} for n in features]
