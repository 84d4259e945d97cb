"""A step runs alike here and in a child; a child that dies, fails or talks too much is reported in words."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline_core.errors import ComputeFailed, NotEnough
from pipeline_core.flows import compute
from pipeline_core.policy import Policy
from pipeline_core.records import Measured, NotMeasured, Task, TimeUnit
from pipeline_core.stages import artifact, serving
from tests.core import modelling

POLICY = Policy(shap_rows=50)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What the steps below are asked."""

    how: str = "add"
    left: int = 2
    path: Path = Path("/tmp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What they answer."""

    total: int
    nice: int
    threads: str | None
    process: int
    path: Path


def step(request: Ask, progress: compute.Progress) -> Told:
    progress(0.5, f"Half way — {request.how}")
    if request.how == "known":
        raise NotEnough("Only 3 rows; 5 are needed.")
    if request.how == "unknown":
        raise ValueError("the cat sat on the keyboard")
    if request.how == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if request.how == "quit":
        os._exit(7)
    if request.how == "sleep":
        time.sleep(60)
    if request.how == "beat":
        for _ in range(600):
            with request.path.open("ab") as file:
                file.write(b".")
            time.sleep(0.1)
    print("a library that prints to standard output")
    return Told(
        total=request.left + 40,
        nice=os.nice(0),
        threads=os.environ.get("OMP_NUM_THREADS"),
        process=os.getpid(),
        path=request.path,
    )


def request_for(
    tmp_path: Path, task: Task = Task.BINARY, *, rows: int = 300, estimator: str = "lightgbm"
) -> compute.FitRequest:
    dataset = tmp_path / "dataset.parquet"
    pq.write_table(modelling.rows(rows, task), dataset)
    return compute.FitRequest(
        schema=modelling.schema(task), policy=POLICY, estimator=estimator, seed=7, dataset=dataset, folder=tmp_path
    )


# --- the child ----------------------------------------------------------------------------------


def test_a_child_answers_as_here_but_nicer_and_on_one_thread() -> None:
    heard: list[tuple[float, str]] = []
    answer = compute.in_child(
        step, Ask(path=Path("/a b")), progress=lambda share, message: heard.append((share, message))
    )
    here = compute.in_process(step, Ask(path=Path("/a b")))
    assert (answer.total, answer.path) == (here.total, here.path) == (42, Path("/a b"))
    assert answer.process != here.process == os.getpid()
    assert answer.nice == min(19, here.nice + compute.NICENESS)
    assert answer.threads == "1"
    assert heard == [(0.5, "Half way — add")]


@pytest.mark.parametrize("run", [compute.in_child, compute.in_process])
def test_a_known_error_comes_back_as_itself(run: compute.Compute) -> None:
    with pytest.raises(NotEnough, match=r"^Only 3 rows; 5 are needed\.$"):
        run(step, Ask(how="known"))


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("unknown", r"'step' ended with exit code 1; .* It last said: ValueError: the cat sat on the keyboard"),
        ("die", "'step' was ended by signal SIGKILL; the machine may have run out of memory"),
        ("quit", "'step' ended with exit code 7"),
    ],
)
def test_a_child_that_fails_is_told_in_words(how: str, words: str, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ComputeFailed, match=words) as failed:
        compute.in_child(step, Ask(how=how))
    assert "Traceback" not in failed.value.message
    assert "Nothing was saved" in failed.value.message
    if how == "unknown":
        assert "Traceback" in caplog.text


def test_a_callback_that_raises_ends_the_child() -> None:
    def refuse(share: float, message: str) -> None:
        raise InterruptedError(message)

    started = time.monotonic()
    with pytest.raises(InterruptedError):
        compute.in_child(step, Ask(how="sleep"), progress=refuse)
    assert time.monotonic() - started < 30
    assert not compute._CHILDREN


def test_children_are_stopped_with_the_process_that_waits() -> None:
    running = threading.Event()
    failures: list[ComputeFailed] = []

    def wait() -> None:
        try:
            compute.in_child(step, Ask(how="sleep"), progress=lambda _share, _message: running.set())
        except ComputeFailed as failed:
            failures.append(failed)

    thread = threading.Thread(target=wait)
    thread.start()
    assert running.wait(30)
    compute.stop_children()
    thread.join(30)
    assert ["SIGTERM; it was stopped" in f.message for f in failures] == [True]


def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    pulse = tmp_path / "pulse"
    code = (
        "import sys; from pathlib import Path; from pipeline_core.flows import compute\n"
        "from tests.core.flows import test_compute as here\n"
        "compute.in_child(here.step, here.Ask(how='beat', path=Path(sys.argv[1])))"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(pulse)], cwd=Path(__file__).parents[3]) as parent:
        try:
            wait_for(lambda: pulse.exists() and pulse.stat().st_size > 2)
        finally:
            parent.kill()
    beats = -1

    def still() -> bool:
        nonlocal beats
        before, beats = beats, pulse.stat().st_size
        time.sleep(0.5)
        return before == beats

    wait_for(still)
    assert beats < 200


def wait_for(true: Callable[[], bool], *, within_s: float = 30) -> None:
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_childs_side_writes_an_answer_or_a_known_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "nice", lambda _by: 3)
    monkeypatch.setattr(compute, "_end_with", lambda _parent: None)  # the parent of the tests is none of its business
    kept = os.dup(1)  # the child gives its standard output away
    for how, key in (("add", "result"), ("known", "error")):
        task, answer = tmp_path / f"{how}.json", tmp_path / f"{how}-answer.json"
        told = {"step": f"{__name__}:step", "request": {"how": how}, "answer": str(answer), "parent": os.getppid()}
        task.write_text(json.dumps(told), encoding="utf-8")
        assert compute.main(str(task)) == 0
        os.dup2(kept, 1)
        assert key in json.loads(answer.read_text(encoding="utf-8"))
    os.close(kept)
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines() if line.startswith("{")]
    assert lines == [{"share": 0.5, "message": f"Half way — {how}"} for how in ("add", "known")]


# --- the step of train --------------------------------------------------------------------------


@pytest.mark.parametrize("task", modelling.TASKS)
def test_a_version_is_fitted_judged_and_explained(task: Task, tmp_path: Path) -> None:
    heard: list[float] = []
    result = compute.fit_version(request_for(tmp_path, task), lambda share, _message: heard.append(share))
    assert (result.fit_count, result.holdout_count) == (240, 60)
    assert result.holdout_from == datetime(2025, 1, 2, tzinfo=UTC)
    assert heard == sorted(heard)
    assert pq.read_metadata(result.fit_rows).num_rows == 240
    held = pq.read_table(result.holdout)
    assert held["row_number"].to_pylist() == list(range(240, 300))
    pipeline = artifact.read(result.artifact, result.artifact_sha256)
    schema = modelling.schema(task)
    again = serving.predict(pipeline, modelling.rows(300, task).slice(240), schema)
    assert again["score"].to_pylist() == held["score"].to_pylist()
    assert sum(result.shap_shares.values()) == pytest.approx(1)
    assert next(iter(result.metrics)) in {"auc", "auc_macro", "rmse"}
    assert bool(result.curves.roc) is (task is not Task.REGRESSION)
    assert result.parameters["n_estimators"] == 150


def test_the_child_makes_the_same_version(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    here = compute.in_process(compute.fit_version, request_for(tmp_path / "here"))
    there = compute.in_child(compute.fit_version, request_for(tmp_path / "there"))
    assert there.artifact.parent == tmp_path / "there"
    assert there.metrics == here.metrics
    assert there.curves == here.curves
    assert there.shap_shares == pytest.approx(here.shap_shares, abs=1e-12)
    assert there.parameters == here.parameters
    assert (there.holdout_from, there.fit_count) == (here.holdout_from, here.fit_count)


def test_a_hold_out_of_one_class_still_trains(tmp_path: Path) -> None:
    request = request_for(tmp_path)
    rows = pq.read_table(request.dataset)
    labels = [*rows["label"].to_pylist()[:240], *["no"] * 60]
    pq.write_table(rows.set_column(rows.schema.get_field_index("label"), "label", [labels]), request.dataset)
    result = compute.in_process(compute.fit_version, request)
    assert result.metrics["auc"] == NotMeasured(reason="only one class among 60 rows with known truth")
    assert isinstance(result.metrics["accuracy"], Measured)


def test_without_event_time_the_hashed_rows_are_held_out(tmp_path: Path) -> None:
    request = replace(request_for(tmp_path), schema=modelling.schema(unit=TimeUnit.NONE))
    result = compute.in_process(compute.fit_version, request)
    assert result.holdout_from is None
    assert result.fit_count + result.holdout_count == 300
    assert 40 < result.holdout_count < 80
