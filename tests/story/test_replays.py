"""What a replay says of real histories: a control that must stay quiet, instruments that drift, a season that is no drift.

``BARS=1`` replays all six tasks in full and writes ``docs/replays.md``; ``make test`` replays the beginning of three.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.story.bars import FULL
from tests.story.test_real_data import LOOPS, cut, say

PAGE = Path(__file__).resolve().parents[2] / "docs" / "replays.md"
HEAD = """# What a replay says of real histories

Made by `make bars` (`BARS=1 pytest tests/story/test_replays.py`). Each model is defined and trained on the first part of its data set and promoted; the rest is replayed by `replay MODEL --data FILE --window W`, once
without the target (what is said before any label arrives) and once with labels that come with the rows. Figures as found, flattering or not.

| data | trained on | windows | page, before labels | watch, before labels | first page | calibrated | page, with labels | realised, first to last window | most often drifted | seconds |
|---|---|---|---|---|---|---|---|---|---|---|
"""
TAIL = """
How to read it.

- `adult` is the control: its two parts do not differ, so each page there would be a false alarm.
- `weather` has instruments that changed over the decades and a model that loses by it: it should page, and early.
- `bikes` was trained on one year and is replayed on the next. Each week or month is compared with the same season of the first year. **One year has seen each season once**, so how much one March differs from another is not known:
  the windows are uncalibrated (by the week all of them), a move of a single window is watched and not paged, and a warm month that lasted two windows would page. Its loss of accuracy, once labels count, is real: demand grew, and
  the model says too little in every window.
- `tips` and `fare` are the same taxi trips with two targets. `bank` was never predictable from its first months, and the crisis moved its economic indicators to values that were never seen before.
"""


@dataclass(frozen=True, kw_only=True)
class Past:
    """How one history is replayed: trained on the first ``rows``, in windows of ``window``."""

    loop: str
    window: str
    rows: int
    reduced: int = 0
    """Rows that `make test` replays after the first ones; 0: only `make bars`."""


PASTS = (
    Past(loop="adult", window="1000rows", rows=32_561, reduced=6_000),
    Past(loop="weather", window="365d", rows=3_650, reduced=2_200),
    Past(loop="bikes", window="7d", rows=8_645, reduced=1_700),
    Past(loop="bikes", window="1mo", rows=8_645),
    Past(loop="bank", window="30d", rows=16_475),
    Past(loop="tips", window="30d", rows=6_001),
    Past(loop="fare", window="30d", rows=6_001),
)


def champion(past: Past, source: Path, home: Path) -> dict[str, Any]:
    """Define, train and promote on the first rows."""
    loop = LOOPS[past.loop]
    table = pq.read_table(source / loop.file)
    first = cut(table, 0, past.rows / len(table), home / "first.parquet")
    assert say(home, "define", past.loop, "--data", first, *loop.define)[0] == 0
    code, version = say(home, "train", past.loop, "--estimator", loop.estimator)
    assert code == 0
    assert say(home, "promote", past.loop, "--version", "1", "--by", "Ada", "--reason", "first", *loop.override)[0] == 0
    return version


def replayed(past: Past, source: Path, home: Path, *, rows: int = 0, labels: bool = True) -> dict[str, Any]:
    """Replay what comes after the first rows, or the beginning of it."""
    loop = LOOPS[past.loop]
    table = pq.read_table(source / loop.file).slice(past.rows)
    table = table.slice(0, rows) if rows else table
    path = home / "later.parquet"
    pq.write_table(table if labels else table.drop_columns([loop.define[1]]), path)
    code, report = say(home, "replay", past.loop, "--data", str(path), "--window", past.window)
    assert code == 0, report
    return report


def pages(report: Mapping[str, Any]) -> list[int]:
    return [place for place, window in enumerate(report["windows"]) if window["alert"] == "page"]


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[Path]:
    """A home whose checks look at the rows of two windows: looks are most of the time, and page nothing here."""
    (tmp_path / "policy.toml").write_text("examined_windows_max = 2\n", encoding="utf-8")
    yield tmp_path


@pytest.mark.skipif(FULL, reason="the full size replays the same and more")
@pytest.mark.parametrize("past", [p for p in PASTS if p.reduced], ids=lambda p: p.loop)
def test_the_beginning_of_a_history(past: Past, real_data: Path, quick: Path) -> None:
    champion(past, real_data, quick)
    report = replayed(past, real_data, quick, rows=past.reduced, labels=past.loop == "weather")
    levels = [window["alert"] for window in report["windows"]]
    assert len(levels) >= 6
    if past.loop == "weather":
        # 2,200 days are 6 of its 40 windows, so far less than 60 % of them
        assert "page" in levels
    else:
        assert "page" not in levels, [w["messages"] for w in report["windows"] if w["alert"] == "page"]


def line(past: Past, source: Path, home: Path) -> tuple[str, dict[str, Any]]:
    """Give the row of the table, and what was said before labels."""
    champion(past, source, home)
    started = time.monotonic()
    before, after = (replayed(past, source, home, labels=labels) for labels in (False, True))
    seconds = time.monotonic() - started
    windows, metric = before["windows"], LOOPS[past.loop].metric
    levels = [w["alert"] for w in windows]
    first = f"{pages(before)[0] + 1} of {len(windows)}" if pages(before) else "none"
    drifted: dict[str, int] = {}
    for name in (name for w in windows for name in w["drifted_features"]):
        drifted[name] = drifted.get(name, 0) + 1
    most = ", ".join(f"`{n}` {count}" for n, count in sorted(drifted.items(), key=lambda item: -item[1])[:3]) or "none"
    realised = [w["realised"].get(metric, {}).get("value") for w in after["windows"]]
    known = [f"{value:.3g}" for value in realised if value is not None]
    told = f"{metric} {known[0]} to {known[-1]}" if known else "-"
    sure = sum(w["calibrated"] for w in windows)
    return (
        f"| {past.loop} ({LOOPS[past.loop].file.removesuffix('.parquet')}) | {past.rows:,} rows | {len(windows)} of {past.window} |"
        f" {len(pages(before))} | {levels.count('watch')} | {first} | {sure} | {len(pages(after))} | {told} | {most} | {seconds:.0f} |"
    ), before


@pytest.mark.skipif(not FULL, reason="minutes; `make bars` replays all of it and writes docs/replays.md")
@pytest.mark.timeout(7_200)
def test_every_history_in_full(real_data: Path, tmp_path: Path) -> None:
    rows = []
    for number, past in enumerate(PASTS):
        (tmp_path / str(number)).mkdir()
        row, before = line(past, real_data, tmp_path / str(number))
        rows.append(row)
        print(row, flush=True)
        if past.loop == "adult":
            assert pages(before) == []
        if past.loop == "weather":
            assert pages(before)
            assert pages(before)[0] < 0.6 * len(before["windows"])
        if past.loop == "bikes" and past.window == "7d":
            assert pages(before) == []
    PAGE.write_text(HEAD + "\n".join(rows) + "\n" + TAIL, encoding="utf-8")
