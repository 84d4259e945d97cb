"""Opening, owning, absorbing, and what is left after a process died."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline_core.errors import InvalidDefinition, NotFound, PipelineError, StoreBroken, StoreBusy
from pipeline_core.policy import Policy
from pipeline_core.records import BatchStatus, JobStatus
from pipeline_core.store import Store
from tests.core.store import made

REPOSITORY = Path(__file__).resolve().parents[3]


def test_open_makes_the_folders_and_says_who_owns_them(tmp_path: Path) -> None:
    home = tmp_path / "a home's [1]*"
    with Store.open(home, url="http://127.0.0.1:8501", token="word") as store:
        assert store.home == home
        assert {p.name for p in home.iterdir()} >= {"store.duckdb", "store.lock", "owner.json", "raw", "rows", "work"}
        owner = json.loads((home / "owner.json").read_text())
        assert (owner["pid"], owner["url"], owner["token"]) == (os.getpid(), "http://127.0.0.1:8501", "word")
        assert (home / "owner.json").stat().st_mode & 0o777 == 0o600
        store.models.define(made.schema())
        made.add_batch(store, ["a"])  # a path with glob characters is a path
        assert store.batches.read_rows("bank", "b-0001").num_rows == 1
    assert not (home / "owner.json").exists()


def test_a_store_keeps_the_time_of_its_clock(tmp_path: Path) -> None:
    at = made.day(40)
    with Store.open(tmp_path, clock=lambda: at) as store:
        assert store.now() == at
        store.models.define(made.schema())
        made.add_batch(store, ["a", "b"])
        store.batches.set_labels("bank", pa.table({"row_id": ["a"], "value": ["yes"]}))
        assert store.batches.labels("bank").column("received_at").to_pylist() == [at.replace(tzinfo=None)]
        job = store.jobs.add("train", "bank", arguments={})
        store.jobs.update(job.job_id, status=JobStatus.RUNNING)
        store.signals.add_alerts([made.alert("a-1")])
        at = made.day(41)
        assert job.created_at == made.day(40)
        assert store.signals.acknowledge("a-1", by="Ada").acknowledged_at == at
        assert json.loads((tmp_path / "owner.json").read_text())["since"] == made.day(40).isoformat()
    with Store.open(tmp_path, clock=lambda: made.day(50)) as store:
        assert store.jobs.get(job.job_id).ended_at == made.day(50)


def test_without_a_clock_it_is_the_machines_time(tmp_path: Path) -> None:
    before = datetime.now(UTC)
    with Store.open(tmp_path) as store:
        assert before <= store.now() <= datetime.now(UTC)


def test_a_home_that_cannot_be_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreBroken, match="cannot be a home folder"):
        Store.open(tmp_path / "file")


def test_closing_twice_is_fine_and_a_closed_store_says_so(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    store.close()
    store.close()
    with pytest.raises(StoreBroken, match="was closed"):
        store.models.names()


@pytest.mark.parametrize("size", [1, 5_000, 50_000])
def test_a_damaged_file_is_named(tmp_path: Path, size: int) -> None:
    (tmp_path / "store.duckdb").write_bytes(b"x" * size)
    with pytest.raises(StoreBroken, match=r"store\.duckdb"):
        Store.open(tmp_path)


def test_a_flipped_byte_does_not_open_as_something_else(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        store.models.define(made.schema())
    damaged = bytearray((tmp_path / "store.duckdb").read_bytes())
    damaged[4096 * 3 + 100] ^= 0xFF
    damaged[4096 * 3 + 5_000] ^= 0xFF
    (tmp_path / "store.duckdb").write_bytes(bytes(damaged))
    with pytest.raises(PipelineError, match=r"store\.duckdb"), Store.open(tmp_path) as store:
        store.models.schema("bank")


def test_an_empty_file_of_a_first_start_that_died_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "store.duckdb").touch()
    with Store.open(tmp_path) as store:
        assert store.models.names() == ()


def test_the_policy_in_the_home_is_read(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text("alpha = 0.01\n")
    with Store.open(tmp_path) as store:
        assert store.policy == Policy(alpha=0.01)
    (tmp_path / "policy.toml").write_text("alfa = 0.01\n")
    with pytest.raises(InvalidDefinition, match="alpha"):
        Store.open(tmp_path)
    (tmp_path / "policy.toml").unlink()
    Store.open(tmp_path).close()


def test_strays_go_and_what_is_named_stays(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        store.models.define(made.schema())
        made.add_batch(store, ["a", "b"])
        made.add_version(store)
        running = store.jobs.add("train", "bank", arguments={})
        store.jobs.update(running.job_id, status=JobStatus.RUNNING, progress=0.5)
        waiting = store.jobs.add("receive", "bank", arguments={"file": str(tmp_path / "work" / "upload-1")})
        rows = store.batches.rows_paths("bank")[0]
    strays = [
        rows.with_name("b-0002.parquet"), rows.with_name("b-0003.parquet.12345678.tmp"),
        tmp_path / "raw" / ("0" * 64 + ".csv"), tmp_path / "artifacts" / ("0" * 64 + ".skops"),
        tmp_path / "work" / "left.csv",
    ]  # fmt: skip
    for stray in [*strays, tmp_path / "work" / "upload-1"]:
        stray.write_bytes(b"left")
    future = rows.with_name("b-0009.parquet")
    future.write_bytes(b"written after the open, as far as the clock says")
    os.utime(future, (time.time() + 3_600, time.time() + 3_600))
    kept = {p for p in tmp_path.rglob("*") if p.is_file() and p not in strays}
    with Store.open(tmp_path) as store:
        lost = list((tmp_path / "lost").iterdir())
        assert len(lost) == 3  # whole files are set aside: the store may be the one that forgot
        there = {p for p in tmp_path.rglob("*") if p.is_file() and not p.name.startswith(("owner", "store"))}
        assert there.difference(lost) == {p for p in kept if not p.name.startswith(("owner", "store"))}
        assert (tmp_path / "work" / "upload-1").exists()  # a queued job waits for it
        ended = store.jobs.get(running.job_id)
        assert (ended.status, ended.progress) == (JobStatus.FAILED, 0.5)
        assert ended.error == "The process ended. Start it again."
        assert store.jobs.get(waiting.job_id).status is JobStatus.QUEUED
        assert store.batches.read_rows("bank", "b-0001").num_rows == 2


def test_a_work_folder_goes_at_the_end(store: Store) -> None:
    with store.work_dir() as folder:
        (folder / "x").write_text("x")
        assert folder.parent == store.home / "work"
    assert not folder.exists()


def test_a_work_folder_that_cannot_be_made_is_said(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pipeline_core.store.home.tempfile.mkdtemp", full)
    with pytest.raises(StoreBroken, match="work cannot be written: No space left on device"), store.work_dir():
        pass


def build(home: Path) -> None:
    """A home with a model that uses every table, and another one."""
    with Store.open(home) as other:
        other.models.define(made.schema())
        other.models.define(made.schema("other"))
        made.add_batch(other, ["z"], model="other")
        made.add_batch(other, ["a", "b"], target=["yes", None])
        made.add_batch(other, ["c"], status=BatchStatus.QUARANTINED)
        made.add_version(other)
        rows = made.typed_rows(["a", "b"])
        other.models.set_baseline("bank", 1, counts=made.day_counts(rows), score_counts=None)
        other.models.add_verdict(made.verdict(1, "w-1"))
        other.models.apply(made.promotion(1, epoch=1, previous=None))
        other.signals.add_predictions("bank", 1, batch_id="b-0001", predictions=made.predicted(rows))
        other.signals.put_windows(made.watch(1, [made.window(0), made.window(7)]))
        other.signals.add_alerts([made.alert("l-1"), made.alert("l-2")])
        other.batches.set_labels("bank", labels([("b", "no")]))


def labels(pairs: list[tuple[str, str]]) -> object:
    import pyarrow as pa

    return pa.table({"row_id": [p[0] for p in pairs], "value": [p[1] for p in pairs]})


def everything(store: Store) -> dict[str, object]:
    """All that a store says about the model."""
    return {
        "schema": store.models.schema("bank"),
        "status": next(s for s in store.models.statuses() if s.model == "bank"),
        "batches": store.batches.list("bank"),
        "rows": store.batches.read_rows("bank", "b-0001").to_pylist(),
        "raw": [store.batches.raw_path(b).read_bytes() for b in store.batches.list("bank")],
        "counts": store.batches.counts("bank").to_pylist(),
        "labels": store.batches.labels("bank").to_pylist(),
        "versions": store.models.versions("bank"),
        "artifact": store.artifacts.path(store.models.version("bank", 1).artifact_sha256).read_bytes(),
        "verdicts": store.models.verdicts("bank"),
        "promotions": store.models.promotions("bank"),
        "baseline": store.models.baseline("bank", 1).to_pylist(),
        "predictions": store.signals.predictions("bank").to_pylist(),
        "watch": store.signals.watch("bank"),
        "alerts": store.signals.alerts("bank"),
    }


def test_absorb_brings_everything_of_one_model_and_nothing_else(store: Store, tmp_path: Path) -> None:
    store.models.remove("bank")
    build(tmp_path / "built")
    with Store.open(tmp_path / "built") as other:
        expected = everything(other)
    before = store.revision
    store.absorb(tmp_path / "built", "bank")
    assert store.revision == before + 1
    assert store.models.names() == ("bank",)
    assert everything(store) == expected
    with pytest.raises(InvalidDefinition, match="already here"):
        store.absorb(tmp_path / "built", "bank")
    assert everything(store) == expected
    with Store.open(tmp_path / "built") as other:
        assert other.models.names() == ("bank", "other")


def test_absorb_says_what_is_missing(store: Store, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="holds no store"):
        store.absorb(tmp_path / "nowhere", "bank")
    build(tmp_path / "built")
    with pytest.raises(NotFound, match="Did you mean 'bank'"):
        store.absorb(tmp_path / "built", "bamk")
    with Store.open(tmp_path / "built"), pytest.raises(StoreBusy):
        store.absorb(tmp_path / "built", "other")


def test_absorb_that_fails_leaves_nothing(store: Store, tmp_path: Path) -> None:
    build(tmp_path / "built")
    with Store.open(tmp_path / "built") as other:
        missing = other.batches.raw_path(other.batches.get("bank", "b-0001"))
    missing.unlink()
    store.models.remove("bank")
    with pytest.raises(PipelineError, match="cannot be copied"):
        store.absorb(tmp_path / "built", "bank")
    assert store.models.names() == ()
    assert not [p for p in (store.home / "rows").rglob("*") if p.is_file()]
    assert not list((store.home / "artifacts").iterdir())


def test_remove_takes_the_rows_and_the_files_of_one_model_only(store: Store) -> None:
    store.models.define(made.schema("other"))
    made.add_batch(store, ["a"], model="other")
    first = made.add_version(store, content=b"shared")
    made.add_version(store, model="other", content=b"shared")
    made.add_version(store, content=b"own")
    kept = made.add_batch(store, ["a", "b"], target=["yes", "no"])
    raw, rows = store.batches.raw_path(kept), store.batches.rows_paths("bank")[0]
    done = store.jobs.add("train", "bank", arguments={})
    store.jobs.update(done.job_id, status=JobStatus.DONE)
    active = store.jobs.add("check", "bank", arguments={})
    store.models.remove("bank")
    assert store.models.names() == ("other",)
    assert not raw.exists()
    assert not rows.exists()
    assert [p.stem for p in (store.home / "artifacts").iterdir()] == [first.artifact_sha256]
    assert store.batches.read_rows("other", "b-0001").num_rows == 1
    assert store.batches.list("bank") == ()
    assert store.batches.labelled_rows("bank") == 0
    assert [j.job_id for j in store.jobs.list()] == [active.job_id]
    with pytest.raises(NotFound, match="'other'"):
        store.models.remove("bank")
    store.models.define(made.schema())
    made.add_batch(store, ["a", "b"], target=["yes", "no"])
    assert store.batches.labelled_rows("bank") == 2


def test_remove_and_define_again_in_one_transaction(store: Store) -> None:
    made.add_batch(store, ["a"])
    with store.transaction():
        store.models.remove("bank")
        store.models.define(made.schema(name="wage"))
    assert store.models.schema("bank").columns[0].name == "wage"
    assert store.batches.list("bank") == ()


@pytest.mark.parametrize("how", ["missing", "empty"])
def test_a_home_that_lost_only_its_database_is_not_begun_anew(tmp_path: Path, how: str) -> None:
    Store.open(tmp_path).close()
    (tmp_path / "store.duckdb").unlink()
    Store.open(tmp_path).close()  # nothing is lost where nothing was
    kept = tmp_path / "raw" / f"{'0' * 64}.csv"
    kept.write_text("a\n1\n")
    (tmp_path / "store.duckdb").unlink()
    if how == "empty":
        (tmp_path / "store.duckdb").touch()
    with pytest.raises(StoreBroken, match=f"is {how}, but 1 files of its batches are there"):
        Store.open(tmp_path)
    assert kept.exists()
    assert not (tmp_path / "lost").exists()
