"""Train, promote, roll back, lineage: on a real store, with the fit in this process."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipeline_core.errors import ComputeFailed, NotEnough, NotFound, Refused, Stale
from pipeline_core.flows import intake, release
from pipeline_core.flows.compute import in_process
from pipeline_core.flows.lineage import lineage
from pipeline_core.policy import Policy
from pipeline_core.records import (
    Alert,
    AlertLevel,
    BiasAudit,
    BiasState,
    Decision,
    Measured,
    ModelVersion,
    Stage,
    Task,
    TimeUnit,
)
from pipeline_core.stages.registry import Override
from pipeline_core.store.home import Store
from tests.core import modelling
from tests.core.flows import homes
from tests.core.flows.deliveries import columns, parquet

WHO = {"by": "Ada", "reason": "it passed"}


@pytest.fixture
def store(tmp_path: Path):
    with homes.home(tmp_path / "home") as opened:
        opened.policy = Policy(shap_rows=50)
        yield opened


def train(store: Store, **options: object) -> ModelVersion:
    return release.train(store, "loans", compute=in_process, **{"estimator": "logistic_regression"} | options)


def later(store: Store, *, seed: int, day: int, count: int = 400) -> None:
    homes.deliver(store, modelling.schema(), modelling.rows(count, seed=seed, day=day))


# --- train --------------------------------------------------------------------------------------


def test_a_version_is_enrolled_with_everything_that_made_it(store: Store) -> None:
    heard: list[float] = []
    version = train(store, estimator="hist_gradient_boosting", progress=lambda share, _message: heard.append(share))
    assert (version.version, version.stage) == (1, Stage.CHALLENGER)
    assert (version.dataset.batches, version.dataset.rows) == (("b-0001",), 400)
    assert (version.dataset.fit_rows, version.dataset.holdout_rows) == (320, 80)
    assert version.dataset.holdout_from == modelling.START + timedelta(hours=32)
    assert version.dataset.first_event_at == modelling.START
    assert len(version.dataset.sha256) >= 16
    assert isinstance(version.metrics["auc"], Measured)
    assert version.metrics["auc"].value > 0.8
    assert set(version.shap_shares) == {"amount", "income", "plan_name", "city", "opened"}
    assert max(version.shap_shares, key=version.shap_shares.__getitem__) == "amount"
    assert (version.run.estimator, version.run.seed) == ("hist_gradient_boosting", 7)
    assert version.run.parameters["max_iter"] == 150
    assert version.run.packages["scikit-learn"]
    assert version.run.code_version
    assert store.artifacts.path(version.artifact_sha256).stat().st_size == version.artifact_bytes
    assert store.models.version("loans", 1) == version
    assert heard[-1] <= 1


def test_the_baseline_counts_the_fitted_rows_and_the_scores_of_the_hold_out(store: Store) -> None:
    version = train(store)
    counts = store.models.baseline("loans", version.version)
    for column in ("c001", "c003"):
        assert pc.sum(counts.filter(pc.equal(counts["column_id"], column))["n"]).as_py() == 320
    fitted = modelling.rows(400).slice(0, 320)
    plans = counts.filter(pc.equal(counts["column_id"], "c003"))
    found = dict(zip(plans["level"].to_pylist(), plans["n"].to_pylist(), strict=True))
    wanted = pc.value_counts(fitted["c003"]).to_pylist()
    assert found == {entry["values"]: entry["counts"] for entry in wanted}
    scores = store.models.score_baseline("loans", version.version)
    assert pc.sum(scores["n"]).as_py() == 80
    assert set(scores["column_id"].to_pylist()) == {"score"}
    assert 0 <= pc.min(scores["cell"]).as_py() <= pc.max(scores["cell"]).as_py() <= 1


def test_until_is_exclusive(store: Store) -> None:
    version = train(store, until="2025-01-02T06:00")
    assert version.dataset.rows == 300
    assert version.dataset.until == datetime(2025, 1, 2, 6, tzinfo=UTC)
    assert version.dataset.last_event_at == datetime(2025, 1, 2, 5, 54, tzinfo=UTC)


def test_the_same_rows_give_the_same_model(store: Store) -> None:
    first, second = train(store), train(store)
    assert second.version == 2
    assert second.dataset == first.dataset
    assert second.metrics == first.metrics
    assert second.shap_shares == first.shap_shares


@pytest.mark.parametrize("task", [Task.MULTICLASS, Task.REGRESSION])
def test_other_tasks_train_and_go_out(task: Task, tmp_path: Path) -> None:
    with homes.home(tmp_path / "home", task) as store:
        store.policy = Policy(shap_rows=50, class_rows_min=20)
        version = train(store, estimator="lightgbm")
        assert release.promote(store, "loans", version=version.version, **WHO).version == 1
        assert store.models.verdict("loans", 1).verdict is Decision.PROMOTE


def test_too_little_is_said_before_anything_is_computed(store: Store) -> None:
    def never(*_: object, **__: object):
        raise AssertionError("nothing to compute")

    with pytest.raises(NotEnough, match="has 50 labelled rows"):
        release.train(store, "loans", until="2025-01-01T05:00", compute=never)
    with pytest.raises(NotFound, match="Did you mean 'lightgbm'"):
        release.train(store, "loans", estimator="lightgb", compute=never)
    with pytest.raises(NotFound, match="loan"):
        release.train(store, "loan", compute=never)


def test_a_failed_computation_leaves_nothing_behind(store: Store) -> None:
    def broken(*_: object, **__: object):
        raise ComputeFailed("gone")

    before = store.revision
    with pytest.raises(ComputeFailed):
        release.train(store, "loans", compute=broken)
    assert store.models.versions("loans") == ()
    assert store.revision == before


# --- promote, rollback, lineage -----------------------------------------------------------------


def test_the_first_version_is_challenged_by_its_promotion(store: Store) -> None:
    train(store)
    move = release.promote(store, "loans", version=1, by="Ada", reason="first")
    verdict = store.models.verdict("loans", 1)
    assert (move.epoch, move.version, move.previous, move.verdict_id) == (1, 1, None, verdict.verdict_id)
    assert store.models.champion("loans").version == 1
    assert store.models.champion("loans").stage is Stage.CHAMPION


def test_a_second_version_needs_a_verdict_of_its_own(store: Store) -> None:
    train(store)
    release.promote(store, "loans", version=1, **WHO)
    later(store, seed=2, day=3)
    train(store)
    with pytest.raises(Refused, match="Version 2 of model 'loans' was not challenged"):
        release.promote(store, "loans", version=2, **WHO)
    assert release.challenge(store, "loans").verdict is Decision.PROMOTE
    assert release.promote(store, "loans", version=2, **WHO).previous == 1
    with pytest.raises(Refused, match="is the champion already"):
        release.promote(store, "loans", version=2, **WHO)
    assert [m.version for m in store.models.promotions("loans")] == [2, 1]


def test_a_verdict_against_a_former_champion_does_not_count(store: Store) -> None:
    train(store)
    release.challenge(store, "loans")
    train(store)
    release.challenge(store, "loans", version=2)
    release.promote(store, "loans", version=2, **WHO)
    with pytest.raises(Refused, match="compared with no champion; since then the champion has moved and is version 2"):
        release.promote(store, "loans", version=1, **WHO)


def test_a_first_version_that_fails_stays_out(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = modelling.rows(400, seed=5, day=5)
    shuffled = rows.set_column(rows.schema.get_field_index("c009"), "c009", [rows["c009"].to_pylist()[::-1]])
    train(store)
    flipped = ["no" if v == "yes" else "yes" for v in rows["c009"].to_pylist()]
    homes.deliver(
        store, modelling.schema(), shuffled.set_column(rows.schema.get_field_index("c009"), "c009", [flipped])
    )
    with pytest.raises(Refused, match="The gate says 'keep' on version 1"):
        release.promote(store, "loans", version=1, **WHO)
    assert store.models.champion("loans") is None


def test_an_unknown_version_or_model_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound):
        release.promote(store, "loans", version=9, **WHO)
    for verb in (release.rollback, release.promote):
        extra = {"version": 1} if verb is release.promote else {}
        with pytest.raises(NotFound):
            verb(store, "lones", **WHO, **extra)
    with pytest.raises(NotFound):
        lineage(store, "lones")


def test_rolling_back_returns_the_seat(store: Store) -> None:
    train(store)
    release.promote(store, "loans", version=1, **WHO)
    with pytest.raises(Refused, match="no champion before version 1"):
        release.rollback(store, "loans", **WHO)
    train(store)
    release.challenge(store, "loans")
    release.promote(store, "loans", version=2, **WHO)
    move = release.rollback(store, "loans", by="Grace", reason="complaints")
    assert (move.epoch, move.version, move.previous, move.action) == (3, 1, 2, "rollback")
    assert store.models.champion("loans").version == 1
    assert lineage(store, "loans").promoted_by == "Grace"


def test_two_who_roll_back_the_same_champion_go_back_once(store: Store) -> None:
    store.policy = replace(store.policy, class_rows_min=1)
    for number in (1, 2, 3):
        train(store)
        if number > 1:
            release.challenge(store, "loans")
        release.promote(store, "loans", version=number, expected_epoch=number - 1, **WHO)
    assert release.rollback(store, "loans", expected_epoch=3, **WHO).version == 2
    with pytest.raises(Stale, match="has moved since you looked, and version 2 is champion now"):
        release.rollback(store, "loans", expected_epoch=3, **WHO)
    assert store.models.champion("loans").version == 2
    with pytest.raises(Stale):
        release.promote(store, "loans", version=3, expected_epoch=3, **WHO)
    assert release.rollback(store, "loans", **WHO).version == 1


def test_a_move_that_nobody_made_yet_is_stale_too(store: Store) -> None:
    train(store)
    with pytest.raises(Stale, match="there is no champion now"):
        release.promote(store, "loans", version=1, expected_epoch=1, **WHO)


def test_lineage_names_data_metrics_and_the_person(store: Store) -> None:
    with pytest.raises(NotFound, match="has no champion yet"):
        lineage(store, "loans")
    version = train(store)
    release.promote(store, "loans", version=1, by="Ada", reason="first")
    told = lineage(store, "loans")
    assert (told.version, told.promoted_by, told.reason) == (1, "Ada", "first")
    assert told.dataset == version.dataset
    assert told.metrics == version.metrics
    assert told.artifact_sha256 == version.artifact_sha256
    assert [b.batch_id for b in told.batches] == ["b-0001"]
    assert told.verdict_id == store.models.verdict("loans", 1).verdict_id


def test_a_model_without_event_time_goes_the_same_way(tmp_path: Path) -> None:
    with homes.home(tmp_path / "home", unit=TimeUnit.NONE) as store:
        store.policy = Policy(shap_rows=50)
        version = train(store)
        assert version.dataset.holdout_from is None
        assert release.promote(store, "loans", version=1, **WHO).epoch == 1
        assert store.models.verdict("loans", 1).rows == version.dataset.holdout_rows


@pytest.mark.parametrize("order", ["clock", "row"])
def test_rows_without_an_event_time_are_not_trained_on(tmp_path: Path, order: str) -> None:
    content = columns(1_000)
    if order == "row":
        content["when"] = [float(i // 10) for i in range(1_000)]
    content["when"][3:999:200] = [None] * 5
    with Store.open(tmp_path / "home") as opened:
        opened.policy = Policy(shap_rows=50)
        made = intake.define(opened, "m", parquet(tmp_path, content), target="y", time="when")
        assert (made.schema.time_unit, made.batch.labelled_rows) == (TimeUnit(order), 1_000)
        version = release.train(opened, "m", compute=in_process, estimator="logistic_regression")
        assert version.dataset.rows == version.dataset.fit_rows + version.dataset.holdout_rows == 995
        assert version.dataset.holdout_from is not None
        assert release.challenge(opened, "m").rows == version.dataset.holdout_rows


def test_a_promotion_closes_what_was_said_about_the_former_champion(store: Store) -> None:
    train(store)
    release.promote(store, "loans", version=1, **WHO)

    def alert(name: str, version: int | None) -> Alert:
        return Alert(
            alert_id=name,
            model="loans",
            version=version,
            code="data_drift" if version else "batch_quarantined",
            level=AlertLevel.PAGE,
            feature="income",
            message="income: it moved.",
            window_start=modelling.START,
            window_end=modelling.START + timedelta(days=7),
            contribution=0.1,
            raised_at=modelling.START,
        )

    store.signals.add_alerts([alert("of the champion", 1), alert("of the data", None)])
    later(store, seed=5, day=4)
    train(store)
    store.policy = replace(store.policy, auc_margin=0.1, brier_margin=0.1)  # the rows are too few for a hundredth
    assert release.challenge(store, "loans").verdict is Decision.PROMOTE
    release.promote(store, "loans", version=2, **WHO)
    assert [a.alert_id for a in store.signals.alerts("loans", open_only=True)] == ["of the data"]
    closed = store.signals.alert("of the champion")
    assert (closed.acknowledged_by, closed.note) == (
        "Ada",
        "Closed by itself: version 2 took the place of version 1.",
    )


# --- the bias audit -----------------------------------------------------------------------------


def unfair(count: int = 3_000) -> pa.Table:
    """Give rows in which women have small amounts, on which the outcome rests."""
    table = modelling.rows(count)
    amount = table["c001"].to_numpy()
    gender = pa.array(["f" if a < 0.2 else "m" for a in amount])
    return table.set_column(table.column_names.index("c006"), "c006", gender)


def test_a_proven_violation_blocks_and_an_override_stays_for_good(tmp_path: Path) -> None:
    with homes.home(tmp_path / "home", rows=unfair()) as store:
        store.policy = Policy(shap_rows=50)
        train(store)
        verdict = release.challenge(store, "loans")
        assert isinstance(verdict.audit, BiasAudit)
        assert (verdict.verdict, verdict.audit.gate) == (Decision.KEEP, Decision.PROMOTE)
        assert store.models.verdict("loans", 1) == verdict
        with pytest.raises(Refused, match="Bias audit: 'm' in 'gender' is selected"):
            release.promote(store, "loans", version=1, **WHO)
        second = Override(by="Grace", reason="the board has seen it")
        move = release.promote(store, "loans", version=1, override=second, **WHO)
        assert (move.by, move.override_by, move.override_reason) == ("Ada", "Grace", "the board has seen it")
        assert store.models.promotions("loans") == (move,)
        said = lineage(store, "loans")
        assert (said.override_by, said.override_reason) == ("Grace", "the board has seen it")


def test_without_a_violation_there_is_nothing_to_override(store: Store) -> None:
    train(store)
    verdict = release.challenge(store, "loans")
    assert isinstance(verdict.audit, BiasAudit)
    assert verdict.audit.state is BiasState.INSUFFICIENT
    assert verdict.verdict is Decision.PROMOTE
    with pytest.raises(Refused, match="nothing to override"):
        release.promote(store, "loans", version=1, override=Override(by="Grace", reason="why not"), **WHO)
    assert release.promote(store, "loans", version=1, **WHO).override_by == ""
    assert lineage(store, "loans").override_by == ""
