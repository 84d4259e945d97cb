"""The classifier that tells a window from the baseline: what it sees, what it names, when it is silent.

``BARS=1`` runs the bar of statistics.md 6 in full: 200 windows a side.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp
from sklearn.metrics import roc_auc_score

from pipeline_core.errors import NotEnough
from pipeline_core.policy import Policy
from pipeline_core.records import DomainTest
from pipeline_core.stages import domain

POLICY = Policy()
RUNS, NULL_RUNS = (200, 200) if os.environ.get("BARS") else (6, 24)
COLUMNS = 20


def rows(count: int, seed: int, *, correlation: float = 0.6, columns: int = COLUMNS) -> pd.DataFrame:
    """Give standard normal columns, the first two of them correlated: whatever the correlation, no column differs."""
    values = np.random.default_rng(seed).normal(size=(count, columns))
    values[:, 1] = correlation * values[:, 0] + np.sqrt(1 - correlation**2) * values[:, 1]
    return pd.DataFrame(values, columns=[f"c{place:03}" for place in range(1, columns + 1)])


def tell(window: pd.DataFrame, reference: pd.DataFrame, *, seed: int = 7) -> DomainTest:
    return domain.domain_test(window, reference, policy=POLICY, seed=seed)


def test_a_turned_correlation_is_found_in_95_percent_and_its_two_columns_are_named() -> None:
    found = [tell(rows(1_000, 2 * i, correlation=-0.6), rows(1_000, 2 * i + 1), seed=i) for i in range(RUNS)]
    named = [set(list(f.features)[:2]) == {"c001", "c002"} for f in found]
    share = np.mean([f.drifted for f in found])
    print(f"correlation .6 -> -.6: found {share:.3f}, named {np.mean(named):.3f} of {RUNS}")
    assert share >= 0.95
    assert np.mean(named) >= 0.95
    assert sum(found[0].features.values()) == pytest.approx(1)
    assert "c001" in found[0].reason


def test_no_column_alone_shows_the_turned_correlation() -> None:
    now, before = rows(1_000, 0, correlation=-0.6), rows(1_000, 1)
    assert min(ks_2samp(now[name], before[name]).pvalue for name in now) * COLUMNS > POLICY.alpha


def test_no_drift_is_told_in_at_most_5_percent() -> None:
    found = [tell(rows(1_000, 2 * i + 10_001), rows(1_000, 2 * i + 10_000), seed=i) for i in range(NULL_RUNS)]
    print(f"no drift: told {np.mean([f.drifted for f in found]):.3f} of {NULL_RUNS}")
    assert np.mean([f.drifted for f in found]) <= 0.05
    assert not any(f.features for f in found)
    # chance alone, without the floor, keeps its level as well
    assert np.mean([f.p_value <= POLICY.alpha for f in found]) <= 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / NULL_RUNS)
    assert "not told from" in found[0].reason


def test_many_columns_do_not_hide_the_pair() -> None:
    found = [
        tell(rows(500, 2 * i, correlation=-0.6, columns=60), rows(1_000, 2 * i + 1, columns=60), seed=i)
        for i in range(2)
    ]
    assert all(f.drifted for f in found)


def test_a_shift_of_one_column_names_it() -> None:
    now = rows(800, 1)
    now["c005"] += 1.0
    found = domain.domain_test(now, rows(2_000, 2), policy=POLICY, seed=7, names={"c005": "income"})
    assert found.drifted
    assert max(found.features, key=lambda name: found.features[name]) == "income"
    assert "income" in found.reason


def test_levels_that_moved_against_each_other_are_found() -> None:
    random = np.random.default_rng(3)

    def pairs(count: int, *, alike: bool) -> pd.DataFrame:
        one = random.choice(["a", "b"], count)
        other = np.where(one == "a", "x", "y") if alike else np.where(one == "a", "y", "x")
        blurred = np.where(random.random(count) < 0.3, random.choice(["x", "y"], count), other)
        frame = rows(count, int(random.integers(1_000)), columns=6)
        return frame.assign(c007=one.astype(object), c008=blurred.astype(object))

    found = tell(pairs(800, alike=False), pairs(1_500, alike=True))
    assert found.drifted
    assert set(list(found.features)[:2]) == {"c007", "c008"}


def test_nulls_ids_constants_and_mixed_types_cost_nothing() -> None:
    def odd(count: int, first: int) -> pd.DataFrame:
        frame = rows(count, first, columns=4)
        frame["c005"] = np.nan
        frame["c006"] = pd.Series([None] * count, dtype=object)
        frame["c007"] = 3.0
        frame["c008"] = pd.Series([f"id-{first + i}" for i in range(count)], dtype=object)
        frame["c009"] = pd.Series([None if i % 3 else "é'\";--" for i in range(count)], dtype=object)
        frame["c010"] = np.where(np.arange(count) % 5, frame["c001"], np.inf)
        return frame

    found = tell(odd(900, 1), odd(1_200, 10_000))
    assert not found.drifted
    # a number on one side and its text on the other is the door's business, and no error here
    turned = odd(900, 1)
    turned["c001"] = [str(value) for value in turned["c001"]]
    assert not tell(turned, odd(1_200, 10_000)).drifted


def test_a_column_that_one_side_lacks_is_left_out() -> None:
    assert not tell(rows(500, 1).assign(c099=1.0), rows(500, 2).assign(c098=2.0)).drifted


def test_the_same_seed_gives_the_same_answer() -> None:
    now, before = rows(600, 1, correlation=-0.6), rows(600, 2)
    assert tell(now, before) == tell(now, before)


def test_the_figures_are_those_of_the_books() -> None:
    random = np.random.default_rng(4)
    scores, truth = random.integers(0, 9, 400).astype(float), random.integers(0, 2, 400).astype(float)
    assert domain._auc(scores, truth) == pytest.approx(roc_auc_score(truth, scores), abs=1e-12)
    # z = 0.05 / sqrt(201 / 120,000) = 1.2217
    assert domain._p_value(0.55, 100, 100) == pytest.approx(0.1109, abs=1e-4)


@pytest.mark.parametrize(("now", "before"), [(199, 1_000), (1_000, 199), (0, 0)])
def test_too_few_rows_are_refused(now: int, before: int) -> None:
    with pytest.raises(NotEnough, match="at least 200 are needed"):
        tell(rows(now, 1), rows(before, 2))


def test_no_shared_column_is_refused() -> None:
    with pytest.raises(NotEnough, match="share no column"):
        tell(rows(300, 1), rows(300, 2).add_prefix("x"))


def test_the_floor_is_the_policys() -> None:
    now, before = rows(2_000, 1, correlation=-0.6), rows(2_000, 2)
    strict = replace(POLICY, domain_auc_min=0.95)
    assert not domain.domain_test(now, before, policy=strict, seed=7).drifted


def test_half_a_second_is_enough() -> None:
    now, before = rows(5_000, 1, correlation=-0.6, columns=30), rows(20_000, 2, columns=30)
    tell(now, before)
    begun = time.process_time()
    tell(now, before)
    assert time.process_time() - begun < 0.7  # measured 0.3 s on a quiet core
