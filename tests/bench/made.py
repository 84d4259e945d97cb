"""The rows that the bench runs on: made once from a seed, kept in a cache folder."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline_core.records import Column, ColumnType, Grid, Role, Schema, Task, TimeUnit, dump_text, load
from pipeline_core.stats.grids import CELLS, bin_starts, cells_of

ROWS = 1_000_000
NUMBERS, LEVELS = 20, (3, 5, 8, 12, 20, 30, 50, 80, 120, 200)
NULL_SHARE = 0.05
ROW_GROUP = 122_880
SAMPLE = 50_000
DISTINCT_MAX = 10_000


def folder() -> Path:
    """Give the cache folder: $BENCH_DIR, or pipeline-bench in the temporary folder."""
    return Path(os.environ.get("BENCH_DIR") or Path(tempfile.gettempdir()) / "pipeline-bench")


def make(where: Path, millions: int = 1) -> None:
    """Make reference.parquet, current.parquet and schema.json unless they are there."""
    if (where / "schema.json").exists():
        return
    where.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(7)
    first = _write(rng, where / "reference.parquet", millions, shift=0.0)
    _write(rng, where / "current.parquet", millions, shift=0.05)
    (where / "schema.json").write_text(dump_text(_schema(first)), encoding="utf-8")


def _write(rng: np.random.Generator, file: Path, millions: int, *, shift: float) -> pa.Table:
    """Draw and write a million rows after the other; give the first rows."""
    first = table(rng, ROWS, shift=shift)
    with pq.ParquetWriter(file, first.schema, compression="zstd") as writer:
        writer.write_table(first, row_group_size=ROW_GROUP)
        for _ in range(1, millions):
            writer.write_table(table(rng, ROWS, shift=shift), row_group_size=ROW_GROUP)
    return first.slice(0, SAMPLE)


def schema(where: Path) -> Schema:
    """Read the schema that belongs to the rows."""
    return load(Schema, (where / "schema.json").read_text(encoding="utf-8"))


def table(rng: np.random.Generator, rows: int, *, shift: float) -> pa.Table:
    """Draw numbers and categories, 5 % of each null."""
    columns: dict[str, pa.Array] = {}
    for place in range(NUMBERS):
        values = _numbers(rng, place, rows) + (shift if place % 4 == 0 else 0.0)
        columns[f"c{place + 1:03d}"] = pa.array(values, mask=rng.random(rows) < NULL_SHARE)
    for place, count in enumerate(LEVELS):
        drawn = np.minimum(rng.exponential(count / 4, size=rows).astype(np.int32), count - 1)
        names = pa.array([f"level {i:03d}" for i in range(count)])
        encoded = pa.DictionaryArray.from_arrays(pa.array(drawn, mask=rng.random(rows) < NULL_SHARE), names)
        columns[f"c{NUMBERS + place + 1:03d}"] = encoded.cast(pa.string())
    return pa.table(columns)


def _numbers(rng: np.random.Generator, place: int, rows: int) -> np.ndarray:
    if place < 8:
        return rng.normal(loc=place, scale=1 + place, size=rows)
    if place < 12:
        return rng.standard_t(df=1.5, size=rows)
    if place < 16:
        return rng.lognormal(mean=8, sigma=2, size=rows)
    return rng.poisson(lam=4 ** (place - 14), size=rows).astype(np.float64)


def _schema(rows: pa.Table) -> Schema:
    columns, grids = [], []
    for name in rows.column_names:
        number = rows.schema.field(name).type == pa.float64()
        kind = ColumnType.NUMBER if number else ColumnType.CATEGORY
        columns.append(Column(column_id=name, name=name, type=kind, role=Role.FEATURE))
        grids.append(_grid(name, rows.column(name).slice(0, SAMPLE)) if number else Grid(column_id=name, kind="level"))
    return Schema(
        model="bench",
        schema_version=1,
        task=Task.BINARY,
        columns=tuple(columns),
        baselines=(),
        grids=tuple(grids),
        time_unit=TimeUnit.NONE,
        defined_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def _grid(name: str, sample: pa.ChunkedArray) -> Grid:
    values = sample.drop_null().to_numpy()
    if len(np.unique(values)) <= DISTINCT_MAX:
        return Grid(column_id=name, kind="value")
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    grid = Grid(column_id=name, kind="cells", centre=float(middle), spread=float(high - low))
    rows = np.bincount(cells_of(values, grid).astype(np.intp), minlength=CELLS)
    return replace(grid, starts=bin_starts(rows))
