"""A fatal error costs one transaction: the next statement speaks to a file that was opened again."""

from __future__ import annotations

import resource
import shutil
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline_core.errors import PipelineError, StoreBroken
from pipeline_core.store import Store
from tests.core.store import made


@contextmanager
def no_room(store: Store) -> Generator[None]:
    """Let every write beyond the present length of the database fail, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((store.home / "store.duckdb").stat().st_size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def kill(store: Store) -> None:
    """Bring DuckDB to its fatal error: a checkpoint that cannot be written."""
    with no_room(store), pytest.raises(StoreBroken, match="cannot be trusted"):
        store._database.rows("CHECKPOINT")


def test_after_a_fatal_error_the_file_is_opened_again(store: Store) -> None:
    made.add_batch(store, ["a"] * 1 + [f"x{n}" for n in range(5_000)])
    kill(store)
    assert store._database.connection.instance == 0
    assert [batch.batch_id for batch in store.batches.list("bank")] == ["b-0001"]
    assert store._database.connection.instance == 1
    made.add_batch(store, ["b"], first_day=9)
    assert store.batches.read_rows("bank", "b-0002").num_rows == 1
    assert (store.losses, store.notices) == ((), ())
    home = store.home
    store.close()
    with Store.open(home) as again:
        assert len(again.batches.list("bank")) == 2
        assert again.losses == ()


def test_a_transaction_does_not_outlive_the_instance_that_it_began_in(store: Store) -> None:
    made.add_batch(store, [f"x{n}" for n in range(5_000)])
    with pytest.raises(StoreBroken, match="nothing of this transaction was written"), store.transaction():
        store.models.define(made.schema("other"))
        store._database.connection._dead = True  # as after a fatal error of another thread
        store.models.define(made.schema("third"))
    assert store.models.names() == ("bank",)
    store.models.define(made.schema("other"))
    assert store.models.names() == ("bank", "other")


def test_every_thread_gets_a_cursor_of_the_new_instance(store: Store) -> None:
    made.add_batch(store, [f"x{n}" for n in range(5_000)])
    seen: list[object] = []
    go_on, before = threading.Event(), threading.Event()

    def look() -> None:
        seen.append(store.models.names())
        before.set()
        assert go_on.wait(10)
        try:
            seen.append(store.models.names())
        except PipelineError as error:  # pragma: no cover
            seen.append(error)

    thread = threading.Thread(target=look)
    thread.start()
    assert before.wait(10)
    kill(store)
    store.models.names()
    go_on.set()
    thread.join(10)
    assert seen == [("bank",), ("bank",)]


def test_a_file_that_cannot_be_opened_again_is_named_and_tried_again(store: Store) -> None:
    made.add_batch(store, [f"x{n}" for n in range(5_000)])
    kill(store)
    file = store.home / "store.duckdb"
    away = file.with_name("away")
    file.rename(away)
    file.write_bytes(b"x" * 50_000)
    with pytest.raises(StoreBroken, match=r"store\.duckdb"):
        store.models.names()
    file.unlink()
    away.rename(file)
    assert store.models.names() == ("bank",)


def test_a_commit_of_which_nobody_knows_leaves_its_files(store: Store, tmp_path: Path) -> None:
    database = store._database
    file = tmp_path / "placed"
    file.touch()
    made.add_batch(store, [f"x{n}" for n in range(5_000)])
    run = database.run

    def dies(sql: str, parameters: object = ()) -> None:
        if sql == "COMMIT":
            run(sql)
            kill(store)
            raise StoreBroken("The disk went away.")
        run(sql, parameters)  # type: ignore[arg-type]

    database.run = dies  # type: ignore[method-assign]
    with pytest.raises(StoreBroken, match="went away"), store.transaction():
        store.models.define(made.schema("other"))
        database.after_rollback(file.unlink)
    database.run = run  # type: ignore[method-assign]
    assert store.models.names() == ("bank", "other")
    assert file.exists()


def test_a_log_that_cannot_be_read_costs_what_was_in_it_and_is_said(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with Store.open(home) as store:
        store.models.define(made.schema())
    with Store.open(home) as store:
        made.add_batch(store, ["a"])
        wal = (home / "store.duckdb.wal").read_bytes()
        made.add_batch(store, ["b"], first_day=3)
        whole = (home / "store.duckdb.wal").read_bytes()
        shutil.copytree(home, tmp_path / "killed", ignore=shutil.ignore_patterns("store.lock", "owner.json"))
    damaged = bytearray(whole)
    damaged[-20] ^= 0xFF  # in the second batch, where a checksum covers it
    assert len(wal) < len(whole) - 20
    (tmp_path / "killed" / "store.duckdb.wal").write_bytes(bytes(damaged))
    with Store.open(tmp_path / "killed") as store:
        assert [batch.batch_id for batch in store.batches.list("bank")] == ["b-0001"]
        assert [loss.batch_id for loss in store.losses] == ["b-0002"]
