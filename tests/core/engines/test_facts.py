"""Facts of a batch, equal to what numpy finds in its rows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline_core.engines.duck import DuckEngine
from pipeline_core.engines.facts import asked_values
from pipeline_core.records import (
    BatchFacts,
    Column,
    ColumnBaseline,
    ColumnFacts,
    ColumnType,
    Grid,
    Role,
    Schema,
    Task,
    TimeUnit,
)
from pipeline_core.stages.schema.learning import learn

START = datetime(2026, 1, 1)  # ruff: ignore[call-datetime-without-tzinfo] - as rows are stored
AWARE = START.replace(tzinfo=UTC)
COLUMNS = {
    "c001": (ColumnType.NUMBER, Role.FEATURE),
    "c002": (ColumnType.NUMBER, Role.FEATURE),
    "c003": (ColumnType.CATEGORY, Role.FEATURE),
    "c004": (ColumnType.CATEGORY, Role.TARGET),
    "c005": (ColumnType.TIMESTAMP, Role.TIME),
    "c006": (ColumnType.CATEGORY, Role.ID),
    "c007": (ColumnType.TIMESTAMP, Role.FEATURE),
    "c008": (ColumnType.NUMBER, Role.EXCLUDED),
}
SCHEMA = Schema(
    model="m",
    schema_version=1,
    task=Task.BINARY,
    columns=tuple(Column(column_id=c, name=c, type=t, role=r) for c, (t, r) in COLUMNS.items()),
    baselines=(),
    grids=(),
    time_unit=TimeUnit.CLOCK,
    defined_at=AWARE,
)


def rows(count: int = 5_000, *, seed: int = 1) -> pa.Table:
    random = np.random.default_rng(seed)
    when = pa.array([START + timedelta(minutes=i) for i in range(count)], pa.timestamp("us"))
    return pa.table({
        "row_id": [f"k{i}" for i in range(count)],
        "row_number": pa.array(range(count), pa.int64()),
        "event_at": when,
        "c001": pa.array(random.normal(100, 15, count), mask=random.random(count) < 0.05),
        "c002": pa.array(random.poisson(30, count).astype(float), mask=random.random(count) < 0.05),
        "c003": pa.array(random.choice(["a", "b", "c"], count), mask=random.random(count) < 0.05),
        "c004": random.choice(["0", "1"], count),
        "c005": when,
        "c006": [f"k{i}" for i in range(count)],
        "c007": pa.array([START] * count, pa.timestamp("us")),
        "c008": random.random(count),
    })


def put(table: pa.Table, **columns: pa.Array | list[object]) -> pa.Table:
    for name, values in columns.items():
        field = table.schema.field(name)
        place = table.schema.get_field_index(name)
        table = table.set_column(place, field, pa.array(values, field.type, from_pandas=True))
    return table


@pytest.fixture(scope="module")
def schema() -> Schema:
    return learn(SCHEMA, rows(seed=9))


@pytest.fixture
def look(tmp_path: Path, schema: Schema) -> object:
    def looked(table: pa.Table, known: Schema = schema, **options: int) -> BatchFacts:
        file = tmp_path / "rows.parquet"
        pq.write_table(table, file, row_group_size=1_000)
        with DuckEngine(work=tmp_path) as engine:
            return engine.facts(file, known, counts=engine.counts([file], known.grids, **options))

    return looked


def of(facts: BatchFacts, column_id: str) -> ColumnFacts:
    found = facts.column(column_id)
    assert found is not None
    return found


def plain(facts: ColumnFacts) -> ColumnFacts:
    """Leave out the digits of the mean that depend on the order of a sum."""
    return replace(facts, mean=None if facts.mean is None else float(f"{facts.mean:.10g}"))


def test_figures_of_a_binned_column_are_those_of_its_rows(look) -> None:
    table = rows()
    values = np.sort(table.column("c001").drop_null().to_numpy())
    found = of(look(table), "c001")
    assert (found.rows, found.nulls, found.distinct) == (5_000, 5_000 - len(values), len(values))
    assert (found.low, found.high) == (values[0], values[-1])
    assert found.mean == pytest.approx(values.mean())
    assert len(found.quantiles) == 101
    shares = np.searchsorted(values, found.quantiles, side="right") / len(values)
    assert np.abs(shares - np.linspace(0, 1, 101)).max() < 1 / 1_500
    assert np.all(np.diff(found.quantiles) >= 0)
    assert found.spikes == ()


def test_figures_of_a_column_of_values_are_exact(look) -> None:
    table = rows()
    values = np.sort(table.column("c002").drop_null().to_numpy())
    found = of(look(table), "c002")
    assert (found.distinct, found.low, found.high) == (len(np.unique(values)), values[0], values[-1])
    assert found.mean == pytest.approx(values.mean())
    assert found.quantiles == tuple(np.quantile(values, np.linspace(0, 1, 101), method="lower"))


def test_levels_times_and_ids_have_nulls_and_distinct_values(look) -> None:
    table = put(rows(), c006=[None, None, "x"] + [f"k{i}" for i in range(4_997)])
    facts = look(table)
    known = {c.column_id: (c.rows, c.nulls, c.distinct) for c in facts.columns}
    assert known["c003"] == (5_000, table.column("c003").null_count, 3)
    assert known["c004"] == (5_000, 0, 2)
    assert known["c005"] == (5_000, 0, 5_000)
    assert known["c006"] == (5_000, 2, 4_998)
    assert known["c007"] == (5_000, 0, 1)
    assert "c008" not in known
    assert of(facts, "c006").low is None


@pytest.mark.parametrize("imputed", [0.0, -1.0, 99.5, 1e6, -3e37])
@pytest.mark.parametrize("column_id", ["c001", "c002"])
def test_a_value_put_in_place_of_others_is_a_spike(look, column_id: str, imputed: float) -> None:
    values = rows().column(column_id).to_pylist()
    values[::100] = [imputed] * 50
    found = of(look(put(rows(), **{column_id: values})), column_id)
    assert (imputed, 50) in found.spikes


def test_spikes_of_a_rare_value_come_with_few_rows(look) -> None:
    values = rows().column("c001").to_pylist()
    values[:12] = [101.5] * 12
    values[12:23] = [0.0] * 11
    values[23:27] = [77.0] * 4
    assert of(look(put(rows(), c001=values)), "c001").spikes == ((101.5, 12), (0.0, 11))


def test_a_column_in_another_unit_is_described_all_the_same(look) -> None:
    values = rows().column("c001").to_numpy() * 1e6
    found = of(look(put(rows(), c001=values)), "c001")
    assert found.spikes == ()
    assert found.distinct == np.isfinite(values).sum()
    assert (found.low, found.high) == (np.nanmin(values), np.nanmax(values))


@pytest.mark.parametrize("column_id", ["c001", "c002"])
def test_values_that_are_asked_for_are_counted_or_told_to_be_absent(look, schema: Schema, column_id: str) -> None:
    baseline = next(b for b in schema.baselines if b.column_id == column_id)
    assert baseline.mean is not None
    values = (
        [-1.0] * 3 + [-0.0] * 2 + [baseline.mean * (1 + 5e-10)] * 7 + [baseline.mean * (1 + 5e-9)] + [150.25] * 4_987
    )
    asked = dict(of(look(put(rows(), **{column_id: values})), column_id).asked)
    assert (asked[-1.0], asked[0.0], asked[baseline.mean], asked[baseline.quantiles[500]]) == (3, 2, 7, 0)


def test_mean_and_median_are_asked_for_as_they_are_rounded_too() -> None:
    baseline = ColumnBaseline(
        column_id="c001", rows=3, null_share=0, distinct=3, mean=2.346, quantiles=(1.0, 2.25, 3.5)
    )
    assert asked_values(baseline).tolist() == [0.0, -1.0, 2.346, 2.35, 2.25]
    assert asked_values(replace(baseline, quantiles=(1 / 3, 2 / 3))).tolist() == [0.0, -1.0, 2.346, 2 / 3]
    assert asked_values(replace(baseline, mean=None)).tolist() == asked_values(None).tolist() == [0.0, -1.0]


def test_a_column_of_nulls_has_no_figures(look) -> None:
    facts = look(put(rows(10), c001=[None] * 10, c002=[None] * 10, c003=[None] * 10))
    for column_id in ("c001", "c002", "c003"):
        found = of(facts, column_id)
        assert (found.nulls, found.distinct, found.low, found.quantiles, found.spikes) == (10, 0, None, (), ())
    assert [n for _, n in of(facts, "c001").asked] == [0] * len(of(facts, "c001").asked)
    assert facts.null_patterns == ((("c001", "c002", "c003"), 10),)


def test_no_rows_have_no_facts(look) -> None:
    facts = look(rows(0))
    assert (facts.rows, facts.repeated_rows, facts.first_event_at, facts.rows_by_day) == (0, 0, None, {})
    assert {(c.rows, c.nulls, c.distinct) for c in facts.columns} == {(0, 0, 0)}


def test_facts_do_not_depend_on_the_buckets_of_the_counts(look) -> None:
    one, other = look(rows(), buckets="one"), look(rows(), buckets="day")
    assert replace(one, columns=()) == replace(other, columns=())
    assert [plain(c) for c in one.columns] == [plain(c) for c in other.columns]


def test_a_grid_without_bins_gives_the_same_figures(look, schema: Schema) -> None:
    fine = replace(schema, grids=tuple(replace(g, starts=()) for g in schema.grids))
    values = rows().column("c001").to_pylist()
    values[:60] = [99.5] * 60
    table = put(rows(), c001=values)
    one, other = of(look(table), "c001"), of(look(table, fine), "c001")
    assert replace(plain(one), quantiles=()) == replace(plain(other), quantiles=())
    assert (99.5, 60) in one.spikes


def test_hostile_column_ids_are_only_names(look, schema: Schema) -> None:
    name = 'c"; DROP TABLE x; --'
    columns = tuple(replace(c, column_id=name) if c.column_id == "c001" else c for c in schema.columns)
    grids = tuple(replace(g, column_id=name) if g.column_id == "c001" else g for g in schema.grids)
    table = rows().rename_columns([name if c == "c001" else c for c in rows().column_names])
    facts = look(table, replace(schema, columns=columns, grids=grids))
    assert of(facts, name).nulls == table.column(name).null_count


def test_a_column_that_was_never_counted_is_described_by_its_rows(look, schema: Schema) -> None:
    without = replace(schema, grids=tuple(g for g in schema.grids if g.column_id != "c003"))
    assert of(look(rows(), without), "c003") == of(look(rows()), "c003")
    unknown = Grid(column_id="c003", kind="level")
    assert unknown in schema.grids
