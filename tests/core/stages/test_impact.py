from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline_core.policy import Policy
from pipeline_core.records import AlertLevel, DriftState, Examination, FeatureDrift, Impact
from pipeline_core.stages.impact import fault_loss, impact, priced, restore, restored, shuffle_loss


def test_numbers_get_the_baselines_distribution_and_keep_their_order() -> None:
    base = np.arange(1000.0)
    back = restored(base * 2 + 500, base, seed=1)
    assert np.abs(back - base).max() <= 1.0
    assert np.array_equal(np.argsort(back, kind="stable"), np.arange(1000))


def test_a_filled_hole_becomes_a_hole_again() -> None:
    random = np.random.default_rng(1)
    base = random.normal(50, 10, 5000)
    base[:500] = np.nan
    now = random.permutation(base)[:2000]
    filled = np.where(np.isnan(now), 0.0, now)
    back = restored(filled, base, seed=1)
    assert not np.isclose(back, 0.0).any()
    assert np.abs(np.nanmean(back) - np.nanmean(base)) < 1.0
    # what was known keeps its place
    known = ~np.isnan(now)
    assert np.corrcoef(back[known & ~np.isnan(back)], now[known & ~np.isnan(back)])[0, 1] > 0.95


def test_categories_get_the_baselines_shares_with_the_fewest_changes() -> None:
    base = np.array(["a"] * 500 + ["b"] * 400 + [None] * 100, dtype=object)
    now = np.array(["a"] * 200 + ["b"] * 200, dtype=object)
    back = restored(now, base, seed=1)
    assert pd.Series(back).fillna("none").value_counts().to_dict() == {"a": 200, "b": 160, "none": 40}
    assert (back[:200] == "a").all()


def test_restoring_is_by_column_and_repeatable() -> None:
    random = np.random.default_rng(1)
    base = pd.DataFrame({"x": random.normal(size=500), "y": random.normal(size=500)})
    now = base + 3
    one, two = (restore(now, base, features=["x"], seed=4) for _ in range(2))
    pd.testing.assert_frame_equal(one, two)
    assert (one["y"] == now["y"]).all()
    assert abs(one["x"].mean() - base["x"].mean()) < 0.1


def test_impact_is_the_change_of_the_prediction_with_its_sign() -> None:
    random = np.random.default_rng(1)
    base = pd.DataFrame({"x": random.normal(size=4000), "y": random.normal(size=4000), "z": random.normal(size=4000)})
    now = base.assign(x=base["x"] + 1, y=base["y"] + 1)
    found, joint = impact(lambda f: (0.3 * f["x"] - 0.1 * f["y"]).to_numpy(), now, base, features=["y", "x"], seed=1)
    assert [i.feature for i in found] == ["x", "y"]
    assert [(i.mean_change, i.shift) for i in found] == [
        (pytest.approx(0.3, abs=0.01), pytest.approx(0.3, abs=0.01)),
        (pytest.approx(0.1, abs=0.01), pytest.approx(-0.1, abs=0.01)),
    ]
    assert joint is not None
    assert joint.shift == pytest.approx(0.2, abs=0.01)
    assert impact(lambda f: f["x"].to_numpy(), now, base, features=[], seed=1) == ((), None)


def test_the_loss_of_a_fault_is_that_of_the_flipped_rows() -> None:
    base = pd.DataFrame({"x": np.linspace(0, 1, 1001)})
    now = base * 0.5
    # half of the rows fall below 0.5 that were above; each was right with p and is wrong with 1 - p
    lost = fault_loss(lambda f: f["x"].to_numpy(), now, base, features=["x"], seed=1)
    assert lost == pytest.approx(0.25, abs=0.01)
    assert fault_loss(lambda f: f["x"].to_numpy(), base, base, features=["x"], seed=1) == pytest.approx(0.0, abs=0.01)


def moved(name: str, **given: object) -> FeatureDrift:
    fields: dict[str, object] = {
        "feature": name, "test": "ks", "statistic": 0.3, "p_value": 0.0, "p_adjusted": 0.0, "effect": 0.3, "drifted": True,
        "state": DriftState.DRIFTED, "shap_share": 0.01, "shap_rank": 9, "nulls": None, "contribution": 0.003,
        "alert": AlertLevel.WATCH, "reason": f"{name}: moved", "windows_drifted": 2,
    }  # fmt: skip
    return FeatureDrift(**(fields | given))  # type: ignore[arg-type]


def look(loss: float | None, *names: str) -> Examination:
    impacts = tuple(Impact(feature=name, mean_change=0.1, shift=0.1) for name in names)
    return Examination(rows=500, baseline_rows=500, impacts=impacts, fault_loss=loss)


def test_a_drift_that_is_dear_pages_though_the_model_leans_little_on_it() -> None:
    features = [moved("a"), moved("b", windows_drifted=1), moved("c")]
    said = priced(features, look(0.023, "b", "c", "a"), policy=Policy())
    assert [f.alert for f in said] == [AlertLevel.WATCH, AlertLevel.WATCH, AlertLevel.PAGE]
    assert said[2].reason == "c: moved; if the drift of this window is a fault, it costs 2.3 points of accuracy"


@pytest.mark.parametrize(
    ("features", "examined"),
    [
        ([moved("a")], None),
        ([moved("a")], look(None, "a")),
        ([moved("a")], look(0.009, "a")),
        ([moved("a", windows_drifted=1)], look(0.3, "a")),
        ([moved("a", calendar=True)], look(0.3, "a")),
        ([moved("a"), moved("b", alert=AlertLevel.PAGE)], look(0.3, "a")),
    ],
)
def test_what_is_cheap_new_or_told_already_stays_as_it_is(
    features: list[FeatureDrift], examined: Examination | None
) -> None:
    assert priced(features, examined, policy=Policy()) == tuple(features)


def test_what_other_rows_values_cost_is_what_they_flip() -> None:
    base = pd.DataFrame({"x": np.tile([-1.0, 1.0], 2_000), "y": 0.0})
    sure = lambda f: np.where(f["x"] > 0, 0.9, 0.1)  # ruff: ignore[lambda-assignment]
    given = {"feature": "x", "seed": 1}
    # every second row gets the other value, and each of those loses 0.9 - 0.1
    assert shuffle_loss(sure, base, share=1.0, **given) == pytest.approx(0.5 * 0.8, abs=0.02)
    assert shuffle_loss(sure, base, share=0.5, **given) == pytest.approx(0.25 * 0.8, abs=0.02)
    assert shuffle_loss(sure, base, share=0.0, **given) == pytest.approx(0.0, abs=1e-12)
    assert shuffle_loss(sure, base, feature="y", share=1.0, seed=1) == pytest.approx(0.0, abs=1e-12)
    assert shuffle_loss(sure, base.head(0), share=1.0, **given) == pytest.approx(0.0, abs=1e-12)
