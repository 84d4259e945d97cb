"""The page "Sources": empty, adding by kind, a look before, one source in full, and through its buttons."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copy

import pytest
from streamlit.testing.v1 import AppTest

from pages.intake import feedform, feedwords
from pipeline_core.flows import feeds
from pipeline_core.records import Feed, FeedKind, FeedReport, FeedState, FeedStatus
from pipeline_core.store.home import Store
from tests.pages import loans

PAGE = "intake/sources.py"
NOW = datetime(2025, 3, 3, 12, tzinfo=UTC)
Visit = Callable[..., AppTest]


def folder(store: Store, root: Path, name: str = "inbox", **changes: object) -> Feed:
    """Add a source that watches a folder."""
    root.mkdir(exist_ok=True)
    settings = {"root": str(root), "settle_s": "0"}
    feed = Feed(name=name, model=loans.MODEL, kind=FeedKind.FOLDER, settings=settings, added_at=store.now())
    return feeds.add_source(store, replace(feed, **changes))


def test_without_a_model_it_leads_to_the_definition(home: Store, visit: Visit) -> None:
    at = visit(PAGE)
    assert not at.exception
    assert at.button(key="empty_go").label == "Define a model"


def test_without_a_source_the_form_is_there_and_adds_one(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "defined")
    (tmp_path / "in").mkdir()
    at = visit(PAGE)
    assert "Nothing comes by itself for **loans** yet" in at.title[0].value
    at.text_input(key="feed_name_0").set_value("inbox")
    at.text_input(key="feed_folder_root_0").set_value(str(tmp_path / "in"))
    at.selectbox(key="feed_every_0").select(3_600)
    at.button(key="feed_add").click().run()
    assert not at.exception
    kept = home.feeds.get("inbox").feed
    assert (kept.model, kept.kind, kept.settings, kept.secrets, kept.every_s) == (
        "loans", FeedKind.FOLDER, {"root": str(tmp_path / "in")}, {}, 3_600,
    )  # fmt: skip
    assert at.query_params["source"] == "inbox"
    assert "**inbox** (folder, every hour) has **not run yet**." in at.title[0].value


def test_a_secret_is_taken_by_name_and_never_in_the_clear(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "defined")
    at = visit(PAGE)
    at.get_by_key("feed_kind").set_value(FeedKind.DATABASE).run()
    at.text_input(key="feed_name_0").set_value("orders")
    at.text_input(key="feed_database_dsn_0").set_value("postgresql://ada:geheim@db/shop")
    at.text_area(key="feed_database_query_0").set_value("SELECT 1")
    at.button(key="feed_add").click().run()
    assert not at.exception
    assert "holds a secret" in at.error[0].value
    assert "geheim" not in loans.said(at)
    assert home.feeds.list() == ()
    at.text_input(key="feed_database_dsn_0").set_value("env:SHOP_DSN")
    at.button(key="feed_add").click().run()
    assert not at.exception
    kept = home.feeds.get("orders").feed
    assert (kept.settings, kept.secrets) == ({"query": "SELECT 1"}, {"dsn": "env:SHOP_DSN"})


def test_a_look_shows_the_first_rows_and_keeps_nothing(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "defined")
    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.execute("CREATE TABLE loans (loan_id TEXT, amount REAL)")
        database.execute("INSERT INTO loans VALUES ('=1+1', 2.5)")
    database.close()
    at = visit(PAGE)
    at.get_by_key("feed_kind").set_value(FeedKind.DATABASE).run()
    at.text_input(key="feed_name_0").set_value("shop")
    at.text_input(key="feed_database_dsn_0").set_value(f"sqlite:///{tmp_path / 'shop.db'}")
    at.text_area(key="feed_database_query_0").set_value("SELECT * FROM loans")
    at.button(key="feed_look").click().run()
    assert not at.exception
    assert "1 row looked at, 2 columns. Read as **Parquet**." in loans.said(at)
    assert at.dataframe[0].value.to_dict("records") == [{"loan_id": "'=1+1", "amount": 2.5}]
    assert home.feeds.list() == ()
    assert len(home.batches.list(loans.MODEL)) == 1


def test_how_its_files_are_read_is_asked_and_kept_with_the_source(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "defined")
    feed = folder(home, tmp_path / "in")
    (tmp_path / "in" / "day.csv").write_text("when;amount\n" + "01/02/2025;2,5\n" * 50, encoding="utf-8")
    at = visit(PAGE, source=feed.name)
    at.button(key="feed_try").click().run()
    assert not at.exception
    assert "feed_keep" not in [b.key for b in at.button]
    at.radio(key="feed_ask_date_order").set_value("mdy").run()
    assert not at.exception
    at.button(key="feed_keep").click().run()
    assert not at.exception
    assert home.feeds.get("inbox").feed.reading.date_order == "mdy"


def test_a_run_receives_what_is_there_and_links_to_it(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "defined")
    feed = folder(home, tmp_path / "in")
    copy(loans.file(tmp_path, 1), tmp_path / "in")
    at = visit(PAGE, source=feed.name)
    assert "No batch came by it yet." in loans.said(at)
    at.button(key="feed_run").click().run()
    assert not at.exception
    assert "**inbox** brought 1 batch with 500 rows." in loans.said(at)
    assert "**b-0002** · loans\\-1\\.csv · 500 rows" in loans.said(at)
    assert "works: last run just now; 1 delivery with 500 rows so far." in at.title[0].value
    at.button(key="feed_run").click().run()
    assert "**inbox** brought nothing new" in loans.said(at)
    assert len(home.batches.list(loans.MODEL)) == 2


def test_a_run_that_fails_says_why_here_and_in_the_list(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "defined")
    feed = folder(home, tmp_path / "in")
    (tmp_path / "in").rmdir()
    at = visit(PAGE, source=feed.name)
    at.button(key="feed_run").click().run()
    assert not at.exception
    assert at.error
    at.button(key="feed_back").click().run()
    assert "**1 failed** at the last run (inbox)" in at.title[0].value
    assert "**inbox**: " in at.error[0].value
    assert [list(s) for s in at.dataframe[0].value["State"]] == [["failed"]]


def test_it_is_paused_resumed_and_given_another_pace(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "defined")
    feed = folder(home, tmp_path / "in", every_s=60)
    at = visit(PAGE, source=feed.name)
    at.button(key="feed_pause").click().run()
    assert home.feeds.get("inbox").feed.enabled is False
    assert "is **paused**" in at.title[0].value
    at.button(key="feed_pause").click().run()
    assert home.feeds.get("inbox").feed.enabled is True
    at.selectbox(key="feed_pace_inbox").select(0).run()
    assert not at.exception
    assert home.feeds.get("inbox").feed.every_s is None


def test_it_is_removed_after_a_question_and_its_batches_stay(home: Store, visit: Visit, tmp_path: Path) -> None:
    loans.take(home, tmp_path, "defined")
    feed = folder(home, tmp_path / "in")
    copy(loans.file(tmp_path, 1), tmp_path / "in")
    feeds.run_source(home, feed.name)
    at = visit(PAGE, source=feed.name)
    at.button(key="feed_remove").click().run()
    assert len(home.feeds.list()) == 1
    at.button(key="confirm_feed_remove_yes").click().run()
    assert not at.exception
    assert home.feeds.list() == ()
    assert len(home.batches.list(loans.MODEL)) == 2
    assert "source" not in at.query_params


def test_a_picked_row_opens_the_source_and_an_unknown_one_names_the_nearest(
    home: Store, visit: Visit, tmp_path: Path
) -> None:
    loans.take(home, tmp_path, "defined")
    folder(home, tmp_path / "in")
    at = visit(PAGE)
    assert "**1 source** for **loans**; none failed at the last run." in at.title[0].value
    at.session_state["feeds_0"] = {"selection": {"rows": [0], "columns": [], "cells": []}}
    at.run()
    assert at.query_params["source"] == "inbox"
    at = visit(PAGE, source="inbax")
    assert not at.exception
    assert "There is no source inbax here. Did you mean 'inbox'?" in at.title[0].value.replace("\\", "")


def test_people_elsewhere_are_not_offered_the_folders_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    assert feedform.kinds() == list(FeedKind)
    monkeypatch.setattr(feedform, "allowed_hosts", lambda: frozenset({"monitor.example.org"}))
    assert feedform.kinds() == [FeedKind.DATABASE, FeedKind.URL, FeedKind.KAFKA, FeedKind.REDIS]


def test_every_setting_of_a_kind_has_a_field() -> None:
    for kind, known in feeds.KINDS.items():
        assert {field.setting for field in feedwords.FIELDS[kind]} == {*known.required, *known.optional}, kind


def test_what_a_run_brought_is_a_sentence() -> None:
    run = FeedReport(
        name="a_b", model="loans", batches=("b-0002", "b-0003"), rows=1_000, quarantined=1, stopped="caught up"
    )
    assert feedwords.ran(run) == (
        "**a\\_b** brought 2 batches with 1,000 rows; **1 quarantined**.", feedwords.State.WATCH,
    )  # fmt: skip
    run = FeedReport(name="a", model="loans", duplicates=2, stopped="caught up", notes=("One file waits.",))
    assert feedwords.ran(run)[0] == "**a** brought nothing new; 2 deliveries known already. One file waits\\."


@pytest.mark.parametrize(
    ("seconds", "said"), [(5, "just now"), (60, "1 min ago"), (600, "10 min ago"), (3 * 3_600 + 60, "3 h 1 min ago")]
)
def test_how_long_ago_a_run_was(seconds: int, said: str) -> None:
    assert feedwords.ago(NOW - timedelta(seconds=seconds), NOW) == said


def test_the_state_of_a_source_is_its_last_run_unless_it_is_paused() -> None:
    feed = Feed(name="a", model="m", kind=FeedKind.REDIS, added_at=NOW)
    failed = FeedState(name="a", last_run_at=NOW, last_error="No answer.")
    assert feedwords.word(FeedStatus(feed=feed, state=FeedState(name="a"))) == "not run yet"
    assert feedwords.word(FeedStatus(feed=feed, state=failed)) == "failed"
    assert feedwords.word(FeedStatus(feed=replace(feed, enabled=False), state=failed)) == "paused"
