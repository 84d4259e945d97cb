"""A promise is on the disk before it is made, a torn end is left out, and a changed line is noticed."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline_core.errors import StoreBroken
from pipeline_core.store.acknowledged import BATCH, Acknowledged, Entry
from tests.core.store import made


def entry(number: int) -> Entry:
    return Entry(
        kind=BATCH, model="bank \u2028 '😀", at=made.day(number), batch_id=f"b-{number:04d}", sha256=f"{number:064x}",
        status="accepted", source="file.csv", rows=number, row_bytes=number or None,
    )  # fmt: skip


def log(folder: Path) -> Acknowledged:
    return Acknowledged(folder / "acknowledged.log", at=made.day(50))


def test_what_was_promised_is_read_again(tmp_path: Path) -> None:
    first = log(tmp_path)
    assert (first.entries, first.notices) == ((), ())
    first.append()
    assert not first.path.exists()
    first.append(entry(0), entry(1))
    first.append(entry(2))
    again = log(tmp_path)
    assert again.entries == first.entries == (entry(0), entry(1), entry(2))
    again.append(entry(3))
    lines = [json.loads(line) for line in again.path.read_text().splitlines()]
    assert [line["sequence"] for line in lines] == [1, 2, 3, 4]
    assert log(tmp_path).entries == (*first.entries, entry(3))
    assert log(tmp_path).notices == ()


def test_a_line_of_before_readings_were_promised_is_believed(tmp_path: Path) -> None:
    kept = log(tmp_path)
    kept.append(entry(0))
    line = json.loads(kept.path.read_text())
    del line["digest"], line["asked"]
    text = json.dumps(line, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    kept.path.write_text(json.dumps({**line, "digest": digest}, separators=(",", ":")) + "\n")
    old = log(tmp_path)
    assert (old.entries, old.notices) == ((entry(0),), ())


@pytest.mark.parametrize("left", [1, 20, 200, -1])
def test_a_torn_end_was_never_promised(tmp_path: Path, left: int) -> None:
    kept = log(tmp_path)
    kept.append(entry(0))
    whole = kept.path.stat().st_size
    kept.append(entry(1))
    os.truncate(kept.path, whole + left if left > 0 else kept.path.stat().st_size - 1)
    torn = log(tmp_path)
    assert torn.entries == (entry(0),)
    assert len(torn.notices) == 1
    torn.append(entry(2))
    assert log(tmp_path).entries == (entry(0), entry(2))
    assert log(tmp_path).notices == ()


def test_any_changed_byte_is_noticed_and_the_other_lines_are_believed(tmp_path: Path) -> None:
    kept = log(tmp_path)
    kept.append(*(entry(n) for n in range(4)))
    content = kept.path.read_bytes()
    lines = content.split(b"\n")[:-1]
    starts = [sum(len(line) + 1 for line in lines[:n]) for n in range(4)]
    for place in range(0, len(content) - 1, 7):
        if content[place : place + 1] == b"\n":
            continue
        damaged = bytearray(content)
        damaged[place] ^= 0x01
        kept.path.write_bytes(bytes(damaged))
        hit = max(n for n in range(4) if starts[n] <= place)
        found = log(tmp_path)
        assert [e.rows for e in found.entries] == [n for n in range(4) if n != hit], place
        assert f"line {hit + 1}" in found.notices[0]
        assert log(tmp_path).notices == ()  # mended: said once
        (aside,) = tmp_path.glob("*.broken-*")
        assert aside.read_bytes() == bytes(damaged)
        aside.unlink()


@pytest.mark.parametrize("how", ["taken out", "swapped"])
def test_a_line_that_is_missing_or_moved_is_noticed(tmp_path: Path, how: str) -> None:
    kept = log(tmp_path)
    kept.append(*(entry(n) for n in range(4)))
    lines = kept.path.read_bytes().splitlines(keepends=True)
    order = [0, 2, 3] if how == "taken out" else [0, 2, 1, 3]
    kept.path.write_bytes(b"".join(lines[n] for n in order))
    found = log(tmp_path)
    assert [e.rows for e in found.entries] == order
    assert "was changed or damaged at line 2" in found.notices[0]


def test_what_could_not_be_written_is_written_before_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = log(tmp_path)
    kept.append(entry(0))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        for number in (1, 2):
            with pytest.raises(StoreBroken, match="kept but not acknowledged"):
                kept.append(entry(number))
    assert kept.entries == (entry(0),)
    kept.append(entry(3))
    assert kept.entries == log(tmp_path).entries == tuple(entry(n) for n in range(4))
    assert log(tmp_path).notices == ()


def test_a_log_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "acknowledged.log").mkdir()
    with pytest.raises(StoreBroken, match=r"acknowledged\.log cannot be written: Is a directory"):
        log(tmp_path)


def test_an_entry_of_another_shape_is_no_sound_line(tmp_path: Path) -> None:
    kept = log(tmp_path)
    kept.append(replace(entry(0), status="accepted"))
    kept.path.write_bytes(b'{"sequence":1,"digest":"x"}\n[1]\n' + kept.path.read_bytes())
    assert log(tmp_path).entries == (entry(0),)
