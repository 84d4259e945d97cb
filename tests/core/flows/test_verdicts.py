"""A challenger is judged on the newest labelled rows that neither model was fitted on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from pipeline_core.errors import NotEnough, NotFound, Refused
from pipeline_core.flows import release, verdicts
from pipeline_core.flows.compute import in_process
from pipeline_core.policy import Policy
from pipeline_core.records import Decision, Measured, ModelVersion, NotMeasured, Task, TimeUnit
from pipeline_core.stages import training
from pipeline_core.store.home import Store
from tests.core import modelling
from tests.core.flows import homes

WHO = {"by": "Ada", "reason": "it passed"}


@pytest.fixture
def store(tmp_path: Path):
    with homes.home(tmp_path / "home") as opened:
        opened.policy = Policy(shap_rows=50)
        yield opened


def train(store: Store, **options: object) -> ModelVersion:
    return release.train(store, "loans", compute=in_process, **{"estimator": "logistic_regression"} | options)


def test_the_first_version_is_judged_on_its_hold_out(store: Store) -> None:
    train(store)
    verdict = verdicts.challenge(store, "loans")
    assert (verdict.version, verdict.champion, verdict.epoch, verdict.rows) == (1, None, 0, 80)
    assert verdict.verdict is Decision.PROMOTE
    assert verdict.first_event_at == modelling.START + timedelta(hours=32)
    assert verdict.last_event_at == modelling.START + timedelta(minutes=6 * 399)
    assert verdict.challenger_curves.roc
    assert store.models.verdict("loans", 1) == verdict


def test_both_models_are_judged_after_the_later_hold_out_began(store: Store) -> None:
    train(store)
    release.promote(store, "loans", version=1, **WHO)
    homes.deliver(store, modelling.schema(), modelling.rows(400, seed=2, day=3))
    second = train(store, estimator="lightgbm")
    homes.deliver(store, modelling.schema(), modelling.rows(100, seed=3, day=6))
    verdict = verdicts.challenge(store, "loans")
    assert (verdict.version, verdict.champion, verdict.epoch) == (2, 1, 1)
    assert verdict.first_event_at == second.dataset.holdout_from
    assert verdict.rows == second.dataset.holdout_rows + 100
    assert isinstance(verdict.metrics["auc"].champion, Measured)
    # an older version is judged from the champion's hold-out on, which began later
    third = train(store, until="2025-01-02T12:00")
    again = verdicts.challenge(store, "loans", version=third.version)
    assert again.first_event_at == store.models.version("loans", 1).dataset.holdout_from
    assert again.rows == 80 + 400 + 100


def test_the_newest_rows_are_taken_where_there_are_too_many(store: Store) -> None:
    train(store)
    store.policy = replace(store.policy, gate_rows_max=50)
    verdict = verdicts.challenge(store, "loans")
    assert verdict.rows == 50
    assert verdict.first_event_at == modelling.START + timedelta(minutes=6 * 350)


def test_without_event_time_the_rows_are_those_that_no_version_was_fitted_on(tmp_path: Path) -> None:
    with homes.home(tmp_path / "home", unit=TimeUnit.NONE) as store:
        store.policy = Policy(shap_rows=50)
        train(store)
        release.promote(store, "loans", version=1, **WHO)
        homes.deliver(store, modelling.schema(unit=TimeUnit.NONE), modelling.rows(400, seed=2))
        store.policy = replace(store.policy, holdout_share=0.4)
        train(store)
        verdict = verdicts.challenge(store, "loans")
        ids = [f"s{seed}-{i}" for seed in (1, 2) for i in range(400)]
        assert verdict.rows == int(training.hashed_holdout(ids, 0.2).sum())
        store.policy = replace(store.policy, gate_rows_max=20)
        assert verdicts.challenge(store, "loans").rows in range(5, 21)


def test_the_newest_newer_version_challenges_unless_one_is_named(store: Store) -> None:
    with pytest.raises(NotFound, match=r"Model 'loans' has no version to challenge with\. Train one first"):
        verdicts.challenge(store, "loans")
    train(store)
    train(store)
    assert verdicts.challenge(store, "loans").version == 2
    release.promote(store, "loans", version=2, **WHO)
    with pytest.raises(NotFound, match="no version newer than the champion, version 2"):
        verdicts.challenge(store, "loans")
    assert verdicts.challenge(store, "loans", version=1).champion == 2
    with pytest.raises(Refused, match="Version 2 of model 'loans' is the champion"):
        verdicts.challenge(store, "loans", version=2)
    with pytest.raises(NotFound):
        verdicts.challenge(store, "loans", version=7)
    with pytest.raises(NotFound):
        verdicts.challenge(store, "lones")


def test_no_unseen_row_is_not_enough(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    train(store)
    version = store.models.version("loans", 1)
    far = replace(version, dataset=replace(version.dataset, holdout_from=modelling.START + timedelta(days=900)))
    with pytest.raises(NotEnough, match=r"no labelled row that version 1 and version 1 was not fitted on"):
        verdicts._unseen_rows(store, far, far)


def test_a_champion_of_other_classes_is_not_compared_with(store: Store) -> None:
    train(store)
    release.promote(store, "loans", version=1, **WHO)
    schema = modelling.schema(Task.BINARY)
    store.models.define(replace(schema, schema_version=2, positive="no"))
    train(store)
    verdict = verdicts.challenge(store, "loans")
    assert (verdict.champion, verdict.verdict) == (1, Decision.PROMOTE)
    assert "predicts other classes" in verdict.reasons[0]
    assert isinstance(verdict.metrics["brier"].champion, NotMeasured)
    assert release.promote(store, "loans", version=2, **WHO).previous == 1
