from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline_core.engines import spark as spark_module
from pipeline_core.engines.duck import DuckEngine, Rows
from pipeline_core.engines.spark import SparkEngine
from pipeline_core.errors import Unreadable
from pipeline_core.records import Grid
from pipeline_core.stats.grids import CELLS
from tests.servers import spark_master

BERLIN = ZoneInfo("Europe/Berlin")
GRIDS = (
    Grid(column_id="c001", kind="cells", centre=3.0, spread=2.0, starts=tuple(range(0, CELLS, 32))),
    Grid(column_id="c002", kind="cells", centre=-1.0, spread=0.5),
    Grid(column_id="c003", kind="value"),
    Grid(column_id="c004", kind="level"),
)
NAMES = {"c001": 'in"come`', "c002": "; DROP TABLE x --", "c003": "children", "c004": "<b>city</b>"}
HOSTILE = ["a", "b'c", 'd"e', "`f`", "ä ö", "{{x}}", None]


def rows(count: int = 4_000) -> dict[str, Any]:
    random = np.random.default_rng(5)
    number = random.normal(3, 2, count)
    number[:9] = [0.0, -0.0, 1e38, -1e38, 5e-324, -5e-324, 3.0, np.nextafter(3.0, 4), np.nextafter(3.0, 2)]
    # both nights on which clocks change in Berlin, by the half hour
    first = datetime(2025, 3, 29, 20, tzinfo=UTC)
    times = [first + timedelta(minutes=30 * int(at)) for at in random.integers(0, 48 * 220, count)]
    return {
        "c001": pa.array(number, mask=random.random(count) < 0.1),
        "c002": pa.array(random.standard_t(2, count)),
        "c003": pa.array(np.where(random.random(count) < 0.3, -0.0, random.integers(0, 4, count).astype(float))),
        "c004": pa.array([HOSTILE[at] for at in random.integers(0, len(HOSTILE), count)]),
        "when": pa.array(times, pa.timestamp("us", "UTC")),
    }


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same rows as the store keeps them, and as a stranger's table has them."""
    spark_master()
    folder, columns = tmp_path_factory.mktemp("spark"), rows()
    ours, theirs = folder / "ours.parquet", folder / "theirs" / "part-0.parquet"
    theirs.parent.mkdir()
    naive = columns["when"].cast(pa.timestamp("us"))
    pq.write_table(pa.table({**{n: columns[n] for n in NAMES}, "event_at": naive}), ours)
    pq.write_table(pa.table({**{NAMES[n]: columns[n] for n in NAMES}, "when": columns["when"]}), theirs)
    return ours, theirs.parent


@pytest.fixture(scope="module")
def spark(files: tuple[Path, Path]) -> Iterator[SparkEngine]:
    with SparkEngine(str(files[1]), columns=NAMES, time="when", zone=BERLIN) as engine:
        yield engine


def told(counts: pa.Table) -> list[tuple[Any, ...]]:
    return sorted((r["column_id"], r["bucket"], str(r["cell"]), str(r["level"]), r["n"]) for r in counts.to_pylist())


def test_counts_are_bit_by_bit_those_of_duckdb(spark: SparkEngine, files: tuple[Path, Path]) -> None:
    with DuckEngine() as duck:
        days = duck.days(Rows(files=(files[0],)), buckets=BERLIN)
        assert spark.days() == days
        assert sum(days.values()) == 4_000
        ours = duck.counts([files[0]], GRIDS, buckets=BERLIN)
    theirs = spark.counts(GRIDS, buckets={day: day for day in days})
    assert theirs.schema.equals(ours.schema)
    assert told(theirs) == told(ours)


def test_days_are_put_together_and_the_rest_is_left_out(spark: SparkEngine, files: tuple[Path, Path]) -> None:
    days = list(spark.days())
    weeks = {day: days[at // 7 * 7] for at, day in enumerate(days[:70])}
    with DuckEngine() as duck:
        edges = [*dict.fromkeys(weeks.values()), days[70]]
        ours = duck.counts([files[0]], GRIDS, buckets=edges, since=days[0], until=days[70])
    assert told(spark.counts(GRIDS, buckets=weeks)) == told(ours)


def test_only_rows_from_a_moment_on(spark: SparkEngine) -> None:
    days = list(spark.days())
    since = days[3] + timedelta(hours=7)
    later = spark.days(since=since)
    assert list(later) == days[3:]
    assert later[days[3]] < spark.days()[days[3]]
    counts = spark.counts(GRIDS[2:3], buckets={d: d for d in later}, since=since)
    assert sum(counts["n"].to_pylist()) == sum(later.values())


def test_columns_are_typed_as_at_the_door(tmp_path: Path) -> None:
    spark_master()
    table = pa.table({
        "number": [" 1.5 ", "x", "nan", "1e400", "-0.0"],
        "level": [" 12.0 ", "TRUE", "", "1.50", None],
        "whole": pa.array([7.0, 7.5, float("nan"), float("inf"), None]),
        "flag": [True, False, None, True, True],
        "nested": [[1], [2], [3], [4], [5]],
        "day": ["2025-05-01"] * 5,
    })
    pq.write_table(table, tmp_path / "t.parquet")
    ids = {"c001": "number", "c002": "level", "c003": "whole", "c004": "flag", "c005": "nested", "c006": "gone"}
    kinds = {"c001": "value", "c005": "value"}
    grids = [Grid(column_id=c, kind=kinds.get(c, "level")) for c in ids]
    with SparkEngine(str(tmp_path / "t.parquet"), columns=ids, time="day", zone=ZoneInfo("UTC")) as engine:
        days = engine.days()
        assert days == {datetime(2025, 5, 1, tzinfo=UTC): 5}
        counts = engine.counts(grids, buckets={d: d for d in days}).to_pylist()
    by_column: dict[str, dict[Any, int]] = {}
    for row in counts:
        by_column.setdefault(row["column_id"], {})[row["cell"] if row["level"] is None else row["level"]] = row["n"]
    assert by_column == {
        "c001": {1.5: 1, None: 3, 0.0: 1},
        "c002": {"12": 1, "true": 1, None: 2, "1.50": 1},
        "c003": {"7": 1, "7.5": 1, None: 3},
        "c004": {"true": 3, "false": 1, None: 1},
    }


@pytest.mark.parametrize(
    ("source", "time", "said"),
    [
        ("no_such_table", "when", "Spark could not read 'no_such_table'"),
        ("/no/such/folder", "when", "Spark could not read '/no/such/folder'"),
        (None, "gone", "has no event time: column 'gone' is not among"),
        (None, "children", "is there as double. A timestamp, a date or ISO 8601 text is needed."),
    ],
)
def test_what_cannot_be_read_is_said(files: tuple[Path, Path], source: str | None, time: str, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        SparkEngine(source or str(files[1]), columns=NAMES, time=time, zone=BERLIN)


def test_without_pyspark_a_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyspark.sql", None)
    with pytest.raises(Unreadable, match=r"pip install -r requirements-spark\.txt"):
        spark_module.SparkEngine("t", columns={}, time="t", zone=BERLIN)


def test_what_is_closed_leaves_no_view_and_the_cache_of_others(files: tuple[Path, Path]) -> None:
    with SparkEngine(str(files[1]), columns=NAMES, time="when", zone=BERLIN) as engine:
        session = engine.rows.sparkSession
        others = session.range(7).cache()
        days = engine.days()
        engine.counts(GRIDS[2:], buckets={d: d for d in days})
        bins = session.table("bins")
        assert bins.storageLevel.useMemory
    assert session.catalog.listTables() == []
    assert not bins.storageLevel.useMemory
    assert others.storageLevel.useMemory
    others.unpersist()
