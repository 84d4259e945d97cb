from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from pipeline_core.records import BaselineChoice, BaselineKind, Season
from pipeline_core.store.home import Store


def choice(model: str, kind: BaselineKind) -> BaselineChoice:
    return BaselineChoice(
        model=model,
        number=0,
        kind=kind,
        season=Season.YEAR if kind is BaselineKind.SEASON else None,
        decided_by="Ada",
        decided_at=datetime(2026, 1, 2, tzinfo=UTC),
        reason="sales follow the year",
    )


def test_choices_are_numbered_by_model_and_the_newest_holds(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        assert store.choices.newest("sales") is None
        first = store.choices.add(choice("sales", BaselineKind.SEASON))
        second = store.choices.add(choice("sales", BaselineKind.PREVIOUS))
        other = store.choices.add(choice("loans", BaselineKind.TRAINING))
        assert [c.number for c in (first, second, other)] == [1, 2, 1]
    with Store.open(tmp_path) as store:
        assert store.choices.list("sales") == (second, first)
        assert store.choices.newest("sales") == second
        assert store.choices.newest("loans") == other
