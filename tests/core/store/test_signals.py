"""Predictions with their newest label, windows that replace each other, alerts that keep their acknowledgement."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest

from pipeline_core.errors import NotFound, Stale
from pipeline_core.store import Store
from tests.core.store import made


def test_predictions_come_back_with_the_newest_label(store: Store) -> None:
    made.add_batch(store, ["a", "b"], target=["yes", None])
    rows = made.typed_rows(["a", "b"])
    assert store.signals.add_predictions("bank", 1, batch_id="b-0001", predictions=made.predicted(rows)) == 2
    assert store.signals.add_predictions("bank", 1, batch_id="b-0001", predictions=made.predicted(rows)) == 0
    assert store.signals.has_predictions("bank", 1, batch_id="b-0001")
    assert not store.signals.has_predictions("bank", 2, batch_id="b-0001")
    store.batches.set_labels("bank", pa.table({"row_id": ["a", "b"], "value": ["no", "yes"]}))
    found = store.signals.predictions("bank")
    assert found.column_names == [
        "row_id", "row_number", "event_at", "score", "prediction", "label", "value", "scores", "version", "batch_id",
    ]  # fmt: skip
    assert found["label"].to_pylist() == ["no", "yes"]
    assert found["score"].to_pylist() == [0.5, 0.5]
    assert found["scores"].to_pylist() == [None, None]
    assert found["event_at"].type == pa.timestamp("us")


def test_predictions_by_version_batch_and_time(store: Store) -> None:
    made.add_batch(store, ["a", "b"])
    made.add_batch(store, ["c"], first_day=1)
    made.add_batch(store, ["b"], first_day=4)
    logged = [(1, "b-0001", ["a", "b"], 0), (2, "b-0002", ["c"], 1), (1, "b-0003", ["b"], 4)]
    for version, batch_id, ids, first_day in logged:
        said = made.predicted(made.typed_rows(ids, first_day=first_day), score=0.1 * version)
        said = said.append_column("scores", pa.array([[0.5, 0.25, 0.25]] * len(ids)))
        store.signals.add_predictions("bank", version, batch_id=batch_id, predictions=said)

    def ids_of(**filters: object) -> list[str]:
        return list(store.signals.predictions("bank", **filters)["row_id"].to_pylist())

    assert ids_of() == ["a", "c", "b"]  # b was scored twice: the newest batch counts
    assert ids_of(version=1) == ["a", "b"]
    assert ids_of(batch_id="b-0001") == ["a", "b"]
    assert ids_of(since=made.day(1)) == ["c", "b"]
    assert ids_of(until=made.day(1)) == ["a"]
    assert store.signals.predictions("bank", version=2)["scores"].to_pylist() == [[0.5, 0.25, 0.25]]
    assert store.signals.prediction_batches("bank") == ("b-0001", "b-0002", "b-0003")
    assert store.signals.prediction_batches("bank", version=1) == ("b-0001", "b-0003")
    assert store.signals.prediction_batches("other") == ()


def test_windows_replace_those_of_the_same_question(store: Store) -> None:
    assert store.signals.windows("bank") == ()
    assert store.signals.watch("bank") is None
    old = made.watch(1, [made.window(0), made.window(7)])
    store.signals.put_windows(old)
    assert store.signals.watch("bank") == old
    monthly = made.watch(1, [made.window(0, rows=99)], spec="30d")
    store.signals.put_windows(monthly)
    new = replace(made.watch(1, [made.window(7), made.window(0), made.window(14)]), new_alerts=2)
    store.signals.put_windows(new)
    kept = store.signals.watch("bank", version=1, window="7d")
    assert kept is not None
    assert [w.start for w in kept.windows] == [made.day(0), made.day(7), made.day(14)]
    assert kept.new_alerts == 2
    assert store.signals.windows("bank") == kept.windows  # the last one that was asked for
    assert store.signals.windows("bank", window="30d") == monthly.windows
    assert store.signals.windows("bank", version=2) == ()
    store.signals.put_windows(made.watch(1, []))
    assert store.signals.windows("bank") == ()


def test_alerts_are_raised_once_and_keep_their_acknowledgement(store: Store) -> None:
    first, second = made.alert("l-1"), made.alert("l-2")
    assert store.signals.add_alerts([first, second]) == (first, second)
    seen = store.signals.acknowledge("l-1", by="Ada", note="known", at=made.day(3))
    assert (seen.acknowledged_by, seen.acknowledged_at, seen.note) == ("Ada", made.day(3), "known")
    third = made.alert("l-3", raised=1, model="other")
    assert store.signals.add_alerts([first, third, third]) == (third,)
    assert store.signals.alerts() == (third, seen, second)
    assert store.signals.alerts("bank") == (seen, second)
    assert store.signals.alerts(open_only=True) == (third, second)
    assert store.signals.alert("l-1") == seen
    with pytest.raises(Stale, match="acknowledged by Ada already"):
        store.signals.acknowledge("l-1", by="Bob")
    again = store.signals.reopen("l-1")
    assert (again.acknowledged_by, again.acknowledged_at, again.note) == (None, None, "known")
    assert store.signals.alerts("bank", open_only=True) == (again, second)
    with pytest.raises(NotFound, match="no alert 'l-9'"):
        store.signals.acknowledge("l-9", by="Ada")
