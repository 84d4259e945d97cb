"""Kill -9 while a batch is received, a version kept and a champion moved: what was acknowledged is whole.

Each numbered fault point is hit in a child process, several times in the same home: first on an empty store,
then on a store that has been killed before. Afterwards the store must be in exactly the state that
the acknowledgements and the fault point allow, and in no other.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from pipeline_core.records import BatchStatus, Stage
from pipeline_core.store import Store
from pipeline_core.store.faults import POINTS
from tests.core.store import made
from tests.story.crashing import ROWS, ids

REPOSITORY = Path(__file__).resolve().parents[2]
REOPEN_S = 5.0
ROUNDS = int(os.environ.get("CRASH_ROUNDS", "2"))  # kills at each fault point; `make bars` sets 20
ELSEWHERE = ("rule.", "audit.", "dismiss.")  # test_crash_rulings, test_crash_audit
HITS = ([1, 3, 2, 4] * 5)[:ROUNDS]


@dataclass
class Acknowledged:
    """What the killed processes said was done."""

    batches: list[str] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)
    champion: int | None = None
    epoch: int = 0
    revision: int = 0
    last_turn: tuple[int, int] | None = None

    def take(self, run: int, line: dict[str, Any]) -> None:
        revision = line.get("opened", line.get("revision"))
        assert revision >= self.revision, "the revision went back"
        self.revision = revision
        if "batch" in line:
            self.batches.append(line["batch"])
            self.last_turn = (run, line["turn"])
        if "version" in line:
            self.versions.append(line["version"])
        if "champion" in line:
            self.champion, self.epoch = line["champion"], line["epoch"]

    def settle(self, point: str) -> None:
        """Add what the fault point says was committed without being acknowledged."""
        if point in {"receive.after_commit", "acknowledge.before_flush", "acknowledge.after_flush"}:
            self.batches.append(f"b-{len(self.batches) + 1:04d}")
        if point == "train.after_commit":
            self.versions.append(len(self.versions) + 1)
        if point == "promote.after_commit":
            self.champion, self.epoch = self.versions[-1], self.epoch + 1


def crash(home: Path, run: int, fault: str) -> list[dict[str, Any]]:
    """Run the loop until the fault point kills it; give what it acknowledged."""
    child = subprocess.run(
        [sys.executable, "-m", "tests.story.crashing", str(home), str(run)],
        cwd=REPOSITORY,
        env={**os.environ, "FAULT": fault},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert child.returncode == -signal.SIGKILL, f"{fault} was not reached: {child.stderr}"
    return [json.loads(line) for line in child.stdout.splitlines()]


def check_batches(store: Store, said: Acknowledged) -> None:
    batches = store.batches.list("bank")
    assert [b.batch_id for b in reversed(batches)] == said.batches
    for batch, path in zip(reversed(batches), store.batches.rows_paths("bank"), strict=True):
        assert batch.status is BatchStatus.ACCEPTED
        assert pq.read_table(path).num_rows == batch.rows == ROWS
        assert store.batches.raw_path(batch).stat().st_size > 0
        counts = store.batches.counts("bank", batch_ids=[batch.batch_id])
        per_column = {c: pc.sum(counts.filter(pc.field("column_id") == c)["n"]).as_py() for c in ("c001", "c002")}
        assert per_column == {"c001": ROWS, "c002": ROWS}
    assert store.batches.labelled_rows("bank") == ROWS * len(batches)
    files = {p.stem for p in (store.home / "rows").rglob("*") if p.is_file()}
    assert files == set(said.batches)  # no half of a batch is left lying
    assert len(list((store.home / "raw").iterdir())) == len(batches)


def check_models(store: Store, said: Acknowledged) -> None:
    versions = store.models.versions("bank")
    assert [v.version for v in reversed(versions)] == said.versions
    for version in versions:
        assert store.artifacts.path(version.artifact_sha256).stat().st_size > 0
    assert len(list((store.home / "artifacts").iterdir())) == len(versions)
    champions = [v.version for v in versions if v.stage is Stage.CHAMPION]
    assert champions == ([said.champion] if said.champion else [])
    assert store.models.epoch("bank") == said.epoch
    assert [p.epoch for p in store.models.promotions("bank")] == list(range(said.epoch, 0, -1))


def check_it_goes_on(store: Store, said: Acknowledged) -> None:
    if said.last_turn is not None:  # sending what was acknowledged again changes nothing
        run, turn = said.last_turn
        before = len(store.batches.list("bank"))
        again = made.add_batch(store, ids(run, turn), target=["yes", "no"] * (ROWS // 2), first_day=turn)
        assert again.duplicate
        assert len(store.batches.list("bank")) == before


@pytest.mark.parametrize("point", [point for point in POINTS if not point.startswith(ELSEWHERE)])
def test_whatever_is_killed_what_was_acknowledged_is_whole(tmp_path: Path, point: str) -> None:
    said = Acknowledged()
    for run, hit in enumerate(HITS):
        for line in crash(tmp_path, run, f"{point}:{hit}"):
            said.take(run, line)
        said.settle(point)
        started = time.monotonic()
        with Store.open(tmp_path) as store:
            assert time.monotonic() - started < REOPEN_S
            assert store.revision >= said.revision
            assert (store.losses, store.notices) == ((), ())
            check_batches(store, said)
            check_models(store, said)
            check_it_goes_on(store, said)
            said.revision = store.revision
