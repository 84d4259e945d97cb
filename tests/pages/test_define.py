"""The page "New model": empty, with a file, corrected in the table and in the choices, and through its button."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pipeline_core.records import BatchStatus, ColumnType, Role
from pipeline_core.store.home import Store
from tests.pages import loans

PAGE = "intake/define.py"
Visit = Callable[..., AppTest]


@pytest.fixture
def opened(home: Store, visit: Visit, tmp_path: Path) -> AppTest:  # the page opens on that home
    """The page with the first week uploaded."""
    at = visit(PAGE)
    at.file_uploader(key="define_file_0").upload("Loans 2025.csv", loans.file(tmp_path, 0).read_bytes())
    at.run()
    assert not at.exception
    return at


def test_an_empty_store_says_what_a_first_file_does(home: Store, visit: Visit) -> None:
    at = visit(PAGE)
    assert not at.exception
    assert "Nothing is stored before you press “Define model”" in loans.said(at)


def test_a_file_is_proposed_with_types_roles_and_examples(opened: AppTest) -> None:
    table = opened.data_editor(key="define_columns").value
    assert table["name"].tolist() == ["loan_id", "opened_at", "amount", "income", "plan", "gender", "outcome"]
    assert table["role"].tolist() == ["id", "time", "feature", "feature", "feature", "protected", "target"]
    assert table["type"].tolist() == ["category", "timestamp", "number", "number", "category", "category", "category"]
    assert opened.text_input(key="define_model").value == "loans_2025"
    assert "will predict **outcome** from 3 features, in the order of **opened\\_at**." in opened.title[0].value


def editing(path: str) -> None:
    """A script that edits three cells of the table; AppTest itself does not call an editor's callback."""
    import streamlit as st

    from pages.intake import roles
    from pipeline_core.flows import intake

    suggestion = intake.preview(path).suggestion
    roles.begin(suggestion, file_name="x.csv")
    changes = {2: {"role": "excluded"}, 3: {"type": "category"}, 4: {"role": "target"}}
    st.session_state[roles.EDITOR] = {"edited_rows": changes}
    roles.edited(suggestion)
    st.session_state["rows"] = {row["name"]: (row["type"], row["role"]) for row in roles.rows(suggestion)}


def test_an_edit_in_the_table_moves_the_choices(tmp_path: Path) -> None:
    at = AppTest.from_function(editing, kwargs={"path": str(loans.file(tmp_path, 0))}).run()
    assert not at.exception
    assert at.session_state["define_exclude"] == ["amount"]
    assert at.session_state["define_target"] == "plan"
    assert at.session_state["rows"]["income"] == ("category", "feature")
    assert at.session_state["rows"]["outcome"] == ("category", "feature")


def test_a_choice_takes_its_column_out_of_the_other_roles(opened: AppTest) -> None:
    opened.selectbox(key="define_target").select("plan").run()
    opened.multiselect(key="define_exclude").select("outcome").run()
    table = opened.data_editor(key="define_columns").value.set_index("name")["role"]
    assert table["plan"] == "target"
    assert table["outcome"] == "excluded"
    opened.selectbox(key="define_id").select("outcome").run()
    assert opened.multiselect(key="define_exclude").value == []


def test_the_button_defines_and_leads_to_training(opened: AppTest, home: Store) -> None:
    opened.text_input(key="define_model").set_value("loans")
    opened.selectbox(key="define_positive").select("yes")
    opened.button(key="define_go").click().run()
    assert not opened.exception
    schema = home.models.schema("loans")
    assert schema.target.name == "outcome"
    assert schema.positive == "yes"
    assert [c.name for c in schema.role(Role.PROTECTED)] == ["gender"]
    assert [c.type for c in schema.features] == [ColumnType.NUMBER, ColumnType.NUMBER, ColumnType.CATEGORY]
    first = home.batches.list("loans")
    assert [(b.status, b.rows, b.source) for b in first] == [(BatchStatus.ACCEPTED, 500, "Loans 2025.csv")]
    assert "**loans** is defined: it predicts whether outcome is yes from 3 features." in opened.title[0].value
    opened.button(key="define_train").click().run()
    assert not opened.exception
    assert "**loans** has no version yet" in opened.title[0].value


def test_a_name_that_is_taken_disables_the_button(opened: AppTest, home: Store, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "defined")
    opened.text_input(key="define_model").set_value("loans").run()
    assert opened.button(key="define_go").disabled
    assert "A model loans is already here" in loans.said(opened)


def test_a_name_that_is_not_allowed_is_said_in_a_sentence(opened: AppTest, home: Store) -> None:
    opened.text_input(key="define_model").set_value("Übel!").run()
    opened.button(key="define_go").click().run()
    assert not opened.exception
    assert "A model cannot be called" in opened.error[0].value
    assert home.models.names() == ()


def test_a_path_on_this_machine_is_read(home: Store, visit: Visit, tmp_path: Path) -> None:
    at = visit(PAGE)
    at.get_by_key("define_way").set_value("path").run()
    at.text_input(key="define_path_0").set_value(str(loans.file(tmp_path, 0))).run()
    assert "**loans\\-0\\.csv** has 500 rows and 7 columns." in loans.said(at)


def test_what_is_no_table_is_said_in_a_sentence(home: Store, visit: Visit) -> None:
    at = visit(PAGE)
    at.file_uploader(key="define_file_0").upload("broken.parquet", b"PAR1 and nothing else")
    at.run()
    assert not at.exception
    assert len(at.error) == 1
    assert "define_go" not in [b.key for b in at.button]
