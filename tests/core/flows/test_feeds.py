"""A source is set up once and run often: what it brings is kept once, in order, and what stops it is said."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline_core.errors import Doubtful, InvalidDefinition, NotFound, PipelineError, Stale, Unreadable
from pipeline_core.flows import arrival, feeds
from pipeline_core.records import BatchReport, BatchStatus, Feed, FeedKind, Reading
from pipeline_core.store import Store
from tests.core.store import made


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "home", clock=lambda: made.day(10)) as opened:
        opened.models.define(made.schema())
        yield opened


@pytest.fixture
def kept(store: Store, monkeypatch: pytest.MonkeyPatch) -> list[arrival.Arrived]:
    """Stand in for the door: everything is kept, unless its content says otherwise."""
    received: list[arrival.Arrived] = []

    def accept(_store: Store, model: str, arrived: arrival.Arrived, **_: object) -> BatchReport:
        text = arrived.path.read_bytes()
        if b"doubt" in text:
            raise Doubtful("'dates' can be read in two ways. Say --date-order dmy or mdy.")
        if b"bug" in text:
            raise ZeroDivisionError
        duplicate = any(arrived.sha256 == other.sha256 for other in received)
        with store.transaction():
            store.feeds.advance(*arrived.advance)  # type: ignore[misc]
        received.append(arrived)
        return BatchReport(
            model=model,
            batch_id=f"b-{len(received):04d}",
            status=BatchStatus.QUARANTINED if b"bad" in text else BatchStatus.ACCEPTED,
            rows=10,
            sha256=arrived.sha256,
            source=arrived.source,
            received_at=arrived.received_at,
            findings=(),
            duplicate=duplicate,
        )

    monkeypatch.setattr(arrival, "accept", accept)
    return received


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def folder(root: Path, **changes: Any) -> Feed:
    plain = Feed(
        name="orders",
        model="bank",
        kind=FeedKind.FOLDER,
        settings={"root": str(root), "settle_s": "0"},
        reading=Reading(date_order="dmy"),
        added_at=made.day(1),
    )
    return replace(plain, **changes)


def put(root: Path, **files: str) -> None:
    for name, content in files.items():
        (root / f"{name}.csv").write_text(content, encoding="utf-8")


def test_a_run_hands_every_file_to_the_door_with_its_place(
    store: Store, kept: list[arrival.Arrived], root: Path
) -> None:
    feeds.add_source(store, folder(root))
    put(root, a="1")
    put(root, b="bad")
    put(root, c="1")
    told: list[str] = []
    report = feeds.run_source(store, "orders", progress=lambda _share, text: told.append(text))
    assert (report.batches, report.rows, report.quarantined, report.duplicates) == (("b-0001", "b-0002"), 20, 1, 1)
    assert (report.stopped, report.errors) == ("caught up", ())
    assert [a.source for a in kept] == ["orders: a.csv", "orders: b.csv", "orders: c.csv"]
    assert kept[0].reading == Reading(date_order="dmy")
    assert told == ["10 rows in 1 batches", "20 rows in 2 batches", "20 rows in 2 batches"]
    state = store.feeds.state("orders")
    assert set(json.loads(state.cursor or "")["files"]) == {"a.csv", "b.csv", "c.csv"}
    assert (state.last_run_at, state.last_error, state.deliveries) == (made.day(10), None, 3)
    assert feeds.run_source(store, "orders").batches == ()
    assert list((store.home / "work").iterdir()) == []


def test_a_file_that_cannot_be_read_does_not_stop_the_others(
    store: Store, kept: list[arrival.Arrived], root: Path
) -> None:
    feeds.add_source(store, folder(root))
    put(root, a="doubt")
    put(root, b="1")
    report = feeds.run_source(store, "orders")
    assert (report.batches, report.rows) == (("b-0001",), 10)
    assert report.errors == ("orders: a.csv: 'dates' can be read in two ways. Say --date-order dmy or mdy.",)
    assert store.feeds.state("orders").last_error == report.errors[0]
    put(root, a="2")
    assert feeds.run_source(store, "orders").errors == ()
    assert [a.source for a in kept] == ["orders: b.csv", "orders: a.csv"]
    assert store.feeds.state("orders").last_error is None


def test_a_portion_that_cannot_be_read_stops_its_source_there(
    store: Store, kept: list[arrival.Arrived], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.execute("CREATE TABLE t (id INTEGER, name TEXT)")
        connection.executemany("INSERT INTO t VALUES (?, ?)", [(1, "a"), (2, "b"), (3, "c")])
    connection.close()
    monkeypatch.setenv("SHOP", f"sqlite:///{tmp_path}/shop.db")
    database = folder(tmp_path, kind=FeedKind.DATABASE, settings={"query": "SELECT * FROM t", "cursor": "id"})
    feeds.add_source(store, replace(database, secrets={"dsn": "env:SHOP"}, batch_rows=1))
    plain = arrival.accept

    def second_fails(store: Store, model: str, arrived: arrival.Arrived, **_: object) -> BatchReport:
        if len(kept) == 1:
            raise Unreadable("This cannot be read.")
        return plain(store, model, arrived)

    monkeypatch.setattr(arrival, "accept", second_fails)
    with pytest.raises(Unreadable, match="This cannot be read"):
        feeds.run_source(store, "orders")
    state = store.feeds.state("orders")
    assert (state.cursor, state.last_error) == ('{"after": 1}', "The file cannot be read. This cannot be read.")
    monkeypatch.setattr(arrival, "accept", plain)
    assert feeds.run_source(store, "orders", most=1).stopped == "after 1 files, as asked; the next run goes on"
    assert feeds.run_source(store, "orders").rows == 10
    assert [a.source for a in kept] == [
        "orders: id from the beginning to 1", "orders: id after 1 to 2", "orders: id after 2 to 3",
    ]  # fmt: skip


def test_a_secret_that_is_absent_is_said_and_noted(
    store: Store, kept: list[arrival.Arrived], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SHOP", raising=False)
    database = folder(Path(), kind=FeedKind.DATABASE, settings={"query": "SELECT 1"}, secrets={"dsn": "env:SHOP"})
    feeds.add_source(store, database)
    with pytest.raises(NotFound, match="environment variable SHOP is not set"):
        feeds.run_source(store, "orders")
    assert "SHOP is not set" in str(store.feeds.state("orders").last_error)


def test_a_bug_is_not_swallowed_and_the_source_can_run_again(
    store: Store, kept: list[arrival.Arrived], root: Path
) -> None:
    feeds.add_source(store, folder(root))
    put(root, a="bug")
    with pytest.raises(ZeroDivisionError):
        feeds.run_source(store, "orders")
    state = store.feeds.get("orders").state
    assert state.last_run_at == made.day(10)  # else it would be due again at once, before all others
    assert state.last_error == "An unexpected error (ZeroDivisionError); the log of the app has the details."
    put(root, a="1")
    assert feeds.run_source(store, "orders").rows == 10


def test_files_that_cannot_be_read_do_not_use_up_the_most(
    store: Store, kept: list[arrival.Arrived], root: Path
) -> None:
    feeds.add_source(store, folder(root))
    put(root, a="doubt", b="doubt", c="1", d="2")
    report = feeds.run_source(store, "orders", most=1)
    assert (report.rows, len(report.errors)) == (10, 2)
    assert [a.source for a in kept] == ["orders: c.csv"]
    assert feeds.run_source(store, "orders", most=1).rows == 10


def test_one_run_at_a_time(store: Store, kept: list[arrival.Arrived], root: Path) -> None:
    feeds.add_source(store, folder(root))
    with store.feeds.running("orders"), pytest.raises(Stale, match="is running already"):
        feeds.run_source(store, "orders")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": "a b"}, "'a b' cannot name a source"),
        ({"name": ""}, "cannot name a source"),
        ({"settings": {}}, "needs the setting 'root'"),
        ({"settings": {"root": "/x", "stream": "s"}}, "no setting 'stream'"),
        ({"batch_rows": 0}, "batch_rows is 0"),
        ({"batch_s": 0.0}, "batch_s 0,"),
        ({"every_s": 0}, "every_s 0;"),
        ({"settings": {"root": "/x", "glob": "**.csv"}}, "glob '\\*\\*.csv' is no pattern"),
        ({"kind": FeedKind.URL, "settings": {"url": "http://[x/a"}}, "its url is not allowed"),
    ],
)
def test_what_cannot_be_a_source_is_refused(store: Store, root: Path, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidDefinition, match=sentence):
        feeds.add_source(store, folder(root, **changes))
    assert feeds.list_sources(store) == ()


def test_a_source_needs_its_model_and_a_free_name(store: Store, root: Path) -> None:
    with pytest.raises(NotFound, match="bonk"):
        feeds.add_source(store, folder(root, model="bonk"))
    feeds.add_source(store, folder(root))
    with pytest.raises(InvalidDefinition, match="already here"):
        feeds.add_source(store, folder(root))
    assert [s.feed.name for s in feeds.list_sources(store, "bank")] == ["orders"]
    assert feeds.remove_source(store, "orders") == folder(root)
    assert feeds.list_sources(store) == ()


def test_changes_leave_the_place(store: Store, kept: list[arrival.Arrived], root: Path) -> None:
    feeds.add_source(store, folder(root))
    put(root, a="1")
    feeds.run_source(store, "orders")
    place = store.feeds.state("orders").cursor
    changed = feeds.change_source(store, "orders", reading=Reading(decimal=","), enabled=False, every_s=60)
    assert (changed.reading, changed.enabled, changed.every_s) == (Reading(decimal=","), False, 60)
    assert feeds.change_source(store, "orders", every_s=0).every_s is None
    assert feeds.change_source(store, "orders", settings={"settle_s": "1"}).settings["settle_s"] == "1"
    assert "settle_s" not in feeds.change_source(store, "orders", settings={"settle_s": ""}).settings
    assert store.feeds.state("orders").cursor == place
    with pytest.raises(InvalidDefinition, match="'orders': glob, root says what is read"):
        feeds.change_source(store, "orders", settings={"root": "/x", "glob": "*"})
    with pytest.raises(InvalidDefinition, match="every_s -5"):
        feeds.change_source(store, "orders", every_s=-5)


def test_due_are_those_whose_time_has_come(store: Store, root: Path) -> None:
    for name, every_s in (("never", None), ("hourly", 3_600), ("daily", 86_400), ("off", 1), ("new", 1)):
        feeds.add_source(store, folder(root, name=name, every_s=every_s, enabled=name != "off"))
    hours_ago = {"hourly": 2, "daily": 20, "off": 1_000}
    for name, hours in hours_ago.items():
        store.feeds.ran(name, at=made.day(10) - timedelta(hours=hours))
    assert [feed.name for feed in feeds.due_sources(store)] == ["new", "hourly"]


def test_a_sample_is_fetched_and_nothing_is_kept(store: Store, root: Path, tmp_path: Path) -> None:
    assert feeds.sample(store, folder(root), to=tmp_path) is None
    put(root, a="1")
    fetched = feeds.sample(store, folder(root), to=tmp_path)
    assert fetched is not None
    assert fetched.path.read_text(encoding="utf-8") == "1"
    assert feeds.list_sources(store) == ()
    with pytest.raises(PipelineError, match="no setting"):
        feeds.sample(store, folder(root, settings={"rood": "x"}), to=tmp_path)


@pytest.mark.parametrize("kind", FeedKind)
def test_every_kind_is_documented_with_its_settings(kind: FeedKind) -> None:
    text = (Path(__file__).resolve().parents[3] / "docs" / "sources.md").read_text(encoding="utf-8")
    section = text.split(f"## {kind.value}\n", 1)[1].split("\n## ", 1)[0]
    for setting in (*feeds.KINDS[kind].required, *feeds.KINDS[kind].optional):
        assert f"| `{setting}` |" in section
