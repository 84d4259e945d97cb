"""A lineage that agrees, and each thing that somebody could change behind its back: found, named, with both values."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from pipeline_core.errors import Refused
from pipeline_core.flows import datasets, intake, release, tracing
from pipeline_core.flows.compute import in_process
from pipeline_core.records import LineageCheck, LinkCheck, LinkState
from pipeline_core.store.home import Store

MODEL = "loans"


def file(folder: Path, number: int, rows: int = 700) -> Path:
    """Write a month of loans; the second month has the truth as well."""
    random = np.random.default_rng(number)
    amount = np.round(random.normal(10, 3, rows), 4)
    begin = np.datetime64("2025-01-01") + np.timedelta64(31 * number, "D")
    table = pa.table({
        "loan": [f"m{number}-{i}" for i in range(rows)],
        "at": [str(begin + np.timedelta64(50 * i, "m")) for i in range(rows)],
        "amount": amount,
        "income": np.round(random.normal(50, 9, rows), 4),
        "bad": np.where(amount - 10 + random.normal(size=rows) > 0.5, "yes", "no"),
    })
    path = folder / f"month-{number}.csv"
    pyarrow.csv.write_csv(table, path)
    return path


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a champion that was made from two months, lived once."""
    folder = tmp_path_factory.mktemp("lineage")
    with Store.open(folder / "home") as home:
        intake.define(home, MODEL, file(folder, 0), target="bad", positive="yes", time="at", id="loan")
        intake.receive(home, MODEL, file(folder, 1))
        release.train(home, MODEL, estimator="logistic_regression", compute=in_process)
        release.promote(home, MODEL, version=1, by="Ada", reason="the first one")
    return folder


@pytest.fixture
def store(lived: Path, tmp_path: Path) -> Iterator[Store]:
    shutil.copytree(lived / "home", tmp_path / "home")
    with Store.open(tmp_path / "home") as home:
        yield home


def verified(store: Store) -> LineageCheck:
    return tracing.verify(store, MODEL, compute=in_process)


def broken(store: Store) -> list[LinkCheck]:
    check = verified(store)
    assert check.agrees is False
    assert store.datasets.check(MODEL, 1) == check
    return [link for link in check.links if link.state is LinkState.DIFFERS]


def named(links: list[LinkCheck]) -> list[str]:
    return [f"{link.link}: {link.what}" for link in links]


def test_what_nobody_touched_agrees_whatever_came_since(store: Store, tmp_path: Path) -> None:
    check = verified(store)
    assert [link.what for link in check.links if link.state is not LinkState.AGREES] == []
    assert [link.link for link in check.links][:4] == ["batches", "batches", "dataset", "dataset"]
    # a later month, corrected labels, rows sent again, another policy: none of it is the dataset's business
    intake.receive(store, MODEL, file(tmp_path, 2))
    store.batches.set_labels(MODEL, pa.table({"row_id": ["m0-3", "m1-699"], "value": ["yes", "yes"]}))
    store.batches.set_labels(MODEL, pa.table({"row_id": ["m0-3", "m1-699"], "value": ["no", "no"]}))
    store.policy = type(store.policy)(holdout_share=0.4)
    assert verified(store).agrees


def test_a_byte_of_the_model_file(store: Store) -> None:
    version = store.models.version(MODEL, 1)
    path = store.artifacts.path(version.artifact_sha256)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    (link,) = broken(store)
    assert (link.link, link.what, link.kept) == ("version", "model file", version.artifact_sha256)
    assert link.found != link.kept
    assert len(link.found) == 64


def test_one_row_of_a_batch(store: Store) -> None:
    path = store.files.batch_rows(MODEL, "b-0002")
    rows = pq.read_table(path)
    values = rows.column("c003").to_pylist()
    assert isinstance(values[5], float)
    values[5] += 0.0001
    pq.write_table(rows.set_column(rows.column_names.index("c003"), "c003", pa.array(values)), path)
    links = broken(store)
    assert named(links)[0] == "dataset: dataset d-1, its rows"
    assert links[0].words.startswith("the rows of batch b-0002 are ")
    assert links[0].kept == store.datasets.get(MODEL, "d-1").sha256
    assert "the rows of batch b-0001" not in links[0].words
    with pytest.raises(
        Refused, match="Dataset d-1 of model 'loans' can no longer be read as it was: the rows of batch b-0002"
    ):
        release.train(store, MODEL, dataset="d-1", compute=in_process)


def test_one_label(store: Store) -> None:
    ((old,),) = store._database.rows("SELECT value FROM labels WHERE row_id = 'm0-7'")
    store._database.run("UPDATE labels SET value = ? WHERE row_id = 'm0-7'", ["no" if old == "yes" else "yes"])
    links = broken(store)
    assert named(links) == ["dataset: dataset d-1, its rows"]  # it was fitted on: neither hold-out nor verdict holds it
    assert links[0].words.startswith("the labels of batch b-0001 are ")


def test_one_held_out_label_also_moves_metrics_and_verdict(store: Store) -> None:
    ((old,),) = store._database.rows("SELECT value FROM labels WHERE row_id = 'm1-690'")
    store._database.run("UPDATE labels SET value = ? WHERE row_id = 'm1-690'", ["no" if old == "yes" else "yes"])
    said = named(broken(store))
    assert said[0] == "dataset: dataset d-1, its rows"
    assert "version: metric auc" in said
    assert any(what.startswith("verdict: verdict-") for what in said)


def test_one_metric_in_the_record(store: Store) -> None:
    ((record,),) = store._database.rows("SELECT record FROM versions")
    told = json.loads(record)
    kept = told["metrics"]["auc"]["value"]
    told["metrics"]["auc"]["value"] = kept + 2e-12
    store._database.run("UPDATE versions SET record = ?", [json.dumps(told)])
    (link,) = broken(store)
    assert (link.link, link.what) == ("version", "metric auc")
    assert link.found.startswith(repr(kept))
    assert link.kept.startswith(repr(kept + 2e-12))


def test_a_file_as_received_and_a_lost_batch(store: Store) -> None:
    raw = store.batches.raw_path(store.batches.get(MODEL, "b-0001"))
    raw.write_bytes(raw.read_bytes() + b"\n")
    (link,) = broken(store)
    assert (link.link, link.what) == ("batches", "batch b-0001, file as received")
    store.files.batch_rows(MODEL, "b-0002").unlink()
    links = broken(store)
    lost = next(link for link in links if link.what == "dataset d-1, its rows")
    assert lost.found == "unreadable"
    assert "The rows of batch b-0002 of 'loans' are lost" in lost.words


def test_a_verdict_that_was_turned(store: Store) -> None:
    ((record,),) = store._database.rows("SELECT record FROM verdicts")
    store._database.run("UPDATE verdicts SET record = ?", [record.replace('"verdict":"promote"', '"verdict":"keep"')])
    (link,) = broken(store)
    assert (link.link, link.what) == ("promotion", "move 1, its verdict")
    assert (link.kept, link.found) == ("promote on version 1", "keep on version 1")


def test_the_same_selection_is_the_same_dataset(store: Store, tmp_path: Path) -> None:
    kept = store.datasets.get(MODEL, "d-1")
    assert (kept.rows, [part.rows for part in kept.parts]) == (1400, [700, 700])
    assert release.train(store, MODEL, compute=in_process).dataset.dataset_id == "d-1"
    assert datasets.make(store, MODEL).dataset_id == "d-1"
    first = datasets.make(store, MODEL, batches=["b-0001"])
    assert (first.dataset_id, first.rows, first.asked) == ("d-2", 700, ("b-0001",))
    assert datasets.make(store, MODEL, until="2025-02-01").sha256 == first.sha256  # another question, the same rows
    intake.receive(store, MODEL, file(tmp_path, 2))
    assert datasets.make(store, MODEL).dataset_id == "d-3"
    version = release.train(store, MODEL, dataset="d-2", compute=in_process)
    assert (version.dataset.batches, version.dataset.rows) == (("b-0001",), 700)
    assert [d.dataset_id for d in store.datasets.list(MODEL)] == ["d-3", "d-2", "d-1"]


def test_rows_that_come_again_are_not_judged_on(store: Store, tmp_path: Path) -> None:
    """40 fitted rows of the first month come again in the third, under other ids and at a later time."""
    third = pyarrow.csv.read_csv(file(tmp_path, 2)).to_pylist()
    again = pyarrow.csv.read_csv(file(tmp_path, 0)).to_pylist()[:40]
    mixed = [
        {**row, **{name: old[name] for name in ("amount", "income")}} for row, old in zip(third, again, strict=False)
    ]
    pyarrow.csv.write_csv(pa.Table.from_pylist([*mixed, *third[40:]]), tmp_path / "third.csv")
    intake.receive(store, MODEL, tmp_path / "third.csv")
    release.train(store, MODEL, until="2025-02-25", compute=in_process)
    verdict = release.challenge(store, MODEL, version=2)
    told = verdict.overlap
    assert told is not None
    assert (told.seen_rows, told.dropped_rows, told.twin_share, told.versions) == (40, 40, 0.0, (2, 1))
    assert verdict.rows == told.rows - 40
    assert told.words == (
        f"40 of {told.rows:,} evaluation rows were in the training data of v2 or v1 (by row hash) and were left out."
    )
