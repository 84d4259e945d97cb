"""What a closer look at rows says, from a check on; every figure of one window against what its rows hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline_core.errors import ComputeFailed
from pipeline_core.flows import watch
from pipeline_core.records import AlertLevel, Examination
from pipeline_core.store.home import Store
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
