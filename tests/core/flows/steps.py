"""Steps for confined children: well-behaved ones, and each kind of harm."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from pipeline_core.errors import Unreadable
from pipeline_core.flows.replies import Progress
from pipeline_core.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """The shape of ``taking.Raw``, as far as the sandbox looks into it."""

    name: str = "x.csv"
    policy: Policy = field(default_factory=Policy)
    path: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a step is asked."""

    how: str = "tell"
    left: int = 2
    path: Path = Path("/tmp")
    raw: Raw = Raw()


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What it answers."""

    total: int = 0
    process: int = 0
    text: str = ""
    path: Path = Path("/tmp")
    facts: dict[str, str] = field(default_factory=dict)


def step(request: Ask, progress: Progress) -> Told:
    """Answer, or do harm."""
    progress(0.5, f"Half way — {request.how}")
    return HOW[request.how](request)


def _tell(request: Ask) -> Told:
    print("a library that prints to standard output")
    mask = os.umask(0)
    os.umask(mask)
    facts = {
        "umask": oct(mask),
        "session": str(os.getsid(0) == os.getpid()),
        "folder": str(Path.cwd()),
        "temporary": tempfile.gettempdir(),
        "threads": os.environ.get("OPENBLAS_NUM_THREADS", ""),
        "environment": " ".join(sorted(os.environ)),
        "descriptors": str(len(list(Path("/proc/self/fd").iterdir()))),
        "nice": str(os.nice(0)),
    }
    return Told(total=request.left + 40, process=os.getpid(), path=request.path, facts=facts)


def _known(_request: Ask) -> Told:
    raise Unreadable("File 'x.csv' is no table.")


def _unknown(_request: Ask) -> Told:
    raise ValueError("the cat sat on /secret/keyboard")


def _segv(_request: Ask) -> Told:
    os.kill(os.getpid(), signal.SIGSEGV)
    return Told()


def _abort(_request: Ask) -> Told:
    os.abort()


def _starve(request: Ask) -> Told:
    held = []
    while len(held) < 100_000:
        held.append(b"x" * request.left)
    return Told()


def _one_block(_request: Ask) -> Told:
    return Told(total=len(bytearray(1 << 42)))


def _arrow(_request: Ask) -> Told:
    import pyarrow as pa

    return Told(total=pa.allocate_buffer(1 << 40).size)


def _duck(_request: Ask) -> Told:
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("SET memory_limit = '20GB'")
        connection.execute("SET max_temp_directory_size = '0MB'")
        return Told(
            total=len(connection.sql("SELECT list(i || repeat('x', 100)) FROM range(100_000_000) t(i)").fetchall())
        )


def _burn(_request: Ask) -> Told:
    while True:
        pass


def _burn_native(_request: Ask) -> Told:
    import duckdb

    with duckdb.connect() as connection:
        return Told(
            total=connection.sql("SELECT sum(a.i * b.i) FROM range(10_000_000) a(i), range(10_000_000) b(i)").fetchall()
        )


def _sleep(request: Ask) -> Told:
    time.sleep(request.left)
    return Told(process=os.getpid())


def _write(_request: Ask) -> Told:
    with Path("big").open("wb") as file:
        while True:
            file.write(b"x" * 1_000_000)


def _beat(request: Ask) -> Told:
    for _ in range(600):
        with request.path.open("ab") as file:
            file.write(b".")
        time.sleep(0.1)
    return Told()


def _connect(_request: Ask) -> Told:
    with socket.create_connection(("127.0.0.1", 9), 1):
        return Told()


def _interfaces(_request: Ask) -> Told:
    lines = Path("/proc/self/net/dev").read_text(encoding="ascii").splitlines()[2:]
    routes = Path("/proc/self/net/route").read_text(encoding="ascii").splitlines()[1:]
    return Told(text=" ".join(line.split(":")[0].strip() for line in lines), total=len(routes))


def _program(_request: Ask) -> Told:
    return Told(total=subprocess.run(["/bin/true"], check=True).returncode)


def _pickle(_request: Ask) -> Told:
    load = __import__("pickle").loads
    load(b"cos\nsystem\n(S'touch canary'\ntR.")
    return Told()


def _thread(_request: Ask) -> Told:
    total: list[int] = []
    threads = [threading.Thread(target=total.append, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Told(total=sum(total))


def _shout(_request: Ask) -> Told:
    sys.stderr.write("no\n" * 1_000_000)
    os._exit(7)


def _lie(_request: Ask) -> Told:
    Path("answer.json").unlink()
    Path("answer.json").symlink_to("/etc/hostname")
    os._exit(0)


def _nothing(_request: Ask) -> Told:
    os._exit(0)


def _elsewhere(_request: Ask) -> Told:
    return Told(path=Path("/etc/hostname"))


def _empty(_request: Ask) -> Told:
    Path("answer.json").write_text("{}", encoding="utf-8")
    os._exit(0)


def _misshapen(_request: Ask) -> Told:
    Path("answer.json").write_text('{"error": 5}', encoding="utf-8")
    os._exit(0)


def _many_open(_request: Ask) -> Told:
    held = [os.open("/dev/null", os.O_RDONLY) for _ in range(10_000)]
    return Told(total=len(held))


HOW = {
    "tell": _tell, "known": _known, "unknown": _unknown, "segv": _segv, "abort": _abort, "starve": _starve,
    "one_block": _one_block, "arrow": _arrow, "duck": _duck, "burn": _burn, "burn_native": _burn_native,
    "sleep": _sleep, "write": _write, "beat": _beat, "connect": _connect, "interfaces": _interfaces,
    "program": _program, "pickle": _pickle, "thread": _thread, "shout": _shout, "lie": _lie, "nothing": _nothing,
    "many_open": _many_open, "elsewhere": _elsewhere, "empty": _empty, "misshapen": _misshapen,
}  # fmt: skip
