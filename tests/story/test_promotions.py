"""Eight people promote eight challengers at the same moment, again and again: one wins each time, and one line says so."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from pipeline_core.errors import PipelineError, Stale
from pipeline_core.flows import dismissing, release
from pipeline_core.records import Act, Promotion, Stage
from pipeline_core.store import Store
from tests.core.store import made

ROUNDS = int(os.environ.get("PROMOTE_ROUNDS", "40"))  # `make bars` sets 500
HANDS = 8
WAIT_S = 60


def together(acts: list[Callable[[], object]]) -> list[object]:
    """Start all acts at one moment; give what each returned, or the error that it was told."""
    gate = threading.Barrier(len(acts))

    def act(do: Callable[[], object]) -> object:
        gate.wait(WAIT_S)
        try:
            return do()
        except PipelineError as told:
            return told

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(act, acts))


def judge(store: Store, versions: list[int], *, champion: int | None, epoch: int) -> None:
    with store.transaction():  # the gate let all of them pass against the present champion
        for number in versions:
            said = replace(made.verdict(number, f"w-{epoch}-{number}"), champion=champion, epoch=epoch)
            store.models.add_verdict(said)


@pytest.mark.timeout(1_800)
def test_of_eight_promotions_at_once_one_wins_and_the_others_are_told_to_look_again(tmp_path: Path) -> None:
    won: list[Promotion] = []
    stale = 0
    with Store.open(tmp_path) as store:
        store.models.define(made.schema())
        for _ in range(HANDS + 1):
            made.add_version(store)
        champion = None
        for epoch in range(ROUNDS):
            rivals = [n for n in range(1, HANDS + 2) if n != champion][:HANDS]
            judge(store, rivals, champion=champion, epoch=epoch)

            def promote(number: int, epoch: int = epoch) -> Promotion:
                return release.promote(
                    store, "bank", version=number, by=f"hand {number}", reason=f"round {epoch}", expected_epoch=epoch
                )

            said = together([partial(promote, number) for number in rivals])
            moves = [outcome for outcome in said if isinstance(outcome, Promotion)]
            told = [outcome for outcome in said if isinstance(outcome, Stale)]
            assert (len(moves), len(told)) == (1, HANDS - 1)
            assert {error.headline for error in told} == {"This view is out of date"}
            assert all("has moved since you looked" in error.message for error in told)
            assert [v.version for v in store.models.versions("bank") if v.stage is Stage.CHAMPION] == [moves[0].version]
            champion, stale = moves[0].version, stale + len(told)
            won += moves
        assert [move.epoch for move in won] == list(range(1, ROUNDS + 1))
        lines = [entry for entry in store.audit.entries("bank")[::-1] if entry.act is Act.PROMOTE]
        assert [(entry.about["epoch"], entry.by) for entry in lines] == [(move.epoch, move.by) for move in won]
        report = store.audit.verify()
    with Store.open(tmp_path) as store:
        assert store.notices == ()
        assert store.audit.verify() == report
    assert report.whole
    winners = Counter(move.version for move in won)
    print(
        f"\n{ROUNDS} rounds of {HANDS} promotions: {len(won)} won, {stale} told to look again, {len(lines)} lines; audit chain of"
        f" {report.entries:,} entries whole; {len(winners)} different winners"
    )


def test_who_promotes_what_another_rejects_is_never_half_done(tmp_path: Path) -> None:
    seen: Counter[Stage] = Counter()
    with Store.open(tmp_path) as store:
        store.models.define(made.schema())
        for _ in range(max(6, ROUNDS // 10)):
            number, epoch = made.add_version(store).version, store.models.epoch("bank")
            sits = store.models.champion("bank")
            judge(store, [number], champion=sits.version if sits else None, epoch=epoch)

            def promote(number: int = number, epoch: int = epoch) -> object:
                return release.promote(store, "bank", version=number, by="Ada", reason="go", expected_epoch=epoch)

            def reject(number: int = number, epoch: int = epoch) -> object:
                return dismissing.reject(store, "bank", version=number, by="Bob", reason="no", expected_epoch=epoch)

            said = together([promote, reject])
            assert sum(isinstance(outcome, PipelineError) for outcome in said) == 1
            stage = store.models.version("bank", number).stage
            assert stage is (Stage.CHAMPION if isinstance(said[0], Promotion) else Stage.REJECTED)
            seen[stage] += 1
        acts = Counter(entry.act for entry in store.audit.entries("bank"))
        assert (acts[Act.PROMOTE], acts[Act.REJECT]) == (seen[Stage.CHAMPION], seen[Stage.REJECTED])
        assert store.audit.verify().whole
