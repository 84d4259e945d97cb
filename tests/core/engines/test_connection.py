"""DuckDB's settings and errors."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from pipeline_core.engines.connection import STREAMED_ROWS, Connection
from pipeline_core.errors import Unreadable


@pytest.fixture
def connection() -> Connection:
    made = Connection(1, memory_limit="200MB", work=None)
    yield made
    made.close()


def test_rows_come_whole_or_bit_by_bit(connection: Connection) -> None:
    statement = f"SELECT range AS x FROM range({2 * STREAMED_ROWS + 5})"
    sizes = [batch.num_rows for batch in connection.stream(statement)]
    assert (sum(sizes), max(sizes)) == (2 * STREAMED_ROWS + 5, STREAMED_ROWS)
    assert connection.table(statement).num_rows == sum(sizes)


def test_a_table_is_known_only_for_a_while(connection: Connection) -> None:
    connection.register("always", pa.table({"x": [1]}))
    with connection.registered("once", pa.table({"x": [2]})):
        assert connection.table("SELECT x FROM once UNION ALL SELECT x FROM always").num_rows == 2
    connection.run("CREATE TEMP TABLE kept AS FROM always")
    with pytest.raises(Unreadable, match="cannot be counted"):
        connection.table("FROM once")


def test_errors_are_sentences(connection: Connection, tmp_path: Path) -> None:
    for work in (connection.run, connection.table, lambda s: list(connection.stream(s))):
        with pytest.raises(Unreadable, match=r"cannot be counted: .+\. Receive the file again"):
            work(f"SELECT * FROM read_parquet('{tmp_path}/none.parquet')")
    small = Connection(1, memory_limit="2MB", work=None)
    with pytest.raises(Unreadable, match="more memory than the engine may use"):
        small.table("SELECT range, count(*) FROM range(400000) GROUP BY ALL")
    small.close()
