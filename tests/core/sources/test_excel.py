"""Workbooks: sheets, cells of every kind, and archives that are none."""

from __future__ import annotations

import io
import zipfile
from datetime import datetime

import pytest

from pipeline_core.errors import Unreadable
from pipeline_core.policy import Policy
from pipeline_core.records import Reading
from tests.core.sources.conftest import Take
from tests.core.sources.workbooks import workbook

DAY = datetime(2024, 2, 13, 10, 30)  # ruff: ignore[call-datetime-without-tzinfo] a sheet knows no zone


def test_cells_of_every_kind(take: Take) -> None:
    rows = [
        ["n", "x", "code", "flag", "when", "mixed", "note"],
        [1, 1.5, "007", True, DAY, 5, None],
        [2, 2, "012", False, DAY, "five", " NA "],
        [None, None, None, None, None, None, None],
    ]
    told = take(workbook({"data": rows, "empty": []}))
    assert told.table.to_pylist() == [
        {"n": 1, "x": 1.5, "code": "007", "flag": True, "when": DAY, "mixed": "5", "note": None},
        {"n": 2, "x": 2.0, "code": "012", "flag": False, "when": DAY, "mixed": "five", "note": None},
    ]
    assert (told.reading.format, told.reading.sheet, told.reading.header) == ("excel", "data", True)
    assert (told.doubts, told.changes("note")) == ((), {"null_word": 1})


def test_more_than_one_sheet_is_a_doubt(take: Take) -> None:
    content = workbook({"a": [["x"], [1]], "b": [["y"], [2]]})
    told = take(content)
    (doubt,) = told.doubts
    assert (doubt.topic, doubt.chosen, doubt.options, doubt.blocking) == ("sheet", "a", ("a", "b"), True)
    assert "--sheet" in doubt.message
    asked = take(content, sheet="b")
    assert (asked.table.to_pylist(), asked.doubts, asked.reading.sheet) == ([{"y": 2}], (), "b")
    assert take(content, remembered=Reading(sheet="b")).table.to_pylist() == [{"y": 2}]
    assert take(content, remembered=Reading(sheet="gone")).blocking == ["sheet"]


def test_a_sheet_without_names(take: Take) -> None:
    content = workbook({"a": [[1, "x"], [2, "y"], [7, "z"]]})
    told = take(content)
    assert (told.blocking, told.table.column_names, told.table.num_rows) == (["header"], ["column_1", "column_2"], 3)
    assert take(content, names=("n", "s")).table.to_pylist()[0] == {"n": 1, "s": "x"}


def archive(**members: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as out:
        for name, text in members.items():
            out.writestr(name.replace("__", "/").replace("_xml", ".xml"), text)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "reading", "said"),
    [
        (workbook({"a": [["x"], [1]]}), {"sheet": "b"}, "has no sheet 'b'. It has 'a'"),
        (workbook({"a": [["x"], [1]], "b": []}), {"sheet": "b"}, "sheet 'b' is empty"),
        (workbook({"a": [], "b": []}), {}, "no sheet with rows"),
        (workbook({"a": [["x", "X"], [1, 2]]}), {}, "differ in nothing but case"),
        (workbook({"a": [["x", "y"]]}), {}, "has columns but no rows"),
        (archive(readme="x"), {}, "is a zip archive, and no Excel workbook"),
        (archive(xl__workbook_xml="x"), {}, "is no workbook that can be read"),
        (workbook({"a": [["x"], [1]]})[:200], {}, "is a broken zip archive or workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"x" * 600, {}, "is no workbook that can be read"),
    ],
)
def test_what_is_no_sheet(take: Take, content: bytes, reading: dict[str, str], said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        take(content, **reading)


def test_a_workbook_that_unfolds_to_too_much(take: Take) -> None:
    bomb = archive(xl__workbook_xml="0" * 1_000_000)
    with pytest.raises(Unreadable, match="unfolds to more than 400,000 bytes"):
        take(bomb, policy=Policy(upload_bytes_max=100_000))
