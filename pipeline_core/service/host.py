"""Who owns the store in this process? One store and one worker, shared by screens, HTTP API and jobs.

They are opened at the first call of ``host``, so that a page test, a mounted API and the running app all
come through the same door. It refuses nothing by itself: that another process owns the folder is
``StoreBusy``, raised at each call until the folder is free.
"""

from __future__ import annotations

import os
import secrets
import threading
from dataclasses import dataclass
from pathlib import Path

from pipeline_core.flows import sandbox
from pipeline_core.service.pump import Pump
from pipeline_core.service.worker import Worker
from pipeline_core.store.home import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """The store, the worker and the pump of this process; ``token`` is the word that verbs over HTTP must bring."""

    store: Store
    worker: Worker
    pump: Pump
    token: str


class _Process:
    """What this process holds: at most one host. ``url`` is where others find it, if it serves."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.host: Host | None = None
        self.url: str | None = None


_PROCESS = _Process()


def home_folder() -> Path:
    """Give the folder that this process works on: ``$PIPELINE_HOME``, or ``data`` in the working folder."""
    return Path(os.environ.get("PIPELINE_HOME") or "data").resolve()


def host() -> Host:
    """Give this process's one host, opening store and worker at the first call.

    Returns
    -------
    Host

    Raises
    ------
    StoreBusy
        Another process owns the folder; the next call tries again.
    StoreBroken
        The store cannot be opened.
    InvalidDefinition
        The folder's ``policy.toml`` is not valid.
    """
    with _PROCESS.lock:
        if _PROCESS.host is None:
            token = secrets.token_urlsafe(32)
            store = Store.open(home_folder(), url=_PROCESS.url, token=token if _PROCESS.url else None)
            worker = Worker(store)
            worker.start()
            pump = Pump(store, worker)
            pump.start()
            _PROCESS.host = Host(store=store, worker=worker, pump=pump, token=token)
        return _PROCESS.host


def answer_at(url: str) -> None:
    """Say where this process answers others; call it before the first ``host``.

    Parameters
    ----------
    url : str
        For example ``http://127.0.0.1:8501``; written for the command line into ``owner.json``.
    """
    with _PROCESS.lock:
        _PROCESS.url = url


def stop() -> None:
    """Stop worker and pump with their children and give the folder back; the next ``host`` opens anew."""
    with _PROCESS.lock:
        held, _PROCESS.host = _PROCESS.host, None
        _PROCESS.url = None
    if held is not None:
        held.pump.stop()
        held.worker.stop()
        sandbox.stop()
        held.store.close()
