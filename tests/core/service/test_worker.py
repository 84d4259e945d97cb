"""One thread, one job at a time, each job a row that tells how it went."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from pathlib import Path

import pytest

from pipeline_core.errors import ComputeFailed, NotFound, StoreBroken
from pipeline_core.flows import compute
from pipeline_core.records import Job, JobStatus
from pipeline_core.service import host, verbs, worker
from pipeline_core.service.asking import Call, Verb
from pipeline_core.service.host import Host
from pipeline_core.service.verbs import Answer
from pipeline_core.store.home import Store
from tests.core.flows import test_compute
from tests.core.service.conftest import DEFINE, Files


def ended(held: Host, job: Job, *, within_s: float = 30) -> Job:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        now = held.store.jobs.get(job.job_id)
        if now.status in {JobStatus.DONE, JobStatus.FAILED, JobStatus.STOPPED}:
            return now
        time.sleep(0.02)
    raise AssertionError(f"job still {now.status} after {within_s} s")


def invent(monkeypatch: pytest.MonkeyPatch, run: object) -> None:
    invented = Verb(summary="invented", run=run, model="no", file="optional")  # type: ignore[arg-type]
    monkeypatch.setattr(verbs, "VERBS", {**verbs.VERBS, "invented": invented})


def test_a_job_runs_with_its_file_and_leaves_nothing_behind(held: Host, files: Files) -> None:
    job = held.worker.submit("define", "loans", DEFINE, file=files.first)
    assert job.status is JobStatus.QUEUED
    files.first.unlink()
    done = ended(held, job)
    assert (done.status, done.progress, done.error) == (JobStatus.DONE, 1.0, None)
    assert done.result is not None
    assert done.result["answer"] == 0
    assert held.store.models.names() == ("loans",)
    answered(held, "status").result(timeout=20)  # the scratch folder goes after the row says done
    assert not [p for p in (held.store.home / "work").iterdir() if p.name == job.job_id]


def test_a_known_error_becomes_the_jobs_sentence(held: Host) -> None:
    job = ended(held, held.worker.submit("train", "nobody"))
    assert job.status is JobStatus.FAILED
    assert job.error is not None
    assert job.error.startswith("Not found. ")


def test_arguments_are_refused_before_a_job_is_made(held: Host) -> None:
    with pytest.raises(NotFound, match="estimator"):
        held.worker.submit("train", "loans", {"estimatr": "x"})
    assert held.store.jobs.list() == ()


def test_a_bug_fails_its_job_and_the_next_one_runs(
    held: Host, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def bug(_store: Store, _call: Call) -> object:
        raise ZeroDivisionError("by nothing")

    invent(monkeypatch, bug)
    job = ended(held, held.worker.submit("invented", None))
    assert job.error == "An unexpected error: ZeroDivisionError: by nothing. The log of the app has the details."
    assert "met a bug" in caplog.text
    assert ended(held, held.worker.submit("status", None)).status is JobStatus.DONE


def test_run_waits_for_the_answer_or_raises_the_error(held: Host) -> None:
    assert held.worker.run("status", None).content["models"] == []
    with pytest.raises(NotFound):
        held.worker.run("train", "nobody")


def test_progress_is_told_at_most_four_times_a_second(held: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[float] = []
    update = held.store.jobs.update

    def counting(job_id: str, **changes: object) -> Job:
        if "progress" in changes and "status" not in changes:
            told.append(changes["progress"])  # type: ignore[arg-type]
        return update(job_id, **changes)  # type: ignore[arg-type]

    def chatty(_store: Store, call: Call) -> object:
        start = time.monotonic()
        while (passed := time.monotonic() - start) < 0.6:
            call.progress(passed, "talking")
        return {}

    invent(monkeypatch, chatty)
    monkeypatch.setattr(held.store.jobs, "update", counting)
    ended(held, held.worker.submit("invented", None))
    assert 2 <= len(told) <= 4


def test_what_a_former_process_left_queued_runs_with_its_file(held: Host, files: Files) -> None:
    held.worker.stop()
    job = held.worker.submit("define", "loans", DEFINE, file=files.first)
    assert held.store.jobs.get(job.job_id).status is JobStatus.QUEUED
    host.stop()
    again = host.host()
    assert ended(again, job).status is JobStatus.DONE
    assert again.store.models.names() == ("loans",)


def test_stop_ends_those_who_wait(held: Host) -> None:
    held.worker.stop()
    assert not held.worker.running
    future: Future[Answer] = Future()
    held.worker._waiting["x"] = future
    held.worker.stop()
    with pytest.raises(ComputeFailed, match="stopped"):
        future.result(timeout=1)


def test_start_twice_is_one_thread(held: Host) -> None:
    thread = held.worker._thread
    held.worker.start()
    assert held.worker._thread is thread


def test_the_same_file_name_twice_is_two_jobs(held: Host, files: Files, tmp_path: Path) -> None:
    first = held.worker.submit("define", "one", DEFINE, file=files.first)
    second = held.worker.submit("define", "two", DEFINE, file=files.first)
    assert {ended(held, first).status, ended(held, second).status} == {JobStatus.DONE}
    assert files.first.exists()


def breaking(held: Host, monkeypatch: pytest.MonkeyPatch, at: list[JobStatus]) -> None:
    """Let the store fail the next writes of these statuses, as a full disk does."""
    update, left = held.store.jobs.update, list(at)

    def failing(job_id: str, **changes: object) -> Job:
        if left and changes.get("status") is left[0]:
            left.pop(0)
            raise StoreBroken("The disk is full.")
        return update(job_id, **changes)  # type: ignore[arg-type]

    monkeypatch.setattr(held.store.jobs, "update", failing)


def answered(held: Host, verb: str) -> Future[Answer]:
    """Ask as ``run`` does, in a thread: a test that waits for ever is no test."""
    future: Future[Answer] = Future()

    def ask() -> None:
        try:
            future.set_result(held.worker.run(verb, None))
        except Exception as error:  # ruff: ignore[blind-except] whatever it is, the test looks at it
            future.set_exception(error)

    threading.Thread(target=ask, daemon=True).start()
    return future


@pytest.mark.parametrize(
    ("at", "status"),
    [
        ([JobStatus.RUNNING], JobStatus.FAILED),
        ([JobStatus.RUNNING, JobStatus.FAILED], JobStatus.QUEUED),
        ([JobStatus.FAILED], JobStatus.FAILED),
        ([JobStatus.FAILED, JobStatus.FAILED], JobStatus.RUNNING),
        ([JobStatus.DONE], JobStatus.FAILED),
        ([JobStatus.DONE, JobStatus.FAILED], JobStatus.RUNNING),
    ],
)
def test_a_store_that_fails_ends_neither_the_thread_nor_the_wait(
    held: Host,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    at: list[JobStatus],
    status: JobStatus,
) -> None:
    def bug(_store: Store, _call: Call) -> object:
        raise ZeroDivisionError("by nothing")

    verb = "status"
    if at[0] is JobStatus.FAILED:
        invent(monkeypatch, bug)
        verb = "invented"
    breaking(held, monkeypatch, at)
    told = answered(held, verb)
    failure = told.exception(timeout=20)
    if at[0] is JobStatus.DONE:
        assert told.result().content["models"] == []
    else:
        assert isinstance(failure, StoreBroken if at[0] is JobStatus.RUNNING else ZeroDivisionError)
    assert answered(held, "status").exception(timeout=20) is None
    assert held.worker.running
    assert "could not be kept in the store" in caplog.text
    first = held.store.jobs.list()[1]
    assert first.status is status
    if status is JobStatus.FAILED:
        assert first.error == (
            "How it ended could not be kept; the log of the app has the details. StoreBroken: The disk is full."
        )


def test_nobody_waits_for_a_worker_that_was_stopped(held: Host) -> None:
    held.worker.stop()
    assert isinstance(answered(held, "status").exception(timeout=20), ComputeFailed)
    held.worker.start()
    assert ended(held, held.store.jobs.list()[0]).status is JobStatus.DONE
    assert answered(held, "status").result(timeout=20).code == 0


def test_what_happens_to_the_file_afterwards_does_not_reach_the_job(held: Host, files: Files) -> None:
    held.worker.stop()
    job = held.worker.submit("define", "loans", DEFINE, file=files.first)
    with files.first.open("r+b") as edited:
        edited.truncate(40)
    held.worker.start()
    assert ended(held, job).status is JobStatus.DONE
    assert held.store.models.statuses()[0].rows == 800


# --- a person's stop ----------------------------------------------------------------------------


def test_a_running_job_is_stopped_with_its_child_and_nothing_is_kept(held, monkeypatch: pytest.MonkeyPatch) -> None:
    def long(*_: object, progress, **__: object) -> None:
        begun.set()
        compute.in_child(test_compute.step, test_compute.Ask(how="sleep"), progress=progress)

    begun = threading.Event()
    monkeypatch.setattr(worker, "carry_out", long)
    job = held.worker.submit("status", None)
    assert begun.wait(60)
    while not compute._CHILDREN:
        time.sleep(0.01)
    held.worker.end(job.job_id)
    done = ended(held, job)
    assert (done.status, done.message, done.error) == (JobStatus.STOPPED, worker.STOPPED, None)
    assert not compute._CHILDREN
    monkeypatch.undo()
    assert ended(held, held.worker.submit("status", None)).status is JobStatus.DONE
    held.worker.end(job.job_id)
    assert held.store.jobs.get(job.job_id).status is JobStatus.STOPPED


def test_a_queued_job_that_was_stopped_never_runs(held, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    gate = threading.Event()

    def wait(_store: object, _verb: str, model: str | None, **_: object):
        ran.append(str(model))
        gate.wait(60)
        return Answer(verb="status", code=0, content={})

    monkeypatch.setattr(worker, "carry_out", wait)
    first = held.worker.submit("status", None)
    second = held.worker.submit("status", None)
    held.worker.end(second.job_id)
    assert held.store.jobs.get(second.job_id).status is JobStatus.STOPPED
    gate.set()
    assert ended(held, first).status is JobStatus.DONE
    held.worker.run("status", None)
    assert held.store.jobs.get(second.job_id).status is JobStatus.STOPPED
    assert ran == ["None", "None"]
