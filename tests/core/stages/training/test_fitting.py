"""Fits repeat exactly, targets are encoded by task, and what cannot be fitted is said in figures."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from sklearn.linear_model import LogisticRegression

from pipeline_core.errors import InvalidDefinition, NotEnough, NotFound
from pipeline_core.policy import Policy
from pipeline_core.records import Column, ColumnType, Role, Schema, Task, TimeUnit
from pipeline_core.stages import preprocessing, serving, training
from pipeline_core.stages.training import estimators
from pipeline_core.stats.ranking import auc
from tests.core import modelling

POLICY = Policy()


def fit(task: Task, estimator: str, rows: pa.Table | None = None):
    schema = modelling.schema(task)
    table = modelling.rows(300, task) if rows is None else rows
    target = training.encode(table["label"].to_pylist(), schema)
    steps = preprocessing.build(schema, estimator)
    return training.fit(steps, serving.frame(table, schema), target, task=task, estimator=estimator, seed=7)


# --- targets ------------------------------------------------------------------------------------


def test_targets_are_encoded_by_task() -> None:
    binary = training.encode(["yes", "no", "yes"], modelling.schema())
    assert binary.tolist() == [1, 0, 1]
    several = training.encode(["mid", "high", "low"], modelling.schema(Task.MULTICLASS))
    assert several.tolist() == [2, 0, 1]
    assert training.encode(["1.5", "-2"], modelling.schema(Task.REGRESSION)).tolist() == [1.5, -2.0]


def test_labels_outside_the_definition_are_named_with_their_rows() -> None:
    with pytest.raises(
        InvalidDefinition, match=r"'maybe' \(2 rows\), None \(1 rows\); the classes 'no', 'yes' are allowed"
    ):
        training.encode(["yes", "maybe", "maybe", None], modelling.schema())
    with pytest.raises(InvalidDefinition, match=r"'dear' \(1 rows\), 'inf' \(1 rows\); finite numbers are allowed"):
        training.encode(["1", "dear", "inf"], modelling.schema(Task.REGRESSION))


# --- fit ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", modelling.TASKS)
@pytest.mark.parametrize("estimator", training.ESTIMATORS)
def test_every_estimator_learns_every_task_and_repeats_itself(estimator: str, task: Task) -> None:
    schema, late = modelling.schema(task), modelling.rows(300, task, seed=2, noise=0.2)
    first, second = (serving.predict(fit(task, estimator), late, schema) for _ in range(2))
    assert first.equals(second)
    truth = training.encode(late["label"].to_pylist(), schema)
    if task is Task.REGRESSION:
        assert np.corrcoef(truth, first["score"].to_numpy())[0, 1] > 0.8
    else:
        assert (np.array(first["prediction"].to_pylist()) == np.array(late["label"].to_pylist())).mean() > 0.65
    if task is Task.BINARY:
        assert auc(truth, first["score"].to_numpy()) > 0.9


def test_the_first_estimator_is_the_default() -> None:
    assert next(iter(training.ESTIMATORS)) == training.DEFAULT_ESTIMATOR == "hist_gradient_boosting"


def test_an_unknown_estimator_names_the_nearest() -> None:
    with pytest.raises(NotFound, match=r"no estimator 'lightgmb'\. Did you mean 'lightgbm'\?"):
        fit(Task.BINARY, "lightgmb")


@pytest.mark.parametrize(("task", "what"), [(Task.BINARY, "class"), (Task.REGRESSION, "value")])
def test_one_class_teaches_nothing(task: Task, what: str) -> None:
    rows = modelling.rows(250, task)
    same = "yes" if task is Task.BINARY else "3.5"
    rows = rows.set_column(rows.schema.get_field_index("label"), "label", pa.array([same] * 250))
    with pytest.raises(NotEnough, match=f"All 250 rows to fit on have the same target {what}"):
        fit(task, "hist_gradient_boosting", rows)


def test_the_run_keeps_plain_parameters_and_whether_it_converged() -> None:
    boosted = training.parameters(fit(Task.BINARY, "hist_gradient_boosting"))
    assert (boosted["max_iter"], boosted["early_stopping"], boosted["random_state"]) == (150, False, 7)
    assert "converged" not in boosted
    pipeline = fit(Task.MULTICLASS, "logistic_regression")
    assert training.parameters(pipeline)["converged"] is True
    pipeline[-1].n_iter_ = np.array([pipeline[-1].max_iter])
    assert training.parameters(pipeline)["converged"] is False


def test_an_unfinished_linear_fit_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    hasty = dict(estimators.ESTIMATORS) | {"logistic_regression": lambda _task, _seed: LogisticRegression(max_iter=1)}
    monkeypatch.setattr(estimators, "ESTIMATORS", hasty)
    assert training.parameters(fit(Task.BINARY, "logistic_regression"))["converged"] is False


def test_boosting_ranks_adult_census_as_published(real_data) -> None:
    table = pq.read_table(real_data / "adult_census.parquet").slice(0, 12_000)
    target = "income"
    skipped = {target, "split", "fnlwgt"}
    columns = []
    for i, field in enumerate(table.schema, start=1):
        kind = ColumnType.NUMBER if pa.types.is_integer(field.type) else ColumnType.CATEGORY
        role = Role.TARGET if field.name == target else Role.EXCLUDED if field.name in skipped else Role.FEATURE
        columns.append(Column(column_id=f"c{i:03d}", name=field.name, type=kind, role=role))
    classes = tuple(sorted(pc.unique(table[target]).to_pylist()))
    schema = Schema(
        model="adult", schema_version=1, task=Task.BINARY, columns=tuple(columns), baselines=(), grids=(),
        time_unit=TimeUnit.NONE, positive=">50K", classes=classes, defined_at=modelling.START,
    )  # fmt: skip
    count = len(table)
    rows = table.rename_columns([c.column_id for c in columns])
    rows = rows.append_column("row_id", pa.array([f"adult-{i}" for i in range(count)]))
    rows = rows.append_column("row_number", pa.array(range(count)))
    rows = rows.append_column("event_at", pa.nulls(count, pa.timestamp("us")))
    cut = training.split(rows, schema, POLICY)
    y = training.encode(table[target].to_pylist(), schema)
    fitted, held = rows.filter(pa.array(cut.fit)), rows.filter(pa.array(~cut.fit))
    pipeline = training.fit(
        preprocessing.build(schema, "hist_gradient_boosting"),
        serving.frame(fitted, schema),
        y[cut.fit],
        task=Task.BINARY,
        estimator="hist_gradient_boosting",
        seed=7,
    )
    score = serving.predict(pipeline, held, schema)["score"].to_numpy()
    assert auc(y[~cut.fit], score) == pytest.approx(0.92, abs=0.012)
