"""The page "Training": empty, with a model, with versions, and through its button."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow.csv
from streamlit.testing.v1 import AppTest

from pipeline_core.flows import intake, release
from pipeline_core.flows.compute import in_process
from pipeline_core.records import JobStatus, Measured
from pipeline_core.store.home import Store
from tests.pages import loans

PAGE = "release/training.py"
Visit = Callable[..., AppTest]


def test_without_a_model_it_leads_to_the_definition(home: Store, visit: Visit) -> None:
    at = visit(PAGE)
    assert not at.exception
    assert at.title[0].value == "What could replace the champion?"
    assert at.button(key="empty_go").label == "Define a model"


def test_a_model_without_versions_says_what_can_teach_one(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "defined")
    at = visit(PAGE)
    assert "**loans** has no version yet; 800 labelled rows can teach one." in at.title[0].value
    assert "keeps the newest 20 % of them apart" in loans.said(at)
    assert not at.button(key="run_start").disabled


def test_the_button_trains_a_version_which_is_then_shown(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "defined")
    at = visit(PAGE)
    at.selectbox(key="run_estimator").select("logistic_regression")
    at.button(key="run_start").click().run()
    loans.finish_jobs(at)
    made = home.models.version(loans.MODEL, 1)
    assert made.run.estimator == "logistic_regression"
    assert at.dataframe[0].value["version"].tolist() == ["v1"]
    assert "**v1** waits to be challenged" in at.title[0].value
    assert at.subheader[0].value == "v1, Linear model, challenger"


def test_rows_until_a_day_are_used_only(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "defined")
    at = visit(PAGE)
    at.selectbox(key="run_estimator").select("logistic_regression")
    at.date_input(key="run_until").set_value(loans.START.date().replace(day=13))
    at.button(key="run_start").click().run()
    loans.finish_jobs(at)
    # 72 rows a day, seven days
    assert home.models.version(loans.MODEL, 1).dataset.rows == 504


def test_too_few_labels_disable_the_button_and_say_so(home: Store, visit: Visit, tmp_path: Path) -> None:
    object.__setattr__(home.policy, "train_rows_min", 5000)
    loans.take(home, tmp_path, "defined")
    at = visit(PAGE)
    assert at.button(key="run_start").disabled
    assert "800 labelled rows so far; the policy asks for at least 5,000" in loans.said(at)


def test_two_versions_are_compared_from_a_link(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "challenger")
    at = visit(PAGE, versions="2,1")
    assert not at.exception
    assert at.subheader[0].value == "v2, v1 compared"
    assert list(at.table[0].value.columns) == ["", "v2 challenger", "v1 champion"]
    assert len(at.get("plotly_chart")) == 2


def test_an_unknown_version_in_the_link_shows_the_newest(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "champion")
    at = visit(PAGE, versions="99,x")
    assert at.subheader[0].value == "v1, Gradient boosting, champion"


def test_options_reach_the_run_and_what_was_tried_is_shown(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "defined")
    at = visit(PAGE)
    at.selectbox(key="run_estimator").select("logistic_regression").run()
    at.number_input(key="run_set_logistic_regression_max_iter").set_value(400)
    at.slider(key="run_folds").set_value(3)
    at.slider(key="run_search").set_value(2)
    at.toggle(key="run_balanced").set_value(True)
    at.selectbox(key="run_calibrate").select("sigmoid")
    at.multiselect(key="run_treat_log").select("amount")
    at.button(key="run_start").click().run()
    loans.finish_jobs(at)
    run = home.models.version(loans.MODEL, 1).run
    assert run.recipe is not None
    assert run.recipe.settings == {"max_iter": "400"}
    assert (run.recipe.folds, run.recipe.candidates, run.recipe.class_weight) == (3, 2, "balanced")
    assert (run.recipe.calibration, run.recipe.treatments) == ("sigmoid", {"amount": "log"})
    assert run.parameters["max_iter"] == 400
    assert run.cross_validation is not None
    assert all(isinstance(fold.figure, Measured) for fold in run.cross_validation.folds)
    said = loans.said(at)
    assert "**Search**: of 2 candidates and the given settings, kept:" in said
    assert "**Calibration** (sigmoid)" in said
    assert "version_folds" in [chart.key for chart in at.get("plotly_chart")] or len(at.get("plotly_chart")) == 3
    treated = next(frame.value for frame in at.dataframe if "What is done" in frame.value.columns)
    assert treated["Taken as"].tolist() == ["number, log scale", "number", "category"]


def test_a_setting_outside_its_bounds_cannot_be_typed(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "defined")
    field = visit(PAGE).number_input(key="run_set_hist_gradient_boosting_max_iter")
    assert (field.min, field.max, field.value) == (10, 2_000, None)


def test_a_version_that_saw_the_answer_warns_and_leads_to_the_definition(
    home: Store, visit: Visit, tmp_path: Path
) -> None:
    path = loans.file(tmp_path, 0, rows=1_200)
    table = pyarrow.csv.read_csv(path)
    told = [1.0 if value == "yes" else 0.0 for value in table["outcome"].to_pylist()]
    pyarrow.csv.write_csv(table.set_column(3, "income", [told]), path)
    intake.define(home, loans.MODEL, path, source="week-0.csv", **loans.DEFINITION)
    release.train(home, loans.MODEL, estimator="logistic_regression", compute=in_process)
    said = loans.said(visit(PAGE))
    assert "**Did v1 see the answer?**" in said
    assert "look at income first" in said
    assert "Column 'income' alone nearly decides the target" in said.replace("\\", "")


def test_a_waiting_job_is_stopped_by_its_button(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "defined")
    job = home.jobs.add("train", loans.MODEL, arguments={})
    at = visit(PAGE)
    at.button(key=f"training_jobs_stop_{job.job_id}").click().run()
    assert not at.exception
    assert home.jobs.get(job.job_id).status is JobStatus.STOPPED
    assert home.models.versions(loans.MODEL) == ()
