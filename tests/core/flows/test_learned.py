"""The fitted rows, found again, and distances that only rows tell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline_core.engines.duck import DuckEngine
from pipeline_core.errors import NotFound
from pipeline_core.flows import learned, watched
from pipeline_core.records import Grid, ModelVersion
from pipeline_core.stages import profiling
from pipeline_core.store.home import Store
from tests.core import modelling
from tests.core.flows import watching
from tests.core.flows.watching import LEARNED, MODEL, ROWS_A_DAY, START, STEP

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with Store.open(watching.copied(tmp_path_factory.mktemp("learned"))) as opened:
        yield opened


@pytest.fixture
def engine() -> Iterator[DuckEngine]:
    with DuckEngine() as opened:
        yield opened


def seated(store: Store) -> ModelVersion:
    champion = store.models.champion(MODEL)
    assert champion is not None
    return champion


def test_the_fitted_rows_are_found_again(store: Store, engine: DuckEngine, tmp_path: Path) -> None:
    seen = watched.watched(store, seated(store))
    found = learned.learned_rows(store, engine, seen, work=tmp_path)
    assert found is not None
    assert found.until == seen.rows.since
    grids = [g for g in seen.grids if g.kind == "cells"]
    counts = engine.counts(found.files, grids, buckets="one", until=found.until)
    base = profiling.columns(store.models.baseline(MODEL, 1))["c003"]
    again = profiling.columns(counts)["c003"]
    assert again.keys.tolist() == base.keys.tolist()
    assert again.n.tolist() == base.n.tolist()


def test_rows_that_cannot_be_told_any_more_are_none(store: Store, engine: DuckEngine, tmp_path: Path) -> None:
    champion = seated(store)
    other = replace(champion, dataset=replace(champion.dataset, fit_rows=1_000))
    seen = watched.watched(store, other)
    assert learned.learned_rows(store, engine, seen, work=tmp_path) is None
    assert pq.read_metadata(tmp_path / "learned.parquet").num_rows == LEARNED


@pytest.mark.parametrize("window", ["7d", "3d/1d", "6h", "250rows"])
def test_the_exact_distance_is_that_of_scipy(store: Store, engine: DuckEngine, tmp_path: Path, window: str) -> None:
    champion = seated(store)
    seen = watched.watched(store, champion)
    rows = learned.learned_rows(store, engine, seen, work=tmp_path)
    assert rows is not None
    cut = watched.cut(store, engine, seen, window=window)
    base = profiling.columns(store.models.baseline(MODEL, 1))
    (counted,) = watched.counted(store, engine, seen, cut, columns=["c003"])
    grid = learned.grid_of(seen.schema, "c003")
    data, holdout = watching.stream(), champion.dataset.holdout_from
    assert holdout is not None
    fitted = data["income"][data["when"] < watching.moment(holdout)]
    after = data["when"] >= watching.moment(holdout)
    for place in {0, len(cut.spans) // 2, len(cut.spans) - 1}:
        span = cut.spans[place]
        pair = base["c003"], counted[1].window(place)
        found = learned.exact_distance(engine, cut, span, grid=grid, pair=pair, base_rows=rows)
        ends = watching.moment(span.start), watching.moment(span.end)
        inside = (data["when"] >= ends[0]) & ((data["when"] <= ends[1]) if cut.now.size else (data["when"] < ends[1]))
        assert found == pytest.approx(watching.distance(fitted, data["income"][inside & after])[0], abs=1e-12)
    level = learned.grid_of(seen.schema, "c005")
    assert learned.exact_distance(engine, cut, cut.spans[0], grid=level, pair=pair, base_rows=rows) is None
    assert cut.spans[0].start.tzinfo is UTC


def test_a_column_between_two_times(store: Store, engine: DuckEngine) -> None:
    seen = watched.watched(store, seated(store))
    income = Grid(column_id="c003", kind="cells")
    grid = next((g for g in seen.grids if g.column_id == "c003"), income)
    monday = datetime(2025, 1, 14, tzinfo=UTC)
    stored = learned.between(store, engine, seen, grid=grid, span=(monday, monday + DAY))
    assert stored["c003"].rows == ROWS_A_DAY
    scanned = learned.between(store, engine, seen, grid=grid, span=(START + 1_500 * STEP, START + 1_504 * STEP))
    assert scanned["c003"].rows == 4
    assert learned.between(store, engine, seen, grid=grid, span=(START, START + DAY)) == {}
    assert learned.between(store, engine, seen, grid=grid, span=(monday + 900 * DAY, monday + 901 * DAY)) == {}


def test_a_column_over_stretches_of_time(store: Store, engine: DuckEngine) -> None:
    seen = watched.watched(store, seated(store))
    grid = learned.grid_of(seen.schema, "c004")
    tuesday = datetime(2025, 1, 7, tzinfo=UTC)
    days = [(tuesday, tuesday + DAY), (tuesday + 9 * DAY, tuesday + 11 * DAY)]
    assert learned.within(store, engine, seen, days, grid=grid, batch_ids=None).rows == 3 * ROWS_A_DAY
    assert learned.within(store, engine, seen, days, grid=grid, batch_ids=("b-0001",)).rows == ROWS_A_DAY
    hours = [(tuesday, tuesday + DAY / 2), (tuesday + 9 * DAY, tuesday + 9.5 * DAY)]
    assert learned.within(store, engine, seen, hours, grid=grid, batch_ids=None).rows == ROWS_A_DAY


def test_a_column_without_a_grid_has_no_distribution() -> None:
    schema = modelling.schema()
    assert [learned.grid_of(schema, column_id).kind for column_id in ("c001", "c003")] == ["cells", "level"]
    with pytest.raises(NotFound, match=r"^Column 'income' of model 'loans' is not counted, so it has no distribution"):
        learned.grid_of(schema, "c002")
