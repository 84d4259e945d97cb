"""Kill -9 while a decision and its line are written: the chain is whole at the next open, and tells neither more nor less.

``python -m tests.story.test_crash_audit HOME`` with ``FAULT`` in the environment is the process that is killed: it
trains, judges, promotes, rejects and retires until it dies.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline_core.records import Act, Dismissal, Stage
from pipeline_core.store import Store
from tests.core.store import made

REPOSITORY = Path(__file__).resolve().parents[2]
POINTS = (
    "audit.before_commit:2",
    "audit.before_commit:6",
    "audit.before_flush:1",
    "audit.before_flush:4",
    "audit.before_flush:6",
    "audit.after_flush:1",
    "audit.after_flush:5",
    "promote.before_commit:1",
    "dismiss.before_commit:2",
)


def dismissal(number: int, action: str, epoch: int) -> Dismissal:
    return Dismissal(model="bank", version=number, action=action, by="Ada", reason="no", at=made.DAY, epoch=epoch)


def live(home: str) -> None:
    with Store.open(home) as store:
        if not store.models.names():
            store.models.define(made.schema())
        first, second = (made.add_version(store).version for _ in range(2))
        store.models.add_verdict(made.verdict(first, f"w-{first}"))
        epoch = store.models.epoch("bank")
        store.models.apply(made.promotion(first, epoch=epoch + 1, previous=None))
        store.models.dismiss(dismissal(second, "reject", epoch + 1))
        with store.transaction():
            store.models.apply(replace(made.promotion(first, epoch=epoch + 2, previous=first), action="retire"))
            store.models.dismiss(dismissal(first, "retire", epoch + 2))


def done(store: Store) -> dict[str, int]:
    """Count what the registry itself says was done."""
    if not store.models.names():
        return {}
    versions, moves = store.models.versions("bank"), store.models.promotions("bank")
    found = {
        "define": 1,
        "train": len(versions),
        "verdict": len(store.models.verdicts("bank")),
        "promote": sum(move.action == "promote" for move in moves),
        "retire": sum(move.action == "retire" for move in moves),
        "reject": sum(version.stage is Stage.REJECTED for version in versions),
    }
    return {act: number for act, number in found.items() if number}


@pytest.mark.parametrize("point", POINTS)
def test_whatever_is_killed_each_decision_has_its_line_and_no_other_has(tmp_path: Path, point: str) -> None:
    for _ in range(2):
        child = subprocess.run(
            [sys.executable, "-m", "tests.story.test_crash_audit", str(tmp_path)],
            cwd=REPOSITORY,
            env={**os.environ, "FAULT": point},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert child.returncode == -signal.SIGKILL, f"{point} was not reached: {child.stderr}"
        with Store.open(tmp_path) as store:
            assert store.notices == ()
            report = store.audit.verify()
            assert (report.whole, report.faults) == (True, ())
            entries = store.audit.entries()
            assert [entry.sequence for entry in entries] == list(range(len(entries), 0, -1))
            assert Counter(entry.act.value for entry in entries) == done(store)
            seated = store.models.champion("bank") if store.models.names() else None
            if seated is not None:  # the next round begins with an empty seat
                epoch = store.models.epoch("bank") + 1
                move = made.promotion(seated.version, epoch=epoch, previous=seated.version)
                store.models.apply(replace(move, action="retire"))
                assert store.audit.entries(last=1)[0].act is Act.RETIRE
    live(str(tmp_path))
    with Store.open(tmp_path) as store:
        assert store.audit.verify().whole
        assert Counter(entry.act.value for entry in store.audit.entries()) == done(store)


if __name__ == "__main__":
    live(sys.argv[1])
