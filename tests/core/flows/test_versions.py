"""A version says which code and libraries made it, and its pipeline is read once."""

from __future__ import annotations

import hashlib
import re
import subprocess
from pathlib import Path

import pytest

from pipeline_core.errors import ArtifactRejected
from pipeline_core.flows import compute, release, versions
from pipeline_core.policy import Policy
from tests.core.flows import homes


@pytest.fixture(autouse=True)
def forget() -> None:
    for cached in (versions.code_version, versions.package_versions, versions._read):
        cached.cache_clear()


def test_packages_are_named_with_their_versions() -> None:
    import sklearn

    assert versions.package_versions()["scikit-learn"] == sklearn.__version__
    assert {"lightgbm", "shap", "skops", "numpy"} <= set(versions.package_versions())


def test_code_is_named_by_git_where_the_package_lies_in_a_repository(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    package = tmp_path / "pipeline_core"
    package.mkdir()
    (package / "one.py").write_text("ONE = 1\n", encoding="utf-8")
    monkeypatch.setattr(versions, "_PACKAGE", package)
    (tmp_path / ".git").mkdir()
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 0, "v1-3-gabc\n"))
    assert versions.code_version() == "v1-3-gabc"


def test_code_is_named_by_its_files_where_git_is_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "pipeline_core"
    package.mkdir()
    (package / "one.py").write_text("ONE = 1\n", encoding="utf-8")
    monkeypatch.setattr(versions, "_PACKAGE", package)
    expected = "files-" + hashlib.sha256(b"one.py\0ONE = 1\n").hexdigest()[:12]
    assert versions.code_version() == expected
    versions.code_version.cache_clear()
    (tmp_path / ".git").mkdir()  # a folder of that name, and no repository in it
    assert versions.code_version() == expected


def test_this_code_has_a_name() -> None:
    assert re.fullmatch(r"[\w.-]+", versions.code_version())


def test_a_pipeline_is_read_once_and_only_if_it_is_unchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with homes.home(tmp_path / "home") as store:
        store.policy = Policy(shap_rows=30)
        version = release.train(store, "loans", estimator="logistic_regression", compute=compute.in_process)
        assert versions.loaded(store, version) is versions.loaded(store, version)
        versions._read.cache_clear()
        path = store.artifacts.path(version.artifact_sha256)
        path.chmod(0o600)
        path.write_bytes(b"something else")
        with pytest.raises(ArtifactRejected, match="the file was changed or damaged"):
            versions.loaded(store, version)
