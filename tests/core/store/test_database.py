"""Transactions, threads, the revision, and what DuckDB's errors become."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from pipeline_core import sql
from pipeline_core.errors import PipelineError, Stale, StoreBroken
from pipeline_core.records import Schema
from pipeline_core.store import Store
from pipeline_core.store.connection import translated
from pipeline_core.store.database import Database, aware, naive
from tests.core.store import made


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    database = Database(tmp_path / "x.duckdb")
    text = "a'; DROP TABLE meta; --\"\\ \u2028 😀"
    assert database.rows(f"SELECT {sql.text(text)} AS {sql.identifier(text)}") == [(text,)]
    assert database.table(f"SELECT 1 AS {sql.identifier(text)}").column_names == [text]
    database.close()


def test_moments_are_utc() -> None:
    berlin = datetime(2025, 7, 1, 14, tzinfo=timezone(timedelta(hours=2)))
    assert naive(berlin) == datetime(2025, 7, 1, 12)  # ruff: ignore[call-datetime-without-tzinfo]
    assert aware(naive(berlin)) == datetime(2025, 7, 1, 12, tzinfo=UTC)
    assert naive(None) is None
    assert aware(None) is None


def test_a_transaction_is_all_or_nothing(store: Store) -> None:
    before = store.revision
    with pytest.raises(ZeroDivisionError), store.transaction():
        store.models.define(made.schema("second"))
        made.add_batch(store, ["a"])
        made.add_version(store)
        raise ZeroDivisionError
    assert store.models.names() == ("bank",)
    assert store.batches.list("bank") == ()
    assert store.revision == before
    assert not [p for p in store.home.rglob("*") if p.suffix in {".parquet", ".csv", ".skops", ".tmp"}]
    made.add_batch(store, ["a"])
    assert store.revision == before + 1


def test_a_part_that_failed_cannot_be_carried_on_from(store: Store) -> None:
    with pytest.raises(StoreBroken, match="nothing of it was written"), store.transaction():
        store.models.define(made.schema("second"))
        with pytest.raises(Stale):
            store.models.define(made.schema("second"))
    assert store.models.names() == ("bank",)


def test_a_failed_statement_rolls_back_and_the_store_goes_on(store: Store) -> None:
    with pytest.raises(PipelineError, match="refused a statement"), store.transaction():
        store.models.define(made.schema("second"))
        store._database.run("SELECT nothing FROM nowhere")
    with pytest.raises(PipelineError), store.transaction():
        store._database.append("labels", pa.table({"no_such_column": [1]}), constants={"model": "bank"})
    assert store.models.names() == ("bank",)
    store.models.define(made.schema("second"))
    assert store.models.names() == ("bank", "second")


def test_reads_see_no_half_of_a_transaction(store: Store) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def write() -> None:
        with store.transaction():
            made.add_batch(store, ["a"])
            inside.set()
            assert go_on.wait(10)

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        assert inside.wait(10)
        assert store.batches.list("bank") == ()  # a reader does not wait for the writer
        go_on.set()
        writing.result(10)
    assert len(store.batches.list("bank")) == 1


def test_eight_threads_write_and_read(store: Store) -> None:
    def work(number: int) -> None:
        for turn in range(5):
            made.add_batch(store, [f"{number}-{turn}-{i}" for i in range(3)], target=["yes", "no", None])
            assert store.batches.labelled_rows("bank") >= 2

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    batches = store.batches.list("bank")
    assert [b.batch_id for b in batches] == [f"b-{n:04d}" for n in range(40, 0, -1)]
    assert store.batches.labelled_rows("bank") == 80
    assert sum(store.batches.counts("bank").filter(pa.compute.field("column_id") == "c001")["n"].to_pylist()) == 120
    assert store.revision == 1 + 1 + 40  # opening looked after orphaned jobs, then one schema, then forty batches


def test_the_revision_survives_and_job_progress_does_not_move_it(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        store.models.define(made.schema())
        job = store.jobs.add("train", "bank", arguments={})
        before = store.revision
        store.jobs.update(job.job_id, progress=0.3, message="fitting")
        assert store.revision == before
    with Store.open(tmp_path) as store:
        assert store.revision >= before
        assert store.jobs.get(job.job_id).message == "fitting"


def test_a_python_variable_is_not_readable_from_sql(store: Store) -> None:
    secret = pa.table({"a": [1]})
    with pytest.raises(PipelineError):
        store._database.rows("SELECT * FROM secret")
    assert secret.num_rows == 1


@pytest.mark.parametrize(
    ("foreign", "ours", "says"),
    [
        (duckdb.TransactionException("Conflict on update!"), Stale, "came first"),
        (duckdb.TransactionException("No space left on device"), StoreBroken, "free disk space"),
        (duckdb.FatalException("invalidated"), StoreBroken, "cannot be trusted"),
        (duckdb.FatalException("checkpoint: No space left on device"), StoreBroken, "Free disk space"),
        (duckdb.OutOfMemoryException("failed to allocate"), PipelineError, "Memory ran out"),
        (duckdb.BinderException("no such column"), PipelineError, "refused a statement"),
    ],
)
def test_foreign_errors_are_translated(foreign: Exception, ours: type[PipelineError], says: str) -> None:
    with pytest.raises(ours, match=says), translated(Path("store.duckdb")):
        raise foreign


def test_the_schema_is_a_record(store: Store) -> None:
    assert isinstance(store.models.schema("bank"), Schema)
