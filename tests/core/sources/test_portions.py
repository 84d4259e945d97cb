"""An answer is cut where its cursor changes, and only there."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_core.errors import Unreadable
from pipeline_core.sources.portions import Portions, simple


def batches(values: list[Any], size: int, name: str = "k") -> list[pa.RecordBatch]:
    table = pa.table({name: values, "row": list(range(len(values)))})
    return table.to_batches(max_chunksize=size)


def cut(folder: Path, parts: list[pa.RecordBatch], *, column: str = "k", rows_max: int, bytes_max: int = 10**9):
    portions = Portions("orders", column=column, rows_max=rows_max, bytes_max=bytes_max)
    answer, found, upto = iter(parts), [], []
    while (written := portions.write(folder / f"{len(found)}.parquet", answer, place=str(upto))) is not None:
        table = pq.read_table(folder / f"{len(found)}.parquet")
        assert table.num_rows == written.rows
        found.append(table)
        upto.append(written.upto)
    return found, upto


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(st.integers(0, 2), max_size=60), size=st.integers(1, 17), rows_max=st.integers(1, 20))
def test_no_row_is_lost_or_doubled_and_no_value_is_torn(
    tmp_path_factory: pytest.TempPathFactory, steps: list[int], size: int, rows_max: int
) -> None:
    values = [sum(steps[: i + 1]) for i in range(len(steps))]
    found, upto = cut(tmp_path_factory.mktemp("cut"), batches(values, size), rows_max=rows_max)
    assert [row for table in found for row in table["row"].to_pylist()] == list(range(len(values)))
    kept = [set(table["k"].to_pylist()) for table in found]
    assert all(one.isdisjoint(other) for i, one in enumerate(kept) for other in kept[i + 1 :])
    assert upto == [table["k"].to_pylist()[-1] for table in found]
    for table in found[:-1]:  # as small as they may be: without the last value it would have been too few rows
        last = table["k"].to_pylist()
        assert len(last) - last.count(last[-1]) < rows_max <= len(last)


def test_without_a_cursor_it_is_one_file(tmp_path: Path) -> None:
    found, upto = cut(tmp_path, batches([3, 1, 2], 1), column="", rows_max=1)
    assert ([t["k"].to_pylist() for t in found], upto) == ([[3, 1, 2]], [None])
    assert cut(tmp_path, [], rows_max=1) == ([], [])


def test_equal_rows_of_another_place_are_other_bytes(tmp_path: Path) -> None:
    for place in ("behind 1", "behind 2"):
        Portions("o", column="k", rows_max=9, bytes_max=10**9).write(
            tmp_path / place, iter(batches([1], 1)), place=place
        )
    assert (tmp_path / "behind 1").read_bytes() != (tmp_path / "behind 2").read_bytes()


def test_a_value_that_falls_is_refused(tmp_path: Path) -> None:
    for size in (1, 9):
        with pytest.raises(Unreadable, match="'k' fall within the answer"):
            cut(tmp_path, batches([1, 3, 2], size), rows_max=9)
    assert cut(tmp_path, batches(["b", "A"], 1), rows_max=9)[1] == ["A"]  # a collation of its own


def test_exact_numbers_that_a_float_cannot_tell_apart_are_two_places(tmp_path: Path) -> None:
    near = [Decimal("9007199254740993.1"), Decimal("9007199254740993.2")]
    numeric = pa.ExtensionArray.from_storage(
        pa.opaque(pa.string(), "numeric", "PostgreSQL"), pa.array(["1.5", "1.50", "12"])
    )
    found, upto = cut(tmp_path, batches(near, 1), rows_max=1)
    assert (upto, [str(t.schema.field("k").type) for t in found]) == (near, ["double", "double"])
    parts = [pa.RecordBatch.from_arrays([numeric.slice(i, 1)], names=["k"]) for i in range(3)]
    found, upto = cut(tmp_path, parts, rows_max=1)
    assert [table["k"].to_pylist() for table in found] == [[1.5, 1.5], [12.0]]
    assert upto == [Decimal("1.5"), Decimal(12)]


@pytest.mark.parametrize(
    ("values", "noted"),
    [
        (["a", "b"], "b"),
        ([1.5, 2.5], 2.5),
        ([datetime(2025, 1, 6, 7, tzinfo=UTC)], "2025-01-06T07:00:00+00:00"),
        ([datetime(2025, 1, 6, 7, 0, 0, 5)], "2025-01-06T07:00:00.000005"),  # ruff: ignore[call-datetime-without-tzinfo] - as databases have them
        ([date(2025, 1, 6)], "2025-01-06"),
    ],
)
def test_every_kind_of_cursor_is_noted(tmp_path: Path, values: list[Any], noted: object) -> None:
    assert cut(tmp_path, batches(values, 1), rows_max=9)[1] == [noted]


def test_what_cannot_be_cut_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match=r"no cursor column 'kk'. Did you mean 'k'"):
        cut(tmp_path, batches([1, 2], 1), column="kk", rows_max=1)
    with pytest.raises(Unreadable, match="'k' holds bool; a number, a text or a time"):
        cut(tmp_path, batches([True, True], 1), rows_max=1)
    with pytest.raises(Unreadable, match=r"grown to [\d,]+ bytes; the policy allows 10 .*name a cursor column"):
        cut(tmp_path, batches([1, 2], 1), column="", rows_max=1, bytes_max=10)
    mixed = [pa.RecordBatch.from_pydict({"k": [1]}), pa.RecordBatch.from_pydict({"k": ["x"]})]
    with pytest.raises(Unreadable, match="a column changes its type within the answer"):
        cut(tmp_path, mixed, column="", rows_max=1)


def test_a_column_that_begins_with_nulls_goes_on_with_anything(tmp_path: Path) -> None:
    parts = [pa.RecordBatch.from_pydict({"k": [None]}), pa.RecordBatch.from_pydict({"k": ["x"]})]
    found, _ = cut(tmp_path, parts, column="", rows_max=9)
    assert found[0]["k"].to_pylist() == [None, "x"]


def test_types_of_databases_become_types_of_files() -> None:
    key = uuid.UUID(int=5)
    batch = pa.RecordBatch.from_arrays(
        [
            pa.array([Decimal("1.50"), None]),
            pa.ExtensionArray.from_storage(pa.uuid(), pa.array([key.bytes, None], pa.binary(16))),
            pa.ExtensionArray.from_storage(pa.opaque(pa.string(), "numeric", "PostgreSQL"), pa.array(["12.25", "NaN"])),
            pa.ExtensionArray.from_storage(pa.opaque(pa.string(), "xml", "PostgreSQL"), pa.array(["<a/>", None])),
            pa.array([time(1, 2), None]),
            pa.array([1, 2]),
        ],
        names=["decimal", "uuid", "numeric", "other", "time", "plain"],
    )
    given_back = simple(batch)
    assert [str(t) for t in given_back.schema.types] == ["double", "string", "double", "string", "string", "int64"]
    first = given_back.to_pylist()[0]
    assert first == {
        "decimal": 1.5,
        "uuid": str(key),
        "numeric": 12.25,
        "other": "<a/>",
        "time": "01:02:00",
        "plain": 1,
    }
