"""The hold-out is never fitted on, parts keep what belongs together, and too little data is said in figures."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipeline_core.errors import NotEnough
from pipeline_core.policy import Policy
from pipeline_core.records import Schema, TimeUnit
from pipeline_core.stages import training
from tests.core import modelling

POLICY = Policy()


def with_times(days: list[int]) -> pa.Table:
    rows = modelling.rows(len(days))
    times = pa.array([datetime(2025, 3, d, tzinfo=UTC) for d in days], pa.timestamp("us", "UTC")).cast(
        pa.timestamp("us")
    )
    return rows.set_column(rows.schema.get_field_index("event_at"), "event_at", times)


# --- split --------------------------------------------------------------------------------------


def test_the_newest_fifth_is_held_out_in_any_row_order() -> None:
    rows = modelling.rows(400)
    shuffled = rows.take(pa.array(np.random.default_rng(0).permutation(400)))
    cut = training.split(shuffled, modelling.schema(), POLICY)
    held = shuffled.filter(pa.array(~cut.fit))
    assert sorted(held["row_number"].to_pylist()) == list(range(320, 400))
    assert cut.holdout_from == datetime(2025, 1, 2, 8, tzinfo=UTC)
    assert pc.min(held["event_at"]).as_py() == cut.holdout_from.replace(tzinfo=None)


def test_rows_of_one_time_stay_together_and_the_nearest_cut_is_taken() -> None:
    cut = training.split(with_times([1] * 120 + [2] * 50 + [3] * 70), modelling.schema(), POLICY)
    assert cut.holdout_from == datetime(2025, 3, 3, tzinfo=UTC)
    assert int(cut.fit.sum()) == 170
    # wanted: 192 rows to fit; cutting at day 2 would leave 120, at day 3 230
    cut = training.split(with_times([1] * 120 + [2] * 110 + [3] * 10), modelling.schema(), POLICY)
    assert int(cut.fit.sum()) == 230
    # most rows in the last month: the first month is all there is to fit on
    cut = training.split(with_times([1] * 40 + [2] * 200), modelling.schema(), POLICY)
    assert int(cut.fit.sum()) == 40


def test_microseconds_survive_in_the_cut() -> None:
    rows = modelling.rows(200)
    times = pa.array(
        [datetime(2025, 3, 1, 0, 0, 0, i, tzinfo=UTC) for i in range(200)], pa.timestamp("us", "UTC")
    ).cast(pa.timestamp("us"))
    cut = training.split(rows.set_column(2, "event_at", times), modelling.schema(), POLICY)
    assert cut.holdout_from == datetime(2025, 3, 1, 0, 0, 0, 160, tzinfo=UTC)


def test_without_an_event_time_the_hashed_id_decides_for_every_dataset() -> None:
    schema = modelling.schema(unit=TimeUnit.NONE)
    rows = modelling.rows(1000)
    cut = training.split(rows, schema, POLICY)
    first = int(hashlib.md5(b"s1-0", usedforsecurity=False).hexdigest()[:16], 16) / 2**64
    assert cut.fit[0] == (first >= 0.2)
    assert cut.holdout_from is None
    assert 150 < int((~cut.fit).sum()) < 250
    part = training.split(rows.slice(300, 500), schema, POLICY)
    assert np.array_equal(part.fit, cut.fit[300:800])


def test_a_smaller_share_holds_out_a_part_of_a_larger_one() -> None:
    ids = [f"r{i}" for i in range(500)]
    small, large = training.hashed_holdout(ids, 0.1), training.hashed_holdout(ids, 0.3)
    assert small.sum() < large.sum()
    assert not (small & ~large).any()


def test_too_few_rows_are_said_in_figures() -> None:
    with pytest.raises(NotEnough, match=r"'loans' has 199 labelled rows .* at least 200\."):
        training.split(modelling.rows(199), modelling.schema(), POLICY)


def test_one_event_time_cannot_be_cut() -> None:
    with pytest.raises(NotEnough, match="have one event time, 2025-03-01 00:00"):
        training.split(with_times([1] * 200), modelling.schema(), POLICY)


def test_an_empty_part_is_refused() -> None:
    with pytest.raises(NotEnough, match=r"A hold-out share of 1\.0 leaves 0 of 200 rows"):
        training.split(modelling.rows(200), modelling.schema(unit=TimeUnit.NONE), Policy(holdout_share=1.0))


def without_id() -> Schema:
    plain = modelling.schema(unit=TimeUnit.NONE)
    return replace(plain, columns=tuple(c for c in plain.columns if c.name not in {"loan", "when"}))


def test_without_an_id_equal_rows_of_two_files_are_on_one_side() -> None:
    schema, rows = without_id(), modelling.rows(1000)
    ids = pa.array([f"{'b' * 12}-{i}" for i in range(1000)])
    other = rows.set_column(0, "row_id", ids).set_column(12, "label", pa.array([None] * 1000, pa.string()))
    here, there = (training.held_out(table, schema, 0.2) for table in (rows, other))
    assert np.array_equal(here, there)
    assert not np.array_equal(here, training.hashed_holdout(ids.to_pylist(), 0.2))
    assert 150 < int(here.sum()) < 250
    assert np.array_equal(~training.split(rows, schema, POLICY).fit, here)
    assert np.array_equal(training.held_out(rows.slice(300, 500), schema, 0.2), here[300:800])
    assert not (here & ~training.held_out(rows, schema, 0.4)).any()
    with_id = training.held_out(rows, modelling.schema(unit=TimeUnit.NONE), 0.2)
    assert np.array_equal(with_id, training.hashed_holdout(rows["row_id"].to_pylist(), 0.2))


@pytest.mark.parametrize("column_id", ["c001", "c002", "c003", "c004", "c005"])
def test_each_feature_counts_in_the_hash_and_a_null_is_a_value(column_id: str) -> None:
    schema, rows = without_id(), modelling.rows(1000)
    place = rows.column_names.index(column_id)
    blank = rows.set_column(place, column_id, pa.nulls(1000, rows.schema.field(column_id).type))
    before, after = (training.held_out(table, schema, 0.5) for table in (rows, blank))
    assert 400 < int((before != after).sum()) < 600
    kind = rows.schema.field(column_id).type
    zero = pa.array([0.0 if pa.types.is_floating(kind) else "" if pa.types.is_string(kind) else 0] * 1000, kind)
    assert not np.array_equal(after, training.held_out(rows.set_column(place, column_id, zero), schema, 0.5))


def test_the_same_number_is_the_same_however_it_is_written() -> None:
    schema, rows = without_id(), modelling.rows(300)
    signs = [pa.array([value] * 300) for value in (0.0, -0.0)]
    held = [training.held_out(rows.set_column(3, "c001", sign), schema, 0.5) for sign in signs]
    assert np.array_equal(*held)
    assert training.held_out(rows.slice(0, 0), schema, 0.5).tolist() == []
    chunks = pa.concat_tables([rows.slice(0, 100), rows.slice(100)])
    assert np.array_equal(training.held_out(chunks, schema, 0.5), training.held_out(rows, schema, 0.5))


# --- blocks -------------------------------------------------------------------------------------


def test_blocks_are_of_one_size_and_the_oldest_is_the_first() -> None:
    rows = modelling.rows(400).take(pa.array(np.random.default_rng(0).permutation(400)))
    block = training.blocks(rows, modelling.schema(), 4)
    assert np.array_equal(block, rows["row_number"].to_numpy() // 100)


def test_rows_of_one_time_are_in_one_block() -> None:
    block = training.blocks(with_times([1] * 90 + [2] * 20 + [3] * 90), modelling.schema(), 3)
    assert [int((block == k).sum()) for k in range(3)] == [90, 20, 90]
    assert block.tolist() == [0] * 90 + [1] * 20 + [2] * 90
    with pytest.raises(NotEnough, match=r"cannot be cut into 4 parts: they have 3 different event times"):
        training.blocks(with_times([1] * 90 + [2] * 20 + [3] * 90), modelling.schema(), 4)
    with pytest.raises(NotEnough, match="they have 1 different event times"):
        training.blocks(with_times([1] * 200), modelling.schema(), 2)


def test_without_a_time_equal_rows_are_in_one_block_whatever_their_order() -> None:
    rows = modelling.rows(300)
    twice = pa.concat_tables([rows, rows.set_column(0, "row_id", pa.array([f"x-{i}" for i in range(300)]))])
    block = training.blocks(twice, without_id(), 5)
    assert np.array_equal(block[:300], block[300:])
    assert all(80 < int((block == k).sum()) < 160 for k in range(5))
    order = np.random.default_rng(1).permutation(600)
    assert np.array_equal(training.blocks(twice.take(pa.array(order)), without_id(), 5), block[order])
