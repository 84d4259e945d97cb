"""A home that cannot be opened: the screens say why, offer the ways out, and go on once it is mended."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pipeline_core.service import host
from pipeline_core.store import Store
from tests.pages.conftest import fill

PAGES = ("watch/overview.py", "watch/drift.py", "act/alerts.py", "intake/batches.py", "intake/define.py")
Visit = Callable[..., AppTest]


@pytest.fixture
def closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A filled home that nobody has open; the screens will try."""
    home = tmp_path / "home"
    with Store.open(home) as store:
        fill(store)
    monkeypatch.setenv("PIPELINE_HOME", str(home))
    host.stop()
    st.cache_resource.clear()
    yield home
    host.stop()
    st.cache_resource.clear()


@pytest.mark.parametrize(
    ("name", "content", "headline", "said"),
    [
        ("store.duckdb", b"no database at all", "The store cannot be opened", "cannot be trusted"),
        ("store.duckdb", b"", "The store cannot be opened", "is empty"),
        ("policy.toml", b"alpha = 'much'", "This cannot be done as asked", "alpha is"),
    ],
    ids=["damaged", "empty", "policy"],
)
def test_a_damaged_home_is_said_on_every_page_and_forgotten_once_it_is_mended(
    closed: Path, visit: Visit, tmp_path: Path, name: str, content: bytes, headline: str, said: str
) -> None:
    good = shutil.copytree(closed, tmp_path / "good")
    (closed / name).write_bytes(content)
    for page in PAGES:
        at = visit(page, model="loans")
        assert not at.exception
        assert [error.proto.title for error in at.error] == [headline]
        assert said in at.error[0].value.replace("\\", "")
    (closed / name).unlink()
    if (good / name).exists():
        shutil.copyfile(good / name, closed / name)
    at.switch_page(PAGES[0]).run()
    at.button(key="try_again").click().run() if at.error else None
    assert not at.error
    assert "AUC" in at.title[0].value


def test_a_home_that_another_app_owns_is_said_with_the_way_there(closed: Path, visit: Visit) -> None:
    with Store.open(closed, url="http://127.0.0.1:9", token="word"):
        at = visit()
        assert [error.proto.title for error in at.error] == ["The store is in use"]
        assert "word" not in at.error[0].value.split()
        assert [link.proto.url for link in at.get("link_button")] == ["http://127.0.0.1:9"]
    at.button(key="try_again").click().run()
    assert not at.error


def test_who_is_let_in_from_elsewhere_names_no_path_of_this_machine(
    home: Store, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert visit("intake/define.py").get_by_key("define_way").options == ["Upload a file", "A path on this machine"]
    monkeypatch.setenv("PIPELINE_HOSTS", "monitor.example")
    assert visit("intake/define.py").get_by_key("define_way").options == ["Upload a file"]


def test_the_home_of_nobody_is_not_found(home: Store, visit: Visit) -> None:
    at = visit("intake/define.py")
    at.get_by_key("define_way").set_value("path").run()
    at.text_input(key="define_path_0").set_value("~nobody-here/x.csv").run()
    assert not at.exception
    assert [error.proto.title for error in at.error] == ["Not found"]
