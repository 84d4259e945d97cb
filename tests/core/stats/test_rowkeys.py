"""Equal content gives equal keys; any other value, another one."""

from __future__ import annotations

import hashlib
from datetime import datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_core.records import ColumnType
from pipeline_core.stats.rowkeys import content_sha256, eight_bytes, head, row_hashes

COLUMNS = (("n", ColumnType.NUMBER), ("c", ColumnType.CATEGORY), ("t", ColumnType.TIMESTAMP))
AT = datetime(2025, 1, 1)  # ruff: ignore[call-datetime-without-tzinfo]  # as typed rows hold it


def table(*rows: tuple[float | None, str | None, datetime | None]) -> pa.Table:
    columns = list(zip(*rows, strict=True))
    return pa.table({
        "n": pa.array(columns[0], pa.float64()),
        "c": pa.array(columns[1], pa.string()),
        "t": pa.array(columns[2], pa.timestamp("us")),
    })


def test_a_cell_is_eight_known_bytes() -> None:
    rows = table((1.0, "a", AT), (-0.0, None, None))
    assert eight_bytes(rows["n"], ColumnType.NUMBER).tolist() == [0x3FF0000000000000, 0]
    first = int.from_bytes(hashlib.md5(b"a", usedforsecurity=False).digest()[:8], "little")
    assert eight_bytes(rows["c"], ColumnType.CATEGORY).tolist() == [first, 0]
    assert eight_bytes(rows["t"], ColumnType.TIMESTAMP).tolist() == [1735689600000000, 0]
    assert head(b"a").hex() == "0cc175b9c0f1b6a8"


def test_rows_share_a_hash_where_every_cell_is_the_same() -> None:
    rows = table((1.0, "a", AT), (1.0, "a", AT), (1.0, "a", None), (1.0, None, AT), (None, "a", AT), (0.0, "a", AT))
    found = row_hashes(rows, COLUMNS)
    assert found[0] == found[1]
    assert len(set(found.tolist())) == 5
    assert row_hashes(rows.select(["t", "n", "c"]), COLUMNS).tolist() == found.tolist()  # names decide, not places
    missing = row_hashes(rows.drop_columns(["c"]), COLUMNS)
    assert missing[0] == found[3]  # a column that is not there is a null


def test_cells_do_not_cancel_each_other() -> None:
    pair = (("a", ColumnType.NUMBER), ("b", ColumnType.NUMBER))
    rows = pa.table({"a": [1.0, 2.0, 1.0, 2.0], "b": [2.0, 1.0, 1.0, 2.0]})
    assert len(set(row_hashes(rows, pair).tolist())) == 4


@given(st.lists(st.floats(allow_nan=False, width=32), min_size=2, max_size=40, unique_by=lambda value: value + 0.0))
def test_different_numbers_have_different_hashes(values: list[float]) -> None:
    hashes = row_hashes(pa.table({"n": values}), (("n", ColumnType.NUMBER),))
    assert len(np.unique(hashes)) == len(values)


def test_the_name_of_a_table_is_its_content() -> None:
    rows = table((1.0, "a", AT), (2.0, "b", None))
    name = content_sha256(rows)
    assert len(name) == 64
    assert content_sha256(rows.select(["t", "c", "n"])) == name
    assert content_sha256(pa.concat_tables([rows.slice(0, 1), rows.slice(1)])) == name
    changed = [
        table((1.0, "a", AT), (2.0000000000000004, "b", None)),
        table((1.0, "a", AT), (2.0, "b", AT)),
        table((1.0, "a", AT), (2.0, "c", None)),
        table((1.0, "ab", AT), (2.0, "", None)),
        table((2.0, "b", None), (1.0, "a", AT)),
        table((1.0, "a", AT)),
        rows.rename_columns(["m", "c", "t"]),
    ]
    names = {content_sha256(other) for other in changed}
    assert len(names | {name}) == 8


@pytest.mark.parametrize("kind", [pa.int32(), pa.int64()])
def test_the_width_of_a_whole_number_is_no_content(kind: pa.DataType) -> None:
    wide = content_sha256(pa.table({"n": pa.array([1, 2], pa.int64())}))
    assert content_sha256(pa.table({"n": pa.array([1, 2], kind)})) == wide
