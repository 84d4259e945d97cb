"""What one column says about another: figures that are known beforehand."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from pipeline_core.stages.schema.strength import auc_alone, auc_of, codes, numbers, r2_alone, r2_linear, same_share

ROWS = 4_000
RNG = np.random.default_rng(7)
NOISE = RNG.normal(size=ROWS)
LABELS = (RNG.random(ROWS) < 0.3).astype(np.intp)


def cells(values: object) -> np.ndarray:
    return codes(pa.chunked_array([pa.array(values)]))


def test_levels_and_nulls_have_cells_of_their_own() -> None:
    assert cells(["b", "a", None, "b"]).tolist() == [0, 1, 2, 0]
    assert cells([True, None, False]).tolist() == [0, 2, 1]
    assert len(set(cells([5, 3, None, 5, 4]).tolist())) == 4
    assert cells([1.0, float("inf"), float("nan"), None]).tolist()[1:] == [2, 2, 2]
    assert len(set(cells(pa.nulls(2)).tolist())) == 1


def test_many_numbers_share_a_hundred_cells() -> None:
    found = cells(NOISE)
    rows = np.bincount(found)
    assert (len(rows), rows.min(), rows.max()) == (100, 40, 40)
    assert np.all(np.diff(found[np.argsort(NOISE)]) >= 0)


def test_numbers_that_are_none_are_nan() -> None:
    found = numbers(pa.chunked_array([pa.array([1, None, 3])]))
    assert found.tolist()[::2] == [1.0, 3.0]
    assert np.isnan(numbers(pa.chunked_array([pa.array([float("inf")])]))).all()


def test_a_copy_of_the_classes_decides_them_and_noise_does_not() -> None:
    assert auc_alone(LABELS, LABELS) == pytest.approx(1.0)
    assert auc_alone(cells(NOISE), LABELS) == pytest.approx(0.5, abs=0.03)
    # a text of its own for every row teaches the other half nothing
    assert auc_alone(np.arange(ROWS), LABELS) == pytest.approx(0.5)


def test_a_flag_that_is_right_in_nine_rows_of_ten() -> None:
    flag = np.where(np.arange(ROWS) % 10 == 0, 1 - LABELS, LABELS)
    assert auc_alone(flag, LABELS) == pytest.approx(0.9, abs=0.01)


def test_of_many_classes_the_mean_counts() -> None:
    classes = RNG.integers(0, 4, ROWS)
    # two of four classes are told exactly: (1 + 1 + x + x) / 4
    told = np.where(classes < 2, classes, 2)
    assert auc_alone(classes, classes) == pytest.approx(1.0)
    assert auc_alone(told, classes) == pytest.approx((1 + 1 + 5 / 6 + 5 / 6) / 4, abs=0.02)


def test_a_rare_class_is_not_judged() -> None:
    classes = np.zeros(ROWS, np.intp)
    classes[:19] = 1
    assert auc_alone(classes, classes) is None
    classes[:20] = 1
    assert auc_alone(classes, classes) == pytest.approx(1.0)


def test_variance_explained() -> None:
    assert r2_alone(cells(NOISE), NOISE) == pytest.approx(1.0, abs=0.02)
    assert r2_alone(cells(NOISE), np.square(NOISE)) > 0.9
    assert r2_alone(cells(RNG.normal(size=ROWS)), NOISE) == pytest.approx(0.0, abs=0.1)
    assert r2_alone(cells(NOISE), np.ones(ROWS)) == 0


def test_a_line_must_hold_for_the_ranks_too() -> None:
    assert r2_linear(-3 * NOISE + 1, NOISE) == pytest.approx(1.0)
    lone = NOISE.copy()
    lone[0] = 1e6
    other = RNG.normal(size=ROWS)
    other[0] = 1e6
    assert r2_linear(lone, other) == 0
    gaps = np.where(np.arange(ROWS) % 3 == 0, np.nan, NOISE)
    assert r2_linear(gaps, NOISE) == pytest.approx(1.0)
    assert r2_linear(np.where(np.arange(ROWS) % 3 == 0, NOISE, np.nan), NOISE) == 0
    assert r2_linear(np.ones(ROWS), NOISE) == 0


def test_a_figure_may_rank_either_way() -> None:
    truth = np.array([True, True, False, False])
    assert auc_of(np.array([1.0, 2.0, 3.0, 4.0]), truth) == pytest.approx(1.0)
    assert auc_of(np.array([1.0, 4.0, 2.0, 3.0]), truth) == pytest.approx(0.5)


def test_rows_that_tell() -> None:
    target = np.arange(100.0)
    made = target.copy()
    made[:10] = -1
    assert same_share(made, target) == pytest.approx(0.9)
    assert same_share(made[10:], target[10:]) == pytest.approx(1.0)
    assert same_share(made[81:], target[81:]) == 0
    assert same_share(np.full(100, 5.0), np.full(100, 5.0)) == 0
