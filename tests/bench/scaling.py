"""What a row costs wherever it is counted: ``python -m tests.bench scale`` prints the table that docs/scale.md quotes.

One day of a million rows x 30 columns, and of four million, is counted by DuckDB and by local Spark on one core: the
difference is what a row costs, the rest what a pass costs. CPU is of the process, or of Spark's Java; a first pass warms both.
"""

from __future__ import annotations

import os
import resource
import statistics
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
COPIES = 4
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


def _cost(work: Callable[[], pa.Table], pid: int | None = None, *, passes: int = 3) -> tuple[float, pa.Table]:
    work()
    spent: list[float] = []
    for _ in range(passes):
        before = _cpu_s(pid)
        counts = work()
        spent.append(_cpu_s(pid) - before)
    return statistics.median(spent), counts


def _days(where: Path, copies: int) -> Path:
    """Give a folder that holds the day ``copies`` times."""
    folder = where / f"dated-{copies}"
    folder.mkdir(exist_ok=True)
    first = folder / "0.parquet"
    if not first.exists():
        rows = pq.read_table(where / "current.parquet")
        stamp = pa.array([DAY.replace(tzinfo=None)], pa.timestamp("us"))
        rows = rows.append_column("event_at", pa.chunked_array([pc.take(stamp, pa.array([0] * len(rows)))]))
        pq.write_table(rows, first, row_group_size=made.ROW_GROUP)
    for copy in range(1, copies):
        if not (folder / f"{copy}.parquet").exists():
            (folder / f"{copy}.parquet").hardlink_to(first)
    return folder


def main(where: Path) -> None:
    """Print rows per core-second of both engines, and how large the counts of a day are."""
    made.make(where)
    folders = {copies: _days(where, copies) for copies in (1, COPIES)}
    grids = made.schema(where).grids
    found: dict[str, dict[int, float]] = {"DuckDB": {}, "Spark": {}}
    counted: dict[str, dict[int, pa.Table]] = {"DuckDB": {}, "Spark": {}}
    with DuckEngine(threads=1) as duck:
        for copies, folder in folders.items():
            files = sorted(folder.glob("*.parquet"))
            found["DuckDB"][copies], counted["DuckDB"][copies] = _cost(
                lambda files=files: duck.counts(files, grids, buckets=UTC_ZONE)
            )
    os.environ.setdefault("PYSPARK_SUBMIT_ARGS", ONE_CORE)
    names = {grid.column_id: grid.column_id for grid in grids}
    for copies, folder in folders.items():
        with SparkEngine(str(folder), columns=names, time="event_at", zone=UTC_ZONE) as spark:
            java = int(spark.rows.sparkSession.sparkContext._jvm.java.lang.ProcessHandle.current().pid())
            cost = _cost(lambda spark=spark: spark.counts(grids, buckets={DAY: DAY}), java, passes=1)
            found["Spark"][copies], counted["Spark"][copies] = cost
    key = [("column_id", "ascending"), ("cell", "ascending"), ("level", "ascending")]
    same = all(
        counted["Spark"][copies].sort_by(key).equals(counted["DuckDB"][copies].sort_by(key)) for copies in folders
    )
    print("same counts:", same)
    print(f"{made.ROWS:,} and {COPIES * made.ROWS:,} rows x {len(grids)} columns, one core")
    for name, spent in found.items():
        more = (COPIES - 1) * made.ROWS / (spent[COPIES] - spent[1])
        fixed = spent[1] - made.ROWS / more
        print(
            f"{name:8}{spent[1]:8.2f} and {spent[COPIES]:.2f} CPU s: {more:10,.0f} rows a core-second, {fixed:.1f} s a pass"
        )
    counts = counted["DuckDB"][1]
    packed = pa.BufferOutputStream()
    pq.write_table(counts, packed, compression="zstd")
    size = packed.tell()
    print(f"counts: {counts.num_rows:,} rows, {size:,} bytes as Parquet, {size / len(grids):,.0f} a day and column")
