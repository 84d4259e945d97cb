from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline_core.policy import Policy
from pipeline_core.records import Origin
from pipeline_core.stages.coherence import coherence

POLICY = Policy()
OTHERS = ["y", "grade"]


def draw(rows: int, seed: int, *, shift: float = 0.0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    x = random.normal(size=rows) + shift
    y = 0.7 * x + random.normal(size=rows)
    grade = np.where(x + random.normal(size=rows) > 0, "high", "low").astype(object)
    return pd.DataFrame({"x": x, "y": y, "grade": grade, "free": random.normal(size=rows)})


@pytest.mark.parametrize("seed", range(5))
def test_a_population_that_moved_takes_the_other_columns_along(seed: int) -> None:
    found = coherence(draw(2000, seed, shift=0.7), draw(5000, 99), feature="x", others=OTHERS, policy=POLICY)
    assert found.origin is Origin.POPULATION
    assert found.ratio == pytest.approx(1.0, abs=0.25)
    assert found.strength >= POLICY.coherence_strength_min


@pytest.mark.parametrize("seed", range(5))
def test_a_fault_moves_one_column_only(seed: int) -> None:
    now = draw(2000, seed)
    found = coherence(now.assign(x=now["x"] + 0.7), draw(5000, 99), feature="x", others=OTHERS, policy=POLICY)
    assert found.origin is Origin.FAULT
    assert found.ratio == pytest.approx(0.0, abs=0.25)


def test_what_is_independent_of_all_others_cannot_be_told() -> None:
    now = draw(2000, 1)
    found = coherence(now.assign(free=now["free"] + 2), draw(5000, 99), feature="free", others=OTHERS, policy=POLICY)
    assert found.origin is Origin.UNKNOWN
    assert found.strength < POLICY.coherence_strength_min
    alone = coherence(now, draw(50, 2), feature="x", others=[], policy=POLICY)
    assert (alone.origin, alone.ratio) == (Origin.UNKNOWN, None)


def test_a_category_that_shifted_with_its_rows_is_a_population() -> None:
    base, now = draw(5000, 99), draw(6000, 1)
    high = now[now["grade"] == "high"].head(1800)
    mostly = pd.concat([high, now[now["grade"] == "low"].head(200)])
    found = coherence(mostly, base, feature="grade", others=["x", "y"], policy=POLICY)
    assert found.origin is Origin.POPULATION
    rewritten = now.head(2000).assign(grade="high")
    assert coherence(rewritten, base, feature="grade", others=["x", "y"], policy=POLICY).origin is Origin.FAULT


def test_the_feature_is_told_as_it_is_called() -> None:
    now = draw(2000, 1)
    for window, others in ((now.assign(x=now["x"] + 0.7), OTHERS), (now, OTHERS), (now, [])):
        found = coherence(window, draw(5000, 99), feature="x", others=others, policy=POLICY, called="income of y")
        assert found.feature == "income of y"
        assert "'x'" not in found.reason
