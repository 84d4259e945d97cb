from __future__ import annotations

import doctest

import numpy as np
import pytest

from pipeline_core.policy import Policy
from pipeline_core.records import Measured, NotMeasured, Performance, Task
from pipeline_core.stages import performance as module
from pipeline_core.stages.performance import window_performance
from pipeline_core.stats.scores import METRICS, Scored, metrics

POLICY = Policy()


def binary(rows: int, gap: float, *, positives: float = 0.3, seed: int = 1) -> Scored:
    random = np.random.default_rng(seed)
    y = (random.random(rows) < positives).astype(float)
    score = 1 / (1 + np.exp(-(gap * (y - 0.5) + random.normal(size=rows))))
    return Scored(task=Task.BINARY, y=y, prediction=(score >= 0.5).astype(float), score=score)


def regression(error: float) -> Scored:
    y = np.random.default_rng(1).normal(size=600)
    said = y + error * np.random.default_rng(2).normal(size=600)
    return Scored(task=Task.REGRESSION, y=y, prediction=said, score=said)


def judge(rows: Scored, reference: float, scored_rows: int = 1000) -> Performance:
    return window_performance(rows, reference=Measured(value=reference), scored_rows=scored_rows, policy=POLICY, seed=7)


def test_examples_hold() -> None:
    assert doctest.testmod(module).failed == 0


def test_dropped_needs_the_better_end_below_the_margin() -> None:
    rows = binary(1000, 1.0)
    figure = metrics(rows, seed=7)["auc"]
    assert isinstance(figure, Measured)
    assert figure.high is not None
    assert judge(rows, figure.high + POLICY.performance_margin + 1e-9).dropped
    assert not judge(rows, figure.high + POLICY.performance_margin - 1e-9).dropped
    assert not judge(rows, figure.value - 0.1).dropped  # better than validated


def test_an_error_drops_by_growing_past_its_share() -> None:
    rows = regression(1.0)
    figure = metrics(rows, seed=7)["rmse"]
    assert isinstance(figure, Measured)
    assert figure.low is not None
    assert judge(rows, figure.low / 1.1 - 1e-9).dropped
    assert not judge(rows, figure.low / 1.1 + 1e-9).dropped


def test_the_report_says_figure_limit_and_maturity() -> None:
    found = judge(binary(600, 0.2), 0.9)
    assert (found.labelled_rows, found.scored_rows, found.reference, found.dropped) == (600, 1000, 0.9, True)
    assert tuple(found.metrics) == METRICS[Task.BINARY]
    figure = found.metrics["auc"]
    assert isinstance(figure, Measured)
    assert found.reason == (
        f"AUC {figure.value:.3g} ({figure.low:.3g} to {figure.high:.3g}) is worse than 0.9 in validation "
        "(at least 0.88 is allowed); ground truth is known for 600 of 1,000 scored rows (60 %)"
    )


def test_too_few_labels_are_a_reason_for_every_metric() -> None:
    found = judge(binary(29, 0.0), 0.9)
    few = NotMeasured(reason="too few labels: 29 rows with ground truth, 30 are needed")
    assert dict(found.metrics) == dict.fromkeys(METRICS[Task.BINARY], few)
    assert not found.dropped
    assert found.reason.startswith("AUC is not measured: too few labels: 29 rows")


@pytest.mark.parametrize(("positives", "which"), [(0.02, "positive"), (0.98, "negative")])
def test_a_rare_class_leaves_ranking_unmeasured_only(positives: float, which: str) -> None:
    found = judge(binary(400, 1.0, positives=positives), 0.9)
    auc = found.metrics["auc"]
    assert isinstance(auc, NotMeasured)
    assert f"{which} rows with ground truth, 30 are needed" in auc.reason
    assert found.metrics["average_precision"] == auc
    assert isinstance(found.metrics["accuracy"], Measured)
    assert not found.dropped


def test_no_validation_figure_means_no_verdict() -> None:
    rows = binary(300, 1.0)
    reference = NotMeasured(reason="one class in the hold-out")
    found = window_performance(rows, reference=reference, scored_rows=0, policy=POLICY, seed=7)
    assert (found.reference, found.dropped) == (None, False)
    assert "no validation figure to compare with: one class in the hold-out" in found.reason
    assert found.reason.endswith("no prediction was made in this window")


def test_multiclass_is_judged_by_its_macro_area() -> None:
    y = np.random.default_rng(1).integers(0, 3, 500)
    scores = np.full((500, 3), 1 / 3)
    rows = Scored(
        task=Task.MULTICLASS,
        y=y.astype(float),
        prediction=np.zeros(500),
        score=scores[:, 0],
        scores=scores,
        class_count=3,
    )
    found = judge(rows, 0.8)
    assert found.dropped
    assert found.reason.startswith("macro AUC 0.5 (0.5 to 0.5) is worse than 0.8")


def test_one_row_of_a_class_makes_no_mean_over_classes() -> None:
    """A class with one row adds no variance to the mean of areas, so its interval would be far too narrow."""
    y = np.array([0.0] * 300 + [1.0] * 199 + [2.0])
    scores = np.full((500, 3), 1 / 3)
    rows = Scored(task=Task.MULTICLASS, y=y, prediction=y.copy(), score=scores[:, 0], scores=scores, class_count=3)
    found = judge(rows, 0.8, scored_rows=500)
    figure = found.metrics["auc_macro"]
    assert isinstance(figure, NotMeasured)
    assert figure.reason == "too few labels: a class has 1 rows with ground truth, 30 are needed"
    assert not found.dropped
    assert isinstance(found.metrics["accuracy"], Measured)
