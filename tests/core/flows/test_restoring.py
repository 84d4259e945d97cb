"""What was promised and is gone comes back from the file as it was received, or is said to be gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline_core.flows import intake, restoring
from pipeline_core.records import BatchStatus, Loss, Reading
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


def spoilt(store: Store, home: Path, batch_id: str) -> None:
    store.batches.rows_paths("m", [batch_id])[0].unlink()
    store.close()


COMMAS = "when;a;b;y\n" + "".join(
    f"2025-01-{1 + i // 24:02d}T{i % 24:02d}:00:00;{i % 90},5;{i % 7}.25;{'yes' if i % 3 else 'no'}\n"
    for i in range(300)
)


def test_a_kept_file_is_read_again_as_it_was_and_not_by_what_was_found(tmp_path: Path) -> None:
    """Given as an order, the decimal comma that was found would make a text of the column with points."""
    home, file = tmp_path / "other", tmp_path / "commas.csv"
    file.write_text(COMMAS, encoding="utf-8")
    with Store.open(home) as opened:
        intake.define(opened, "m", file, target="y", time="when")
        rows = opened.batches.read_rows("m", "b-0001")
        assert rows.column("c003").null_count == 0
        spoilt(opened, home, "b-0001")
    with Store.open(home) as again:
        assert restoring.restore(again).batches == ("b-0001",)
        assert again.batches.read_rows("m", "b-0001").equals(rows)


def test_other_rows_are_not_put_back(store: Store, home: Path) -> None:
    raw = store.batches.raw_path(store.batches.get("m", "b-0002"))
    other = columns(300, day=10)
    other["amount"] = [amount + 1 for amount in other["amount"]]
    parquet(raw.parent, other, raw.name)
    spoilt(store, home, "b-0002")
    with Store.open(home) as again:
        (left,) = restoring.restore(again).left
        assert "column 'amount' is read otherwise" in left.reason
        assert [loss.batch_id for loss in again.losses] == ["b-0002"]


def test_other_levels_are_not_put_back(store: Store, home: Path) -> None:
    raw = store.batches.raw_path(store.batches.get("m", "b-0002"))
    other = columns(300, day=10)
    other["city"] = [{"Rome": "Roma"}.get(city, city) for city in other["city"]]
    parquet(raw.parent, other, raw.name)
    spoilt(store, home, "b-0002")
    with Store.open(home) as again:
        (left,) = restoring.restore(again).left
        assert "column 'city' has other values" in left.reason


def test_what_was_said_about_reading_is_not_forgotten_with_the_record(store: Store, home: Path, tmp_path: Path) -> None:
    store._database.run("CHECKPOINT")
    before = (home / "store.duckdb").read_bytes()
    content = columns(300, day=20)
    content["amount"][:30] = [-200.0] * 30
    intake.receive(store, "m", parquet(tmp_path, content, "late.parquet"), reading=Reading(nulls=("-200",)))
    store.close()
    (home / "store.duckdb").write_bytes(before)
    (home / "store.duckdb.wal").unlink(missing_ok=True)
    with Store.open(home) as again:
        (batch_id,) = restoring.restore(again).batches
        assert again.batches.get("m", batch_id).asked == Reading(nulls=("-200",))
        assert again.batches.read_rows("m", batch_id).column("c002").null_count == 30


def test_the_same_bytes_sent_again_make_a_loss_good(store: Store, home: Path, tmp_path: Path) -> None:
    report = store.batches.get("m", "b-0002")
    rows = store.batches.read_rows("m", "b-0002")
    raw = store.batches.raw_path(report)
    raw.unlink()
    spoilt(store, home, "b-0002")
    with Store.open(home) as again:
        assert intake.receive(again, "m", parquet(tmp_path, columns(300, day=10))).duplicate
        assert again.losses == ()
        assert again.batches.read_rows("m", "b-0002").equals(rows)
        assert raw.is_file()


def test_the_file_of_a_refused_batch_comes_back_with_the_same_bytes(store: Store, home: Path, tmp_path: Path) -> None:
    content = columns(300, day=20)
    del content["amount"]
    refused = intake.receive(store, "m", parquet(tmp_path, content, "bad.parquet"))
    store.batches.raw_path(refused).unlink()
    store.close()
    with Store.open(home) as again:
        assert [(loss.batch_id, loss.missing) for loss in again.losses] == [("b-0003", "raw")]
        assert intake.receive(again, "m", parquet(tmp_path, content, "bad.dat")).duplicate
        assert again.losses == ()


def test_what_is_still_missing_is_not_said_to_be_whole(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    loss = Loss(
        model="m", batch_id="b-0002", sha256=store.batches.get("m", "b-0002").sha256, source="more.parquet", rows=300,
        status=BatchStatus.ACCEPTED, missing="record", raw_kept=True, acknowledged_at=store.now(),
    )  # fmt: skip
    monkeypatch.setattr(Store, "losses", (loss,))
    found = restoring.restore(store)
    assert found.batches == ()
    assert "its record did not come back" in found.left[0].reason


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
