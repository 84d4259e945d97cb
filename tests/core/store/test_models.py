"""Schemas, versions, and the champion that is moved by one hand at a time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from pipeline_core.errors import NotFound, Stale
from pipeline_core.records import Stage
from pipeline_core.store import Store
from tests.core.store import made


def stages(store: Store) -> dict[int, Stage]:
    return {v.version: v.stage for v in store.models.versions("bank")}


def test_schemas_follow_each_other(store: Store) -> None:
    assert store.models.schema("bank") == made.schema()
    with pytest.raises(Stale, match="has schema version 1; version 1 cannot"):
        store.models.define(made.schema())
    with pytest.raises(Stale):
        store.models.define(made.schema(schema_version=3))
    with pytest.raises(Stale):
        store.models.define(made.schema("new", schema_version=2))
    store.models.define(made.schema(schema_version=2, name="wage"))
    assert store.models.schema("bank").columns[0].name == "wage"
    assert store.models.schema("bank", 1).columns[0].name == "income"
    assert store.models.names() == ("bank",)
    with pytest.raises(NotFound, match="no schema version 7"):
        store.models.schema("bank", 7)
    with pytest.raises(NotFound, match=r"no model 'bamk'\. Did you mean 'bank'"):
        store.models.schema("bamk")


def test_versions_come_back_as_they_went_in(store: Store) -> None:
    assert store.models.next_version("bank") == 1
    first = made.add_version(store)
    second = made.add_version(store, content=b"better")
    assert store.models.versions("bank") == (second, first)
    assert store.models.version("bank", 1) == first
    assert store.models.next_version("bank") == 3
    assert store.models.champion("bank") is None
    with pytest.raises(NotFound, match=r"no version 7\. There are: 1, 2"):
        store.models.version("bank", 7)
    with pytest.raises(NotFound, match="no model"):
        store.models.version("bamk", 1)
    with pytest.raises(Stale, match="a version 2 by now"):
        store.models.add_version(second)
    with pytest.raises(NotFound, match="is not in"):
        store.models.add_version(made.version(3, "0" * 64))
    with pytest.raises(NotFound, match="is no SHA-256"):
        store.models.add_version(made.version(3, "../../etc/passwd"))
    with pytest.raises(NotFound, match="no model"):
        store.models.add_version(replace(second, model="bamk"))


def test_the_champion_moves_and_comes_back(store: Store) -> None:
    made.add_version(store)
    made.add_version(store)
    assert store.models.epoch("bank") == 0
    assert stages(store) == {1: Stage.CHALLENGER, 2: Stage.CHALLENGER}
    first = made.promotion(1, epoch=1, previous=None)
    store.models.apply(first)
    assert stages(store) == {1: Stage.CHAMPION, 2: Stage.CHALLENGER}
    second = made.promotion(2, epoch=2, previous=1)
    store.models.apply(second)
    assert stages(store) == {1: Stage.RETIRED, 2: Stage.CHAMPION}
    back = replace(made.promotion(1, epoch=3, previous=2), action="rollback")
    store.models.apply(back)
    assert stages(store) == {1: Stage.CHAMPION, 2: Stage.RETIRED}
    champion = store.models.champion("bank")
    assert champion is not None
    assert champion.version == 1
    assert store.models.promotions("bank") == (back, second, first)
    assert store.models.epoch("bank") == 3


@pytest.mark.parametrize(("epoch", "previous"), [(1, 1), (3, 1), (2, None), (2, 2)])
def test_a_move_made_on_an_old_view_is_stale(store: Store, epoch: int, previous: int | None) -> None:
    made.add_version(store)
    made.add_version(store)
    store.models.apply(made.promotion(1, epoch=1, previous=None))
    with pytest.raises(Stale, match="moved by somebody else"):
        store.models.apply(made.promotion(2, epoch=epoch, previous=previous))
    assert stages(store) == {1: Stage.CHAMPION, 2: Stage.CHALLENGER}
    assert len(store.models.promotions("bank")) == 1


def test_a_move_needs_a_version(store: Store) -> None:
    with pytest.raises(NotFound, match="no version 1"):
        store.models.apply(made.promotion(1, epoch=1, previous=None))
    with pytest.raises(NotFound):
        store.models.epoch("bamk")


def test_of_eight_hands_one_moves_the_champion(store: Store) -> None:
    for _ in range(9):
        made.add_version(store)
    store.models.apply(made.promotion(9, epoch=1, previous=None))
    previous = 9
    for epoch in range(2, 12):
        together = threading.Barrier(8)

        def promote(
            number: int, epoch: int = epoch, previous: int = previous, gate: threading.Barrier = together
        ) -> bool:
            gate.wait(10)
            try:
                store.models.apply(made.promotion(number, epoch=epoch, previous=previous, by=f"hand {number}"))
            except Stale:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            won = [n for n, moved in zip(range(1, 9), pool.map(promote, range(1, 9)), strict=True) if moved]
        champion = store.models.champion("bank")
        assert champion is not None
        assert won == [champion.version]
        assert store.models.promotions("bank")[0].by == f"hand {champion.version}"
        assert list(stages(store).values()).count(Stage.CHAMPION) == 1
        previous = champion.version
    assert store.models.epoch("bank") == 11


def test_verdicts_newest_first(store: Store) -> None:
    made.add_version(store)
    first, second, third = made.verdict(1, "w-1"), made.verdict(2, "w-2"), made.verdict(1, "w-3")
    for verdict in (first, second, third):
        store.models.add_verdict(verdict)
    assert store.models.verdicts("bank") == (third, second, first)
    assert store.models.verdict("bank", 1) == third
    assert store.models.verdict("bank", 3) is None
    with pytest.raises(NotFound):
        store.models.add_verdict(made.verdict(1, "w-4", model="bamk"))
