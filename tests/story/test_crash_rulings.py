"""Kill -9 while a person's decision about a quarantined batch is written: it was made, or it was not.

``python -m tests.story.test_crash_rulings HOME STATUS`` with ``FAULT`` in the environment is the process that is
killed: it refuses a batch, and decides on it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline_core.records import BatchStatus
from pipeline_core.store import Store
from tests.core.store import made
from tests.core.store.test_admission import RULING, readmit, refuse

REPOSITORY = Path(__file__).resolve().parents[2]
BEFORE = ("rule.after_files", "rule.before_commit")
AFTER = ("rule.after_commit", "acknowledge.before_flush:2", "acknowledge.after_flush:2")
ROUNDS = 2


def decide(store: Store, batch_id: str, status: BatchStatus) -> None:
    if status is BatchStatus.ACCEPTED:
        readmit(store, batch_id, made.typed_rows([f"{batch_id}-1", f"{batch_id}-2"], target=["yes", "no"]))
    else:
        store.batches.rule("bank", batch_id, ruling=RULING, status=status)


def die(home: str, status: str) -> None:
    with Store.open(home) as store:
        if not store.models.names():
            store.models.define(made.schema())
        decide(store, refuse(store, os.urandom(8)).batch_id, BatchStatus(status))


@pytest.mark.parametrize("status", [BatchStatus.ACCEPTED, BatchStatus.DISCARDED])
@pytest.mark.parametrize("point", [*BEFORE, *AFTER])
def test_a_killed_decision_was_made_or_was_not(tmp_path: Path, point: str, status: BatchStatus) -> None:
    for number in range(1, ROUNDS + 1):
        child = subprocess.run(
            [sys.executable, "-m", "tests.story.test_crash_rulings", str(tmp_path), status.value],
            cwd=REPOSITORY,
            env={**os.environ, "FAULT": point},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert child.returncode == -signal.SIGKILL, child.stderr
        with Store.open(tmp_path) as store:
            assert (store.losses, store.notices) == ((), ())
            newest = store.batches.list("bank")[0]
            assert newest.batch_id == f"b-{number:04d}"
            assert newest.status is (BatchStatus.QUARANTINED if point in BEFORE else status)
            if point in BEFORE:
                assert len(store.signals.alerts("bank", open_only=True)) == 1
                decide(store, newest.batch_id, status)
            accepted = status is BatchStatus.ACCEPTED
            assert store.signals.alerts("bank", open_only=True) == ()
            assert store.batches.labelled_rows("bank") == (2 * number if accepted else 0)
            assert [p.stem for p in store.batches.rows_paths("bank")] == (
                [f"b-{n:04d}" for n in range(1, number + 1)] if accepted else []
            )
        with Store.open(tmp_path):  # a file that a killed process left is set aside by now
            assert len(list((tmp_path / "raw").iterdir())) == (number if accepted else 0)


if __name__ == "__main__":
    die(*sys.argv[1:])
