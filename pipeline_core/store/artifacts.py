"""Model files by the hash of their content: written once, never changed, read through their hash.

Neighbours: ``models`` names them; ``stages.artifact`` writes and checks their content. It never looks inside.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pipeline_core.errors import NotFound
from pipeline_core.store import faults
from pipeline_core.store.database import Database
from pipeline_core.store.files import Folders, stage_copy


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
        staged = stage_copy(path, self._folders.artifacts / "incoming.skops")
        try:
            with self._database.transaction(revises=False):
                target = self._folders.artifact(staged.sha256)
                replace(staged, target=target).place(self._database)
        finally:
            staged.discard()
        faults.point("train.after_files")
        return staged.sha256

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
