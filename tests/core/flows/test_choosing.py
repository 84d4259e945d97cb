from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline_core.errors import InvalidDefinition, NotFound
from pipeline_core.flows import choosing, watch
from pipeline_core.records import BaselineKind, Season, TimeUnit
from pipeline_core.store.home import Store
from tests.core.flows import homes, watching
from tests.core.flows.watching import MODEL

SAID = {"by": "Ada", "reason": "a reason"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder: Path = tmp_path_factory.mktemp("choosing")
    with Store.open(folder / "home") as opened:
        watching.champion(opened, folder)
        watching.deliver(opened, folder)
        yield opened


def test_a_choice_holds_from_the_next_check_on_and_is_told(store: Store) -> None:
    before = watch.check(store, MODEL, window="2d")
    assert before.baseline is not None
    assert (before.baseline.number, before.baseline.decided_by) == (0, "the data")
    choice = choosing.choose(store, MODEL, kind="previous", by=" Ada ", reason="only steps matter")
    assert (choice.number, choice.kind, choice.decided_by) == (1, BaselineKind.PREVIOUS, "Ada")
    after = watch.check(store, MODEL, window="2d")
    assert after.baseline == choice
    sizes = [w.rows for w in after.windows]
    assert [w.baseline_rows for w in after.windows][2:] == sizes[1:-1]


def test_a_period_is_taken_from_accepted_rows(store: Store) -> None:
    choosing.choose(store, MODEL, kind="period", start="2025-01-13", end="2025-01-15", **SAID)
    report = watch.check(store, MODEL, window="1d")
    newest = report.windows[-1]
    assert newest.baseline_rows == 2 * watching.ROWS_A_DAY
    assert [p.rows for p in report.past] == [watching.ROWS_A_DAY] * 2
    drawn = watch.distribution(store, MODEL, feature="income", start=newest.start, end=newest.end)
    assert drawn.baseline_rows == newest.baseline_rows


def test_a_season_without_enough_rows_falls_back_to_all_of_the_training_data(store: Store) -> None:
    choosing.choose(store, MODEL, kind="season", season="weekday", **SAID)
    report = watch.check(store, MODEL, window="1d")
    assert report.baseline is not None
    assert report.baseline.season is Season.WEEKDAY
    assert all(not w.calibrated for w in report.windows)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"kind": "season"}, "A season belongs to the kind 'season'"),
        ({"kind": "training", "season": "year"}, "A season belongs to the kind 'season'"),
        ({"kind": "period", "start": "2025-01-13"}, "needs a start and a later end"),
        ({"kind": "period", "start": "2025-01-15", "end": "2025-01-13"}, "needs a start and a later end"),
        ({"kind": "previous", "start": "2025-01-15"}, "Start and end belong to the kind 'period'"),
        ({"kind": "training", "reason": " "}, "for a reason"),
        ({"kind": "seasonal"}, r"no baseline of kind 'seasonal'; .* allowed\. Did you mean 'season'"),
        ({"kind": "season", "season": "years"}, r"no season 'years'; .* allowed\. Did you mean 'year'"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_kept(store: Store, given: dict[str, str], match: str) -> None:
    kept = store.choices.list(MODEL)
    with pytest.raises(InvalidDefinition, match=match):
        choosing.choose(store, MODEL, **(SAID | given))  # type: ignore[arg-type]
    assert store.choices.list(MODEL) == kept


def test_an_unknown_model_is_named(store: Store) -> None:
    with pytest.raises(NotFound):
        choosing.choose(store, "other", kind="training", **SAID)


@pytest.mark.parametrize(("unit", "why"), [(TimeUnit.ROW, "counts rows"), (TimeUnit.NONE, "is not known")])
def test_without_a_clock_there_is_no_season(tmp_path: Path, unit: TimeUnit, why: str) -> None:
    with homes.home(tmp_path, unit=unit) as opened:
        with pytest.raises(InvalidDefinition, match=f"event time of model 'loans' {why}, so its rows have no year"):
            choosing.choose(opened, MODEL, kind="season", season="year", **SAID)
        assert choosing.choose(opened, MODEL, kind="previous", **SAID).kind is BaselineKind.PREVIOUS
