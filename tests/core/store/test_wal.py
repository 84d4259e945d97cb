"""A log that cannot be read is kept, what is sound of it is used, and nothing else is touched."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest

from pipeline_core.store.wal import open_without
from tests.core.store import made

ROWS = 10


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database whose rows are in its log only, as a process that died leaves it."""
    with duckdb.connect(tmp_path / "live.duckdb") as live:
        live.execute("CREATE TABLE t (i INTEGER)")
        live.execute("CHECKPOINT")
        for number in range(ROWS):
            live.execute("INSERT INTO t VALUES (?)", [number])
        for suffix in ("", ".wal"):
            shutil.copy(tmp_path / f"live.duckdb{suffix}", tmp_path / f"store.duckdb{suffix}")
    return tmp_path / "store.duckdb"


def failure(path: Path) -> duckdb.Error:
    with pytest.raises(duckdb.Error) as caught:
        duckdb.connect(path)
    return caught.value


def damage(path: Path, place: int) -> bytes:
    wal = path.with_name("store.duckdb.wal")
    content = bytearray(wal.read_bytes())
    content[place] ^= 0xFF
    wal.write_bytes(bytes(content))
    return bytes(content)


def test_the_sound_beginning_is_used_and_the_whole_is_kept(path: Path) -> None:
    wal = path.with_name("store.duckdb.wal")
    damaged = damage(path, wal.stat().st_size * 7 // 10)
    connection, sentence = open_without(path, lambda: duckdb.connect(path), error=failure(path), at=made.DAY)
    with connection:
        found = [row[0] for row in connection.execute("SELECT i FROM t ORDER BY i").fetchall()]
    assert found == list(range(len(found)))
    assert 0 < len(found) < ROWS
    (kept,) = path.parent.glob("*.broken-*")
    assert kept.name == "store.duckdb.wal.broken-20250106T000000000000"
    assert kept.read_bytes() == damaged
    assert f"It is kept as {kept.name}; the store was opened on what is sound of it." in sentence


def test_where_nothing_of_it_is_sound_the_checkpoint_is_used(path: Path) -> None:
    wal = path.with_name("store.duckdb.wal")
    wal.write_bytes(b"\xff" * wal.stat().st_size)
    error = duckdb.IOException("Failure while replaying WAL file: Failed to decode LEB128 integer")  # it names no place
    connection, sentence = open_without(path, lambda: duckdb.connect(path), error=error, at=made.DAY)
    with connection:
        assert connection.execute("SELECT count(*) FROM t").fetchall() == [(0,)]
    assert sentence.endswith("opened on its last checkpoint.")
    assert [p.read_bytes()[:2] for p in path.parent.glob("*.broken-*")] == [b"\xff\xff"]


@pytest.mark.parametrize("log", [True, False])
def test_where_the_log_is_not_the_reason_nothing_is_touched(path: Path, *, log: bool) -> None:
    wal = path.with_name("store.duckdb.wal")
    path.write_bytes(b"x" * 50_000)
    if not log:
        wal.unlink()
    before = {p.name: p.read_bytes() for p in path.parent.iterdir()}
    error = failure(path)
    with pytest.raises(duckdb.Error) as caught:
        open_without(path, lambda: duckdb.connect(path), error=error, at=made.DAY)
    assert caught.value is error
    said = duckdb.SerializationException("the WAL at byte position 100 is corrupt")  # it looks like it, and is not
    with pytest.raises(duckdb.Error) as caught:
        open_without(path, lambda: duckdb.connect(path), error=said, at=made.DAY)
    assert caught.value is said
    assert {p.name: p.read_bytes() for p in path.parent.iterdir()} == before
