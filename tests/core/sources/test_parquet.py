"""Parquet whose size lies, whose text is none, whose times no calendar has: read column by column all the same."""

from __future__ import annotations

import datetime
import decimal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline_core.errors import Unreadable
from pipeline_core.policy import Policy
from pipeline_core.records import Reading
from pipeline_core.sources import files, simple

POLICY = Policy()


def put(folder: Path, table: pa.Table, **more: object) -> Path:
    path = folder / "t.parquet"
    pq.write_table(table, path, compression="zstd", **more)  # type: ignore[arg-type]
    return path


def repeated(value: str, rows: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([value]))


@pytest.mark.parametrize("nested", [False, True], ids=["flat", "nested"])
def test_a_dictionary_bomb_costs_neither_time_nor_memory(tmp_path: Path, nested: bool) -> None:
    column = repeated("x" * 5_000_000, 16_000)
    if nested:
        column = pa.ListArray.from_arrays(pa.array(np.arange(16_001, dtype=np.int32)), column)
    path = put(tmp_path, pa.table({"a": column}), store_schema=False, dictionary_pagesize_limit=1 << 30)
    assert path.stat().st_size < 10_000  # and stands for 80 GB
    before, started = pa.total_allocated_bytes(), time.process_time()
    with pytest.raises(Unreadable, match="unfolds to more than 2,000,000,000 bytes"):
        files.read(path, policy=POLICY)
    assert time.process_time() - started < 5
    assert pa.total_allocated_bytes() - before < 100_000_000


def test_a_bomb_of_equal_numbers_is_seen_in_the_footer(tmp_path: Path) -> None:
    path = put(tmp_path, pa.table({f"a{i}": np.zeros(200_000) for i in range(10)}))
    assert path.stat().st_size < 20_000
    small = replace(POLICY, upload_bytes_max=1_000_000)
    with pytest.raises(Unreadable, match="unfolds to more than 4,000,000 bytes"):
        files.read(path, policy=small)


def test_repeated_text_within_the_limit_is_read(tmp_path: Path) -> None:
    table = pa.table({"a": repeated("abc", 40_000), "b": [["x", None]] * 40_000})
    told = files.read(put(tmp_path, table), policy=POLICY)
    assert told.column("a").type == pa.string()
    assert (told.num_rows, told.column("a")[39_999].as_py()) == (40_000, "abc")
    assert told.column("b")[39_999].as_py() == '["x", null]'


def test_a_list_too_large_to_be_written_costs_only_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simple, "_ITEMS_MAX", 100)
    told = files.read(put(tmp_path, pa.table({"a": [[1] * 200, None], "b": [1, 2]})), policy=POLICY)
    assert told.to_pylist() == [{"a": "(too large)", "b": 1}, {"a": None, "b": 2}]


def test_bytes_that_are_no_text_cost_only_themselves(tmp_path: Path) -> None:
    bad = pa.Array.from_buffers(pa.string(), 2, pa.array([b"\xff\xfea", b"ok"], pa.binary()).buffers())
    table = pa.table({"bad": bad, "in": pa.StructArray.from_arrays([bad], ["k"]), "good": ["x", "y"]})
    told = files.read(put(tmp_path, table), policy=POLICY).to_pylist()
    assert told[0] == {"bad": "\\xff\\xfea", "in": "(unreadable)", "good": "x"}
    assert told[1] == {"bad": "ok", "in": '{"k": "ok"}', "good": "y"}


def test_times_beyond_the_calendar_are_text_and_zones_change_nothing(tmp_path: Path) -> None:
    table = pa.table({
        "far": pa.array([0, 2**62], pa.timestamp("us")),
        "days": pa.array([0, 2**31 - 1], pa.date32()),
        "berlin": pa.array([0, 1], pa.timestamp("s", "Europe/Berlin")),
        "mars": pa.array([0, None], pa.timestamp("s", "Mars/Olympus")),
        "last": pa.array([-62_135_596_800, 253_402_300_799], pa.timestamp("s")),
        "list": pa.array([[0], [2**62]], pa.list_(pa.timestamp("us"))),
    })
    told = files.read(put(tmp_path, table), policy=POLICY)
    assert told.column("far").to_pylist() == ["1970-01-01 00:00:00.000000", str(2**62)]
    assert told.column("days").to_pylist() == ["1970-01-01", str(2**31 - 1)]
    epoch = datetime.datetime(1970, 1, 1)  # ruff: ignore[call-datetime-without-tzinfo] stored times are naive UTC
    assert told.column("berlin").to_pylist()[0] == epoch
    assert told.column("mars").to_pylist() == [epoch, None]
    assert [at.year for at in told.column("last").to_pylist()] == [1, 9999]
    assert told.column("list").to_pylist() == ['["1970-01-01 00:00:00"]', "(unreadable)"]


def test_a_struct_with_a_name_twice_costs_only_itself(tmp_path: Path) -> None:
    twins = pa.StructArray.from_arrays([pa.array([1]), pa.array([2])], ["k", "k"])
    told = files.read(put(tmp_path, pa.table({"twins": twins, "good": [1]})), policy=POLICY).to_pylist()
    assert told[0]["good"] == 1
    assert isinstance(told[0]["twins"], str)


def test_every_type_arrives_as_a_simple_one(tmp_path: Path) -> None:
    table = pa.table({
        "map": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())),
        "fixed": pa.array([[1, 2], None], pa.list_(pa.int64(), 2)),
        "bytes": pa.array([b"\x00\xff", None]),
        "four": pa.array([b"abcd", None], pa.binary(4)),
        "dictionary": pa.DictionaryArray.from_arrays(pa.array([0, None], pa.int8()), pa.array([5])),
        "decimal": pa.array([decimal.Decimal("1.50"), None]),
        "half": pa.array([np.float16(1.5), None], pa.float16()),
        "long": pa.array([1, None], pa.duration("s")),
        "large": pa.array([["x"], None], pa.large_list(pa.large_string())),
    })
    told = files.read(put(tmp_path, table), policy=POLICY)
    assert told.slice(0, 1).to_pylist() == [
        {
            "map": '[["k", 1]]', "fixed": "[1, 2]", "bytes": "\x00\\xff", "four": "abcd", "dictionary": 5,
            "decimal": decimal.Decimal("1.50"), "half": 1.5, "long": "0:00:01", "large": '["x"]',
        }
    ]  # fmt: skip
    assert set(told.slice(1).to_pylist()[0].values()) == {None}


def test_rows_without_columns_and_no_rows_are_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": pa.array([], pa.list_(pa.int64()))}), path)
    with pytest.raises(Unreadable, match="no rows"):
        files.read(path, policy=POLICY)
    with pq.ParquetWriter(path, pa.schema([])) as out:
        out.write_table(pa.table({}))
    with pytest.raises(Unreadable, match="no rows"):
        files.read(path, policy=POLICY)


def test_row_groups_are_sliced_and_a_wide_one_is_halved(tmp_path: Path) -> None:
    table = pa.table({"a": pa.array(np.arange(200_000)), "s": repeated("x" * 2_000, 200_000)})
    path = put(tmp_path, table)
    with files.open_file(path, policy=POLICY, work=tmp_path) as incoming:
        sizes = [(p.num_rows, p.nbytes) for p in incoming.slices()]
    assert sum(rows for rows, _ in sizes) == 200_000
    assert max(rows for rows, _ in sizes) <= 65_536
    assert max(bytes_ for _, bytes_ in sizes) < 70_000_000


def test_a_cell_that_is_a_document_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="row 1 of column 'a' is a text of 1,000,001 bytes"):
        files.read(put(tmp_path, pa.table({"a": ["x", "y" * 1_000_001]})), policy=POLICY)


def test_told_nulls_are_nulls(tmp_path: Path) -> None:
    path = put(tmp_path, pa.table({"a": [-200, 1], "s": ["-", "x"]}))
    told = files.read(path, policy=POLICY, reading=Reading(nulls=("-200", "-")))
    assert told.to_pylist() == [{"a": None, "s": None}, {"a": 1, "s": "x"}]
