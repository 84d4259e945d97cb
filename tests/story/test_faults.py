"""Each fault, through each door, is named; a clean delivery is not. ``FAULTS_DOC=1`` writes what was given to docs/faults.md."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline_core.policy import Policy
from pipeline_core.records import Reading
from pipeline_core.records.codes import CODES
from pipeline_core.sources import files
from pipeline_core.store import Store
from tests.story import judging, ugly
from tests.story.deliveries import sent_at, week
from tests.story.doors import DOORS, HISTORY_WEEKS, Clock, Shop, copied, founded, serving
from tests.story.faults import FAULTS, Fault

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "faults.md"
AFTER_THE_FACT = {
    "no_rows": "a file without rows is refused before it is a batch",
}
"""Codes that no delivery can provoke through these doors."""


@pytest.fixture(scope="module")
def dsn(postgres: str) -> Iterator[str]:
    patch = pytest.MonkeyPatch()
    patch.setenv("DELIVERIES_DSN", postgres)
    yield postgres
    patch.undo()


@pytest.fixture(scope="module")
def home(dsn: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return founded(tmp_path_factory.mktemp("faults") / "home", dsn)


@pytest.fixture(scope="module")
def told() -> dict[tuple[str, str], judging.Verdict]:
    return {}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_named_at_every_door(
    fault: Fault, home: Path, dsn: str, tmp_path: Path, told: dict[tuple[str, str], judging.Verdict]
) -> None:
    wrong = {}
    clock = Clock(sent_at(HISTORY_WEEKS))
    with Store.open(copied(home, tmp_path / "home", policy=fault.policy), clock=clock) as store, serving(store):
        shop = Shop(store, clock, dsn, tmp_path)
        for door in DOORS:
            verdict = judging.judged(shop, fault, door)
            if verdict is not None:
                told[fault.name, door] = verdict
                if verdict.wrong:
                    wrong[door] = verdict.wrong
    assert not wrong


@pytest.mark.parametrize("each", ugly.UGLY, ids=lambda each: each.name)
def test_a_difficult_file_asks_and_then_reads_as_its_readme_says(
    each: ugly.Ugly, real_data: Path, tmp_path: Path
) -> None:
    path = real_data / "ugly" / each.name
    said = ugly.asked(path, tmp_path, Reading())
    assert each.asks in said
    assert bool(said) is bool(each.asks)
    assert ugly.asked(path, tmp_path, each.reading) == ""
    assert each.right(files.read(path, reading=each.reading, policy=Policy()))


def test_a_clean_delivery_is_accepted_without_a_word(home: Path, dsn: str, tmp_path: Path) -> None:
    clock = Clock(sent_at(HISTORY_WEEKS))
    with Store.open(copied(home, tmp_path / "home"), clock=clock) as store, serving(store):
        shop = Shop(store, clock, dsn, tmp_path)
        for door in DOORS:
            answer = shop.deliver(door, week(HISTORY_WEEKS))
            assert (answer.status, answer.findings) == ("accepted", ()), door


def test_every_code_is_provoked_by_some_fault() -> None:
    wanted = {found.split(":")[0] for fault in FAULTS for door in DOORS if (e := fault.at(door)) for found in e.finds}
    assert {str(code) for code in CODES} - wanted == set(AFTER_THE_FACT)


def test_the_document_says_what_the_doors_said(told: dict[tuple[str, str], judging.Verdict], real_data: Path) -> None:
    if len({name for name, _ in told}) < len(FAULTS):
        pytest.skip("only some of the faults were run")
    assert all((real_data / "ugly" / each.name).is_file() for each in ugly.UGLY)
    text = judging.document(FAULTS, told, [(u.name, u.what, u.asks, u.reads) for u in ugly.UGLY])
    if os.environ.get("FAULTS_DOC"):
        DOCUMENT.write_text(text, encoding="utf-8")
    assert DOCUMENT.read_text(encoding="utf-8") == text


def test_the_table_in_the_document_is_all_right() -> None:
    rows = re.findall(r"^\| `(\w+)` \|.*\| ([^|]+) \|$", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert [name for name, _ in rows] == [fault.name for fault in FAULTS]
    assert {right for _, right in rows} == {"right"}
