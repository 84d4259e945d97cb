"""The page "New model": empty, with a file, corrected in the table and in the choices, and through its button."""

from __future__ import annotations

import gzip
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
    from pages.ui import session
    from pipeline_core.flows import intake

    suggestion = intake.preview(session.store(), path).suggestion
    roles.begin(suggestion, file_name="x.csv")
    changes = {2: {"role": "excluded"}, 3: {"type": "category"}, 4: {"role": "target"}}
    st.session_state[roles.EDITOR] = {"edited_rows": changes}
    roles.edited(suggestion)
    st.session_state["rows"] = {row["name"]: (row["type"], row["role"]) for row in roles.rows(suggestion)}


def test_an_edit_in_the_table_moves_the_choices(home: Store, tmp_path: Path) -> None:
    at = AppTest.from_function(editing, default_timeout=30, kwargs={"path": str(loans.file(tmp_path, 0))}).run()
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


def test_days_begin_in_the_zone_that_was_said(opened: AppTest, home: Store) -> None:
    assert opened.selectbox(key="define_zone").value == "UTC"
    opened.selectbox(key="define_positive").select("yes")
    opened.selectbox(key="define_zone").set_value("Europe/Berlin")
    opened.button(key="define_go").click().run()
    assert not opened.exception
    assert home.models.schema(home.models.names()[0]).zone == "Europe/Berlin"


def test_without_a_clock_there_is_no_zone(opened: AppTest) -> None:
    opened.selectbox(key="define_time").select(None).run()
    assert opened.selectbox(key="define_zone").disabled


def upload(at: AppTest, name: str, content: bytes) -> AppTest:
    """Upload a first file."""
    at.file_uploader(key="define_file_0").upload(name, content)
    at.run()
    assert not at.exception
    return at


DATES = "\n".join(
    ["when;amount;paid"]
    + [f"{1 + i % 12:02d}/{1 + i % 11:02d}/2025;{i % 7},5;{('yes', 'no')[i % 3 == 0]}" for i in range(120)]
)


def test_an_open_question_holds_the_definition_up_until_it_is_answered(home: Store, visit: Visit) -> None:
    at = upload(visit(PAGE), "dates.csv", DATES.encode())
    assert "can be read in more than one way: **answer a question**" in at.title[0].value
    asked = loans.said(at).replace("\\", "")
    assert "no cell shows whether the day or the month comes first. A wrong guess moves rows by months." in asked
    assert "--date-order" not in asked
    assert at.radio(key="define_ask_date_order").value is None
    assert at.button(key="define_go").disabled
    at.radio(key="define_ask_date_order").set_value("mdy").run()
    assert not at.exception
    assert "dates month first" in loans.said(at)
    assert "define_ask_date_order" not in [r.key for r in at.radio]
    assert not at.button(key="define_go").disabled
    at.button(key="define_go").click().run()
    assert not at.exception
    schema = home.models.schema("dates")
    assert schema.reading.date_order == "mdy"
    assert home.batches.list("dates")[0].rows == 120


def test_a_choice_reads_the_file_again_and_can_be_taken_back(home: Store, visit: Visit) -> None:
    at = upload(visit(PAGE), "dates.csv", DATES.encode())
    assert at.selectbox(key="define_read_delimiter").value == ";"
    assert at.selectbox(key="define_read_encoding").value == "utf-8"
    at.selectbox(key="define_read_header").select("no").run()
    assert not at.exception
    assert at.data_editor(key="define_columns").value["name"].tolist()[:2] == ["column_1", "column_2"]
    at.text_area(key="define_read_names").set_value("a\nb\nc").run()
    assert at.data_editor(key="define_columns").value["name"].tolist() == ["a", "b", "c"]
    at.button(key="define_read_back").click().run()
    assert at.data_editor(key="define_columns").value["name"].tolist() == ["when", "amount", "paid"]


def test_what_a_file_was_corrected_to_stays_when_it_is_read_otherwise(home: Store, visit: Visit) -> None:
    at = upload(visit(PAGE), "dates.csv", DATES.encode())
    at.text_input(key="define_model").set_value("mine")
    at.selectbox(key="define_target").select("amount").run()
    at.radio(key="define_ask_date_order").set_value("dmy").run()
    assert at.text_input(key="define_model").value == "mine"
    assert at.selectbox(key="define_target").value == "amount"


def test_an_encoding_that_does_not_fit_is_said_and_can_be_taken_back(home: Store, visit: Visit) -> None:
    at = upload(visit(PAGE), "names.csv", "name,paid\nÁngel,1\nBjörn,0\n".encode() * 30)
    at.selectbox(key="define_read_encoding").select("cp1252").run()
    assert not at.exception
    assert at.error
    assert "define_go" not in [b.key for b in at.button]
    at.button(key="define_read_back").click().run()
    assert not at.error
    assert "define_go" in [b.key for b in at.button]


def test_a_likely_missing_marker_is_one_click(home: Store, visit: Visit) -> None:
    rows = [f"{20 + i % 17 / 10},{-200 if i % 5 == 0 else i % 9 + 1},{i % 2}" for i in range(400)]
    at = upload(visit(PAGE), "air.csv", "\n".join(["temperature,co,alarm", *rows]).encode())
    treat = next(b for b in at.button if b.label == "Treat −200 as missing")
    assert at.data_editor(key="define_columns").value.set_index("name")["nulls"]["co"] == 0
    treat.click().run()
    assert not at.exception
    assert at.data_editor(key="define_columns").value.set_index("name")["nulls"]["co"] == pytest.approx(0.2)
    assert at.multiselect(key="define_read_nulls").value == ["-200"]
    assert not [b for b in at.button if b.label.startswith("Treat")]


def test_a_feature_that_knows_the_target_is_left_out_by_a_click(home: Store, visit: Visit) -> None:
    rows = [f"{i},{i % 13},{i % 2},{('no', 'yes')[i % 2]}" for i in range(600)]
    at = upload(visit(PAGE), "late.csv", "\n".join(["amount,visits,was_late,late", *rows]).encode())
    assert "leakage\\_suspect" in loans.said(at)
    at.button(key="define_exclude_0").click().run()
    assert "was_late" in at.multiselect(key="define_exclude").value
    assert "define_exclude_0" not in [b.key for b in at.button]


def test_packed_json_lines_are_read(home: Store, visit: Visit) -> None:
    lines = b"\n".join(b'{"amount": %d, "late": "%s"}' % (i, (b"no", b"yes")[i % 3 == 0]) for i in range(300)) + b"\n"
    at = upload(visit(PAGE), "loans.jsonl.gz", gzip.compress(lines))
    assert "2 columns; its first 300 rows were looked at. Read as **JSON**" in loans.said(at)


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
    assert (
        "**loans\\-0\\.csv** has 500 rows and 7 columns. Read as **CSV**, UTF-8, commas between the fields."
        in loans.said(at)
    )


def test_what_is_no_table_is_said_in_a_sentence(home: Store, visit: Visit) -> None:
    at = visit(PAGE)
    at.file_uploader(key="define_file_0").upload("broken.parquet", b"PAR1 and nothing else")
    at.run()
    assert not at.exception
    assert len(at.error) == 1
    assert "define_go" not in [b.key for b in at.button]
