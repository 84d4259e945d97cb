"""Counting into arrays gives what counting by hash gives."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline_core.engines import dense
from pipeline_core.engines.duck import DuckEngine
from pipeline_core.records import COUNTS, Grid
from pipeline_core.stats.grids import CELLS, bin_starts, cells_of

FINE = Grid(column_id="c001", kind="cells", centre=0.0, spread=1.35)
STARTS = bin_starts(
    np.bincount(cells_of(np.random.default_rng(3).standard_t(2, 9_000), FINE).astype(np.intp), minlength=CELLS)
)
BINNED = replace(FINE, starts=STARTS)
GRIDS = (BINNED, replace(BINNED, column_id="c002", starts=(0, 32_768)), replace(FINE, column_id="c003"))


def write(folder: Path, count: int, *, seed: int, first: datetime) -> Path:
    random = np.random.default_rng(seed)
    moments = [None if i % 17 == 0 else first + timedelta(hours=7 * i) for i in range(count)]
    table = pa.table({
        "event_at": pa.array(moments, pa.timestamp("us")),
        "c001": pa.array(random.standard_t(2, count), mask=random.random(count) < 0.1),
        "c002": pa.array([[1e300, -1e300, 0.0, None, float("nan")][i % 5] for i in range(count)], pa.float64()),
        "c003": pa.array(random.standard_t(2, count), mask=random.random(count) < 0.1),
    })
    pq.write_table(table, folder / f"{seed}.parquet", row_group_size=100)
    return folder / f"{seed}.parquet"


def as_dict(table: pa.Table) -> dict[tuple[object, ...], int]:
    found = {(r["column_id"], r["bucket"], r["cell"], r["level"]): r["n"] for r in table.to_pylist()}
    assert len(found) == table.num_rows
    return found


@pytest.mark.parametrize("buckets", ["day", "one"])
@pytest.mark.parametrize("first", [datetime(2026, 3, 28), datetime(1969, 12, 20, 5)])  # ruff: ignore[call-datetime-without-tzinfo]
def test_both_ways_of_counting_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, buckets: str, first: datetime
) -> None:
    files = [write(tmp_path, 400, seed=1, first=first), write(tmp_path, 30, seed=2, first=first)]
    with DuckEngine() as engine:
        one = engine.counts(files, GRIDS, buckets=buckets)
        monkeypatch.setattr(dense, "NUMBERS_MAX", 0)
        other = engine.counts(files, GRIDS, buckets=buckets)
    assert one.schema == COUNTS
    assert as_dict(one) == as_dict(other)


def test_bins_are_those_of_numpy(tmp_path: Path) -> None:
    file = write(tmp_path, 500, seed=4, first=datetime(2026, 1, 1))  # ruff: ignore[call-datetime-without-tzinfo]
    with DuckEngine() as engine:
        found = as_dict(engine.counts([file], [BINNED], buckets="one"))
    values = pq.read_table(file).column("c001")
    cells, n = np.unique(cells_of(values.drop_null().to_numpy(), BINNED), return_counts=True)
    expected = {("c001", None, cell, None): rows for cell, rows in zip(cells.tolist(), n.tolist(), strict=True)}
    assert found == {**expected, ("c001", None, None, None): values.null_count}


def test_rows_that_have_no_time_at_all(tmp_path: Path) -> None:
    pq.write_table(
        pa.table({
            "event_at": pa.array([None, None], pa.timestamp("us")),
            "c001": [1.0, None],
            "c002": [1.0, 1.0],
            "c003": [1.0, 1.0],
        }),
        tmp_path / "a.parquet",
    )
    with DuckEngine() as engine:
        found = engine.counts([tmp_path / "a.parquet"], GRIDS)
    assert found.column("bucket").null_count == found.num_rows == 4


def test_what_fits() -> None:
    assert dense.suited(BINNED)
    assert dense.suited(FINE)
    assert not dense.suited(Grid(column_id="c001", kind="value"))
    few = dense.Days(first=0, count=dense.NUMBERS_MAX // (len(STARTS) + 1) - 1)
    assert dense.fits([BINNED], few)
    assert not dense.fits([BINNED], replace(few, count=few.count + 1))
