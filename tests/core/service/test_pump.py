"""Sources run by themselves when they are due; one that fails holds up nothing."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from pipeline_core.clock import machine_clock
from pipeline_core.flows import feeds
from pipeline_core.records import BatchStatus, Feed, FeedKind
from pipeline_core.service.host import Host
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


def test_it_ends_when_it_is_told_to(held: Host) -> None:
    assert held.pump.running
    held.pump.stop()
    assert not held.pump.running
