"""What a row costs wherever it is counted: ``python -m tests.bench scale`` prints the table that docs/scale.md quotes.

One day of a million rows x 30 columns is counted by DuckDB and by local Spark on one core. CPU is of the process and its
children (Spark's Java is one); starting Spark is not counted, a first pass warms both.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline_core.engines.duck import DuckEngine
from pipeline_core.engines.spark import SparkEngine
from tests.bench import made

DAY = datetime(2026, 1, 1, tzinfo=UTC)
UTC_ZONE = ZoneInfo("UTC")
ONE_CORE = (
    "--master local[1] --driver-memory 4g --conf spark.ui.showConsoleProgress=false --conf spark.ui.enabled=false --conf spark.driver.bindAddress=127.0.0.1"
    " --conf spark.driver.host=127.0.0.1 --conf spark.sql.shuffle.partitions=2 --conf spark.log.level=ERROR pyspark-shell"
)


def _cpu_s(pid: int | None) -> float:
    if pid is None:
        own = resource.getrusage(resource.RUSAGE_SELF)
        return own.ru_utime + own.ru_stime
    ticks = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def _cost(work: Callable[[], pa.Table], pid: int | None = None) -> tuple[float, pa.Table]:
    work()
    spent: list[float] = []
    for _ in range(3):
        before = _cpu_s(pid)
        counts = work()
        spent.append(_cpu_s(pid) - before)
    return sorted(spent)[1], counts


def main(where: Path) -> None:
    """Print rows per core-second of both engines, and how large the counts of a day are."""
    made.make(where)
    file = where / "dated" / "day.parquet"
    if not file.exists():
        file.parent.mkdir(exist_ok=True)
        rows = pq.read_table(where / "current.parquet")
        stamp = pa.array([DAY.replace(tzinfo=None)], pa.timestamp("us"))
        rows = rows.append_column("event_at", pa.chunked_array([pc.take(stamp, pa.array([0] * len(rows)))]))
        pq.write_table(rows, file, row_group_size=made.ROW_GROUP)
    grids = made.schema(where).grids
    rows_n = pq.read_metadata(file).num_rows
    with DuckEngine(threads=1) as duck:
        cost, counts = _cost(lambda: duck.counts([file], grids, buckets=UTC_ZONE))
    found = {"DuckDB": cost}
    os.environ.setdefault("PYSPARK_SUBMIT_ARGS", ONE_CORE)
    names = {grid.column_id: grid.column_id for grid in grids}
    with SparkEngine(str(file.parent), columns=names, time="event_at", zone=UTC_ZONE) as spark:
        java = int(spark.rows.sparkSession.sparkContext._jvm.java.lang.ProcessHandle.current().pid())
        started = time.monotonic()
        found["Spark"], theirs = _cost(lambda: spark.counts(grids, buckets={DAY: DAY}), java)
        print(f"Spark took {time.monotonic() - started:.0f} s for four passes")
    key = [("column_id", "ascending"), ("cell", "ascending"), ("level", "ascending")]
    print("same counts:", theirs.sort_by(key).equals(counts.sort_by(key)))
    packed = pa.BufferOutputStream()
    pq.write_table(counts, packed, compression="zstd")
    print(f"{rows_n:,} rows x {len(grids)} columns")
    for name, spent in found.items():
        print(f"{name:8}{spent:8.2f} CPU s {rows_n / spent:12,.0f} rows a core-second")
    size = packed.tell()
    print(f"counts: {counts.num_rows:,} rows, {size:,} bytes as Parquet, {size / len(grids):,.0f} a day and column")
