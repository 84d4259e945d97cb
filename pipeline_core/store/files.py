"""The folders beside the DuckDB file, and how a file gets into them so that a crash leaves all of it or none.

A file is written under a temporary name, flushed to the disk and renamed into place before the transaction that
names it commits. At the next open half-written files are removed, and whole ones that no row names are set aside in
``lost/``. It refuses names that do not come from a hash, a batch id or a version.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline_core.errors import NotFound, StoreBroken, Unreadable
from pipeline_core.store.database import Database

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Folders:
    """Where things lie in a home."""

    home: Path

    @property
    def raw(self) -> Path:
        """Files as received, by the hash of their content."""
        return self.home / "raw"

    @property
    def rows(self) -> Path:
        """Typed rows, a folder for each model."""
        return self.home / "rows"

    @property
    def artifacts(self) -> Path:
        """Model files and samples of fitted rows, by the hash of their content."""
        return self.home / "artifacts"

    @property
    def work(self) -> Path:
        """Scratch."""
        return self.home / "work"

    @property
    def lost(self) -> Path:
        """Files that no row named when the store was opened, kept for a person to look at."""
        return self.home / "lost"

    def make(self) -> None:
        """Make what is not there."""
        for folder in (self.home, self.raw, self.rows, self.artifacts, self.work):
            folder.mkdir(parents=True, exist_ok=True)
        flush_folder(self.home)

    def model_rows(self, model: str) -> Path:
        """Give the folder of a model's rows; a model's name is a person's text and never a path."""
        return self.rows / hashlib.sha256(model.encode()).hexdigest()[:16]

    def batch_rows(self, model: str, batch_id: str) -> Path:
        """Give the file of a batch's typed rows."""
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", batch_id):
            raise NotFound(f"{batch_id!r} is no batch id; ids look like 'b-0001'.")
        return self.model_rows(model) / f"{batch_id}.parquet"

    def lost_raw(self, sha256: str) -> Path | None:
        """Give the file as received that has this content, where it still is: in its place, or set aside."""
        name = checked_hash(sha256)
        places = ((self.raw, f"{name}.*"), (self.lost, f"raw-{name}-*"))
        found = (p for folder, pattern in places for p in sorted(folder.glob(pattern)) if p.suffix != ".tmp")
        return next(found, None)

    def batch_aside(self, model: str, batch_id: str) -> Path:
        """Give the file that says which rows of a batch were set aside."""
        return self.batch_rows(model, batch_id).with_suffix(".aside.parquet")

    def of_batch(self, model: str, batch_id: str) -> tuple[Path, Path]:
        """Give both files of a batch: its rows, and what says which were set aside."""
        return self.batch_rows(model, batch_id), self.batch_aside(model, batch_id)

    def artifact(self, sha256: str) -> Path:
        """Give the file of a model artifact."""
        return self.artifacts / f"{checked_hash(sha256)}.skops"

    def reference(self, sha256: str) -> Path:
        """Give the file of a sample of fitted rows."""
        return self.artifacts / f"{checked_hash(sha256)}.parquet"


def checked_hash(sha256: str) -> str:
    """Give the hash back if it is one; it becomes a file's name.

    Parameters
    ----------
    sha256 : str
        64 lower-case hexadecimal digits.

    Returns
    -------
    str

    Raises
    ------
    NotFound
        It is something else.
    """
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise NotFound(f"{sha256!r} is no SHA-256 (64 hexadecimal digits), so nothing is kept under it.")
    return sha256


def raw_name(sha256: str, source: Path) -> str:
    """Name a file as received: its hash and, where it is a plain one, its suffix.

    Parameters
    ----------
    sha256 : str
        The hash of its content.
    source : Path
        The file as it came.

    Returns
    -------
    str
    """
    suffix = source.suffix.lower()
    return checked_hash(sha256) + (suffix if re.fullmatch(r"\.[a-z0-9]{1,8}", suffix) else ".bin")


@dataclass(frozen=True, slots=True)
class Staged:
    """A file that is complete on the disk under a temporary name, and where it will go.

    ``shared``: the target is named by its content, so that a file already there is the same one. ``taken``: it is the
    caller's own file, which stays where it is unless it is placed.
    """

    temporary: Path
    target: Path
    sha256: str = ""
    shared: bool = False
    taken: bool = False

    def place(self, database: Database) -> None:
        """Move it into place; should the open transaction be rolled back it goes again.

        Parameters
        ----------
        database : Database
            With a transaction open in this thread.

        Raises
        ------
        StoreBroken
            The folder cannot be written.
        """
        if self.shared and self.target.exists():
            return
        try:
            self.temporary.replace(self.target)
            database.after_rollback(lambda: _remove(self.target))
            flush_folder(self.target.parent)
        except OSError as error:
            raise StoreBroken(
                f"{self.target} cannot be written: {error.strerror}. Check the free disk space, and try again."
            ) from error

    def discard(self) -> None:
        """Remove the temporary file if it was not moved."""
        if not self.taken:
            _remove(self.temporary)


def stage_copy(source: Path, target: Path, *, shared: bool = True) -> Staged:
    """Copy a file beside its target, flushed; ``sha256`` is that of the copied bytes.

    Parameters
    ----------
    source, target : Path
        From and to; the target is not touched yet.
    shared : bool
        Whether the target is named by its content.

    Returns
    -------
    Staged

    Raises
    ------
    Unreadable
        The source is not there or cannot be read.
    """
    temporary = target.with_name(f"{target.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        _make_folder(target.parent)
        digest = _copy(source, temporary)
    except OSError as error:
        _remove(temporary)
        raise Unreadable(f"{source} cannot be copied into the store: {error.strerror}. Check file and disk.") from error
    return Staged(temporary, target, digest, shared)


def stage_move(source: Path, target: Path) -> Staged:
    """Flush a file of this home's work folder, to be renamed into place; the caller's until then.

    Parameters
    ----------
    source, target : Path
        From and to; copied only where the two lie on different file systems.

    Returns
    -------
    Staged

    Raises
    ------
    StoreBroken
        The file cannot be flushed, or the folder cannot be written.
    """
    try:
        _make_folder(target.parent)
        if source.stat().st_dev != target.parent.stat().st_dev:
            return stage_copy(source, target, shared=False)
        with source.open("rb+") as kept:
            os.fsync(kept.fileno())
    except OSError as error:
        raise StoreBroken(f"{target} cannot be written: {error.strerror}. Check the free disk space.") from error
    return Staged(source, target, taken=True)


def remove_files(paths: Iterable[Path]) -> None:
    """Remove files and folders whose rows are gone.

    Parameters
    ----------
    paths : iterable of Path
        What is absent, or cannot be removed now, is passed over: the next open clears what no row names.
    """
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            _remove(path)


def sweep(folder: Path, *, named: set[Path], before: float, lost: Path) -> int:
    """Clear a folder of the files that no row names: what a killed process left behind.

    Half-written files go. Whole ones are set aside: a store that lost its newest transactions to a broken disk
    would otherwise take the files of acknowledged batches with it.

    Parameters
    ----------
    folder : Path
        Searched with what is below it.
    named : set of Path
        The files to keep where they are.
    before : float
        Only files last written before this moment (seconds since 1970) are touched.
    lost : Path
        Where whole files are set aside, under folder, name and time of last writing: no two overwrite each other.

    Returns
    -------
    int
        How many went.
    """
    strays = [p for p in folder.rglob("*") if p.is_file() and p not in named and p.stat().st_mtime < before]
    for path in strays:
        if path.suffix == ".tmp":
            path.unlink(missing_ok=True)
        else:
            lost.mkdir(exist_ok=True)
            path.replace(lost / f"{path.parent.name}-{path.stem}-{path.stat().st_mtime_ns}{path.suffix}")
    return len(strays)


def _remove(path: Path) -> None:
    with suppress(OSError):  # what stays is cleared at the next open
        path.unlink(missing_ok=True)


def _copy(source: Path, temporary: Path) -> str:
    digest = hashlib.sha256()
    with source.open("rb") as incoming, temporary.open("wb") as kept:
        while block := incoming.read(_CHUNK_BYTES):
            digest.update(block)
            kept.write(block)
        kept.flush()
        os.fsync(kept.fileno())
    return digest.hexdigest()


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        flush_folder(folder.parent)  # a flushed file in a folder that a power cut takes away is lost as well


def flush_folder(folder: Path) -> None:
    """Put on the disk which files a folder holds.

    Parameters
    ----------
    folder : Path
        Which.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_through(path: Path, content: bytes, *, at: int, flushing: Callable[[], None]) -> None:
    """Write at a place of a file, cut off what stood behind it, and return when it is on the disk.

    Parameters
    ----------
    path : Path
        The file; made where there is none.
    content : bytes
        What to write.
    at : int, bytes
        Where.
    flushing : callable
        Called when all is written and not yet on the disk: where a test may kill the process.
    """
    new = not path.exists()
    with path.open("wb" if new else "r+b") as kept:
        kept.truncate(at)
        kept.seek(at)
        kept.write(content)
        kept.flush()
        flushing()
        os.fsync(kept.fileno())
    if new:
        flush_folder(path.parent)
