"""What was tried before a version was fitted, what looks like a leak, and what is done to each column."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from pages.ui import charts, panels, release_charts, wording
from pages.ui.wording import State
from pipeline_core.records import Calibration, CrossValidation, Measured, ModelVersion, Run, Schema, Search, Severity

TRIALS = 8


def leaks(version: ModelVersion) -> None:
    """List the features that look as if they knew the target, and say what to do."""
    warnings = version.run.warnings
    if not warnings:
        return
    grave = [f for f in warnings if f.severity is Severity.WARNING]
    with st.container(border=True, key="version_leaks"):
        if grave:
            columns = wording.listing(dict.fromkeys(wording.safe(f.column) for f in grave))
            colour = wording.badge_colour(State.WATCH)
            st.markdown(
                f":{colour}[{wording.icon(State.WATCH)} **Did v{version.version} see the answer?**] Its figures may be too good"
                f" to last: look at {columns} first. If a value is known only after the prediction, define the model again"
                " without it."
            )
            panels.link("Define again without it", "define", icon=":material/edit:")
        panels.findings(warnings, key="version_leak_list")


def before(version: ModelVersion, schema: Schema) -> None:
    """Draw cross-validation, search and calibration of a version, where there were any."""
    run = version.run
    left, right = st.columns([5, 4]) if run.search else (st.container(), st.container())
    if run.cross_validation:
        with left:
            _folds(run.cross_validation, schema, colour=release_charts.stage_colour(version), searched=run.search)
    if run.search:
        with right:
            _search(run.search)
    if run.calibration:
        st.markdown(calibration(run.calibration))
    _treatments(run)


def _folds(found: CrossValidation, schema: Schema, *, colour: str, searched: Search | None) -> None:
    name = wording.metric_name(found.metric)
    rows = [
        (
            wording.span(fold.first_event_at, fold.last_event_at, schema) if fold.first_event_at else f"part {i + 1}",
            fold.figure,
        )
        for i, fold in enumerate(found.folds)
    ]
    spread = "" if found.spread is None else f" ± {wording.number(found.spread)}"
    mean = wording.DASH if found.mean is None else f"{wording.number(found.mean)}{spread}"
    how = "each judged by a fit on the rows before it" if found.by_time else "each judged by a fit on the others"
    panels.chart(
        charts.interval_dots(
            rows,
            title=f"{name} {mean} over {len(rows)} parts of the fitted rows",
            x_title=f"{name}, {how}",
            reference=found.mean,
            colours=[colour] * len(rows),
        ),
        key="version_folds",
        alt=f"{name} by part of the fitted rows, with intervals; the dotted line is their mean",
        table=[
            {
                "part": label, "fitted on": fold.fit_rows, "judged on": fold.rows,
                name: fold.figure.value if isinstance(fold.figure, Measured) else None,
            }
            for (label, _), fold in zip(rows, found.folds, strict=True)
        ],
    )  # fmt: skip
    if searched:
        st.caption(
            "The settings were chosen on these parts, so their mean flatters a little; the hold-out took no part."
        )


def _search(found: Search) -> None:
    tried = len(found.trials) - 1
    kept = wording.safe(settings(found.kept), length=200)
    st.markdown(f"**Search**: of {wording.count(tried, 'candidate')} and the given settings, kept: {kept}.")
    name = wording.metric_name(found.metric)
    panels.table(
        [
            {"place": i + 1, name: trial.mean, "±": trial.spread, "settings": settings(trial.settings)}
            for i, trial in enumerate(found.trials[:TRIALS])
        ],
        key="version_trials",
        alt="The best settings of the search with their mean over the folds",
    )


def settings(found: Mapping[str, object]) -> str:
    """Give settings as text: ``"C=0.31, max_iter=200"``."""
    text = ", ".join(f"{name}={wording.number(v) if isinstance(v, float) else v}" for name, v in found.items())
    return text or "the given settings"


def calibration(found: Calibration) -> str:
    """Say what came of the calibration."""
    gain = wording.interval(found.brier_gain)
    rows = f"learned on {found.learned_rows:,} fitted rows, judged on the {found.judged_rows:,} after them"
    if not isinstance(found.brier_gain, Measured):
        return f"**Calibration** ({found.method}) was left out: {found.brier_gain.reason}."
    if found.kept:
        return f"**Calibration** ({found.method}) was kept: the Brier score falls by {gain}; {rows}."
    return f"**Calibration** ({found.method}) was not kept, because it does not surely help: the Brier score falls by {gain}; {rows}."


def _treatments(run: Run) -> None:
    if not run.treatments:
        return
    with st.expander("What is done to each column before the estimator sees it"):
        panels.table(
            [
                {
                    "Column": t.column, "Taken as": t.treated_as, "Nulls": wording.percent(t.null_share),
                    "What is done": "; ".join(t.steps), "Columns made": t.outputs, "Levels": ", ".join(t.levels),
                }
                for t in run.treatments
            ],
            key="version_treatments",
            alt="Treatment of each column, learned on the fitted rows",
        )  # fmt: skip
