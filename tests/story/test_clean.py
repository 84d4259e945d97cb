"""A door that cries wolf is opened by hand: clean weeks through every door, and how many of them it minded.

``CLEAN_BATCHES=500`` sends so many (``make bars``); 24 otherwise. The figures are printed and written where
``CLEAN_FIGURES`` names a file.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline_core.store import Store
from tests.story.deliveries import sent_at, week
from tests.story.doors import DOORS, HISTORY_WEEKS, Clock, Shop, founded, serving

BATCHES = int(os.environ.get("CLEAN_BATCHES", "24"))
ERRORS_MAX = 0.02


@pytest.fixture
def dsn(postgres: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("DELIVERIES_DSN", postgres)
    yield postgres


@pytest.mark.timeout(1800)
def test_clean_weeks_are_accepted(dsn: str, tmp_path: Path) -> None:
    home = founded(tmp_path / "home", dsn)
    clock = Clock(sent_at(HISTORY_WEEKS))
    minded: Counter[str] = Counter()
    told: Counter[str] = Counter()
    sent = 0
    with Store.open(home, clock=clock) as store, serving(store):
        shop = Shop(store, clock, dsn, tmp_path)
        number = HISTORY_WEEKS
        while sent < BATCHES:
            clock.at = sent_at(number)
            for door in DOORS:
                answer = shop.deliver(door, week(number, seed=10_000 + number * len(DOORS) + DOORS.index(door)))
                sent += 1
                minded[answer.status] += 1
                told.update({f"{f.severity}:{f.code}" for f in answer.findings})
            number += 1
    figures = f"{sent} clean batches through {len(DOORS)} doors: {dict(minded)}; findings {dict(told) or 'none'}"
    print(figures)
    if os.environ.get("CLEAN_FIGURES"):
        Path(os.environ["CLEAN_FIGURES"]).write_text(figures + "\n", encoding="utf-8")
    assert sent - minded["accepted"] <= ERRORS_MAX * sent
    assert not [code for code in told if code.split(":")[1] in {"imputed", "unit_jump"}]
