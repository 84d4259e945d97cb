"""Sends a fault through the doors and holds what was found against what was expected; writes ``docs/faults.md``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tests.story.deliveries import Frame, first_file, sent_at, week
from tests.story.doors import DOORS, ENDINGS, HISTORY_WEEKS, WRITERS, Answer, Shop
from tests.story.faults import Expected, Fault, damaged, kept


@dataclass(frozen=True)
class Verdict:
    """What was wanted of a door and what it gave. ``wrong``: nothing, or what differs, as a clause."""

    fault: str
    door: str
    expected: Expected
    answer: Answer

    @property
    def wrong(self) -> str:
        wanted, found = set(self.expected.finds), self.answer.found
        faults = []
        if self.answer.status != self.expected.status:
            faults.append(f"{self.answer.status}, not {self.expected.status}")
        if wanted - found:
            faults.append(f"not found: {', '.join(sorted(wanted - found))}")
        more = {each for each in found - wanted if not {each, each.split(":")[0]} & set(self.expected.may)}
        if more:
            faults.append(f"found too: {', '.join(sorted(more))}")
        lost = [each for each in self.expected.ledger if each not in self.answer.changes]
        if lost:
            faults.append(f"not in the ledger: {', '.join(lost)}")
        said = self.answer.sentence(self.expected.finds[0] if self.expected.finds else "")
        if self.expected.says and self.expected.says not in said:
            faults.append(f"does not say {self.expected.says!r}: {said!r}")
        return "; ".join(faults)


def judged(shop: Shop, fault: Fault, door: str) -> Verdict | None:
    """Send one fault through one door; None where it cannot happen there."""
    expected = fault.at(door)
    if expected is None:
        return None
    shop.clock.at = sent_at(HISTORY_WEEKS)
    if fault.first:
        report = shop.define(door, damaged(fault, first_file(), {}), f"{door}_{fault.name}")
        return Verdict(fault.name, door, expected, Answer(report.status.value, findings=report.findings, report=report))
    frame = damaged(fault, week(HISTORY_WEEKS), week(HISTORY_WEEKS - 1))
    if fault.cut is not None and door == "postgres":
        frame = kept(frame, range(len(frame["late"]) * 2 // 5))
    return Verdict(fault.name, door, expected, shop.deliver(door, frame, content=content_of(fault, frame, door)))


def content_of(fault: Fault, frame: Frame, door: str) -> bytes | None:
    if door not in ENDINGS:
        return None
    content = fault.bytes_of[door](frame) if door in fault.bytes_of else None
    if fault.cut is not None:
        content = fault.cut(content or WRITERS[door](frame))
    return content


# --- the document -------------------------------------------------------------------------------

HEAD = """# Broken deliveries: what was done to them, and what the door said

Made by `FAULTS_DOC=1 python -m pytest tests/story/test_faults.py` and compared with what the doors say at every `make test`. A clean week of a shop's parcels (about 2,000 rows, 14 columns, five clean
weeks before it) is damaged in one way and sent through four doors: a CSV file, a Parquet file, JSON lines over HTTP, and a PostgreSQL query. What must be found was written down before the door was
asked; a finding that is not expected counts as wrong, and so does a missing one or another decision. `-` in a door's column: as in the column before it.

| fault | what was done | must be found | CSV | Parquet | API | PostgreSQL | |
|---|---|---|---|---|---|---|---|
"""


def document(
    faults: Iterable[Fault], told: Mapping[tuple[str, str], Verdict], ugly: Iterable[tuple[str, str, str, str]]
) -> str:
    """Write the table of faults and that of the difficult files."""
    rows = [_row(fault, told) for fault in faults]
    files = [f"| `{name}` | {what} | {asks or 'nothing'} | {reads} | right |" for name, what, asks, reads in ugly]
    tail = [
        "",
        "## Difficult files",
        "",
        "Real files of the data folder, read as `receive` reads them. Where a file reads in two ways the command fails and names the flag.",
        "",
        "| file | what is difficult | asks for | reads as | |",
        "|---|---|---|---|---|",
        *files,
        "",
    ]
    return HEAD + "\n".join([*rows, *tail])


def _row(fault: Fault, told: Mapping[tuple[str, str], Verdict]) -> str:
    cells, last, right = [], "", True
    for door in DOORS:
        verdict = told.get((fault.name, door))
        cell = _given(verdict.answer) if verdict else "cannot happen"
        right = right and not (verdict and verdict.wrong)
        cells.append("-" if cell == last else cell)
        last = cell
    wanted = ", ".join(f"`{each}`" for each in fault.expected.finds) or fault.expected.says or fault.expected.status
    return f"| `{fault.name}` | {fault.what} | {wanted} | {' | '.join(cells)} | {'right' if right else 'WRONG'} |"


def _given(answer: Answer) -> str:
    if answer.status in {"refused", "nothing"}:
        return answer.status
    found = ", ".join(f"`{each}`" for each in sorted(answer.found)) or "no finding"
    return f"{answer.status}: {found}"
