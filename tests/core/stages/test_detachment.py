from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipeline_core.policy import Policy
from pipeline_core.records import AlertLevel, Detachment, DriftState, FeatureDrift
from pipeline_core.stages.detachment import detached, louder

POLICY = Policy()
COLUMNS = ["x", "y", "grade", "free"]


def draw(rows: int, seed: int, *, tilt: float = 0.0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    x = random.normal(size=rows) + tilt
    y = np.exp(0.8 * x + random.normal(size=rows))
    grade = np.where(x + random.normal(size=rows) > 0, "high", "low").astype(object)
    return pd.DataFrame({"x": x, "y": y, "grade": grade, "free": random.normal(size=rows)})


def other_rows(rows: pd.DataFrame, name: str, share: float = 1.0) -> pd.DataFrame:
    """Give a share of the rows the value that another row has."""
    random = np.random.default_rng(5)
    places = np.flatnonzero(random.random(len(rows)) < share)
    values = rows[name].to_numpy(copy=True)
    values[places] = values[random.permutation(places)]
    return rows.assign(**{name: values})


@pytest.mark.parametrize("name", ["x", "y", "grade"])
def test_a_column_with_the_values_of_other_rows_is_named(name: str) -> None:
    broken = other_rows(draw(1_500, 1), name)
    found = detached(broken, draw(5_000, 99), columns=COLUMNS, policy=POLICY)
    assert [one.feature for one in found] == [name]
    assert found[0].kept == pytest.approx(0.0, abs=0.15)
    assert found[0].p_adjusted < 1e-3
    assert found[0].rivals == ()
    assert "no longer belongs to its row" in found[0].reason


def test_the_share_that_is_left_is_the_share_of_rows_that_still_belong() -> None:
    found = detached(other_rows(draw(20_000, 1), "y", 0.7), draw(20_000, 99), columns=COLUMNS, policy=POLICY)
    assert [one.feature for one in found] == ["y"]
    assert found[0].kept == pytest.approx(0.3, abs=0.03)
    # half of the rows still belong: the policy's limit
    mild = other_rows(draw(20_000, 1), "y", 0.3)
    assert detached(mild, draw(20_000, 99), columns=COLUMNS, policy=POLICY) == ()
    strict = replace(POLICY, detachment_kept_max=0.8)
    assert [one.feature for one in detached(mild, draw(20_000, 99), columns=COLUMNS, policy=strict)] == ["y"]


@pytest.mark.parametrize("seed", range(10))
def test_healthy_rows_and_another_population_are_left_alone(seed: int) -> None:
    base = draw(5_000, 99)
    assert detached(draw(1_000, seed), base, columns=COLUMNS, policy=POLICY) == ()
    assert detached(draw(1_000, seed, tilt=0.8), base, columns=COLUMNS, policy=POLICY) == ()
    # nothing is known of a column that hangs on no other
    assert detached(other_rows(draw(1_000, seed), "free"), base, columns=COLUMNS, policy=POLICY) == ()


def test_two_detached_columns_are_told_one_after_the_other() -> None:
    random = np.random.default_rng(1)
    shared = random.normal(size=(8_000, 1))
    rows = pd.DataFrame(shared + random.normal(size=(8_000, 5)), columns=list("abcde"))
    broken = other_rows(other_rows(rows.iloc[:2_000].reset_index(drop=True), "b"), "d", 0.9)
    found = detached(broken, rows.iloc[2_000:], columns=list("abcde"), policy=POLICY)
    assert sorted(one.feature for one in found) == ["b", "d"]
    assert {one.rivals for one in found} == {()}


def test_of_two_columns_that_know_only_each_other_both_are_named() -> None:
    found = detached(other_rows(draw(1_500, 1), "y"), draw(9_000, 99), columns=["x", "y", "free"], policy=POLICY)
    assert {found[0].feature, *found[0].rivals} == {"x", "y"}
    assert len(found) == 1


def test_relations_that_come_and_go_are_no_measure() -> None:
    """Half of the stretches know one relation, the others its opposite, as seasons do."""
    base = draw(12_000, 99)
    turned = (np.arange(len(base)) // 1_000) % 2 == 1
    base = base.assign(y=np.where(turned, -base["x"], base["x"]) + 0.1 * base["free"])
    assert detached(other_rows(base.head(1_000), "y"), base, columns=["x", "y"], policy=POLICY) == ()


def test_nulls_constants_single_columns_and_few_rows_say_nothing() -> None:
    base, now = draw(5_000, 99), draw(1_000, 1)
    empty = {"gone": np.nan, "same": 1.0, "one": "a"}
    names = [*COLUMNS, *empty]
    assert detached(now.assign(**empty), base.assign(**empty), columns=names, policy=POLICY) == ()
    assert detached(other_rows(now, "x"), base, columns=["x"], policy=POLICY) == ()
    assert detached(other_rows(now.head(150), "x"), base, columns=COLUMNS, policy=POLICY) == ()


def feature(name: str, rank: int) -> FeatureDrift:
    return FeatureDrift(
        feature=name, test="ks", statistic=0.02, p_value=0.6, p_adjusted=0.9, effect=0.02, drifted=False,
        state=DriftState.STABLE, shap_share=0.5, shap_rank=rank, nulls=None, contribution=0.01, reason=f"{name}: stable",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("loss", "rank", "level"),
    [(0.03, 4, AlertLevel.PAGE), (0.001, 1, AlertLevel.WATCH), (None, 1, AlertLevel.PAGE), (None, 4, AlertLevel.WATCH)],
)
def test_what_it_costs_says_how_loud_it_is(loss: float | None, rank: int, level: AlertLevel) -> None:
    features = tuple(feature(name, place) for place, name in enumerate("abcd", 1))
    found = Detachment(feature="abcd"[rank - 1], kept=0.1, p_adjusted=1e-9, fault_loss=loss, reason="is not its row's")
    told = louder(features, [found], policy=POLICY)
    assert [f.alert for f in told if f.shap_rank != rank] == [AlertLevel.NONE] * 3
    assert told[rank - 1].alert is level
    assert told[rank - 1].reason.startswith(f"{found.feature}: is not its row's")
    assert ("3.0 points of accuracy" in told[rank - 1].reason) == (loss is not None and loss > 0.01)
