"""Which batches were acknowledged: a log beside the database, on the disk before anybody is told.

The database may lose its newest transactions with a torn write-ahead log, and it does so silently; this file says what
had been promised. One line of JSON for each committed batch or ruling, each with its own digest and with that of the
line before it, so that a line that was changed, taken out or torn is noticed. Neighbours: ``admission`` and ``removal``
write, ``losses`` compares with what is there. It refuses to promise anything that is not on the disk.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline_core.errors import PipelineError, StoreBroken
from pipeline_core.records import BatchReport, Reading, dump, load
from pipeline_core.store import faults
from pipeline_core.store.files import write_through

LOGGER = logging.getLogger(__name__)
BATCH, REMOVING, STAYING = "batch", "removing", "staying"
_BEGINNING = "0" * 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One promise. ``kind`` batch: it is kept as it says; ``row_bytes`` is the size of its file of rows.

    ``asked``: what somebody said about reading its file; the log is all that is left of that where the record is lost.
    ``removing``: the model is about to go with its batches; ``staying``: that came to nothing.
    """

    kind: str
    model: str
    at: datetime
    batch_id: str = ""
    sha256: str = ""
    status: str = ""
    source: str = ""
    rows: int = 0
    row_bytes: int | None = None
    asked: Reading = field(default_factory=Reading)


def batch_entry(report: BatchReport, *, rows: Path | None, at: datetime) -> Entry:
    """Give the promise that a batch is kept.

    Parameters
    ----------
    report : BatchReport
        As it is kept.
    rows : Path or None
        Its file of rows, in place.
    at : datetime
        Now.

    Returns
    -------
    Entry
    """
    return Entry(
        kind=BATCH,
        model=report.model,
        at=at,
        batch_id=report.batch_id,
        sha256=report.sha256,
        status=report.status.value,
        source=report.source,
        rows=report.rows,
        row_bytes=None if rows is None else rows.stat().st_size,
        asked=report.asked,
    )


class Acknowledged:
    """The log of one home. Threads may share it.

    Parameters
    ----------
    path : Path
        The file; made with the first line.
    at : datetime
        Now: names the copy that is kept of a damaged log.

    Attributes
    ----------
    notices : tuple of str
        Sentences about what was found wrong with the file.

    Raises
    ------
    StoreBroken
        The file cannot be read or mended.
    """

    def __init__(self, path: Path, *, at: datetime) -> None:
        self.path = path
        self.notices: tuple[str, ...] = ()
        self._lock = threading.Lock()
        self._entries: list[Entry] = []
        self._waiting: list[Entry] = []
        self._named: dict[str, set[str]] = {}
        self._size, self._head = 0, _BEGINNING
        with _told(path):
            self._load(at)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What was promised, oldest first."""
        return tuple(self._entries)

    def names(self, model: str, batch_id: str) -> bool:
        """Say whether a batch of that id was promised since the model was last removed, be it there or lost."""
        return batch_id in self._named.get(model, ())

    def append(self, *entries: Entry) -> None:
        """Promise something; it is on the disk when this returns.

        Parameters
        ----------
        *entries : Entry
            What is true already (of ``removing``: will be). They are written in vain rather than forgotten: what
            could not be written is tried again before anything else is promised.

        Raises
        ------
        StoreBroken
            It could not be written, so nobody may be told.
        """
        with self._lock:
            self._waiting.extend(entries)
            if not self._waiting:
                return
            with _told(self.path):
                self._write(self._waiting)
            self._take(self._waiting)
            self._waiting = []

    def _take(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            self._entries.append(entry)
            if entry.kind == BATCH:
                self._named.setdefault(entry.model, set()).add(entry.batch_id)
            elif entry.kind == REMOVING:
                self._named.pop(entry.model, None)

    def _write(self, entries: Iterable[Entry]) -> None:
        head, lines = self._head, bytearray()
        for number, entry in enumerate(entries, start=len(self._entries) + 1):
            line = _line(number, entry, head)
            head = hashlib.sha256(line).hexdigest()
            lines += line + b"\n"
        # of an earlier attempt that failed there may be half a line, which is cut off
        write_through(self.path, bytes(lines), at=self._size, flushing=lambda: faults.point("acknowledge.before_flush"))
        self._size, self._head = self._size + len(lines), head
        faults.point("acknowledge.after_flush")

    def _load(self, at: datetime) -> None:
        content = self.path.read_bytes() if self.path.exists() else b""
        whole, _, torn = content.rpartition(b"\n")
        lines = whole.split(b"\n") if whole else []
        bad = []
        for place, line in enumerate(lines, start=1):
            entry = _entry(line, self._head)
            if entry is None:
                bad.append(place)
                entry = _entry(line, None)  # the line itself may be sound, and only the one before it not
            self._head = hashlib.sha256(line).hexdigest()
            if entry is not None:
                self._take([entry])
        self._size = len(content) - len(torn)
        if torn:
            self._notice(f"The last line of {self.path} was torn and is left out: it was never acknowledged.")
        if bad:
            self._mend(bad, at)

    def _mend(self, bad: list[int], at: datetime) -> None:
        """Keep a damaged log beside a new one of the lines that are sound."""
        aside = self.path.with_name(f"{self.path.name}.broken-{at:%Y%m%dT%H%M%S%f}")
        self.path.replace(aside)
        entries, self._entries = self._entries, []
        self._size, self._head = 0, _BEGINNING
        if entries:
            self._write(entries)
        self._take(entries)
        shown = ", ".join(str(place) for place in bad[:5])
        self._notice(
            f"{self.path} was changed or damaged at line {shown}; what it said there is no longer known. The file is kept as "
            f"{aside.name}, and the sound lines were taken over. Compare the list of batches with what was sent."
        )

    def _notice(self, sentence: str) -> None:
        LOGGER.warning(sentence)
        self.notices = (*self.notices, sentence)


@contextmanager
def _told(path: Path) -> Generator[None]:
    """Turn an error of the disk into one of the house."""
    try:
        yield
    except OSError as error:
        raise StoreBroken(
            f"{path} cannot be written: {error.strerror}. What was just done is kept but not acknowledged. Free disk space or "
            "mend its permissions, and send it again: it will be recognised."
        ) from error


def _line(number: int, entry: Entry, head: str) -> bytes:
    said: dict[str, Any] = {"sequence": number, **dump(entry), "previous": head}
    text = json.dumps(said, separators=(",", ":"))
    return json.dumps({**said, "digest": _digest(text)}, separators=(",", ":")).encode()


def _entry(line: bytes, head: str | None) -> Entry | None:
    """Read a line that is sound, and follows the one whose digest is ``head`` where that is given."""
    with suppress(ValueError, KeyError, TypeError, AttributeError, PipelineError):
        said = json.loads(line)
        digest = said.pop("digest")
        if digest == _digest(json.dumps(said, separators=(",", ":"))) and head in {None, said["previous"]}:
            return load(Entry, {name: said[name] for name in Entry.__slots__ if name in said})
    return None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
