"""The algebra of counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from pipeline_core.records import COUNTS, Grid
from pipeline_core.stages import profiling
from pipeline_core.stats.columns import ColumnCounts
from pipeline_core.stats.grids import cells_of

MONDAY = datetime(2025, 1, 6, tzinfo=UTC)
DAY = timedelta(days=1)
VALUE = Grid(column_id="c001", kind="value")
LEVEL = Grid(column_id="c002", kind="level")

Row = tuple[str, datetime | None, float | None, str | None, int]


def counts(*rows: Row) -> pa.Table:
    plain = [(c, None if b is None else b.replace(tzinfo=None), cell, level, n) for c, b, cell, level, n in rows]
    return pa.table(dict(zip(COUNTS.names, zip(*plain, strict=True), strict=True)), schema=COUNTS)


def listed(column: ColumnCounts) -> tuple[list[object], list[int], int]:
    return column.keys.tolist(), column.n.tolist(), column.nulls


TWO_DAYS = counts(
    ("c002", MONDAY, None, "b", 4),
    ("c001", MONDAY, 2.0, None, 3),
    ("c001", MONDAY, None, None, 2),
    ("c002", MONDAY, None, None, 1),
    ("c001", MONDAY + DAY, 1.0, None, 5),
    ("c001", MONDAY + DAY, 2.0, None, 1),
    ("c002", MONDAY + DAY, None, "a", 6),
)

some = st.lists(
    st.tuples(
        st.sampled_from(["c001", "c003"]),
        st.sampled_from([MONDAY, MONDAY + DAY, None]),
        st.sampled_from([None, 0.0, 1.0, 7.5]),
        st.none(),
        st.integers(1, 9),
    ),
    min_size=1,
    max_size=12,
)


@given(first=some, second=some)
def test_adding_is_summing(first: list[Row], second: list[Row]) -> None:
    one, two = counts(*first), counts(*second)
    both = profiling.add(one, two)
    keys = [tuple(r[k] for k in COUNTS.names[:-1]) for r in both.to_pylist()]
    assert len(set(keys)) == len(keys)
    assert both.schema == COUNTS
    assert sum(both.column("n").to_pylist()) == sum(r[-1] for r in [*first, *second])
    again = profiling.add(two, one)
    assert sorted(both.to_pylist(), key=str) == sorted(again.to_pylist(), key=str)


def test_adding_nothing_is_nothing() -> None:
    assert profiling.add().num_rows == 0
    assert profiling.rows(profiling.add()) == 0
    assert profiling.columns(profiling.add()) == {}
    assert profiling.windows(profiling.add()) == {}


def test_columns_are_in_order_with_nulls_apart() -> None:
    found = profiling.columns(TWO_DAYS)
    assert listed(found["c001"]) == ([1.0, 2.0], [5, 4], 2)
    assert listed(found["c002"]) == (["a", "b"], [6, 4], 1)


def test_windows_are_in_time_order() -> None:
    found = profiling.windows(TWO_DAYS)
    assert list(found) == [MONDAY, MONDAY + DAY]
    assert listed(found[MONDAY]["c001"]) == ([2.0], [3], 2)
    assert listed(found[MONDAY + DAY]["c002"]) == (["a"], [6], 0)
    assert list(profiling.windows(profiling.merged(TWO_DAYS))) == [None]


def test_rows_are_those_of_one_column() -> None:
    assert profiling.rows(TWO_DAYS) == 11
    assert profiling.rows_by_bucket(TWO_DAYS) == {MONDAY: 5, MONDAY + DAY: 6}


def test_a_part_of_the_buckets() -> None:
    assert profiling.between(TWO_DAYS, MONDAY + DAY, None).num_rows == 3
    assert profiling.between(TWO_DAYS, None, MONDAY + DAY).num_rows == 4
    assert profiling.rows_by_bucket(profiling.in_bucket(TWO_DAYS, MONDAY)) == {MONDAY: 11}


def test_many_cells_are_summed_without_a_sort() -> None:
    random = np.random.default_rng(3)
    cells = random.integers(0, 65_536, 6_000).astype(float)
    table = counts(*[("c001", None, c, None, 1) for c in cells])
    distinct, n = np.unique(cells, return_counts=True)
    found = profiling.columns(table)["c001"]
    assert found.keys.tolist() == distinct.tolist()
    assert found.n.tolist() == n.tolist()


def test_scores_are_counted_by_value() -> None:
    table = profiling.value_counts(np.array([0.5, 0.25, np.nan, 0.5, -0.0]), bucket=MONDAY)
    assert table.schema == COUNTS
    assert set(table.column("column_id").to_pylist()) == {profiling.SCORE}
    assert listed(profiling.windows(table)[MONDAY][profiling.SCORE]) == ([0.0, 0.25, 0.5], [1, 1, 2], 1)
    assert profiling.value_counts(np.array([])).num_rows == 0


def column(values: np.ndarray, grid: Grid) -> ColumnCounts:
    return profiling.columns(profiling.value_counts(cells_of(values, grid)))[profiling.SCORE]


def test_a_number_is_drawn_with_its_gap() -> None:
    random = np.random.default_rng(5)
    base, current = random.normal(size=5_000), random.normal(loc=0.5, size=4_000)
    grid = Grid(column_id="c001", kind="cells", centre=0.0, spread=1.35)
    drawn = profiling.distribution(column(base, grid), column(current, grid), grid=grid, feature="income")
    exact = ks_2samp(base, current)
    assert (drawn.feature, drawn.baseline_rows, drawn.current_rows) == ("income", 5_000, 4_000)
    assert len(drawn.edges) == len(drawn.baseline) + 1 == len(drawn.current) + 1 <= 41
    assert sum(drawn.baseline) == pytest.approx(1.0)
    assert len(drawn.cdf) <= 200
    assert max(abs(f - g) for _, f, g in drawn.cdf) == pytest.approx(exact.statistic, abs=1e-3)
    assert drawn.gap_at == pytest.approx(exact.statistic_location, abs=1e-2)
    assert drawn.edges[0] <= min(base.min(), current.min()) + 1e-3
    assert drawn.edges[-1] >= max(base.max(), current.max()) - 1e-3


def test_few_values_nulls_and_levels_are_drawn() -> None:
    day = profiling.windows(TWO_DAYS)
    first, second = day[MONDAY], day[MONDAY + DAY]
    number = profiling.distribution(first["c001"], second["c001"], grid=VALUE, feature="rooms")
    assert number.edges == (0.5, 1.5, 2.5)
    assert number.baseline == (0.0, 3 / 5)
    assert number.current == (5 / 6, 1 / 6)
    assert (number.baseline_null_share, number.current_null_share) == (2 / 5, 0.0)
    assert number.cdf == ((1.0, 0.0, 5 / 6), (2.0, 1.0, 1.0))
    assert number.gap_at == pytest.approx(1.0)
    level = profiling.distribution(first["c002"], second["c002"], grid=LEVEL, feature="plan")
    assert level.levels == ("b", "a")
    assert level.baseline == (4 / 5, 0.0)
    assert level.current == (0.0, 1.0)
    assert level.baseline_null_share == pytest.approx(1 / 5)


def test_a_side_without_rows_has_no_bars() -> None:
    nothing = ColumnCounts(keys=np.empty(0), n=np.empty(0, np.int64))
    base = profiling.windows(TWO_DAYS)[MONDAY]["c001"]
    drawn = profiling.distribution(base, nothing, grid=VALUE, feature="rooms")
    assert (drawn.baseline, drawn.current, drawn.cdf, drawn.gap_at) == ((3 / 5,), (), (), None)
    empty = profiling.distribution(nothing, nothing, grid=VALUE, feature="rooms")
    assert (empty.edges, empty.levels, empty.baseline_rows) == ((), (), 0)


def test_levels_against_nothing_are_still_levels() -> None:
    nothing = ColumnCounts(keys=np.empty(0), n=np.empty(0, np.int64))
    levels = profiling.windows(TWO_DAYS)[MONDAY]["c002"]
    drawn = profiling.distribution(levels, nothing, grid=LEVEL, feature="plan")
    assert (drawn.levels, drawn.baseline, drawn.current) == (("b",), (4 / 5,), ())
