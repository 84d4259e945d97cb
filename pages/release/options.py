"""The options of a run: settings of the estimator within their bounds, class weights, folds, search, calibration."""

from __future__ import annotations

import streamlit as st

from pages.ui import wording
from pipeline_core.records import ColumnType, Schema, Task, TimeUnit
from pipeline_core.stages import preprocessing, training
from pipeline_core.stages.training import Setting

CALIBRATIONS = {"none": "as they are", "isotonic": "isotonic (many rows)", "sigmoid": "sigmoid (Platt, few rows)"}
TREATMENTS = {"category": "as categories", "log": "on a log scale"}
SEARCH_MOST = 60


def fields(schema: Schema, estimator: str) -> dict[str, object]:
    """Draw the options, folded, and give those that were moved as the verb takes them."""
    with st.expander("Options: settings, class weights, cross-validation, search, calibration", icon=":material/tune:"):
        settings = _settings(schema.task, estimator)
        left, right = st.columns(2, gap="medium")
        with left:
            tried = _tried(schema, estimator)
        with right:
            shaped = _shaped(schema)
    asked = {"set": settings, **tried, **shaped}
    return {name: value for name, value in asked.items() if value}


def _settings(task: Task, estimator: str) -> dict[str, str]:
    offered = training.settings_of(estimator, task)
    if not offered:
        text = st.text_input(
            "Settings", key=f"run_set_{estimator}", placeholder="n_estimators=300, max_depth=8",
            help="Name and value of each parameter of the class that the policy names; the rest stays as the policy says.",
        )  # fmt: skip
        pairs = [part.partition("=") for part in (text or "").split(",") if "=" in part]
        return {name.strip(): value.strip() for name, _, value in pairs}
    known = training.defaults(estimator, task)
    found: dict[str, str] = {}
    for column, setting in zip(st.columns(len(offered)), offered, strict=True):
        with column:
            value = _number(setting, known[setting.name], estimator)
        if value is not None:
            found[setting.name] = f"{value:g}" if not setting.whole else str(int(value))
    return found


def _number(setting: Setting, default: float | None, estimator: str) -> float | None:
    bounds = f"From {setting.low:g} to {setting.high:,g}."
    kind = int if setting.whole else float
    value: float | None = st.number_input(
        setting.name,
        value=None,
        min_value=kind(setting.low),
        max_value=kind(setting.high),
        step=1 if setting.whole else None,
        format="%d" if setting.whole else "%g",
        placeholder="its own rule" if default is None else f"{default:g}",
        key=f"run_set_{estimator}_{setting.name}",
        help=f"{setting.help[:1].upper()}{setting.help[1:]}. {bounds}",
    )
    return value


def _tried(schema: Schema, estimator: str) -> dict[str, object]:
    how = "the others" if schema.time_unit is TimeUnit.NONE else "the rows before it"
    folds = st.slider(
        "Cross-validation: folds of the fitted rows", 0, 10, 0, key="run_folds",
        help=f"0: none. Each part is judged by a fit on {how}; the hold-out takes no part.",
    )  # fmt: skip
    can = bool(training.settings_of(estimator, schema.task))
    candidates = st.slider(
        "Search: settings to try", 0, SEARCH_MOST, 0, key="run_search", disabled=not can,
        help="Drawn at random from a sensible range and judged on the folds (3 where none are set); the best is fitted. "
        "Each takes as long as its folds; Stop ends it and keeps nothing.",
    )  # fmt: skip
    return {"folds": 0 if folds == 1 else folds, "search": candidates if can else 0}


def _shaped(schema: Schema) -> dict[str, object]:
    found: dict[str, object] = {}
    if schema.task is not Task.REGRESSION:
        balanced = st.toggle(
            "Rare classes count as much as common ones", key="run_balanced",
            help="Class weights in inverse proportion to the rows of each class. Ranks rare classes better at times; its "
            "probabilities are no longer shares of rows, so calibrate them.",
        )  # fmt: skip
        method = st.selectbox(
            "Probabilities", list(CALIBRATIONS), format_func=lambda m: CALIBRATIONS[m], key="run_calibrate",
            help="Mapped so that 30 % means 3 in 10, learned on the newest fitted rows and kept only if the Brier score surely "
            "falls.",
        )  # fmt: skip
        found = {"class-weight": "balanced" if balanced else None, "calibrate": method if method != "none" else None}
    numbers = [c.name for c in schema.features if c.type is ColumnType.NUMBER]
    treats: dict[str, str] = {}
    for way in preprocessing.TREATMENTS:
        for name in st.multiselect(
            f"Number columns to take {TREATMENTS[way]}", numbers, key=f"run_treat_{way}",
            format_func=wording.plain,
        ):  # fmt: skip
            treats[name] = way
    return {**found, "treat": treats}
