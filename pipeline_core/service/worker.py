"""Who does the long work? One thread, one job at a time, every job a row in the store.

A job is a verb of ``service.verbs`` with its arguments and perhaps a file. The row survives reruns of a page and the
end of the process; the file waits in the home's ``work`` folder until its job ran. It refuses to run two jobs at
once: training beside training would only make both late.
"""

from __future__ import annotations

import logging
import queue
import shutil
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from pipeline_core.errors import ComputeFailed, PipelineError
from pipeline_core.flows import compute, sandbox
from pipeline_core.records import Job, JobStatus
from pipeline_core.service.asking import Progress
from pipeline_core.service.verbs import Answer, carry_out, verb_named
from pipeline_core.store.home import Store

LOG = logging.getLogger(__name__)
UPDATES_PER_S = 4
STOPPED = "Stopped by a person; nothing was kept."


class Worker:
    """The one thread that runs queued jobs.

    Parameters
    ----------
    store : Store
        The process's store; jobs are rows in it.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._waiting: dict[str, Future[Answer]] = {}
        self._order = threading.Lock()  # a job is queued by submit or by start, not by both
        self._thread: threading.Thread | None = None
        self._unwanted: set[str] = set()
        self._stopping = threading.Event()

    @property
    def running(self) -> bool:
        """Whether the thread is there to run what is submitted."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Start the thread and queue again what a former process left queued."""
        if self.running:
            return
        self._stopping.clear()
        with self._order:
            self._queue = queue.SimpleQueue()  # the old one holds the word to end, and jobs that the store names too
            for job in reversed(self._store.jobs.list(active=True)):
                if job.status is JobStatus.QUEUED:
                    self._queue.put(job.job_id)
        self._thread = threading.Thread(target=self._loop, args=(self._queue,), name="worker", daemon=True)
        self._thread.start()

    def stop(self, *, timeout_s: float = 10.0) -> None:
        """End the thread; a running job's child process is ended by its id and the job marked as failed.

        Parameters
        ----------
        timeout_s : float
            How long to wait for a step that has no child process.
        """
        self._stopping.set()
        self._queue.put(None)
        compute.stop_children()
        sandbox.stop()
        if self._thread is not None:
            self._thread.join(timeout_s)
        self._thread = None
        for job_id in list(self._waiting):
            self._send_away(job_id)

    def submit(
        self, verb: str, model: str | None, arguments: Mapping[str, Any] | None = None, *, file: Path | None = None
    ) -> Job:
        """Queue a verb.

        Parameters
        ----------
        verb : str
            A name of ``VERBS``.
        model : str or None
            The model; None for verbs without one.
        arguments : mapping, optional
            As on the command line, JSON-ready.
        file : Path, optional
            The data; a copy is kept until the job ran, so the caller may remove his.

        Returns
        -------
        Job
            The queued row.

        Raises
        ------
        NotFound
            No such verb or argument.
        InvalidDefinition
            An argument of the wrong kind, or a file or argument that is missing.
        """
        return self._enqueue(verb, model, arguments or {}, file=file, waiting=None)

    def run(
        self, verb: str, model: str | None, arguments: Mapping[str, Any] | None = None, *, file: Path | None = None
    ) -> Answer:
        """Queue a verb as ``submit`` does, wait for it, and give its answer or raise its error."""
        waiting: Future[Answer] = Future()
        job = self._enqueue(verb, model, arguments or {}, file=file, waiting=waiting)
        if not self.running or self._stopping.is_set():  # stop may have looked before this one began to wait
            self._send_away(job.job_id)
        return waiting.result()

    def end(self, job_id: str) -> None:
        """End a job that is queued or running, and keep nothing of it.

        Parameters
        ----------
        job_id : str
            Which; one that has ended already stays as it is.

        Raises
        ------
        NotFound
            There is no such job.
        """
        with self._order:
            status = self._store.jobs.get(job_id).status
            if status not in {JobStatus.QUEUED, JobStatus.RUNNING}:
                return
            self._unwanted.add(job_id)
        if status is JobStatus.RUNNING:
            compute.stop_children()  # the job of this worker's thread is the only one that has any
        else:
            self._stopped(job_id)

    def _stopped(self, job_id: str) -> None:
        self._store.jobs.update(job_id, status=JobStatus.STOPPED, ended_at=self._store.now(), message=STOPPED)

    def _enqueue(
        self,
        verb: str,
        model: str | None,
        arguments: Mapping[str, Any],
        *,
        file: Path | None,
        waiting: Future[Answer] | None,
    ) -> Job:
        verb_named(verb).check(model, arguments, file=file)
        with self._store.work_dir() as scratch:
            if file is not None:
                shutil.copyfile(file, scratch / file.name)
            with self._order:
                with self._store.transaction():  # a job is there with its file, or not at all
                    job = self._store.jobs.add(verb, model, arguments=dict(arguments))
                    if file is not None:
                        scratch.rename(self._folder(job.job_id))
                if waiting is not None:
                    self._waiting[job.job_id] = waiting
                self._queue.put(job.job_id)
        return job

    def _send_away(self, job_id: str) -> None:
        waiting = self._waiting.pop(job_id, None)
        if waiting is not None:
            waiting.set_exception(
                ComputeFailed("The app was stopped before this job ran. The job waits, and runs when the app starts.")
            )

    # --- the file of a job --------------------------------------------------------------------

    def _folder(self, job_id: str) -> Path:
        # the store keeps a scratch folder that a queued job's row names, so that the file outlives the process
        return self._store.home / "work" / job_id

    def _kept(self, job_id: str) -> Path | None:
        folder = self._folder(job_id)
        return next(iter(folder.iterdir()), None) if folder.is_dir() else None

    # --- the thread ---------------------------------------------------------------------------

    def _loop(self, queued: queue.SimpleQueue[str | None]) -> None:
        while (job_id := queued.get()) is not None and not self._stopping.is_set():
            waiting = self._waiting.pop(job_id, None)
            try:
                self._one(job_id, waiting)
            except Exception as error:
                # the thread outlives a store that fails under it: the next job may find it well
                LOG.exception("Job %s could not be kept in the store", job_id)
                self._write_off(job_id, error)
                if waiting is not None and not waiting.done():
                    waiting.set_exception(error)
            else:
                shutil.rmtree(self._folder(job_id), ignore_errors=True)
            finally:
                if waiting is not None and not waiting.done():
                    waiting.set_exception(ComputeFailed("The worker ended in this job. Start the app again."))

    def _one(self, job_id: str, waiting: Future[Answer] | None) -> None:
        if job_id in self._unwanted:
            self._drop(job_id, waiting)
            return
        job = self._store.jobs.update(
            job_id, status=JobStatus.RUNNING, started_at=self._store.now(), message="Starting"
        )
        try:
            answer = carry_out(
                self._store,
                job.verb,
                job.model,
                arguments=job.arguments,
                file=self._kept(job.job_id),
                progress=self._teller(job.job_id),
            )
        except PipelineError as error:
            if job_id in self._unwanted:
                self._drop(job_id, waiting)
                return
            self._fail(job, f"{error.headline}. {error.message}", error=error, waiting=waiting)
        except Exception as error:
            # the thread outlives a bug in a verb: the row names it, the log tells it whole
            LOG.exception("Job %s (%s) met a bug", job.job_id, job.verb)
            text = f"An unexpected error: {type(error).__name__}: {error}. The log of the app has the details."
            self._fail(job, text, error=error, waiting=waiting)
        else:
            self._succeed(job, answer, waiting=waiting)

    def _succeed(self, job: Job, answer: Answer, *, waiting: Future[Answer] | None) -> None:
        try:
            self._store.jobs.update(
                job.job_id,
                status=JobStatus.DONE,
                progress=1.0,
                message="Done",
                ended_at=self._store.now(),
                result={"answer": answer.code, **answer.summary},
            )
        finally:  # what the verb did is done, whether or not its row can say so
            if waiting is not None:
                waiting.set_result(answer)

    def _drop(self, job_id: str, waiting: Future[Answer] | None) -> None:
        """Forget a job that nobody wants any more; what it did was in no transaction yet."""
        self._unwanted.discard(job_id)
        try:
            self._stopped(job_id)
        finally:
            if waiting is not None:
                waiting.set_exception(ComputeFailed(f"{STOPPED} Ask again to start it from the beginning."))

    def _fail(self, job: Job, text: str, *, error: Exception, waiting: Future[Answer] | None) -> None:
        try:
            self._store.jobs.update(job.job_id, status=JobStatus.FAILED, ended_at=self._store.now(), error=text)
        finally:
            if waiting is not None:
                waiting.set_exception(error)

    def _write_off(self, job_id: str, error: Exception) -> None:
        text = f"How it ended could not be kept; the log of the app has the details. {type(error).__name__}: {error}"
        try:
            self._store.jobs.update(job_id, status=JobStatus.FAILED, ended_at=self._store.now(), error=text)
        except Exception:
            LOG.exception("Job %s is shown as unfinished until the app starts again", job_id)

    def _teller(self, job_id: str) -> Progress:
        """Give a progress function that writes at most ``UPDATES_PER_S`` times a second."""
        last = -1.0

        def tell(share: float, message: str) -> None:
            nonlocal last
            if self._stopping.is_set():  # a child that was started while stop ended the others ends here
                raise ComputeFailed("The app was stopped. Start it and ask again.")
            if job_id in self._unwanted:
                raise ComputeFailed(STOPPED)
            now = time.monotonic()
            if now - last >= 1 / UPDATES_PER_S:
                last = now
                self._store.jobs.update(job_id, progress=min(max(share, 0.0), 1.0), message=message)

        return tell
