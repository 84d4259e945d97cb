"""The fault points are listed, reached, and cost nothing when none is armed."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

from pipeline_core.store import faults


def test_every_point_is_listed_and_every_listed_point_is_in_the_store() -> None:
    folder = Path(faults.__file__).parent
    reached = [n for p in sorted(folder.glob("*.py")) for n in re.findall(r'faults\.point\("([^"]+)"\)', p.read_text())]
    assert sorted(reached) == sorted(faults.POINTS)


@pytest.mark.parametrize(("armed", "killed_at"), [(None, []), ("a", [1, 2, 3]), ("a:2", [2]), ("a:9", []), ("b", [])])
def test_a_point_kills_when_it_is_armed(
    monkeypatch: pytest.MonkeyPatch, armed: str | None, killed_at: list[int]
) -> None:
    turns: list[int] = []
    kills: list[int] = []

    def kill(_: int, number: int) -> None:
        assert number == signal.SIGKILL
        kills.append(turns[-1])

    monkeypatch.setattr(faults.os, "kill", kill)
    monkeypatch.setattr(faults, "_ARMED", armed)
    faults._hits.clear()
    for turn in (1, 2, 3):
        turns.append(turn)
        faults.point("a")
    assert kills == killed_at
    faults._hits.clear()
