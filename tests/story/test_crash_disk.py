"""A disk that fails: a log cut or flipped anywhere, and an error at each call while a batch is received.

The write-ahead log is cut at 30 places and flipped at 30 others: whatever DuckDB makes of it, often without a word,
every acknowledged batch that is gone is reported. Then open, write, fsync and rename fail one after the other, at the
first call, the second, and so on until a batch gets through: each time the store is in a state that it may be in.
"""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pipeline_core.errors import PipelineError
from pipeline_core.records import BatchStatus
from pipeline_core.store import Store
from tests.core.store import made
from tests.core.store.test_admission import RULING, readmit, refuse
from tests.story.crashing import ROWS, ids

REPOSITORY = Path(__file__).resolve().parents[2]
PLACES = 30
CALLS = 60


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A home of a killed process with all batches in its log, and the batches that were acknowledged, by hash."""
    home = tmp_path_factory.mktemp("killed") / "home"
    with Store.open(home) as store:
        store.models.define(made.schema())
    child = subprocess.run(
        [sys.executable, "-m", "tests.story.crashing", str(home), "0"],
        cwd=REPOSITORY,
        env={**os.environ, "FAULT": "promote.after_commit:4"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr
    said = [json.loads(line) for line in (home / "acknowledged.log").read_text().splitlines()]
    assert [line["batch_id"] for line in said] == [f"b-{n:04d}" for n in range(1, 5)]
    return home, {line["sha256"]: line["batch_id"] for line in said}


def cut(content: bytes, place: int) -> bytes:
    return content[:place]


def flip(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]


def receive_again(store: Store, acknowledged: set[str]) -> None:
    """Send everything again: it is there once, and nothing is lost any more."""
    for turn in range(4):
        made.add_batch(store, ids(0, turn), target=["yes", "no"] * (ROWS // 2), first_day=turn)
    assert {batch.sha256 for batch in store.batches.list("bank")} == acknowledged
    assert store.losses == ()
    assert store.batches.labelled_rows("bank") == 4 * ROWS


def places() -> list[float]:
    rng = random.Random(5)
    return sorted(rng.random() for _ in range(PLACES))


@pytest.mark.parametrize("damage", [cut, flip])
def test_whatever_becomes_of_the_log_each_lost_batch_is_reported(
    killed: tuple[Path, dict[str, str]], tmp_path: Path, damage: Callable[[bytes, int], bytes]
) -> None:
    home, acknowledged = killed
    content = (home / "store.duckdb.wal").read_bytes()
    lost = set_aside = 0
    for number, share in enumerate(places()):
        damaged = tmp_path / str(number)
        shutil.copytree(home, damaged)
        (damaged / "store.duckdb.wal").write_bytes(damage(content, int(share * len(content))))
        with Store.open(damaged) as store:
            there = {batch.sha256 for batch in store.batches.list("bank")}
            reported = {loss.sha256: loss.batch_id for loss in store.losses}
            assert reported == {sha: name for sha, name in acknowledged.items() if sha not in there}
            assert all(loss.missing == "record" and loss.raw_kept for loss in store.losses)
            if kept := list(damaged.glob("*.wal.broken-*")):
                about_log = [notice for notice in store.notices if ".wal could not be read" in notice]
                assert len(about_log) == 1
                assert kept[0].read_bytes() == damage(content, int(share * len(content)))
            lost += len(reported)
            set_aside += len(kept)
            if number % 6 == 0:
                receive_again(store, set(acknowledged))
        shutil.rmtree(damaged)
    assert lost > PLACES / 2
    assert (set_aside > 0) is (damage is flip)  # a cut log is read without a word


class Failing:
    """Let the n-th call fail that opens, writes, flushes or renames; counted over all of them."""

    def __init__(self, patch: pytest.MonkeyPatch, at: int) -> None:
        self.calls, self.at = 0, at
        for module, name in ((os, "open"), (os, "fsync"), (os, "replace"), (os, "rename"), (os, "unlink")):
            patch.setattr(module, name, self.counted(getattr(module, name)))
        opened = io.open

        def open_counted(file: Any, mode: str = "r", *more: Any, **named: Any) -> Any:
            if "b" not in mode or "/work/" in str(file):  # what the test itself puts there
                return opened(file, mode, *more, **named)
            stream = self.counted(opened)(file, mode, *more, **named)
            return Stream(stream, self) if set(mode) & set("wa+") else stream

        patch.setattr(io, "open", open_counted)

    def counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*given: Any, **named: Any) -> Any:
            self.calls += 1
            if self.calls == self.at:
                raise OSError(5, "Input/output error")
            return call(*given, **named)

        return counting


class Stream:
    """A file whose writes count."""

    def __init__(self, stream: Any, failing: Failing) -> None:
        self._stream = stream
        self.write = failing.counted(stream.write)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *error: object) -> None:
        self._stream.close()


def legal(home: Path, before: int) -> int:
    """Open the store again and check that each batch is whole; give how many there are: as before, or one more."""
    with Store.open(home) as store:
        batches = store.batches.list("bank")
        assert len(batches) in {before, before + 1}
        assert (store.losses, store.notices) == ((), ())
        for batch in batches:
            assert store.batches.raw_path(batch).stat().st_size > 0
            if batch.status is BatchStatus.ACCEPTED:
                assert store.batches.read_rows("bank", batch.batch_id).num_rows == batch.rows
        strays = [p for p in home.rglob("*.tmp") if p.is_file()]
        assert not strays
        return len(batches)


def attempt(home: Path, act: Callable[[Store], object], *, at: int) -> tuple[bool, bool]:
    """Act with an error at that call; say whether it was answered by a sentence, and whether the call was reached."""
    with Store.open(home) as store, pytest.MonkeyPatch.context() as patch:
        failing = Failing(patch, at)
        try:
            act(store)
        except PipelineError as error:
            assert error.message.endswith(".")
            return True, True
        return False, failing.calls >= at


def test_an_error_at_any_call_of_receive_leaves_a_whole_store(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with Store.open(home) as store:
        store.models.define(made.schema())
    refused = 0
    for at in range(1, CALLS):
        kept, name = at - 1, f"r{at}"
        failed, reached = attempt(home, partial(made.add_batch, ids=[name], target=["yes"]), at=at)
        after = legal(home, kept)
        assert failed or after == at
        refused += failed
        with Store.open(home) as store:  # sent again it is there once
            made.add_batch(store, [name], target=["yes"])
            assert store.batches.labelled_rows("bank") == len(store.batches.list("bank")) == at
        if not reached:
            break
    assert not reached
    assert refused > 5


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of 24 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(disk)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_costs_nothing_that_was_acknowledged(small: Path) -> None:
    home, ballast, said = small / "home", small / "ballast", []
    with Store.open(home) as store:
        store.models.define(made.schema())
        said.extend(made.add_batch(store, [f"{number}-{row}" for row in range(300)]).batch_id for number in range(5))
        ballast.write_bytes(b"x" * (shutil.disk_usage(small).free - 60_000))
        for number in (5, 6):
            with pytest.raises(PipelineError, match="No space left"):
                made.add_batch(store, [f"{number}-{row}" for row in range(300)])
        with pytest.raises(PipelineError, match="Free disk space"):
            store.check_space(1_000)
        with pytest.raises(PipelineError, match=r"No space left.*Free disk space"):
            store._database.rows("CHECKPOINT")  # DuckDB is invalidated by it
        assert [batch.batch_id for batch in reversed(store.batches.list("bank"))] == said
        ballast.unlink()
        said.append(made.add_batch(store, ["last"]).batch_id)
    with Store.open(home) as store:
        assert [batch.batch_id for batch in reversed(store.batches.list("bank"))] == said
        assert (store.losses, store.notices) == ((), ())


def decide(store: Store, *, accept: bool) -> None:
    newest = store.batches.list("bank")[0].batch_id
    if accept:
        readmit(store, newest, made.typed_rows([f"{newest}-1", f"{newest}-2"]))
    else:
        store.batches.rule("bank", newest, ruling=RULING, status=BatchStatus.DISCARDED)


@pytest.mark.parametrize("accept", [True, False])
def test_an_error_at_any_call_of_a_ruling_leaves_a_whole_store(tmp_path: Path, *, accept: bool) -> None:
    home = tmp_path / "home"
    with Store.open(home) as store:
        store.models.define(made.schema())
    refused = 0
    for at in range(1, CALLS):
        with Store.open(home) as store:
            refuse(store, str(at).encode())
        failed, reached = attempt(home, partial(decide, accept=accept), at=at)
        refused += failed
        with Store.open(home) as store:
            assert (store.losses, store.notices) == ((), ())
            if store.batches.list("bank")[0].status is BatchStatus.QUARANTINED:
                assert failed
                decide(store, accept=accept)
            assert store.batches.list("bank", status=BatchStatus.QUARANTINED) == ()
            assert store.signals.alerts("bank", open_only=True) == ()
            for batch in store.batches.list("bank", status=BatchStatus.ACCEPTED):
                assert store.batches.read_rows("bank", batch.batch_id).num_rows == batch.rows == 2
            assert store.batches.labelled_rows("bank") == 0
        if not reached:
            break
    assert not reached
    assert refused > 1
    with Store.open(home) as store:
        assert {batch.status for batch in store.batches.list("bank")} == {
            BatchStatus.ACCEPTED if accept else BatchStatus.DISCARDED
        }
        assert len(list((home / "raw").iterdir())) == (at if accept else 0)
