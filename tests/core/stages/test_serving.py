"""Frames are the same in training and service, and each task says its score in its own way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from pipeline_core.errors import InvalidDefinition
from pipeline_core.records import Task
from pipeline_core.stages import preprocessing, serving, training
from tests.core import modelling

KEYS = ["row_id", "row_number", "event_at"]


def fitted(task: Task, rows: pa.Table | None = None, estimator: str = "hist_gradient_boosting"):
    schema = modelling.schema(task)
    table = modelling.rows(300, task) if rows is None else rows
    target = training.encode(table["label"].to_pylist(), schema)
    steps = preprocessing.build(schema, estimator)
    return training.fit(steps, serving.frame(table, schema), target, task=task, estimator=estimator, seed=7), schema


def test_a_frame_holds_the_features_only_in_the_types_that_pipelines_take() -> None:
    schema = modelling.schema()
    frame = serving.frame(modelling.rows(20), schema)
    assert list(frame.columns) == ["c001", "c002", "c003", "c004", "c005"]
    assert [str(t) for t in frame.dtypes] == ["float64", "float64", "object", "object", "float64"]
    assert np.isnan(frame["c003"][0])
    assert frame["c003"][1] in {"a", "b_c", "d"}


def test_timestamps_become_days_and_nulls_stay_null() -> None:
    schema = modelling.schema()
    rows = modelling.rows(2)
    stamps = pa.array([86_400_000_000 * 2 + 43_200_000_000, None], pa.timestamp("us"))
    frame = serving.frame(rows.set_column(rows.schema.get_field_index("c005"), "c005", stamps), schema)
    assert frame["c005"].tolist() == pytest.approx([2.5, np.nan], abs=0, nan_ok=True)


def test_a_missing_column_is_named() -> None:
    schema = modelling.schema()
    with pytest.raises(InvalidDefinition, match=r"lack 'income', 'city'"):
        serving.frame(modelling.rows(2).drop_columns(["c002", "c004"]), schema)


def test_binary_scores_are_of_the_positive_class_and_cut_at_a_half() -> None:
    pipeline, schema = fitted(Task.BINARY)
    late = modelling.rows(50, seed=3)
    said = serving.predict(pipeline, late, schema)
    assert said.column_names == [*KEYS, "prediction", "score", "value"]
    assert said.select(KEYS).equals(late.select(KEYS))
    expected = pipeline.predict_proba(serving.frame(late, schema))[:, 1]
    assert said["score"].to_numpy() == pytest.approx(expected, abs=0)
    assert said["prediction"].to_pylist() == ["yes" if s >= 0.5 else "no" for s in expected]
    assert said["value"].null_count == 50


def test_the_positive_class_need_not_be_the_last() -> None:
    rows, schema = modelling.rows(300), replace(modelling.schema(), positive="no")
    target = training.encode(rows["label"].to_pylist(), schema)
    steps = preprocessing.build(schema, "lightgbm")
    pipeline = training.fit(steps, serving.frame(rows, schema), target, task=Task.BINARY, estimator="lightgbm", seed=7)
    said = serving.predict(pipeline, rows, schema)
    assert (np.array(said["prediction"].to_pylist()) == np.array(rows["label"].to_pylist())).mean() > 0.9


def test_multiclass_lists_all_scores_in_the_order_of_the_schema() -> None:
    pipeline, schema = fitted(Task.MULTICLASS)
    late = modelling.rows(40, Task.MULTICLASS, seed=3)
    said = serving.predict(pipeline, late, schema)
    scores = np.array(said["scores"].to_pylist())
    assert scores == pytest.approx(pipeline.predict_proba(serving.frame(late, schema)), abs=0)
    assert scores.sum(axis=1) == pytest.approx(1)
    assert said["prediction"].to_pylist() == [schema.classes[i] for i in scores.argmax(axis=1)]
    assert said["score"].to_numpy() == pytest.approx(scores.max(axis=1), abs=0)


def test_a_class_absent_from_the_fit_part_has_no_probability() -> None:
    rows = modelling.rows(300, Task.MULTICLASS)
    pipeline, schema = fitted(Task.MULTICLASS, rows.filter(pa.compute.not_equal(rows["label"], "high")))
    scores = np.array(serving.predict(pipeline, rows, schema)["scores"].to_pylist())
    assert scores.shape == (300, 3)
    assert (scores[:, 0] == 0).all()
    assert scores.sum(axis=1) == pytest.approx(1)


def test_regression_says_its_value_as_score_and_text() -> None:
    pipeline, schema = fitted(Task.REGRESSION)
    late = modelling.rows(30, Task.REGRESSION, seed=3)
    said = serving.predict(pipeline, late, schema)
    assert said["score"].equals(said["value"])
    assert [float(t) for t in said["prediction"].to_pylist()] == said["score"].to_pylist()


@pytest.mark.parametrize("task", modelling.TASKS)
def test_no_rows_give_an_empty_table_of_the_same_shape(task: Task) -> None:
    pipeline, schema = fitted(task)
    rows = modelling.rows(5, task)
    empty = serving.predict(pipeline, rows.slice(0, 0), schema)
    assert empty.num_rows == 0
    assert empty.schema.equals(serving.predict(pipeline, rows, schema).schema)


@pytest.mark.parametrize("task", modelling.TASKS)
def test_slices_change_nothing(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline, schema = fitted(task)
    rows = modelling.rows(101, task, seed=4)
    whole = serving.predict(pipeline, rows, schema)
    monkeypatch.setattr(serving, "SLICE_ROWS", 25)
    assert serving.predict(pipeline, rows, schema).equals(whole)


def test_latency_asks_rows_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(serving, "predict", lambda _pipeline, rows, _schema: asked.append(rows.num_rows))
    monkeypatch.setattr(serving.time, "perf_counter", iter(np.arange(0.0, 10.0, 0.001)).__next__)
    p50, p99, calls = serving.latency(None, modelling.rows(300), modelling.schema())
    assert asked == [1] * 101
    assert (p50, p99, calls) == (pytest.approx(1.0), pytest.approx(1.0), 100)
    monkeypatch.setattr(serving.time, "perf_counter", iter(np.arange(0.0, 100.0, 0.3)).__next__)
    assert serving.latency(None, modelling.rows(300), modelling.schema())[2] == 4
    assert serving.latency(None, modelling.rows(3), modelling.schema())[2] == 3
