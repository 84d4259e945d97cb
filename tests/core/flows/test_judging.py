"""The door judges by facts, counts and the batches before; rows that come again are counted to be taken off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow.compute as pc
import pytest

from pipeline_core.flows import arrival, intake, judging
from pipeline_core.records import BatchStatus, Finding, Severity
from pipeline_core.store.home import Store
from tests.core.flows.deliveries import columns, parquet


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "home") as opened:
        content = {"key": [f"k{i}" for i in range(400)], **columns()}
        intake.define(opened, "m", parquet(tmp_path, content, "first.parquet"), target="y", time="when", id="key")
        yield opened


def judged(store: Store, path: Path, *, more: tuple[Finding, ...] = ()) -> judging.Judged:
    schema = store.models.schema("m")
    with store.work_dir() as folder:
        taken = arrival.take(store, schema, arrival.arrive(store, path), folder=folder)
        return judging.judge(store, schema, taken, more=more)


def test_rows_that_come_again_are_counted_by_the_batch_that_brought_them(store: Store, tmp_path: Path) -> None:
    content = {"key": [f"k{i}" for i in range(100)], **columns(100)}
    found = judged(store, parquet(tmp_path, content))
    assert (found.batch_id, found.status, found.repeats.num_rows) == ("b-0002", BatchStatus.ACCEPTED, 100)
    assert found.replaced is not None
    city = found.replaced.filter(pc.equal(found.replaced["column_id"], "c004"))
    assert (pc.sum(city["n"]).as_py(), set(city["batch_id"].to_pylist())) == (100, {"b-0001"})


def test_what_is_quarantined_replaces_nothing(store: Store, tmp_path: Path) -> None:
    wrong = Finding(code="x", column=None, severity=Severity.ERROR, message="Wrong.")
    content = {"key": [f"k{i}" for i in range(100)], **columns(100)}
    found = judged(store, parquet(tmp_path, content), more=(wrong,))
    assert (found.status, found.replaced) == (BatchStatus.QUARANTINED, None)
    assert wrong.code in {f.code for f in found.findings}


def test_the_batches_before_say_how_often_a_rule_would_have_fired(store: Store, tmp_path: Path) -> None:
    for day in (10, 20):
        content = {"key": [f"{day}-{i}" for i in range(300)], **columns(300, day=day)}
        assert intake.receive(store, "m", parquet(tmp_path, content, f"{day}.parquet")).status is BatchStatus.ACCEPTED
    content = {"key": [f"z{i}" for i in range(300)], **columns(300, day=30)}
    content["city"] = [None if i % 2 else c for i, c in enumerate(content["city"])]
    nulls = next(f for f in judged(store, parquet(tmp_path, content)).findings if f.code == "null_share_up")
    assert (nulls.fired_batches, nulls.past_batches) == (0, 3)
    assert nulls.rule
