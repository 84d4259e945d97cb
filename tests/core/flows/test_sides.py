"""Rows in windows, and their counts column by column."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from pipeline_core.engines.duck import DuckEngine
from pipeline_core.flows import sides
from pipeline_core.flows.sides import Desk
from pipeline_core.flows.windows import Span
from pipeline_core.store.home import Store
from tests.core.flows import watching
from tests.core.flows.watching import LATER, LEARNED, MODEL, ROWS_A_DAY, START

DAY = timedelta(days=1)
FIRST = datetime(2025, 1, 6, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with Store.open(watching.copied(tmp_path_factory.mktemp("sides"))) as store, DuckEngine() as engine:
        grids = store.models.schema(MODEL).grids
        yield Desk(store=store, engine=engine, model=MODEL, zone=ZoneInfo("UTC"), grids=grids)


def span(first: int, last: int) -> Span:
    return Span(bucket=FIRST + first * DAY, start=FIRST + first * DAY, end=FIRST + last * DAY)


def test_rows_by_day_are_told_by_the_store(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = sides.rows_of(desk.store, MODEL, ["b-0001", "b-0002", "b-0003"])
    with monkeypatch.context() as patched:
        patched.setattr(desk.engine, "days", None)
        side = sides.by_day(desk, everything, batch_ids=None)
    assert sum(side.days.values()) == LEARNED + LATER
    assert side.days == desk.engine.days(everything)
    assert (side.rest, side.spans) == (None, ())
    one = sides.by_day(desk, everything, batch_ids=("b-0001",))
    assert sum(one.days.values()) == LEARNED


def test_the_rest_of_the_first_day_is_read(desk: Desk) -> None:
    since = START + 4 * DAY + timedelta(minutes=1)
    source = sides.rows_of(desk.store, MODEL, ["b-0001"])
    side = sides.by_day(desk, replace(source, since=since, until=FIRST + 6 * DAY), batch_ids=("b-0001",))
    assert (side.rest, list(side.days)) == (FIRST + 5 * DAY, [FIRST + 5 * DAY])
    assert side.rest_rows == sum(since <= START + i * watching.STEP < FIRST + 5 * DAY for i in range(LEARNED))
    assert side.all_days == {since: side.rest_rows, FIRST + 5 * DAY: ROWS_A_DAY}


def test_windows_may_overlap_and_leave_gaps(desk: Desk) -> None:
    side = sides.by_day(desk, sides.rows_of(desk.store, MODEL, ["b-0001", "b-0002", "b-0003"]), batch_ids=None)
    laid = [span(1, 3), span(2, 5), span(9, 10), span(90, 91)]
    found = sides.in_time(desk, side, laid, fine=False)
    assert found.counts == (2 * ROWS_A_DAY, 3 * ROWS_A_DAY, ROWS_A_DAY)
    assert [s.whole for s in found.spans] == [True] * 3
    by_rows = sides.in_time(desk, side, laid, fine=True)
    assert (by_rows.counts, by_rows.fine) == (found.counts, True)
    cubes = dict(sides.cubes_of(desk, (found, by_rows)))
    assert list(cubes) == [g.column_id for g in desk.grids]
    for one, other in cubes.values():
        assert one.rows.tolist() == list(found.counts)
        assert one.keys.tolist() == other.keys.tolist()
        assert (one.n == other.n).all()
        assert one.nulls.tolist() == other.nulls.tolist()
    twice = sides.in_time(desk, side, [span(1, 2), span(1, 3)], fine=False)
    for _, (one,) in sides.cubes_of(desk, (twice,)):
        assert one.rows.tolist() == [ROWS_A_DAY, 2 * ROWS_A_DAY]
    assert sides.newest(found, 2).counts == found.counts[1:]
    assert sides.in_time(desk, side, [], fine=False).spans == ()


def test_a_store_without_day_counts_is_read(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    source = sides.rows_of(desk.store, MODEL, ["b-0001"])
    monkeypatch.setattr(desk.store.day_counts, "rows", lambda *_, **__: {})
    assert sides.by_day(desk, source, batch_ids=("b-0001",)).days == desk.engine.days(source)


def test_lost_files_are_left_out(tmp_path: Path) -> None:
    with Store.open(watching.copied(tmp_path)) as store:
        store.batches.rows_paths(MODEL, ["b-0002"])[0].unlink()
        assert len(sides.rows_of(store, MODEL, ["b-0001", "b-0002", "b-0003"]).files) == 2


def test_midnights(desk: Desk) -> None:
    assert sides.next_midnight(FIRST, desk.zone) == FIRST + DAY
    assert sides.next_midnight(FIRST - timedelta(microseconds=1), desk.zone) == FIRST
    assert sides.next_midnight(datetime(2025, 3, 30, tzinfo=UTC), BERLIN) == datetime(2025, 3, 30, 22, tzinfo=UTC)
    assert sides.of_days(desk, [span(1, 3)])
    berlin = replace(desk, zone=BERLIN)
    assert not sides.of_days(berlin, [span(1, 3)])
    assert sides.micros([datetime(1970, 1, 1, tzinfo=UTC) + sides.INSTANT]).tolist() == [1]
