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
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline_core.errors import ComputeFailed, NotEnough
from pipeline_core.flows import compute
from pipeline_core.policy import Policy

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
