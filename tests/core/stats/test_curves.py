from __future__ import annotations

import doctest

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from pipeline_core.records import Curves
from pipeline_core.stats import curves as module
from pipeline_core.stats.curves import POINTS_MAX, curves


def test_examples_hold() -> None:
    assert doctest.testmod(module).failed == 0


def test_a_curve_by_hand() -> None:
    found = curves([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    assert found.roc == ((0.0, 0.0), (0.0, 0.5), (0.5, 0.5), (0.5, 1.0), (1.0, 1.0))
    assert found.precision_recall == ((0.0, 1.0), (0.5, 1.0), (0.5, 0.5), (1.0, pytest.approx(2 / 3)), (1.0, 0.5))
    assert found.calibration == ((0.1, 0.0), (0.35, 1.0), (0.4, 0.0), (0.8, 1.0))


def test_tied_scores_are_one_point() -> None:
    assert curves([0, 1, 0, 1], [0.5] * 4) == Curves(
        roc=((0.0, 0.0), (1.0, 1.0)), precision_recall=((0.0, 0.5), (1.0, 0.5)), calibration=((0.5, 0.5),)
    )


def test_thinning_keeps_the_shape_and_the_ends() -> None:
    random = np.random.default_rng(1)
    y = random.random(50_000) < 0.1
    score = np.clip(0.1 + 0.2 * y + 0.1 * random.normal(size=50_000), 0, 1)
    found = curves(y, score)
    assert max(len(found.roc), len(found.precision_recall)) <= POINTS_MAX
    assert len(found.calibration) <= 10
    assert (found.roc[0], found.roc[-1]) == ((0.0, 0.0), (1.0, 1.0))
    x, rise = np.array(found.roc).T
    assert np.trapezoid(rise, x) == pytest.approx(roc_auc_score(y, score), abs=2e-3)
    false_rate, true_rate, _ = roc_curve(y, score)
    assert np.interp(x[1:], false_rate, true_rate) == pytest.approx(rise[1:], abs=1e-2)
    assert all(0 <= value <= 1 for point in found.precision_recall + found.calibration for value in point)


def test_one_class_has_no_curves() -> None:
    assert curves([1, 1], [0.2, 0.3]) == Curves()
