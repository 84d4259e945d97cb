"""Who runs the sources on their own pace? One thread, one source at a time, the one that waited longest first.

Neighbours: ``flows.feeds`` runs a source and keeps what went wrong with it, ``worker`` does the long work, so that a
training never holds up what comes in. It refuses to stop because of one source: the others are run all the same.
"""

from __future__ import annotations

import logging
import threading

from pipeline_core.errors import PipelineError
from pipeline_core.flows import feeds
from pipeline_core.records import Feed
from pipeline_core.service.worker import Worker
from pipeline_core.store.home import Store

LOG = logging.getLogger(__name__)
LOOK_S = 1.0
"""How often it looks whether a source is due."""


class Pump:
    """The one thread that runs the sources that are due.

    Parameters
    ----------
    store : Store
        The process's store.
    worker : Worker
        Is asked for a check where something came in.
    """

    def __init__(self, store: Store, worker: Worker) -> None:
        self._store = store
        self._worker = worker
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def running(self) -> bool:
        """Whether the thread is there."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Start the thread."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._loop, name="pump", daemon=True)
        self._thread.start()

    def stop(self, *, timeout_s: float = 10.0) -> None:
        """End the thread; a source that is running ends behind the file at which it is.

        Parameters
        ----------
        timeout_s : float
            How long to wait for that.
        """
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
        self._thread = None

    def _loop(self) -> None:
        while not self._stopping.wait(LOOK_S):
            try:
                self.turn()
            except PipelineError as error:
                LOG.warning("Sources wait: %s. %s", error.headline, error.message)
            except Exception:
                # the thread outlives a bug: what comes in tomorrow must not be lost for what broke today
                LOG.exception("The sources met a bug")

    def turn(self) -> None:
        """Run every source that is due now, until the thread is to end."""
        for feed in feeds.due_sources(self._store):
            if self._stopping.is_set():
                return
            self._run(feed)

    def _run(self, feed: Feed) -> None:
        """Run a source and score what it brought, also before an error; whatever it meets is its own affair."""
        for step in (self._receive, self._score):
            try:
                step(feed)
            except PipelineError as error:
                LOG.warning("Source %s: %s. %s", feed.name, error.headline, error.message)
            except Exception:
                LOG.exception("Source %s met a bug", feed.name)

    def _receive(self, feed: Feed) -> None:
        feeds.run_source(self._store, feed.name, stop=self._stopping.is_set)

    def _score(self, feed: Feed) -> None:
        if feeds.score_brought(self._store, feed.name):
            self._worker.submit("check", feed.model)
