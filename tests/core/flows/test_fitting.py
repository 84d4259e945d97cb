"""One version is fitted, judged and explained; what is tried before is tried on the fitted rows only."""

from __future__ import annotations

import warnings
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.exceptions import ConvergenceWarning

from pipeline_core.errors import ArtifactRejected
from pipeline_core.flows import compute
from pipeline_core.flows.fitting import FitRequest, fit_version
from pipeline_core.policy import Policy
from pipeline_core.records import Measured, NotMeasured, Recipe, Severity, Task, TimeUnit
from pipeline_core.stages import artifact, serving
from pipeline_core.stages.training import named
from tests.core import modelling

POLICY = Policy(shap_rows=50)


def request_for(
    tmp_path: Path, task: Task = Task.BINARY, *, rows: int = 300, table: pa.Table | None = None, **recipe: object
) -> FitRequest:
    tmp_path.mkdir(exist_ok=True)
    dataset = tmp_path / "dataset.parquet"
    pq.write_table(modelling.rows(rows, task) if table is None else table, dataset)
    return FitRequest(
        schema=modelling.schema(task),
        policy=POLICY,
        recipe=Recipe(**{"estimator": "lightgbm", **recipe}),
        seed=7,
        dataset=dataset,
        folder=tmp_path,
    )


def silent(_share: float, _message: str) -> None:
    pass


@pytest.mark.parametrize("task", modelling.TASKS)
def test_a_version_is_fitted_judged_and_explained(task: Task, tmp_path: Path) -> None:
    heard: list[float] = []
    result = fit_version(request_for(tmp_path, task), lambda share, _message: heard.append(share))
    assert (result.fit_count, result.holdout_count) == (240, 60)
    assert result.holdout_from == datetime(2025, 1, 2, tzinfo=UTC)
    assert heard == sorted(heard)
    assert pq.read_metadata(result.fit_rows).num_rows == 240
    held = pq.read_table(result.holdout)
    assert held["row_number"].to_pylist() == list(range(240, 300))
    pipeline = artifact.read(result.artifact, result.artifact_sha256)
    schema = modelling.schema(task)
    again = serving.predict(pipeline, modelling.rows(300, task).slice(240), schema)
    assert again["score"].to_pylist() == held["score"].to_pylist()
    assert sum(result.shap_shares.values()) == pytest.approx(1)
    assert next(iter(result.metrics)) in {"auc", "auc_macro", "rmse"}
    assert bool(result.curves.roc) is (task is not Task.REGRESSION)
    assert result.parameters["n_estimators"] == 150


def test_the_child_makes_the_same_version(tmp_path: Path) -> None:
    here = compute.in_process(fit_version, request_for(tmp_path / "here"))
    there = compute.in_child(fit_version, request_for(tmp_path / "there"))
    assert there.artifact.parent == tmp_path / "there"
    assert there.metrics == here.metrics
    assert there.curves == here.curves
    assert there.shap_shares == pytest.approx(here.shap_shares, abs=1e-12)
    assert there.parameters == here.parameters
    assert (there.holdout_from, there.fit_count) == (here.holdout_from, here.fit_count)


def test_a_hold_out_of_one_class_still_trains(tmp_path: Path) -> None:
    request = request_for(tmp_path)
    rows = pq.read_table(request.dataset)
    labels = [*rows["label"].to_pylist()[:240], *["no"] * 60]
    pq.write_table(rows.set_column(rows.schema.get_field_index("label"), "label", [labels]), request.dataset)
    result = compute.in_process(fit_version, request)
    assert result.metrics["auc"] == NotMeasured(reason="only one class among 60 rows with known truth")
    assert isinstance(result.metrics["accuracy"], Measured)


def test_without_event_time_the_hashed_rows_are_held_out(tmp_path: Path) -> None:
    request = replace(request_for(tmp_path), schema=modelling.schema(unit=TimeUnit.NONE))
    result = compute.in_process(fit_version, request)
    assert result.holdout_from is None
    assert result.fit_count + result.holdout_count == 300
    assert 40 < result.holdout_count < 80


# --- the same bytes -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "recipe",
    [
        {"estimator": "hist_gradient_boosting", "calibration": "isotonic"},
        {"estimator": "lightgbm"},
        {"estimator": "random_forest", "settings": {"n_estimators": 10}},
        {"estimator": "logistic_regression", "calibration": "sigmoid"},
    ],
    ids=lambda recipe: recipe["estimator"],
)
def test_two_processes_make_the_same_bytes(recipe: dict[str, object], tmp_path: Path) -> None:
    table = modelling.rows(2_000)
    made = [
        compute.in_child(fit_version, request_for(tmp_path / name, table=table, **recipe)) for name in ("one", "two")
    ]
    assert made[0].artifact_sha256 == made[1].artifact_sha256
    assert made[0].artifact.read_bytes() == made[1].artifact.read_bytes()
    other = compute.in_process(fit_version, request_for(tmp_path / "three", table=table.slice(1), **recipe))
    assert other.artifact_sha256 != made[0].artifact_sha256


# --- what is tried before -----------------------------------------------------------------------


def test_folds_search_and_calibration_never_see_the_hold_out(tmp_path: Path) -> None:
    """The labels of the hold-out are turned round: nothing that is chosen may change."""
    rows = modelling.rows(600)
    labels = rows["label"].to_pylist()
    turned = [*labels[:480], *("no" if label == "yes" else "yes" for label in labels[480:])]
    place = rows.schema.get_field_index("label")
    recipe = {"estimator": "logistic_regression", "folds": 3, "candidates": 3, "calibration": "sigmoid"}
    straight, round_ = (
        fit_version(request_for(tmp_path / name, table=table, **recipe), silent)
        for name, table in (("a", rows), ("b", rows.set_column(place, "label", pa.array(turned))))
    )
    assert straight.search == round_.search
    assert straight.cross_validation == round_.cross_validation
    assert straight.calibration == round_.calibration
    assert straight.artifact_sha256 == round_.artifact_sha256
    assert straight.metrics["auc"].value == pytest.approx(1 - round_.metrics["auc"].value)


def test_the_version_is_fitted_with_what_the_search_kept(tmp_path: Path) -> None:
    heard: list[tuple[float, str]] = []
    request = request_for(
        tmp_path, estimator="logistic_regression", settings={"C": "0.0001"}, candidates=4, folds=2, rows=600
    )
    kept = fit_version(replace(request, recipe=replace(request.recipe, settings={})), lambda *a: heard.append(a))
    assert kept.search is not None
    assert kept.parameters["C"] == kept.search.kept.get("C", 1.0)
    assert len(kept.search.trials) == 5
    assert [share for share, _ in heard] == sorted(share for share, _ in heard)
    assert any("Candidate 2 of 4, fold 1 of 2; best so far AUC" in message for _, message in heard)


def test_a_calibrated_version_is_read_served_and_explained(tmp_path: Path) -> None:
    """Labels that are right in two thirds of the rows only: a deep forest of few trees is far too sure."""
    rows = modelling.rows(3_000, noise=3.0)
    recipe = {"estimator": "hist_gradient_boosting", "settings": {"max_iter": 400, "learning_rate": 0.3}}
    plain = fit_version(request_for(tmp_path / "plain", table=rows, **recipe), silent)
    mapped = fit_version(request_for(tmp_path / "mapped", table=rows, calibration="sigmoid", **recipe), silent)
    assert mapped.calibration is not None
    assert mapped.calibration.kept
    assert mapped.metrics["brier"].value < plain.metrics["brier"].value - 0.02
    assert mapped.metrics["auc"].value == pytest.approx(plain.metrics["auc"].value, abs=1e-12)
    assert mapped.shap_shares == plain.shap_shares
    assert mapped.parameters == plain.parameters
    again = artifact.read(mapped.artifact, mapped.artifact_sha256)
    served = serving.predict(again, rows.slice(2_400), modelling.schema())
    assert served["score"].to_pylist() == pq.read_table(mapped.holdout)["score"].to_pylist()


# --- leaks, treatments, estimators of the policy ------------------------------------------------


def test_a_feature_that_is_the_answer_is_told_with_what_to_do(tmp_path: Path) -> None:
    rows = modelling.rows(1_500)
    told = [1.0 if label == "yes" else 0.0 for label in rows["label"].to_pylist()]
    place = rows.schema.get_field_index("c002")
    result = fit_version(request_for(tmp_path, table=rows.set_column(place, "c002", pa.array(told))), silent)
    warned = [f for f in result.warnings if f.severity is Severity.WARNING]
    assert [f.column for f in warned] == ["income"]
    assert "alone nearly decides the target 'outcome': AUC 1.000 on 300 rows" in warned[0].message
    assert "exclude it" in warned[0].message
    clean = fit_version(request_for(tmp_path / "clean", table=rows), silent)
    assert clean.warnings == ()


def test_what_was_done_to_each_column_is_kept(tmp_path: Path) -> None:
    request = request_for(
        tmp_path, estimator="logistic_regression", treatments={"amount": "log", "income": "category"}, rows=500
    )
    done = {t.column: t for t in fit_version(request, silent).treatments}
    assert list(done) == ["amount", "income", "plan_name", "city", "opened"]
    assert done["amount"].treated_as == "number, log scale"
    assert done["amount"].steps[0].startswith("stretched by Yeo-Johnson with power ")
    assert done["income"].treated_as == "category"
    assert done["income"].null_share == pytest.approx(0.1, abs=0.05)
    assert set(done["plan_name"].levels) == {"a", "b_c", "d", "missing"}
    assert done["city"].outputs == 25
    assert "the 16 rarest share one" in " ".join(done["city"].steps)
    assert done["opened"].steps[0] == "counted in days since 1970"


def test_an_estimator_of_the_policy_is_fitted_explained_and_read(tmp_path: Path) -> None:
    offers = {"mine": {"class": "sklearn.ensemble.ExtraTreesClassifier", "n_estimators": 10}}
    request = request_for(tmp_path, estimator="mine", settings={"min_samples_leaf": "5"}, rows=400)
    result = fit_version(replace(request, policy=Policy(shap_rows=50, estimators=offers)), silent)
    assert (result.parameters["min_samples_leaf"], result.parameters["n_estimators"]) == (5, 10)
    assert sum(result.shap_shares.values()) == pytest.approx(1)
    assert isinstance(result.metrics["auc"], Measured)
    again = artifact.read(result.artifact, result.artifact_sha256, also=named.types(offers))
    assert type(again[-1]).__name__ == "ExtraTreesClassifier"


def test_a_class_that_keeps_types_of_its_own_cannot_be_saved_and_says_so(tmp_path: Path) -> None:
    offers = {"mine": {"class": "sklearn.neural_network.MLPClassifier", "max_iter": 3, "hidden_layer_sizes": 2}}
    request = request_for(tmp_path, estimator="mine", rows=400)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        with pytest.raises(ArtifactRejected, match=r"foreign type sklearn\.neural_network.*AdamOptimizer"):
            fit_version(replace(request, policy=Policy(shap_rows=20, estimators=offers)), silent)
