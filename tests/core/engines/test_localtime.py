"""Days of a zone, counted by constants, are those of the zone's rules."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline_core.clock import midnight
from pipeline_core.engines import dense
from pipeline_core.engines.duck import DuckEngine, Rows
from pipeline_core.engines.localtime import in_utc, offsets, on_the_wall
from pipeline_core.records import COUNTS, Grid
from pipeline_core.stages import profiling

HOUR = timedelta(hours=1)
ZONES = [
    "UTC",
    "Europe/London",
    "Europe/Berlin",
    "America/New_York",
    "Pacific/Auckland",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
]
GRIDS = (Grid(column_id="c001", kind="cells", starts=(0, 32_768)), Grid(column_id="c002", kind="level"))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_clocks_change_at_the_second() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert offsets(berlin, at("2025-03-01T05:06:07.8"), at("2025-12-01")) == [
        (at("2025-03-01T05:06:07.8"), HOUR),
        (at("2025-03-30T01:00"), 2 * HOUR),
        (at("2025-10-26T01:00"), HOUR),
    ]
    assert offsets(berlin, at("2025-06-01"), at("2025-06-01")) == [(at("2025-06-01"), 2 * HOUR)]
    ends = offsets(berlin, at("0001-01-01"), datetime.max.replace(tzinfo=UTC))
    assert (ends[0][1], ends[-1][1]) == (timedelta(), timedelta())
    assert [since.year for since, _ in ends[:2]] == [1, 1900]
    assert ends[-1][0] == at("2101-01-01")


def test_what_clocks_showed_is_written_with_a_case_for_each_change() -> None:
    kolkata = ZoneInfo("Asia/Kolkata")
    assert on_the_wall(kolkata, at("2025-01-01"), at("2026-01-01")) == "event_at + INTERVAL '19800 seconds'"
    found = on_the_wall(ZoneInfo("Europe/Berlin"), at("2025-03-01"), at("2025-04-01"))
    assert found == (
        "CASE WHEN event_at < TIMESTAMP '2025-03-30 01:00:00.000000' THEN event_at + INTERVAL '3600 seconds'"
        " ELSE event_at + INTERVAL '7200 seconds' END"
    )


def test_days_get_the_moment_at_which_they_began() -> None:
    days = [datetime(2025, 3, 30), None, datetime(2025, 3, 31), datetime(2025, 3, 30)]  # ruff: ignore[call-datetime-without-tzinfo] - as counts have it
    counts = pa.table(
        {"column_id": ["a"] * 4, "bucket": days, "cell": [1.0] * 4, "level": [None] * 4, "n": [1] * 4}, schema=COUNTS
    )
    found = in_utc(counts, ZoneInfo("Europe/Berlin"))
    assert found.schema == COUNTS
    assert [None if b is None else b.isoformat() for b in found.column("bucket").to_pylist()] == [
        "2025-03-29T23:00:00", None, "2025-03-30T22:00:00", "2025-03-29T23:00:00",
    ]  # fmt: skip


@pytest.mark.parametrize("arrays", [True, False])
@pytest.mark.parametrize("name", ZONES)
def test_rows_are_counted_by_the_days_of_the_zone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, *, arrays: bool
) -> None:
    zone, random = ZoneInfo(name), np.random.default_rng(4)
    changes = [
        at(t)
        for t in ("2025-03-30T01:00", "2025-10-26T01:00", "2025-03-09T07:00", "2025-04-05T14:00", "2025-04-05T15:00")
    ]
    moments = [c + int(m) * timedelta(minutes=7) for c in changes for m in random.integers(-400, 400, 150)]
    moments += [
        at("1850-06-01T12:00"),
        at("9999-12-31T23:30"),
        *changes,
        *(c - timedelta(microseconds=1) for c in changes),
    ]
    table = pa.table({
        "event_at": pa.array([*(m.replace(tzinfo=None) for m in moments), None], pa.timestamp("us")),
        "c001": random.normal(size=len(moments) + 1),
        "c002": ["a"] * (len(moments) + 1),
    })
    pq.write_table(table, tmp_path / "a.parquet")
    expected = dict(sorted(Counter(midnight(m, zone) for m in moments).items()))
    if not arrays:
        monkeypatch.setattr(dense, "NUMBERS_MAX", 0)
    with DuckEngine() as engine:
        counts = engine.counts([tmp_path / "a.parquet"], GRIDS, buckets=zone)
        assert engine.days(Rows(files=(tmp_path / "a.parquet",)), buckets=zone) == expected
    for grid in GRIDS:
        own = counts.filter(pa.compute.equal(counts.column("column_id"), grid.column_id))
        found = profiling.rows_by_bucket(own)
        assert found.pop(None) == 1
        assert dict(sorted(found.items(), key=str)) == dict(sorted(expected.items(), key=str))
