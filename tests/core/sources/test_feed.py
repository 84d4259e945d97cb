"""Secrets are named and never held; settings are known and complete."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline_core.errors import InvalidDefinition, NotFound
from pipeline_core.sources import feed
from tests.core.sources.setups import setup


def check(settings: dict[str, str], secrets: dict[str, str] | None = None) -> None:
    feed.check_settings(
        "orders", settings, secrets=secrets or {}, required=("dsn", "query"), optional=("cursor", "api_key")
    )


def test_settings_that_are_known_and_complete_pass() -> None:
    check({"dsn": "postgresql://reader@db/shop", "query": "SELECT * FROM t WHERE password = 'x'", "cursor": "id"})
    check({"query": "SELECT 1"}, {"dsn": "env:SHOP_DSN", "api_key": "streamlit:shop.key"})


@pytest.mark.parametrize(
    ("settings", "secrets", "sentence"),
    [
        ({"dsn": "x", "query": "q", "curser": "id"}, {}, "no setting 'curser'. Did you mean 'cursor'"),
        ({"dsn": "x"}, {}, "needs the setting 'query'"),
        ({"dsn": "postgresql://u:hunter2@db/shop", "query": "q"}, {}, "'dsn' holds a secret.*--secret dsn=env:NAME"),
        ({"dsn": "host=db password=hunter2", "query": "q"}, {}, "'dsn' holds a secret"),
        ({"dsn": "password=hunter2 host=db", "query": "q"}, {}, "'dsn' holds a secret"),
        ({"dsn": "https://db/shop?token=hunter2", "query": "q"}, {}, "'dsn' holds a secret"),
        ({"dsn": "x", "query": "q", "api_key": "hunter2"}, {}, "'api_key' holds a secret"),
        ({"dsn": "x", "query": "q"}, {"dsn": "env:DSN"}, "both a setting and a secret"),
        ({"query": "q"}, {"dsn": "hunter2"}, "does not say where it is found"),
        ({"query": "q"}, {"dsn": "env:"}, "does not say where it is found"),
    ],
)
def test_other_settings_are_refused_without_repeating_a_secret(
    settings: dict[str, str], secrets: dict[str, str], sentence: str
) -> None:
    with pytest.raises(InvalidDefinition, match=sentence) as caught:
        check(settings, secrets)
    assert "hunter2" not in str(caught.value)


def test_secrets_are_found_in_the_environment_and_in_streamlits_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "secrets.toml"
    file.write_text('plain = "one"\n[shop]\nkey = "two"\n', encoding="utf-8")
    monkeypatch.setattr(feed, "SECRET_FILES", (tmp_path / "none.toml", file))
    references = {"a": "env:SHOP", "b": "streamlit:plain", "c": "streamlit:shop.key"}
    assert feed.revealed(references, environment={"SHOP": "three"}) == {"a": "three", "b": "one", "c": "two"}
    with pytest.raises(NotFound, match="environment variable SHOP is not set"):
        feed.revealed(references, environment={})
    with pytest.raises(NotFound, match=r"'shop.other' in .streamlit/secrets.toml is not set"):
        feed.revealed({"a": "streamlit:shop.other"})
    file.write_text("[", encoding="utf-8")
    with pytest.raises(InvalidDefinition, match="is not valid TOML"):
        feed.revealed({"a": "streamlit:plain"})


def test_what_libraries_say_is_shown_without_secrets() -> None:
    made = feed.Setup(name="o", settings={}, batch_rows=1, batch_s=1, bytes_max=1, hidden=("hunter2", "hunter2-long"))
    assert made.hide("auth hunter2-long\n and hunter2 at redis://me:pw@host failed.") == (
        "auth *** and *** at redis://***@host failed"
    )
    assert "hunter2" not in repr(made)
    assert "hunter2" not in repr(setup(dsn="hunter2"))


def test_numbers_and_defaults() -> None:
    made = setup(settle_s="0.5", bad="much")
    assert (made.number("settle_s", 2.0), made.number("other", 2.0), made.get("none", "d")) == (0.5, 2.0, "d")
    with pytest.raises(InvalidDefinition, match="bad is 'much'; a number is allowed"):
        made.number("bad", 1.0)


def test_a_library_that_is_absent_is_named() -> None:
    def load() -> object:
        raise ImportError

    with pytest.raises(NotFound, match="pip install redis"):
        feed.imported(load, package="redis")
    assert feed.imported(lambda: 7, package="redis") == 7
