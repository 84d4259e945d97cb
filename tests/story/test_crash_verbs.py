"""Kill -9 inside the verbs that a person types: receive, train, promote; the next command finds a whole store.

``test_crash`` walks through every fault point of the store; this story does the same from the outside, once per verb,
with the real stages, files and child process in between.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline_core.records import Stage
from pipeline_core.store import Store

ROOT = Path(__file__).resolve().parents[2]
ROWS = 400


def deliver(path: Path, seed: int) -> Path:
    rng = np.random.default_rng(seed)
    income = rng.normal(size=ROWS)
    truth = np.where(rng.random(ROWS) < 1 / (1 + np.exp(-2 * income)), "yes", "no")
    days = np.datetime64("2026-01-05", "us") + np.arange(ROWS) * np.timedelta64(1, "h")
    pq.write_table(pa.table({"at": days, "income": income, "y": truth}), path)
    return path


def say(home: Path, *words: str, fault: str = "") -> tuple[int, dict[str, Any]]:
    """Type a command in a process of its own, armed with a fault or not."""
    done = subprocess.run(
        [sys.executable, "-m", "pipeline_core", "--home", str(home), *words, "--json"],
        cwd=ROOT,
        env={**os.environ, "FAULT": fault} if fault else {k: v for k, v in os.environ.items() if k != "FAULT"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, json.loads(done.stdout) if done.stdout else {}


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one model, one batch and one champion, made once."""
    folder = tmp_path_factory.mktemp("begun") / "home"
    first = str(deliver(folder.with_name("first.parquet"), 1))
    assert say(folder, "define", "bank", "--data", first, "--target", "y", "--time", "at")[0] == 0
    assert say(folder, "train", "bank", "--estimator", "logistic_regression")[0] == 0
    assert say(folder, "promote", "bank", "--version", "1", "--by", "Ada", "--reason", "first")[0] == 0
    return folder


@pytest.fixture
def home(begun: Path, tmp_path: Path) -> Path:
    """The same store, to be killed."""
    return shutil.copytree(begun, tmp_path / "home")


def state(home: Path) -> tuple[int, int, list[int], int]:
    """Give batches, rows in their files, the champions (exactly one is right) and the epoch."""
    with Store.open(home) as store:
        rows = sum(pq.read_metadata(path).num_rows for path in store.batches.rows_paths("bank"))
        champions = [v.version for v in store.models.versions("bank") if v.stage is Stage.CHAMPION]
        return len(store.batches.list("bank")), rows, champions, store.models.epoch("bank")


def receiving(folder: Path) -> tuple[str, ...]:
    return ("receive", "bank", "--data", str(deliver(folder / "second.parquet", 2)))


def training(_folder: Path) -> tuple[str, ...]:
    return ("train", "bank", "--estimator", "logistic_regression")


@pytest.mark.parametrize(
    ("words", "point", "batches_after"),
    [
        (receiving, "receive.after_files", 1),
        (receiving, "receive.before_commit", 1),
        (receiving, "receive.after_commit", 2),
        (training, "train.after_files", 1),
        (training, "train.before_commit", 1),
    ],
)
def test_a_killed_verb_leaves_a_whole_store_and_can_be_said_again(
    home: Path, tmp_path: Path, words: Callable[[Path], tuple[str, ...]], point: str, batches_after: int
) -> None:
    command = words(tmp_path)
    code, _ = say(home, *command, fault=point)
    assert code == -signal.SIGKILL
    assert state(home) == (batches_after, batches_after * ROWS, [1], 1)
    code, again = say(home, *command)
    assert code == 0
    if "batch_id" in again:
        assert again["duplicate"] is (batches_after == 2)
        assert state(home) == (2, 2 * ROWS, [1], 1)
    else:
        assert again["version"] == 2
        assert state(home)[2:] == ([1], 1)


@pytest.mark.parametrize(("point", "moved"), [("promote.before_commit", False), ("promote.after_commit", True)])
def test_a_killed_promotion_moves_the_champion_or_does_not(home: Path, point: str, moved: bool) -> None:
    assert say(home, "train", "bank", "--estimator", "logistic_regression")[0] == 0
    code, verdict = say(home, "challenge", "bank")
    assert (code, verdict["verdict"]) == (0, "promote")  # the same rows, the same pipeline: no worse
    promote = ("promote", "bank", "--version", "2", "--by", "Ada", "--reason", "again")
    code, _ = say(home, *promote, fault=point)
    assert code == -signal.SIGKILL
    assert state(home)[2:] == (([2], 2) if moved else ([1], 1))
    code, _ = say(home, *promote)
    assert code == (1 if moved else 0)  # refused: it is champion already
    assert state(home)[2:] == ([2], 2)
