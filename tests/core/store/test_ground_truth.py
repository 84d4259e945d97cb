"""Each value that was ever said about a row is kept, and the newest counts."""

from __future__ import annotations

from datetime import datetime

import pytest

from pipeline_core.errors import NotFound
from pipeline_core.records import Task
from pipeline_core.store import Store
from tests.core.store import made
from tests.core.store.made import known, labels


def test_labels_keep_their_history_and_the_newest_counts(store: Store) -> None:
    made.add_batch(store, ["a", "b", "c"], target=["yes", None, None])
    told = store.batches.set_labels(
        "bank",
        labels(("a", "no"), ("b", "no"), ("b", "yes"), ("c", None), (None, "yes"), ("later", "no")),
        received_at=made.day(30),
        batch_id="b-0009",
    )
    figures = (told.rows, told.new_rows, told.changed_rows, told.unchanged_rows, told.unknown_rows)
    assert figures == (3, 1, 1, 0, 1)
    assert told.batch_id == "b-0009"
    assert told.matched_predictions == 0
    assert known(store) == {"a": ("no", 2), "b": ("yes", 1), "later": ("no", 1)}
    again = store.batches.set_labels("bank", labels(("a", "no"), ("b", "yes"), ("later", "no")))
    assert (again.rows, again.unchanged_rows, again.unknown_rows) == (3, 2, 1)
    history = store._database.rows("SELECT value, revision, newest FROM labels WHERE row_id = 'a' ORDER BY revision")
    assert history == [("yes", 1, False), ("no", 2, True)]
    assert store.batches.labelled_rows("bank") == 3
    made.add_batch(store, ["later"], first_day=9)
    assert store.batches.set_labels("bank", labels(("later", "no"))).unchanged_rows == 1
    assert store.batches.labels("bank")["received_at"].to_pylist()[0] == datetime(2025, 2, 5)  # ruff: ignore[call-datetime-without-tzinfo]


def test_labels_need_a_model_and_may_be_empty(store: Store) -> None:
    with pytest.raises(NotFound):
        store.batches.set_labels("bamk", labels(("a", "yes")))
    assert store.batches.set_labels("bank", labels(("a", None))).rows == 0


def test_a_number_is_one_text_whoever_wrote_it(store: Store) -> None:
    store.models.define(made.schema("taxi", task=Task.REGRESSION))
    made.add_batch(store, ["a", "b", "c"], model="taxi", target=[3.0, 0.1, float("nan")])
    assert known(store, "taxi") == {"a": ("3.0", 1), "b": ("0.1", 1)}
    told = store.batches.set_labels("taxi", labels(("a", "3"), ("b", "0.10"), ("c", "high")))
    assert (told.rows, told.unchanged_rows) == (2, 2)
    assert store.batches.set_labels("taxi", labels(("a", 4), ("b", 0))).changed_rows == 2


def test_labels_meet_predictions(store: Store) -> None:
    made.add_batch(store, ["a", "b"])
    rows = made.typed_rows(["a", "b"])
    for version in (1, 2):
        store.signals.add_predictions("bank", version, batch_id="b-0001", predictions=made.predicted(rows))
    assert store.batches.set_labels("bank", labels(("a", "yes"), ("z", "no"))).matched_predictions == 1
