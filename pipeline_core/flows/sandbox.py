"""Reads what a stranger sent in a child process that can do no harm and may use only so much.

``confined`` runs a step of a flow as ``compute.in_child`` does, but in a child forked by a process that waits with
everything imported (about 20 ms instead of a second), locked in and limited. A file that is a bomb, that crashes its
reader or never ends costs that file only, and its sender reads which limit it broke. Neighbours: ``confined`` is the
other side, ``taking`` holds the steps, ``compute`` runs the long work on our own rows. It refuses to read a file here.

Where the kernel allows it the children have no network at all, otherwise Python in them is refused sockets; see
``flows.confined``. Paths in a request are made absolute, because a child works in a folder of its own.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, get_type_hints

from pipeline_core.errors import ComputeFailed, PipelineError, Unreadable
from pipeline_core.flows import replies
from pipeline_core.flows.confined import CPU, FILE, MEMORY, WALL, Limits
from pipeline_core.flows.replies import A, Compute, Progress, Q, Step
from pipeline_core.policy import Policy
from pipeline_core.records import dump

__all__ = ["CHILDREN_MAX", "Limits", "confine", "confined", "limits_for", "stop"]

LOGGER = logging.getLogger(__name__)
CHILDREN_MAX = 4
"""Children at a time; further callers wait, so that many uploads at once need no more memory than so many."""

SECONDS_PER_BYTE = 1e-6
"""What a file may take beyond the policy's seconds: an honest file of 500 MB is no hang."""

WRITTEN_FACTOR = 4
"""A child may write files of so many times the size of an upload; what a reader unfolds has a limit of its own."""

_ROOT = Path(__file__).resolve().parents[2]
_START = "import sys; from pipeline_core.flows.confined import serve; serve(int(sys.argv[1]))"
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH", "PYTHONHASHSEED", "PYTHONUTF8")
_THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
# the C library's pool gives back what it frees, and costs less than Arrow's own (measured: 3.6 s for 4.9 s)
_MEMORY = {"ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_ARENA_MAX": "2"}
_GRACE_S = 30.0  # beyond the wall clock: then it is the zygote that hangs
_LINE_BYTES_MAX = 65_536
_ANSWER_BYTES_MAX = 100_000_000
_STDERR_BYTES, _STDERR_LINES = 20_000, 20
_NAME_CHARACTERS = 80
_STARVED = ("bad_alloc", "MemoryError", "out of memory", "annot allocate", "start new thread")


@dataclass(frozen=True, slots=True)
class _End:
    """How a child ended: its exit code (a signal: below 0), and what the zygote stopped it for."""

    code: int
    stopped: str | None
    cpu_s: float
    peak_bytes: int


class _Lost(Exception):
    """The zygote went away. ``started``: it had begun to carry out the order."""

    def __init__(self, *, started: bool) -> None:
        super().__init__()
        self.started = started


# --- limits -------------------------------------------------------------------------------------


def limits_for(policy: Policy, size_bytes: int = 0) -> Limits:
    """Give what reading a file may use up.

    Parameters
    ----------
    policy : Policy
        ``reader_memory_bytes_max``, ``reader_seconds_max`` and ``upload_bytes_max`` are its words on it.
    size_bytes : int
        Of the file: each megabyte gives a second of processor time more, and three of the clock.

    Returns
    -------
    Limits
    """
    more = SECONDS_PER_BYTE * size_bytes
    return Limits(
        memory_bytes=policy.reader_memory_bytes_max,
        cpu_s=policy.reader_seconds_max + more,
        wall_s=policy.reader_seconds_max + 3 * more,
        file_bytes=WRITTEN_FACTOR * policy.upload_bytes_max,
    )


def confine(limits: Limits | None = None) -> Compute:
    """Give a ``Compute`` that runs steps in confined children.

    Parameters
    ----------
    limits : Limits, optional
        For every step; None: those of the policy in the request (``request.policy`` or ``request.raw.policy``) for
        files of the size that the request names.

    Returns
    -------
    Compute
        Raises the step's own PipelineError; ``Unreadable`` where the child broke a limit or crashed;
        ``ComputeFailed`` where it was ended from outside, or the step has a fault that is ours.
    """

    def run(step: Step[Q, A], request: Q, *, progress: Progress | None = None) -> A:
        allowed = limits or _limits_of(request)
        with _PLACES, tempfile.TemporaryDirectory(prefix="pipeline-reading-") as folder:
            return _carried_out(step, request, Path(folder), allowed, progress or _nobody_listens)

    return run


def stop() -> None:
    """End the zygote and its children; each waiting call raises ComputeFailed, and the next one starts a new zygote."""
    _ZYGOTE.stop()


# --- one call -----------------------------------------------------------------------------------


def _nobody_listens(share: float, message: str) -> None:
    LOGGER.debug("%.0f %% %s", 100 * share, message)


def _carried_out(step: Step[Q, A], request: Q, folder: Path, limits: Limits, progress: Progress) -> A:
    named = replies.name_of(step)
    (folder / "request.json").write_text(json.dumps(dump(_absolute(request))), encoding="utf-8")
    order = json.dumps({"step": named, "folder": str(folder), "limits": asdict(limits)}).encode()
    end = _ended(order, limits, progress, called=_called(request))
    told = _told(folder / "answer.json")
    LOGGER.debug("reading %s took %s", _within(_called(request)), end)
    if end.code == 0 and told is not None and not told.keys() & {"limit", "unforeseen"}:
        try:
            result = replies.answer(told, get_type_hints(step)["return"])
        except (KeyError, TypeError, ValueError, AttributeError):  # a child that was taken over answers as it likes
            raise _harmful(_called(request), "an answer that is none: it is damaged, or") from None
        _refuse_elsewhere(result, request, called=_called(request))
        return result
    raise _failure(end, told or {}, folder, limits, _called(request))


def _ended(order: bytes, limits: Limits, progress: Progress, *, called: str) -> _End:
    """Have an order carried out; once more if the zygote was gone before it began."""
    for again in (True, False):
        try:
            with _ZYGOTE.order(order) as line:
                line.settimeout(limits.wall_s + _GRACE_S)
                return _heard(line, progress)
        except TimeoutError:
            _ZYGOTE.stop()
            break
        except _Lost as lost:
            if lost.started or not again:
                break
    raise ComputeFailed(
        f"The process that was to read {_within(called)} was ended from outside. Nothing was stored; send it again."
    )


def _heard(line: socket.socket, progress: Progress) -> _End:
    started = False
    with line.makefile("rb") as lines:
        while text := lines.readline(_LINE_BYTES_MAX):
            try:
                told = json.loads(text)
                if "ended" in told:
                    return _End(told["ended"], told["stopped"], told["cpu_s"], told["peak_bytes"])
                said = None if "pid" in told else (float(told["share"]), str(told["message"]))
            except (ValueError, TypeError, KeyError):
                continue  # a child that was taken over may say what it likes
            started = True
            if said is not None:
                progress(*said)
    raise _Lost(started=started)


def _told(path: Path) -> dict[str, Any] | None:
    """Read an answer, whatever a child that was taken over may have put there."""
    try:
        if path.is_symlink() or path.stat().st_size > _ANSWER_BYTES_MAX:
            return None
        told = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return told if isinstance(told, dict) else None


# --- what went wrong ----------------------------------------------------------------------------


def _failure(end: _End, told: Mapping[str, Any], folder: Path, limits: Limits, called: str) -> PipelineError:
    said = _last_words(folder / "stderr")
    LOGGER.warning("reading %s ended with %s, %s:\n%s", called, end, dict(told), said)
    broken = _limit_broken(end, told, said)
    if broken is not None:
        return Unreadable(f"{called} {_sentence(broken, limits)}")
    if end.code < 0 and -end.code not in {signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}:
        return Unreadable(
            f"{called} brought down the process that read it ({signal.Signals(-end.code).name}): it is damaged, or made"
            " to do harm. Nothing was stored. Write it anew at its source, and send it again."
        )
    if end.code < 0:
        return ComputeFailed(
            f"Reading {_within(called)} was ended by signal {signal.Signals(-end.code).name}; it was stopped, or the machine ran"
            " out of memory. Nothing was stored; send it again."
        )
    what = told.get("unforeseen", f"exit code {end.code}")
    return ComputeFailed(
        f"Reading {_within(called)} failed in a way that nobody foresaw ({str(what)[:_NAME_CHARACTERS]}); the app's log says"
        " more. Nothing was stored. Write it anew at its source, or report the fault."
    )


def _limit_broken(end: _End, told: Mapping[str, Any], said: str) -> str | None:
    if end.stopped in {MEMORY, WALL}:
        return end.stopped
    if end.code == -signal.SIGXCPU:
        return CPU
    if end.code == -signal.SIGXFSZ:
        return FILE
    starved = end.code != 0 and any(word in said for word in _STARVED)
    return MEMORY if told.get("limit") == MEMORY or starved else None


def _sentence(broken: str, limits: Limits) -> str:
    again = "Nothing was stored. Send it in smaller files, or raise {} in the policy."
    if broken == MEMORY:
        most = f"{limits.memory_bytes / 1e9:.3g} GB"
        words = f"needed more than {most} of memory to be read; policy allows {most}."
        return f"{words} {again.format('reader_memory_bytes_max')}"
    if broken == FILE:
        most = f"{limits.file_bytes / 1e9:.3g} GB"
        words = f"unfolded to more than {most} on disk; policy allows {WRITTEN_FACTOR} times the size of an upload."
        return f"{words} {again.format('upload_bytes_max')}"
    seconds, unit = (limits.cpu_s, "s of processor time") if broken == CPU else (limits.wall_s, "s")
    words = f"took more than {seconds:.3g} {unit} to be read; policy allows {seconds:.3g} s for a file of its size."
    return f"{words} {again.format('reader_seconds_max')}"


def _last_words(path: Path) -> str:
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - _STDERR_BYTES))
            said = log.read(_STDERR_BYTES)
    except OSError:
        return ""
    return "\n".join(said.decode("utf-8", errors="replace").splitlines()[-_STDERR_LINES:])


# --- what a request names -----------------------------------------------------------------------


def _named(request: Any) -> Iterator[tuple[str, Any]]:
    """Give the fields of a request, those of the records in it first."""
    plain = [(f.name, getattr(request, f.name)) for f in fields(request)]
    for _, value in plain:
        if is_dataclass(value):
            yield from _named(value)
    yield from plain


def _called(request: Any) -> str:
    """Say which file it is about; its name is a stranger's text."""
    raw = getattr(request, "raw", request)
    name = getattr(raw, "name", None) or getattr(raw, "source", None)
    if not isinstance(name, str):
        return "The file"
    shown = name if len(name) <= _NAME_CHARACTERS else f"{name[:_NAME_CHARACTERS]}…"
    return f"File {shown!r}"


def _within(called: str) -> str:
    return called[0].lower() + called[1:]


def _limits_of(request: Any) -> Limits:
    found = list(_named(request))
    policy = next((value for _, value in found if isinstance(value, Policy)), None)
    if policy is None:
        return Limits()
    size = sum(value.stat().st_size for _, value in found if isinstance(value, Path) and value.is_file())
    return limits_for(policy, size)


def _refuse_elsewhere(result: Any, request: Any, *, called: str) -> None:
    """Refuse a file that lies where the request did not say: the owner would take it for the child's work."""
    places = [value.resolve() for _, value in _named(request) if isinstance(value, Path)]
    for _, value in _named(result):
        if isinstance(value, Path) and not any(value.resolve().is_relative_to(place) for place in places):
            raise _harmful(called, "answer with a file that is not its own: it is")


def _harmful(called: str, what: str) -> Unreadable:
    return Unreadable(
        f"{called} led the process that read it to {what} made to do harm. Nothing was stored. Write it anew at its source,"
        " and send it again."
    )


def _absolute(request: Q) -> Q:
    """Make the paths in a request absolute."""
    changed: dict[str, Any] = {}
    for field in fields(request):  # type: ignore[arg-type]
        value = getattr(request, field.name)
        if isinstance(value, Path):
            changed[field.name] = value.absolute()
        elif is_dataclass(value) and not isinstance(value, type):
            changed[field.name] = _absolute(value)
    return replace(request, **changed)  # type: ignore[type-var]


# --- the zygote, seen from here -----------------------------------------------------------------


class _Zygote:
    """The process that forks the children; started when it is first needed, and again when it has died."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    @property
    def pid(self) -> int | None:
        """Its process id, while there is one."""
        return None if self._process is None else self._process.pid

    def order(self, order: bytes) -> socket.socket:
        """Hand an order over; the line tells progress and the end."""
        here, there = socket.socketpair()
        with there, self._lock:
            if self._process is None or self._process.poll() is not None:
                self._restart()
            try:
                self._send(order, there)
            except OSError:  # it dies at this very moment
                self._restart()
                self._send(order, there)
        return here

    def stop(self) -> None:
        with self._lock:
            self._end()

    def _send(self, order: bytes, line: socket.socket) -> None:
        if self._control is not None:
            socket.send_fds(self._control, [order], [line.fileno()])

    def _restart(self) -> None:
        self._end()
        self._control, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        path = os.pathsep.join([str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        with other:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _START, str(other.fileno())],
                env={**passed, **_THREADS, **_MEMORY, "PYTHONPATH": path},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(other.fileno(),),
                start_new_session=True,  # a Ctrl-C is for the owner, who then ends it
            )

    def _end(self) -> None:
        process, control, self._process, self._control = self._process, self._control, None, None
        if control is not None:
            control.close()
        if process is not None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(5)
            process.kill()
            process.wait()


_ZYGOTE = _Zygote()
_PLACES = threading.BoundedSemaphore(CHILDREN_MAX)
confined = confine()
atexit.register(stop)
