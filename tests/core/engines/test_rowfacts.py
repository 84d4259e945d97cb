"""Whole rows: repeats, null patterns, order and days."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline_core.engines.connection import Connection
from pipeline_core.engines.rowfacts import Repeats, repeats, times
from pipeline_core.errors import Unreadable
from pipeline_core.records import Schema
from tests.core.engines.test_facts import SCHEMA, START, put, rows

ZONE = ZoneInfo("UTC")


def looked(tmp_path: Path, table: pa.Table, schema: Schema = SCHEMA, gaps: tuple[str, ...] = ()) -> Repeats:
    pq.write_table(table, tmp_path / "rows.parquet", row_group_size=1_000)
    connection = Connection(2, memory_limit="1GB", work=None)
    try:
        return repeats(connection.table, connection.stream, tmp_path / "rows.parquet", schema, gaps=gaps)
    finally:
        connection.close()


def test_a_row_repeats_when_all_its_columns_do(tmp_path: Path) -> None:
    table = rows(500)
    assert looked(tmp_path, table).repeated_rows == 0
    again = pa.concat_tables([table, table.slice(10, 5), table.slice(10, 2)])
    moved = again.set_column(1, "row_number", pa.array(range(507), pa.int64()))
    found = looked(tmp_path, moved.set_column(0, "row_id", pa.array([f"r{i}" for i in range(507)])))
    assert (found.rows, found.repeated_rows, found.distinct_ids) == (507, 7, 500)
    assert looked(tmp_path, put(again, c008=np.arange(507.0))).repeated_rows == 0


def test_rows_without_an_id_have_none_in_common(tmp_path: Path) -> None:
    found = looked(tmp_path, put(rows(4), c006=[None, "a", "a", None]))
    assert (found.rows, found.distinct_ids) == (4, 1)
    nameless = replace(SCHEMA, columns=SCHEMA.columns[:4])
    assert looked(tmp_path, rows(4), nameless).distinct_ids == 0


def test_columns_that_are_null_together(tmp_path: Path) -> None:
    keep = rows(200)
    table = put(
        keep,
        c001=[None if i < 30 else 1.5 for i in range(200)],
        c002=[None if i < 20 else 2.5 for i in range(200)],
        c003=[None if 15 <= i < 20 or i > 190 else "a" for i in range(200)],
    )
    assert looked(tmp_path, table, gaps=("c001", "c002", "c003")).null_patterns == (
        (("c001", "c002"), 15),
        (("c001", "c002", "c003"), 5),
    )
    assert looked(tmp_path, table, gaps=("c001",)).null_patterns == ()


def test_63_columns_fit(tmp_path: Path) -> None:
    names = [f"c{i:03d}" for i in range(1, 64)]
    table = pa.table({name: pa.array([1.0, None]) for name in names})
    columns = tuple(replace(SCHEMA.columns[0], column_id=n, name=n) for n in names)
    wide = replace(SCHEMA, columns=columns)
    assert looked(tmp_path, table, wide, tuple(reversed(names))).null_patterns == ((tuple(names), 1),)


def test_days_order_and_ends(tmp_path: Path) -> None:
    hours = [5, 3, None, 4, 30, 29, None, 29]
    moments = [None if h is None else START + timedelta(hours=h) for h in hours]
    pq.write_table(
        pa.table({"event_at": pa.array(moments, pa.timestamp("us"))}), tmp_path / "a.parquet", row_group_size=3
    )
    found = times(tmp_path / "a.parquet", ZONE)
    assert (found.untimed_rows, found.unordered_rows) == (2, 2)
    assert found.rows_by_day == {"2026-01-01": 3, "2026-01-02": 3}
    first = START.replace(tzinfo=UTC)
    assert (found.first_event_at, found.last_event_at) == (first + timedelta(hours=3), first + timedelta(hours=30))


@pytest.mark.parametrize("text", ["0001-01-01T05:00:00", "1969-12-31T23:59:59.999999", "9999-12-31T00:00:00"])
def test_the_first_and_the_last_day_there_are(tmp_path: Path, text: str) -> None:
    moment = datetime.fromisoformat(text)
    pq.write_table(pa.table({"event_at": pa.array([moment], pa.timestamp("us"))}), tmp_path / "a.parquet")
    found = times(tmp_path / "a.parquet", ZONE)
    assert found.rows_by_day == {moment.date().isoformat(): 1}
    assert found.first_event_at == found.last_event_at == moment.replace(tzinfo=UTC)


def test_days_are_those_of_the_zone(tmp_path: Path) -> None:
    texts = [
        "2026-03-29T21:59",
        "2026-03-29T22:00",
        "2026-03-28T22:59",
        "2026-03-28T23:00",
        "0001-01-01T00:00",
        "9999-12-31T23:59",
    ]
    moments = [datetime.fromisoformat(text) for text in texts]
    pq.write_table(pa.table({"event_at": pa.array(moments, pa.timestamp("us"))}), tmp_path / "a.parquet")
    found = times(tmp_path / "a.parquet", ZoneInfo("Europe/Berlin"))
    assert found.rows_by_day == {
        "0001-01-01": 1, "2026-03-28": 1, "2026-03-29": 2, "2026-03-30": 1, "9999-12-31": 1,
    }  # fmt: skip
    assert found.rows_by_hour[21:] == (1, 2, 2)


def test_no_row_has_a_time(tmp_path: Path) -> None:
    pq.write_table(pa.table({"event_at": pa.array([None, None], pa.timestamp("us"))}), tmp_path / "a.parquet")
    found = times(tmp_path / "a.parquet", ZONE)
    assert (found.untimed_rows, found.first_event_at, found.rows_by_day) == (2, None, {})


def test_a_missing_file_is_said_in_a_sentence(tmp_path: Path) -> None:
    connection = Connection(1, memory_limit="1GB", work=None)
    with pytest.raises(Unreadable, match="cannot be counted"):
        repeats(connection.table, connection.stream, tmp_path / "missing.parquet", SCHEMA, gaps=())
    connection.close()
