"""What was promised and is gone comes back from the file as it was received, or is said to be gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline_core.flows import intake, restoring
from pipeline_core.records import BatchStatus
from pipeline_core.store.home import Store
from tests.core.flows.deliveries import columns, parquet


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def store(home: Path, tmp_path: Path) -> Iterator[Store]:
    with Store.open(home) as opened:
        intake.define(opened, "m", parquet(tmp_path, columns(), "first.parquet"), target="y", time="when")
        intake.receive(opened, "m", parquet(tmp_path, columns(300, day=10)))
        yield opened


def test_rows_whose_file_is_gone_are_typed_again(store: Store, home: Path) -> None:
    rows = store.batches.read_rows("m", "b-0002")
    store.batches.rows_paths("m", ["b-0002"])[0].unlink()
    store.close()
    with Store.open(home) as again:
        assert [(loss.batch_id, loss.missing) for loss in again.losses] == [("b-0002", "rows")]
        assert restoring.restore(again, "other") == restoring.Restored(batches=(), left=())
        assert restoring.restore(again) == restoring.Restored(batches=("b-0002",), left=())
        assert again.batches.read_rows("m", "b-0002").equals(rows)
        assert again.losses == ()


def test_a_batch_that_the_database_forgot_is_received_again(store: Store, home: Path, tmp_path: Path) -> None:
    labels = store.batches.labels("m").num_rows
    store._database.run("CHECKPOINT")
    before = (home / "store.duckdb").read_bytes()
    late = intake.receive(store, "m", parquet(tmp_path, columns(200, day=20), "late.parquet"))
    store.close()
    (home / "store.duckdb").write_bytes(before)
    (home / "store.duckdb.wal").unlink(missing_ok=True)
    with Store.open(home) as again:
        assert [(loss.batch_id, loss.missing, loss.raw_kept) for loss in again.losses] == [
            (late.batch_id, "record", True)
        ]
        found = restoring.restore(again)
        assert (len(found.batches), found.left) == (1, ())
        report = again.batches.get("m", found.batches[0])
        assert (report.status, report.rows, report.sha256) == (BatchStatus.ACCEPTED, 200, late.sha256)
        assert again.batches.labels("m").num_rows == labels + 200
        assert again.losses == ()


def test_what_cannot_come_back_is_said_with_its_reason(store: Store, home: Path) -> None:
    report = store.batches.get("m", "b-0002")
    store.batches.rows_paths("m", ["b-0002"])[0].unlink()
    store.batches.raw_path(report).unlink()
    store.close()
    with Store.open(home) as again:
        (left,) = restoring.restore(again).left
        assert left.loss.batch_id == "b-0002"
        assert left.reason.startswith("The file of batch b-0002 ('more.parquet', 300 rows) is gone as well.")
        assert report.sha256 in left.reason
        assert [loss.batch_id for loss in again.losses] == ["b-0002"]
