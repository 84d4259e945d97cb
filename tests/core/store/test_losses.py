"""What was promised and is gone is named with what is missing, until it is there again."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline_core.errors import InvalidDefinition, NotFound, Quarantined, StoreBroken
from pipeline_core.records import BatchStatus, Loss
from pipeline_core.store import Store
from pipeline_core.store.acknowledged import BATCH, REMOVING, STAYING, Entry
from pipeline_core.store.losses import promised
from tests.core.store import made
from tests.core.store.test_admission import RULING, readmit, refuse


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """Two accepted batches and a quarantined one in a closed store."""
    with Store.open(tmp_path / "home") as store:
        store.models.define(made.schema())
        made.add_batch(store, ["a", "b"], target=["yes", "no"])
        made.add_batch(store, ["c"], first_day=3)
        refuse(store)
        assert store.losses == ()
    yield tmp_path / "home"


def forget(home: Path, batch_id: str) -> None:
    """Let the database lose a batch without a word, as a torn log does."""
    with Store.open(home) as store, store.transaction():
        for table in ("batches", "day_counts", "labels", "measures"):
            store._database.run(f"DELETE FROM {table} WHERE batch_id = ?", [batch_id])


def lost(store: Store) -> list[tuple[str, str, bool]]:
    return [(loss.batch_id, loss.missing, loss.raw_kept) for loss in store.losses]


def test_a_forgotten_batch_is_reported_until_it_is_received_again(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    forget(home, "b-0001")
    with caplog.at_level(logging.ERROR), Store.open(home) as store:
        (loss,) = store.losses
        assert isinstance(loss, Loss)
        assert (loss.batch_id, loss.missing, loss.raw_kept, loss.rows) == ("b-0001", "record", True, 2)
        assert (loss.model, loss.source, loss.status) == ("bank", "file.csv", BatchStatus.ACCEPTED)
        assert "Batch b-0001 of model 'bank' (2 rows from 'file.csv') was acknowledged" in caplog.text
        raw = store.files.lost_raw(loss.sha256)
        assert raw is not None
        assert raw.parent.name == "lost"  # set aside as a stray, and found there
        assert store.files.lost_raw("0" * 64) is None
    with Store.open(home) as store:
        assert lost(store) == [("b-0001", "record", True)]  # not forgotten by being seen
        again = made.add_batch(store, ["a", "b"], target=["yes", "no"])
        assert (again.batch_id, again.duplicate) == ("b-0004", False)
        assert store.losses == ()
    with Store.open(home) as store:
        assert store.losses == ()


@pytest.mark.parametrize("how", ["gone", "cut"])
def test_rows_that_are_gone_or_cut_are_reported_and_can_be_put_back(home: Path, tmp_path: Path, how: str) -> None:
    with Store.open(home) as store:
        (file,) = store.batches.rows_paths("bank", ["b-0002"])
    if how == "gone":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-1])
    with Store.open(home) as store:
        assert lost(store) == [("b-0002", "rows", True)]
        with pytest.raises(InvalidDefinition, match="says 1 rows and brings 2"):
            store.batches.mend("bank", "b-0002", rows=made.file(made.typed_rows(["c", "d"]), tmp_path))
        with pytest.raises(Quarantined):
            store.batches.mend("bank", "b-0003", rows=made.file(made.typed_rows(["c"]), tmp_path))
        with pytest.raises(NotFound):
            store.batches.mend("bank", "b-0009", rows=made.file(made.typed_rows(["c"]), tmp_path))
        assert lost(store) == [("b-0002", "rows", True)]
        rows = made.typed_rows(["c"], first_day=3).replace_schema_metadata({"typed": "anew, so of another size"})
        store.batches.mend("bank", "b-0002", rows=made.file(rows, tmp_path))
        assert store.losses == ()
        assert store.batches.read_rows("bank", "b-0002") == made.typed_rows(["c"], first_day=3)
    with Store.open(home) as store:
        assert store.losses == ()


def test_of_a_quarantined_batch_the_file_is_all_there_is(home: Path) -> None:
    with Store.open(home) as store:
        store.batches.raw_path(store.batches.get("bank", "b-0003")).unlink()
    with Store.open(home) as store:
        assert lost(store) == [("b-0003", "raw", False)]
        store.batches.rule("bank", "b-0003", ruling=RULING, status=BatchStatus.DISCARDED)
        assert store.losses == ()
    with Store.open(home) as store:
        assert store.losses == ()


def test_a_ruling_that_was_forgotten_is_reported(home: Path) -> None:
    with Store.open(home) as store:
        before = store._database.rows("SELECT record, row_count FROM batches WHERE batch_id = 'b-0003'")[0]
        readmit(store, "b-0003", made.typed_rows(["x"]))
    with Store.open(home) as store, store.transaction():
        sql = "UPDATE batches SET record = ?, row_count = ?, status = 'quarantined' WHERE batch_id = 'b-0003'"
        store._database.run(sql, list(before))
    for _ in range(2):  # catching up takes nothing back
        with Store.open(home) as store:
            assert lost(store) == [("b-0003", "ruling", True)]
    with Store.open(home) as store:
        readmit(store, "b-0003", made.typed_rows(["x"]))
        assert store.losses == ()


def test_content_that_another_batch_holds_is_not_lost(home: Path) -> None:
    with Store.open(home) as store, store.work_dir() as work:
        raw = work / "file.csv"
        raw.write_bytes(b"refused")
        told = made.report("b-0004", 1, b"refused")
        store.batches.add(told, raw=raw, rows=made.file(made.typed_rows(["x"]), work))
    forget(home, "b-0003")
    with Store.open(home) as store:
        assert store.losses == ()
    forget(home, "b-0004")
    with Store.open(home) as store:
        assert refuse(store).batch_id == "b-0005"  # the ids of lost batches are not given to others
        # refused again, it stands in for the one that was refused, and not for the accepted one
        assert [loss.batch_id for loss in store.losses] == ["b-0004"]
    forget(home, "b-0005")
    with Store.open(home) as store:
        assert [loss.batch_id for loss in store.losses] == ["b-0003", "b-0004", "b-0005"]


def test_what_goes_on_purpose_is_not_lost(home: Path) -> None:
    with Store.open(home) as store, pytest.raises(ZeroDivisionError), store.transaction():
        store.models.remove("bank")
        raise ZeroDivisionError
    forget(home, "b-0002")
    with Store.open(home) as store:
        assert lost(store) == [("b-0002", "record", True)]  # the removal came to nothing
        with store.transaction():
            store.models.remove("bank")
            store.models.define(made.schema())
            made.add_batch(store, ["n"])
        assert store.losses == ()
    forget(home, "b-0002")
    with Store.open(home) as store:
        assert [(loss.batch_id, loss.rows, loss.raw_kept) for loss in store.losses] == [("b-0002", 1, True)]


def test_promises_of_a_removed_model_end_with_it() -> None:
    def said(kind: str, batch_id: str = "", model: str = "bank") -> Entry:
        return Entry(kind=kind, model=model, at=made.DAY, batch_id=batch_id)

    one, two, other = said(BATCH, "b-0001"), said(BATCH, "b-0002"), said(BATCH, "b-0001", "other")
    assert promised([one, other, said(REMOVING), two]) == (other, two)
    assert set(promised([one, other, said(REMOVING), said(STAYING), two])) == {one, two, other}
    assert promised([one, said(REMOVING), said(STAYING), said(REMOVING)]) == ()


def test_an_older_home_and_an_absorbed_model_are_promised_from_then_on(home: Path, tmp_path: Path) -> None:
    (home / "acknowledged.log").unlink()
    with Store.open(home) as store:
        assert store.losses == ()
    with Store.open(tmp_path / "second") as second:
        second.absorb(home, "bank")
    for place in (home, tmp_path / "second"):
        forget(place, "b-0001")
        with Store.open(place) as store:
            assert lost(store) == [("b-0001", "record", True)]


def test_a_disk_without_room_is_refused_before_anything_is_begun(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.check_space(1)
    usage = type("Usage", (), {"free": 400_000_000})
    monkeypatch.setattr("pipeline_core.store.home.shutil.disk_usage", lambda _: usage)
    store.check_space(100_000_000)
    with pytest.raises(StoreBroken, match="has 400 MB free; to take in 101 MB it needs 403 MB, so nothing was begun"):
        store.check_space(101_000_000)
