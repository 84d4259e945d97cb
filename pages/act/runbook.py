"""Blocks of the alerts page: the runbook's questions as links, and who has seen the alert."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from pages.ui import glossary, panels, session, wording
from pages.ui.session import Period
from pages.ui.wording import State
from pages.watch import words
from pages.watch.needs import Need
from pipeline_core.records import Alert, AlertLevel, Schema

NAMELESS = "acknowledged_without_a_name"

COLUMNS: Mapping[str, object] = {
    "Level": st.column_config.TextColumn(width="small"),
    "Windows": st.column_config.NumberColumn(width="small", help="How many windows raised it."),
    "Contribution": st.column_config.NumberColumn(format="%.3f", help=glossary.GLOSSARY["contribution"]),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question of the runbook, and the page that answers it."""

    text: str
    link: str
    page: str


VALIDATION = Question(
    text="Is the schema intact, are null rates as expected? See the findings of the last batches.",
    link="Batches",
    page="batches",
)
RETRAIN = Question(text="If it matters: retrain on recent data.", link="Train a challenger", page="training")
GATE = Question(text="Do not promote until the challenge passes.", link="Challenge", page="challenge")

QUESTIONS: Mapping[str, tuple[Question, ...]] = {
    "data_drift": (
        VALIDATION,
        Question(text="What exactly changed against the baseline?", link="Drift in this window", page="drift"),
        Question(text="Was anything changed upstream? Compare the sources of the batches around it.", link="Batches", page="batches"),
        Question(text="Is the feature in the top quarter by SHAP share? A page says yes, or that the drift is dear if it is a fault; a watch says no, or that it has not lasted yet.", link="SHAP shares", page="drift"),
        RETRAIN,
        GATE,
    ),
    "prediction_drift": (
        VALIDATION,
        Question(text="Which inputs moved in the same window?", link="Drift in this window", page="drift"),
        Question(text="Has ground truth arrived for it? Then the realised metric decides.", link="Overview", page="overview"),
        RETRAIN,
        GATE,
    ),
    "performance": (
        Question(text="Did the inputs drift in the same window? If not, the relation itself may have changed.", link="Drift in this window", page="drift"),
        Question(text="Look at recent rows by hand: are the values plausible?", link="Batches", page="batches"),
        Question(text="Are the predictions shifting too? See the mean score over time.", link="Overview", page="overview"),
        RETRAIN,
        GATE,
    ),
    "batch_suspect": (
        Question(text="Which values, in how many rows, and what did the baseline have there?", link="Batch", page="batches"),
        Question(text="What did upstream change: how it writes missing values, or a unit? Ask before anything is trained on it.", link="Batches", page="batches"),
        Question(text="Did the scores move with it?", link="Drift in this window", page="drift"),
        Question(text="Have it repaired and send the rows again: the newest row of an id counts.", link="Upload", page="batches"),
    ),
    "batch_quarantined": (
        Question(text="Which finding quarantined it, and what is allowed?", link="Batches", page="batches"),
        Question(text="Ask the sender for a repaired file and upload it; this one is neither scored nor trained on.", link="Upload", page="batches"),
    ),
}  # fmt: skip


def summary(groups: Sequence[Need], schema: Schema) -> tuple[str, State]:
    """Say how much waits for somebody and what leads it."""
    waiting = [group for group in groups if group.waiting]
    if not waiting:
        return (
            f"Nothing is open: {wording.count(sum(len(group.alerts) for group in groups), 'alert')} so far, all seen by somebody.",
            State.OK,
        )
    pages = sum(group.alert.level is AlertLevel.PAGE for group in waiting)
    state = State.PAGE if pages else State.WATCH
    total = wording.count(sum(len(group.alerts) for group in waiting), "alert")
    levels = f"{wording.count(pages, 'page')}, {len(waiting) - pages:,} to watch; {total}"
    first = title(waiting[0], schema)
    lowered = first if waiting[0].alert.code == "data_drift" else f"{first[:1].lower()}{first[1:]}"
    things = f"{wording.count(len(waiting), 'thing')} {'waits' if len(waiting) == 1 else 'wait'} for you"
    return f"{things} ({levels}). First: {lowered}.", state


def title(group: Need, schema: Schema) -> str:
    """Name a group of alerts in a few words, with since when and how often."""
    subject, alert = words.subject(group.alert), group.alert
    if group.batch_id or alert.window_start is None or alert.window_end is None or group.first is None:
        return subject
    if group.count == 1:
        return f"{subject} {wording.during(alert.window_start, alert.window_end, schema)}"
    return f"{subject} in {wording.count(group.count, 'window')} since {wording.moment(group.first, schema)}"


def filtered(groups: Sequence[Need], period: Period) -> list[Need]:
    """Draw the filters and give what passes them and the period."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="filters"):
        which = st.segmented_control(
            "Show",
            ["open", "all"],
            default="open",
            required=True,
            key="show",
            bind="query-params",
            format_func=str.capitalize,
        )
        level = st.segmented_control(
            "Level",
            ["any", "page", "watch"],
            default="any",
            required=True,
            key="level",
            bind="query-params",
            format_func=str.capitalize,
        )
    return [
        group
        for group in groups
        if (which == "all" or group.waiting)
        and level in {"any", group.alert.level.value}
        and any(period.covers(alert.window_start, alert.window_end) for alert in group.alerts)
    ]


def evidence(group: Need, schema: Schema) -> None:
    """Draw one group of alerts: what it says, the runbook's questions, who has seen it."""
    state = wording.state_of(group.alert.level)
    with st.container(border=True, key="alert_detail"):
        st.subheader(f":{wording.badge_colour(state)}[{wording.icon(state)}] {title(group, schema)}", anchor=False)
        when = wording.span(group.alert.window_start, group.alert.window_end, schema)
        order = "newest" if group.alert.contribution is None else "strongest"
        which = f"{order} {group.alert.level.value}"
        prefix = f"The {which}, {when}: " if group.count > 1 else ""
        st.markdown(f"{prefix}{wording.safe(group.alert.message, length=800)}")
        if group.alert.rule:
            st.caption(f":material/gavel: **The rule that fired.** {wording.safe(group.alert.rule, length=800)}")
        left, right = st.columns([3, 2], gap="large")
        with left:
            checklist(group)
        with right:
            acknowledgement(group)


def checklist(group: Need) -> None:
    """List the runbook's questions, each with the page that answers it."""
    alert = group.alert
    st.markdown("**What to check, in this order**")
    for i, question in enumerate(QUESTIONS.get(alert.code, (VALIDATION,)), start=1):
        with st.container(horizontal=True, vertical_alignment="center", wrap=False, key=f"question_{i}"):
            st.markdown(f"{i}. {question.text}", width="stretch")
            query = None
            if question.page == "drift" and alert.window_start is not None:
                query = {"window": wording.window_key(alert.window_start)}
                query |= {"size": alert.window} if alert.window else {}
                query |= {"feature": alert.feature} if alert.feature and alert.code == "data_drift" else {}
            elif question.page == "batches" and group.batch_id and i == 1:
                query = {"batch": group.batch_id}
            panels.link(question.link, question.page, query=query)


def acknowledgement(group: Need) -> None:
    """Take note of who has seen the alerts of a group, or undo that."""
    ids = tuple(alert.alert_id for alert in group.alerts)
    alert = group.alert
    if not group.waiting:
        by = wording.safe(alert.acknowledged_by or "", length=60)
        st.markdown(f":material/check: Seen by **{by}**, {wording.clock(alert.acknowledged_at)}")
        if alert.note:
            st.markdown(f"“{wording.safe(alert.note, length=400)}”")
        st.button("Reopen", icon=":material/undo:", key="reopen", on_click=_reopen, args=(ids,))
        return
    st.markdown("**I have seen it**")
    with st.form("acknowledgement", border=False):
        session.person(key="ack_by")
        placeholder = "What it was, and what you did about it"
        st.text_area("Note (optional)", key="ack_note", max_chars=500, placeholder=placeholder)
        st.form_submit_button(
            "Acknowledge" if group.count == 1 else f"Acknowledge all {group.count}",
            type="primary",
            icon=":material/check:",
            key="acknowledge",
            on_click=_acknowledge,
            args=(ids,),
        )
    if st.session_state.pop(NAMELESS, False):
        st.warning("Fill in your name first: others should know who has seen it.", icon=":material/edit:")


def _acknowledge(ids: tuple[str, ...]) -> None:
    by, note = session.typed("ack_by"), session.typed("ack_note")
    if not by:
        st.session_state[NAMELESS] = True
        return
    store, now = session.store(), session.store().now()
    with session.later(), store.transaction():
        for one in ids:
            store.signals.acknowledge(one, by=by, at=now, note=note)
        session.tell(f"Acknowledged {wording.count(len(ids), 'alert')}. Under All you find it again.")
    st.session_state["ack_note"] = ""


def _reopen(ids: tuple[str, ...]) -> None:
    with session.later():
        for one in ids:
            session.store().signals.reopen(one)
        session.tell("Open again.", icon=":material/undo:")


def csv_rows(alerts: Sequence[Alert], schema: Schema) -> panels.Rows:
    """Give all alerts as rows of a file."""
    return [
        {
            **words.alert_row(alert, schema),
            "Code": alert.code,
            "Raised": alert.raised_at.isoformat(),
            "Seen by": alert.acknowledged_by,
            "Seen at": alert.acknowledged_at.isoformat() if alert.acknowledged_at else None,
            "Note": alert.note,
            "Rule": alert.rule,
        }
        for alert in alerts
    ]
