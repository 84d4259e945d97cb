"""Who runs the sources on their own pace? One thread, one source at a time, the one that waited longest first.

Neighbours: ``flows.feeds`` runs a source and keeps what went wrong with it, ``worker`` does the long work, so that a
training never holds up what comes in. It refuses to stop because of one source: the others are run all the same.
"""

from __future__ import annotations

import logging
import threading

from pipeline_core.errors import PipelineError
from pipeline_core.flows import feeds, intake
from pipeline_core.records import BatchStatus, FeedReport
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
                for feed in feeds.due_sources(self._store):
                    if self._stopping.is_set():
                        return
                    self._run(feed.name)
            except PipelineError as error:
                LOG.warning("Sources wait: %s. %s", error.headline, error.message)
            except Exception:
                # the thread outlives a bug: what comes in tomorrow must not be lost for what broke today
                LOG.exception("The sources met a bug")

    def _run(self, name: str) -> None:
        try:
            report = feeds.run_source(self._store, name, stop=self._stopping.is_set)
        except PipelineError as error:
            LOG.warning("Source %s: %s. %s", name, error.headline, error.message)
            return
        if self._scored(report):
            self._worker.submit("check", report.model)

    def _scored(self, report: FeedReport) -> bool:
        """Let the champion score what was accepted; say whether there was something."""
        if self._store.models.champion(report.model) is None:
            return False
        accepted = [
            batch_id
            for batch_id in report.batches
            if self._store.batches.get(report.model, batch_id).status is BatchStatus.ACCEPTED
        ]
        for batch_id in accepted:
            intake.score(self._store, report.model, batch_id=batch_id)
        return bool(accepted)
