"""Blocks of the alerts page: the runbook's questions as links, and who has seen the alert."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import streamlit as st

from pages.ui import panels, session, wording
from pages.ui.session import Period
from pages.ui.wording import State
from pages.watch import words
from pipeline_core.records import Alert, AlertLevel, Schema

COLUMNS: Mapping[str, object] = {
    "Contribution": st.column_config.NumberColumn(format="%.3f", help=wording.GLOSSARY["contribution"]),
    "Message": st.column_config.TextColumn(width="large"),
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
        Question(text="What exactly changed against the training baseline?", link="Drift in this window", page="drift"),
        Question(text="Was anything changed upstream? Compare the sources of the batches around it.", link="Batches", page="batches"),
        Question(text="Is the feature in the top quarter by SHAP share? A page says yes, a watch says no.", link="SHAP shares", page="drift"),
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
    "batch_quarantined": (
        Question(text="Which finding quarantined it, and what is allowed?", link="Batches", page="batches"),
        Question(text="Ask the sender for a repaired file and upload it; this one is neither scored nor trained on.", link="Upload", page="batches"),
    ),
}  # fmt: skip


def summary(alerts: Sequence[Alert], schema: Schema) -> tuple[str, State]:
    """Say how many alerts are open and what leads them."""
    waiting = [alert for alert in alerts if alert.acknowledged_at is None]
    if not waiting:
        return f"Nothing is open: {wording.count(len(alerts), 'alert')} so far, all seen by somebody.", State.OK
    pages = sum(alert.level is AlertLevel.PAGE for alert in waiting)
    state = State.PAGE if pages else State.WATCH
    levels = f"{wording.count(pages, 'page')} and {wording.count(len(waiting) - pages, 'watch')}"
    first = title(waiting[0], schema)
    lowered = first if waiting[0].code == "data_drift" else f"{first[:1].lower()}{first[1:]}"
    return f"{wording.count(len(waiting), 'open alert')} ({levels}); first: {lowered}.", state


def title(alert: Alert, schema: Schema) -> str:
    """Name an alert in a few words."""
    about = words.subject(alert)
    if alert.window_start is None or alert.window_end is None:
        return about
    return f"{about} {wording.during(alert.window_start, alert.window_end, schema)}"


def filtered(alerts: Sequence[Alert], period: Period) -> list[Alert]:
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
        alert
        for alert in alerts
        if (which == "all" or alert.acknowledged_at is None)
        and level in {"any", alert.level.value}
        and period.covers(alert.window_start, alert.window_end)
    ]


def checklist(alert: Alert) -> None:
    """List the runbook's questions, each with the page that answers it."""
    st.markdown("**What to check, in this order**")
    for i, question in enumerate(QUESTIONS.get(alert.code, (VALIDATION,)), start=1):
        with st.container(horizontal=True, vertical_alignment="center", wrap=False, key=f"question_{i}"):
            st.markdown(f"{i}. {question.text}", width="stretch")
            query = None
            if question.page == "drift" and alert.window_start is not None:
                query = {"window": wording.window_key(alert.window_start)}
                query |= {"feature": alert.feature} if alert.feature else {}
            st.page_link(
                session.PAGES[question.page], label=question.link, icon=":material/arrow_forward:", query_params=query
            )


def same_thing(alert: Alert, alerts: Sequence[Alert]) -> list[str]:
    """Give the ids of the other open alerts with the same code and feature."""
    return [
        other.alert_id
        for other in alerts
        if (other.code, other.feature) == (alert.code, alert.feature)
        and other.acknowledged_at is None
        and other.alert_id != alert.alert_id
    ]


def acknowledgement(alert: Alert, others: Sequence[str]) -> None:
    """Take note of who has seen the alert (and, where asked, the others about the same thing), or undo that."""
    if alert.acknowledged_at is not None:
        by = wording.safe(alert.acknowledged_by or "", length=60)
        st.markdown(f":material/check: Seen by **{by}**, {wording.clock(alert.acknowledged_at)}")
        if alert.note:
            st.markdown(f"“{wording.safe(alert.note, length=400)}”")
        st.button("Reopen", icon=":material/undo:", key="reopen", on_click=_reopen, args=(alert.alert_id,))
        return
    st.markdown("**I have seen it**")
    by = session.person(key="ack_by")
    st.text_area("Note (optional)", key="ack_note", max_chars=500, placeholder="What it was, and what you did about it")
    if others:
        st.checkbox(f"Also the {wording.count(len(others), 'other open alert')} about the same thing", key="ack_others")
    st.button(
        "Acknowledge",
        type="primary",
        icon=":material/check:",
        key="acknowledge",
        on_click=_acknowledge,
        args=(alert.alert_id, tuple(others)),
        disabled=not by,
        help=None if by else "Type your name first: others should know who has seen it.",
    )


def _acknowledge(alert_id: str, others: tuple[str, ...]) -> None:
    by, note = st.session_state["ack_by"].strip(), st.session_state["ack_note"].strip()
    chosen = (alert_id, *others) if st.session_state.get("ack_others") else (alert_id,)
    store, now = session.store(), datetime.now(UTC)
    with session.later(), store.transaction():
        for one in chosen:
            store.signals.acknowledge(one, by=by, at=now, note=note)
        session.tell(f"Acknowledged {wording.count(len(chosen), 'alert')}. See All for what is done.")
    st.session_state["ack_note"], st.session_state["ack_others"] = "", False


def _reopen(alert_id: str) -> None:
    with session.later():
        session.store().signals.reopen(alert_id)
        session.tell("The alert is open again.", icon=":material/undo:")


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
        }
        for alert in alerts
    ]
