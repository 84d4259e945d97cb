"""How a fitted pipeline becomes a file, and when a file may become a pipeline again.

Files are skops archives: data, not code. What a file may hold is a fixed list in this module, so that
a file can never widen it; pickle and joblib are never used. Neighbours: ``store.artifacts`` keeps the
files by their hash. It refuses every file whose hash or types are not what they should be.

The same pipeline gives the same bytes in any process: what skops names by places in memory is named by its order,
and the entries of the archive carry one date (decision 0029).
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from sklearn.pipeline import Pipeline

from pipeline_core.errors import ArtifactRejected

TRUSTED_TYPES = (
    "collections.OrderedDict",
    "lightgbm.basic.Booster",
    "lightgbm.sklearn.LGBMClassifier",
    "lightgbm.sklearn.LGBMRegressor",
    "numpy.dtype",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
)
"""What our own pipelines hold beyond the types that skops itself trusts; a test compares both ways."""

_BLOCK_BYTES = 1 << 20
_TREE = "schema.json"
_DATE = (1980, 1, 1, 0, 0, 0)
"""Of every entry: the earliest that a zip archive can say."""


def write(pipeline: Pipeline, path: Path, *, also: Collection[str] = ()) -> str:
    """Write a fitted pipeline and give the name of its content.

    Parameters
    ----------
    pipeline : Pipeline
        Preprocessing and estimator together.
    path : Path
        Where the file goes.
    also : collection of str
        Types beside ``TRUSTED_TYPES`` that may be in it: those of the estimators that the policy names.

    Returns
    -------
    str
        SHA-256 of the file.

    Raises
    ------
    ArtifactRejected
        The pipeline holds a type that ``read`` would refuse.
    """
    import skops.io  # here, because it takes a second and most commands load no model

    skops.io.dump(pipeline, path)
    foreign = _foreign(path, also)
    if foreign:
        path.unlink()
        raise ArtifactRejected(
            f"The pipeline holds {_named(foreign)}; only the types listed in stages/artifact.py may be saved,"
            " because only they are loaded again. Use one of the estimators on offer."
        )
    _settle(path)
    return _sha256(path)


def read(path: Path, sha256: str, *, also: Collection[str] = ()) -> Pipeline:
    """Load a pipeline from a file that was written by ``write``.

    Parameters
    ----------
    path : Path
        The file.
    sha256 : str
        What the registry says its content is.
    also : collection of str
        As ``write`` takes it.

    Returns
    -------
    Pipeline

    Raises
    ------
    ArtifactRejected
        Another hash, not a skops archive, foreign types, or no pipeline. Nothing of it was run.
    """
    actual = _sha256(path)
    if actual != sha256:
        raise ArtifactRejected(
            f"Model file {path.name} has the hash {actual[:12]}…, the registry says {sha256[:12]}…: the file was"
            " changed or damaged. Restore it from a backup, or train the version again."
        )
    foreign = _foreign(path, also)
    if foreign:
        raise ArtifactRejected(
            f"Model file {path.name} holds {_named(foreign)}; only the types listed in stages/artifact.py are"
            " loaded, so nothing of the file was run. Train the model here instead of bringing its file."
        )
    loaded = _load(path, also)
    if not isinstance(loaded, Pipeline):
        raise ArtifactRejected(
            f"Model file {path.name} holds a {type(loaded).__name__}; a whole scikit-learn Pipeline is allowed."
            " Train the version again."
        )
    return loaded


# what a file that is no skops archive, or a broken one, makes zipfile, json and skops raise
_MALFORMED = (
    zipfile.BadZipFile, json.JSONDecodeError, KeyError, ValueError, TypeError, AttributeError, ImportError, EOFError,
    OSError, NotImplementedError,
)  # fmt: skip


def _settle(path: Path) -> None:
    """Rewrite an archive so that nothing of the process that wrote it is in it: no address, no clock."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    tree = json.loads(parts.pop(_TREE))
    names: dict[str, str] = {}
    for node in _nodes(tree):
        found = node.get("file")
        if isinstance(found, str) and found in parts:
            names.setdefault(found, f"{len(names):06d}{Path(found).suffix}")
            node["file"] = names[found]
    ids: dict[int, int] = {}
    for node in _nodes(tree):
        if "__id__" in node:
            node["__id__"] = ids.setdefault(node["__id__"], len(ids))
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in sorted((names[old], content) for old, content in parts.items()):
            archive.writestr(zipfile.ZipInfo(name, _DATE), content, zipfile.ZIP_DEFLATED)
        archive.writestr(zipfile.ZipInfo(_TREE, _DATE), json.dumps(tree), zipfile.ZIP_DEFLATED)


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Give every object of a JSON tree, parents first, in the order of the text."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
        inside = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        waiting.extend(reversed(list(inside)))


def _load(path: Path, also: Collection[str]) -> object:
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        return skops.io.load(path, trusted=[*TRUSTED_TYPES, *also])
    except (UntrustedTypesFoundException, *_MALFORMED) as error:
        raise _not_an_archive(path, error) from None


def _foreign(path: Path, also: Collection[str]) -> list[str]:
    import skops.io

    try:
        found = skops.io.get_untrusted_types(file=path)
    except _MALFORMED as error:
        raise _not_an_archive(path, error) from None
    return sorted(set(found) - set(TRUSTED_TYPES) - set(also))


def _not_an_archive(path: Path, error: Exception) -> ArtifactRejected:
    return ArtifactRejected(
        f"Model file {path.name} is not a readable skops archive ({type(error).__name__}); pickle and joblib files"
        " are never loaded, because loading them runs what they hold. Train the version again."
    )


def _named(types: list[str]) -> str:
    shown = ", ".join(types[:5])
    return f"{'the foreign type' if len(types) == 1 else f'{len(types)} foreign types:'} {shown}"


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
