"""Which finished files lie in a folder and were not taken yet? Copies of them, oldest first.

A file is finished when it has been left alone for ``settle_s`` seconds, has not the name of a half-written one, and is
the same after it was copied as before. Neighbour: ``feed`` is the shape. It refuses to leave its root, by ``..`` or by
a link, and to take a file that is still being written.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Generator, Mapping
from pathlib import Path
from stat import S_ISREG

from pipeline_core.clock import machine_clock
from pipeline_core.errors import InvalidDefinition, NotFound
from pipeline_core.sources.feed import Delivery, Setup, noted

REQUIRED = ("root",)
OPTIONAL = ("glob", "settle_s")

_UNFINISHED = (".tmp", ".part", ".partial", ".crdownload", ".swp", ".filepart", "~")
_CHUNK_BYTES = 1 << 20
_FILES_MAX = 100_000

Look = tuple[int, int]
"""Size in bytes, and the time of last writing in nanoseconds."""


def check(name: str, settings: Mapping[str, str]) -> None:
    """Look at what was set before it is kept.

    Parameters
    ----------
    name : str
        Of the source.
    settings : mapping of str to str
        Those that are no secret.

    Raises
    ------
    InvalidDefinition
        The glob is no pattern, or leads out of its folder.
    """
    glob = settings.get("glob", "*")
    if Path(glob).is_absolute() or ".." in Path(glob).parts:
        raise InvalidDefinition(
            f"Source {name!r}: the glob {glob!r} leads out of its folder; a pattern below it is allowed."
        )
    try:
        next(iter(Path("/nowhere").glob(glob)), None)
    except (ValueError, IndexError, NotImplementedError) as error:
        raise InvalidDefinition(
            f"Source {name!r}: the glob {glob!r} is no pattern ({error}). Write for example *.csv, or **/*.csv to go down."
        ) from None


class Folder:
    """A watched folder. Settings: ``root``, ``glob`` (``*``; ``**/*.csv`` goes down), ``settle_s`` (2).

    Parameters
    ----------
    setup : Setup
        The settings.
    """

    def __init__(self, setup: Setup) -> None:
        self.notes: list[str] = []
        self._name = setup.name
        self._root = Path(setup.get("root")).expanduser()
        self._glob = setup.get("glob", "*")
        self._settle_s = setup.number("settle_s", 2.0)
        check(setup.name, setup.settings)
        self._bytes_max = setup.bytes_max
        self._settled: str | None = None

    def deliveries(self, cursor: str | None, *, folder: Path) -> Generator[Delivery]:
        """Hand over new and changed files, oldest first; a file that was not settled is offered again by the next run.

        Parameters
        ----------
        cursor : str or None
            Names, sizes, times and hashes of the files that were taken.
        folder : Path
            Where copies go.

        Yields
        ------
        Delivery

        Raises
        ------
        NotFound
            The folder is not there.
        """
        self.notes.clear()
        found = self._finished()
        taken = {name: seen for name, seen in noted(cursor).get("files", {}).items() if name in found}
        for name, look in sorted(found.items(), key=lambda item: (item[1][1], item[0])):
            if name in taken and tuple(taken[name][:2]) == look:
                continue
            copy = folder / Path(name).name
            sha256 = self._copied(name, look, copy)
            if sha256 is None:
                continue
            place = json.dumps({"files": {**taken, name: [*look, sha256[:32]]}}, sort_keys=True)
            yield Delivery(path=copy, name=f"{self._name}: {name}", cursor=place)
            if self._settled == place:
                taken[name] = [*look, sha256[:32]]

    def settled(self, cursor: str) -> None:
        """Remember that a file was taken."""
        self._settled = cursor

    def close(self) -> None:
        """Do nothing: no file stays open."""

    def _finished(self) -> dict[str, Look]:
        if not self._root.is_dir():
            raise NotFound(
                f"Source {self._name!r}: there is no folder {self._root}. Make it, or change the setting root."
            )
        now = machine_clock().timestamp()
        found: dict[str, Look] = {}
        for path in self._root.glob(self._glob):
            name = path.relative_to(self._root).as_posix()
            look = self._look(name)
            if look is None or name.lower().endswith(_UNFINISHED) or any(p.startswith(".") for p in name.split("/")):
                continue
            if abs(now - look[1] / 1e9) < self._settle_s:  # a time in the future is a wrong clock's, not a fresh file's
                self.notes.append(f"{name!r} was written less than {self._settle_s:g} s ago; the next run takes it.")
                continue
            found[name] = look
            if len(found) > _FILES_MAX:
                raise InvalidDefinition(
                    f"Source {self._name!r}: more than {_FILES_MAX:,} files match {self._glob!r}. Move old ones away."
                )
        return found

    def _look(self, name: str) -> Look | None:
        """Say what a file is like; None of what is no plain file below the root, reached without a link."""
        path = self._root
        try:
            for part in name.split("/"):
                path /= part
                if path.is_symlink():
                    return None
            found = path.stat()
            name.encode("utf-8")
        except (OSError, UnicodeEncodeError):
            return None
        return (found.st_size, found.st_mtime_ns) if S_ISREG(found.st_mode) else None

    def _copied(self, name: str, look: Look, copy: Path) -> str | None:
        """Copy a file and give its hash; None, with a note, of one that is not to be had now."""
        digest = hashlib.sha256()
        try:
            with (
                os.fdopen(os.open(self._root / name, os.O_RDONLY | os.O_NOFOLLOW), "rb") as incoming,
                copy.open("wb") as kept,
            ):
                for _ in range(self._bytes_max // _CHUNK_BYTES + 2):  # a byte too many is left for the door to refuse
                    digest.update(block := incoming.read(_CHUNK_BYTES))
                    kept.write(block)
        except OSError as error:
            self.notes.append(f"{name!r} cannot be read ({error.strerror}); the next run tries again.")
            return None
        if self._look(name) != look:
            self.notes.append(f"{name!r} is still being written; the next run takes it.")
            return None
        return digest.hexdigest()
