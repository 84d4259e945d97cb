"""Which rows are watched, which were learned from, and both of them in windows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest

from pipeline_core.clock import midnight
from pipeline_core.engines.duck import DuckEngine
from pipeline_core.errors import InvalidDefinition
from pipeline_core.flows import intake, watched
from pipeline_core.flows.sides import Side
from pipeline_core.flows.watched import Cut
from pipeline_core.flows.windows import Length, Span
from pipeline_core.records import ModelVersion
from pipeline_core.stats.cubes import Cube
from pipeline_core.store.home import Store
from tests.core.flows import watching
from tests.core.flows.watching import LATER, LEARNED, MODEL, START, STEP

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
EVENTS = [START + i * STEP for i in range(LEARNED + LATER)]
TIMES = ["1d", "2d", "7d", "30d", "1mo", "7d/1d", "3d/2d", "6h", "12h/6h", "1d/8h"]


@pytest.fixture(scope="module", params=[None, "America/New_York"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with Store.open(watching.copied(tmp_path_factory.mktemp("watched"), zone=request.param)) as opened:
        yield opened


@pytest.fixture(scope="module")
def timeless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with Store.open(watching.copied(tmp_path_factory.mktemp("timeless"), time=None)) as opened:
        yield opened


@pytest.fixture
def engine() -> Iterator[DuckEngine]:
    with DuckEngine() as opened:
        yield opened


def seated(store: Store) -> ModelVersion:
    champion = store.models.champion(MODEL)
    assert champion is not None
    return champion


def zone(store: Store) -> ZoneInfo:
    return ZoneInfo(store.models.schema(MODEL).zone)


def cubes(store: Store, engine: DuckEngine, cut: Cut) -> dict[str, tuple[Cube, Cube]]:
    seen = watched.watched(store, seated(store))
    return {name: (now, then) for name, now, then in watched.counted(store, engine, seen, cut)}


def test_rows_from_the_hold_out_on_are_watched(store: Store, engine: DuckEngine) -> None:
    champion = seated(store)
    seen = watched.watched(store, champion)
    assert seen.rows.since == champion.dataset.holdout_from
    assert [b.batch_id for b in seen.batches] == ["b-0003", "b-0002", "b-0001"]
    assert seen.batch_ids is None
    assert {g.column_id: g.kind for g in seen.grids} == {"c003": "cells", "c004": "value", "c005": "level"}
    assert sum(engine.days(seen.rows).values()) == LEARNED + LATER - champion.dataset.fit_rows


@pytest.mark.parametrize("window", [*TIMES, "100rows"])
def test_every_watched_row_is_counted_in_each_window_that_holds_it(
    store: Store, engine: DuckEngine, window: str
) -> None:
    seen = watched.watched(store, seated(store))
    cut = watched.cut(store, engine, seen, window=window)
    since = seen.rows.since
    assert since is not None
    later = [e for e in EVENTS if e >= since]
    if window.endswith("rows"):
        assert cut.rows == (100,) * (len(later) // 100) + (len(later) % 100,)
        assert [s.start for s in cut.spans] == later[::100]
    else:
        assert cut.rows == tuple(sum(s.start <= e < s.end for e in later) for s in cut.spans)
    counted = cubes(store, engine, cut)
    assert list(counted) == ["c003", "c004", "c005"]
    for now, then in counted.values():
        assert tuple(now.rows.tolist()) == cut.rows
        assert tuple(then.rows.tolist()) == cut.reference_rows
    assert sum(cut.rows) >= len(later) or "/" in window


@pytest.mark.parametrize("window", [*TIMES, "100rows"])
def test_the_reference_holds_every_row_of_the_dataset_once(store: Store, engine: DuckEngine, window: str) -> None:
    dataset = seated(store).dataset
    cut = watched.cut(store, engine, watched.watched(store, seated(store)), window=window)
    learned = EVENTS[:LEARNED]
    assert dataset.rows == LEARNED == sum(cut.reference_rows)
    if not window.endswith("rows"):
        assert cut.reference_rows == tuple(sum(s.start <= e < s.end for e in learned) for s in cut.reference)
        assert all(a.end <= b.start for a, b in zip(cut.reference, cut.reference[1:], strict=False))
    if "/" not in window and not window.endswith("rows"):
        assert {s.start for s in cut.reference} & {s.start for s in cut.spans}  # the hold-out is in both
    assert [s.whole for s in cut.reference][1:-1] == [True] * (len(cut.reference) - 2)


def test_the_first_and_the_last_window_are_not_whole(store: Store, engine: DuckEngine) -> None:
    cut = watched.cut(store, engine, watched.watched(store, seated(store)), window="7d")
    assert [s.whole for s in cut.spans] == [False, *[True] * (len(cut.spans) - 2), False]
    assert {s.start.astimezone(zone(store)).weekday() for s in cut.spans} == {0}
    assert {s.start.astimezone(zone(store)).hour for s in cut.spans} == {0}


@pytest.mark.parametrize("window", ["1d", "7d", "10d", "6h", "3d/1d"])
@pytest.mark.parametrize(
    "since",
    [
        datetime(2025, 1, 9, tzinfo=UTC),
        datetime(2025, 1, 13, 5, tzinfo=UTC),
        datetime(2025, 1, 9, 12, 1, tzinfo=UTC),
        datetime(2025, 1, 12, 23, 59, tzinfo=UTC),
        datetime(2025, 1, 23, 19, 0, tzinfo=UTC),
    ],
)
def test_no_fitted_row_is_in_a_window(store: Store, engine: DuckEngine, window: str, since: datetime) -> None:
    champion = seated(store)
    cut_there = replace(champion, dataset=replace(champion.dataset, holdout_from=since))
    seen = watched.watched(store, cut_there)
    cut = watched.cut(store, engine, seen, window=window)
    for name, now, _ in watched.counted(store, engine, seen, cut, columns=["c003"]):
        assert name == "c003"
        assert now.rows.tolist() == [sum(max(since, s.start) <= e < s.end for e in EVENTS) for s in cut.spans]
    covered = sum(any(s.start <= e < s.end for s in cut.spans) for e in EVENTS if e >= since)
    assert covered == sum(e >= since for e in EVENTS)


@pytest.mark.parametrize("window", [*TIMES, "100rows"])
def test_predictions_are_found_in_every_window_that_holds_them(store: Store, engine: DuckEngine, window: str) -> None:
    seen = watched.watched(store, seated(store))
    cut = watched.cut(store, engine, seen, window=window)
    order = np.random.default_rng(5).permutation(len(EVENTS))
    naive = [EVENTS[i].replace(tzinfo=None) for i in order]
    table = pa.table({"row_id": [f"loan-{i}" for i in order], "event_at": pa.array(naive, pa.timestamp("us"))})
    none = pa.table({"row_id": ["nobody"], "event_at": pa.array([None], pa.timestamp("us"))})
    members = cut.members(pa.concat_tables([table, none]))
    assert tuple(len(m) for m in members) == cut.rows
    for span, places in zip(cut.spans, members, strict=True):
        found = [EVENTS[order[place]] for place in places]
        assert found == sorted(found)
        assert span.start <= found[0]
        assert found[-1] <= span.end


def test_windows_of_days_read_no_rows(store: Store, engine: DuckEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = watched.watched(store, seated(store))
    assert seen.rows.since is not None
    begins = midnight(seen.rows.since, zone(store))
    at_midnight = replace(seen, rows=replace(seen.rows, since=begins))
    monkeypatch.setattr(engine, "counts", None)
    monkeypatch.setattr(engine, "days", None)
    cut = watched.cut(store, engine, at_midnight, window="7d/1d")
    assert len(list(watched.counted(store, engine, at_midnight, cut))) == 3


def test_without_a_time_the_reference_is_cut_by_rows(timeless: Store, engine: DuckEngine) -> None:
    champion = seated(timeless)
    seen = watched.watched(timeless, champion)
    assert (seen.batch_ids, seen.rows.since) == (("b-0003", "b-0002"), None)
    by_day = watched.cut(timeless, engine, seen, window="1d")  # all came today
    assert (by_day.rows, by_day.reference_rows) == ((LATER,), (LEARNED,))
    cut = watched.cut(timeless, engine, seen, window="300rows")
    assert (cut.rows, cut.reference_rows) == ((300,) * 6, (300, 300, 300, 300, 200))
    assert [s.whole for s in cut.reference] == [True] * 4 + [False]
    for _, now, then in watched.counted(timeless, engine, seen, cut):
        assert (now.rows.tolist(), then.rows.tolist()) == ([300] * 6, [300, 300, 300, 300, 200])


def test_lost_rows_of_the_dataset_cost_the_reference_and_nothing_else(tmp_path: Path, engine: DuckEngine) -> None:
    with Store.open(watching.copied(tmp_path)) as store:
        champion = seated(store)
        later = replace(champion, dataset=replace(champion.dataset, holdout_from=EVENTS[LEARNED]))
        seen = watched.watched(store, later)
        store.batches.rows_paths(MODEL, ["b-0001"])[0].unlink()
        by_rows = watched.cut(store, engine, seen, window="500rows")
        assert (sum(by_rows.rows), by_rows.reference) == (LATER, ())
        assert [then.windows for _, _, then in watched.counted(store, engine, seen, by_rows)] == [0, 0, 0]
        # windows of days are told by counts
        assert sum(watched.cut(store, engine, seen, window="1d").reference_rows) == LEARNED


def test_late_rows_come_into_their_own_day(tmp_path: Path, engine: DuckEngine) -> None:
    with Store.open(watching.copied(tmp_path)) as store:
        seen = watched.watched(store, seated(store))
        before = watched.cut(store, engine, seen, window="1d")
        late = watching.rows(LEARNED + 600, 30, seed=9).drop_columns(["outcome", "loan"])
        late = late.append_column("loan", pa.array([f"late-{i}" for i in range(30)]))
        assert intake.receive(store, MODEL, watching.write(tmp_path, "late.parquet", late)).status == "accepted"
        after = watched.cut(store, engine, watched.watched(store, seated(store)), window="1d")
        assert after.spans == before.spans
        more = [b - a for a, b in zip(before.rows, after.rows, strict=True)]
        assert sum(more) == 30
        events = [EVENTS[LEARNED + 600 + i] for i in range(30)]
        assert more == [sum(s.start <= e < s.end for e in events) for s in after.spans]
        assert after.reference_rows == before.reference_rows


def test_nothing_came_yet(store: Store, engine: DuckEngine) -> None:
    champion = seated(store)
    later = replace(champion, dataset=replace(champion.dataset, holdout_from=EVENTS[-1] + DAY))
    seen = watched.watched(store, later)
    cut = watched.cut(store, engine, seen, window=None)
    assert (cut.spans, cut.reference, cut.rows) == ((), (), ())
    assert [(now.windows, then.windows) for _, now, then in watched.counted(store, engine, seen, cut)] == [(0, 0)] * 3
    assert cut.members(pa.table({"row_id": ["a"], "event_at": pa.array([None], pa.timestamp("us"))})) == []


def test_windows_over_a_period(store: Store, engine: DuckEngine) -> None:
    seen = watched.watched(store, seated(store))
    cut = watched.cut(store, engine, seen, window="7d/1d")
    start, end = midnight(EVENTS[400], zone(store)), midnight(EVENTS[2_500], zone(store))
    laid, rows = watched.laid_over(store, engine, seen, cut, period=(start, end))
    assert {(s.end - s.start) for s in laid} == {7 * DAY}
    assert rows == tuple(sum(max(start, s.start) <= e < min(end, s.end) for e in EVENTS) for s in laid)
    assert [s.whole for s in laid] == [start <= s.start and s.end <= midnight(end, zone(store)) for s in laid]
    for _, cube in watched.spanned(store, engine, seen, laid[1:-1]):
        assert tuple(cube.rows.tolist()) == rows[1:-1]
    everything, _ = watched.laid_over(store, engine, seen, cut, period=(None, None))
    assert everything[0].start <= EVENTS[0]
    by_rows = watched.cut(store, engine, seen, window="400rows")
    as_days, _ = watched.laid_over(store, engine, seen, by_rows, period=(start, end))
    assert {s.end - s.start for s in as_days} == {2 * DAY}
    assert watched.laid_over(store, engine, seen, cut, period=(end + 900 * DAY, None)) == ((), ())


def test_any_windows_can_be_counted(store: Store, engine: DuckEngine) -> None:
    seen = watched.watched(store, seated(store))
    at = midnight(EVENTS[700], zone(store))
    spans = [(at, at + DAY), (at, at + 3 * DAY), (at + 2 * DAY, at + 4 * DAY), (at + 99 * DAY, at + 100 * DAY)]
    within = [(at + HOUR, at + 5 * HOUR), (at + 2 * HOUR, at + 30 * HOUR)]
    for edges in (spans, within):
        periods = [Span(bucket=a, start=a, end=b) for a, b in edges]
        found = dict(watched.spanned(store, engine, seen, periods))
        assert list(found) == ["c003", "c004", "c005"]
        assert [c.rows.tolist() for c in found.values()] == [[sum(a <= e < b for e in EVENTS) for a, b in edges]] * 3
        assert list(dict(watched.spanned(store, engine, seen, periods, columns=["c005"]))) == ["c005"]


def test_too_many_windows_of_rows_are_refused_before_they_are_cut(store: Store, engine: DuckEngine) -> None:
    seen = watched.watched(store, seated(store))
    with pytest.raises(InvalidDefinition, match="Windows of 1rows are 2,080 windows"):
        watched.cut(store, engine, seen, window="1rows")


def test_a_window_holds_a_batch_only_as_a_whole(store: Store) -> None:
    batch = replace(store.batches.get(MODEL, "b-0001"), rows=100, first_event_at=START, last_event_at=START + DAY)
    assert not Cut(length=Length(days=1)).holds(Span(bucket=START, start=START, end=START + DAY), batch)
    assert Cut(length=Length(days=2)).holds(Span(bucket=START, start=START, end=START + 2 * DAY), batch)
    assert not Cut(length=Length(days=2)).holds(Span(bucket=START, start=START + HOUR, end=START + 3 * DAY), batch)
    assert not Cut(length=Length(days=2)).holds(
        Span(bucket=START, start=START, end=START + 2 * DAY), replace(batch, first_event_at=None)
    )
    rows = Span(bucket=START, start=START, end=START + DAY)  # its end is its last event
    assert Cut(length=Length(rows=100), now=Side(size=100)).holds(rows, batch)
    assert not Cut(length=Length(rows=99), now=Side(size=99)).holds(rows, batch)


def test_rows_that_are_not_here_are_never_cut_into_windows_of_rows(store: Store, engine: DuckEngine) -> None:
    seen = watched.watched(store, seated(store))
    few = Side(days={midnight(START + (100 + day) * DAY, zone(store)): 20 for day in range(10)})
    cut = watched.cut(store, engine, seen, window=None, away=few)
    assert (str(cut.length), cut.rows, cut.now.size) == ("365d", (200,), 0)
    for window in ("100rows", "6h"):
        with pytest.raises(InvalidDefinition, match="stay on the cluster"):
            watched.cut(store, engine, seen, window=window, away=few)
