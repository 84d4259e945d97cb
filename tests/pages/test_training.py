"""The page "Training": empty, with a model, with versions, and through its button."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from streamlit.testing.v1 import AppTest

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
