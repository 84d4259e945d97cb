"""Each part is judged by a fit on the rows before it; means and spreads are of the folds that have a figure."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from pipeline_core.records import Measured, NotMeasured, Recipe, Task, TimeUnit
from pipeline_core.stages import preprocessing, serving, training
from tests.core import modelling


def given(rows: pa.Table, task: Task = Task.BINARY, *, count: int = 3, unit: TimeUnit = TimeUnit.CLOCK):
    schema = modelling.schema(task, unit=unit)
    target = training.encode(rows["label"].to_pylist(), schema)
    return training.parts(rows, serving.frame(rows, schema), target, schema=schema, count=count)


def pipeline(task: Task = Task.BINARY, estimator: str = "logistic_regression"):
    schema = modelling.schema(task)
    return training.unfitted(preprocessing.build(schema, estimator), Recipe(estimator=estimator), task=task, seed=7)


def silent(_share: float, _message: str) -> None:
    pass


def test_with_a_time_each_part_is_judged_by_the_rows_before_it() -> None:
    parts = given(modelling.rows(400))
    assert parts.by_time
    assert [(fitted.tolist(), judged.tolist()) for fitted, judged in parts.pairs] == [
        (list(range(100)), list(range(100, 200))),
        (list(range(200)), list(range(200, 300))),
        (list(range(300)), list(range(300, 400))),
    ]
    assert parts.spans[0][0] is not None
    assert (parts.spans[0][0] - modelling.START).total_seconds() == 100 * 360


def test_without_a_time_each_part_is_judged_by_all_others() -> None:
    parts = given(modelling.rows(300), unit=TimeUnit.NONE, count=4)
    assert not parts.by_time
    for fitted, judged in parts.pairs:
        assert np.array_equal(np.sort(np.concatenate([fitted, judged])), np.arange(300))
    assert np.array_equal(np.sort(np.concatenate([judged for _, judged in parts.pairs])), np.arange(300))


@pytest.mark.parametrize("task", modelling.TASKS)
def test_the_mean_and_spread_are_those_of_the_folds(task: Task) -> None:
    heard: list[str] = []
    found = training.cross_validate(
        pipeline(task), given(modelling.rows(500, task), task), lambda _s, m: heard.append(m)
    )
    values = [fold.figure.value for fold in found.folds]
    assert found.mean == pytest.approx(np.mean(values), abs=1e-15)
    assert found.spread == pytest.approx(np.std(values, ddof=1), abs=1e-15)
    assert [fold.fit_rows for fold in found.folds] == [125, 250, 375]
    assert all(fold.figure.low < fold.figure.value < fold.figure.high for fold in found.folds)
    assert heard == [f"Fold {i} of 3: fitting on {125 * i} rows" for i in (1, 2, 3)]


def test_a_fold_as_by_hand() -> None:
    rows = modelling.rows(400)
    found = training.cross_validate(pipeline(), given(rows), silent)
    schema = modelling.schema()
    target = training.encode(rows["label"].to_pylist(), schema)
    frame = serving.frame(rows, schema)
    by_hand = training.fit_on(pipeline(), frame.iloc[:200], target[:200], task=Task.BINARY)
    positive = by_hand.predict_proba(frame.iloc[200:300])[:, 1]
    truth = target[200:300] == 1
    pairs = positive[truth][:, np.newaxis] - positive[~truth][np.newaxis]
    assert found.folds[1].figure.value == pytest.approx(((pairs > 0) + 0.5 * (pairs == 0)).mean(), abs=1e-12)


def test_a_fold_without_two_classes_says_so_and_the_others_count() -> None:
    rows = modelling.rows(400)
    labels = ["no"] * 200 + rows["label"].to_pylist()[200:]
    rows = rows.set_column(rows.schema.get_field_index("label"), "label", pa.array(labels))
    found = training.cross_validate(pipeline(), given(rows), silent)
    assert found.folds[0].figure == NotMeasured(reason="the 100 rows before it are all of one class")
    assert isinstance(found.folds[2].figure, Measured)
    assert found.mean == found.folds[2].figure.value
    assert found.spread is None
