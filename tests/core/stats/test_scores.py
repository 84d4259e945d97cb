from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from pipeline_core.errors import InvalidDefinition
from pipeline_core.records import Figure, Measured, NotMeasured, Task
from pipeline_core.stats.scores import HIGHER_IS_BETTER, METRICS, PRIMARY, Scored, auc, metrics, paired, paired_means


def binary(y: np.ndarray, score: np.ndarray) -> Scored:
    return Scored(task=Task.BINARY, y=y.astype(float), prediction=(score >= 0.5).astype(float), score=score)


def multiclass(seed: int = 2, rows: int = 400, noise: float = 1.0) -> Scored:
    y = np.random.default_rng(2).integers(0, 3, rows)
    random = np.random.default_rng(seed)
    odds = np.exp(1.5 * np.eye(3)[y] + noise * random.normal(size=(rows, 3)))
    scores = odds / odds.sum(axis=1, keepdims=True)
    return Scored(
        task=Task.MULTICLASS,
        y=y.astype(float),
        prediction=scores.argmax(axis=1).astype(float),
        score=scores.max(axis=1),
        scores=scores,
        class_count=3,
    )


def regression(error: float = 1.0, rows: int = 500) -> Scored:
    y = np.random.default_rng(3).normal(50, 10, rows)
    said = y + error * np.random.default_rng(4).normal(size=rows)
    return Scored(task=Task.REGRESSION, y=y, prediction=said, score=said)


def values(found: dict[str, Figure]) -> dict[str, float]:
    assert all(isinstance(figure, Measured) for figure in found.values())
    return {name: figure.value for name, figure in found.items() if isinstance(figure, Measured)}


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 39)), min_size=2, max_size=80))
def test_binary_metrics_are_scikit_learns(rows: list[tuple[bool, int]]) -> None:
    y, score = np.array([r[0] for r in rows]), np.array([r[1] / 40 for r in rows])
    found = metrics(binary(y, score), seed=1)
    assert tuple(found) == METRICS[Task.BINARY]
    if y.all() or not y.any():
        assert found["auc"] == NotMeasured(reason=f"only one class among {len(rows)} rows with known truth")
        return
    said = score >= 0.5
    expected = {
        "auc": sk.roc_auc_score(y, score),
        "average_precision": sk.average_precision_score(y, score),
        "brier": sk.brier_score_loss(y, score),
        "log_loss": sk.log_loss(y, score),
        "accuracy": sk.accuracy_score(y, said),
        "f1": sk.f1_score(y, said),
        "positive_share": said.mean(),
    }
    assert values(found) == pytest.approx(expected, abs=1e-12)
    for figure in found.values():
        assert isinstance(figure, Measured)
        numbers = [n for n in (figure.value, figure.low, figure.high) if n is not None]
        assert np.isfinite(numbers).all()
        assert figure.rows == len(rows)


def test_multiclass_metrics_are_scikit_learns() -> None:
    rows = multiclass()
    assert rows.scores is not None
    expected = {
        "auc_macro": sk.roc_auc_score(rows.y, rows.scores, multi_class="ovr", average="macro"),
        "accuracy": sk.accuracy_score(rows.y, rows.prediction),
        "f1_macro": sk.f1_score(rows.y, rows.prediction, average="macro"),
        "log_loss": sk.log_loss(rows.y, rows.scores),
    }
    assert values(metrics(rows, seed=1)) == pytest.approx(expected, abs=1e-12)


def test_regression_metrics_are_scikit_learns() -> None:
    rows = regression()
    expected = {
        "rmse": sk.root_mean_squared_error(rows.y, rows.prediction),
        "mae": sk.mean_absolute_error(rows.y, rows.prediction),
        "r2": sk.r2_score(rows.y, rows.prediction),
        "bias": float((rows.prediction - rows.y).mean()),
    }
    assert values(metrics(rows, seed=1)) == pytest.approx(expected, abs=1e-12)


def test_every_interval_holds_its_figure_and_repeats_itself() -> None:
    y = np.random.default_rng(1).random(800) < 0.3
    score = np.clip(0.3 + 0.3 * (y - 0.3) + 0.2 * np.random.default_rng(2).normal(size=800), 0, 1)
    for rows in (binary(y, score), multiclass(), regression()):
        found = metrics(rows, seed=9)
        assert found == metrics(rows, seed=9)
        for figure in found.values():
            assert isinstance(figure, Measured)
            assert figure.low is not None
            assert figure.high is not None
            assert figure.low < figure.value < figure.high


def test_a_class_that_does_not_occur_leaves_the_macro_mean() -> None:
    rows = multiclass()
    assert rows.scores is not None
    kept = rows.y < 2
    two = Scored(
        task=rows.task,
        y=rows.y[kept],
        prediction=rows.prediction[kept],
        score=rows.score[kept],
        scores=rows.scores[kept],
        class_count=3,
    )
    areas = [auc(two.y == k, rows.scores[kept, k]) for k in (0, 1)]
    assert values(metrics(two, seed=1))["auc_macro"] == pytest.approx(np.mean(areas), abs=1e-12)


def test_perfect_separation_is_no_certainty() -> None:
    figure = metrics(binary(np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.8, 0.9])), seed=1)["auc"]
    assert isinstance(figure, Measured)
    assert (figure.value, figure.high) == (1.0, 1.0)
    assert figure.low == pytest.approx(0.3424, abs=1e-4)  # what two of two shows


def test_a_constant_score_ranks_nothing_for_sure() -> None:
    y = np.array([0, 1] * 200)
    assert metrics(binary(y, np.full(400, 0.3)), seed=1)["auc"] == Measured(value=0.5, low=0.5, high=0.5, rows=400)


def test_what_rows_do_not_define_has_a_reason() -> None:
    nothing = binary(np.array([]), np.array([]))
    assert set(metrics(nothing, seed=1).values()) == {NotMeasured(reason="no rows with known truth")}
    negative = metrics(binary(np.zeros(5), np.full(5, 0.2)), seed=1)
    assert negative["f1"] == NotMeasured(reason="no row is positive, neither in truth nor in prediction")
    assert isinstance(negative["accuracy"], Measured)
    flat = Scored(task=Task.REGRESSION, y=np.ones(5), prediction=np.zeros(5), score=np.zeros(5))
    assert metrics(flat, seed=1)["r2"] == NotMeasured(reason="all 5 true values are equal")
    rows = multiclass()
    bare = Scored(task=rows.task, y=rows.y, prediction=rows.prediction, score=rows.score, class_count=3)
    assert metrics(bare, seed=1)["log_loss"] == NotMeasured(reason="no probabilities per class were stored")


def test_the_better_model_is_ahead_in_every_metric() -> None:
    y = np.random.default_rng(1).random(2000) < 0.5
    noise = np.random.default_rng(2).normal(size=(2, 2000))
    good, poor = (
        binary(y, 1 / (1 + np.exp(-(2 * y - 1 + scale * n)))) for scale, n in zip((0.5, 2.0), noise, strict=True)
    )
    pairs = [(poor, good), (multiclass(5, noise=4.0), multiclass(6, noise=0.5)), (regression(5.0), regression(1.0))]
    for first, second in pairs:
        for metric in METRICS[first.task]:
            if metric == "positive_share":
                continue  # both are right about the share
            ahead, behind = paired(metric, first, second, seed=1), paired(metric, second, first, seed=1)
            assert isinstance(ahead.figure, Measured)
            assert isinstance(behind.figure, Measured)
            assert ahead.figure.value > 0
            assert behind.figure.value == pytest.approx(-ahead.figure.value, abs=1e-12)
            assert ahead.figure.low is not None
            assert ahead.figure.low < ahead.figure.value
            assert ahead.standard_error is not None
            assert ahead.standard_error > 0


def test_a_model_against_itself_differs_by_nothing() -> None:
    rows = multiclass()
    for metric in METRICS[Task.MULTICLASS]:
        difference = paired(metric, rows, rows, seed=1)
        assert difference.figure == Measured(value=0.0, low=0.0, high=0.0, rows=400)
        assert difference.standard_error == pytest.approx(0.0, abs=1e-15)


def test_share_and_bias_are_better_when_nearer_to_the_truth() -> None:
    y = np.array([0.0, 1.0] * 50)
    right, eager = binary(y, np.where(y == 1, 0.9, 0.1)), binary(y, np.full(100, 0.9))
    share = paired("positive_share", eager, right, seed=1).figure
    assert isinstance(share, Measured)
    assert share.value == pytest.approx(0.5)
    low = Scored(task=Task.REGRESSION, y=y, prediction=y - 3, score=y - 3)
    high = Scored(task=Task.REGRESSION, y=y, prediction=y + 1, score=y + 1)
    bias = paired("bias", low, high, seed=1).figure
    assert isinstance(bias, Measured)
    assert bias.value == pytest.approx(2.0)


def test_a_comparison_that_makes_no_sense_is_refused() -> None:
    rows = regression()
    other = Scored(task=Task.REGRESSION, y=rows.y + 1, prediction=rows.y, score=rows.y)
    with pytest.raises(InvalidDefinition, match="same rows in the same order"):
        paired("rmse", rows, other, seed=1)
    with pytest.raises(InvalidDefinition, match="there are: rmse, mae, r2, bias"):
        paired("auc", rows, rows, seed=1)
    one_class = binary(np.ones(40), np.linspace(0, 1, 40))
    difference = paired("auc", one_class, one_class, seed=1)
    assert difference.figure == NotMeasured(reason="only one class among 40 rows with known truth")
    assert difference.standard_error is None


def test_the_tables_of_names_agree() -> None:
    assert all(PRIMARY[task] in names for task, names in METRICS.items())
    assert {name for names in METRICS.values() for name in names} >= HIGHER_IS_BETTER


def test_ten_thousand_rows_are_fast_enough() -> None:
    y = np.random.default_rng(1).random(10_000) < 0.2
    rows = binary(y, np.random.default_rng(2).random(10_000))
    started = time.process_time()
    metrics(rows, seed=1)
    assert time.process_time() - started < 2.0  # about 0.1 s; four times the promise on a busy machine


def test_means_are_compared_pairwise() -> None:
    random = np.random.default_rng(3)
    first = random.gamma(2.0, size=400)
    second = first - 0.2
    ours, theirs, difference = paired_means(first, second, seed=1)
    assert (ours.value, theirs.value) == pytest.approx((first.mean(), second.mean()), abs=1e-12)
    assert (difference.value, difference.low, difference.high) == pytest.approx((0.2, 0.2, 0.2), abs=1e-12)
    assert ours.low < ours.value < ours.high
    assert ours.high - ours.low == pytest.approx(2 * 1.96 * first.std() / 20, rel=0.2)


def test_without_a_seed_figures_go_without_a_bootstrap_and_names_choose() -> None:
    rows = regression()
    assert list(metrics(rows, seed=1, names=("mae",))) == ["mae"]
    bare = metrics(rows, seed=None)["rmse"]
    assert isinstance(bare, Measured)
    assert (bare.low, bare.high) == (None, None)
