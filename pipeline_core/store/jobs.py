"""Long pieces of work and how far they are, kept across restarts.

Progress is written often and moves no revision: pages that cached a reading need not read again for it.
It refuses to run anything; that is the worker's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, TypedDict, Unpack

from pipeline_core.errors import NotFound
from pipeline_core.records import Job, JobStatus, dump_text, load
from pipeline_core.store.database import Database


class JobChanges(TypedDict, total=False):
    """What may change about a job."""

    status: JobStatus
    progress: float
    message: str
    started_at: datetime | None
    ended_at: datetime | None
    result: Mapping[str, Any] | None
    error: str | None


class Jobs:
    """``store.jobs``.

    Parameters
    ----------
    database : Database
        Where the rows are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self, verb: str, model: str | None, *, arguments: Mapping[str, Any], created_at: datetime | None = None
    ) -> Job:
        """Queue a piece of work.

        Parameters
        ----------
        verb, model : str
            What to run, and on which model if on one.
        arguments : mapping
            JSON-ready.
        created_at : datetime, optional
            Now, unless said.

        Returns
        -------
        Job
        """
        with self._database.transaction():
            entry = self._database.rows("SELECT nextval('entries')")[0][0]
            job = Job(
                job_id=f"j-{entry:06d}",
                model=model,
                verb=verb,
                arguments=dict(arguments),
                status=JobStatus.QUEUED,
                progress=0.0,
                message="waiting",
                created_at=created_at or self._database.now(),
            )
            self._database.run(
                "INSERT INTO jobs (entry, job_id, model, status, record) VALUES (?, ?, ?, ?, ?)",
                [entry, job.job_id, model, job.status.value, dump_text(job)],
            )
        return job

    def update(self, job_id: str, **changes: Unpack[JobChanges]) -> Job:
        """Change what is given and leave the rest; only a change of status moves ``store.revision``.

        Parameters
        ----------
        job_id : str
            Which job.
        **changes
            ``status``, ``progress`` (0-1), ``message``, ``started_at``, ``ended_at``, ``result``, ``error``.

        Returns
        -------
        Job
            As it is now.

        Raises
        ------
        NotFound
            There is no such job.
        """
        with self._database.transaction(revises="status" in changes):
            job = replace(self.get(job_id), **changes)
            self._database.run(
                "UPDATE jobs SET status = ?, record = ? WHERE job_id = ?", [job.status.value, dump_text(job), job_id]
            )
        return job

    def get(self, job_id: str) -> Job:
        """Give one job.

        Parameters
        ----------
        job_id : str
            Which job.

        Returns
        -------
        Job

        Raises
        ------
        NotFound
            There is no such job.
        """
        found = self._database.rows("SELECT record FROM jobs WHERE job_id = ?", [job_id])
        if not found:
            raise NotFound(f"There is no job {job_id!r}. Jobs go with the model that they worked on.")
        return load(Job, found[0][0])

    def list(self, model: str | None = None, *, active: bool = False) -> tuple[Job, ...]:
        """Give jobs, newest first.

        Parameters
        ----------
        model : str, optional
            Of this model only.
        active : bool
            Queued and running ones only.

        Returns
        -------
        tuple of Job
        """
        found = self._database.rows(
            "SELECT record FROM jobs WHERE (?::VARCHAR IS NULL OR model = ?) AND (NOT ? OR status IN (?, ?)) "
            "ORDER BY entry DESC",
            [model, model, active, JobStatus.QUEUED.value, JobStatus.RUNNING.value],
        )
        return tuple(load(Job, row[0]) for row in found)

    def latest(self, model: str, verb: str) -> Job | None:
        """Give the newest job of a verb on a model that came to its end.

        Parameters
        ----------
        model, verb : str
            Which.

        Returns
        -------
        Job or None
        """
        found = self._database.rows(
            "SELECT record FROM jobs WHERE model = ? AND status = ? AND record->>'verb' = ? ORDER BY entry DESC LIMIT 1",
            [model, JobStatus.DONE.value, verb],
        )
        return load(Job, found[0][0]) if found else None

    def fail_orphans(self, *, at: datetime) -> int:
        """Mark the jobs that a dead process left running as failed. The store calls it when it opens.

        Parameters
        ----------
        at : datetime
            When they are taken to have ended.

        Returns
        -------
        int
            How many.
        """
        with self._database.transaction():
            orphans = [job for job in self.list(active=True) if job.status is JobStatus.RUNNING]
            for job in orphans:
                self.update(
                    job.job_id, status=JobStatus.FAILED, ended_at=at, error="The process ended. Start it again."
                )
        return len(orphans)
