"""The room of the sources: kept, found, moved together with what they bring."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline_core.errors import InvalidDefinition, NotFound, Stale
from pipeline_core.records import Feed, FeedKind, FeedState, Reading
from pipeline_core.store import Store
from tests.core.store import made


def feed(name: str = "orders", **changes: object) -> Feed:
    plain = Feed(
        name=name,
        model="bank",
        kind=FeedKind.FOLDER,
        settings={"root": "/srv/in", "glob": "*.csv"},
        secrets={"token": "env:TOKEN"},
        reading=Reading(encoding="cp949", nulls=("-200",)),
        every_s=60,
        added_at=made.DAY,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def test_what_is_kept_is_found_again(store: Store) -> None:
    store.feeds.keep(feed())
    store.feeds.keep(feed("arrivals"))
    assert [s.feed for s in store.feeds.list()] == [feed("arrivals"), feed()]
    assert [s.feed.name for s in store.feeds.list("bank")] == ["arrivals", "orders"]
    assert store.feeds.list("other") == ()
    assert store.feeds.state("orders") == FeedState(name="orders")


def test_a_source_outlives_the_process(tmp_path: Path) -> None:
    with Store.open(tmp_path) as first:
        first.models.define(made.schema())
        first.feeds.keep(feed())
        first.feeds.advance("orders", '{"a": 1}', rows=20)
    with Store.open(tmp_path) as second:
        assert second.feeds.get("orders").feed == feed()
        assert second.feeds.state("orders") == FeedState(name="orders", cursor='{"a": 1}', deliveries=1, rows=20)


def test_changed_settings_keep_the_place(store: Store) -> None:
    store.feeds.keep(feed())
    store.feeds.advance("orders", "here")
    store.feeds.keep(feed(enabled=False))
    status = store.feeds.get("orders")
    assert (status.feed.enabled, status.state.cursor) == (False, "here")


@pytest.mark.parametrize(("changes", "new"), [({}, True), ({"model": "loans"}, False), ({"kind": FeedKind.URL}, False)])
def test_a_taken_name_is_refused(store: Store, changes: dict[str, object], new: bool) -> None:
    store.feeds.keep(feed())
    with pytest.raises(InvalidDefinition, match="'orders' \\(folder, for model 'bank'\\) is already here"):
        store.feeds.keep(feed(**changes), new=new)


def test_the_place_moves_with_the_batch_or_not_at_all(store: Store) -> None:
    store.feeds.keep(feed())
    with pytest.raises(ZeroDivisionError), store.transaction():
        store.feeds.advance("orders", "there", rows=3)
        raise ZeroDivisionError
    assert store.feeds.state("orders") == FeedState(name="orders")


def test_a_source_removed_during_its_run_brings_nothing_more(store: Store) -> None:
    store.feeds.keep(feed())
    assert store.feeds.remove("orders") == feed()
    with pytest.raises(NotFound, match="'orders' any more"):
        store.feeds.advance("orders", "there")
    with pytest.raises(NotFound, match=r"no source 'orders'. There are none yet"):
        store.feeds.remove("orders")
    store.feeds.ran("orders", at=made.DAY)  # the run that ends after it was removed


def test_a_source_added_anew_keeps_its_own_place(store: Store) -> None:
    store.feeds.keep(feed())
    with store.feeds.running("orders"):
        store.feeds.remove("orders")
        store.feeds.keep(feed(added_at=made.day(3)))
        with pytest.raises(NotFound, match="'orders' any more"):
            store.feeds.advance("orders", "there", rows=3)
        store.feeds.ran("orders", at=made.day(4), error="of the other one")
    assert store.feeds.get("orders").state == FeedState(name="orders")
    with store.feeds.running("orders"):
        store.feeds.keep(feed(added_at=made.day(3), enabled=False))
        store.feeds.advance("orders", "there")
    assert store.feeds.get("orders").state.cursor == "there"


def test_what_a_source_brought_and_nobody_scored_is_named(store: Store) -> None:
    with store.transaction():
        store.feeds.keep(feed())
        for number, source in enumerate(("orders: a.csv", "orders: b.csv", "orders2: c.csv", "a.csv"), start=1):
            with store.work_dir() as work:
                told = replace(made.report(f"b-{number:04d}", 1, source.encode()), source=source)
                store.batches.add(told, rows=made.file(made.typed_rows([source]), work))
    made.add_version(store)
    assert store.feeds.unscored(feed(), version=1, since=made.DAY) == ("b-0001", "b-0002")
    assert store.feeds.unscored(feed(), version=1, since=made.day(1)) == ()
    store.signals.add_predictions(
        "bank", 1, batch_id="b-0001", predictions=made.predicted(made.typed_rows(["orders: a.csv"]))
    )
    assert store.feeds.unscored(feed(), version=1, since=made.DAY) == ("b-0002",)


def test_what_went_wrong_is_kept_until_the_next_run(store: Store) -> None:
    store.feeds.keep(feed())
    store.feeds.ran("orders", at=made.day(1), error="The folder is gone.")
    state = store.feeds.state("orders")
    assert (state.last_run_at, state.last_error) == (made.day(1), "The folder is gone.")
    store.feeds.ran("orders", at=made.day(2))
    assert store.feeds.state("orders").last_error is None


def test_one_run_at_a_time(store: Store) -> None:
    store.feeds.keep(feed())
    with store.feeds.running("orders") as status:
        assert status.feed == feed()
        with pytest.raises(Stale, match="running already"), store.feeds.running("orders"):
            pass
    with store.feeds.running("orders"):
        pass
    with pytest.raises(NotFound), store.feeds.running("other"):
        pass
    store.feeds.keep(feed("other"))
    with store.feeds.running("other"):
        pass


def test_sources_go_with_their_model(store: Store) -> None:
    store.feeds.keep(feed())
    store.models.remove("bank")
    assert store.feeds.list() == ()
