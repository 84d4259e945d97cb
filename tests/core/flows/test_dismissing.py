"""Reject and retire on a real store: what is legal, what it leaves, and what the other verbs say afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline_core.errors import InvalidDefinition, NotEnough, NotFound, Refused, Stale
from pipeline_core.flows import dismissing, intake, release, watch
from pipeline_core.flows.compute import in_process
from pipeline_core.flows.lineage import lineage
from pipeline_core.policy import Policy
from pipeline_core.records import Act, Alert, AlertLevel, Stage
from pipeline_core.store.home import Store
from tests.core import modelling
from tests.core.flows import homes

WHO = {"by": "Ada", "reason": "complaints"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Two versions, of which the first is champion."""
    with homes.home(tmp_path / "home") as opened:
        opened.policy = Policy(shap_rows=50)
        for _ in range(2):
            release.train(opened, "loans", compute=in_process, estimator="logistic_regression")
        release.promote(opened, "loans", version=1, **WHO)
        yield opened


def stages(store: Store) -> list[Stage]:
    return [v.stage for v in reversed(store.models.versions("loans"))]


def test_a_rejected_challenger_is_neither_challenged_nor_promoted(store: Store) -> None:
    gone = dismissing.reject(store, "loans", version=2, expected_epoch=1, **WHO)
    assert (gone.action, gone.by, gone.reason, gone.epoch) == ("reject", "Ada", "complaints", 1)
    assert stages(store) == [Stage.CHAMPION, Stage.REJECTED]
    for act in (lambda: release.challenge(store, "loans", version=2), lambda: release.promote(store, "loans", version=2, **WHO)):  # fmt: skip
        with pytest.raises(Refused, match=r"was rejected by Ada on .* train it again as a new version"):
            act()
    with pytest.raises(NotFound, match="no version newer than the champion"):
        release.challenge(store, "loans")
    with pytest.raises(Refused, match="for good"):
        dismissing.reject(store, "loans", version=2, **WHO)
    assert store.audit.entries(last=1)[0].act is Act.REJECT


def test_a_retired_former_champion_is_no_way_back(store: Store) -> None:
    assert release.challenge(store, "loans", version=2).verdict == "promote"
    release.promote(store, "loans", version=2, **WHO)
    verdict_id = store.models.verdict("loans", 1).verdict_id
    gone = dismissing.retire(store, "loans", version=1, **WHO)
    assert (gone.action, gone.epoch, gone.verdict_id) == ("retire", 2, verdict_id)
    assert store.models.epoch("loans") == 2
    with pytest.raises(Refused, match="every one before it was retired for good"):
        release.rollback(store, "loans", **WHO)
    with pytest.raises(Refused, match="was retired by Ada"):
        release.promote(store, "loans", version=1, **WHO)


def test_the_champion_is_retired_only_when_the_empty_seat_is_wanted(store: Store) -> None:
    accused = Alert(
        alert_id="a", model="loans", version=1, code="data_drift", level=AlertLevel.PAGE, feature="income", message="it moved.",
        window_start=modelling.START, window_end=modelling.START, contribution=0.1, raised_at=modelling.START,
    )  # fmt: skip
    store.signals.add_alerts([accused])
    with pytest.raises(Refused, match=r"is the champion of model 'loans': without it nothing scores .* --leave-empty"):
        dismissing.retire(store, "loans", version=1, **WHO)
    assert stages(store) == [Stage.CHAMPION, Stage.CHALLENGER]
    gone = dismissing.retire(store, "loans", version=1, leave_empty=True, **WHO)
    assert (gone.version, gone.epoch) == (1, 2)
    assert stages(store) == [Stage.RETIRED, Stage.CHALLENGER]
    assert store.models.promotions("loans")[0].action == "retire"
    assert store.signals.alert("a").note == "Closed by itself: it was retired."
    with pytest.raises(NotEnough, match="has no champion, so nothing can be scored"):
        intake.score(store, "loans", batch_id="b-0001")
    with pytest.raises(NotFound, match="has no champion, so there is nothing to watch"):
        watch.check(store, "loans")
    with pytest.raises(NotFound, match="has no champion"):
        lineage(store, "loans")
    (status,) = watch.status(store, "loans")
    assert (status.champion, status.next_step) == (None, "Challenge version 2 and promote it.")
    assert release.promote(store, "loans", version=2, **WHO).previous is None  # it is challenged against no model
    assert stages(store) == [Stage.RETIRED, Stage.CHAMPION]
    with pytest.raises(Refused, match="every one before it was retired"):
        release.rollback(store, "loans", **WHO)


def test_after_a_retired_champion_the_one_before_comes_back_in_one_step(store: Store) -> None:
    release.challenge(store, "loans", version=2)
    release.promote(store, "loans", version=2, **WHO)
    dismissing.retire(store, "loans", version=2, leave_empty=True, **WHO)
    back = release.rollback(store, "loans", expected_epoch=3, **WHO)
    assert (back.version, back.previous, back.epoch) == (1, None, 4)
    assert stages(store) == [Stage.CHAMPION, Stage.RETIRED]
    assert [e.act.value for e in store.audit.entries(last=3)] == ["rollback", "retire", "promote"]


@pytest.mark.parametrize(("act", "version"), [(dismissing.reject, 2), (dismissing.retire, 1)])
def test_nothing_is_taken_out_by_somebody_who_saw_another_champion_or_says_nothing(
    store: Store, act: object, version: int
) -> None:
    assert callable(act)
    with pytest.raises(Stale, match="has moved since you looked"):
        act(store, "loans", version=version, expected_epoch=0, **WHO)
    with pytest.raises(InvalidDefinition, match="needs a name"):
        act(store, "loans", version=version, by="", reason="x")
    with pytest.raises(NotFound, match="no version 9"):
        act(store, "loans", version=9, **WHO)
    assert store.models.dismissals("loans") == {}
