"""What a year of stored day counts costs: ``python -m tests.bench.summing NAME FOLDER`` prints one JSON line.

A home holds 365 days x 100 features (70 numbers in 2,000 bins, 30 categories of 5 to 34 levels), 32 million counts. No row
is read. CPU is user and system time after the imports and after the home is open.
"""

from __future__ import annotations

import importlib
import json
import resource
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.bench.workloads import peak_mib

MODEL = "bench"
DAYS, NUMBERS, CATEGORIES, BINS = 365, 70, 30, 2_000
FIRST, DAY = datetime(2025, 1, 1, tzinfo=UTC), timedelta(days=1)
ZONE = "UTC"

Work = Callable[[], int]
"""Does the work and gives how many rows were counted in all, so that nothing is left out."""

# each bin has rows on two days of three, as 2,000 rows a day would have it
_COUNTS = """
INSERT INTO day_counts (model, batch_id, column_id, bucket, cell, level, n)
SELECT '{model}', printf('b-%04d', d + 1), printf('c%03d', c + 1), TIMESTAMP '{first}' + d * INTERVAL 1 DAY,
    CASE WHEN c < {numbers} THEN b * 32.0 END, CASE WHEN c >= {numbers} THEN printf('level %03d', b) END,
    1 + hash(d, c, b) % 3
FROM range({start}, {end}) days(d), range({columns}) columns(c), range({bins}) bins(b)
WHERE CASE WHEN c < {numbers} THEN hash(b, c, d) % 100 < 63 ELSE b < 5 + c - {numbers} END ORDER BY d, c, b
"""


def make(where: Path) -> None:
    """Make the home unless it is there."""
    from pipeline_core.records import Column, ColumnType, Grid, Role, Schema, Task, TimeUnit
    from pipeline_core.store.home import Store

    if (where / "year").exists():
        return
    names = [f"c{place + 1:03d}" for place in range(NUMBERS + CATEGORIES)]
    starts = tuple(range(0, BINS * 32, 32))
    kinds = [ColumnType.NUMBER] * NUMBERS + [ColumnType.CATEGORY] * CATEGORIES
    schema = Schema(
        model=MODEL,
        schema_version=1,
        task=Task.BINARY,
        columns=tuple(
            Column(column_id=n, name=n, type=k, role=Role.FEATURE) for n, k in zip(names, kinds, strict=True)
        ),
        baselines=(),
        grids=tuple(
            Grid(column_id=n, kind="cells", starts=starts)
            if k is ColumnType.NUMBER
            else Grid(column_id=n, kind="level")
            for n, k in zip(names, kinds, strict=True)
        ),
        time_unit=TimeUnit.CLOCK,
        defined_at=FIRST,
    )
    unfinished = where / "year.part"
    shutil.rmtree(unfinished, ignore_errors=True)
    with Store.open(unfinished) as store:
        store.models.define(schema)
        database = store._database
        for start in range(0, DAYS, 5):
            with database.transaction():
                database.run(
                    _COUNTS.format(
                        model=MODEL,
                        first=FIRST.replace(tzinfo=None),
                        numbers=NUMBERS,
                        columns=NUMBERS + CATEGORIES,
                        bins=BINS,
                        start=start,
                        end=min(DAYS, start + 5),
                    )
                )
    unfinished.rename(where / "year")


def a_window(where: Path) -> Work:
    """Sum the newest 30 days of all features."""
    from pipeline_core.stats.cubes import cubes
    from pipeline_core.store.home import Store

    store = Store.open(where / "year")
    start = FIRST + (DAYS - 30) * DAY

    def work() -> int:
        table = store.day_counts.windows(MODEL, {start + i * DAY: start for i in range(30)})
        return sum(int(cube.rows.sum()) for cube in cubes(table, [start]).values())

    return work


def _windows(where: Path, *, length: int) -> Iterator[tuple[str, object]]:
    """Give the cubes of all windows of a year, column by column, as a check counts them."""
    from zoneinfo import ZoneInfo

    from pipeline_core.engines.duck import DuckEngine, Rows
    from pipeline_core.flows import sides
    from pipeline_core.flows.windows import Length, spans
    from pipeline_core.records import TimeUnit
    from pipeline_core.store.home import Store

    with Store.open(where / "year") as store, DuckEngine() as engine:
        grids = store.models.schema(MODEL).grids
        desk = sides.Desk(store=store, engine=engine, model=MODEL, zone=ZoneInfo(ZONE), grids=grids)
        side = sides.by_day(desk, Rows(files=()), batch_ids=None)
        laid = spans(Length(days=length), side.all_days, TimeUnit.CLOCK)
        side = sides.in_time(desk, side, laid, fine=False)
        for column_id, (cube,) in sides.cubes_of(desk, (side,)):
            yield column_id, cube


def a_check(where: Path, *, length: int, compared: bool = False) -> Work:
    """Count all windows of the year; ``compared``: hold each against all the others."""
    import numpy as np

    from pipeline_core.stats.cubes import Cube
    from pipeline_core.stats.moves import moves

    importlib.import_module("pipeline_core.flows.sides")

    def work() -> int:
        rows = 0
        for _, cube in _windows(where, length=length):
            assert isinstance(cube, Cube)
            rows += int(cube.rows.sum())
            if compared:
                base, by_level = cube.selected(~np.eye(cube.windows, dtype=bool)), cube.keys.dtype == object
                moves(base, cube, by_level=by_level, celled=not by_level)
        return rows

    return work


WORKS: dict[str, Callable[[Path], Work]] = {
    "window": a_window,
    "months": lambda where: a_check(where, length=30),
    "weeks": lambda where: a_check(where, length=7),
    "days": lambda where: a_check(where, length=1),
    "days compared": lambda where: a_check(where, length=1, compared=True),
}
LABELS = {
    "window": "one window of 30 days",
    "months": "a year in windows of 30 days",
    "weeks": "a year in windows of 7 days",
    "days": "a year in windows of 1 day",
    "days compared": "the same, each held against all others",
}


def python_for(_name: str) -> str:
    """Everything can be done everywhere."""
    return sys.executable


def main(name: str, where: Path) -> None:
    """Do one piece of work and print what it cost."""
    work = WORKS[name](where)
    importlib.import_module(
        "pandas"
    )  # pyarrow would load it at the first conversion: an import, taken off like the others
    before, wall = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    rows = work()
    after, wall_s = resource.getrusage(resource.RUSAGE_SELF), time.monotonic() - wall
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"cpu_s": cpu_s, "wall_s": wall_s, "peak_mib": peak_mib(), "rows": rows}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
