"""The files of a version by the hash of their content: written once, never changed, read through their hash.

A version has a model file and, beside it, a sample of the rows that it was fitted on and a hash of each. Neighbours: ``models`` names them;
``stages.artifact`` writes and checks a model file's content. It never looks inside.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from pipeline_core.errors import ArtifactRejected, NotFound
from pipeline_core.store import faults
from pipeline_core.store.database import Database
from pipeline_core.store.files import Folders, stage_copy

VERSION_FILES = """SELECT DISTINCT artifact_sha256, coalesce(record ->> '$.reference_sha256', ''),
    coalesce(record ->> '$.dataset.fitted_sha256', '') FROM versions"""
"""What ``version_files`` takes."""


class Artifacts:
    """``store.artifacts``.

    Parameters
    ----------
    database : Database
        For the transaction that a file belongs to.
    folders : Folders
        Of the same home.
    """

    def __init__(self, database: Database, folders: Folders) -> None:
        self._database = database
        self._folders = folders

    def put(self, path: Path) -> str:
        """Copy a model file into the home; the same content is kept once.

        Call it in the ``transaction()`` that adds the version: a file that no version names is set aside in
        ``lost/`` at the next open.

        Parameters
        ----------
        path : Path
            The file to copy; it is left where it is.

        Returns
        -------
        str
            The SHA-256 of its content.

        Raises
        ------
        Unreadable
            The file cannot be copied.
        """
        faults.point("train.before_files")
        sha256 = self._put(path, ".skops")
        faults.point("train.after_files")
        return sha256

    def put_reference(self, path: Path) -> str:
        """Copy what is kept beside a model file (a sample of fitted rows, their hashes) into the home, as ``put`` does.

        Parameters
        ----------
        path : Path
            A Parquet file; it is left where it is.

        Returns
        -------
        str
            The SHA-256 of its content.

        Raises
        ------
        Unreadable
            The file cannot be copied.
        """
        return self._put(path, ".parquet")

    def path(self, sha256: str) -> Path:
        """Give the file of an artifact; its content is checked by whoever loads it.

        Parameters
        ----------
        sha256 : str
            As given by ``put``.

        Returns
        -------
        Path

        Raises
        ------
        NotFound
            Nothing is kept under this hash.
        """
        path = self._folders.artifact(sha256)
        if not path.is_file():
            raise NotFound(f"Model file {sha256[:12]}… is not in {self._folders.artifacts}. Train the version again.")
        return path

    def reference(self, sha256: str) -> Path:
        """Give the sample of fitted rows, or the hashes of all of them, that a version names, checked.

        Parameters
        ----------
        sha256 : str
            ``ModelVersion.reference_sha256`` or ``Dataset.fitted_sha256``.

        Returns
        -------
        Path

        Raises
        ------
        NotFound
            The file is gone.
        ArtifactRejected
            Its content is another one.
        """
        path = self._folders.reference(sha256)
        if not path.is_file():
            raise NotFound(
                f"The file about fitted rows {sha256[:12]}… is not in {self._folders.artifacts}. Train the version again."
            )
        with path.open("rb") as file:
            actual = hashlib.file_digest(file, "sha256").hexdigest()
        if actual != sha256:
            raise ArtifactRejected(
                f"The file about fitted rows {path.name} has the hash {actual[:12]}…, the registry says {sha256[:12]}…: the"
                " file was changed or damaged. Restore it from a backup, or train the version again."
            )
        return path

    def _put(self, path: Path, suffix: str) -> str:
        staged = stage_copy(path, self._folders.artifacts / f"incoming{suffix}")
        try:
            with self._database.transaction(revises=False):
                target = (self._folders.artifacts / staged.sha256).with_suffix(suffix)
                replace(staged, target=target).place(self._database)
        finally:
            staged.discard()
        return staged.sha256


def version_files(folders: Folders, named: Iterable[tuple[str, ...]]) -> set[Path]:
    """Give the files that versions name.

    Parameters
    ----------
    folders : Folders
        Of their home.
    named : iterable of (str, ...)
        As ``VERSION_FILES`` gives them.

    Returns
    -------
    set of Path
    """
    versions = list(named)
    beside = {folders.reference(sha256) for _, *others in versions for sha256 in others if sha256}
    return {folders.artifact(artifact) for artifact, *_ in versions} | beside
