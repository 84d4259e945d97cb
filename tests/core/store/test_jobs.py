"""A job from queued to done, and which ones are active."""

from __future__ import annotations

import pytest

from pipeline_core.errors import NotFound
from pipeline_core.records import JobStatus
from pipeline_core.store import Store
from tests.core.store import made


def test_the_life_of_a_job(store: Store) -> None:
    job = store.jobs.add("train", "bank", arguments={"estimator": "lightgbm", "n": 1}, created_at=made.DAY)
    assert (job.status, job.progress, job.message, job.created_at) == (JobStatus.QUEUED, 0.0, "waiting", made.DAY)
    assert store.jobs.get(job.job_id) == job
    running = store.jobs.update(job.job_id, status=JobStatus.RUNNING, started_at=made.day(1), message="fitting")
    assert store.jobs.get(job.job_id) == running
    assert running.arguments == {"estimator": "lightgbm", "n": 1}
    other = store.jobs.add("demo", None, arguments={})
    assert [j.job_id for j in store.jobs.list()] == [other.job_id, job.job_id]
    assert store.jobs.list("bank") == (running,)
    done = store.jobs.update(
        job.job_id, status=JobStatus.DONE, progress=1.0, ended_at=made.day(2), result={"version": 1}, error=None
    )
    assert (done.message, done.result, done.error) == ("fitting", {"version": 1}, None)
    assert [j.job_id for j in store.jobs.list(active=True)] == [other.job_id]
    assert store.jobs.fail_orphans(at=made.day(3)) == 0
    with pytest.raises(NotFound, match="no job 'j-9'"):
        store.jobs.update("j-9", progress=0.1)
