"""Sources run by themselves when they are due; one that fails holds up nothing."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from pipeline_core.clock import machine_clock
from pipeline_core.errors import NotEnough
from pipeline_core.flows import arrival, feeds, intake
from pipeline_core.records import BatchReport, BatchStatus, Feed, FeedKind
from pipeline_core.service.host import Host
from pipeline_core.store.home import Store
from tests.core.service.conftest import Files


def folder_feed(name: str, root: Path) -> Feed:
    return Feed(
        name=name,
        model="loans",
        kind=FeedKind.FOLDER,
        settings={"root": str(root), "settle_s": "0"},
        every_s=1,
        added_at=feeds_time(),
    )


def feeds_time() -> datetime:

    return machine_clock()


def waited(until: Callable[[], bool], seconds: float = 60.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if until():
            return True
        time.sleep(0.1)
    return False


def test_a_due_source_is_received_scored_and_checked(champion: Host, files: Files, tmp_path: Path) -> None:
    drop = tmp_path / "drop"
    drop.mkdir()
    broken = tmp_path / "nowhere"
    feeds.add_source(champion.store, folder_feed("lost", broken))
    feeds.add_source(champion.store, folder_feed("drop", drop))
    shutil.copyfile(files.later, drop / "later.csv")
    assert waited(lambda: champion.store.signals.has_predictions("loans", 1, batch_id="b-0002"))
    assert champion.store.batches.get("loans", "b-0002").status is BatchStatus.ACCEPTED
    assert champion.store.feeds.state("drop").rows == 300
    assert champion.store.feeds.state("lost").last_error
    assert waited(lambda: any(job.verb == "check" for job in champion.store.jobs.list("loans")))


def test_what_came_before_an_error_is_scored_and_no_source_holds_up_another(
    champion: Host, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    champion.pump.stop()
    champion.pump._stopping.clear()  # the turns are ours
    store, score, accept = champion.store, intake.score, arrival.accept
    drops = [tmp_path / name for name in ("one", "two")]
    for number, drop in enumerate(drops):
        drop.mkdir()
        shutil.copyfile(files.later, drop / f"{number}.csv")
    lines = files.later.read_text(encoding="utf-8").splitlines()
    (drops[0] / "0.csv").write_text("\n".join([lines[0], *lines[:150:-1]]), encoding="utf-8")
    (drops[1] / "1.csv").write_text("\n".join(lines[:150]), encoding="utf-8")
    (drops[0] / "bug.csv").write_text("bug", encoding="utf-8")

    def met(found: Store, model: str, arrived: arrival.Arrived) -> BatchReport:
        if arrived.source.endswith("bug.csv"):
            raise ZeroDivisionError
        return accept(found, model, arrived)

    monkeypatch.setattr(arrival, "accept", met)
    monkeypatch.setattr(intake, "score", lambda *a, **k: (_ for _ in ()).throw(NotEnough("not yet")))
    for drop in drops:
        feeds.add_source(store, folder_feed(drop.name, drop))
    champion.pump.turn()
    assert [store.feeds.get(drop.name).state.rows for drop in drops] == [150, 149]
    assert "ZeroDivisionError" in str(store.feeds.get("one").state.last_error)
    assert store.signals.prediction_batches("loans") == ()
    monkeypatch.setattr(intake, "score", score)
    assert waited(lambda: champion.pump.turn() or store.signals.prediction_batches("loans") == ("b-0002", "b-0003"), 5)


def test_it_ends_when_it_is_told_to(held: Host) -> None:
    assert held.pump.running
    held.pump.stop()
    assert not held.pump.running
