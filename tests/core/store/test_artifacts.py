"""Model files by their hash."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pipeline_core.errors import NotFound, Unreadable
from pipeline_core.store import Store


def test_the_same_content_is_kept_once(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "m.skops"
    file.write_bytes(b"pipeline")
    sha256 = store.artifacts.put(file)
    assert sha256 == hashlib.sha256(b"pipeline").hexdigest()
    assert store.artifacts.put(file) == sha256
    assert store.artifacts.path(sha256).read_bytes() == b"pipeline"
    assert [p.name for p in (store.home / "artifacts").iterdir()] == [f"{sha256}.skops"]
    assert file.exists()


def test_what_is_not_there_is_said(store: Store, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="Train the version again"):
        store.artifacts.path("0" * 64)
    with pytest.raises(NotFound, match="is no SHA-256"):
        store.artifacts.path("../store")
    with pytest.raises(Unreadable):
        store.artifacts.put(tmp_path / "nowhere.skops")
    assert not list((store.home / "artifacts").iterdir())
