"""Objects, one a line or in an array, with every mixture that real senders make."""

from __future__ import annotations

from datetime import datetime

import pytest

from pipeline_core.errors import Unreadable
from pipeline_core.sources import jsonlines, simple
from tests.core.sources.conftest import Take


@pytest.mark.parametrize(
    ("head", "answer"),
    [
        (b'{"a": 1}', True),
        (b'  \n{ "a"', True),
        (b'[{"a": 1}]', True),
        (b"[ ]", True),
        (b"{}", True),
        (b"a,b\n", False),
        (b"{a},b\n", False),
        (b"[a],b\n", False),
    ],
)
def test_what_begins_like_json(head: bytes, answer: bool) -> None:
    assert jsonlines.looks_like(head) is answer


def test_lines_and_arrays_say_the_same(take: Take) -> None:
    expected = [{"a": 1, "b": "x", "c": None}, {"a": 2, "b": None, "c": True}]
    assert take('{"a":1,"b":"x"}\n{"a":2,"c":true}\n').table.to_pylist() == expected
    assert take('\n[{"a":1,"b":"x"},\n {"a":2,"c":true}]').table.to_pylist() == expected


def test_iso_text_in_lines_arrives_as_a_time(take: Take) -> None:
    table = take('{"t":"2024-01-01T10:00:00"}\n').table
    assert table["t"].to_pylist() == [datetime(2024, 1, 1, 10)]  # ruff: ignore[call-datetime-without-tzinfo]  # as it arrived, without a zone


@pytest.mark.parametrize("form", ["lines", "array"])
def test_a_mixed_column_becomes_text_and_the_others_keep_their_type(take: Take, form: str) -> None:
    items = ['{"a": 1, "b": 1.5, "c": "x"}', '{"a": "two", "b": null, "c": "y"}', '{"a": true, "b": 2}']
    text = "\n".join(items) if form == "lines" else "[" + ",".join(items) + "]"
    table = take(text).table
    assert table["a"].to_pylist() == ["1", "two", "true"]
    assert table["b"].to_pylist() == [1.5, None, 2.0]
    assert table["c"].to_pylist() == ["x", "y", None]


def test_numbers_beyond_64_bits_become_text(take: Take) -> None:
    assert take('[{"a": 123456789012345678901234567890}]').table["a"].to_pylist() == ["123456789012345678901234567890"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1}\nnot json\n', "line 2 is not JSON"),
        ('{"a": 1}\n[1]\n', "line 2 is list, not an object"),
        ('[{"a": 1}, 5]', "item 2 is int, not an object"),
        ('[{"a": 1}', "the array is not JSON at item 1"),
        ("[{" + "[" * 100_000, "not JSON"),
        ('[{"a": 1}] x', "goes on after the end of its array"),
        ('{"a": 1, "b": ' + "[" * 100_000, "line 1 is not JSON"),
    ],
)
def test_what_is_no_table(take: Take, text: str, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        take(text)


def test_a_key_that_appears_late_and_types_that_change_from_block_to_block(
    take: Take, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonlines, "_BLOCK_BYTES", 64)
    lines = [
        *['{"n": 1, "t": "2024-01-01", "m": 1}'] * 5,
        *['{"n": 2.5, "t": "soon", "m": "x"}'] * 5,
        *['{"n": null, "late": {"k": [1, 2]}, "m": 1.5}'] * 5,
    ]
    for text in ("\n".join(lines), "[" + ",\n".join(lines) + "]"):
        told = take(text)
        assert told.table.column_names == ["n", "t", "m", "late"]
        rows = told.table.to_pylist()
        assert (len(rows), told.unpacked.rows) == (15, 15)
        assert rows[0] == {"n": 1.0, "t": "2024-01-01", "m": "1", "late": None}
        assert rows[5] == {"n": 2.5, "t": "soon", "m": "x", "late": None}
        assert rows[14] == {"n": None, "t": None, "m": "1.5", "late": '{"k": [1, 2]}'}


def test_what_is_nested_reads_the_same_whatever_stands_beside_it(take: Take) -> None:
    alone = take('{"a": {"k": 1}}\n').table["a"].to_pylist()
    assert take('{"a": {"k": 1}}\n{"a": {"z": 2}}\n').table["a"].to_pylist()[:1] == alone == ['{"k": 1}']


@pytest.mark.parametrize("text", ['{"a": 12345678901234567890}\n', '[{"a": 12345678901234567890}]'])
def test_no_digit_is_lost(take: Take, text: str) -> None:
    assert str(take(text).table["a"][0].as_py()) == "12345678901234567890"


def test_told_nulls_and_the_ledger(take: Take) -> None:
    told = take('{"a": -200, "s": "-"}\n{"a": 5, "s": "x"}\n', nulls=("-200", "-"))
    assert told.table.to_pylist() == [{"a": None, "s": None}, {"a": 5, "s": "x"}]
    assert (told.changes("a"), told.changes("s")) == ({"null_word": 1}, {"null_word": 1})
    assert (told.reading.format, told.reading.encoding) == ("json", "utf-8")


@pytest.mark.parametrize("form", ["line", "item"])
def test_a_line_that_never_ends_is_refused(take: Take, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    monkeypatch.setattr(jsonlines, "LINE_BYTES_MAX", 1_000)
    monkeypatch.setattr(jsonlines, "_BLOCK_BYTES", 512)
    text = '{"a": "' + "x" * 5_000 + '"}'
    with pytest.raises(Unreadable, match=r"longer than 1,000 bytes|not JSON at item 1"):
        take(text if form == "line" else f"[{text}]")


def test_as_text() -> None:
    values = ["x", None, 1, 1.5, True, [1], {"k": "é"}, b"ab", b"\xff", datetime(2024, 1, 1)]  # ruff: ignore[call-datetime-without-tzinfo]
    texts = ["x", None, "1", "1.5", "true", "[1]", '{"k": "é"}', "ab", "\\xff", "2024-01-01 00:00:00"]
    assert simple.as_text(values).to_pylist() == texts
