"""The hold-out is never fitted on, fits repeat exactly, and too little data is said in figures."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from pipeline_core.errors import InvalidDefinition, NotEnough, NotFound
from pipeline_core.policy import Policy
from pipeline_core.records import Column, ColumnType, Role, Schema, Task, TimeUnit
from pipeline_core.stages import preprocessing, serving, training
from pipeline_core.stats.ranking import auc
from tests.core import modelling

POLICY = Policy()


def with_times(days: list[int]) -> pa.Table:
    rows = modelling.rows(len(days))
    times = pa.array([datetime(2025, 3, d, tzinfo=UTC) for d in days], pa.timestamp("us", "UTC")).cast(
        pa.timestamp("us")
    )
    return rows.set_column(rows.schema.get_field_index("event_at"), "event_at", times)


def fit(task: Task, estimator: str, rows: pa.Table | None = None):
    schema = modelling.schema(task)
    table = modelling.rows(300, task) if rows is None else rows
    target = training.encode(table["label"].to_pylist(), schema)
    steps = preprocessing.build(schema, estimator)
    return training.fit(steps, serving.frame(table, schema), target, task=task, estimator=estimator, seed=7)


# --- split --------------------------------------------------------------------------------------


def test_the_newest_fifth_is_held_out_in_any_row_order() -> None:
    rows = modelling.rows(400)
    shuffled = rows.take(pa.array(np.random.default_rng(0).permutation(400)))
    cut = training.split(shuffled, modelling.schema(), POLICY)
    held = shuffled.filter(pa.array(~cut.fit))
    assert sorted(held["row_number"].to_pylist()) == list(range(320, 400))
    assert cut.holdout_from == datetime(2025, 1, 2, 8, tzinfo=UTC)
    assert pc.min(held["event_at"]).as_py() == cut.holdout_from.replace(tzinfo=None)


def test_rows_of_one_time_stay_together_and_the_nearest_cut_is_taken() -> None:
    cut = training.split(with_times([1] * 120 + [2] * 50 + [3] * 70), modelling.schema(), POLICY)
    assert cut.holdout_from == datetime(2025, 3, 3, tzinfo=UTC)
    assert int(cut.fit.sum()) == 170
    # wanted: 192 rows to fit; cutting at day 2 would leave 120, at day 3 230
    cut = training.split(with_times([1] * 120 + [2] * 110 + [3] * 10), modelling.schema(), POLICY)
    assert int(cut.fit.sum()) == 230
    # most rows in the last month: the first month is all there is to fit on
    cut = training.split(with_times([1] * 40 + [2] * 200), modelling.schema(), POLICY)
    assert int(cut.fit.sum()) == 40


def test_microseconds_survive_in_the_cut() -> None:
    rows = modelling.rows(200)
    times = pa.array(
        [datetime(2025, 3, 1, 0, 0, 0, i, tzinfo=UTC) for i in range(200)], pa.timestamp("us", "UTC")
    ).cast(pa.timestamp("us"))
    cut = training.split(rows.set_column(2, "event_at", times), modelling.schema(), POLICY)
    assert cut.holdout_from == datetime(2025, 3, 1, 0, 0, 0, 160, tzinfo=UTC)


def test_without_an_event_time_the_hashed_id_decides_for_every_dataset() -> None:
    schema = modelling.schema(unit=TimeUnit.NONE)
    rows = modelling.rows(1000)
    cut = training.split(rows, schema, POLICY)
    first = int(hashlib.md5(b"s1-0", usedforsecurity=False).hexdigest()[:16], 16) / 2**64
    assert cut.fit[0] == (first >= 0.2)
    assert cut.holdout_from is None
    assert 150 < int((~cut.fit).sum()) < 250
    part = training.split(rows.slice(300, 500), schema, POLICY)
    assert np.array_equal(part.fit, cut.fit[300:800])


def test_a_smaller_share_holds_out_a_part_of_a_larger_one() -> None:
    ids = [f"r{i}" for i in range(500)]
    small, large = training.hashed_holdout(ids, 0.1), training.hashed_holdout(ids, 0.3)
    assert small.sum() < large.sum()
    assert not (small & ~large).any()


def test_too_few_rows_are_said_in_figures() -> None:
    with pytest.raises(NotEnough, match=r"'loans' has 199 labelled rows .* at least 200\."):
        training.split(modelling.rows(199), modelling.schema(), POLICY)


def test_one_event_time_cannot_be_cut() -> None:
    with pytest.raises(NotEnough, match="have one event time, 2025-03-01 00:00"):
        training.split(with_times([1] * 200), modelling.schema(), POLICY)


def test_an_empty_part_is_refused() -> None:
    with pytest.raises(NotEnough, match=r"A hold-out share of 1\.0 leaves 0 of 200 rows"):
        training.split(modelling.rows(200), modelling.schema(unit=TimeUnit.NONE), Policy(holdout_share=1.0))


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
    from sklearn.linear_model import LogisticRegression

    hasty = dict(training.ESTIMATORS) | {"logistic_regression": lambda _task, _seed: LogisticRegression(max_iter=1)}
    monkeypatch.setattr(training, "ESTIMATORS", hasty)
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


def without_id() -> Schema:
    plain = modelling.schema(unit=TimeUnit.NONE)
    return replace(plain, columns=tuple(c for c in plain.columns if c.name not in {"loan", "when"}))


def test_without_an_id_equal_rows_of_two_files_are_on_one_side() -> None:
    schema, rows = without_id(), modelling.rows(1000)
    ids = pa.array([f"{'b' * 12}-{i}" for i in range(1000)])
    other = rows.set_column(0, "row_id", ids).set_column(12, "label", pa.array([None] * 1000, pa.string()))
    here, there = (training.held_out(table, schema, 0.2) for table in (rows, other))
    assert np.array_equal(here, there)
    assert not np.array_equal(here, training.hashed_holdout(ids.to_pylist(), 0.2))
    assert 150 < int(here.sum()) < 250
    assert np.array_equal(~training.split(rows, schema, POLICY).fit, here)
    assert np.array_equal(training.held_out(rows.slice(300, 500), schema, 0.2), here[300:800])
    assert not (here & ~training.held_out(rows, schema, 0.4)).any()
    with_id = training.held_out(rows, modelling.schema(unit=TimeUnit.NONE), 0.2)
    assert np.array_equal(with_id, training.hashed_holdout(rows["row_id"].to_pylist(), 0.2))


@pytest.mark.parametrize("column_id", ["c001", "c002", "c003", "c004", "c005"])
def test_each_feature_counts_in_the_hash_and_a_null_is_a_value(column_id: str) -> None:
    schema, rows = without_id(), modelling.rows(1000)
    place = rows.column_names.index(column_id)
    blank = rows.set_column(place, column_id, pa.nulls(1000, rows.schema.field(column_id).type))
    before, after = (training.held_out(table, schema, 0.5) for table in (rows, blank))
    assert 400 < int((before != after).sum()) < 600
    kind = rows.schema.field(column_id).type
    zero = pa.array([0.0 if pa.types.is_floating(kind) else "" if pa.types.is_string(kind) else 0] * 1000, kind)
    assert not np.array_equal(after, training.held_out(rows.set_column(place, column_id, zero), schema, 0.5))


def test_the_same_number_is_the_same_however_it_is_written() -> None:
    schema, rows = without_id(), modelling.rows(300)
    signs = [pa.array([value] * 300) for value in (0.0, -0.0)]
    held = [training.held_out(rows.set_column(3, "c001", sign), schema, 0.5) for sign in signs]
    assert np.array_equal(*held)
    assert training.held_out(rows.slice(0, 0), schema, 0.5).tolist() == []
    chunks = pa.concat_tables([rows.slice(0, 100), rows.slice(100)])
    assert np.array_equal(training.held_out(chunks, schema, 0.5), training.held_out(rows, schema, 0.5))
