from __future__ import annotations

import doctest
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from pipeline_core.errors import NotEnough
from pipeline_core.stats import ranking
from pipeline_core.stats.intervals import normal_quantile
from pipeline_core.stats.ranking import auc, delong, mean_influence

Y = [0, 1, 0, 0, 1, 1, 0, 1, 0]
SCORE = [0.21, 0.32, 0.63, 0.35, 0.92, 0.79, 0.82, 0.99, 0.04]


def test_examples_hold() -> None:
    assert doctest.testmod(ranking).failed == 0


def test_delong_toy_of_the_verification_pack() -> None:
    aucs, covariance = delong(Y, [SCORE])
    assert aucs[0] == pytest.approx(0.8, abs=1e-12)
    assert covariance[0, 0] == pytest.approx(0.02875, abs=1e-12)


def test_two_scores_have_delongs_covariance_and_influence_agrees() -> None:
    random = np.random.default_rng(5)
    y = random.random(300) < 0.3
    one, two = y + random.normal(size=300), np.round(y + random.normal(size=300), 1)
    aucs, covariance = delong(y, [one, two])
    first, second = mean_influence([(y, one)]), mean_influence([(y, two)])
    assert (first[0], second[0]) == pytest.approx(aucs, abs=1e-12)
    assert float(first[1] @ first[1]) == pytest.approx(covariance[0, 0], abs=1e-14)
    paired = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    assert float(((second[1] - first[1]) ** 2).sum()) == pytest.approx(paired, abs=1e-14)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 12)), min_size=2, max_size=60))
def test_auc_is_scikit_learns_with_ties(rows: list[tuple[bool, int]]) -> None:
    y, score = np.array([r[0] for r in rows]), np.array([r[1] / 7 for r in rows])
    if y.all() or not y.any():
        with pytest.raises(NotEnough, match="one class"):
            auc(y, score)
        with pytest.raises(NotEnough, match="one class"):
            delong(y, [score])
        return
    assert auc(y, score) == pytest.approx(roc_auc_score(y, score), abs=1e-12)
    assert delong(y, [score])[0][0] == pytest.approx(auc(y, score), abs=1e-12)
    assert np.isfinite(delong(y, [score])[1]).all()


def test_delong_covers_as_published() -> None:
    random = np.random.default_rng(11)
    covered = 0
    for _ in range(200):
        y = random.random(500) < 0.2
        aucs, covariance = delong(y, [y * 1.19 + random.normal(size=500)])  # true AUC 0.8
        covered += abs(aucs[0] - 0.8) <= 1.96 * np.sqrt(covariance[0, 0])
    assert 0.90 <= covered / 200 <= 0.99


def test_the_values_of_proc_on_its_own_data() -> None:
    """pROC's aSAH (113 patients) is GPL and stays outside of the repository."""
    path = Path(os.environ.get("ASAH_CSV") or Path(os.environ.get("REAL_DATA_DIR", "")) / "asah.csv")
    if not path.is_file():
        pytest.skip(f"pROC's aSAH data is absent: no file {path} (set ASAH_CSV or REAL_DATA_DIR)")
    table = pd.read_csv(path)
    markers = ["wfns", "s100b", "ndka"]
    aucs, covariance = delong((table["outcome"] == "P").to_numpy(), table[markers].to_numpy(dtype=float).T)
    assert aucs == pytest.approx([0.82367886, 0.73136856, 0.61195799], abs=5e-9)

    def z(first: int, second: int) -> float:
        spread = covariance[first, first] + covariance[second, second] - 2 * covariance[first, second]
        return float((aucs[first] - aucs[second]) / spread**0.5)

    assert z(0, 1) == pytest.approx(2.20898359144091, abs=1e-10)
    assert z(0, 2) == pytest.approx(2.79777591868904, abs=1e-10)
    assert z(2, 1) == pytest.approx(-1.39077002573558, abs=1e-10)
    half = normal_quantile(0.975) * covariance[2, 2] ** 0.5
    assert (aucs[2] - half, aucs[2] + half) == pytest.approx((0.501244999, 0.722670990), abs=5e-10)
