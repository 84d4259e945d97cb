"""SQL text, where its effect is not seen by counting."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline_core.engines import expressions as sql
from pipeline_core.engines.connection import Connection
from pipeline_core.records import Grid
from pipeline_core.stats.grids import CELLS, cells_of

GRID = Grid(column_id="x", kind="cells", centre=2.0, spread=3.0)


@pytest.mark.parametrize("starts", [(), (0, 10, 32_000, 33_000, 50_000)])
@pytest.mark.parametrize("wanted", [[0.0], [32_000.0], [50_000.0], [0.0, 33_000.0]])
def test_no_value_of_a_wanted_bin_is_left_out(starts: tuple[int, ...], wanted: list[float]) -> None:
    grid = replace(GRID, starts=starts)
    values = np.concatenate([np.random.default_rng(1).standard_t(1, 5_000), [-1e300, 1e300, 2.0]])
    connection = Connection(1, memory_limit="100MB", work=None)
    with connection.registered("t", pa.table({"x": values})):
        kept = connection.table(f"SELECT x FROM t WHERE {sql.within(np.array(wanted), grid)}").column("x").to_numpy()
    connection.close()
    assert set(values[np.isin(cells_of(values, grid), wanted)]) <= set(kept)


def test_many_parts_become_fewer() -> None:
    assert sql.within(np.arange(100.0, 900.0), GRID).count(" OR ") == 0
    assert sql.within(np.arange(100.0, 60_000.0, 1_000.0), GRID).count(" OR ") == sql.SPANS_MAX - 1
    # hardly anything lies between them
    assert sql.within(np.arange(100.0, 200.0, 3.0), GRID).count(" OR ") == 0
    assert sql.within(np.array([1.0, 2.0, 3.0]), GRID, between=np.array([0.5, 0.0])).count(" OR ") == 1
    assert sql.within(np.array([0.0, CELLS - 1.0]), replace(GRID, starts=(0,)))[:4] == "true"


def test_the_widest_gaps_are_left_out() -> None:
    wanted = np.append(np.arange(30_000.0, 30_900.0, 3.0), 60_000.0)
    values = np.array([GRID.centre, 5.0])  # cells 32,767 and 49,151 are between the last two
    connection = Connection(1, memory_limit="100MB", work=None)
    with connection.registered("t", pa.table({"x": values})):
        kept = connection.table(f"SELECT x FROM t WHERE {sql.within(wanted, GRID)}").num_rows
    connection.close()
    assert kept == 0


def test_files_and_times_are_quoted() -> None:
    assert sql.scan([Path("it's.parquet")]) == "read_parquet(['it''s.parquet'])"
    assert sql.scan([Path("a"), Path("b")]).endswith("union_by_name = true)")
    until = datetime(2026, 1, 2, tzinfo=UTC)
    assert sql.between(None, None) == ""
    assert sql.between(None, until) == " WHERE event_at < TIMESTAMP '2026-01-02 00:00:00.000000'"


@pytest.mark.parametrize("value", [0.1, -1e-308, 5e300])
def test_numbers_are_read_back_as_they_are(value: float) -> None:
    connection = Connection(1, memory_limit="100MB", work=None)
    assert connection.table(f"SELECT {sql.double(value)} AS x").column("x").to_pylist() == [value]
    connection.close()
