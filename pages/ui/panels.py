"""Blocks that pages repeat: the opening sentence, state cards, empty states, charts with their table.

Everything foreign is escaped by the caller through ``wording.safe`` where it goes into Markdown (``sentence``, ``empty``);
tables and charts take raw names. Nothing here knows a verb.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from pages.ui import glossary, session, wording
from pages.ui.wording import State
from pipeline_core.records import Finding, Job, JobStatus, Severity

Rows = Sequence[Mapping[str, object]]
"""A small table: one mapping a row, the same keys in each."""

ROWS_MAX = 200
TABLE_PX = 640
CONFIG = {
    "displaylogo": False,
    "modeBarButtonsToRemove": ["zoom", "pan", "select", "lasso", "zoomIn", "zoomOut", "autoScale", "resetScale"],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One state card: title, state (``word`` says it otherwise), one figure, what it is against, past values, a link."""

    title: str
    state: State
    value: str
    delta: str | None = None
    note: str = ""
    history: tuple[float, ...] = ()
    page: str | None = None
    link: str = "Open"
    help: str | None = None
    query: Mapping[str, str] | None = None
    word: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One labelled figure; ``help`` is a key of ``glossary.GLOSSARY`` or a text."""

    label: str
    value: str
    help: str | None = None


def sentence(text: str, *, state: State = State.OK) -> None:
    """Open the page with the answer: icon and word of the state, then Markdown with the figures in it."""
    colour = wording.badge_colour(state)
    st.title(f":{colour}[{wording.icon(state)}] {text}", anchor=False)


def cards(items: Sequence[Card], *, key: str) -> None:
    """Draw cards of equal height in one row."""
    for i, (column, item) in enumerate(zip(st.columns(len(items)), items, strict=True)):
        box = column.container(
            border=True, height="stretch", key=f"{key}_{i}", gap="xsmall", vertical_alignment="distribute"
        )
        with box:
            _card(item)


def _card(item: Card) -> None:
    colour = wording.badge_colour(item.state)
    with st.container(gap="xsmall"):
        st.markdown(
            f"**{item.title}**  \n:{colour}[{wording.icon(item.state)} {item.word or wording.word(item.state)}]"
        )
        st.metric(
            item.title,
            item.value,
            delta=item.delta,
            delta_color="off",
            delta_arrow="off",
            label_visibility="collapsed",
            help=glossary.explained(item.help),
            chart_data=list(item.history) if len(item.history) > 2 else None,
            chart_type="line",
        )
        if item.note:
            st.caption(item.note)
    if item.page is not None:
        link(item.link, item.page, query=item.query)


def link(
    label: str, page: str, *, icon: str = ":material/arrow_forward:", query: Mapping[str, str] | None = None
) -> None:
    """Draw a link to ``session.PAGES[page]`` that also works in a new tab: it names the model and the period."""
    st.page_link(session.PAGES[page], label=label, icon=icon, query_params=session.address(query))


def facts(items: Sequence[Fact], *, key: str, columns: int = 4) -> None:
    """Draw labelled figures in a compact grid, definitions on hover."""
    with st.grid(columns, key=key, gap="small"):
        for item in items:
            with st.container(gap=None):
                st.caption(item.label, help=glossary.explained(item.help))
                st.markdown(f"**{item.value}**")


def empty(title: str, text: str, *, page: str | None = None, action: str = "", key: str = "empty") -> None:
    """Say what this page will show and hold the one primary button that gets there (``session.PAGES[page]``)."""
    st.title(title, anchor=False)
    with st.container(border=True, key=key):
        st.markdown(text)
        if page is not None and st.button(action, type="primary", icon=":material/arrow_forward:", key=f"{key}_go"):
            st.switch_page(session.PAGES[page], query_params={})  # None would clear the bound model, which raises


def next_step(label: str, page: str, *, key: str, why: str = "", query: Mapping[str, str] | None = None) -> None:
    """Draw the page's one obvious next step as a primary button that switches to ``session.PAGES[page]``."""
    with st.container(horizontal=True, vertical_alignment="center", key=f"{key}_step"):
        if st.button(label, type="primary", icon=":material/arrow_forward:", key=key):
            st.switch_page(session.PAGES[page], query_params=query or {})
        if why:
            st.caption(why)


def chart(
    figure: go.Figure,
    *,
    key: str,
    alt: str,
    table: Rows | Callable[[], Rows] = (),
    on_point: Callable[[list[Any]], None] | None = None,
) -> None:
    """Draw a chart with its table and CSV download folded below.

    Parameters
    ----------
    figure : Figure
        From ``charts`` and its neighbours.
    key : str
        Unique on the page.
    alt : str
        What the chart shows, for those who do not see it.
    table : rows or callable, optional
        The same figures as a table; a callable makes a large one when it is unfolded.
    on_point : callable, optional
        Gets the ``customdata`` of a clicked point, or its place (x, y) where that is no list, before the page runs again: set
        widget state there.
    """

    def clicked() -> None:
        points = st.session_state[key].selection.points
        if points and on_point is not None:
            data = points[0].get("customdata")
            on_point(list(data) if isinstance(data, list) else [points[0].get("x"), points[0].get("y")])

    select: Any = clicked if on_point is not None else "ignore"
    with st.container(gap=None, key=f"{key}_chart"):
        st.plotly_chart(figure, key=key, alt=alt, on_select=select, selection_mode="points", config=CONFIG)
        if table:
            fold = st.popover("Table", icon=":material/table:", type="tertiary", key=f"{key}_fold", on_change="rerun")
            with fold:
                if fold.open:
                    rows = table() if callable(table) else table
                    st.dataframe(
                        plain(rows[:ROWS_MAX]),
                        hide_index=True,
                        key=f"{key}_rows",
                        alt=alt,
                        placeholder=wording.DASH,
                        width=TABLE_PX,
                    )
                    download_csv("Download CSV", rows, name=f"{key}.csv", key=f"{key}_csv")


def table(
    rows: Rows, *, key: str, alt: str, columns: Mapping[str, Any] | None = None, select: bool = False
) -> int | None:
    """Draw a table, paged above 200 rows.

    Parameters
    ----------
    rows : rows
        What to show.
    key, alt : str
        As for ``chart``.
    columns : mapping, optional
        A ``column_config``.
    select : bool
        Whether a row can be picked.

    Returns
    -------
    int or None
        The index of the picked row in ``rows``.
    """
    pages = -(-len(rows) // ROWS_MAX)
    first = 0 if pages <= 1 else (st.pagination(pages, key=f"{key}_page") - 1) * ROWS_MAX
    shown = plain(rows[first : first + ROWS_MAX])
    if not select:
        st.dataframe(
            shown, hide_index=True, key=key, alt=alt, column_config=dict(columns or {}), placeholder=wording.DASH
        )
        return None
    event = st.dataframe(
        shown,
        hide_index=True,
        key=key,
        alt=alt,
        column_config=dict(columns or {}),
        placeholder=wording.DASH,
        on_select="rerun",
        selection_mode="single-row",
    )
    picked = event.selection.rows
    return first + picked[0] if picked and first + picked[0] < len(rows) else None


def plain(rows: Rows) -> dict[str, list[object]]:
    """Give a table by column, with cells that no spreadsheet runs and names that differ."""
    # the grid has a CSV button of its own, which cannot be taken away: it only ever holds harmless cells
    shown: dict[str, list[object]] = {}
    for name in rows[0] if rows else {}:
        header = str(wording.cell(name))
        while header in shown:
            header = f"'{header}"
        shown[header] = [wording.cell(row.get(name)) for row in rows]
    return shown


_SEVERITIES = {
    Severity.ERROR: (State.PAGE, "Error"),
    Severity.WARNING: (State.WATCH, "Warning"),
    Severity.INFO: (State.UNKNOWN, "Note"),
}


def findings(items: Sequence[Finding], *, key: str, most: int = 50) -> None:
    """List findings as sentences, errors first, each with severity icon and word, and its code."""
    order = list(_SEVERITIES)
    ranked = sorted(items, key=lambda item: order.index(item.severity))
    with st.container(key=key, gap="xsmall"):
        for item in ranked[:most]:
            state, word = _SEVERITIES[item.severity]
            mark = f":{wording.badge_colour(state)}[{wording.icon(state)} **{word}**]"
            st.markdown(f"{mark}  {wording.safe(item.message, length=600)} :gray[{wording.safe(item.code)}]")
        if len(ranked) > most:
            st.caption(f"{len(ranked) - most} more: see the download.")


def csv_text(rows: Rows) -> str:
    """Write a table as CSV text whose cells no spreadsheet runs as formulas."""
    out = io.StringIO()
    writer = csv.writer(out)
    names = list(rows[0]) if rows else []
    writer.writerow([wording.cell(name) for name in names])
    writer.writerows([wording.cell(row.get(name)) for name in names] for row in rows)
    return out.getvalue()


def download_csv(label: str, rows: Rows, *, name: str, key: str) -> None:
    """Offer a table as a CSV file whose text cells no spreadsheet runs as formulas."""
    st.download_button(
        label,
        csv_text(rows).encode("utf-8-sig"),
        file_name=name,
        mime="text/csv",
        icon=":material/download:",
        key=key,
        on_click="ignore",
    )


_VERBS = {
    "train": "Training",
    "challenge": "Challenge of",
    "shadow": "Comparing live rows of",
    "check": "Checking",
    "replay": "Replaying a history of",
    "demo": "Building the demo",
    "define": "Defining",
    "receive": "Receiving a batch of",
    "score": "Scoring a batch of",
    "labels": "Joining labels of",
    "lineage": "Verifying the lineage of",
}


def job_name(job: Job) -> str:
    """Say what a job does: ``"Training lending"``."""
    return f"{_VERBS.get(job.verb, job.verb)}{'' if job.model is None else ' ' + wording.safe(job.model, length=30)}"


def job_progress(model_name: str | None = None, *, key: str, empty_text: str = "") -> None:
    """Show the active jobs with bar and step; refreshes itself only while one is active, then reruns the page."""
    every = 1.0 if session.active_jobs() else None
    st.fragment(_jobs, run_every=every, key=f"{key}_fragment")(model_name, key, empty_text)


def _jobs(model_name: str | None, key: str, empty_text: str) -> None:
    active = session.active_jobs(model_name)
    with st.container(key=key, gap="xsmall"):
        for job in active:
            waiting = "waiting for the job before it" if job.status is JobStatus.QUEUED else wording.safe(job.message)
            bar, stop = st.columns([12, 1], vertical_alignment="bottom")
            bar.progress(min(max(job.progress, 0.0), 1.0), text=f"**{job_name(job)}** – {waiting}")
            stop.button(
                "Stop",
                key=f"{key}_stop_{job.job_id}",
                on_click=_end,
                args=(job.job_id,),
                help="Ends it now. Nothing of it is kept.",
            )
        if active:
            st.caption("You may leave this page; the work goes on.")
        elif empty_text:
            st.caption(empty_text)
    ended = session.finished_jobs()
    for job in ended:
        if job.status is JobStatus.STOPPED:
            session.tell(f"{job_name(job)} was stopped; nothing of it was kept.", icon=":material/stop_circle:")
        elif job.status is JobStatus.FAILED:
            st.session_state["complaint"] = (f"{job_name(job)} failed", job.error or "No reason was kept.")
        else:
            said = "" if job.message.strip(" .").lower() == "done" else f" {wording.safe(job.message, length=200)}"
            session.tell(f"{job_name(job)}: done.{said}")
    if ended:
        st.rerun(scope="app")


def _end(job_id: str) -> None:
    with session.later():
        session.end_job(job_id)


def wordmark(theme: str) -> str:
    """Give the product's name as a picture for the top of the sidebar; drawn here, nothing is fetched."""
    ink = "#E4E9EB" if theme == "dark" else "#1C2429"
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="208" height="28" viewBox="0 0 208 28">'
        '<rect y="2" width="24" height="24" rx="5" fill="#2B4251"/>'
        '<path d="M3 15h4l3-7 4 12 3-5h4" fill="none" stroke="#FDFDFC" stroke-width="2.2" stroke-linejoin="round"/>'
        f'<text x="34" y="20" font-family="sans-serif" font-size="17" font-weight="600" fill="{ink}">Pipeline Monitor</text></svg>'
    )
