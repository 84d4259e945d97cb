"""Which row holds the names, and which character stands between the fields."""

from __future__ import annotations

import pytest

from pipeline_core.errors import Unreadable
from pipeline_core.records import Reading
from tests.core.sources.conftest import Take


@pytest.mark.parametrize("first", ["25,Private,226802", "1.5,2.5,3.5", "0,0,7", "1,2020-01-05,x"])
def test_a_first_row_of_values_is_a_doubt(take: Take, first: str) -> None:
    text = f"{first}\n38,2020-01-06,89814\n"
    told = take(text)
    assert (told.blocking, told.reading.header) == (["header"], False)
    (doubt,) = told.doubts
    assert (doubt.chosen, doubt.options) == ("no", ("no", "yes"))
    assert "--header no" in doubt.message
    assert told.table.column_names == ["column_1", "column_2", "column_3"]
    assert take(text, header=False).doubts == ()
    assert take(text, remembered=Reading(header=False, names=("a", "b", "c"))).table.column_names == ["a", "b", "c"]


def test_values_are_names_where_a_person_says_so(take: Take) -> None:
    told = take("25,Private\n38,x\n", header=True)
    assert (told.table.column_names, told.doubts, told.reading.header) == (["25", "Private"], (), True)


@pytest.mark.parametrize("first", ["0,1,2,3", "1,2,3", "city,2019,2020", "a,b,c,1", "x,2020-01,2020-02"])
def test_numbers_that_are_names(take: Take, first: str) -> None:
    told = take(f"{first}\n" + ",".join(["5"] * len(first.split(","))) + "\n")
    assert (told.table.column_names, told.doubts) == (first.split(","), ())


def test_names_of_a_file_without(take: Take) -> None:
    told = take("1,x\n2,y\n", names=("n", "s"))
    assert told.table.to_pylist() == [{"n": 1, "s": "x"}, {"n": 2, "s": "y"}]
    assert (told.reading.header, told.reading.names, told.doubts) == (False, ("n", "s"), ())
    assert take("n,s\n2,y\n", names=("n", "s")).table.to_pylist() == [{"n": 2, "s": "y"}]
    with pytest.raises(Unreadable, match=r"has 2 columns, but 3 names were said"):
        take("1,x\n", names=("a", "b", "c"))


@pytest.mark.parametrize("bad", ["ab", "x", '"', "\n", "§", ""])
def test_a_delimiter_that_is_none(take: Take, bad: str) -> None:
    if not bad:  # nothing was told
        assert take("a,b\n1,2\n", delimiter=None).reading.delimiter == ","
        return
    with pytest.raises(Unreadable, match="is no delimiter"):
        take("a,b\n1,2\n", delimiter=bad)


def test_delimiters_that_are_told_or_written_in_the_file(take: Take) -> None:
    assert take("a:b\n1:2\n", delimiter=":").table.to_pylist() == [{"a": 1, "b": 2}]
    assert take("sep=:\r\na:b\r\n1:2\r\n").table.to_pylist() == [{"a": 1, "b": 2}]
    assert take("\n\na|b\n1|2\n").table.to_pylist() == [{"a": 1, "b": 2}]


def test_blanks_between_numbers_and_words_in_a_sentence(take: Take) -> None:
    assert take("a b c\n1 2 3\n4 5 6\n").table.to_pylist()[1] == {"a": 4, "b": 5, "c": 6}
    assert take("full name\nAda Lovelace\n").table.column_names == ["full name"]


def test_single_quotes_around_fields(take: Take) -> None:
    assert take("'a,1',b\n'x,y',2\n'z',3\n").table.to_pylist() == [{"a,1": "x,y", "b": 2}, {"a,1": "z", "b": 3}]
    assert take("a,b\nit's,1\nx,2\n").table["a"].to_pylist() == ["it's", "x"]
