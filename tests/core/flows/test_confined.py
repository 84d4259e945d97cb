"""The child's side: what it refuses, how it is limited, and what it leaves for the owner."""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline_core.flows import confined
from pipeline_core.flows.confined import Limits
from tests.core.flows import steps


@pytest.mark.parametrize(
    "event",
    ["socket.connect", "socket.__new__", "subprocess.Popen", "os.exec", "os.system", "os.fork", "pickle.find_class"],
)
def test_what_no_reader_needs_is_refused(event: str) -> None:
    with pytest.raises(PermissionError, match=event):
        confined.refuse(event, ())


@pytest.mark.parametrize("event", ["open", "import", "os.listdir", "tempfile.mkdtemp", "compile"])
def test_what_a_reader_needs_is_allowed(event: str) -> None:
    confined.refuse(event, ())


def test_limits_are_laid_on_and_only_narrowed(monkeypatch: pytest.MonkeyPatch) -> None:
    laid: dict[int, tuple[int, int]] = {}
    monkeypatch.setattr(resource, "setrlimit", laid.__setitem__)
    allowed = {resource.RLIMIT_FSIZE: 5_000, resource.RLIMIT_CPU: 4}
    monkeypatch.setattr(resource, "getrlimit", lambda what: (0, allowed.get(what, resource.RLIM_INFINITY)))
    confined.limit(Limits(memory_bytes=100, cpu_s=2.6, wall_s=9, file_bytes=7_000))
    assert laid == {
        resource.RLIMIT_DATA: (200, 200),
        resource.RLIMIT_CPU: (3, 4),
        resource.RLIMIT_FSIZE: (5_000, 5_000),
        resource.RLIMIT_NOFILE: (256, 256),
        resource.RLIMIT_CORE: (0, 0),
    }


@pytest.mark.parametrize(
    ("how", "answer"),
    [
        ("thread", "result"),
        ("known", {"error": "Unreadable", "message": "File 'x.csv' is no table."}),
        ("unknown", {"unforeseen": "ValueError"}),
        ("one_block", {"limit": "memory"}),
    ],
)
def test_whatever_a_step_does_an_answer_lies_in_the_folder(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], how: str, answer: object
) -> None:
    (tmp_path / "request.json").write_text(json.dumps({"how": how}), encoding="utf-8")
    here, there = socket.socketpair()
    with here, there:
        assert confined.work("tests.core.flows.steps:step", tmp_path, there) == 0
        assert json.loads(here.recv(1_000)) == {"share": 0.5, "message": f"Half way — {how}"}
    told = json.loads((tmp_path / "answer.json").read_text(encoding="utf-8"))
    assert told == answer if isinstance(answer, dict) else answer in told
    assert ("Traceback" in capfd.readouterr().err) == (how in {"unknown", "one_block"})


def test_what_is_not_installed_is_not_warmed() -> None:
    confined.warm(("no_such_library_anywhere", "json"))


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        (Limits(wall_s=0), confined.WALL),
        (Limits(memory_bytes=1), confined.MEMORY),
        (Limits(), None),
    ],
)
def test_a_child_that_goes_too_far_is_ended_for_a_reason(limits: Limits, why: str | None) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True) as process:
        here, there = socket.socketpair()
        with here, there:
            child = confined._Child(process.pid, -1, there, limits, time.monotonic() - 1)
            child.watch()
            assert child.stopped == why
            child.stop("later")  # the first reason stands
            assert child.stopped == (why or "later")
        assert process.wait(10) == -signal.SIGKILL


def test_one_who_does_not_listen_keeps_nobody_waiting() -> None:
    here, there = socket.socketpair()
    child = confined._Child(1, -1, there, Limits(), 0.0)
    with there:
        for _ in range(10_000):  # far beyond what the kernel holds for a listener who is late
            child.tell({"pid": 1, "padding": "x" * 1_000})
        here.close()
        child.tell({"pid": 1})


def test_memory_of_a_process_that_has_ended_is_none() -> None:
    assert confined._resident(os.getpid()) > 10_000_000
    assert confined._resident(2**22 + 1) == 0


def test_the_zygote_ends_when_its_owner_closes_the_line() -> None:
    control, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    code = "import sys; from pipeline_core.flows.confined import serve; serve(int(sys.argv[1]))"
    root = Path(__file__).parents[3]
    process = subprocess.Popen([sys.executable, "-c", code, str(other.fileno())], cwd=root, pass_fds=[other.fileno()])
    with process, control, other:
        line, far = socket.socketpair()
        with line, far:
            folder = root / "no such folder"
            order = {"step": "tests.core.flows.steps:step", "folder": str(folder), "limits": {}}
            socket.send_fds(control, [json.dumps(order).encode()], [far.fileno()])
            far.close()
            assert select.select([line], [], [], 60)[0]
            told = _heard(line)
        assert [sorted(t) for t in told] == [["pid"], ["cpu_s", "ended", "peak_bytes", "stopped"]]
        assert told[1]["ended"] == 1  # no folder to work in: an end like any other
        control.close()
        assert process.wait(30) == 0


def _heard(line: socket.socket) -> list[dict[str, object]]:
    with line.makefile("rb") as lines:
        return [json.loads(text) for text in lines]


def test_the_steps_used_here_are_all_used() -> None:
    """A kind of harm that no test does is no test."""
    text = "".join(p.read_text(encoding="utf-8") for p in Path(__file__).parent.glob("test_*.py"))
    assert [how for how in steps.HOW if f'"{how}"' not in text] == [steps.Ask().how]
