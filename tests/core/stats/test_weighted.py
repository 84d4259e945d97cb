from __future__ import annotations

import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from pipeline_core.records import Task
from pipeline_core.stats import weighted as module
from pipeline_core.stats.truth import Scored
from pipeline_core.stats.weighted import weighted


def test_examples_hold() -> None:
    assert doctest.testmod(module).failed == 0


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 20), st.integers(0, 3)), min_size=4, max_size=50))
def test_a_weight_is_as_many_copies_of_the_row(rows: list[tuple[bool, int, int]]) -> None:
    y = np.array([r[0] for r in rows], dtype=float)
    score = np.array([r[1] / 20 for r in rows])
    weights = np.array([r[2] for r in rows], dtype=float)
    if not (weights @ y and weights @ (1 - y)):
        return
    said = (score >= 0.5).astype(float)
    table = Scored(task=Task.BINARY, y=y, prediction=said, score=score)
    copied = np.repeat(np.arange(len(rows)), weights.astype(int))
    ours = {name: weighted(name, table)(weights) for name in ("average_precision", "brier", "accuracy", "f1")}
    assert ours["average_precision"] == pytest.approx(sk.average_precision_score(y[copied], score[copied]), abs=1e-12)
    assert ours["brier"] == pytest.approx(sk.brier_score_loss(y[copied], score[copied]), abs=1e-12)
    assert ours["accuracy"] == pytest.approx(sk.accuracy_score(y[copied], said[copied]), abs=1e-12)
    assert ours["f1"] == pytest.approx(sk.f1_score(y[copied], said[copied]), abs=1e-12)


def test_what_a_weighting_leaves_undefined_is_nan_and_not_an_error() -> None:
    y, said = np.array([1.0, 0.0]), np.array([1.0, 0.0])
    rows = Scored(task=Task.BINARY, y=y, prediction=said, score=said)
    only_negative = np.array([0.0, 2.0])
    assert np.isnan(weighted("average_precision", rows)(only_negative))
    assert np.isnan(weighted("f1", rows)(only_negative))
    assert np.isnan(weighted("r2", rows)(only_negative))


def test_a_sure_and_wrong_model_costs_a_finite_log_loss() -> None:
    rows = Scored(task=Task.BINARY, y=np.array([1.0]), prediction=np.array([0.0]), score=np.array([0.0]))
    assert weighted("log_loss", rows)(np.ones(1)) == pytest.approx(36.04365338911715)
