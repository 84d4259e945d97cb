"""Every message is a line; whatever it holds, the file can be read."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from pipeline_core.sources.messages import MESSAGE_BYTES_MAX, UNREADABLE_COLUMN, Messages
from tests.core.sources.setups import lines


def sealed(path: Path, *messages: bytes, place: str = "orders 0: 0-9") -> tuple[Path, Messages]:
    with Messages(path) as file:
        for message in messages:
            file.add(message)
        return file.seal(place), file


def test_objects_are_kept_as_they_came(tmp_path: Path) -> None:
    path, file = sealed(tmp_path / "m.jsonl.gz", b'{"a": 1.10, "a": 2}', b'{\n "b": "x\\ny"\r\n}')
    assert gzip.decompress(path.read_bytes()) == b'{"a": 1.10, "a": 2}\n{  "b": "x\\ny"  }\n'
    assert (file.rows, file.unreadable) == (2, 0)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"not json",
        b"[1, 2]",
        b"7",
        b'{"a": 1',
        b"\xff\xfe{}",
        b"[" * 200_000,
        b'{"a": "%s"}' % (b"x" * MESSAGE_BYTES_MAX),
    ],
    ids=range(8),
)
def test_what_is_no_object_stands_as_text(tmp_path: Path, message: bytes) -> None:
    path, file = sealed(tmp_path / "m.jsonl.gz", b'{"a": 1}', message)
    good, bad = lines(path)
    assert good == {"a": 1}
    assert bad == {UNREADABLE_COLUMN: message[:8_000].decode("utf-8", "backslashreplace")[:2_000]}
    assert (file.rows, file.unreadable) == (2, 1)


def test_the_same_messages_of_another_place_are_other_bytes(tmp_path: Path) -> None:
    one, _ = sealed(tmp_path / "1.jsonl.gz", b"{}", place="orders 0: 0-1")
    two, _ = sealed(tmp_path / "2.jsonl.gz", b"{}", place="orders 0: 1-2")
    again, _ = sealed(tmp_path / "3.jsonl.gz", b"{}", place="orders 0: 0-1")
    assert one.read_bytes() != two.read_bytes()
    assert one.read_bytes() == again.read_bytes()
    odd, _ = sealed(tmp_path / "4.jsonl.gz", b"{}", place="주문\0 x")
    assert lines(odd) == [{}]


def test_what_was_not_sealed_leaves_nothing(tmp_path: Path) -> None:
    with Messages(tmp_path / "m.jsonl.gz") as file:
        file.add(json.dumps({"a": 1}).encode())
    assert list(tmp_path.iterdir()) == []
