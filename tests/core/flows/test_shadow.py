"""A challenger scores beside the champion: nobody sees it, nothing mixes it in, and the two are compared row by row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipeline_core.errors import InvalidDefinition, NotEnough, NotFound, Refused
from pipeline_core.flows import intake, release, shadow, watch
from pipeline_core.flows.compute import in_process
from pipeline_core.policy import Policy
from pipeline_core.records import Act, Decision, Measured, NotMeasured, Stage, Task
from pipeline_core.stages import serving
from pipeline_core.store.home import Store
from pipeline_core.store.scratch import Part
from tests.core import modelling
from tests.core.flows import homes

MODEL = "loans"
WHO = {"by": "Ada", "reason": "before it goes out"}


def deliver(store: Store, rows: int = 300, *, seed: int, day: int, labelled: bool = True) -> str:
    made = modelling.rows(rows, seed=seed, day=day)
    if not labelled:
        made = made.set_column(made.schema.get_field_index("c009"), "c009", pa.nulls(rows, pa.string()))
    return homes.deliver(store, modelling.schema(), made).batch_id


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Version 1 is champion, version 2 a challenger of another kind."""
    with homes.home(tmp_path / "home") as opened:
        opened.policy = Policy(shap_rows=50)
        for estimator in ("logistic_regression", "hist_gradient_boosting"):
            release.train(opened, MODEL, estimator=estimator, compute=in_process)
        release.promote(opened, MODEL, version=1, **WHO)
        yield opened


def answers(store: Store, batch_id: str) -> list[dict[str, Any]]:
    return intake.predictions_of(store, MODEL, batch_id).to_pylist()


def test_the_shadow_scores_every_batch_and_the_answer_does_not_change(store: Store) -> None:
    before = intake.score(store, MODEL, batch_id=deliver(store, seed=2, day=3))
    batch = deliver(store, seed=3, day=5)
    started = shadow.start(store, MODEL, version=2, **WHO)
    assert (started.shadow.number, started.shadow.started_by, started.rows) == (1, "Ada", 0)
    assert isinstance(started.agreement, NotMeasured)
    told = intake.score(store, MODEL, batch_id=batch)
    assert (told.version, told.rows, told.already_scored) == (1, 300, False)
    assert type(told) is type(before)
    assert intake.score(store, MODEL, batch_id=batch).already_scored

    rows = store.batches.read_rows(MODEL, batch)
    version, champion = store.models.version(MODEL, 2), store.models.version(MODEL, 1)
    said, spoken = (serving.predict(release.loaded(store, v), rows, modelling.schema()) for v in (version, champion))
    assert [row["score"] for row in answers(store, batch)] == spoken["score"].to_pylist()
    found = shadow.report(store, MODEL)
    assert (found.version, found.champion, found.rows, found.all_rows, found.batches) == (2, 1, 300, 300, 1)
    moves = said["score"].to_numpy() - spoken["score"].to_numpy()
    assert isinstance(found.mean_difference, Measured)
    assert found.mean_difference.value == pytest.approx(moves.mean(), abs=1e-12)
    assert isinstance(found.agreement, Measured)
    assert found.agreement.value == np.mean(np.array(said["prediction"]) == np.array(spoken["prediction"]))
    assert {g.level: g.rows for g in found.groups} == {
        level: rows["c006"].to_pylist().count(level) for level in ("f", "m")
    }
    for group in found.groups:
        inside = np.array(rows["c006"]) == group.level
        assert isinstance(group.mean_difference, Measured)
        assert group.mean_difference.value == pytest.approx(moves[inside].mean(), abs=1e-12)
    widest = found.most_different[0]
    place = int(np.abs(moves).argmax())
    assert (widest.row_id, widest.shadow_score) == (rows["row_id"][place].as_py(), said["score"][place].as_py())
    assert sum(found.champion_bins) == sum(found.shadow_bins) == 300
    assert isinstance(found.shadow_latency.p99_ms, Measured)
    assert isinstance(found.champion_latency.p50_ms, Measured)
    assert found.champion_latency.p50_ms.rows == 300


def test_nothing_that_watches_the_champion_sees_a_shadow(store: Store, tmp_path: Path) -> None:
    """Two homes that live the same days, one with a shadow: predictions, windows, performance and alerts are equal."""
    batches = [deliver(store, seed=seed, day=2 * seed) for seed in (2, 3)]
    with Store.open(tmp_path / "other") as other:
        other.policy = store.policy
        store.close()
        other.absorb(tmp_path / "home", MODEL)
        with Store.open(tmp_path / "home") as one:
            one.policy = other.policy
            shadow.start(one, MODEL, version=2, **WHO)
            seen = []
            for home in (one, other):
                reports = [intake.score(home, MODEL, batch_id=batch) for batch in batches]
                check = watch.check(home, MODEL, window="2d")
                seen.append((
                    reports,
                    home.signals.predictions(MODEL),
                    home.signals.prediction_batches(MODEL),
                    [replace(w, examined=None) for w in check.windows],
                    [(a.code, a.message, a.version) for a in home.signals.alerts(MODEL)],
                    [replace(s, last_received_at=None) for s in watch.status(home, MODEL)],
                ))
            assert seen[0] == seen[1]
            assert sum(window.performance.scored_rows for window in seen[0][3]) == 600
            assert [s.rows for s in (shadow.report(one, MODEL),)] == [600]
            assert set(one.signals.predictions(MODEL)["version"].to_pylist()) == {1}
            # the version becomes champion: what it said as a shadow is still not what callers were told
            release.challenge(one, MODEL, version=2)
            one.policy = replace(one.policy, auc_margin=1.0)
            release.challenge(one, MODEL, version=2)
            release.promote(one, MODEL, version=2, **WHO)
            assert not one.signals.has_predictions(MODEL, 2, batch_id=batches[0])
            windows = watch.check(one, MODEL, window="2d").windows
            assert sum(w.rows for w in windows) >= 600
            assert sum(w.performance.scored_rows for w in windows) == 0
            assert not intake.score(one, MODEL, batch_id=batches[0]).already_scored


def test_an_error_of_the_shadow_is_told_and_fails_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    shadow.start(store, MODEL, version=2, **WHO)
    batch = deliver(store, seed=2, day=3)

    def broken(*args: Any) -> pa.Table:
        raise ValueError("an estimator of a stranger\nbroke")

    monkeypatch.setattr(shadow, "loaded", broken)
    told = intake.score(store, MODEL, batch_id=batch)
    assert (told.version, told.rows) == (1, 300)
    found = shadow.report(store, MODEL)
    assert (found.errors, found.last_error) == (1, "ValueError: an estimator of a stranger broke")
    assert (found.rows, found.batches) == (0, 0)
    # asked again once it works, it is scored after all
    monkeypatch.undo()
    assert intake.score(store, MODEL, batch_id=batch).already_scored
    again = shadow.report(store, MODEL)
    assert (again.errors, again.last_error, again.rows) == (0, "", 300)
    assert isinstance(again.champion_latency.p50_ms, NotMeasured)
    assert isinstance(again.shadow_latency.p50_ms, Measured)


def test_a_store_that_cannot_keep_it_does_not_take_the_answer_back(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shadow.start(store, MODEL, version=2, **WHO)

    def full(*_args: Any) -> None:
        raise OSError("no room")

    monkeypatch.setattr(store.shadows, "add", full)
    assert intake.score(store, MODEL, batch_id=deliver(store, seed=2, day=3)).rows == 300
    assert "could not be kept" in caplog.text


def test_the_gate_judges_live_rows_once_their_labels_are_in(store: Store) -> None:
    shadow.start(store, MODEL, version=2, **WHO)
    batch = deliver(store, rows=500, seed=2, day=3, labelled=False)
    intake.score(store, MODEL, batch_id=batch)
    none = shadow.compare(store, MODEL)
    assert (none.labelled_rows, none.shadow.live) == (0, None)
    assert none.rows_needed is not None
    assert 60 <= none.rows_needed < 500
    truth = modelling.rows(500, seed=2, day=3).select(["row_id", "label"]).rename_columns(["row_id", "value"])
    store.batches.set_labels(MODEL, truth.slice(0, 20))
    few = shadow.compare(store, MODEL)
    assert few.labelled_rows == 20
    assert few.shadow.live is not None
    assert few.shadow.live.verdict is Decision.INSUFFICIENT
    assert few.rows_needed == few.shadow.live.rows_needed
    store.batches.set_labels(MODEL, truth)
    all_in = shadow.compare(store, MODEL)
    assert (all_in.labelled_rows, all_in.shadow.live.rows, all_in.shadow.live.champion) == (500, 500, 1)  # type: ignore[union-attr]
    live = all_in.shadow.live
    assert live is not None
    # only live rows: an earlier labelled batch that nobody scored takes no part, and no verdict is kept that promotes
    deliver(store, rows=200, seed=4, day=9)
    assert shadow.compare(store, MODEL).shadow.live.rows == 500  # type: ignore[union-attr]
    assert store.models.verdict(MODEL, 2) is None
    with pytest.raises(Refused, match="was not challenged"):
        release.promote(store, MODEL, version=2, **WHO)


def test_rows_that_one_of_the_two_was_made_from_are_no_live_rows(store: Store) -> None:
    shadow.start(store, MODEL, version=2, **WHO)
    intake.score(store, MODEL, batch_id="b-0001")
    assert store.shadows.has(MODEL, 2, batch_id="b-0001")
    found = shadow.compare(store, MODEL)
    assert (found.rows, found.labelled_rows, found.shadow.live) == (0, 0, None)


def test_who_may_be_a_shadow(store: Store) -> None:
    with pytest.raises(NotFound, match="No version of model 'loans' was ever in shadow"):
        shadow.report(store, MODEL)
    with pytest.raises(NotFound, match="is in shadow; nothing was changed"):
        shadow.stop(store, MODEL)
    with pytest.raises(Refused, match="Version 1 of model 'loans' is the champion"):
        shadow.start(store, MODEL, version=1, **WHO)
    with pytest.raises(InvalidDefinition, match="a name and a reason"):
        shadow.start(store, MODEL, version=2, by=" ", reason="x")
    with pytest.raises(NotFound):
        shadow.start(store, MODEL, version=9, **WHO)
    with pytest.raises(NotFound):
        shadow.report(store, "lones")
    shadow.start(store, MODEL, version=2, **WHO)
    with pytest.raises(Refused, match="Version 2 of model 'loans' is in shadow already"):
        shadow.start(store, MODEL, version=2, **WHO)
    release.train(store, MODEL, estimator="logistic_regression", compute=in_process)
    with pytest.raises(Refused, match="one shadow at a time is allowed"):
        shadow.start(store, MODEL, version=3, **WHO)
    ended = shadow.stop(store, MODEL, by="Grace", reason="enough seen").shadow
    assert (ended.ended_by, ended.end_reason) == ("Grace", "enough seen")
    assert ended.ended_at is not None
    assert shadow.current(store, MODEL) is None
    intake.score(store, MODEL, batch_id=deliver(store, seed=2, day=3))
    assert store.shadows.batches(MODEL, 2) == ()
    assert shadow.start(store, MODEL, version=3, **WHO).shadow.number == 2


def test_who_put_it_there_and_took_it_away_is_in_the_audit_file(store: Store) -> None:
    shadow.start(store, MODEL, version=2, **WHO)
    shadow.stop(store, MODEL, by="Grace", reason="seen enough")
    ended, begun = store.audit.entries(MODEL)[:2]
    assert (begun.act, begun.by, begun.about["version"], begun.about["begins"]) == (Act.SHADOW, WHO["by"], 2, True)
    assert (ended.act, ended.by, ended.reason, ended.about) == (
        Act.SHADOW,
        "Grace",
        "seen enough",
        {"version": 2, "begins": False},
    )
    assert store.audit.verify().whole


def test_without_a_champion_there_is_nothing_to_be_beside(tmp_path: Path) -> None:
    with homes.home(tmp_path / "home") as opened:
        opened.policy = Policy(shap_rows=50)
        release.train(opened, MODEL, estimator="logistic_regression", compute=in_process)
        with pytest.raises(Refused, match="has no champion, so nothing is scored that version 1 could score too"):
            shadow.start(opened, MODEL, version=1, **WHO)
        with pytest.raises(NotEnough):
            intake.score(opened, MODEL, batch_id="b-0001")


def test_it_ends_by_itself_when_it_becomes_champion(store: Store) -> None:
    shadow.start(store, MODEL, version=2, **WHO)
    store.policy = replace(store.policy, auc_margin=1.0)
    release.challenge(store, MODEL, version=2)
    move = release.promote(store, MODEL, version=2, by="Grace", reason="as good")
    assert shadow.current(store, MODEL) is None
    told = shadow.report(store, MODEL).shadow
    assert (told.ended_at, told.ended_by, told.end_reason) == (move.at, "Grace", "it became champion")
    with pytest.raises(NotFound):
        shadow.stop(store, MODEL)
    # the next score writes it down; the former champion is retired and never scores beside
    intake.score(store, MODEL, batch_id=deliver(store, seed=2, day=3))
    assert store.shadows.list(MODEL)[0].end_reason == "it became champion"
    assert store.shadows.batches(MODEL, 2) == ()
    assert store.models.version(MODEL, 1).stage is Stage.RETIRED
    with pytest.raises(Refused, match="is retired; only a challenger can be in shadow"):
        shadow.start(store, MODEL, version=1, **WHO)


def test_a_score_of_the_other_class_is_turned_before_it_is_compared(store: Store) -> None:
    other = replace(modelling.schema(), schema_version=2, positive="no")
    store.models.define(other)
    version = release.train(store, MODEL, estimator="logistic_regression", compute=in_process)
    shadow.start(store, MODEL, version=version.version, **WHO)
    intake.score(store, MODEL, batch_id=deliver(store, seed=2, day=3))
    found = shadow.report(store, MODEL)
    assert isinstance(found.agreement, Measured)
    assert found.agreement.value == pytest.approx(1.0)  # the same estimator on the same rows, asked the other way round
    assert isinstance(found.mean_difference, Measured)
    assert found.mean_difference.value == pytest.approx(0.0, abs=1e-4)


def test_a_row_that_came_twice_counts_once_as_it_came_last(store: Store) -> None:
    shadow.start(store, MODEL, version=2, **WHO)
    for seed, day in ((2, 3), (2, 6)):
        intake.score(store, MODEL, batch_id=deliver(store, rows=100, seed=seed, day=day))
    found = shadow.report(store, MODEL)
    assert (found.rows, found.batches) == (100, 1)
    assert {row.batch_id for row in found.most_different} == {"b-0003"}


def test_numbers_have_no_decisions_to_agree_on(tmp_path: Path) -> None:
    with homes.home(tmp_path / "home", Task.REGRESSION) as opened:
        opened.policy = Policy(shap_rows=50)
        for estimator in ("logistic_regression", "hist_gradient_boosting"):
            release.train(opened, MODEL, estimator=estimator, compute=in_process)
        release.promote(opened, MODEL, version=1, **WHO)
        shadow.start(opened, MODEL, version=2, **WHO)
        more = modelling.rows(300, Task.REGRESSION, seed=2, day=3)
        schema = modelling.schema(Task.REGRESSION)
        intake.score(opened, MODEL, batch_id=homes.deliver(opened, schema, more).batch_id)
        found = shadow.compare(opened, MODEL)
        assert isinstance(found.agreement, NotMeasured)
        assert isinstance(found.distance, Measured)
        assert len(found.edges) == 21
        assert (sum(found.champion_bins), sum(found.shadow_bins)) == (300, 300)
        assert found.shadow.live is not None
        assert found.shadow.live.rows == 300


def test_only_the_newest_rows_are_laid_side_by_side(store: Store) -> None:
    shadow.start(store, MODEL, version=2, **WHO)
    for seed in (2, 3):
        intake.score(store, MODEL, batch_id=deliver(store, rows=100, seed=seed, day=3 * seed))
    pairs = store.shadows.pairs(MODEL, version=2, champion=1, limit=30)
    assert (pairs.num_rows, pc.unique(pairs["all_rows"]).to_pylist()) == (30, [200])
    assert pc.unique(pairs["batch_id"]).to_pylist() == ["b-0003"]


def test_a_replay_begins_without_a_shadow(store: Store) -> None:
    shadow.start(store, MODEL, version=2, **WHO)
    with store.scratch(Part(model=MODEL, version=1, batches=("b-0001",))) as scratch:
        assert scratch.shadows.list(MODEL) == ()
        intake.score(scratch, MODEL, batch_id="b-0001")
        assert scratch.shadows.batches(MODEL, 2) == ()
