"""The heavy part of a verb, in a child process that never sees the store.

A function of a flow that takes a request record and gives a result record is run by ``in_child`` (its own
interpreter, niced, one thread a library, records as JSON files) or by ``in_process`` (tests). What is
large goes through files that the request names. Neighbours: ``fitting`` is that part of ``train``, ``release`` loads before
and saves after. It refuses to open a store.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_type_hints

from pipeline_core.errors import ComputeFailed
from pipeline_core.flows import replies
from pipeline_core.flows.replies import A, Compute, Progress, Q, Step
from pipeline_core.records import dump

__all__ = ["Compute", "Progress", "Step", "in_child", "in_process"]

LOGGER = logging.getLogger(__name__)
NICENESS = 10
STDERR_LINES = 20
ORPHAN_POLL_S = 0.5

# one thread: two cost 1.7 times the CPU on shared cores for no less wall time, and change the last digits
_THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
_ROOT = Path(__file__).resolve().parents[2]
_START = "import sys; from pipeline_core.flows.compute import main; sys.exit(main(sys.argv[1]))"


# --- the parent's side --------------------------------------------------------------------------


def in_process(step: Step[Q, A], request: Q, *, progress: Progress | None = None) -> A:
    """Run a step here and now.

    Parameters
    ----------
    step : callable
        From a request record and a progress callback to a result record.
    request : record
        Its request.
    progress : callable, optional
        Is told the share done (0-1) and what is being done.

    Returns
    -------
    record
    """
    return step(request, progress or _nobody_listens)


def in_child(step: Step[Q, A], request: Q, *, progress: Progress | None = None) -> A:
    """Run a step in a niced child process.

    Parameters
    ----------
    step : callable
        A module-level function with type hints; the child imports it by name.
    request : record
        Its request; travels as JSON.
    progress : callable, optional
        Is told the share done (0-1) and what is being done; an error that it raises ends the child.

    Returns
    -------
    record

    Raises
    ------
    PipelineError
        The one that the step raised.
    ComputeFailed
        The child died, was stopped, or raised anything else.
    """
    with tempfile.TemporaryDirectory(prefix="pipeline-compute-") as folder:
        task, answer, log = (Path(folder) / name for name in ("request.json", "answer.json", "stderr"))
        named = replies.name_of(step)
        asked = {"step": named, "request": dump(request), "answer": str(answer), "parent": os.getpid()}
        task.write_text(json.dumps(asked), encoding="utf-8")
        code = _run(task, log, progress or _nobody_listens)
        if code == 0 and answer.exists():
            return replies.answer(json.loads(answer.read_text(encoding="utf-8")), get_type_hints(step)["return"])
        failure = _failure(named, code, log)
        raise failure


def stop_children() -> None:
    """End the child processes of this process; each waiting ``in_child`` raises ComputeFailed."""
    with _CHILDREN_LOCK:
        for child in _CHILDREN:
            child.terminate()


_CHILDREN: set[subprocess.Popen[bytes]] = set()
_CHILDREN_LOCK = threading.Lock()


def _nobody_listens(share: float, message: str) -> None:
    LOGGER.debug("%.0f %% %s", 100 * share, message)


def _run(task: Path, log: Path, progress: Progress) -> int:
    path = os.pathsep.join([str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    with (
        log.open("wb") as stderr,
        _child([sys.executable, "-P", "-c", _START, str(task)], {**os.environ, **_THREADS, "PYTHONPATH": path}, stderr)
        as child,
    ):  # fmt: skip
        for line in child.stdout or ():
            told = json.loads(line)
            progress(float(told["share"]), str(told["message"]))
        return child.wait()


@contextmanager
def _child(
    command: list[str], environment: Mapping[str, str], stderr: Any
) -> Generator[subprocess.Popen[bytes], None, None]:
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr
    ) as child:
        with _CHILDREN_LOCK:
            _CHILDREN.add(child)
        try:
            yield child
        finally:
            with _CHILDREN_LOCK:
                _CHILDREN.discard(child)
            if child.poll() is None:  # the callback raised: nobody wants the result any more
                child.kill()


def _failure(step: str, code: int, log: Path) -> ComputeFailed:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    LOGGER.error("%s ended with %s:\n%s", step, code, "\n".join(lines[-STDERR_LINES:]))
    if code < 0:
        how = f"was ended by signal {signal.Signals(-code).name}"
        hint = "the machine may have run out of memory" if code == -signal.SIGKILL else "it was stopped, or it crashed"
    else:
        how, hint = f"ended with exit code {code}", "its log is in the app's log"
    last = f" It last said: {lines[-1][:300]}" if lines else ""
    return ComputeFailed(
        f"The computation {step.rsplit(':', 1)[-1]!r} {how}; {hint}.{last} Nothing was saved; start it again, with fewer"
        " rows if it happens again."
    )


# --- the child's side ---------------------------------------------------------------------------


def main(request_path: str) -> int:
    """Carry out the step that a request file names and write the answer beside it.

    Parameters
    ----------
    request_path : str
        Written by ``in_child``.

    Returns
    -------
    int
        0: there is an answer, a result or a known error.
    """
    os.nice(NICENESS)
    told = json.loads(Path(request_path).read_text(encoding="utf-8"))
    threading.Thread(target=_end_with, args=(told["parent"],), daemon=True).start()
    with _progress_lines() as progress:
        answer = replies.carry_out(told["step"], told["request"], progress)
    Path(told["answer"]).write_text(json.dumps(answer), encoding="utf-8")
    return 0


def _end_with(parent: int) -> None:
    """End this process when its parent is gone: killed, it cannot end us, and nobody else wants the result."""
    while os.getppid() == parent:
        time.sleep(ORPHAN_POLL_S)
    os._exit(1)


@contextmanager
def _progress_lines() -> Generator[Progress, None, None]:
    """Keep standard output for progress; what libraries print goes to standard error."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as lines:
        os.dup2(2, 1)

        def progress(share: float, message: str) -> None:
            lines.write(json.dumps({"share": share, "message": message}) + "\n")
            lines.flush()

        yield progress


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
