"""What differs between picked versions: figures, data, settings, importance, curves."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.release import words
from pages.ui import charts, panels, release_charts, wording
from pipeline_core.records import ModelVersion, Schema


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
            charts.curves(
                sides,
                title="Which one ranks better, each on its own hold-out?",
                colours=release_charts.version_colours(versions),
            ),
            key="compare_curves",
            alt=f"ROC, precision-recall and calibration curves of {names}",
        )


def _facts(versions: Sequence[ModelVersion], schema: Schema) -> dict[str, list[str]]:
    """Columns of the comparison: the question, then one a version; what is equal is left out, metrics apart."""
    metrics = list(dict.fromkeys(name for v in versions for name in v.metrics))
    rows = {wording.metric_name(m): [wording.interval(v.metrics.get(m)) for v in versions] for m in metrics}
    made = [{"Estimator": words.estimator_name(v.run.estimator)} | words.made_of(v, schema) for v in versions]
    rows |= {name: values for name in made[0] if _differ(values := [facts[name] for facts in made])}
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
