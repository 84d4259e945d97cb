"""Starting a run: the form with its defaults, and the button that retrains with all of them."""

from __future__ import annotations

from datetime import date

import streamlit as st

from pages.release import options, words
from pages.release.reads import Shelf
from pages.ui import session
from pipeline_core.records import Schema, TimeUnit
from pipeline_core.stages import training


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
    with st.container(border=True, key="new_run"):
        fields = st.columns([4, 3, 2], vertical_alignment="bottom")
        with fields[0]:
            offered = training.names(policy.estimators)
            estimator = st.selectbox("Estimator", offered, format_func=words.estimator, key="run_estimator")
        with fields[1]:
            until = until_field(schema, shelf)
        asked = options.fields(schema, estimator)
        with fields[2]:
            start = st.button(
                "Train a version",
                type="secondary" if shelf.hopeful else "primary",
                disabled=short,
                width="stretch",
                key="run_start",
            )
        st.caption(words.run_defaults(shelf, schema, policy) if not short else words.too_few(shelf, policy))
    if start:
        with session.guard():
            session.submit("train", schema.model, {"estimator": estimator, "until": until, **asked})
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
