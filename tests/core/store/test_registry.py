"""A version is taken out once, by somebody who saw the registry as it is; its stage follows, and nothing else changes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline_core.errors import NotFound, Stale
from pipeline_core.records import Act, Stage
from pipeline_core.store import Store
from tests.core.store import made
from tests.core.store.test_audit import dismissal
from tests.core.store.test_models import stages


def test_a_rejected_version_stays_with_its_reason(store: Store) -> None:
    first = made.add_version(store)
    store.models.dismiss(dismissal(1))
    assert store.models.version("bank", 1) == replace(first, stage=Stage.REJECTED)
    assert store.models.dismissals("bank") == {1: dismissal(1)}
    assert store.artifacts.path(first.artifact_sha256).exists()
    with pytest.raises(Stale, match="was taken out by Ada; it was to be taken out as it stood after 0 moves"):
        store.models.dismiss(dismissal(1))
    with pytest.raises(NotFound, match="no version 7"):
        store.models.dismiss(dismissal(7))
    assert [entry.act for entry in store.audit.entries()] == [Act.REJECT, Act.TRAIN, Act.DEFINE]


def test_taking_out_is_by_epoch_too(store: Store) -> None:
    made.add_version(store)
    made.add_version(store)
    store.models.apply(made.promotion(1, epoch=1, previous=None))
    with pytest.raises(Stale, match="Version 2 of 'bank' is challenger, after 1 moves"):
        store.models.dismiss(dismissal(2, epoch=0))
    with pytest.raises(Stale, match="Version 1 of 'bank' is champion"):
        store.models.dismiss(dismissal(1, "retire", epoch=1))
    assert stages(store) == {1: Stage.CHAMPION, 2: Stage.CHALLENGER}


def test_a_retired_champion_leaves_nobody_and_one_line(store: Store) -> None:
    made.add_version(store)
    store.models.apply(made.promotion(1, epoch=1, previous=None))
    with store.transaction():
        store.models.apply(replace(made.promotion(1, epoch=2, previous=1), action="retire"))
        store.models.dismiss(dismissal(1, "retire", epoch=2))
    assert store.models.champion("bank") is None
    assert store.models.epoch("bank") == 2
    assert stages(store) == {1: Stage.RETIRED}
    assert [entry.act for entry in store.audit.entries("bank")].count(Act.RETIRE) == 1
    (status,) = store.models.statuses()
    assert (status.champion, status.versions) == (None, 1)


def test_the_next_step_passes_over_what_was_rejected(store: Store) -> None:
    made.add_batch(store, ["1", "2"], target=["yes", "no"])
    for _ in range(3):
        made.add_version(store)
    assert store.models.statuses()[0].next_step == "Challenge version 3 and promote it."
    store.models.add_verdict(made.verdict(3, "w-1"))
    assert store.models.statuses()[0].next_step.startswith("Decide on v3")
    store.models.dismiss(dismissal(3))
    assert store.models.statuses()[0].next_step == "Challenge version 2 and promote it."
    store.models.dismiss(dismissal(1))
    store.models.dismiss(dismissal(2))
    assert store.models.statuses()[0].next_step == "Train the next version."


def test_an_absorbed_model_brings_what_was_taken_out(store: Store) -> None:
    made.add_version(store)
    store.models.dismiss(dismissal(1))
    home = store.home
    store.close()
    with Store.open(home.with_name("here")) as here:
        here.absorb(home, "bank")
        assert here.models.version("bank", 1).stage is Stage.REJECTED
