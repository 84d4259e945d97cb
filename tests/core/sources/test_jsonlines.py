"""Objects, one a line or in an array, with every mixture that real senders make."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline_core.errors import Unreadable
from pipeline_core.sources import jsonlines


def read(tmp_path: Path, text: str) -> pa.Table:
    path = tmp_path / "t.json"
    path.write_text(text, encoding="utf-8")
    return jsonlines.read(path, "t.json")


@pytest.mark.parametrize(
    ("head", "answer"),
    [
        (b'{"a": 1}', True),
        (b'  \n{ "a"', True),
        (b'\xef\xbb\xbf{"a": 1}', True),
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


def test_lines_and_arrays_say_the_same(tmp_path: Path) -> None:
    expected = [{"a": 1, "b": "x", "c": None}, {"a": 2, "b": None, "c": True}]
    assert read(tmp_path, '{"a":1,"b":"x"}\n{"a":2,"c":true}\n').to_pylist() == expected
    assert read(tmp_path, '\n[{"a":1,"b":"x"},\n {"a":2,"c":true}]').to_pylist() == expected


def test_iso_text_in_lines_arrives_as_a_time(tmp_path: Path) -> None:
    table = read(tmp_path, '{"t":"2024-01-01T10:00:00"}\n')
    assert table["t"].to_pylist() == [datetime(2024, 1, 1, 10)]  # ruff: ignore[call-datetime-without-tzinfo]  # as it arrived, without a zone


@pytest.mark.parametrize("form", ["lines", "array"])
def test_a_mixed_column_becomes_text_and_the_others_keep_their_type(tmp_path: Path, form: str) -> None:
    items = ['{"a": 1, "b": 1.5, "c": "x"}', '{"a": "two", "b": null, "c": "y"}', '{"a": true, "b": 2}']
    text = "\n".join(items) if form == "lines" else "[" + ",".join(items) + "]"
    table = read(tmp_path, text)
    assert table["a"].to_pylist() == ["1", "two", "true"]
    assert table["b"].to_pylist() == [1.5, None, 2.0]
    assert table["c"].to_pylist() == ["x", "y", None]


def test_numbers_beyond_64_bits_become_text(tmp_path: Path) -> None:
    assert read(tmp_path, '[{"a": 123456789012345678901234567890}]')["a"].to_pylist() == [
        "123456789012345678901234567890"
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1}\nnot json\n', "line 2 is not JSON"),
        ('{"a": 1}\n[1]\n', "line 2 is list, not an object"),
        ('[{"a": 1}, 5]', "item 2 is int, not an object"),
        ('[{"a": 1}', "the array is not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a": 1, "b": ' + "[" * 100_000, "line 1 is not JSON"),
    ],
)
def test_what_is_no_table(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        read(tmp_path, text)


def test_a_large_array_is_sent_to_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonlines, "DOCUMENT_BYTES_MAX", 10)
    with pytest.raises(Unreadable, match="one JSON array of 20 bytes; arrays up to 10 bytes"):
        read(tmp_path, '[{"a": 1}, {"a": 2}]')


def test_as_text() -> None:
    values = ["x", None, 1, 1.5, True, [1], {"k": "é"}, b"ab", b"\xff", datetime(2024, 1, 1)]  # ruff: ignore[call-datetime-without-tzinfo]
    texts = ["x", None, "1", "1.5", "true", "[1]", '{"k": "é"}', "ab", "\\xff", "2024-01-01 00:00:00"]
    assert jsonlines.as_text(values).to_pylist() == texts
