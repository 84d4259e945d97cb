"""A history is replayed as if live, and the store is as it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipeline_core.errors import InvalidDefinition, NotFound
from pipeline_core.flows import compute, intake, release, watch
from pipeline_core.flows.replay import replay
from pipeline_core.flows.replayed import parse_delay
from pipeline_core.service.verbs import carry_out
from pipeline_core.store.home import Store
from tests.core.flows import watching
from tests.core.flows.watching import LATER, LEARNED, MODEL, START, STEP


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("replay")
    with Store.open(folder / "home") as opened:
        watching.champion(opened, folder)
        watching.write(folder, "history.parquet", history())
        yield opened


def history() -> pa.Table:
    return pa.concat_tables([watching.rows(0, LEARNED, seed=1), watching.rows(LEARNED, LATER, seed=2)])


def file_of(store: Store) -> Path:
    return store.home.parent / "history.parquet"


def content_of(home: Path) -> dict[str, str]:
    """Every file of the home by its content, but for what an open database keeps beside itself."""
    files = [p for p in home.rglob("*") if p.is_file() and not p.name.endswith((".wal", ".lock"))]
    return {str(p.relative_to(home)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_a_replay_says_what_a_check_would_have_said_and_touches_nothing(store: Store, tmp_path: Path) -> None:
    before, revision = content_of(store.home), store.revision
    report = replay(store, MODEL, file_of(store), window="2d", compute=compute.in_process)
    assert (content_of(store.home), store.revision) == (before, revision)
    assert report.rows == LEARNED + LATER
    assert report.replayed_rows + report.left_out.trained_rows == LEARNED + LATER
    with Store.open(tmp_path / "home") as live:
        watching.champion(live, tmp_path)
        watching.deliver(live, tmp_path)
        checked = watch.check(live, MODEL, window="2d").windows
    drifts = {w.start: w.weighted_drift for w in checked}
    told = [w for w in report.windows if w.start in drifts and w.start >= START + LEARNED * STEP]
    assert len(told) > 3
    for window in told:
        assert window.weighted_drift == pytest.approx(drifts[window.start], abs=1e-9)
    shifted = START + watching.SHIFT_FROM * STEP
    assert "income" in report.windows[-1].drifted_features
    assert any(w.alert == "page" and w.start >= shifted for w in report.windows)
    assert not any("data_drift" in w.reasons for w in report.windows if w.end <= shifted)


def test_labels_count_once_they_would_have_been_known(store: Store) -> None:
    late = replay(store, MODEL, file_of(store), window="2d", label_delay="3d", compute=compute.in_process)
    known = [
        bool(w.realised and any("value" in str(f) or hasattr(f, "value") for f in w.realised.values()))
        for w in late.windows
    ]
    assert known[1]
    assert not known[-1]
    until = START + (LEARNED + 600) * STEP
    short = replay(store, MODEL, file_of(store), window="2d", until=until.isoformat(), compute=compute.in_process)
    assert short.left_out.later_rows == LATER - 600
    assert all(w.start < until for w in short.windows)


def test_the_verb_prints_the_shape_that_was_promised(store: Store) -> None:
    answer = carry_out(
        store, "replay", MODEL, arguments={"window": "500rows"}, file=file_of(store), progress=lambda *_: None
    )
    said = json.loads(json.dumps(answer.content))
    assert answer.code == 0
    promised = {"start", "end", "rows", "alert", "reasons", "weighted_drift", "drifted_features", "top_feature", "calibrated", "realised"}  # fmt: skip
    assert all(promised <= set(window) for window in said["windows"])
    allowed = {"data_drift", "prediction_drift", "performance", "estimated_performance", "data_quality"}
    assert {reason for window in said["windows"] for reason in window["reasons"]} <= allowed


def test_what_cannot_be_replayed_is_said(store: Store, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        replay(store, "other", file_of(store), window="2d", compute=compute.in_process)
    with pytest.raises(InvalidDefinition):
        replay(store, MODEL, file_of(store), window="2d", label_delay="soon", compute=compute.in_process)
    assert parse_delay("14d", store.models.schema(MODEL)) == timedelta(days=14)
    assert parse_delay(None, store.models.schema(MODEL)) is None
    assert tmp_path.exists()


def test_windows_of_rows_that_share_a_day_are_all_told_with_the_rows_that_are_in_them(tmp_path: Path) -> None:
    day = datetime(2025, 1, 6)  # ruff: ignore[call-datetime-without-tzinfo] - event times are naive UTC

    def dated(first: int, days: list[int]) -> pa.Table:
        table = watching.rows(first, len(days), seed=first, shift_from=10**6)
        when = pa.array([day + timedelta(days=d) for d in days], pa.timestamp("us"))
        return table.set_column(table.column_names.index("when"), "when", when)

    learned = dated(0, [at // 400 for at in range(2_000)])
    later = dated(5_000, [4] * 1_000 + [5] * 1_000)
    with Store.open(tmp_path / "home") as opened:
        first = watching.write(tmp_path, "first.parquet", learned)
        intake.define(opened, MODEL, first, target="outcome", positive="yes", time="when", id="loan")
        release.train(opened, MODEL, estimator="logistic_regression", compute=compute.in_process)
        release.promote(opened, MODEL, version=1, by="test", reason="first")
        file = watching.write(tmp_path, "later.parquet", later)
        report = replay(opened, MODEL, file, window="250rows", compute=compute.in_process)
    assert report.replayed_rows == pc.sum(pc.is_valid(later["when"])).as_py() == 2_000
    # of one day, rows come by their number in their batch: the 400 rows of the hold-out after those sent for the same day
    assert [(w.rows, w.replayed_rows, (w.start - START).days + 1) for w in report.windows] == [
        *[(250, 250, 4)] * 4, (250, 100, 4), *[(250, 250, 5)] * 3, (150, 150, 5),
    ]  # fmt: skip
