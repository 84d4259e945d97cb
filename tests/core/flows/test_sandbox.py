"""A step in a confined child: as here when it behaves; when it does harm, one upload is lost and its sender knows why."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pipeline_core.errors import ComputeFailed, PipelineError, Unreadable
from pipeline_core.flows import compute, confined, sandbox
from pipeline_core.flows.sandbox import Limits
from pipeline_core.policy import Policy
from tests.core.flows.steps import Ask, Raw, step

SMALL = Limits(memory_bytes=400_000_000, cpu_s=1, wall_s=60, file_bytes=5_000_000)
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module", autouse=True)
def _nothing_stays_behind() -> Generator[None, None, None]:
    yield
    sandbox.stop()


# --- one that behaves ---------------------------------------------------------------------------


def test_a_step_answers_as_here_from_a_place_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKEN", "secret")
    sandbox.stop()  # the next zygote sees that environment
    heard: list[tuple[float, str]] = []
    answer = sandbox.confined(step, Ask(), progress=lambda share, message: heard.append((share, message)))
    here = compute.in_process(step, Ask())
    assert (answer.total, answer.path) == (here.total, here.path) == (42, Path("/tmp"))
    assert answer.process not in {os.getpid(), sandbox._ZYGOTE.pid}
    assert heard == [(0.5, "Half way — tell")]
    facts = answer.facts
    assert facts["folder"] == facts["temporary"] != here.facts["folder"]
    assert not Path(facts["folder"]).exists()
    assert (facts["umask"], facts["session"], facts["threads"]) == ("0o77", "True", "1")
    assert int(facts["nice"]) == min(19, os.nice(0) + confined.NICENESS)
    assert "API_TOKEN" not in facts["environment"]
    assert int(facts["descriptors"]) <= 7  # its log twice, nothing to read, its line, its answer, and this listing


def test_threads_of_a_library_run_in_a_child() -> None:
    assert sandbox.confined(step, Ask(how="thread")).total == 6


def test_a_path_means_what_it_means_here() -> None:
    answer = sandbox.confined(step, Ask(path=Path("data") / "x"))
    assert answer.path == Path.cwd() / "data" / "x"
    asked = sandbox._absolute(Ask(raw=Raw(path=Path("y"))))
    assert (asked.raw.path, asked.path) == (Path.cwd() / "y", Path("/tmp"))


def test_a_known_error_comes_back_as_itself() -> None:
    with pytest.raises(Unreadable, match=r"^File 'x\.csv' is no table\.$"):
        sandbox.confined(step, Ask(how="known"))


# --- one that does harm -------------------------------------------------------------------------

MEMORY = r"^File 'x\.csv' needed more than 0\.4 GB of memory to be read; policy allows 0\.4 GB\. Nothing was stored\."
CPU = r"^File 'x\.csv' took more than 1 s of processor time to be read; policy allows 1 s for a file of its size\."
HARM = {
    "segv": (Unreadable, r"^File 'x\.csv' brought down the process that read it \(SIGSEGV\)"),
    "abort": (Unreadable, r"\(SIGABRT\): it is damaged, or made to do harm\. Nothing was stored\."),
    "starve": (Unreadable, MEMORY),
    "one_block": (Unreadable, MEMORY),
    "arrow": (Unreadable, MEMORY),
    "duck": (Unreadable, MEMORY),
    "burn": (Unreadable, CPU),
    "burn_native": (Unreadable, CPU),
    "sleep": (Unreadable, r"^File 'x\.csv' took more than 2 s to be read; policy allows 2 s for a file of its size\."),
    "write": (Unreadable, r"^File 'x\.csv' unfolded to more than 0\.005 GB on disk; .* raise upload_bytes_max in"),
    "unknown": (ComputeFailed, r"^Reading file 'x\.csv' failed in a way that nobody foresaw \(ValueError\)"),
    "shout": (ComputeFailed, r"nobody foresaw \(exit code 7\)"),
    "lie": (ComputeFailed, r"nobody foresaw \(exit code 0\)"),
    "nothing": (ComputeFailed, r"nobody foresaw \(exit code 0\)"),
    "connect": (ComputeFailed, r"nobody foresaw \(PermissionError\)"),
    "program": (ComputeFailed, r"nobody foresaw \(PermissionError\)"),
    "pickle": (ComputeFailed, r"nobody foresaw \(PermissionError\)"),
    "many_open": (ComputeFailed, r"nobody foresaw \(OSError\)"),
    "elsewhere": (Unreadable, r"^File 'x\.csv' led the process that read it to answer with a file that is not its own"),
    "empty": (
        Unreadable,
        r"^File 'x\.csv' led the process that read it to an answer that is none: it is damaged, or made to",
    ),
    "misshapen": (Unreadable, r"led the process that read it to an answer that is none"),
}


@pytest.mark.parametrize("how", HARM)
def test_harm_costs_one_upload_and_is_told_in_words(how: str, tmp_path: Path) -> None:
    kind, words = HARM[how]
    left = {"starve": 1_000_000, "sleep": 60}.get(how, 2)
    limits = replace(SMALL, wall_s=2) if how == "sleep" else SMALL
    with pytest.raises(kind, match=words) as failed:
        sandbox.confine(limits)(step, Ask(how=how, left=left))
    assert type(failed.value) is kind
    assert "Traceback" not in failed.value.message
    assert "/" not in failed.value.message
    assert sandbox.confined(step, Ask()).total == 42


def test_there_is_no_network_to_speak_through() -> None:
    if not _namespaces():
        pytest.skip("this kernel forbids namespaces; the audit hook alone stands (the case 'connect')")
    answer = sandbox.confined(step, Ask(how="interfaces"))
    assert (answer.text, answer.total) == ("lo", 0)


def _namespaces() -> bool:
    forked = (
        "import os, sys\nfrom pipeline_core.flows.confined import shut_in\npid = os.fork()\n"
        "if not pid: os._exit(not shut_in())\nsys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))"
    )
    return subprocess.run([sys.executable, "-c", forked], cwd=ROOT, check=False).returncode == 0


def test_a_file_that_starves_its_reader_never_holds_more_than_the_limit(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(Unreadable):
        sandbox.confine(SMALL)(step, Ask(how="starve", left=1_000_000))
    peak = int(caplog.text.split("peak_bytes=")[1].split(")")[0])
    assert SMALL.memory_bytes * 0.9 < peak < SMALL.memory_bytes * 1.25


# --- limits -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Bare:
    """A request that names neither policy nor file."""

    left: int = 1


def test_limits_are_the_policys_and_grow_with_the_file() -> None:
    policy = Policy(reader_memory_bytes_max=700_000_000, reader_seconds_max=20, upload_bytes_max=50_000_000)
    assert sandbox.limits_for(policy) == Limits(
        memory_bytes=700_000_000, cpu_s=20, wall_s=20, file_bytes=sandbox.WRITTEN_FACTOR * 50_000_000
    )
    larger = sandbox.limits_for(policy, 30_000_000)
    assert (larger.cpu_s, larger.wall_s) == (50, 110)


def test_a_request_says_which_limits_hold(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_bytes(b"x" * 2_000_000)
    policy = Policy()
    asked = Ask(raw=Raw(policy=policy, path=file), path=tmp_path)
    assert sandbox._limits_of(asked) == sandbox.limits_for(policy, 2_000_000)
    assert sandbox._limits_of(Bare()) == Limits()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a.csv", "File 'a.csv'"),
        ("a" * 100, "File '" + "a" * 80 + "…'"),
        ("a\x00\u202e<b>", "File 'a\\x00\\u202e<b>'"),
    ],
)
def test_a_strangers_name_is_shown_harmless(name: str, words: str) -> None:
    assert sandbox._called(Ask(raw=Raw(name=name))) == words
    assert sandbox._called(Bare()) == "The file"


# --- many, and ends of all kinds ----------------------------------------------------------------


def test_several_threads_ask_at_once_and_no_more_run_than_there_are_places() -> None:
    def ask(number: int) -> int:
        return sandbox.confined(step, Ask(left=number)).total

    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(ask, range(24))) == [number + 40 for number in range(24)]


def test_a_bomb_beside_it_is_not_noticed() -> None:
    def bomb() -> str:
        with pytest.raises(Unreadable) as failed:
            sandbox.confine(SMALL)(step, Ask(how="starve", left=1_000_000))
        return failed.value.message

    with ThreadPoolExecutor(3) as pool:
        bombs = [pool.submit(bomb) for _ in range(2)]
        slept = pool.submit(sandbox.confined, step, Ask(how="sleep", left=1))
        assert slept.result().process > 0
        assert all("memory" in b.result() for b in bombs)


def test_a_callback_that_raises_ends_the_child(tmp_path: Path) -> None:
    pulse = tmp_path / "pulse"

    def refuse(share: float, message: str) -> None:
        raise InterruptedError(message)

    with pytest.raises(InterruptedError, match="Half way"):
        sandbox.confined(step, Ask(how="beat", path=pulse), progress=refuse)
    assert _still(pulse) < 200


def test_a_zygote_that_was_killed_is_started_again() -> None:
    assert sandbox.confined(step, Ask()).total == 42
    first = sandbox._ZYGOTE.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    assert sandbox.confined(step, Ask()).total == 42
    assert sandbox._ZYGOTE.pid not in {None, first}


def test_children_die_with_the_zygote_and_their_callers_are_told(tmp_path: Path) -> None:
    pulse = tmp_path / "pulse"
    failure = _failing(pulse, then=lambda: os.kill(sandbox._ZYGOTE.pid or 0, signal.SIGKILL))
    assert (
        failure
        == "The process that was to read file 'x.csv' was ended from outside. Nothing was stored; send it again."
    )
    assert _still(pulse) < 200


def test_stopping_ends_the_children(tmp_path: Path) -> None:
    pulse = tmp_path / "pulse"
    assert "was ended" in _failing(pulse, then=sandbox.stop)
    assert _still(pulse) < 200


def test_a_child_that_somebody_kills_is_no_fault_of_the_file() -> None:
    heard = threading.Event()
    failures: list[PipelineError] = []

    def ask() -> None:
        try:
            sandbox.confined(step, Ask(how="sleep", left=60), progress=lambda _share, _message: heard.set())
        except PipelineError as failed:
            failures.append(failed)

    thread = threading.Thread(target=ask)
    thread.start()
    assert heard.wait(60)
    children = Path(f"/proc/{sandbox._ZYGOTE.pid}/task/{sandbox._ZYGOTE.pid}/children").read_text(encoding="ascii")
    os.kill(int(children.split()[0]), signal.SIGTERM)
    thread.join(60)
    assert [type(f) for f in failures] == [ComputeFailed]
    assert "was ended by signal SIGTERM" in failures[0].message


def test_nothing_outlives_an_owner_that_is_killed(tmp_path: Path) -> None:
    pulse, told = tmp_path / "pulse", tmp_path / "zygote"
    code = (
        "import sys; from pathlib import Path; from pipeline_core.flows import sandbox\n"
        "from tests.core.flows.steps import Ask, step\n"
        "sandbox.confined(step, Ask())\n"
        "Path(sys.argv[2]).write_text(str(sandbox._ZYGOTE.pid))\n"
        "sandbox.confined(step, Ask(how='beat', path=Path(sys.argv[1])))"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(pulse), str(told)], cwd=ROOT) as owner:
        try:
            _wait_for(lambda: pulse.exists() and pulse.stat().st_size > 2)
        finally:
            owner.kill()
    assert _still(pulse) < 200
    zygote = Path("/proc") / told.read_text(encoding="ascii")
    _wait_for(lambda: not zygote.exists() or ") Z " in (zygote / "stat").read_text(encoding="ascii"))


def test_a_zygote_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sandbox.confined(step, Ask()).total == 42
    monkeypatch.setattr(sandbox, "_GRACE_S", 0.5)
    zygote = sandbox._ZYGOTE.pid or 0
    os.kill(zygote, signal.SIGSTOP)
    with pytest.raises(ComputeFailed, match="was ended from outside"):
        sandbox.confine(Limits(wall_s=0.5))(step, Ask())
    assert not Path(f"/proc/{zygote}").exists()
    assert sandbox.confined(step, Ask()).total == 42


def _failing(pulse: Path, *, then: Callable[[], None]) -> str:
    failures: list[PipelineError] = []

    def ask() -> None:
        try:
            sandbox.confined(step, Ask(how="beat", path=pulse))
        except PipelineError as failed:
            failures.append(failed)

    thread = threading.Thread(target=ask)
    thread.start()
    _wait_for(lambda: pulse.exists() and pulse.stat().st_size > 2)
    then()
    thread.join(60)
    (failure,) = failures
    assert type(failure) is ComputeFailed
    return failure.message


def _still(pulse: Path) -> int:
    """Wait until a pulse has stopped, and give its length."""
    beats = -1

    def still() -> bool:
        nonlocal beats
        before, beats = beats, pulse.stat().st_size if pulse.exists() else 0
        time.sleep(0.4)
        return before == beats

    _wait_for(still)
    return beats


def _wait_for(true: Callable[[], bool], *, within_s: float = 60) -> None:
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)
