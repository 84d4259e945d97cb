"""A part of the rows that loses is found, named and blocks; chance does not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

from pipeline_core.policy import Policy
from pipeline_core.records import Decision, Task
from pipeline_core.stages import gate
from pipeline_core.stages.gate import slices
from tests.core import modelling
from tests.core.stages.gate.test_comparing import binary, multiclass, regression, said

POLICY = Policy()
ROWS = 3_000


def judge(labels, challenger, champion, cells: pa.Table, *, task: Task = Task.BINARY, **knobs: float) -> gate.Outcome:
    return gate.compare(
        labels,
        challenger,
        champion=champion,
        schema=modelling.schema(task),
        policy=replace(POLICY, **knobs),
        setting=gate.Setting(cells=cells, told=()),
    )


def cities(rows: int = ROWS, seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).choice(["Oslo", "Rome", "Bern"], rows, p=[0.2, 0.4, 0.4])


def spoilt(model: pa.Table, where: np.ndarray) -> pa.Table:
    score = model["score"].to_numpy().copy()
    score[where] = np.random.default_rng(1).permutation(score[where])
    return model.set_column(1, "score", pa.array(score))


def test_the_city_that_loses_blocks_although_the_whole_is_better() -> None:
    labels, good = binary(ROWS, noise=0.8)
    _, poor = binary(ROWS, noise=1.5)
    city = cities()
    hurt = spoilt(good, city == "Oslo")
    outcome = judge(labels, hurt, poor, pa.table({"c004": city}), brier_margin=1.0, auc_margin=0.2)
    worst, *others = outcome.slices
    assert outcome.slices_judged == 3
    assert (worst.columns, worst.levels, worst.rows) == (("city",), ("Oslo",), int((city == "Oslo").sum()))
    truth = np.array([label == "yes" for label in labels])
    oslo = city == "Oslo"
    expected = roc_auc_score(truth[oslo], hurt["score"].to_numpy()[oslo]) - roc_auc_score(
        truth[oslo], poor["score"].to_numpy()[oslo]
    )
    assert worst.difference.value == pytest.approx(expected, abs=1e-12)
    assert worst.positives == int(truth[oslo].sum())
    assert (worst.blocks, worst.margin) == (True, 0.03)
    assert worst.loss_p_value < 0.001
    assert not any(found.blocks for found in others)
    assert outcome.decision is Decision.KEEP
    assert outcome.reasons[-1:] == outcome.blocks
    assert outcome.blocks[0].startswith(f"On the {worst.rows:,} rows with 'city' 'Oslo' it is worse by 0.")
    assert outcome.blocks[0].endswith(
        "more than the 0.03 that are allowed (slice_margin) is proven. That blocks the promotion."
    )
    assert (
        judge(labels, hurt, poor, pa.table({"c004": city}), brier_margin=1.0, auc_margin=0.2, slice_margin=0.6).blocks
        == ()
    )


def test_two_columns_find_what_one_alone_hides() -> None:
    labels, model = binary(6_000, noise=0.8)
    city, gender = cities(6_000), np.random.default_rng(8).choice(["f", "m"], 6_000)
    both = (city == "Oslo") & (gender == "f")
    outcome = judge(labels, spoilt(model, both), model, pa.table({"c004": city, "c006": gender}), brier_margin=1.0)
    worst = outcome.slices[0]
    assert (worst.columns, worst.levels) == (("gender", "city"), ("f", "Oslo"))
    assert worst.rows == int(both.sum())
    assert outcome.slices_judged == 3 + 2 + 6
    assert "with 'gender' 'f' and 'city' 'Oslo' it is" in " ".join(outcome.blocks)


def test_slices_with_few_rows_or_few_of_a_class_are_not_judged() -> None:
    labels, model = binary(1_000, noise=1.0, share=0.15)
    names = np.array(["a"] * 99 + ["b"] * 120 + ["c"] * 781)
    truth = np.array(["no"] * 1_000, dtype=object)
    truth[100:119] = "yes"  # 19 of b
    truth[300:400] = "yes"
    outcome = judge(truth.tolist(), model, model, pa.table({"c004": names}), class_rows_min=1)
    assert [found.levels for found in outcome.slices] == [("c",)]
    truth[119] = "yes"
    outcome = judge(truth.tolist(), model, model, pa.table({"c004": names}), class_rows_min=1)
    assert {found.levels for found in outcome.slices} == {("b",), ("c",)}
    assert labels  # only its scores were needed


def test_numbers_are_cut_in_quarters_and_nulls_are_a_level() -> None:
    labels, model = binary(ROWS, noise=1.0)
    amount = np.random.default_rng(2).normal(size=ROWS)
    amount[:600] = np.nan
    few = np.random.default_rng(2).integers(0, 3, ROWS).astype(float)
    cells = pa.table({"c001": pa.array(amount, from_pandas=True), "c002": few})
    outcome = judge(labels, model, model, cells)
    amounts = {found.levels[0]: found.rows for found in outcome.slices if found.columns == ("amount",)}
    assert len(amounts) == 5
    assert amounts.pop("(null)") == 600
    assert set(amounts.values()) == {600}
    assert sum(name.startswith("up to ") for name in amounts) == sum(name.startswith("above ") for name in amounts) == 1
    assert {found.levels[0] for found in outcome.slices if found.columns == ("income",)} == {"0", "1", "2"}
    assert all(found.difference.value == 0 and not found.blocks for found in outcome.slices)
    assert outcome.slices_judged == 5 + 3 + 15


def test_protected_columns_come_first_then_the_important_ones_and_dates_never() -> None:
    schema = modelling.schema()
    cells = pa.table({f"c00{k}": ["x"] for k in range(1, 7)})
    setting = gate.Setting(cells=cells, shares={"city": 0.6, "amount": 0.3})
    names = [column.name for column in slices._columns(schema, setting, 12)]
    assert names == ["gender", "city", "amount", "income", "plan_name"]
    assert [c.name for c in slices._columns(schema, setting, 2)] == ["gender", "city"]


def test_what_is_equal_everywhere_or_foreign_is_no_slice_of_its_own() -> None:
    labels, model = binary(ROWS, noise=1.0)
    long = "x" * 90
    cells = pa.table({"c003": ["one"] * ROWS, "c004": [long if k % 2 else "b" for k in range(ROWS)]})
    outcome = judge(labels, model, model, cells)
    assert {found.levels for found in outcome.slices} == {("x" * 39 + "…",), ("b",)}
    assert judge(labels, model, model, pa.table({"c003": ["one"] * ROWS})).slices == ()


def test_rows_without_truth_are_left_out_of_the_slices_too() -> None:
    labels, model = binary(ROWS, noise=0.8)
    city = cities()
    hurt = spoilt(model, city == "Oslo")
    gone = [None if k % 3 == 0 else label for k, label in enumerate(labels)]
    kept = np.arange(ROWS) % 3 != 0
    found = judge(gone, hurt, model, pa.table({"c004": city})).slices
    alone = judge(
        [label for label in gone if label], hurt.filter(pa.array(kept)), model.filter(pa.array(kept)),
        pa.table({"c004": city[kept]}),
    ).slices  # fmt: skip
    assert found == alone


def test_regression_slices_are_of_rmse_with_a_relative_margin() -> None:
    labels, model = regression(ROWS, noise=1.0)
    city = cities()
    value = model["score"].to_numpy().copy()
    value[city == "Rome"] += np.random.default_rng(5).normal(size=int((city == "Rome").sum()))
    hurt = said([""] * ROWS, value)
    outcome = judge(labels, hurt, model, pa.table({"c004": city}), task=Task.REGRESSION)
    worst = outcome.slices[0]
    truth = np.array([float(label) for label in labels])
    rome = city == "Rome"
    errors = [np.sqrt(np.mean((table["score"].to_numpy()[rome] - truth[rome]) ** 2)) for table in (model, hurt)]
    assert worst.levels == ("Rome",)
    assert worst.positives is None
    assert worst.difference.value == pytest.approx(errors[0] - errors[1], abs=1e-12)
    assert worst.margin == pytest.approx(0.03 * errors[0], abs=1e-12)
    assert worst.blocks
    assert "in RMSE" in " ".join(outcome.blocks)


def test_multiclass_slices_are_of_accuracy() -> None:
    labels, good = multiclass(ROWS, noise=0.5)
    _, poor = multiclass(ROWS, noise=3.0)
    city = cities()
    outcome = judge(labels, poor, good, pa.table({"c004": city}), task=Task.MULTICLASS)
    assert all(found.blocks for found in outcome.slices)
    right = np.array(good["prediction"].to_pylist()) == np.array(labels)
    also = np.array(poor["prediction"].to_pylist()) == np.array(labels)
    for found in outcome.slices:
        here = city == found.levels[0]
        assert found.difference.value == pytest.approx(also[here].mean() - right[here].mean(), abs=1e-12)
    assert len(outcome.blocks) == 3


def test_many_slices_that_block_are_counted_not_listed() -> None:
    labels, model = binary(8_000, noise=0.5)
    names = np.random.default_rng(4).choice(list("abcdefgh"), 8_000)
    outcome = judge(labels, spoilt(model, np.full(8_000, True)), model, pa.table({"c004": names}))
    assert sum(found.blocks for found in outcome.slices) == 8
    assert outcome.blocks[-1] == "5 more slices of the rows lose as much."
    assert len(outcome.blocks) == 1 + 3 + 1  # the Brier score, three slices, the rest
