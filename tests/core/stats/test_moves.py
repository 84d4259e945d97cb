"""Many windows at once move as each of them does alone."""

from __future__ import annotations

import doctest
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_core.stats import moves as module
from pipeline_core.stats.columns import ColumnCounts, compare_levels, compare_numbers, null_test
from pipeline_core.stats.cubes import Cube, cube
from pipeline_core.stats.moves import effects, moves


def some(seed: int, *, levels: bool, windows: int = 5, rows: int = 900) -> list[ColumnCounts]:
    random = np.random.default_rng(seed)
    made = []
    for _ in range(windows):
        values = random.geometric(0.2, random.integers(1, rows)) + random.integers(0, 3)
        keys, n = np.unique(values, return_counts=True)
        named = np.array([f"v{k:03d}" for k in keys], dtype=object) if levels else keys.astype(float)
        made.append(ColumnCounts(keys=named, n=n, nulls=int(random.integers(0, 30))))
    return made


def test_examples_hold() -> None:
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("celled", [True, False])
@settings(deadline=None)
@given(seed=st.integers(0, 500))
def test_numbers_move_as_alone(seed: int, shared: bool, celled: bool) -> None:
    base, now = some(seed, levels=False, windows=1 if shared else 5), some(seed + 1, levels=False)
    found = moves(cube(base), cube(now), by_level=False, celled=celled)
    for place, current in enumerate(now):
        before = base[0 if shared else place]
        alone = compare_numbers(before, current, celled=celled)
        assert found.effect[place] == pytest.approx(alone.test.effect, abs=1e-12)
        assert found.statistic[place] == found.effect[place] == found.effect_low[place]
        assert found.p_value[place] == pytest.approx(alone.test.p_value, abs=1e-5)
        assert found.effect_most[place] == pytest.approx(alone.effect_high, abs=1e-12)
        assert found.sizes[place].tolist() == list(alone.sizes)
        assert found.smallest_detectable(place, 0.01) == pytest.approx(alone.smallest_detectable(0.01))
        nulls = null_test(before, current)
        assert found.null_p[place] == pytest.approx(nulls.p_value, rel=1e-9)
        assert found.null_now[place] - found.null_before[place] == pytest.approx(nulls.effect, abs=1e-12)
    assert (found.levels.tolist(), found.new_p_value.tolist(), found.new_levels) == ([0] * 5, [1.0] * 5, ({},) * 5)
    if not celled:
        assert found.effect_high.tolist() == found.effect_low.tolist()
    quick, nulls_quick = effects(cube(base), cube(now), by_level=False)
    assert quick.tolist() == found.effect.tolist()
    assert nulls_quick == pytest.approx(found.null_change, abs=1e-15)


@pytest.mark.parametrize("shared", [True, False])
@settings(deadline=None)
@given(seed=st.integers(0, 500))
def test_levels_move_as_alone(seed: int, shared: bool) -> None:
    base, now = some(seed, levels=True, windows=1 if shared else 5), some(seed + 1, levels=True)
    found = moves(cube(base), cube(now), by_level=True, celled=False)
    for place, current in enumerate(now):
        alone = compare_levels(base[0 if shared else place], current)
        assert found.statistic[place] == pytest.approx(alone.test.statistic, rel=1e-9, abs=1e-9)
        assert found.p_value[place] == pytest.approx(alone.test.p_value, rel=1e-8, abs=1e-12)
        assert found.effect[place] == pytest.approx(alone.test.effect, abs=1e-9)
        assert found.effect_most[place] == pytest.approx(alone.effect_high, abs=1e-9)
        assert (found.sizes[place].tolist(), found.levels[place]) == (list(alone.sizes), alone.levels)
        assert found.new_levels[place] == pytest.approx(alone.new_levels)
        assert list(found.new_levels[place]) == list(alone.new_levels)
        assert found.new_excess[place] == pytest.approx(alone.new_excess, abs=1e-12)
        assert found.new_p_value[place] == pytest.approx(alone.new_p_value, rel=1e-9)
        assert found.smallest_detectable(place, 0.01) == pytest.approx(alone.smallest_detectable(0.01))
    assert effects(cube(base), cube(now), by_level=True)[0].tolist() == found.effect.tolist()


def test_distances_that_were_read_again_replace_what_counts_bound() -> None:
    base = ColumnCounts(keys=np.array([0.0, 1.0]), n=np.array([600, 400]))
    now = ColumnCounts(keys=np.array([0.0, 1.0]), n=np.array([500, 500]))
    found = moves(cube([base]), cube([now, now]), by_level=False, celled=True, exact=np.array([0.12, np.nan]))
    alone = compare_numbers(base, now, celled=True, exact=0.12)
    assert (found.effect[0], found.effect_high[0]) == (0.12, 0.12)
    assert found.effect_most[0] == pytest.approx(alone.effect_high)
    assert found.p_value[0] == pytest.approx(alone.test.p_value, abs=1e-6)
    assert found.effect[1] == pytest.approx(0.1)
    assert found.effect_high[1] > 0.5


@pytest.mark.parametrize("by_level", [True, False])
def test_a_window_without_rows_costs_the_others_nothing(by_level: bool) -> None:
    full = ColumnCounts(keys=np.array([1.0, 2.0]), n=np.array([500, 500]), nulls=10)
    nulls = ColumnCounts(keys=np.empty(0), n=np.empty(0, np.int64), nulls=9)
    found = moves(cube([full]), cube([full, None, nulls]), by_level=by_level, celled=False)
    assert np.isnan(found.effect).tolist() == [False, True, not by_level]
    assert np.isnan(found.p_value).tolist() == np.isnan(found.effect).tolist()
    assert np.isnan(found.null_now).tolist() == [False, True, False]
    assert np.isnan(found.null_p).tolist() == [False, True, False]
    assert found.smallest_detectable(1, 0.05) is None
    # against nothing but nulls only the null share is compared
    found = moves(cube([nulls]), cube([full]), by_level=by_level, celled=False)
    assert np.isnan(found.effect[0])
    assert (found.null_before[0], found.null_change[0]) == pytest.approx((1.0, 1000 / 1010))
    found = moves(cube([nulls, None]), cube([nulls, None]), by_level=by_level, celled=True)
    assert np.isnan(found.effect).all()


def test_no_windows_move_nowhere() -> None:
    none = Cube(keys=np.array([1.0]), n=np.zeros((0, 1), np.int64), nulls=np.zeros(0, np.int64))
    base = cube([ColumnCounts(keys=np.array([1.0]), n=np.array([4]))])
    for by_level in (True, False):
        assert len(moves(base, none, by_level=by_level, celled=False).effect) == 0
        assert len(effects(base, none, by_level=by_level)[0]) == 0


def test_hostile_levels_are_text() -> None:
    keys = np.array(sorted(["", "'; drop", "\U0001f600", "__other__", "nan"]), dtype=object)
    base, now = (
        cube([ColumnCounts(keys=keys[:3], n=np.array([50, 60, 70]))]),
        cube([ColumnCounts(keys=keys, n=np.full(5, 40))]),
    )
    found = moves(base, now, by_level=True, celled=False)
    assert set(found.new_levels[0]) == set(keys[3:])


def test_a_year_of_days_is_compared_in_hundredths_of_a_second_a_column() -> None:
    random = np.random.default_rng(3)
    days = Cube(keys=np.arange(2_000.0), n=random.poisson(0.5, (365, 2_000)), nulls=random.poisson(3, 365))
    others = days.selected(~np.eye(365, dtype=bool))
    started = time.process_time()
    moves(others, days, by_level=False, celled=True)
    assert time.process_time() - started < 0.5, "it takes 0.03 s on the machine that this was written on"
