"""Which rows are watched, and which were learned from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline_core.engines.duck import DuckEngine
from pipeline_core.errors import InvalidDefinition, NotFound
from pipeline_core.flows import watched
from pipeline_core.records import Grid, ModelVersion
from pipeline_core.stages import profiling
from pipeline_core.store.home import Store
from tests.core import modelling
from tests.core.flows import watching
from tests.core.flows.watching import LATER, LEARNED, MODEL, START, STEP

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("watched")
    with Store.open(folder / "home") as opened:
        watching.champion(opened, folder)
        watching.deliver(opened, folder)
        yield opened


@pytest.fixture
def engine() -> Iterator[DuckEngine]:
    with DuckEngine() as opened:
        yield opened


def seated(store: Store) -> ModelVersion:
    champion = store.models.champion(MODEL)
    assert champion is not None
    return champion


def test_rows_from_the_hold_out_on_are_watched(store: Store, engine: DuckEngine) -> None:
    champion = seated(store)
    seen = watched.watched(store, champion)
    assert seen.rows.since == champion.dataset.holdout_from
    assert [b.batch_id for b in seen.batches] == ["b-0003", "b-0002", "b-0001"]
    assert seen.batch_ids is None
    assert {g.column_id: g.kind for g in seen.grids} == {"c003": "cells", "c004": "value", "c005": "level"}
    assert sum(engine.days(seen.rows).values()) == LEARNED + LATER - champion.dataset.fit_rows


@pytest.mark.parametrize("window", ["1d", "2d", "7d", "30d", "100rows"])
def test_every_watched_row_is_counted_once_in_each_column(store: Store, engine: DuckEngine, window: str) -> None:
    seen = watched.watched(store, seated(store))
    cut = watched.cut(store, engine, seen, window=window)
    assert [s.bucket for s in cut.spans] == list(cut.counts)
    for columns in cut.counts.values():
        assert set(columns) == {"c003", "c004", "c005"} | ({"c006"} & set(columns))
        assert len({columns[name].rows for name in ("c003", "c004", "c005")}) == 1
    total = sum(columns["c003"].rows for columns in cut.counts.values())
    assert total == LEARNED + LATER - seated(store).dataset.fit_rows


@pytest.mark.parametrize("window", ["1d", "7d", "10d"])
@pytest.mark.parametrize(
    "since",
    [
        datetime(2025, 1, 9, tzinfo=UTC),
        datetime(2025, 1, 13, tzinfo=UTC),
        datetime(2025, 1, 9, 12, 1, tzinfo=UTC),
        datetime(2025, 1, 9, 23, 59, tzinfo=UTC),
        datetime(2025, 1, 12, 23, 59, tzinfo=UTC),
        datetime(2025, 1, 23, 19, 0, tzinfo=UTC),
    ],
)
def test_no_fitted_row_is_in_a_window(store: Store, engine: DuckEngine, window: str, since: datetime) -> None:
    champion = seated(store)
    cut_there = replace(champion, dataset=replace(champion.dataset, holdout_from=since))
    cut = watched.cut(store, engine, watched.watched(store, cut_there), window=window)
    found = {bucket: columns["c003"].rows for bucket, columns in cut.counts.items()}
    events = [START + i * STEP for i in range(LEARNED + LATER)]
    expected = {s.bucket: sum(max(since, s.start) <= e < s.end for e in events) for s in cut.spans}
    assert found == expected
    assert sum(found.values()) == sum(e >= since for e in events)


def test_the_fitted_rows_are_found_again(store: Store, engine: DuckEngine, tmp_path: Path) -> None:
    seen = watched.watched(store, seated(store))
    learned = watched.learned_rows(store, engine, seen, work=tmp_path)
    assert learned is not None
    assert learned.until == seen.rows.since
    grids = [g for g in seen.grids if g.kind == "cells"]
    counts = engine.counts(learned.files, grids, buckets="one", until=learned.until)
    base = profiling.columns(store.models.baseline(MODEL, 1))["c003"]
    again = profiling.columns(counts)["c003"]
    assert again.keys.tolist() == base.keys.tolist()
    assert again.n.tolist() == base.n.tolist()


def test_rows_that_cannot_be_told_any_more_are_none(store: Store, engine: DuckEngine, tmp_path: Path) -> None:
    champion = seated(store)
    other = replace(champion, dataset=replace(champion.dataset, fit_rows=1_000))
    seen = watched.watched(store, other)
    assert watched.learned_rows(store, engine, seen, work=tmp_path) is None
    assert pq.read_metadata(tmp_path / "learned.parquet").num_rows == LEARNED
    cut = watched.cut(store, engine, seen, window="7d")
    nothing = watched.exact_distances(engine, seen, cut, base={}, learned=None)
    assert nothing == {span.bucket: {} for span in cut.spans}


def test_a_column_between_two_times(store: Store, engine: DuckEngine) -> None:
    seen = watched.watched(store, seated(store))
    income = Grid(column_id="c003", kind="cells")
    grid = next((g for g in seen.grids if g.column_id == "c003"), income)
    monday = datetime(2025, 1, 13, tzinfo=UTC)
    stored = watched.between(store, engine, seen, grid=grid, span=(monday, monday + DAY))
    assert stored["c003"].rows == watching.ROWS_A_DAY
    scanned = watched.between(store, engine, seen, grid=grid, span=(monday + 3 * STEP, monday + 7 * STEP))
    assert scanned["c003"].rows == 4
    before = watched.between(store, engine, seen, grid=grid, span=(START, START + DAY))
    assert before == {}


def test_too_many_windows_of_rows_are_refused_before_they_are_cut(store: Store, engine: DuckEngine) -> None:
    seen = watched.watched(store, seated(store))
    with pytest.raises(InvalidDefinition, match="Windows of 1rows are 2,080 windows"):
        watched.cut(store, engine, seen, window="1rows")


def test_a_column_without_a_grid_has_no_distribution() -> None:
    schema = modelling.schema()
    assert [watched.grid_of(schema, column_id).kind for column_id in ("c001", "c003")] == ["cells", "level"]
    with pytest.raises(NotFound, match=r"^Column 'income' of model 'loans' is not counted, so it has no distribution"):
        watched.grid_of(schema, "c002")


def test_midnight_is_in_utc() -> None:
    assert watched.midnight(datetime(2025, 1, 6, 23, 59, tzinfo=UTC)) == datetime(2025, 1, 6, tzinfo=UTC)
