"""What a version is made with, and its pipeline in memory.

Neighbours: ``release`` writes down code and packages with every run; scoring and the gate take pipelines
from here, so that scoring many batches reads a model file once. It refuses to load what the registry does
not name.
"""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib import metadata
from pathlib import Path

from sklearn.pipeline import Pipeline

from pipeline_core.records import ModelVersion
from pipeline_core.stages import artifact
from pipeline_core.stages.training import named
from pipeline_core.store.home import Store

LOADED_MAX = 8

_PACKAGE = Path(__file__).resolve().parents[1]
_LIBRARIES = ("scikit-learn", "lightgbm", "shap", "skops", "numpy", "scipy", "pandas", "pyarrow", "duckdb")


def loaded(store: Store, version: ModelVersion) -> Pipeline:
    """Give a version's pipeline; the last few stay in memory by the hash of their file.

    Parameters
    ----------
    store : Store
        The home.
    version : ModelVersion
        Whose pipeline.

    Returns
    -------
    Pipeline

    Raises
    ------
    NotFound
        The file is gone.
    ArtifactRejected
        The file is not what the registry says it is.
    """
    path = store.artifacts.path(version.artifact_sha256)
    return _read(path, version.artifact_sha256, named_types(store, version))


@lru_cache(maxsize=LOADED_MAX)
def _read(path: Path, sha256: str, also: tuple[str, ...]) -> Pipeline:
    return artifact.read(path, sha256, also=also)


def named_types(store: Store, version: ModelVersion) -> tuple[str, ...]:
    """Say which type beside the house's own a version's file may hold: the one that the policy names for its estimator.

    Parameters
    ----------
    store : Store
        The home, with its policy.
    version : ModelVersion
        Whose file.

    Returns
    -------
    tuple of str
        Empty for the estimators of the house.

    Raises
    ------
    InvalidDefinition
        The policy names a class that is not installed here.
    """
    offers, estimator = store.policy.estimators, version.run.estimator
    return named.types({estimator: offers[estimator]}) if estimator in offers else ()


@cache
def code_version() -> str:
    """Say which code makes the models: ``git describe``, or a hash of the package's files.

    Returns
    -------
    str
    """
    if (_PACKAGE.parent / ".git").exists():
        command = ["git", "-C", str(_PACKAGE.parent), "describe", "--always", "--tags", "--dirty"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
        except (OSError, subprocess.SubprocessError):  # no git here: the files themselves say what they are
            return _package_hash()
        return done.stdout.strip()
    return _package_hash()


def _package_hash() -> str:
    digest = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*.py")):
        digest.update(f"{path.relative_to(_PACKAGE)}\0".encode())
        digest.update(path.read_bytes())
    return f"files-{digest.hexdigest()[:12]}"


@cache
def package_versions() -> Mapping[str, str]:
    """Say which libraries make the models.

    Returns
    -------
    mapping of str to str
        Version by name.
    """
    return {name: metadata.version(name) for name in _LIBRARIES}
