"""Marks, orders and markers of a whole file: what settles them, and what a person has to say."""

from __future__ import annotations

from datetime import datetime

import pytest

from pipeline_core.records import Reading
from tests.core.sources.conftest import Take


def column(*cells: str, also: str = "k", delimiter: str = ";") -> str:
    rows = [f'{also}{delimiter}"{cell}"' for cell in cells]
    return "\n".join([f"key{delimiter}v", *rows]) + "\n"


def day(year: int, month: int, date: int) -> datetime:
    return datetime(year, month, date)  # ruff: ignore[call-datetime-without-tzinfo] stored times are naive UTC


# --- the decimal mark ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "values", "decimal", "changes"),
    [
        (["1,5", "2"], [1.5, 2.0], ",", {"decimal_comma": 1}),
        (["1.234,50", "7"], [1234.5, 7.0], ",", {"decimal_comma": 1}),
        (["1,2345", "1,234"], [1.2345, 1.234], ",", {"decimal_comma": 2}),
        (["1,234,567", "1,234"], [1_234_567, 1_234], ".", {"thousands": 2}),
        (["1,234.5", "2"], [1234.5, 2.0], ".", {"thousands": 1}),
        (["1.234.567", "5"], [1_234_567, 5], ",", {"thousands": 1}),
        (["1'234", "5"], [1_234, 5], ".", {"thousands": 1}),
        (["1\u00a0234,5", "2\u00a0000"], [1234.5, 2000.0], ",", {"decimal_comma": 2}),
        (["1 234", "5 678"], ["1 234", "5 678"], ".", {}),
        (["1.5", "2"], [1.5, 2.0], ".", {}),
        (["1.5", "1,5"], ["1.5", "1,5"], ".", {}),
    ],
)
def test_what_the_cells_settle(
    take: Take, cells: list[str], values: list[object], decimal: str, changes: dict[str, int]
) -> None:
    told = take(column(*cells))
    assert (told.table["v"].to_pylist(), told.doubts, told.changes("v")) == (values, (), changes)
    again = take(column(*cells), decimal=told.reading.decimal)
    assert (again.table["v"].to_pylist(), again.changes("v")) == (values, changes)


def test_three_digits_behind_a_comma_are_a_doubt(take: Take) -> None:
    text = column("1,234", "5,678")
    told = take(text)
    (doubt,) = told.doubts
    assert (doubt.topic, doubt.column, doubt.chosen, doubt.options, doubt.blocking) == (
        "decimal",
        "v",
        ",",
        (",", "."),
        True,
    )
    assert "'1,234'" in doubt.message
    assert "--decimal" in doubt.message
    assert told.table["v"].to_pylist() == [1.234, 5.678]
    comma, point = take(text, decimal=","), take(text, decimal=".")
    assert (comma.table["v"].to_pylist(), comma.doubts, comma.reading.decimal) == ([1.234, 5.678], (), ",")
    assert (point.table["v"].to_pylist(), point.doubts, point.reading.decimal) == ([1_234, 5_678], (), ".")
    assert take(text, remembered=Reading(decimal=".")).table["v"].to_pylist() == [1_234, 5_678]


@pytest.mark.parametrize(("other", "values"), [("2,5", [1.234, 5.678]), ("2.5", [1_234, 5_678])])
def test_another_column_settles_it(take: Take, other: str, values: list[float]) -> None:
    told = take(column("1,234", "5,678", also=other))
    assert (told.table["v"].to_pylist(), told.doubts) == (values, ())


def test_points_before_three_digits_beside_decimal_commas_are_a_doubt(take: Take) -> None:
    text = column("1.234", "5.678", also="2,5")
    told = take(text)
    assert (told.table["v"].to_pylist(), told.blocking) == ([1_234.0, 5_678.0], ["decimal"])
    comma = take(text, decimal=",")
    assert (comma.table["v"].to_pylist(), comma.doubts, comma.changes("v")) == ([1234.0, 5678.0], (), {"thousands": 2})
    assert take(text, decimal=".").table["v"].to_pylist() == [1.234, 5.678]


def test_quoted_commas_between_commas(take: Take) -> None:
    thousands = take(column("1,234", "5,678", delimiter=","))
    assert (thousands.table["v"].to_pylist(), thousands.blocking) == ([1_234, 5_678], [])
    assert [d.topic for d in thousands.doubts] == ["decimal"]
    text = column("1,5", "2,25", delimiter=",")
    assert (take(text).table["v"].to_pylist(), [d.blocking for d in take(text).doubts]) == (["1,5", "2,25"], [False])
    assert take(text, decimal=",").table["v"].to_pylist() == [1.5, 2.25]


def test_a_told_mark_reads_what_fits_and_leaves_the_rest(take: Take) -> None:
    told = take(column("1,5", "2,25", "oops", "3"), decimal=",")
    assert told.table["v"].to_pylist() == ["1.5", "2.25", "oops", "3"]
    assert told.changes("v") == {"decimal_comma": 2}
    assert take(column("a", "b", "1,5"), decimal=",").table["v"].to_pylist() == ["a", "b", "1,5"]


# --- the order of dates -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "order", "first"),
    [
        (["13/02/2024", "01/02/2024"], "dmy", day(2024, 2, 13)),
        (["02/13/2024", "01/02/2024"], "mdy", day(2024, 2, 13)),
        (["2024/02/13", "2024.02.01"], "ymd", day(2024, 2, 13)),
    ],
)
def test_what_the_dates_settle(take: Take, cells: list[str], order: str, first: datetime) -> None:
    told = take(column(*cells))
    assert (str(told.table["v"].type), told.table["v"][0].as_py()) == ("timestamp[us]", first)
    assert (told.reading.date_order, told.doubts, told.changes("v")) == (order, (), {"date_order": 2})


@pytest.mark.parametrize("mark", ["/", ".", "-"])
def test_days_below_thirteen_are_a_doubt(take: Take, mark: str) -> None:
    text = column(f"01{mark}02{mark}2024", f"03{mark}04{mark}2024")
    (doubt,) = take(text).doubts
    assert (doubt.topic, doubt.column, set(doubt.options), doubt.blocking) == ("date_order", "v", {"dmy", "mdy"}, True)
    assert "--date-order" in doubt.message
    day_first, month_first = take(text, date_order="dmy"), take(text, remembered=Reading(date_order="mdy"))
    assert (day_first.table["v"][0].as_py(), day_first.doubts) == (day(2024, 2, 1), ())
    assert (month_first.table["v"][0].as_py(), month_first.doubts) == (day(2024, 1, 2), ())


def test_another_column_of_dates_settles_the_order(take: Take) -> None:
    told = take(column("01/02/2024", also="25/12/2023"))
    assert (told.table["v"][0].as_py(), told.doubts) == (day(2024, 2, 1), ())


def test_a_told_order_reads_what_fits_and_leaves_the_rest(take: Take) -> None:
    told = take(column("13/02/2024", "14/02/2024", "soon"), date_order="dmy")
    assert told.table["v"].to_pylist() == ["2024-02-13T00:00:00.000000", "2024-02-14T00:00:00.000000", "soon"]
    assert told.changes("v") == {"date_order": 2}


def test_dates_of_the_other_order_than_was_told(take: Take) -> None:
    told = take(column("02/13/2024", "02/14/2024"), date_order="dmy")
    assert told.table["v"].to_pylist() == ["02/13/2024", "02/14/2024"]
    assert [(d.topic, d.blocking) for d in told.doubts] == [("date_order", False)]


def test_short_years_stay_text_until_the_order_is_told(take: Take) -> None:
    text = column("13/02/24", "14/02/24")
    told = take(text)
    assert (told.table["v"][0].as_py(), [d.blocking for d in told.doubts]) == ("13/02/24", [False])
    assert take(text, date_order="dmy").table["v"][0].as_py() == day(2024, 2, 13)


# --- markers ------------------------------------------------------------------------------------


def test_a_marker_far_outside_is_named_and_can_be_told(take: Take) -> None:
    cells = [f"{i % 40},5" for i in range(100)] + ["-200"] * 10
    told = take("v;w\n" + "".join(f"{c};{i}\n" for i, c in enumerate(cells)))
    (doubt,) = told.doubts
    assert (doubt.topic, doubt.options, doubt.column, doubt.blocking) == ("nulls", ("-200",), "v", False)
    assert "--null -200" in doubt.message
    again = take("v;w\n" + "".join(f"{c};{i}\n" for i, c in enumerate(cells)), nulls=("-200",))
    assert (again.table["v"].null_count, again.doubts) == (10, ())
    assert again.changes("v") == {"decimal_comma": 100, "null_word": 10}


@pytest.mark.parametrize("rare", [["-200"] * 4, ["55"] * 10, ["-3"] * 10, ["120"] * 10])
def test_what_is_no_marker(take: Take, rare: list[str]) -> None:
    assert take("v\n" + "\n".join([str(i % 40) for i in range(100)] + rare) + "\n").doubts == ()


def test_a_told_number_is_held_against_numbers(take: Take) -> None:
    told = take("a,b,c\n-200,-200.0,x\n1,2.5,-200\n", nulls=("-200",))
    assert told.table.to_pylist() == [{"a": None, "b": None, "c": "x"}, {"a": 1, "b": 2.5, "c": None}]
