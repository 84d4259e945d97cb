"""Why this rule: by what windows are judged and compared, how often that would have paged, and the choice of a baseline.

Neighbours: ``detailwords`` has the sentences, ``flows.choosing`` keeps a choice, ``dialogs`` asks who and why.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import streamlit as st

from pages.ui import dialogs, panels, session, wording
from pages.watch import detailwords, reads
from pipeline_core.flows import choosing
from pipeline_core.records import BaselineKind, Schema, Season, TimeUnit, WatchReport

_LABELS = {
    BaselineKind.TRAINING: "all training data",
    BaselineKind.SEASON: "the same season",
    BaselineKind.PERIOD: "a period",
    BaselineKind.PREVIOUS: "the window before",
}
_SEASONS = {Season.YEAR: "time of the year", Season.WEEKDAY: "weekday", Season.HOUR: "hour of the day"}
FIRST, LAST = date(1970, 1, 1), date(2100, 1, 1)


def why(report: WatchReport, schema: Schema) -> None:
    """Draw the rule and the baseline folded into one line, with the choice of another and the choices so far."""
    with st.expander(detailwords.rule_line(report), icon=":material/gavel:", key="why_rule"):
        if report.rule is not None:
            st.markdown(wording.safe(report.rule.words, length=800))
        st.markdown(detailwords.paged_on_history(report))
        st.markdown(detailwords.baseline(report.baseline, schema))
        _choose(report, schema)
        choices = session.cached(reads.choices, schema.model)
        if choices:
            panels.table(
                detailwords.choice_rows(choices, schema),
                key="baseline_rows",
                alt="Baselines that people chose, newest first",
            )


def _kinds(schema: Schema) -> list[BaselineKind]:
    """Give the kinds that the model's event time allows."""
    if schema.time_unit is TimeUnit.NONE:
        return [BaselineKind.TRAINING, BaselineKind.PREVIOUS]
    return [kind for kind in BaselineKind if kind is not BaselineKind.SEASON or schema.time_unit is not TimeUnit.ROW]


def _choose(report: WatchReport, schema: Schema) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", key="baseline_choice"):
        kind = st.selectbox(
            "Compare with", _kinds(schema), format_func=_LABELS.__getitem__, key="baseline_kind", width=220
        )
        given = _season() if kind is BaselineKind.SEASON else _period(schema) if kind is BaselineKind.PERIOD else {}
        lacking = kind is BaselineKind.PERIOD and None in given.values()
        pressed = st.button(
            "Choose this baseline",
            key="baseline_choose",
            disabled=lacking,
            help="Say from when to when first." if lacking else None,
        )
    if pressed:
        _ask(report, schema, kind=kind, given=given)


def _season() -> dict[str, Any]:
    season = st.selectbox(
        "Of the same", list(Season), format_func=_SEASONS.__getitem__, key="baseline_season", width=200
    )
    return {"season": None if season is None else season.value}


def _period(schema: Schema) -> dict[str, Any]:
    given = {}
    for name, label in (("start", "From"), ("end", "To (not included)")):
        if schema.time_unit is TimeUnit.CLOCK:
            day = st.date_input(label, value=None, min_value=FIRST, max_value=LAST, key=f"baseline_{name}", width=160)
            given[name] = None if day is None else day.isoformat()
        else:
            number = st.number_input(label, value=None, step=1, key=f"baseline_{name}", width=160)
            given[name] = None if number is None else str(int(number))
    return given


def _ask(report: WatchReport, schema: Schema, *, kind: BaselineKind, given: dict[str, Any]) -> None:
    def keep(by: str, reason: str) -> None:
        choosing.choose(session.store(), schema.model, kind=kind.value, by=by, reason=reason, **given)
        session.submit("check", schema.model, {"window": report.window})
        session.tell("The baseline was chosen; a check against it is running.")

    dialogs.confirm(
        f"Compare with {_LABELS[kind]}?",
        "From the next check on, every window is judged against this baseline. Alerts that were raised stay as they are."
        " The choice, your name and the reason are kept.",
        button="Choose this baseline",
        action=keep,
        key="confirm_baseline",
        reason="Why is this the right comparison?",
    )
