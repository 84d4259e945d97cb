"""Counting on DuckDB: equal to numpy, additive, exact where asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from pipeline_core.engines.duck import DuckEngine, Rows
from pipeline_core.errors import InvalidDefinition, Unreadable
from pipeline_core.records import COUNTS, Grid
from pipeline_core.stages import profiling
from pipeline_core.stats.columns import aligned
from pipeline_core.stats.grids import cells_of

START = datetime(2025, 1, 6, tzinfo=UTC)
CELLS = Grid(column_id="c001", kind="cells", centre=0.0, spread=1.35)
VALUE = Grid(column_id="c002", kind="value")
LEVEL = Grid(column_id="c003", kind="level")
GRIDS = (CELLS, VALUE, LEVEL)
BINNED = Grid(column_id="c001", kind="cells", spread=1.35, starts=(0, *range(16_000, 50_000, 40)))


def rows(count: int, *, seed: int = 1, step: timedelta = timedelta(hours=1), start: datetime = START) -> pa.Table:
    random = np.random.default_rng(seed)
    begin = start.replace(tzinfo=None)
    return pa.table({
        "row_id": [f"s{seed}-{i}" for i in range(count)],
        "row_number": pa.array(range(count), pa.int64()),
        "event_at": pa.array([begin + i * step for i in range(count)], pa.timestamp("us")),
        "c001": pa.array(random.standard_t(2, count), mask=random.random(count) < 0.05),
        "c002": pa.array(random.poisson(5, count).astype(float), mask=random.random(count) < 0.05),
        "c003": pa.array([None if i % 11 == 0 else "abc'\"é"[i % 6] for i in range(count)], pa.string()),
    })


def write(folder: Path, name: str, table: pa.Table) -> Path:
    pq.write_table(table, folder / name)
    return folder / name


def as_dict(table: pa.Table) -> dict[tuple[object, ...], int]:
    found = {(r["column_id"], r["bucket"], r["cell"], r["level"]): r["n"] for r in table.to_pylist()}
    assert len(found) == table.num_rows
    return found


def test_counts_equal_numpy(tmp_path: Path) -> None:
    table = rows(2_000)
    with DuckEngine() as engine:
        counts = engine.counts([write(tmp_path, "a.parquet", table)], GRIDS, buckets="one")
    assert counts.schema == COUNTS
    expected: dict[tuple[object, ...], int] = {}
    for grid in GRIDS:
        for value in table.column(grid.column_id).to_pylist():
            number = None if value is None or grid.kind == "level" else float(cells_of(np.array([value]), grid)[0])
            level = value if grid.kind == "level" else None
            key = (grid.column_id, None, number, level)
            expected[key] = expected.get(key, 0) + 1
    assert as_dict(counts) == expected


def test_nan_is_null_zero_has_one_sign_and_the_largest_numbers_are_counted(tmp_path: Path) -> None:
    big = np.finfo(float).max
    numbers = pa.array([np.nan, None, -0.0, 0.0, big, -big])
    table = rows(6).set_column(3, "c001", numbers).set_column(4, "c002", numbers)
    with DuckEngine() as engine:
        found = as_dict(engine.counts([write(tmp_path, "a.parquet", table)], GRIDS[:2], buckets="one"))
    cells = {key[2]: n for key, n in found.items() if key[0] == "c001"}
    values = {key[2]: n for key, n in found.items() if key[0] == "c002"}
    assert cells == {None: 2, 0.0: 1, 32767.0: 2, 65535.0: 1}
    assert values == {None: 2, 0.0: 2, big: 1, -big: 1}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.integers(0, 40), min_size=1, max_size=4), seed=st.integers(0, 99))
def test_counts_add_up_over_files_and_days(tmp_path: Path, sizes: list[int], seed: int) -> None:
    files = [
        write(tmp_path, f"{i}.parquet", rows(size, seed=seed + i, start=START + timedelta(hours=7 * i)))
        for i, size in enumerate(sizes)
    ]
    with DuckEngine() as engine:
        parts = [engine.counts([file], GRIDS, buckets="day") for file in files]
        together = engine.counts(files, GRIDS, buckets="day")
        whole = engine.counts(files, GRIDS, buckets="one")
    assert as_dict(profiling.add(*parts)) == as_dict(together)
    assert as_dict(profiling.merged(together)) == as_dict(whole)


def test_a_day_begins_at_midnight_utc(tmp_path: Path) -> None:
    file = write(tmp_path, "a.parquet", rows(30))
    with DuckEngine() as engine:
        by_day = profiling.rows_by_bucket(engine.counts([file], GRIDS, buckets="day"))
        days = engine.days(Rows(files=(file,)))
    assert by_day == {START: 24, START + timedelta(days=1): 6}
    assert days == by_day


def test_only_rows_of_the_time_are_counted(tmp_path: Path) -> None:
    file = write(tmp_path, "a.parquet", rows(30))
    since, until = START + timedelta(hours=3), START + timedelta(hours=10)
    with DuckEngine() as engine:
        assert profiling.rows(engine.counts([file], GRIDS, since=since, until=until)) == 7
        assert engine.days(Rows(files=(file,), since=since, until=until)) == {START: 7}


def test_a_row_belongs_to_the_last_start_before_it(tmp_path: Path) -> None:
    file = write(tmp_path, "a.parquet", rows(30))
    starts = [START + timedelta(hours=h) for h in (2, 5, 20)]
    with DuckEngine() as engine:
        found = profiling.rows_by_bucket(engine.counts([file], GRIDS, buckets=starts))
    assert list(found.items()) == [(starts[0], 3), (starts[1], 15), (starts[2], 10)]


def test_row_windows_follow_event_then_row_number(tmp_path: Path) -> None:
    late = rows(5, seed=2, step=timedelta(0), start=START + timedelta(days=1))
    early = rows(7, seed=1, step=timedelta(0))
    files = (write(tmp_path, "late.parquet", late), write(tmp_path, "early.parquet", early))
    with DuckEngine() as engine:
        windows = engine.row_windows(Rows(files=files), GRIDS, size=4)
        counts = profiling.windows(engine.counts(files, GRIDS, buckets=4))
    assert windows.column("row_id").to_pylist() == [f"s1-{i}" for i in range(7)] + [f"s2-{i}" for i in range(5)]
    numbers = [bucket.microsecond for bucket in windows.column("bucket").to_pylist()]
    assert numbers == [0] * 4 + [1] * 4 + [2] * 4
    assert [next(iter(columns.values())).rows for columns in counts.values()] == [4, 4, 4]
    second = list(counts.values())[1]["c003"]
    names = early.column("c003").to_pylist()[4:] + late.column("c003").to_pylist()[:1]
    assert (second.known, second.nulls) == (sum(n is not None for n in names), sum(n is None for n in names))


def test_a_column_that_a_file_lacks_is_null_there(tmp_path: Path) -> None:
    files = [
        write(tmp_path, "a.parquet", rows(10).drop_columns(["c002"])),
        write(tmp_path, "b.parquet", rows(10, seed=2)),
    ]
    with DuckEngine() as engine:
        found = profiling.columns(engine.counts(files, [VALUE], buckets="one"))["c002"]
    assert found.rows == 20
    assert found.nulls >= 10


@pytest.mark.parametrize("coarse", [Grid(column_id="c001", kind="cells", centre=0.0, spread=300.0), BINNED])
@pytest.mark.parametrize("shift", [0.0, 0.4])
def test_exact_ks_equals_scipy(tmp_path: Path, shift: float, coarse: Grid) -> None:
    tables = [rows(3_000), rows(4_000, seed=2)]
    moved = tables[1].set_column(3, "c001", pa.array(tables[1].column("c001").to_numpy() + shift, from_pandas=True))
    files = [write(tmp_path, "a.parquet", tables[0]), write(tmp_path, "b.parquet", moved)]
    expected = ks_2samp(
        tables[0].column("c001").drop_null().to_numpy(), moved.column("c001").drop_null().to_numpy()
    ).statistic
    with DuckEngine() as engine:
        base, current = (profiling.columns(engine.counts([f], [coarse], buckets="one"))["c001"] for f in files)
        sides = [Rows(files=(file,)) for file in files]
        found = engine.exact_ks(sides[0], sides[1], coarse, pairs={None: aligned(base, current)})
    assert found[None] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("grid", [CELLS, BINNED])
@pytest.mark.parametrize("buckets", [[START, START + timedelta(days=20), START + timedelta(days=41)], 500])
def test_exact_ks_of_several_windows(tmp_path: Path, buckets: list[datetime] | int, grid: Grid) -> None:
    base_rows, now = rows(1_500, seed=3), rows(1_000, seed=4)
    files = [write(tmp_path, "a.parquet", base_rows), write(tmp_path, "b.parquet", now)]
    since = START + timedelta(hours=5)
    with DuckEngine() as engine:
        base = profiling.columns(engine.counts(files[:1], [grid], buckets="one"))["c001"]
        windows = profiling.windows(engine.counts(files[1:], [grid], buckets=buckets, since=since))
        pairs = {bucket: aligned(base, columns["c001"]) for bucket, columns in windows.items()}
        current = Rows(files=(files[1],), since=since)
        found = engine.exact_ks(Rows(files=(files[0],)), current, grid, pairs=pairs, buckets=buckets)
    values = now.column("c001").to_numpy()[5:]
    cuts = [480 - 5, 984 - 5] if isinstance(buckets, list) else [500]
    before = base_rows.column("c001").drop_null().to_numpy()
    parts = [part[~np.isnan(part)] for part in np.split(values, cuts)]
    assert len(found) == len(parts)
    for distance, part in zip(found.values(), parts, strict=True):
        assert distance == pytest.approx(ks_2samp(before, part).statistic, abs=1e-12)


def test_exact_ks_says_nothing_where_the_rows_changed(tmp_path: Path) -> None:
    files = [write(tmp_path, "a.parquet", rows(500)), write(tmp_path, "b.parquet", rows(500, seed=2))]
    other = write(tmp_path, "c.parquet", rows(500, seed=3))
    coarse = Grid(column_id="c001", kind="cells", spread=1e6)
    with DuckEngine() as engine:
        base, current = (profiling.columns(engine.counts([f], [coarse], buckets="one"))["c001"] for f in files)
        sides = [Rows(files=(other,)), Rows(files=(files[1],))]
        assert engine.exact_ks(sides[0], sides[1], coarse, pairs={None: aligned(base, current)}) == {}
        gone = [Rows(files=()), Rows(files=(files[1],))]
        assert engine.exact_ks(gone[0], gone[1], coarse, pairs={None: aligned(base, current)}) == {}


def test_counts_by_value_are_exact_without_reading(tmp_path: Path) -> None:
    pair = (np.array([1.0, 2.0]), np.array([5, 5]), np.array([0, 10]))
    nowhere = Rows(files=(tmp_path / "missing.parquet",))
    with DuckEngine() as engine:
        assert engine.exact_ks(nowhere, nowhere, VALUE, pairs={None: pair}) == {None: 0.5}


def test_nothing_to_count(tmp_path: Path) -> None:
    with DuckEngine() as engine:
        assert engine.counts([], GRIDS).num_rows == 0
        assert engine.counts([tmp_path / "a.parquet"], []).num_rows == 0
        assert engine.days(Rows(files=())) == {}
        assert engine.row_windows(Rows(files=()), GRIDS, size=10).num_rows == 0


def test_hostile_ids_and_paths_are_only_names(tmp_path: Path) -> None:
    name = 'c"; DROP TABLE x; --'
    table = rows(10).rename_columns(["row_id", "row_number", "event_at", "c001", "c002", name])
    file = write(tmp_path, 'it\'s "a" file.parquet', table)
    with DuckEngine() as engine:
        found = profiling.columns(engine.counts([file], [Grid(column_id=name, kind="level")], buckets="one"))
    assert found[name].rows == 10


def test_a_missing_file_is_said_in_a_sentence(tmp_path: Path) -> None:
    with DuckEngine() as engine, pytest.raises(Unreadable, match="cannot be counted"):
        engine.counts([tmp_path / "missing.parquet"], GRIDS)


def test_too_little_memory_is_said_in_a_sentence(tmp_path: Path) -> None:
    table = pa.table({"row_id": [str(i) for i in range(200_000)], "c001": np.arange(200_000.0)})
    file = write(tmp_path, "a.parquet", table)
    with (
        DuckEngine(threads=1, memory_limit="2MB") as engine,
        pytest.raises(Unreadable, match="more memory than the engine may use"),
    ):
        engine.counts([file], [Grid(column_id="row_id", kind="level")], buckets="one")


@pytest.mark.parametrize(("buckets", "said"), [([], "starts"), (0, "at least 1 row")])
def test_buckets_that_cannot_be(tmp_path: Path, buckets: list[datetime] | int, said: str) -> None:
    file = write(tmp_path, "a.parquet", rows(10))
    with DuckEngine() as engine, pytest.raises(InvalidDefinition, match=said):
        engine.counts([file], GRIDS, buckets=buckets)


def test_an_unknown_kind_of_grid_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path, "a.parquet", rows(10))
    with DuckEngine() as engine, pytest.raises(InvalidDefinition, match="Grid kind"):
        engine.counts([file], [Grid(column_id="c001", kind="bins")])


def test_rows_that_are_left_out_are_counted_nowhere(tmp_path: Path) -> None:
    paths = [tmp_path / "a'b.parquet", tmp_path / "c.parquet"]
    tables = [rows(100, seed=1), rows(50, seed=2)]
    for path, table in zip(paths, tables, strict=True):
        pq.write_table(table, path)
    gone = pa.table({"file": [str(paths[0])] * 3 + [str(paths[1])], "row_number": [0, 5, 99, 7]})
    left = pa.concat_tables([
        tables[0].take([i for i in range(100) if i not in {0, 5, 99}]),
        tables[1].take([i for i in range(50) if i != 7]),
    ])
    pq.write_table(left, tmp_path / "left.parquet")
    meant, plain = Rows(files=tuple(paths), without=gone), Rows(files=(tmp_path / "left.parquet",))
    assert meant == Rows(files=tuple(paths))
    with DuckEngine() as engine:
        assert sum(engine.days(Rows(files=tuple(paths))).values()) == 150
        assert engine.days(meant) == engine.days(plain)
        for buckets in ("day", "one", 40, [START, START + timedelta(days=2)]):
            found = [
                profiling.windows(engine.counts(r.files, GRIDS, buckets=buckets, without=r.without))
                for r in (meant, plain)
            ]
            assert list(found[0]) == list(found[1])
            for mine, theirs in zip(found[0].values(), found[1].values(), strict=True):
                assert all(mine[c].keys.tolist() == theirs[c].keys.tolist() for c in theirs)
                assert all(mine[c].n.tolist() == theirs[c].n.tolist() for c in theirs)
        one = engine.counts(paths[:1], GRIDS, buckets="one", without=gone.slice(0, 0))
        assert profiling.rows(one) == 100
        assert engine.row_windows(meant, GRIDS, size=40).num_rows == 146
        # another set of rows of the same files is not taken for the one before
        assert engine.row_windows(Rows(files=tuple(paths), without=gone.slice(1)), GRIDS, size=40).num_rows == 147
