"""Shadows by number, what they made of batches, and both sides of a row next to each other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline_core.errors import Stale
from pipeline_core.records import Shadow, ShadowBatch
from pipeline_core.store import Store
from tests.core.store import made


def stretch(version: int = 2) -> Shadow:
    return Shadow(model="bank", number=0, version=version, started_by="Ada", started_at=made.day(1), reason="to see")


def batch(batch_id: str = "b-0001", error: str = "") -> ShadowBatch:
    return ShadowBatch(
        model="bank", version=2, batch_id=batch_id, champion=1, rows=2, scored_at=made.day(2), error=error
    )


def test_one_at_a_time_and_each_has_its_number(store: Store) -> None:
    assert store.shadows.list("bank") == ()
    first = store.shadows.start(stretch())
    assert first.number == 1
    with pytest.raises(Stale, match="Version 2 of model 'bank' is in shadow by now"):
        store.shadows.start(stretch(3))
    ended = store.shadows.put(replace(first, ended_at=made.day(3), ended_by="Grace"))
    second = store.shadows.start(stretch(3))
    assert store.shadows.list("bank") == (second, ended)
    assert second.number == 2


def test_an_error_is_forgotten_once_it_worked_and_an_answer_stays(store: Store) -> None:
    made.add_batch(store, ["a", "b"])
    said = made.predicted(made.typed_rows(["a", "b"]))
    store.shadows.add(batch(error="broke"), None)
    assert not store.shadows.has("bank", 2, batch_id="b-0001")
    store.shadows.add(batch(), said)
    store.shadows.add(batch(error="broke again"), None)
    assert store.shadows.has("bank", 2, batch_id="b-0001")
    assert store.shadows.batches("bank", 2) == (batch(),)


def test_pairs_are_rows_that_both_scored_with_their_newest_label(store: Store) -> None:
    made.add_batch(store, ["a", "b"], target=["yes", None])
    made.add_batch(store, ["b", "c"], first_day=1)
    for number, ids in ((1, ["a", "b"]), (2, ["b", "c"])):
        said = made.predicted(made.typed_rows(ids), score=0.1 * number)
        store.signals.add_predictions("bank", 1, batch_id=f"b-000{number}", predictions=said)
        store.shadows.add(batch(f"b-000{number}"), made.predicted(made.typed_rows(ids), score=0.7))
    found = store.shadows.pairs("bank", version=2, champion=1)
    assert found["row_id"].to_pylist() == ["c", "b", "a"]
    assert found["score"].to_pylist() == [0.2, 0.2, 0.1]
    assert found["shadow_score"].to_pylist() == [0.7] * 3
    assert found["label"].to_pylist() == [None, None, "yes"]
    assert found["all_rows"].to_pylist() == [3, 3, 3]
    live = store.shadows.pairs("bank", version=2, champion=1, made_from=["b-0001"])
    assert live["row_id"].to_pylist() == ["c", "b"]
    assert store.shadows.pairs("bank", version=2, champion=3).num_rows == 0
    assert store.signals.predictions("bank")["version"].to_pylist() == [1, 1, 1]


def test_a_removed_model_takes_its_shadows_along(store: Store) -> None:
    made.add_batch(store, ["a", "b"])
    store.shadows.start(stretch())
    store.shadows.add(batch(), made.predicted(made.typed_rows(["a", "b"])))
    store.models.remove("bank")
    assert store.shadows.list("bank") == ()
    assert store.shadows.batches("bank", 2) == ()
