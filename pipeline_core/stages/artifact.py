"""How a fitted pipeline becomes a file, and when a file may become a pipeline again.

Files are skops archives: data, not code. What a file may hold is a fixed list in this module, so that
a file can never widen it; pickle and joblib are never used. Neighbours: ``store.artifacts`` keeps the
files by their hash. It refuses every file whose hash or types are not what they should be.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

from sklearn.pipeline import Pipeline

from pipeline_core.errors import ArtifactRejected

TRUSTED_TYPES = (
    "collections.OrderedDict",
    "lightgbm.basic.Booster",
    "lightgbm.sklearn.LGBMClassifier",
    "lightgbm.sklearn.LGBMRegressor",
    "numpy.dtype",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
)
"""What our own pipelines hold beyond the types that skops itself trusts; a test compares both ways."""

_BLOCK_BYTES = 1 << 20


def write(pipeline: Pipeline, path: Path) -> str:
    """Write a fitted pipeline and give the name of its content.

    Parameters
    ----------
    pipeline : Pipeline
        Preprocessing and estimator together.
    path : Path
        Where the file goes.

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

    skops.io.dump(pipeline, path, compression=zipfile.ZIP_DEFLATED)
    foreign = _foreign(path)
    if foreign:
        path.unlink()
        raise ArtifactRejected(
            f"The pipeline holds {_named(foreign)}; only the types listed in stages/artifact.py may be saved,"
            " because only they are loaded again. Use one of the estimators on offer."
        )
    return _sha256(path)


def read(path: Path, sha256: str) -> Pipeline:
    """Load a pipeline from a file that was written by ``write``.

    Parameters
    ----------
    path : Path
        The file.
    sha256 : str
        What the registry says its content is.

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
    foreign = _foreign(path)
    if foreign:
        raise ArtifactRejected(
            f"Model file {path.name} holds {_named(foreign)}; only the types listed in stages/artifact.py are"
            " loaded, so nothing of the file was run. Train the model here instead of bringing its file."
        )
    loaded = _load(path)
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


def _load(path: Path) -> object:
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        return skops.io.load(path, trusted=list(TRUSTED_TYPES))
    except (UntrustedTypesFoundException, *_MALFORMED) as error:
        raise _not_an_archive(path, error) from None


def _foreign(path: Path) -> list[str]:
    import skops.io

    try:
        found = skops.io.get_untrusted_types(file=path)
    except _MALFORMED as error:
        raise _not_an_archive(path, error) from None
    return sorted(set(found) - set(TRUSTED_TYPES))


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
