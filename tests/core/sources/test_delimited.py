"""Delimiters, headers, and the type that every cell of a column agrees with."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from pipeline_core.errors import Unreadable
from pipeline_core.sources import delimited


def read(tmp_path: Path, text: str) -> pa.Table:
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode())
    delimiter, names = delimited.header(path.read_bytes(), "t.csv")
    return delimited.read(path, "t.csv", delimiter=delimiter, names=names)


@pytest.mark.parametrize("delimiter", delimited.DELIMITERS)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_delimiters_marks_and_line_ends(tmp_path: Path, delimiter: str, mark: str, line_end: str) -> None:
    rows = [["city", "n", "x"], ["Rome", "1", "0.5"], ["Oslo", "2", "1.5"]]
    text = mark + line_end.join(delimiter.join(row) for row in rows) + line_end
    assert read(tmp_path, text).to_pylist() == [{"city": "Rome", "n": 1, "x": 0.5}, {"city": "Oslo", "n": 2, "x": 1.5}]


def test_quotes_hold_delimiters_and_line_ends(tmp_path: Path) -> None:
    table = read(tmp_path, 'a,"b, c"\n"1,5","two\nlines"\n"x ""y""",z\n')
    assert table.to_pylist() == [{"a": "1,5", "b, c": "two\nlines"}, {"a": 'x "y"', "b, c": "z"}]


def test_one_column_needs_no_delimiter(tmp_path: Path) -> None:
    assert read(tmp_path, "n\n1\n2\n").to_pylist() == [{"n": 1}, {"n": 2}]


def test_a_last_line_without_an_end_counts(tmp_path: Path) -> None:
    assert read(tmp_path, "a;b\n1;2\n3;4").num_rows == 2


@pytest.mark.parametrize("word", [w for w in delimited.NULL_WORDS if w])
def test_null_words(tmp_path: Path, word: str) -> None:
    table = read(tmp_path, f'a,b\n1,x\n {word} ,"{word}"\n')
    assert table.to_pylist() == [{"a": 1, "b": "x"}, {"a": None, "b": None}]


@pytest.mark.parametrize("word", ["None", "na", "none", "missing", "unknown", "-"])
def test_other_words_are_words(tmp_path: Path, word: str) -> None:
    assert read(tmp_path, f"a,b\n1,{word}\n2,x\n")["b"].to_pylist() == [word, "x"]


@pytest.mark.parametrize(
    ("cells", "kind", "values"),
    [
        (["1", "-2", ""], "int64", [1, -2, None]),
        (["1", "2.5", "1e3"], "double", [1.0, 2.5, 1000.0]),
        (["007", "12"], "string", ["007", "12"]),
        (["0x10", "12"], "string", ["0x10", "12"]),
        (["0", "10"], "int64", [0, 10]),
        (["0.5", "00.5"], "string", ["0.5", "00.5"]),
        (["12345678901234567890", "1"], "string", ["12345678901234567890", "1"]),
        (["True", "false", ""], "bool", [True, False, None]),
        (["true", "yes"], "string", ["true", "yes"]),
        (["1", "x"], "string", ["1", "x"]),
        (["", "NA"], "null", [None, None]),
        (["2024-01-01", "2024-01-02"], "string", ["2024-01-01", "2024-01-02"]),
        ([" 5", "6 "], "int64", [5, 6]),
        (["1,5", "2"], "double", [1.5, 2.0]),
        (["1,5", "2,x"], "string", ["1,5", "2,x"]),
    ],
)
def test_a_type_is_given_where_nothing_is_lost(
    tmp_path: Path, cells: list[str], kind: str, values: list[object]
) -> None:
    table = read(tmp_path, "key;v\n" + "".join(f"k{i};{c}\n" for i, c in enumerate(cells)))
    assert (str(table["v"].type), table["v"].to_pylist()) == (kind, values)


def test_a_bad_cell_far_down_costs_only_its_own_column(tmp_path: Path) -> None:
    table = read(tmp_path, "a,b\n" + "1,2\n" * 20_000 + "oops,3\n")
    assert str(table["a"].type) == "string"
    assert str(table["b"].type) == "int64"
    assert table.num_rows == 20_001


def test_blank_rows_at_the_end_and_blank_columns_are_left_out(tmp_path: Path) -> None:
    table = read(tmp_path, "a;b;;\n1;x;;\n;;;\n2;y;;\n;;;\n;;;\n")
    assert table.to_pylist() == [{"a": 1, "b": "x"}, {"a": None, "b": None}, {"a": 2, "b": "y"}]


def test_a_column_without_a_name_that_holds_values_stays_for_files_to_refuse(tmp_path: Path) -> None:
    assert read(tmp_path, ",a\n0,x\n1,y\n").column_names == ["", "a"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n3\n4,5\n", r"row 3 '3' has 1 fields; the header .row 1. has 2"),
        ("a,b\n1,2\n3,4,5\n", r"row 3 '3,4,5' has 3 fields; the header .row 1. has 2"),
    ],
)
def test_ragged_rows_are_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        read(tmp_path, text)


@pytest.mark.parametrize("first", ["25,Private,226802", "1.5,2.5,3.5", "0,0,7"])
def test_a_first_row_of_values_is_no_header(first: str) -> None:
    with pytest.raises(Unreadable, match="looks like values, not names"):
        delimited.header(f"{first}\n38,Private,89814\n".encode(), "t.csv")


@pytest.mark.parametrize("first", ["0,1,2,3", "1,2,3", "city,2019,2020", "a,b,c,1"])
def test_numbers_that_are_names(first: str) -> None:
    assert delimited.header(f"{first}\n".encode(), "t.csv")[1] == first.split(",")
