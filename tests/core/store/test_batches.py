"""What comes in stays whole, quarantined rows take part in nothing, and the newest word on a row counts."""

from __future__ import annotations

import hashlib
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline_core.errors import InvalidDefinition, NotEnough, NotFound, Quarantined, Stale, StoreBroken, Unreadable
from pipeline_core.records import COUNTS, BatchStatus
from pipeline_core.store import Store
from tests.core.store import made
from tests.core.store.made import known, labels

QUARANTINED = BatchStatus.QUARANTINED


def test_a_batch_comes_back_as_it_went_in(store: Store) -> None:
    kept = made.add_batch(store, ["a", "b", "c"], target=["yes", None, "no"])
    assert kept.batch_id == "b-0001"
    assert kept.labelled_rows == 2
    assert store.batches.get("bank", "b-0001") == kept
    assert store.batches.find("bank", kept.sha256) == kept
    assert store.batches.find("bank", "0" * 64) is None
    assert store.batches.list("bank") == (kept,)
    assert store.batches.read_rows("bank", "b-0001") == made.typed_rows(["a", "b", "c"], target=["yes", None, "no"])
    assert hashlib.sha256(store.batches.raw_path(kept).read_bytes()).hexdigest() == kept.sha256
    assert store.batches.raw_path(kept).suffix == ".csv"
    assert known(store) == {"a": ("yes", 1), "c": ("no", 1)}
    assert store.batches.next_id("bank") == "b-0002"
    assert not list(store.home.rglob("*.tmp"))


def test_the_same_content_is_the_same_batch(store: Store, tmp_path: Path) -> None:
    first = made.add_batch(store, ["a"], target=["yes"])
    again = made.add_batch(store, ["a"], target=["yes"])
    assert again.duplicate
    assert again.batch_id == first.batch_id
    assert len(store.batches.list("bank")) == 1
    assert store.batches.counts("bank")["n"].to_pylist() == [1, 1]
    store.models.define(made.schema("other"))
    with store.transaction():
        told = made.report("b-0001", 1, b"x", model="other")
        store.batches.add(told, rows=made.file(made.typed_rows(["a"]), tmp_path))
    assert store.batches.find("other", first.sha256) is None  # known content is known by model


def test_quarantined_rows_take_part_in_nothing(store: Store, tmp_path: Path) -> None:
    bad = made.add_batch(store, ["a", "b"], target=["yes", "no"], status=QUARANTINED)
    with pytest.raises(NotEnough, match="no accepted batch"):
        store.batches.select("bank", to=tmp_path / "out.parquet")
    good = made.add_batch(store, ["c"], target=["yes"])
    assert store.batches.raw_path(bad).exists()
    assert not (store.batches.rows_paths("bank")[0].parent / f"{bad.batch_id}.parquet").exists()
    assert known(store) == {"c": ("yes", 1)}
    assert [p.stem for p in store.batches.rows_paths("bank")] == [good.batch_id]
    assert store.batches.select("bank", to=tmp_path / "out.parquet").rows == 1
    assert store.batches.counts("bank")["n"].to_pylist() == [1, 1]
    for ask in (
        lambda: store.batches.rows_paths("bank", [good.batch_id, bad.batch_id]),
        lambda: store.batches.read_rows("bank", bad.batch_id),
        lambda: store.batches.select("bank", to=tmp_path / "out.parquet", batch_ids=[bad.batch_id]),
    ):
        with pytest.raises(Quarantined, match="b-0001"):
            ask()
    assert store.batches.list("bank", status=QUARANTINED) == (bad,)
    assert store.batches.list("bank", status=BatchStatus.ACCEPTED) == (good,)
    assert store.batches.set_labels("bank", labels(("a", "yes"))).unknown_rows == 1


def test_what_does_not_fit_is_refused_and_leaves_nothing(store: Store, tmp_path: Path) -> None:
    rows = made.file(made.typed_rows(["a"]), tmp_path)
    raw = tmp_path / "f.csv"
    raw.write_bytes(b"content")
    told = made.report("b-0001", 1, b"content")
    with pytest.raises(InvalidDefinition, match="says 1 rows and brings no rows"):
        store.batches.add(told, raw=raw)
    with pytest.raises(InvalidDefinition, match="brings 2 rows"):
        store.batches.add(told, raw=raw, rows=made.file(made.typed_rows(["a", "b"]), tmp_path, "two.parquet"))
    with pytest.raises(InvalidDefinition, match="no whole Parquet file"):
        store.batches.add(told, raw=raw, rows=raw)
    with pytest.raises(Unreadable, match="changed while"):
        store.batches.add(made.report("b-0001", 1, b"other"), raw=raw, rows=rows)
    with pytest.raises(Unreadable, match="cannot be copied"):
        store.batches.add(told, raw=tmp_path / "nowhere.csv", rows=rows)
    with pytest.raises(NotFound, match="no model 'bamk'"):
        store.batches.add(made.report("b-0001", 1, b"content", model="bamk"), raw=raw, rows=rows)
    with pytest.raises(NotFound, match="no batch id"):
        store.batches.add(made.report("../../b", 1, b"content"), raw=raw, rows=rows)
    assert rows.exists()  # the caller's until it is placed
    assert not [p for p in store.home.rglob("*") if p.suffix in {".parquet", ".csv", ".tmp"}]
    store.batches.add(told, raw=raw, rows=rows)
    assert not rows.exists()  # moved, not copied
    with pytest.raises(Stale, match="b-0001 by now"):
        store.batches.add(made.report("b-0001", 1, b"different"), rows=made.file(made.typed_rows(["a"]), tmp_path))
    assert store.batches.read_rows("bank", "b-0001").num_rows == 1


def test_a_full_disk_is_said_and_leaves_nothing(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Unreadable, match=r"cannot be copied into the store: No space left on device"):
        made.add_batch(store, ["a"])
    with pytest.raises(StoreBroken, match=r"cannot be written: No space left on device"):
        store.batches.add(made.report("b-0001", 1, b"x"), rows=made.file(made.typed_rows(["a"]), tmp_path))
    assert store.batches.list("bank") == ()
    assert not list(store.home.rglob("*.tmp"))


def test_a_batch_without_a_file_has_none(store: Store, tmp_path: Path) -> None:
    rows = made.file(made.typed_rows(["a"]), tmp_path)
    kept = store.batches.add(made.report("b-0001", 1, b"stream"), rows=rows)
    with pytest.raises(NotFound, match="came without a file"):
        store.batches.raw_path(kept)


def test_lost_rows_are_named_where_they_are_asked_for(store: Store, tmp_path: Path) -> None:
    made.add_batch(store, ["a"])
    lost = made.add_batch(store, ["b"])
    path = store.batches.rows_paths("bank", [lost.batch_id])[0]
    path.unlink()
    for ask in (
        lambda: store.batches.read_rows("bank", lost.batch_id),
        lambda: store.batches.select("bank", to=tmp_path / "out.parquet"),
    ):
        with pytest.raises(NotFound, match="rows of batch b-0002 of 'bank' are lost"):
            ask()
    assert path in store.batches.rows_paths("bank")
    assert path not in store.batches.rows_paths("bank", there=True)
    assert store.batches.set_labels("bank", labels(("a", "yes"), ("b", "no"))).unknown_rows == 1


def test_unknown_batches_name_the_nearest(store: Store) -> None:
    made.add_batch(store, ["a"])
    for ask in (
        lambda: store.batches.get("bank", "b-001"),
        lambda: store.batches.rows_paths("bank", ["b-001"]),
    ):
        with pytest.raises(NotFound, match="Did you mean 'b-0001'"):
            ask()


def test_a_strange_suffix_becomes_no_path(store: Store, tmp_path: Path) -> None:
    raw = tmp_path / "f.c sv;"
    raw.write_bytes(b"x")
    rows = made.file(made.typed_rows(["a"]), tmp_path)
    kept = store.batches.add(made.report("b-0001", 1, b"x"), raw=raw, rows=rows)
    assert store.batches.raw_path(kept).name == kept.sha256 + ".bin"


HOSTILE = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1, max_size=30)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    model=HOSTILE,
    column=HOSTILE,
    row_ids=st.lists(HOSTILE, min_size=1, max_size=6, unique=True),
    categories=st.lists(HOSTILE, min_size=6, max_size=6),
    note=HOSTILE,
)
def test_any_text_comes_back_as_it_went_in(
    model: str, column: str, row_ids: list[str], categories: list[str], note: str
) -> None:
    target = categories[: len(row_ids)]
    with tempfile.TemporaryDirectory() as folder, Store.open(folder) as store:
        store.models.define(made.schema(model, name=column))
        made.add_batch(store, row_ids, model=model, target=target)
        assert store.models.names() == (model,)
        assert store.models.schema(model).columns[0].name == column
        rows = store.batches.read_rows(model, "b-0001")
        assert rows["row_id"].to_pylist() == row_ids
        assert rows["c003"].to_pylist() == target
        assert {r: v for r, (v, _) in known(store, model).items()} == dict(zip(row_ids, target, strict=True))
        out = Path(folder) / "work" / "out'.parquet"
        summary = store.batches.select(model, to=out)
        assert summary.rows == len(row_ids)
        assert pq.read_table(out)["label"].to_pylist() == target
        store.signals.add_alerts([made.alert("l-1", model=model)])
        assert store.signals.acknowledge("l-1", by=note, note=note, at=datetime(2025, 1, 1, tzinfo=UTC)).note == note
        assert store.signals.alerts(model)[0].acknowledged_by == note
        job = store.jobs.add("train", model, arguments={note: note})
        assert store.jobs.get(job.job_id).arguments == {note: note}
        counts = pa.table(
            {"column_id": ["c002"], "bucket": [None], "cell": [None], "level": [note], "n": [3]}, schema=COUNTS
        )
        made.add_version(store, model=model)
        store.models.set_baseline(model, 1, counts=counts, score_counts=None)
        assert store.models.baseline(model, 1)["level"].to_pylist() == [note]
        store.models.remove(model)
        assert store.models.names() == ()


def test_quarantined_content_that_is_accepted_now_is_a_batch_of_its_own(store: Store) -> None:
    bad = made.add_batch(store, ["a"], target=["yes"], status=QUARANTINED)
    again = made.add_batch(store, ["a"], target=["yes"], status=QUARANTINED)
    assert (again.batch_id, again.duplicate) == (bad.batch_id, True)
    good = made.add_batch(store, ["a"], target=["yes"])
    assert (good.batch_id, good.status, good.duplicate) == ("b-0002", BatchStatus.ACCEPTED, False)
    assert store.batches.list("bank") == (good, bad)
    assert store.batches.find("bank", good.sha256) == good
    assert made.add_batch(store, ["a"], target=["yes"], status=QUARANTINED).batch_id == "b-0002"
    assert store.batches.raw_path(good) == store.batches.raw_path(bad)
