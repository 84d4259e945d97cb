"""The gate says yes, no or not yet, with figures."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import f1_score, mean_squared_error, recall_score, roc_auc_score

from pipeline_core.policy import Policy
from pipeline_core.records import Curves, Decision, Measured, NotMeasured, Task
from pipeline_core.stages import gate
from pipeline_core.stats.scores import METRICS
from tests.core import modelling

POLICY = Policy()


def binary(count: int, *, noise: float, seed: int = 0, share: float = 0.4) -> tuple[list[str], pa.Table]:
    """Give truth and what a model of that much noise says; the same seed gives the same truth."""
    truth = np.random.default_rng(seed).random(count) < share
    score = 1 / (1 + np.exp(-(2.0 * truth - 1 + noise * np.random.default_rng(seed + 1).normal(size=count))))
    labels = ["yes" if t else "no" for t in truth]
    return labels, said([("yes" if s >= 0.5 else "no") for s in score], score)


def said(prediction: list[str], score: np.ndarray, scores: np.ndarray | None = None) -> pa.Table:
    table = pa.table({"prediction": pa.array(prediction, pa.string()), "score": np.asarray(score, dtype=float)})
    return table if scores is None else table.append_column("scores", pa.array(scores.tolist(), pa.list_(pa.float64())))


def regression(count: int, *, noise: float, seed: int = 0) -> tuple[list[str], pa.Table]:
    truth = np.random.default_rng(seed).normal(10, 3, count)
    value = truth + noise * np.random.default_rng(seed + 1).normal(size=count)
    return [repr(float(t)) for t in truth], said([repr(float(v)) for v in value], value)


def multiclass(
    count: int, *, noise: float, classes: tuple[str, ...] = modelling.CLASSES[Task.MULTICLASS], seed: int = 0
):
    random = np.random.default_rng(seed)
    place = random.integers(0, len(classes), count)
    raw = np.exp(np.eye(3)[place] * 2 + noise * random.normal(size=(count, 3)))
    scores = raw / raw.sum(axis=1, keepdims=True)
    best = scores.argmax(axis=1)
    names = modelling.CLASSES[Task.MULTICLASS]
    return [classes[i] for i in place], said([names[i] for i in best], scores.max(axis=1), scores)


def judge(labels, challenger, champion=None, *, task: Task = Task.BINARY, policy: Policy = POLICY) -> gate.Outcome:
    return gate.compare(labels, challenger, champion=champion, schema=modelling.schema(task), policy=policy)


# --- against a champion -------------------------------------------------------------------------


def test_a_better_challenger_may_be_promoted() -> None:
    labels, good = binary(3000, noise=1.0)
    _, poor = binary(3000, noise=2.0)
    outcome = judge(labels, good, poor)
    assert outcome.decision is Decision.PROMOTE
    assert outcome.rows == 3000
    assert outcome.rows_needed is None
    assert list(outcome.metrics) == list(METRICS[Task.BINARY])
    deciding = outcome.metrics["auc"]
    truth = [label == "yes" for label in labels]
    better = roc_auc_score(truth, good["score"].to_numpy()) - roc_auc_score(truth, poor["score"].to_numpy())
    assert isinstance(deciding.difference, Measured)
    assert deciding.difference.value == pytest.approx(better, abs=1e-12)
    assert (deciding.margin, deciding.decides) == (0.01, True)
    assert [name for name, c in outcome.metrics.items() if c.decides] == ["auc"]
    assert outcome.metrics["accuracy"].margin is None
    assert f"better by {better:.4f} (95 % interval" in outcome.reasons[0]
    assert "On 3,000 rows the challenger has AUC" in outcome.reasons[0]
    assert outcome.reasons[1].endswith("a loss of less than 0.0100 is allowed: it may be promoted.")
    assert outcome.champion_curves.roc[0] == (0.0, 0.0)
    assert outcome.challenger_curves.roc[-1] == (1.0, 1.0)


def test_losses_count_the_other_way_round() -> None:
    labels, good = binary(1000, noise=1.0)
    _, poor = binary(1000, noise=2.0)
    brier = judge(labels, good, poor).metrics["brier"]
    assert brier.challenger.value < brier.champion.value
    assert brier.difference.value == pytest.approx(brier.champion.value - brier.challenger.value, abs=1e-12)


def test_the_same_model_is_not_worse() -> None:
    labels, model = binary(400, noise=1.5)
    outcome = judge(labels, model, model)
    assert outcome.decision is Decision.PROMOTE
    assert "better by 0.0000" in outcome.reasons[0]


def test_a_challenger_that_loses_the_margin_is_kept_out() -> None:
    labels, good = binary(3000, noise=1.0)
    _, poor = binary(3000, noise=2.0)
    outcome = judge(labels, poor, good)
    assert outcome.decision is Decision.KEEP
    assert "worse by" in outcome.reasons[0]
    assert outcome.reasons[1] == "That is not less than the allowed loss of 0.0100: the champion stays."


def test_too_few_rows_to_tell_says_how_many_would_do() -> None:
    labels, one = binary(300, noise=1.6, seed=4)
    score = one["score"].to_numpy() + 0.05 * np.random.default_rng(9).normal(size=300)
    outcome = judge(labels, one.set_column(1, "score", pa.array(score)), one)
    assert outcome.decision is Decision.INSUFFICIENT
    assert outcome.rows_needed is not None
    assert outcome.rows_needed > 300
    assert f"about {outcome.rows_needed:,} labelled rows in all would decide" in outcome.reasons[1]


def test_the_rows_that_are_needed_decide() -> None:
    """At the error of these rows, ``rows_needed`` rows give an equal challenger a power of 0.8 at the level of the next try."""
    labels, one = binary(300, noise=1.6, seed=4)
    score = one["score"].to_numpy() + 0.07 * np.random.default_rng(9).normal(size=300)
    challenger = one.set_column(1, "score", pa.array(score))
    outcome = judge(labels, challenger, one)
    assert outcome.trial.power < 0.5
    assert outcome.reasons[-1].startswith("The rows are too few: of challengers exactly as good as the champion")
    figure = outcome.metrics["auc"].difference
    error = (figure.high - figure.low) / 2 / 1.959964
    shrunk = error * (300 / outcome.rows_needed) ** 0.5
    assert -(2.393980 + 0.841621) * shrunk == pytest.approx(-0.01, abs=1e-5)


@pytest.mark.parametrize(
    ("positives", "missing"),
    [
        (12, "hold 12 labelled rows of class 'yes'; policy asks for at least 30 (class_rows_min). 18 more are needed."),
        (0, "hold 0 labelled rows of class 'yes'"),
    ],
)
def test_too_few_of_a_class_is_said_with_how_many_more(positives: int, missing: str) -> None:
    score = np.random.default_rng(0).random(500)
    model = said(["no"] * 500, score)
    outcome = judge(["yes"] * positives + ["no"] * (500 - positives), model, model)
    assert outcome.decision is Decision.INSUFFICIENT
    assert missing in outcome.reasons[0]
    assert outcome.rows_needed == (1250 if positives else None)


def test_rmse_decides_regression_with_a_relative_margin() -> None:
    labels, good = regression(2000, noise=1.0)
    _, poor = regression(2000, noise=1.5)
    outcome = judge(labels, good, poor, task=Task.REGRESSION)
    truth = np.array([float(v) for v in labels])
    theirs = mean_squared_error(truth, poor["score"].to_numpy()) ** 0.5
    deciding = outcome.metrics["rmse"]
    assert outcome.decision is Decision.PROMOTE
    assert deciding.champion.value == pytest.approx(theirs, abs=1e-12)
    assert deciding.margin == pytest.approx(0.01 * theirs, abs=1e-12)
    assert deciding.difference.value == pytest.approx(theirs - deciding.challenger.value, abs=1e-12)
    assert judge(labels, poor, good, task=Task.REGRESSION).decision is Decision.KEEP
    assert outcome.challenger_curves == Curves()


def test_regression_needs_rows_too() -> None:
    labels, model = regression(20, noise=1.0)
    outcome = judge(labels, model, model, task=Task.REGRESSION)
    assert outcome.decision is Decision.INSUFFICIENT
    assert "hold 20 labelled rows; policy asks for at least 30 (class_rows_min). 10 more" in outcome.reasons[0]
    assert outcome.rows_needed == 30


def test_macro_auc_decides_multiclass_and_its_curves_pool_the_classes() -> None:
    labels, good = multiclass(900, noise=0.5)
    _, poor = multiclass(900, noise=2.0)
    outcome = judge(labels, good, poor, task=Task.MULTICLASS)
    assert outcome.decision is Decision.PROMOTE
    assert "macro AUC" in outcome.reasons[0]
    assert outcome.challenger_curves.roc[-1] == (1.0, 1.0)
    assert len(outcome.challenger_curves.roc) <= 200


def test_a_rare_class_of_many_is_named_and_an_absent_one_is_not() -> None:
    labels, model = multiclass(200, noise=0.5)
    few = ["mid" if label == "low" else label for label in labels]
    assert judge(few, model, model, task=Task.MULTICLASS).decision is not Decision.INSUFFICIENT
    few[:7] = ["low"] * 7
    outcome = judge(few, model, model, task=Task.MULTICLASS)
    assert outcome.decision is Decision.INSUFFICIENT
    assert "hold 7 labelled rows of class 'low'" in outcome.reasons[0]
    same = judge(["high"] * 200, model, model, task=Task.MULTICLASS)
    assert same.decision is Decision.INSUFFICIENT
    assert "hold 0 labelled rows of a second class" in same.reasons[0]


def test_a_margin_of_zero_asks_for_proof_of_no_loss() -> None:
    labels, good = binary(3000, noise=1.0)
    _, poor = binary(3000, noise=2.0)
    assert judge(labels, good, poor, policy=Policy(auc_margin=0.0)).decision is Decision.PROMOTE
    assert judge(labels, good, good, policy=Policy(auc_margin=0.0)).decision is Decision.KEEP


# --- what blocks, and what is only told ---------------------------------------------------------


def test_probabilities_that_are_proven_worse_block_a_model_that_ranks_as_well() -> None:
    labels, model = binary(3000, noise=1.0)
    score = model["score"].to_numpy()
    sharp = model.set_column(1, "score", pa.array(1 / (1 + np.exp(-10 * np.log(score / (1 - score))))))
    outcome = judge(labels, sharp, model)
    assert outcome.metrics["auc"].difference.value == pytest.approx(0, abs=1e-12)
    assert outcome.metrics["brier"].difference.high < -0.0025
    assert outcome.metrics["brier"].margin == pytest.approx(0.0025)
    assert outcome.decision is Decision.KEEP
    assert outcome.reasons[-1:] == outcome.blocks
    assert outcome.blocks[0].startswith("Its probabilities are worse: Brier score 0.")
    assert outcome.blocks[0].endswith("0.0025 is allowed (brier_margin). That blocks the promotion.")
    assert judge(labels, sharp, model, policy=Policy(brier_margin=0.2)).decision is Decision.PROMOTE
    assert judge(labels, model, sharp).blocks == ()


def test_anybody_may_add_a_block() -> None:
    labels, model = binary(3000, noise=1.0)
    outcome = judge(labels, model, model)
    assert gate.blocked(outcome, ()) is outcome
    once = gate.blocked(outcome, ("Group A is refused more often.",))
    assert (once.decision, once.blocks) == (Decision.KEEP, ("Group A is refused more often.",))
    twice = gate.blocked(once, ("And B.",))
    assert twice.blocks == ("Group A is refused more often.", "And B.")
    assert outcome.reasons[-1].endswith(" is allowed: it may be promoted.")
    assert twice.reasons[: -len(twice.blocks)][-1].endswith(" is allowed: by that alone it might be promoted.")
    assert twice.reasons[-2:] == twice.blocks


def test_accuracy_is_compared_at_the_operating_threshold() -> None:
    labels = ["yes"] * 60 + ["no"] * 60
    ours = said([""] * 120, np.array([0.8] * 50 + [0.3] * 10 + [0.1] * 60))
    theirs = said([""] * 120, np.array([0.8] * 40 + [0.3] * 20 + [0.2] * 60))
    outcome = judge(labels, theirs, ours)
    assert outcome.threshold == pytest.approx(0.5)
    assert (outcome.discordance.only_champion, outcome.discordance.only_challenger) == (10, 0)
    assert outcome.discordance.p_value == pytest.approx(2 * 0.5**10)
    assert outcome.discordance.chi2 is None
    assert outcome.metrics["accuracy"].difference.value == pytest.approx(-10 / 120)
    lower = judge(labels, theirs, ours, policy=Policy(operating_threshold=0.25))
    assert (lower.discordance.only_champion, lower.discordance.only_challenger) == (0, 0)
    assert lower.metrics["accuracy"].challenger.value == 1


def test_errors_are_priced_where_the_policy_says_what_they_cost() -> None:
    labels = ["yes"] * 60 + ["no"] * 60
    ours = said([""] * 120, np.array([0.8] * 54 + [0.3] * 6 + [0.6] * 12 + [0.1] * 48))
    theirs = said([""] * 120, np.array([0.8] * 60 + [0.6] * 30 + [0.1] * 30))
    assert "cost" not in judge(labels, theirs, ours).metrics
    cost = judge(labels, theirs, ours, policy=Policy(false_positive_cost=2.0, false_negative_cost=20.0)).metrics["cost"]
    assert cost.champion.value == pytest.approx((12 * 2 + 6 * 20) / 120)
    assert cost.challenger.value == pytest.approx(30 * 2 / 120)
    assert cost.difference.value == pytest.approx(84 / 120)
    assert cost.difference.low < cost.difference.value < cost.difference.high
    assert not cost.decides


def test_each_class_of_many_is_told_and_their_mean() -> None:
    labels, good = multiclass(900, noise=0.5)
    _, poor = multiclass(900, noise=2.0)
    outcome = judge(labels, good, poor, task=Task.MULTICLASS)
    mean, *each = outcome.classes
    assert mean.label == ""
    assert {found.label for found in each} == {"high", "low", "mid"}
    assert [found.rows for found in each] == sorted((found.rows for found in each), reverse=True)
    guessed = [good["prediction"].to_pylist(), poor["prediction"].to_pylist()]
    for found in each:
        for side, guess in ((found.recall.challenger, guessed[0]), (found.recall.champion, guessed[1])):
            expected = recall_score(labels, guess, labels=[found.label], average=None)[0]
            assert side.value == pytest.approx(expected, abs=1e-12)
        expected = f1_score(labels, guessed[0], labels=[found.label], average=None)[0]
        assert found.f1.challenger.value == pytest.approx(expected, abs=1e-12)
        assert found.f1.difference.low < found.f1.difference.value < found.f1.difference.high
    assert mean.recall.challenger.value == pytest.approx(recall_score(labels, guessed[0], average="macro"), abs=1e-12)
    assert mean.f1.champion.value == pytest.approx(f1_score(labels, guessed[1], average="macro"), abs=1e-12)
    binary_labels, model = binary(300, noise=1.0)
    assert judge(binary_labels, model, model).classes == ()


def test_only_what_is_asked_for_is_measured_beside_what_decides_or_blocks() -> None:
    labels, good = binary(600, noise=1.0)
    _, poor = binary(600, noise=2.0)
    few = gate.compare(
        labels, good, champion=poor, schema=modelling.schema(), policy=POLICY, setting=gate.Setting(told=("f1",))
    )
    assert list(few.metrics) == ["auc", "brier", "f1"]
    every = judge(labels, good, poor)
    assert all(few.metrics[name].difference == every.metrics[name].difference for name in few.metrics)
    assert (few.decision, few.reasons) == (every.decision, every.reasons)


# --- against the trivial predictor --------------------------------------------------------------


def test_the_first_version_has_only_to_beat_a_coin() -> None:
    labels, model = binary(200, noise=2.0)
    outcome = judge(labels, model)
    area = roc_auc_score([label == "yes" for label in labels], model["score"].to_numpy())
    assert outcome.decision is Decision.PROMOTE
    assert outcome.metrics["auc"].champion == Measured(value=0.5, rows=200)
    assert outcome.metrics["auc"].difference.value == pytest.approx(area - 0.5, abs=1e-12)
    assert f"the challenger has AUC {area:.4f} (95 % interval" in outcome.reasons[0]
    assert outcome.reasons[0].endswith("a coin has 0.5000: it may be promoted.")
    assert isinstance(outcome.metrics["brier"].difference, NotMeasured)
    assert outcome.champion_curves == Curves()


def test_a_first_version_worse_than_a_coin_is_refused() -> None:
    labels, model = binary(200, noise=1.0)
    outcome = judge(labels, model.set_column(1, "score", pa.array(1 - model["score"].to_numpy())))
    assert outcome.decision is Decision.KEEP
    assert outcome.reasons[0].endswith("it is no better than no model.")


def test_regression_has_to_beat_the_mean() -> None:
    labels, model = regression(200, noise=1.0)
    outcome = judge(labels, model, task=Task.REGRESSION)
    deciding = outcome.metrics["rmse"]
    spread = float(np.std([float(v) for v in labels]))
    assert outcome.decision is Decision.PROMOTE
    assert deciding.champion.value == pytest.approx(spread)
    assert deciding.difference.low < deciding.difference.value < deciding.difference.high
    assert "predicting the mean has" in outcome.reasons[0]
    _, wild = regression(200, noise=9.0)
    assert judge(labels, wild, task=Task.REGRESSION).decision is Decision.KEEP


def test_a_hold_out_of_one_class_says_why_nothing_can_be_said() -> None:
    _, model = binary(200, noise=1.0)
    outcome = judge(["no"] * 200, model)
    assert outcome.decision is Decision.INSUFFICIENT
    assert "hold 0 labelled rows of class 'yes'" in outcome.reasons[0]
    free = judge(["no"] * 200, model, policy=Policy(class_rows_min=0))
    assert (free.decision, free.rows_needed) == (Decision.INSUFFICIENT, None)


@pytest.mark.parametrize("positives", [1, 29])
def test_a_first_version_needs_rows_of_each_class_however_well_it_does(positives: int) -> None:
    labels = ["yes"] * positives + ["no"] * 100
    model = said(labels, np.array([float(label == "yes") for label in labels]))
    outcome = judge(labels, model)
    assert outcome.decision is Decision.INSUFFICIENT
    assert outcome.metrics["auc"].challenger.value == pytest.approx(1)
    assert f"hold {positives:,} labelled rows of class 'yes'" in outcome.reasons[0]
    assert f"{30 - positives:,} more are needed." in outcome.reasons[0]
    assert outcome.rows_needed == -(-len(labels) * 30 // positives)
    assert judge(labels, model, policy=Policy(class_rows_min=positives)).decision is Decision.PROMOTE


def test_a_first_version_that_may_be_luck_goes_out_with_that_said() -> None:
    labels = ["yes", "no"] * 30
    score = np.random.default_rng(3).random(60) + 0.1 * (np.arange(60) % 2 == 0)
    outcome = judge(labels, said(labels, score))
    figure = outcome.metrics["auc"].challenger
    assert isinstance(figure, Measured)
    assert figure.low is not None
    assert figure.low < 0.5 < figure.value
    assert outcome.decision is Decision.PROMOTE
    assert outcome.reasons[0].endswith("it may be promoted.")
    assert outcome.reasons[1:] == ("But the interval includes 0.5: it may be no better than chance.",)


def test_a_regression_that_may_be_luck_says_so_too() -> None:
    labels, model = regression(200, noise=2.7, seed=2)
    outcome = judge(labels, model, task=Task.REGRESSION)
    deciding = outcome.metrics["rmse"]
    assert deciding.difference.low < 0 < deciding.difference.value
    assert outcome.reasons[1] == (
        f"But the interval includes {deciding.champion.value:.4f}: it may be no better than predicting the mean."
    )


def test_what_cannot_be_compared_is_measured_alone() -> None:
    labels, model = binary(200, noise=1.0)
    outcome = gate.incomparable(labels, model, reason="Other classes.", schema=modelling.schema(), policy=POLICY)
    assert (outcome.decision, outcome.reasons, outcome.rows) == (Decision.INSUFFICIENT, ("Other classes.",), 200)
    assert outcome.metrics["auc"].champion == NotMeasured(reason="the champion answers another question")
    assert outcome.metrics["auc"].challenger == judge(labels, model).metrics["auc"].challenger
    assert not any(comparison.decides for comparison in outcome.metrics.values())
    assert outcome.challenger_curves.roc
