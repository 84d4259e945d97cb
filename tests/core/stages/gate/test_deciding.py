"""One metric decides: passed, lost, or too few rows, at the level of the try."""

from __future__ import annotations

import pytest
from scipy.stats import norm

from pipeline_core.policy import Policy
from pipeline_core.records import Comparison, Decision, Measured, NotMeasured
from pipeline_core.stages.gate.deciding import decide, margin_of
from pipeline_core.stats.scores import Difference

POLICY = Policy()


def decided(
    value: float, error: float | None, *, margin: float = 0.01, earlier: tuple[float, ...] = (), rows: int = 1000
):
    half = 1.959964 * (error or 0)
    figure = Measured(value=value, low=value - half, high=value + half, rows=rows)
    side = Measured(value=0.8, rows=rows)
    compared = Comparison(champion=side, challenger=side, difference=figure, margin=margin, decides=True)
    return decide("auc", compared, Difference(figure=figure, standard_error=error), earlier=earlier, policy=POLICY)


@pytest.mark.parametrize(
    ("value", "error", "decision"),
    [
        (0.0, 0.004, Decision.PROMOTE),  # -.0078 is above -.01
        (0.0, 0.0055, Decision.INSUFFICIENT),  # powered at .44 only
        (-0.003, 0.004, Decision.INSUFFICIENT),  # powered, but -.0108 cannot be ruled out
        (-0.012, 0.004, Decision.KEEP),
        (-0.012, 0.02, Decision.INSUFFICIENT),  # too few rows even to say that it is worse
        (-0.06, 0.02, Decision.KEEP),  # few rows, and certainly worse
        (0.03, 0.02, Decision.INSUFFICIENT),  # few rows: -.0092 would be no worse, which is not believed
        (0.06, 0.02, Decision.PROMOTE),  # few rows, and certainly better
    ],
)
def test_what_the_interval_and_the_power_say(value: float, error: float, decision: Decision) -> None:
    found = decided(value, error)
    assert found.decision is decision
    assert (found.rows_needed is not None) == (decision is Decision.INSUFFICIENT)
    assert found.trial.p_value == pytest.approx(norm.sf((value + 0.01) / error))
    assert found.trial.power == pytest.approx(norm.cdf(0.01 / error - 1.959964), abs=1e-6)
    assert found.trial.level == pytest.approx(0.025)


def test_a_pass_of_the_first_try_may_be_too_little_for_the_third() -> None:
    assert decided(0.0, 0.0045).decision is Decision.PROMOTE
    third = decided(0.0, 0.0045, earlier=(0.4, 0.6))
    assert third.decision is Decision.INSUFFICIENT
    assert third.trial.place == 3
    assert third.trial.level == pytest.approx(0.05 / 12)
    assert third.reasons[1] == (
        "This is the 3rd try on these rows since the champion last moved. So that none of many passes by luck, it takes"
        " 99.583 % confidence; the first took 97.5 %."
    )
    assert decided(0.005, 0.0035, earlier=(0.4, 0.6)).decision is Decision.PROMOTE


def test_the_rows_that_are_needed_are_those_of_the_next_try() -> None:
    weak = decided(0.0, 0.0055, earlier=(0.5,))
    z = norm.isf(0.05 / 12) + norm.isf(0.2)
    assert weak.rows_needed == pytest.approx(1000 * (z * 0.0055 / 0.01) ** 2, abs=1)
    assert f"With about {weak.rows_needed:,} labelled rows in all, 80 % would." in weak.reasons[-1]
    assert "policy asks for 50 % (gate_power_min)" in weak.reasons[-1]
    open_ = decided(-0.003, 0.004)
    z = norm.isf(0.05 / 6) + norm.isf(0.2)
    assert open_.rows_needed == pytest.approx(1000 * (z * 0.004 / 0.007) ** 2, abs=1)
    assert "A loss of 0.0108 cannot be ruled out with 97.5 % confidence; 0.0100 is allowed." in open_.reasons[-1]
    endless = decided(-0.0099999999, 0.004)
    assert endless.rows_needed == 1_000_000_000
    assert "more than 1,000,000,000 labelled rows" in endless.reasons[-1]


def test_superiority_asks_for_a_gain() -> None:
    side = Measured(value=0.8)
    assert margin_of(side, "auc", Policy(superiority=1.0)) == pytest.approx(0.0)
    assert margin_of(side, "rmse", POLICY) == pytest.approx(0.008)
    assert margin_of(NotMeasured(reason="x"), "rmse", POLICY) is None
    gained, open_, lost = (decided(value, 0.004, margin=0.0) for value in (0.009, 0.005, -0.001))
    assert [found.decision for found in (gained, open_, lost)] == [
        Decision.PROMOTE,
        Decision.INSUFFICIENT,
        Decision.KEEP,
    ]
    assert "policy asks for a gain, not for no loss: it may be promoted." in gained.reasons[-1]
    assert lost.reasons[-1] == "Policy asks for a gain: the champion stays."
    assert gained.trial.power is None
    assert open_.rows_needed > 1000


def test_what_cannot_be_compared_is_not_decided() -> None:
    figure = Measured(value=-0.005, rows=40)
    unknown = Comparison(champion=figure, challenger=figure, difference=NotMeasured(reason="no scores"), margin=0.01)
    found = decide("auc", unknown, Difference(figure=unknown.difference), earlier=(), policy=POLICY)
    assert (found.decision, found.reasons) == (Decision.INSUFFICIENT, ("AUC cannot be compared: no scores.",))
    bare = Comparison(champion=figure, challenger=figure, difference=figure, margin=0.01)
    found = decide("rmse", bare, Difference(figure=figure), earlier=(), policy=POLICY)
    assert (found.decision, found.rows_needed, found.trial) == (Decision.INSUFFICIENT, None, None)
    assert found.reasons == (
        "On 40 rows the challenger has RMSE -0.0050, the champion -0.0050: worse by 0.0050.",
        "The rows are too few for an interval.",
    )
