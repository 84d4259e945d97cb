"""Which process owns a home folder: an exclusive lock on ``store.lock``, and ``owner.json`` to say who.

The lock is the operating system's and ends with the process, however it ends; ``owner.json`` only says where
that process answers. It refuses to wait: a caller who is told who owns the folder can ask that process instead.
"""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypedDict

from pipeline_core.errors import StoreBusy


class _Owner(TypedDict):
    message: str
    url: str | None
    token: str | None


@dataclass(slots=True)
class Ownership:
    """A taken lock; ``release`` gives it back."""

    home: Path
    descriptor: int | None

    def announce(self, *, url: str | None, token: str | None, since: datetime) -> None:
        """Write ``owner.json``, readable by this user only.

        Parameters
        ----------
        url, token : str or None
            Where this process answers, and the word that it accepts.
        since : datetime
            When it took the home.
        """
        owner = {"pid": os.getpid(), "url": url, "token": token, "since": since.isoformat()}
        temporary = self.home / "owner.json.tmp"
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(owner, file)
        temporary.replace(self.home / "owner.json")

    def release(self) -> None:
        """Remove ``owner.json`` and give the lock back; calling it again does nothing."""
        if self.descriptor is None:
            return
        (self.home / "owner.json").unlink(missing_ok=True)
        os.close(self.descriptor)  # closing gives the lock back
        self.descriptor = None


def take(home: Path) -> Ownership:
    """Take the lock of a home folder, or say who has it.

    Parameters
    ----------
    home : Path
        An existing folder.

    Returns
    -------
    Ownership

    Raises
    ------
    StoreBusy
        Another process, or another part of this one, has it.
    """
    descriptor = os.open(home / "store.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise StoreBusy(**_owner(home)) from None
    (home / "owner.json").unlink(missing_ok=True)  # what a killed owner left would send people to a dead address
    return Ownership(home, descriptor)


def _owner(home: Path) -> _Owner:
    owner: dict[str, Any] = {}
    try:
        owner = json.loads((home / "owner.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        # between its lock and its announcement, or owned by another user: the lock alone is the truth
        owner = {}
    url, pid = owner.get("url"), owner.get("pid")
    who = f"process {pid}" if pid else "another process"
    where = f" at {url}" if url else ""
    ask = "Use that app" if url else "Wait until it has ended"
    message = (
        f"The store in {home} is in use by {who}{where}; one process may own it. {ask}, or choose another home folder."
    )
    return {"message": message, "url": url, "token": owner.get("token")}
