"""The one door from the screens to the core: store, worker, the sidebar's choice, cached reads, known errors.

A page asks ``model()`` and ``period()`` for what the sidebar says, reads through ``cached`` and changes things inside
``guard()`` or by ``submit``. Nothing here draws, except the message of ``guard`` and the field of ``person``.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import streamlit as st

from pages.ui import wording
from pipeline_core.errors import PipelineError, StoreBusy
from pipeline_core.records import BatchStatus, Job, JobStatus, Schema, TimeUnit
from pipeline_core.service.host import host
from pipeline_core.store import Store

P = ParamSpec("P")
R = TypeVar("R")
READ_S = 15
"""How long a result stays: long enough to be read, also by somebody who looked away."""

NAMES_MAX = 12

PAGES: Mapping[str, str] = {
    "overview": "watch/overview.py",
    "drift": "watch/drift.py",
    "replay": "watch/replay.py",
    "alerts": "act/alerts.py",
    "batches": "intake/batches.py",
    "sources": "intake/sources.py",
    "define": "intake/define.py",
    "training": "release/training.py",
    "challenge": "release/challenge.py",
    "registry": "release/registry.py",
}
"""Page name (also its url_path) -> file relative to ``frame.py``; give the values to ``st.page_link`` and ``st.switch_page``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """The sidebar's period in event time: ``since`` inclusive, ``until`` exclusive; None is open."""

    label: str
    since: datetime | None = None
    until: datetime | None = None

    def holds(self, at: datetime | None) -> bool:
        """Say whether a moment lies in the period (None does)."""
        if at is None:
            return True
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)

    def covers(self, start: datetime | None, end: datetime | None) -> bool:
        """Say whether the middle of a window lies in the period (a window without times does)."""
        return self.holds(start if start is None or end is None else start + (end - start) / 2)


def store() -> Store:
    """Give the process's one store."""
    return host().store


def cached(read: Callable[Concatenate[Store, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call ``read(store, *args)`` once per store revision.

    Parameters
    ----------
    read : callable
        A function without a closure: where its code stands names the entry.
    *args, **kwargs
        Hashable arguments.

    Returns
    -------
    object
        What ``read`` gave; shared between sessions, so never changed.

    Raises
    ------
    TypeError
        ``read`` closes over variables: they would not be part of the key.
    """
    home = store()
    code = read.__code__  # pages all run as __main__, so a module name would not do
    if code.co_freevars:
        raise TypeError(f"{read!r} closes over {code.co_freevars}: pass them as arguments")
    place = f"{code.co_filename}:{code.co_firstlineno}:{code.co_qualname}"
    return once((place, args, tuple(sorted(kwargs.items()))), lambda: read(home, *args, **kwargs))


def once(key: tuple[Any, ...], make: Callable[[], R]) -> R:
    """Make something once per store revision.

    Parameters
    ----------
    key : tuple
        Hashable; it names everything that ``make`` reads beside the store.
    make : callable
        Without arguments.

    Returns
    -------
    object
        What ``make`` gave; shared between sessions, so never changed.
    """
    home = store()
    result: R = _keep((str(home.home), home.revision, *key), make)
    return result


@st.cache_resource(max_entries=256, show_spinner=False)
def _keep(key: tuple[Any, ...], _call: Callable[[], Any]) -> Any:
    del key  # the cache has read it
    return _call()


def models() -> tuple[str, ...]:
    """Give the names of all models."""
    return cached(_names)


def model() -> Schema | None:
    """Give the schema of the model picked in the sidebar, or None on an empty store."""
    names = models()
    if not names:
        return None
    picked = st.session_state.get("model")
    return cached(_schema, picked if picked in names else names[0])


def note_unknown(names: tuple[str, ...]) -> None:
    """Remember the model that a link asks for where there is none; call it before the sidebar's choice corrects the URL."""
    wanted = st.query_params.get("model")
    # later runs of a session follow the sidebar: what the URL then lags behind was removed, not asked for
    if wanted and wanted not in names and "model" not in st.session_state:
        st.session_state["unknown_model"] = wanted


def forget_unknown() -> None:
    """Forget it: the person has picked one that is there."""
    st.session_state.pop("unknown_model", None)


def warn_unknown(names: tuple[str, ...]) -> None:
    """Say that the model of the URL is not there, and which one is shown instead."""
    wanted, shown = st.session_state.get("unknown_model"), model()
    if wanted is None or shown is None:
        return
    if wanted in names:
        forget_unknown()
        return
    there = "; ".join(f"'{wording.safe(name, length=40)}'" for name in names[:NAMES_MAX])
    more = f" and {len(names) - NAMES_MAX} more" if len(names) > NAMES_MAX else ""
    st.warning(
        f"There is no model '{wording.safe(wanted, length=40)}'. Shown is '{wording.safe(shown.model, length=40)}'."
        f" There {'is' if len(names) == 1 else 'are'}: {there}{more}.",
        icon=":material/visibility:",
    )


def periods(schema: Schema | None) -> Mapping[str, timedelta | None]:
    """Give the periods that a model can be looked at in: the word on the screen and in the URL -> its length."""
    if schema is not None and schema.time_unit is TimeUnit.ROW:
        return {"All": None, **{f"Last {n:,} rows": timedelta(seconds=n) for n in (10_000, 1_000)}}
    return {"All": None, **{f"Last {n} days": timedelta(days=n) for n in (365, 90, 30, 7)}}


def period() -> Period:
    """Give the period picked in the sidebar, anchored at the last event of the model's own data."""
    schema = model()
    picked = st.session_state.get("period")
    length = periods(schema).get(picked) if picked else None
    last = cached(_last_event, schema.model) if schema and length else None
    if picked is None or length is None or last is None:
        return Period(label="All")
    return Period(label=picked, since=last - length)


def address(query: Mapping[str, str] | None = None) -> dict[str, str]:
    """Give the query of a link that shows the same model and period wherever it is opened."""
    kept = {name: st.session_state.get(name) for name in ("model", "period")}
    return {name: value for name, value in kept.items() if value and value != "All"} | dict(query or {})


def asked(name: str) -> str | None:
    """Give what the URL asks a page for (a feature, a window): on a page the URL is the truth, not a widget."""
    value: str | None = st.query_params.get(name)
    return value


def ask(**values: str) -> None:
    """Put what a page shows into the URL; call it in a widget's callback."""
    for name, value in values.items():
        st.query_params[name] = value


@contextmanager
def guard(*, whole: bool = False) -> Generator[None, None, None]:
    """Show a PipelineError as its headline and sentence and go on after the block; anything else is re-raised.

    ``whole``: nothing is left to show, so the ways out stand below it.
    """
    try:
        yield
    except PipelineError as error:
        show(error)
        if whole:
            _ways_out(error)


def _ways_out(error: PipelineError) -> None:
    with st.container(horizontal=True, key="ways_out"):
        if isinstance(error, StoreBusy) and error.url:
            st.link_button("Open the app that has it", error.url, icon=":material/open_in_new:", type="primary")
        st.button("Try again", icon=":material/refresh:", key="try_again")


@contextmanager
def later() -> Generator[None, None, None]:
    """Guard a callback: a PipelineError is shown by the frame in the run that follows."""
    try:
        yield
    except PipelineError as error:
        complain(error)


def show(error: PipelineError) -> None:
    """Draw a known error: headline, and what happened, what is allowed, what to do next."""
    st.error(wording.safe(error.message, length=1_000), title=error.headline, icon=":material/error:")


def submit(
    verb: str, model_name: str | None, arguments: Mapping[str, Any] | None = None, *, file: Path | None = None
) -> Job:
    """Queue a long verb; the sidebar shows its progress on every page. Raises PipelineError: call it in ``guard``."""
    job = host().worker.submit(verb, model_name, arguments or {}, file=file)
    st.session_state.setdefault("followed", []).append(job.job_id)
    return job


def end_job(job_id: str) -> None:
    """End a job and keep nothing of it. Raises PipelineError: call it in ``guard`` or ``later``."""
    host().worker.end(job_id)


def check_soon(model_name: str) -> str:
    """Queue a check after something that it looks at has changed, and say so; one that waits already will do."""
    waiting = (job for job in active_jobs(model_name) if job.verb == "check" and job.status is JobStatus.QUEUED)
    if next(waiting, None) is None:
        submit("check", model_name)
    return "The check is running; its result comes by itself."


def active_jobs(model_name: str | None = None) -> tuple[Job, ...]:
    """Give the jobs that are queued or running, of one model or of all."""
    return store().jobs.list(model_name, active=True)


def finished_jobs() -> tuple[Job, ...]:
    """Give the followed jobs that have ended since this was last asked, and stop following them."""
    followed: list[str] = st.session_state.setdefault("followed", [])
    active = {job.job_id for job in active_jobs()}
    ended = [job_id for job_id in followed if job_id not in active]
    st.session_state["followed"] = [*(job_id for job_id in followed if job_id in active)]
    st.session_state["followed"] += sorted(active.difference(followed))
    return tuple(store().jobs.get(job_id) for job_id in ended)


def person(*, key: str = "person") -> str:
    """Draw the field "Your name", kept for the session, and give what stands in it (stripped; may be empty)."""
    known = st.session_state.get("person_name", "")
    typed = st.text_input("Your name", value=known, key=key, max_chars=80, placeholder="Who decides this?")
    st.session_state["person_name"] = (typed or "").strip()
    name: str = st.session_state["person_name"]
    return name


def typed(key: str) -> str:
    """Give what stands in a text field, stripped; nothing where the field is not drawn."""
    return str(st.session_state.get(key) or "").strip()


def tell(message: str, *, icon: str = ":material/check:") -> None:
    """Keep a result for the next run, where the frame shows it: for callbacks and before ``st.rerun``."""
    st.session_state.setdefault("told", []).append((message, icon))


def complain(error: PipelineError) -> None:
    """Keep a known error for the next run, where the frame shows it above the page until it is dismissed."""
    st.session_state["complaint"] = (error.headline, error.message)


def announce() -> None:
    """Show what was kept by ``tell`` and ``complain``; the frame calls this before the page."""
    for message, icon in st.session_state.pop("told", []):
        st.toast(message, icon=icon, duration=READ_S)
    complaint = st.session_state.get("complaint")
    if complaint:
        headline, message = complaint
        st.error(wording.safe(message, length=1_000), title=headline, icon=":material/error:")
        st.button("Dismiss", key="complaint_dismiss", on_click=_dismiss)


def _dismiss() -> None:
    st.session_state.pop("complaint", None)


def _names(home: Store) -> tuple[str, ...]:
    return home.models.names()


def _schema(home: Store, name: str) -> Schema:
    return home.models.schema(name)


def _last_event(home: Store, name: str) -> datetime | None:
    accepted = home.batches.list(name, status=BatchStatus.ACCEPTED)
    return max((batch.last_event_at for batch in accepted if batch.last_event_at), default=None)
