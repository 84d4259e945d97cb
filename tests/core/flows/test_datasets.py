"""A dataset is drawn, named and drawn again: the same rows with the labels of then, or a sentence that says what differs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline_core.errors import InvalidDefinition, NotEnough, NotFound
from pipeline_core.flows import datasets
from pipeline_core.flows.datasets import Question
from pipeline_core.records import DatasetVersion
from pipeline_core.store.home import Store
from tests.core import modelling
from tests.core.flows import homes

SCHEMA = modelling.schema()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Two batches of 400 rows, the second a month later."""
    with homes.home(tmp_path / "home") as home:
        homes.deliver(home, SCHEMA, modelling.rows(400, seed=2, day=30))
        yield home


def again(store: Store, kept: DatasetVersion, tmp_path: Path) -> DatasetVersion:
    return datasets.redraw(store, kept, to=tmp_path / "again.parquet")


def test_a_dataset_names_what_each_batch_gave(store: Store) -> None:
    kept = datasets.make(store, "loans", until=modelling.START + timedelta(days=31))
    assert (kept.dataset_id, kept.rows, kept.schema_version) == ("d-1", 640, 1)
    assert [(part.batch_id, part.rows) for part in kept.parts] == [("b-0001", 400), ("b-0002", 240)]
    assert [part.sha256 for part in kept.parts] == [
        store.batches.get("loans", name).sha256 for name in ("b-0001", "b-0002")
    ]
    assert kept.schema_sha256 == datasets.schema_sha256(SCHEMA)
    assert (kept.first_event_at, kept.until) == (modelling.START, modelling.START + timedelta(days=31))
    assert len({part.rows_sha256 for part in kept.parts} | {part.labels_sha256 for part in kept.parts}) == 4


def test_labels_count_as_they_were_known(store: Store, tmp_path: Path) -> None:
    kept = datasets.make(store, "loans")
    assert kept.rows == 800
    label = pq.read_table(store.files.batch_rows("loans", "b-0001")).column("c009")[0].as_py()
    other = "no" if label == "yes" else "yes"
    store.batches.set_labels("loans", pa.table({"row_id": ["s1-0"], "value": [other]}))
    assert datasets.make(store, "loans").dataset_id == "d-2"  # now it is another one
    assert again(store, kept, tmp_path) == kept  # and that one is still what it was


def test_a_batch_that_comes_later_replaces_nothing_in_it(store: Store, tmp_path: Path) -> None:
    kept = datasets.make(store, "loans", until=modelling.START + timedelta(days=20))
    assert kept.also_read == ("b-0002",)  # it gave no row, but could have replaced some
    homes.deliver(store, SCHEMA, modelling.rows(400, seed=1, noise=9.0))  # the first month again, with other values
    assert again(store, kept, tmp_path) == kept
    assert datasets.make(store, "loans", until=modelling.START + timedelta(days=20)).sha256 != kept.sha256


def test_what_differs_is_said_batch_by_batch(store: Store, tmp_path: Path) -> None:
    kept = datasets.make(store, "loans")
    assert datasets.differences(kept, again(store, kept, tmp_path)) == []
    path = store.files.batch_rows("loans", "b-0002")
    rows = pq.read_table(path)
    pq.write_table(rows.slice(0, 399), path)
    assert datasets.differences(kept, again(store, kept, tmp_path)) == ["batch b-0002 has 399 rows in it, had 400"]
    pq.write_table(rows.set_column(3, "c001", pa.array([0.5, *rows.column("c001").to_pylist()[1:]])), path)
    (said,) = datasets.differences(kept, again(store, kept, tmp_path))
    assert said.startswith("the rows of batch b-0002 are ")
    assert said.endswith(f", were {kept.parts[1].rows_sha256[:12]}")
    path.unlink()
    with pytest.raises(NotFound, match="The rows of batch b-0002 of 'loans' are lost"):
        again(store, kept, tmp_path)


def test_what_cannot_be_chosen_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(NotEnough, match="no labelled row in that selection"):
        datasets.make(store, "loans", until=modelling.START)
    with pytest.raises(InvalidDefinition, match="The period from 2025-02-01 to 2025-01-01 is empty"):
        datasets.make(store, "loans", since="2025-02-01", until="2025-01-01")
    with pytest.raises(NotFound, match="no batch 'b-0009'"):
        datasets.make(store, "loans", batches=["b-0009"])
    with pytest.raises(InvalidDefinition, match="--until has no place beside it"):
        datasets.chosen(store, "loans", to=tmp_path / "x.parquet", dataset="d-1", until=modelling.START)
    assert store.datasets.list("loans") == ()


def test_batches_stand_from_when_they_came(store: Store, tmp_path: Path) -> None:
    received = store.batches.get("loans", "b-0001").received_at
    assert set(datasets.standing(store, "loans", datetime.now(UTC))) == {"b-0001", "b-0002"}
    assert datasets.standing(store, "loans", received - timedelta(seconds=1)) == ()
    drawn = datasets.draw(store, "loans", Question(asked=("b-0002",)), to=tmp_path / "x.parquet")
    assert (drawn.dataset_id, drawn.rows, drawn.also_read) == ("", 400, ())
