"""Dialects, headers, ragged rows and blank ends of delimited text, and the type that every cell of a column agrees with."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline_core.errors import Unreadable
from pipeline_core.sources import delimited, dialect, forms
from tests.core.sources.conftest import Take


@pytest.mark.parametrize("delimiter", dialect.DELIMITERS)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_delimiters_marks_and_line_ends(take: Take, delimiter: str, mark: str, line_end: str) -> None:
    rows = [["city", "n", "x"], ["Rome", "1", "0.5"], ["Oslo", "2", "1.5"]]
    told = take(mark + line_end.join(delimiter.join(row) for row in rows) + line_end)
    expected = [{"city": "Rome", "n": 1, "x": 0.5}, {"city": "Oslo", "n": 2, "x": 1.5}]
    assert told.table.to_pylist() == expected
    assert (told.reading.format, told.reading.encoding, told.reading.delimiter) == ("csv", "utf-8", delimiter)
    assert (told.doubts, told.unpacked.notes, told.unpacked.rows) == ((), (), 2)


def test_quotes_hold_delimiters_and_line_ends(take: Take) -> None:
    table = take('a,"b, c"\n"1,5","two\nlines"\n"x ""y""",z\n').table
    assert table.to_pylist() == [{"a": "1,5", "b, c": "two\nlines"}, {"a": 'x "y"', "b, c": "z"}]


def test_one_column_needs_no_delimiter(take: Take) -> None:
    assert take("n\n1\n2\n").table.to_pylist() == [{"n": 1}, {"n": 2}]


def test_a_last_line_without_an_end_counts(take: Take) -> None:
    assert take("a;b\n1;2\n3;4").table.num_rows == 2


@pytest.mark.parametrize("word", [w for w in forms.NULL_WORDS if w])
def test_null_words(take: Take, word: str) -> None:
    told = take(f'a,b\n1,x\n {word} ,"{word}"\n')
    assert told.table.to_pylist() == [{"a": 1, "b": "x"}, {"a": None, "b": None}]
    assert (told.changes("a"), told.changes("b")) == ({"null_word": 1}, {"null_word": 1})


@pytest.mark.parametrize("word", ["None", "na", "none", "missing", "unknown", "-"])
def test_other_words_are_words_until_they_are_told(take: Take, word: str) -> None:
    text = f"a,b\n1,{word}\n2,x\n"
    assert take(text).table["b"].to_pylist() == [word, "x"]
    told = take(text, nulls=(word,))
    assert told.table["b"].to_pylist() == [None, "x"]
    assert told.reading.nulls == (word,)


@pytest.mark.parametrize(
    ("cells", "kind", "values"),
    [
        (["1", "-2", ""], "int64", [1, -2, None]),
        (["1", "2.5", "1e3"], "double", [1.0, 2.5, 1000.0]),
        (["007", "12"], "string", ["007", "12"]),
        (["-007", "12"], "string", ["-007", "12"]),
        (["+007", "1.5"], "string", ["+007", "1.5"]),
        (["0x10", "12"], "string", ["0x10", "12"]),
        (["0", "10"], "int64", [0, 10]),
        (["0.5", "00.5"], "string", ["0.5", "00.5"]),
        (["12345678901234567890", "1"], "string", ["12345678901234567890", "1"]),
        (["12345678901234567", "0.5"], "string", ["12345678901234567", "0.5"]),
        (["True", "false", ""], "bool", [True, False, None]),
        (["true", "yes"], "string", ["true", "yes"]),
        (["1", "x"], "string", ["1", "x"]),
        (["1", "true"], "string", ["1", "true"]),
        (["", "NA"], "null", [None, None]),
        (["2024-01-01", "2024-01-02"], "string", ["2024-01-01", "2024-01-02"]),
        ([" 5", "6 "], "int64", [5, 6]),
        (["1,5", "2"], "double", [1.5, 2.0]),
        (["1,5", "2,x"], "string", ["1,5", "2,x"]),
    ],
)
def test_a_type_is_given_where_nothing_is_lost(take: Take, cells: list[str], kind: str, values: list[object]) -> None:
    table = take("key;v\n" + "".join(f"k{i};{c}\n" for i, c in enumerate(cells))).table
    assert (str(table["v"].type), table["v"].to_pylist()) == (kind, values)


def test_a_bad_cell_far_down_costs_only_its_own_column(take: Take, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 4_096)
    table = take("a,b,c\n" + "1,2,1\n" * 20_000 + "oops,3,1.5\n").table
    assert [str(t) for t in table.schema.types] == ["string", "int64", "double"]
    assert table.num_rows == 20_001
    assert table.slice(19_999).to_pylist() == [{"a": "1", "b": 2, "c": 1.0}, {"a": "oops", "b": 3, "c": 1.5}]


def test_row_numbers_in_the_ledger_count_from_the_first_row(take: Take, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 4_096)
    told = take("a,b\n" + "x,1\n" * 5_000 + "?,1\n" + "x, 2\n")
    (change,) = told.unpacked.columns[0].changes
    assert [(e.row_number, e.arrived, e.stored) for e in change.examples] == [(5_000, "?", None)]
    (change,) = told.unpacked.columns[1].changes
    assert (change.kind, [(e.row_number, e.arrived, e.stored) for e in change.examples]) == (
        "trimmed",
        [(5_001, " 2", "2")],
    )


def test_the_ledger_counts_all_and_keeps_twenty(take: Take) -> None:
    told = take("a,b\n" + "?,1\n" * 50 + "x,1\n")
    (change,) = told.unpacked.columns[0].changes
    assert (change.rows, len(change.examples)) == (50, 20)


def test_blank_rows_at_the_end_and_blank_columns_are_left_out(take: Take) -> None:
    told = take("a;b;;\n1;x;;\n;;;\n2;y;;\n;;;\n;;;\n")
    assert told.table.to_pylist() == [{"a": 1, "b": "x"}, {"a": None, "b": None}, {"a": 2, "b": "y"}]
    assert told.unpacked.notes == (
        "2 empty rows at the end left out.",
        "2 empty columns without a name left out.",
    )


def test_blank_lines_and_lines_of_delimiters_of_another_width_are_left_out(take: Take) -> None:
    told = take("a;b\n1;x\n\n;;;;\n2;y\n   \n")
    assert told.table.to_pylist() == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
    assert told.unpacked.notes == ("2 blank rows with too few or too many fields left out.",)


def test_a_delimiter_at_the_end_of_each_row_is_no_column(take: Take) -> None:
    assert take("a,b\n1,x,\n2,y,\n").table.to_pylist() == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]


def test_a_column_without_a_name_that_holds_values_is_refused(take: Take) -> None:
    with pytest.raises(Unreadable, match="column 1 has no name"):
        take(",a\n0,x\n1,y\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n3\n4,5\n", r"row 3 '3' has 1 fields; the header .row 1. has 2"),
        ("a,b\n1,2\n3,4,5\n", r"row 3 '3,4,5' has 3 fields; the header .row 1. has 2"),
        ("a,b\n" + '1,"' + "x\n" * 3_000_000, "Perhaps a quote is never closed"),
        ("x" * 1_100_000, "the first line is longer than"),
        ("a,b\n" + "x" * 1_000_001 + ",1\n", "row 0 of column 'a' is a text of 1,000,001 bytes"),
        ("a,b\n", "has columns but no rows"),
        ("a,b", "has columns but no rows"),
        ("sep=;\n", "has columns but no rows"),
        ("a,b\n" + "1," + "x" * 3_000_000 + "\n", "a row is longer than 2,097,152 bytes|is a text of 3,000,000 bytes"),
        ('"a,b\n1,2\n', r"control or direction character U\+000A"),
        ("a,b\n , \n,\n", "has columns but no rows"),
    ],
)
def test_what_is_no_table_is_said(take: Take, text: str, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        take(text)


def test_mixed_line_ends_are_noted(take: Take) -> None:
    told = take("a,b\r\n1,2\n3,4\r\n")
    assert told.table.num_rows == 2
    assert told.unpacked.notes == ("Line ends are mixed (2 CRLF, 1 LF; those inside of quotes count too).",)


def test_slices_are_bounded_and_can_be_read_twice(tmp_path: Path) -> None:
    from pipeline_core.policy import Policy
    from pipeline_core.sources import files

    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\n" + b"1,?\n" * 150_000)
    with files.open_file(path, policy=Policy(), work=tmp_path) as incoming:
        for _ in range(2):
            lengths = [piece.num_rows for piece in incoming.slices()]
            assert (sum(lengths), max(lengths)) == (150_000, 65_536)
            assert incoming.unpacked().rows == 150_000
            assert incoming.unpacked().columns[1].changes[0].rows == 150_000
