"""Which rows a version is made of, in which order, and what the set is called."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline_core.records import Column, ColumnType, Role
from pipeline_core.store import Store
from pipeline_core.store.selection import DatasetSummary
from tests.core.store import made
from tests.core.store.made import labels


def selected(store: Store, tmp_path: Path, **filters: object) -> tuple[list[dict[str, object]], DatasetSummary]:
    summary = store.batches.select("bank", to=tmp_path / "out.parquet", **filters)
    return pq.read_table(tmp_path / "out.parquet").to_pylist(), summary


def ids(rows: list[dict[str, object]]) -> list[object]:
    return [r["row_id"] for r in rows]


def test_select_gives_rows_in_event_order_with_their_newest_label(store: Store, tmp_path: Path) -> None:
    made.add_batch(store, ["c", "d"], target=["yes", "no"], first_day=5)
    made.add_batch(store, ["a", "b", "x"], target=["no", "yes", None], first_day=0)
    store.batches.set_labels("bank", labels(("d", "yes")))
    rows, summary = selected(store, tmp_path)
    assert ids(rows) == ["a", "b", "c", "d"]
    assert [r["label"] for r in rows] == ["no", "yes", "yes", "yes"]
    assert [r["c003"] for r in rows] == ["no", "yes", "yes", "no"]  # as it came in
    assert [r["batch_id"] for r in rows] == ["b-0002", "b-0002", "b-0001", "b-0001"]
    assert list(rows[0]) == ["batch_id", "row_id", "row_number", "event_at", "c001", "c002", "c003", "label"]
    assert (summary.batches, summary.rows, summary.labelled_rows) == (("b-0001", "b-0002"), 4, 4)
    assert (summary.first_event_at, summary.last_event_at) == (made.day(0), made.day(6))
    everything, summary = selected(store, tmp_path, labelled=False)
    assert ids(everything) == ["a", "b", "x", "c", "d"]
    assert (summary.rows, summary.labelled_rows) == (5, 4)
    assert [r["label"] for r in everything][2] is None


def test_select_filters(store: Store, tmp_path: Path) -> None:
    made.add_batch(store, ["a", "b", "c", "d"], target=["no", "yes", "no", "yes"])
    made.add_batch(store, ["e", "f"], target=["no", "yes"], first_day=4)

    def taken(**filters: object) -> list[object]:
        return ids(selected(store, tmp_path, **filters)[0])

    assert taken(until=made.day(2)) == ["a", "b"]
    assert taken(since=made.day(2)) == ["c", "d", "e", "f"]
    assert taken(since=made.day(1), until=made.day(3)) == ["b", "c"]
    assert taken(limit=3) == ["a", "b", "c"]
    assert taken(limit=3, newest=True) == ["d", "e", "f"]
    assert taken(batch_ids=["b-0002"]) == ["e", "f"]
    rows, summary = selected(store, tmp_path, until=made.day(0))
    assert (rows, summary.rows, summary.batches, summary.first_event_at) == ([], 0, (), None)
    assert pq.read_schema(tmp_path / "out.parquet").field("c001").type == pa.float64()
    assert selected(store, tmp_path, until=made.day(3))[1].batches == ("b-0001",)


def test_of_a_row_received_twice_the_newest_counts(store: Store, tmp_path: Path) -> None:
    made.add_batch(store, ["a", "b"], target=["no", "no"])
    made.add_batch(store, ["b", "c", "c"], target=["yes", "no", "yes"], first_day=10)
    rows, summary = selected(store, tmp_path)
    assert ids(rows) == ["a", "b", "c"]
    assert [r["batch_id"] for r in rows] == ["b-0001", "b-0002", "b-0002"]
    assert [r["label"] for r in rows] == ["no", "yes", "yes"]
    assert [r["row_number"] for r in rows] == [0, 0, 2]
    assert summary.rows == 3
    assert ids(selected(store, tmp_path, until=made.day(5))[0]) == ["a"]  # b has moved: its old place is void


def test_rows_without_a_time_or_an_id_are_not_lost(store: Store, tmp_path: Path) -> None:
    rows = made.typed_rows(["a", "b", "c"])
    blank = pa.array([None, None, "c"], pa.string())
    times = pa.array([None, made.day(3).replace(tzinfo=None), None], pa.timestamp("us"))
    rows = rows.set_column(0, "row_id", blank).set_column(2, "event_at", times)
    store.batches.add(made.report("b-0001", 3, b"x"), rows=made.file(rows, tmp_path))
    taken, summary = selected(store, tmp_path, labelled=False)
    assert [r["row_number"] for r in taken] == [1, 0, 2]
    assert summary.rows == 3
    assert [r["row_number"] for r in selected(store, tmp_path, labelled=False, until=made.day(9))[0]] == [1]
    newest = selected(store, tmp_path, labelled=False, limit=2, newest=True)[0]
    assert [r["row_number"] for r in newest] == [0, 2]


def test_batches_of_two_schema_versions_are_one_table(store: Store, tmp_path: Path) -> None:
    made.add_batch(store, ["a"], target=["yes"])
    store.models.define(made.schema(schema_version=2))
    more = made.typed_rows(["b"], target=["no"], first_day=1).append_column("c004", pa.array([1.5]))
    store.batches.add(made.report("b-0002", 1, b"wider"), rows=made.file(more, tmp_path))
    assert [r["c004"] for r in selected(store, tmp_path)[0]] == [None, 1.5]


def test_the_digest_names_the_set_and_nothing_else(store: Store, tmp_path: Path) -> None:
    made.add_batch(store, ["a", "b"], target=["no", "yes"])
    first = selected(store, tmp_path)[1].digest
    assert len(first) == 64
    assert selected(store, tmp_path)[1].digest == first
    with Store.open(tmp_path / "elsewhere") as other:
        other.models.define(made.schema())
        made.add_batch(other, ["a", "b"], target=["no", "yes"])
        assert selected(other, tmp_path)[1].digest == first
    until = selected(store, tmp_path, until=made.day(9))[1].digest
    assert until != first
    made.add_batch(store, ["c"], target=["yes"], first_day=20)
    assert selected(store, tmp_path, until=made.day(9))[1].digest == until  # later data do not rename it
    assert selected(store, tmp_path)[1].digest != first
    store.batches.set_labels("bank", labels(("a", "yes")))
    changed = selected(store, tmp_path, until=made.day(9))[1].digest
    assert changed != until
    store.batches.set_labels("bank", labels(("a", "no")))
    assert selected(store, tmp_path, until=made.day(9))[1].digest == until
    store.models.define(made.schema(schema_version=2))
    assert selected(store, tmp_path, until=made.day(9))[1].digest != until


def test_the_digest_tells_swapped_labels_apart(store: Store, tmp_path: Path) -> None:
    made.add_batch(store, ["a", "b"], target=["no", "yes"])
    first = selected(store, tmp_path)[1].digest
    store.batches.set_labels("bank", labels(("a", "yes"), ("b", "no")))
    assert selected(store, tmp_path)[1].digest != first


def test_rows_without_a_time_are_left_out_where_the_model_has_one(store: Store, tmp_path: Path) -> None:
    when = Column(column_id="c004", name="when", type=ColumnType.TIMESTAMP, role=Role.TIME)
    plain = made.schema(schema_version=2)
    store.models.define(replace(plain, columns=(*plain.columns, when)))
    rows = made.typed_rows(["a", "b", "c"], target=["yes", "no", "yes"])
    times = pa.array([made.day(3).replace(tzinfo=None), None, None], pa.timestamp("us"))
    store.batches.add(made.report("b-0001", 3, b"x"), rows=made.file(rows.set_column(2, "event_at", times), tmp_path))
    taken, summary = selected(store, tmp_path)
    assert ids(taken) == ["a"]
    assert (summary.rows, summary.first_event_at, summary.last_event_at) == (1, made.day(3), made.day(3))
    assert ids(selected(store, tmp_path, labelled=False, newest=True, limit=1)[0]) == ["a"]
