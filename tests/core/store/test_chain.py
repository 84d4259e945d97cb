"""Every edit, deletion, insertion, swap and truncation of the file is found, and the first bad line is named."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_core.records import Act, AuditFault, Deed
from pipeline_core.store import chain

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


def chained(number: int) -> list[str]:
    lines, head = [], chain.BEGINNING
    for sequence in range(1, number + 1):
        deed = Deed(
            act=Act.PROMOTE, model="bank", by="Ada Löw", reason=f"better {sequence}", about={"version": sequence}
        )
        line, head = chain.line_of(deed, sequence=sequence, previous=head, at=NOW)
        lines.append(line)
    return lines


LINES = chained(8)
FILE = chain.text_of(LINES)


def told(content: bytes, kept: list[str] = LINES) -> list[tuple[int | None, str]]:
    return [(fault.line, fault.code) for fault in chain.compare(content, kept)]


def of(*numbers: int) -> bytes:
    return chain.text_of([LINES[n - 1] for n in numbers])


def test_a_line_is_what_anybody_can_check_with_a_hash() -> None:
    said = json.loads(LINES[1])
    digest = said.pop("hash")
    assert hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest() == digest
    assert said["previous"] == json.loads(LINES[0])["hash"]
    assert json.loads(LINES[0])["previous"] == "0" * 64
    assert (said["sequence"], said["by"], said["at"]) == (2, "Ada Löw", "2026-03-01T09:30:00+00:00")


def test_a_file_that_is_what_was_recorded_has_no_fault() -> None:
    assert chain.compare(FILE, LINES) == ()
    assert chain.compare(b"", []) == ()
    assert chain.check(LINES) == ()


@pytest.mark.parametrize(
    ("content", "faults"),
    [
        (of(1, 2, 3, 5, 6, 7, 8), [(4, "missing")]),
        (of(1, 2, 6, 7, 8), [(3, "missing")]),
        (of(1, 3, 2, 4, 5, 6, 7, 8), [(2, "moved")]),
        (of(8, 1, 2, 3, 4, 5, 6, 7), [(1, "moved")]),
        (of(1, 2, 3, 4, 5, 6, 7, 8, 8), [(9, "inserted")]),
        (of(1, 1, 2, 3, 4, 5, 6, 7, 8), [(2, "moved")]),
        (of(1, 2, 3), [(4, "truncated")]),
        (FILE[:-1], [(8, "torn")]),
        (FILE[:-9], [(8, "truncated")]),
        (b"", [(1, "truncated")]),
        (FILE.replace(b"better 4", b"better 5"), [(4, "changed")]),
        (of(1) + b"{}\n" + of(2, 3, 4, 5, 6, 7, 8), [(2, "inserted")]),
        (of(1) + b"{}\n" + of(3, 4, 5, 6, 7, 8), [(2, "changed")]),
        (FILE.replace(b"\n", b"\r\n"), [(n, "changed") for n in range(1, 9)]),
    ],
)  # fmt: skip
def test_what_was_done_to_the_file_is_said(content: bytes, faults: list[tuple[int, str]]) -> None:
    assert told(content) == faults


def test_the_sentence_says_what_was_recorded() -> None:
    (changed,) = chain.compare(FILE.replace(b"better 4", b"better 5"), LINES)
    assert changed.message == (
        "Line 4 was changed. Recorded was entry 4: promote of bank by Ada Löw at 2026-03-01 09:30:00 UTC."
    )
    (cut,) = chain.compare(of(1, 2, 3), LINES)
    assert cut.message == "The file ends after line 3: entries 4 to 8 are missing at its end."
    (gone,) = chain.compare(of(1, 2, 3, 4, 6, 7, 8), LINES)
    assert gone.message == (
        "Entry 5 (promote of bank by Ada Löw at 2026-03-01 09:30:00 UTC) is missing."
    )  # fmt: skip


def test_lines_that_the_database_lost_are_told_from_lines_that_do_not_fit() -> None:
    assert told(FILE, LINES[:6]) == [(7, "ahead"), (8, "ahead")]
    assert told(of(1, 2, 3, 4, 5, 6, 8), LINES[:6]) == [(7, "inserted")]
    assert told(FILE, []) == [(n, "ahead") for n in range(1, 9)]


@given(place=st.integers(0, len(FILE) - 1), byte=st.integers(0, 255))
def test_every_changed_byte_is_found(place: int, byte: int) -> None:
    content = FILE[:place] + bytes([byte]) + FILE[place + 1 :]
    faults = chain.compare(content, LINES)
    assert bool(faults) == (content != FILE)
    if faults:
        assert faults[0].line == FILE.count(b"\n", 0, place) + 1


@given(place=st.integers(0, len(FILE)), length=st.integers(1, 2 * len(LINES[0])), put=st.binary(max_size=40))
def test_every_piece_that_is_cut_out_or_put_in_is_found(place: int, length: int, put: bytes) -> None:
    content = FILE[:place] + put + FILE[place + length :]
    assert bool(chain.compare(content, LINES)) == (content != FILE)


@given(st.lists(st.integers(1, 8), max_size=10))
def test_every_choice_and_order_of_lines_but_the_right_one_is_found(numbers: list[int]) -> None:
    faults = chain.compare(of(*numbers), LINES)
    right = numbers == list(range(1, 9))
    assert bool(faults) != right
    if not right:
        agreeing = next((i for i, n in enumerate([*numbers, 0]) if n != i + 1), 0)
        assert faults[0].line == agreeing + 1


def test_a_change_in_the_database_itself_is_found() -> None:
    def of_database(lines: list[str]) -> tuple[AuditFault, ...]:
        return chain.check(lines)

    changed = [*LINES[:3], LINES[3].replace("better 4", "better 5"), *LINES[4:]]
    assert "entry 4 does not agree" in of_database(changed)[0].message
    assert "entry 3 does not agree" in of_database([*LINES[:2], *LINES[3:]])[0].message
    assert "entry 1 does not agree" in of_database(LINES[1:])[0].message
    # whoever writes one line anew with its right hash breaks the next one
    forged, _ = chain.line_of(
        Deed(act=Act.PROMOTE, model="bank", by="Eve"), sequence=4, previous=json.loads(LINES[3])["previous"], at=NOW
    )
    assert "entry 5 does not agree" in of_database([*LINES[:3], forged, *LINES[4:]])[0].message
