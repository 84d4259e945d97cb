"""What a closer look at rows says, from a check on; every figure of one window against what its rows hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline_core.errors import ComputeFailed
from pipeline_core.flows import choosing, compute, looking, watch
from pipeline_core.flows.looking import ExamineRequest, Look
from pipeline_core.policy import Policy
from pipeline_core.records import AlertLevel, Examination
from pipeline_core.store.home import Store
from tests.core import modelling
from tests.core.flows import watching
from tests.core.flows.watching import MODEL


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder: Path = tmp_path_factory.mktemp("examining")
    with Store.open(folder / "home") as opened:
        watching.champion(opened, folder)
        watching.deliver(opened, folder)
        yield opened


def looked(store: Store) -> Examination:
    found = watch.check(store, MODEL, window="2d").windows
    newest = [w for w in found if w.rows >= store.policy.window_rows_min][-1]
    assert newest.examined is not None
    return newest.examined


def test_a_drifted_feature_has_an_impact_and_the_other_columns_are_asked(store: Store) -> None:
    found = looked(store)
    assert found.rows >= store.policy.window_rows_min
    assert found.baseline_rows == store.models.version(MODEL, 1).dataset.fit_rows
    assert found.impacts[0].feature == "income"
    assert 0 < found.impacts[0].mean_change < 1
    assert found.joint is not None
    assert found.fault_loss is not None
    assert found.coherence is not None
    assert found.coherence.feature == "income"
    assert found.domain is not None
    assert found.domain.drifted
    assert next(iter(found.domain.features)) == "income"
    assert "c0" not in found.domain.reason
    assert sum(now for _, now in found.attributions.values()) == pytest.approx(1)
    assert set(found.attributions) == {"income", "age", "plan"}


def test_only_the_newest_and_what_alerts_is_looked_at_and_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    windows = watch.check(store, MODEL, window="2d").windows
    newest = max(place for place, w in enumerate(windows) if w.rows)
    for place, window in enumerate(windows):
        loud = window.alert is not AlertLevel.NONE
        assert (window.examined is not None) == (loud or place == newest)

    def never(*_: object, **__: object) -> object:
        raise AssertionError("the kept answer was not used")

    monkeypatch.setattr(watch, "LOOKS", never)
    assert watch.check(store, MODEL, window="2d").windows == windows


def test_a_look_that_fails_costs_nothing_else(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> object:
        raise ComputeFailed("The child was killed.")

    monkeypatch.setattr(watch, "LOOKS", broken)
    windows = watch.check(store, MODEL, window="300rows").windows
    said = [w.examined for w in windows if w.examined is not None and w.rows >= store.policy.window_rows_min]
    assert said
    assert {e.reason for e in said} == {"The child was killed."}
    assert any(f.drifted for w in windows for f in w.features)


def test_a_version_of_before_samples_says_so(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    champion = store.models.champion(MODEL)
    assert champion is not None
    monkeypatch.setattr(store.models, "champion", lambda _: replace(champion, reference_sha256=""))
    windows = watch.check(store, MODEL, window="500rows").windows
    said = {w.examined.reason for w in windows if w.examined is not None and w.rows >= store.policy.window_rows_min}
    assert said == {"the version was trained before a sample of its fitted rows was kept; train a new one"}


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Store]:
    with Store.open(watching.copied(tmp_path)) as opened:
        yield opened


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Look]:
    """What was looked at, in this process."""
    looks: list[Look] = []

    def noted(step: Any, request: ExamineRequest, **options: Any) -> Any:
        looks.extend(request.looks)
        return compute.in_process(step, request, **options)

    monkeypatch.setattr(watch, "LOOKS", noted)
    return looks


def again(store: Store, asked: list[Look], window: str = "2d") -> int:
    """Check again, and say how many windows were looked at."""
    asked.clear()
    watch.check(store, MODEL, window=window)
    return len(asked)


def test_a_look_by_another_baseline_or_policy_is_a_new_one(own: Store, asked: list[Look]) -> None:
    first = again(own, asked)
    assert first > 1
    assert again(own, asked) == 0
    own.policy = replace(own.policy, segment_effect_min=0.3)
    assert again(own, asked) == first
    own.policy = replace(own.policy, label_share_min=0.5)  # no look asks for it
    assert again(own, asked) == 0
    choosing.choose(own, MODEL, kind="period", start="2025-01-06", end="2025-01-14", by="Ada", reason="a reason")
    assert again(own, asked) > 1
    assert all(look.against for look in asked)
    assert again(own, asked) == 0


def test_what_failed_is_looked_at_again(own: Store, asked: list[Look], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> object:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(looking.domain, "domain_test", broken)
        first = again(own, asked)
    assert first > 1
    assert again(own, asked) == first
    assert again(own, asked) == 0


def test_segments_have_the_rows_of_the_whole_window(
    own: Store, asked: list[Look], monkeypatch: pytest.MonkeyPatch
) -> None:
    own.policy = replace(own.policy, examined_rows_max=250)
    told: list[tuple[int, int]] = []

    def segments(window: pd.DataFrame, *_: object, rows: int, **__: object) -> tuple[()]:
        told.append((len(window), rows))
        return ()

    monkeypatch.setattr(looking.segments, "segment_drift", segments)
    windows = {w.start: w for w in watch.check(own, MODEL, window="7d").windows}
    assert told == [(250, windows[look.start].rows) for look in asked]
    assert min(rows for _, rows in told) > 250


def test_a_column_may_be_called_as_the_id_of_another_one() -> None:
    schema = modelling.schema()
    columns = tuple(replace(c, name="c002") if c.column_id == "c001" else c for c in schema.columns)
    random = np.random.default_rng(1)

    def draw(rows: int, shift: float) -> pd.DataFrame:
        moved = random.normal(size=rows) + shift
        return pd.DataFrame({"c001": moved, "c002": 0.7 * moved + random.normal(size=rows)})

    request: Any = SimpleNamespace(schema=replace(schema, columns=columns), policy=Policy())
    found = looking._coherence(request, (draw(2_000, 0.7), draw(5_000, 0.0)), ["c001"], ["c001", "c002"])
    assert found is not None
    assert (found.feature, found.origin) == ("c002", "population_shift")
    assert "with 'c002'" in found.reason
