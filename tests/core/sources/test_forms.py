"""Single texts: what fits a way of writing, and what it means."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_core.sources import forms

PLAIN, TOLD = forms.all_forms(told=False), forms.all_forms(told=True)


def fits(form: str, text: str, *, told: bool = False) -> bool:
    return bool((TOLD if told else PLAIN)[form].fits(pa.array([text]))[0].as_py())


@pytest.mark.parametrize(
    ("text", "comma", "point"),
    [
        ("1,5", True, False),
        ("1.234,50", True, False),
        ("1,234", True, True),
        ("1,234.5", False, True),
        ("1,234,567", False, True),
        ("1.234.567", True, False),
        ("-12", True, True),
        ("12,34,56", False, False),
        ("0,234", True, False),
        ("007,5", False, False),
        ("1,5e3", True, False),
        ("", False, False),
        (",5", True, False),
        (".5", False, True),
        ("5.", False, True),
        (",", False, False),
        ("inf", False, False),
        ("x", False, False),
    ],
)
def test_marks_in_numbers(text: str, comma: bool, point: bool) -> None:
    assert (fits("comma", text), fits("point", text)) == (comma, point)


@pytest.mark.parametrize("blank", ["\u00a0", "\u202f", "'"])
def test_marks_of_thousands_that_nothing_else_means(blank: str) -> None:
    text = f"1{blank}234{blank}567,5"
    assert (fits("comma", text), fits("comma", f"12{blank}34")) == (True, False)
    assert PLAIN["comma"].read(pa.array([text])).to_pylist() == [1_234_567.5]
    assert not fits("comma", "1 234 567,5")


@given(st.dates(min_value=date(1, 1, 1)), st.sampled_from("/.-"))
def test_every_day_reads_as_it_was_written(day: date, mark: str) -> None:
    midnight = datetime(day.year, day.month, day.day)  # ruff: ignore[call-datetime-without-tzinfo] stored times are naive UTC
    year = f"{day.year:04}"
    dmy, mdy = f"{day.day}{mark}{day.month:02}{mark}{year}", f"{day.month}{mark}{day.day:02}{mark}{year}"
    assert PLAIN["dmy"].read(pa.array([dmy])).to_pylist() == [midnight]
    assert PLAIN["mdy"].read(pa.array([mdy])).to_pylist() == [midnight]
    assert fits("mdy", dmy) is (day.day <= 12)
    if mark != "-":
        ymd = f"{year}{mark}{day.month}{mark}{day.day}"
        assert PLAIN["ymd"].read(pa.array([ymd])).to_pylist() == [midnight]


@pytest.mark.parametrize(
    "text",
    [
        "31.02.2004",
        "00/01/2004",
        "1/13/0000",
        "1/2/2004 24:00",
        "1/2/2004 1:60",
        "1/2/2004 0:00 am",
        "2004-01-02",
        "1/2/3",
        "1/2/2004x",
    ],
)
def test_no_day(text: str) -> None:
    assert (fits("dmy", text), fits("ymd", text)) == (False, False)


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("1/2/2004 5:07", timedelta(hours=5, minutes=7)),
        ("1/2/2004 17:07:09.25", timedelta(hours=17, minutes=7, seconds=9.25)),
        ("1/2/2004 12:00 AM", timedelta()),
        ("1/2/2004 12:30 pm", timedelta(hours=12, minutes=30)),
        ("1/2/2004T01:00 PM", timedelta(hours=13)),
    ],
)
def test_times_of_day(text: str, after: timedelta) -> None:
    expected = datetime(2004, 2, 1) + after  # ruff: ignore[call-datetime-without-tzinfo] stored times are naive UTC
    assert PLAIN["dmy"].read(pa.array([text])).to_pylist() == [expected]


def test_short_years_only_where_told() -> None:
    texts = pa.array(["1/2/68", "1/2/69"])
    assert PLAIN["dmy"].read(texts).null_count == 2
    assert [t.year for t in TOLD["dmy"].read(texts).to_pylist()] == [2068, 1969]
    assert forms.short_years(texts)
    assert not forms.short_years(pa.array(["1/2/68", "1/2/1968"]))


def test_true_false_and_sheet_times() -> None:
    assert PLAIN["boolean"].read(pa.array(["TRUE", "false"])).to_pylist() == [True, False]
    assert fits("boolean", "yes") is False
    assert (
        fits("clock", "2024-01-05T00:00:00"),
        fits("clock", "2024-01-05"),
        fits("clock", "2024-13-05T00:00:00"),
    ) == (True, False, False)
