"""A challenger is judged on the newest labelled rows that neither model was fitted on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline_core.errors import NotEnough, NotFound, Refused
from pipeline_core.flows import evidence, release, verdicts
from pipeline_core.flows.compute import in_process
from pipeline_core.policy import Policy
from pipeline_core.records import Decision, Measured, ModelVersion, Role, Task, TimeUnit
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


def test_without_ids_a_row_that_comes_again_is_still_one_that_was_fitted_on(tmp_path: Path) -> None:
    columns = tuple(replace(c, role=Role.EXCLUDED) if c.role is Role.ID else c for c in modelling.schema().columns)
    schema = replace(modelling.schema(unit=TimeUnit.NONE), columns=columns)
    with Store.open(tmp_path / "home") as store:
        store.policy = Policy(shap_rows=50)
        store.models.define(schema)
        first = modelling.rows(400)
        again = first.set_column(0, "row_id", pa.array([f"other-{i}" for i in range(400)]))
        homes.deliver(store, schema, first)
        version = train(store)
        homes.deliver(store, schema, again)
        held = first.filter(pa.array(training.held_out(first, schema, version.dataset.holdout_share)))
        assert held.num_rows == version.dataset.holdout_rows
        unseen = evidence.unseen_rows(store, version, None)
        assert sorted(unseen["c001"].to_pylist()) == sorted([*held["c001"].to_pylist()] * 2)


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
    assert evidence.unseen_rows(store, far, far).num_rows == 0
    monkeypatch.setattr(verdicts, "_challenger", lambda *_: far)
    with pytest.raises(NotEnough, match=r"no labelled row that version 1 was not fitted on\. Receive newer rows"):
        verdicts.challenge(store, "loans")


# --- a model that was defined again -------------------------------------------------------------


def define_again(store: Store, **changes: object) -> None:
    store.models.define(replace(modelling.schema(), schema_version=2, **changes))


def test_a_champion_of_the_other_positive_class_is_compared_by_the_same_class(store: Store) -> None:
    train(store)
    release.promote(store, "loans", version=1, **WHO)
    before = store.models.verdict("loans", 1).metrics
    define_again(store, positive="no", classes=("yes", "no"))
    train(store)
    verdict = verdicts.challenge(store, "loans")
    assert (verdict.version, verdict.champion, verdict.rows) == (2, 1, 80)
    # the AUC is the same for either class; what tells the classes apart has to be turned round
    auc, share = verdict.metrics["auc"], verdict.metrics["positive_share"]
    assert auc.champion.value == pytest.approx(before["auc"].challenger.value, abs=1e-9)
    assert auc.champion.value == pytest.approx(auc.challenger.value, abs=1e-3)
    assert share.champion.value == pytest.approx(1 - before["positive_share"].challenger.value, abs=1e-9)
    assert share.champion.value == pytest.approx(share.challenger.value, abs=0.03)
    assert verdict.metrics["brier"].champion.value == pytest.approx(before["brier"].challenger.value, abs=1e-9)


def test_a_worse_version_does_not_take_the_seat_by_another_positive_class(store: Store) -> None:
    train(store)
    release.promote(store, "loans", version=1, **WHO)
    homes.deliver(store, modelling.schema(), modelling.rows(1000, seed=2, day=3))
    # without what matters most, yet better than a coin
    features = modelling.schema().columns
    columns = tuple(replace(c, role=Role.EXCLUDED) if c.column_id == "c001" else c for c in features)
    define_again(store, positive="no", columns=columns)
    second = train(store)
    assert second.metrics["auc"].value > 0.5
    verdict = verdicts.challenge(store, "loans")
    assert (verdict.champion, verdict.verdict) == (1, Decision.KEEP)
    with pytest.raises(Refused, match="The gate says 'keep' on version 2"):
        release.promote(store, "loans", version=2, **WHO)


@pytest.mark.parametrize("task", [Task.BINARY, Task.MULTICLASS])
def test_a_champion_of_other_classes_keeps_its_seat(store: Store, task: Task) -> None:
    train(store)
    release.promote(store, "loans", version=1, **WHO)
    define_again(store, task=task, positive=None if task is Task.MULTICLASS else "yes", classes=("maybe", "no", "yes"))
    train(store)
    verdict = verdicts.challenge(store, "loans")
    assert (verdict.champion, verdict.verdict) == (1, Decision.INSUFFICIENT)
    assert verdict.reasons[0].startswith(
        "Version 1, the champion, predicts the classes 'no', 'yes', and this version the classes 'maybe', 'no', 'yes',"
    )
    assert not any(isinstance(c.champion, Measured) for c in verdict.metrics.values())
    assert isinstance(verdict.metrics["accuracy"].challenger, Measured)
    with pytest.raises(Refused, match="The gate says 'insufficient' on version 2"):
        release.promote(store, "loans", version=2, **WHO)


# --- what a verdict rests on --------------------------------------------------------------------


def relabel(store: Store, row_id: str, value: str) -> None:
    store.batches.set_labels("loans", pa.table({"row_id": [row_id], "value": [value]}))


def test_a_verdict_falls_with_its_rows(store: Store) -> None:
    train(store)
    verdict = verdicts.challenge(store, "loans")
    assert len(verdict.sha256) == 64
    assert evidence.evidence(store, verdict) == verdict.sha256
    # a row that was fitted on, and rows of a later time, are no part of it
    relabel(store, "s1-0", "no" if modelling.rows(400)["label"][0].as_py() == "yes" else "yes")
    homes.deliver(store, modelling.schema(), modelling.rows(100, seed=3, day=6))
    assert evidence.evidence(store, verdict) == verdict.sha256
    right = modelling.rows(400)["label"][399].as_py()
    relabel(store, "s1-399", "no" if right == "yes" else "yes")
    assert evidence.evidence(store, verdict) != verdict.sha256
    with pytest.raises(
        Refused, match=r"the rows that this verdict rests on have changed since.*Challenge version 1 again"
    ):
        release.promote(store, "loans", version=1, **WHO)
    relabel(store, "s1-399", right)
    assert release.promote(store, "loans", version=1, **WHO).verdict_id == verdict.verdict_id


def test_a_row_that_comes_again_changes_what_the_verdict_rests_on(store: Store) -> None:
    train(store)
    verdict = verdicts.challenge(store, "loans")
    homes.deliver(store, modelling.schema(), modelling.rows(400).slice(398))
    assert evidence.evidence(store, verdict) != verdict.sha256
    with pytest.raises(Refused, match="have changed since"):
        release.promote(store, "loans", version=1, **WHO)
    assert verdicts.challenge(store, "loans").verdict is Decision.PROMOTE
    assert release.promote(store, "loans", version=1, **WHO).version == 1


@pytest.mark.parametrize("limit", [20, 50_000])
def test_without_event_time_the_rows_are_found_again_too(tmp_path: Path, limit: int) -> None:
    with homes.home(tmp_path / "home", unit=TimeUnit.NONE) as store:
        store.policy = Policy(shap_rows=50, gate_rows_max=limit, class_rows_min=1)
        train(store)
        ids = modelling.rows(400)["row_id"].to_pylist()
        fitted = next(i for i, held in enumerate(training.hashed_holdout(ids, 0.2)) if not held)
        # the newest row was fitted on: the verdict ends before it
        homes.deliver(store, modelling.schema(unit=TimeUnit.NONE), modelling.rows(400, day=9).slice(fitted, 1))
        verdict = verdicts.challenge(store, "loans")
        assert verdict.rows > 0
        assert evidence.evidence(store, verdict) == verdict.sha256


def test_a_verdict_of_before_rows_were_named_still_counts(store: Store) -> None:
    train(store)
    old = replace(verdicts.challenge(store, "loans"), verdict_id="old", sha256="")
    store.models.add_verdict(old)
    relabel(store, "s1-399", "no")
    assert release.promote(store, "loans", version=1, **WHO).verdict_id == "old"


def test_first_versions_say_how_many_were_tried(store: Store) -> None:
    store.policy = replace(store.policy, class_rows_min=1)
    train(store)
    train(store)
    assert "tried" not in " ".join(verdicts.challenge(store, "loans").reasons)
    assert verdicts.challenge(store, "loans", version=1).reasons[-1] == (
        "This is the 2nd challenge, and the 2nd version tried on these rows: the more are tried, the likelier one passes"
        " by luck."
    )


def test_each_next_try_on_the_same_rows_has_to_reach_a_stricter_level(store: Store) -> None:
    train(store)
    train(store)
    train(store)
    release.promote(store, "loans", version=1, **WHO)
    first = verdicts.challenge(store, "loans", version=2)
    assert (first.trial.place, first.trial.level) == (1, pytest.approx(0.025))
    assert "try" not in " ".join(first.reasons)
    # the same version on the same rows is the same try
    again = verdicts.challenge(store, "loans", version=2)
    assert (again.trial, again.reasons) == (first.trial, first.reasons)
    # models that never differ pass at once, and what passed gives its part of the level back: 1/6 of what 1/2 left
    second = verdicts.challenge(store, "loans", version=3)
    assert first.trial.p_value == 0
    assert (second.trial.place, second.trial.level) == (2, pytest.approx(0.05 / 6 / 0.5))
    assert second.reasons[1] == (
        "This is the 2nd try on these rows since the champion last moved. So that none of many passes by luck, it takes"
        " 98.333 % confidence; the first took 97.5 %."
    )
    assert verdicts.challenge(store, "loans", version=2).trial == first.trial
    # more rows are another chance of luck
    homes.deliver(store, modelling.schema(), modelling.rows(100, seed=5, day=2))
    third = verdicts.challenge(store, "loans", version=2)
    assert third.trial.place == 3
    # with the champion everything begins anew
    release.promote(store, "loans", version=2, **WHO)
    assert verdicts.challenge(store, "loans", version=3).trial.place == 1


def test_rows_that_share_no_time_with_earlier_ones_are_no_try_on_the_same(store: Store) -> None:
    train(store)
    train(store)
    release.promote(store, "loans", version=1, **WHO)
    first = verdicts.challenge(store, "loans", version=2)
    late = first.last_event_at + timedelta(days=1)
    version = store.models.version("loans", 2)
    assert verdicts._earlier(store, version, 1, rows=("other", (late, late))) == ()
    assert verdicts._earlier(store, version, 1, rows=("other", (first.first_event_at, late))) == (0.0,)
    assert verdicts._earlier(store, version, 2, rows=("other", (first.first_event_at, late))) == ()
    assert verdicts._earlier(store, version, 1, rows=(first.sha256, (first.first_event_at, late))) == ()


def test_what_it_costs_to_run_stands_beside_the_verdict(store: Store) -> None:
    train(store)
    train(store, estimator="lightgbm")
    first = verdicts.challenge(store, "loans", version=1)
    assert first.champion_footprint is None
    release.promote(store, "loans", version=1, **WHO)
    verdict = verdicts.challenge(store, "loans")
    for number, footprint in ((1, verdict.champion_footprint), (2, verdict.challenger_footprint)):
        assert footprint.artifact_bytes == store.models.version("loans", number).artifact_bytes
        assert 0 < footprint.p50_ms <= footprint.p99_ms
        assert footprint.calls >= 1
    assert verdict.threshold == pytest.approx(0.5)
    assert verdict.discordance is not None
    assert store.models.verdict("loans", 2) == verdict
