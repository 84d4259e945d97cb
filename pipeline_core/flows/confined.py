"""Where files of strangers are read: a process that waits with everything imported, and the children that it forks.

``serve`` is the whole life of that process (the zygote): one thread, no file of a stranger, no secret. For each order it
forks a child, which first locks itself in and then carries out one step: its own session, lower priority, a private
umask, limits on memory, processor time, file size and open files, no network, no new program, no pickle. The zygote
watches memory and wall clock, and ends a child that goes too far. Neighbours: ``sandbox`` gives the orders and hears
what came of them. It refuses to survive the owner, by whatever death, and no child survives it.

No network: where the kernel lets us (``unshare`` of user and network namespace, on Linux without a profile that forbids
it) there is no interface to speak through; everywhere an audit hook refuses sockets to Python. A library written in C
is held by the first only.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import resource
import select
import signal
import socket
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from pipeline_core.flows import replies

NICENESS = 5
"""Somebody waits for an upload: below the app, above training."""

FILES_OPEN_MAX = 256
WATCH_MS = 10
IDLE_MS = 1_000
ORDER_BYTES_MAX = 65_536
MEMORY, CPU, WALL, FILE, GONE = "memory", "cpu", "wall", "file", "gone"

WARM = (
    "charset_normalizer", "duckdb", "numpy", "pyarrow.compute", "pyarrow.csv", "pyarrow.ipc", "pyarrow.json",
    "pyarrow.parquet", "python_calamine", "pipeline_core.flows.taking",
)  # fmt: skip
"""Imported once, so that no child has to; what is not installed is left out."""

FORBIDDEN = ("socket.", "subprocess.", "os.exec", "os.posix_spawn", "os.spawn", "os.system", "os.fork", "pickle.")
"""Beginnings of the audit events that a child may not cause."""

_NEW_USER, _NEW_NETWORK = 0x1000_0000, 0x4000_0000
_DEATH_SIGNAL, _NO_NEW_PRIVILEGES = 1, 38
# of data over what may be resident: stacks and pools take more than they touch (measured: 1.35 GB for 0.77 GB resident,
# DuckDB with two threads). RLIMIT_AS would have to be four times as wide, with what it maps and never writes.
_DATA_FACTOR = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one step may use up: resident memory, processor and wall clock time, and the size of a file it writes."""

    memory_bytes: int = 1_000_000_000
    cpu_s: float = 20
    wall_s: float = 20
    file_bytes: int = 2_000_000_000


@dataclass(slots=True)
class _Child:
    """A child at work. ``channel`` is the zygote's end of the line to whoever waits for it."""

    pid: int
    handle: int
    channel: socket.socket
    limits: Limits
    started: float
    stopped: str | None = None

    def stop(self, why: str) -> None:
        """End it and all that it started, once; it is not yet reaped, so its id is nobody else's."""
        self.stopped = self.stopped or why
        for kill in (os.killpg, os.kill):  # until its own session stands, there is no group of that id
            with suppress(ProcessLookupError):
                kill(self.pid, signal.SIGKILL)

    def watch(self) -> None:
        """End it if it has gone too far."""
        if time.monotonic() - self.started > self.limits.wall_s:
            self.stop(WALL)
        elif _resident(self.pid) > self.limits.memory_bytes:
            self.stop(MEMORY)

    def tell(self, told: dict[str, Any]) -> None:
        """Tell whoever waits; one who does not listen gets nothing, and nobody waits for him."""
        with suppress(OSError):
            self.channel.send(json.dumps(told).encode() + b"\n", socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)


class Zygote:
    """Forks a child for each order, watches them, and says how each ended.

    Parameters
    ----------
    control : socket
        Where orders come from; closed, it is the end.
    """

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._owner = os.getppid()
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)
        self._children: dict[int, _Child] = {}
        self._lines: dict[int, _Child] = {}

    def run(self) -> None:
        """Live as long as the owner does."""
        while os.getppid() == self._owner and self._turn():
            for child in self._children.values():
                child.watch()
        for child in self._children.values():
            child.stop(GONE)
            self._bury(child)

    def _turn(self) -> bool:
        for descriptor, _ in self._poll.poll(WATCH_MS if self._children else IDLE_MS):
            if descriptor == self._control.fileno():
                if not self._take_order():
                    return False
            elif descriptor in self._children:
                self._bury(self._children.pop(descriptor))
            elif descriptor in self._lines:
                self._poll.unregister(descriptor)
                self._lines.pop(descriptor).stop(GONE)
        return True

    def _take_order(self) -> bool:
        message, descriptors, _, _ = socket.recv_fds(self._control, ORDER_BYTES_MAX, 1)
        if not message:
            return False
        order = json.loads(message)
        with suppress(Exception):  # here once for all children; what is wrong with it, the child will say
            replies.find(order["step"])
        channel = socket.socket(fileno=descriptors[0])
        zygote, pid = os.getpid(), os.fork()
        if pid == 0:
            self._control.close()
            for other in self._children.values():
                os.close(other.handle)
                other.channel.close()
            _live(order, channel, zygote)
        child = _Child(pid, os.pidfd_open(pid), channel, Limits(**order["limits"]), time.monotonic())
        self._children[child.handle] = child
        self._lines[channel.fileno()] = child
        self._poll.register(child.handle, select.POLLIN)
        self._poll.register(channel, 0)  # whoever waits hangs up: nobody wants the result any more
        child.tell({"pid": pid})
        return True

    def _bury(self, child: _Child) -> None:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)  # what it may have left behind, before its id is free
        _, status, used = os.wait4(child.pid, 0)
        ended = {
            "ended": os.waitstatus_to_exitcode(status),
            "stopped": child.stopped,
            "cpu_s": used.ru_utime + used.ru_stime,
            "peak_bytes": used.ru_maxrss * 1024,
        }
        child.tell(ended)
        self._poll.unregister(child.handle)
        os.close(child.handle)
        if self._lines.pop(child.channel.fileno(), None) is not None:
            self._poll.unregister(child.channel)
        child.channel.close()


def serve(descriptor: int) -> None:
    """Live as the zygote of the process at the other end of a socket.

    Parameters
    ----------
    descriptor : int
        Of that socket; packets, each an order with one descriptor.
    """
    control = socket.socket(fileno=descriptor)
    warm(WARM)
    gc.collect()
    gc.freeze()  # what is shared stays shared: the collector of a child writes into none of it
    Zygote(control).run()
    os._exit(0)


def shut_in() -> bool:
    """Leave the network for good, and every right to change this machine that a superuser would have.

    Returns
    -------
    bool
        Whether the kernel let us; the audit hook stands either way.
    """
    system = ctypes.CDLL(None, use_errno=True)
    system.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    user, group = os.getuid(), os.getgid()
    if system.unshare(_NEW_USER | _NEW_NETWORK) != 0:
        return False
    with suppress(OSError):  # unmapped, we would still be who we are to files, and "nobody" to ourselves
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")
    return True


def warm(modules: Iterable[str]) -> None:
    """Import what is there of these.

    Parameters
    ----------
    modules : iterable of str
        Their names.
    """
    for module in modules:
        with suppress(Exception):  # not installed, or broken: the step that needs it will say so
            importlib.import_module(module)


# --- the child ----------------------------------------------------------------------------------


def _live(order: dict[str, Any], channel: socket.socket, zygote: int) -> NoReturn:
    code = 1
    try:
        folder = Path(order["folder"])
        _lock_in(folder, Limits(**order["limits"]), zygote)
        code = work(order["step"], folder, channel)
    except BaseException:  # ruff: ignore[blind-except]  the end of a process: the owner reads what it leaves
        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stderr.flush()
        os._exit(code)


def _lock_in(folder: Path, limits: Limits, zygote: int) -> None:
    os.setsid()
    shut_in()  # a fork has one thread, whatever libraries started in the zygote: what a new namespace asks for
    ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)  # after it, because it forgets this
    if os.getppid() != zygote:
        os._exit(1)  # it died before the line above
    os.umask(0o077)
    os.chdir(folder)
    os.environ.update({"TMPDIR": str(folder), "HOME": str(folder)})
    tempfile.tempdir = None
    log = os.open(folder / "stderr", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.nice(NICENESS)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it; ended by it, we know why
    limit(limits)
    sys.addaudithook(refuse)


def limit(limits: Limits) -> None:
    """Lay limits on this process and all that it starts; they can only be narrowed from here on.

    Parameters
    ----------
    limits : Limits
        What it may use up.
    """
    cpu_s = max(1, round(limits.cpu_s))
    most = {
        resource.RLIMIT_DATA: (_DATA_FACTOR * limits.memory_bytes,) * 2,
        resource.RLIMIT_CPU: (cpu_s, cpu_s + 2),
        resource.RLIMIT_FSIZE: (limits.file_bytes,) * 2,
        resource.RLIMIT_NOFILE: (FILES_OPEN_MAX,) * 2,
        resource.RLIMIT_CORE: (0, 0),
    }
    for what, wanted in most.items():
        allowed = resource.getrlimit(what)[1]
        ceiling = max(wanted) if allowed == resource.RLIM_INFINITY else allowed
        resource.setrlimit(what, (min(wanted[0], ceiling), min(wanted[1], ceiling)))


def refuse(event: str, _arguments: tuple[Any, ...]) -> None:
    """Refuse what no reader of a file has any business with (an audit hook).

    Parameters
    ----------
    event : str
        What is about to happen.

    Raises
    ------
    PermissionError
        It is forbidden.
    """
    if event.startswith(FORBIDDEN):
        raise PermissionError(f"A process that reads a file may not do this: {event}.")


def work(step: str, folder: Path, channel: socket.socket) -> int:
    """Carry out a step and write its answer into the folder.

    Parameters
    ----------
    step : str
        Its name.
    folder : Path
        Holds ``request.json``; gets ``answer.json``.
    channel : socket
        Where progress is told, a line each.

    Returns
    -------
    int
        0: there is an answer.
    """

    def progress(share: float, message: str) -> None:
        channel.sendall(json.dumps({"share": share, "message": message}).encode() + b"\n")

    with (folder / "answer.json").open("w", encoding="utf-8") as file:  # now: a step may use up what can be opened
        try:
            answer = replies.carry_out(step, json.loads((folder / "request.json").read_bytes()), progress)
        except Exception as error:  # ruff: ignore[blind-except]  whatever a file provokes is told, and costs this file
            traceback.print_exc()
            starved = isinstance(error, MemoryError) or "OutOfMemory" in type(error).__name__
            answer = {"limit": MEMORY} if starved else {"unforeseen": type(error).__name__}
        json.dump(answer, file)
    return 0


def _resident(pid: int) -> int:
    try:
        pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()
    except OSError:
        return 0  # it has just ended
    return int(pages[1]) * resource.getpagesize() if len(pages) > 1 else 0
