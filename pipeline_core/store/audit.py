"""Who decided what, when and why: a chain of lines in a file, each with the hash of the one before.

A deed is kept in the table ``audit`` by the transaction that does it, and written to ``audit.jsonl`` right after the commit,
before anybody else may decide; what a process that died in between has left out is written at the next open. So a crash
loses no line and invents none. Neighbours: ``chain`` finds what is wrong with a file, the rooms say what was done. It
refuses to mend the file by itself: what was changed stays visible until somebody signs for it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline_core.errors import InvalidDefinition, Refused, StoreBroken
from pipeline_core.records import Act, AuditEntry, AuditFault, AuditReport, Deed
from pipeline_core.store import faults
from pipeline_core.store.chain import BEGINNING, check, compare, entry_of, line_of, text_of
from pipeline_core.store.database import Database
from pipeline_core.store.files import flush_folder, write_through

FAULTS_MAX = 20
_ADVICE = (
    "Find out who changed the file, and compare it with a copy if there is one; the database still has every entry. Then mend it"
    " (audit mend): the file is kept as it is, and a new one is written from the database that says who said so."
)
_ADVICE_AHEAD = (
    "Look at the registry: where what these lines say was not done there, the database lost it, so decide it again. Then mend it"
    " (audit mend): the file is kept as it is, beside a new one."
)
_ADVICE_DATABASE = "Put back a copy of the whole home folder from before the change, and find out who made it."
_ADVICE_HEAD = (
    "Compare with the copy of the file that the hash was noted from: what differs was rewritten, in the database too."
)


class Audit:
    """``store.audit``.

    Parameters
    ----------
    database : Database
        Where the lines are kept.
    path : Path
        The file; made with the first line.

    Attributes
    ----------
    path : Path
        The file.
    notices : tuple of str
        Sentences about what was found wrong when the home was opened.
    """

    def __init__(self, database: Database, path: Path) -> None:
        self.path = path
        self.notices: tuple[str, ...] = ()
        self._database = database

    def add(self, deed: Deed) -> None:
        """Keep a deed with the transaction that does it; its line is on the disk when that transaction returns.

        Parameters
        ----------
        deed : Deed
            What is being done.

        Raises
        ------
        StoreBroken
            The file cannot be written, so nothing may be decided.
        """
        with _told(self.path, "Nothing was done"):
            if not self.path.exists():
                self.path.touch()
                flush_folder(self.path.parent)
            self.path.open("ab").close()
        with self._database.transaction():
            newest = self._database.rows("SELECT sequence, hash FROM audit ORDER BY sequence DESC LIMIT 1")
            sequence, head = newest[0] if newest else (0, BEGINNING)
            line, digest = line_of(deed, sequence=sequence + 1, previous=head, at=self._database.now())
            self._database.run(
                "INSERT INTO audit (sequence, hash, line) VALUES (?, ?, ?)", [sequence + 1, digest, line]
            )
            faults.point("audit.before_commit")
            self._database.after_commit(self._write)

    def absorb(self, other: str, model: str) -> None:
        """Keep again what was done to a model in another home, and that it was brought here.

        Parameters
        ----------
        other : str
            The attached database of that home.
        model : str
            The model's name.
        """
        lines = [row[0] for row in self._database.rows(f"SELECT line FROM {other}.audit ORDER BY sequence")]
        entries = [entry_of(line) for line in lines]
        for entry in entries:
            if entry.model == model:
                about = {**entry.about, "first_kept_as": entry.hash}
                self.add(Deed(act=entry.act, model=model, by=entry.by, reason=entry.reason, about=about, at=entry.at))
        head = entries[-1].hash if entries else BEGINNING
        self.add(Deed(act=Act.ABSORB, model=model, about={"entries_there": len(entries), "head_there": head}))

    def catch_up(self) -> None:
        """Write what a process that died has left out, and say what is wrong with the file."""
        try:
            report = self.verify()
        except StoreBroken as error:
            self.notices = (error.message,)
            return
        if report.faults:
            self.notices = (f"The audit file is not what was recorded. {report.faults[0].message} {report.advice}",)

    def entries(self, model: str | None = None, *, last: int | None = None) -> tuple[AuditEntry, ...]:
        """Give what was decided, newest first.

        Parameters
        ----------
        model : str, optional
            About this model only; it may be gone.
        last : int, optional
            Only so many.

        Returns
        -------
        tuple of AuditEntry
        """
        sql = "SELECT line FROM audit WHERE ?::VARCHAR IS NULL OR line::JSON ->> '$.model' = ? ORDER BY sequence DESC"
        found = self._database.rows(sql, [model, model])
        return tuple(entry_of(row[0]) for row in found[: None if last is None else max(0, last)])

    def content(self) -> bytes:
        """Give the file as it is; empty where there is none."""
        with _told(self.path, "Nothing was done"):
            return self.path.read_bytes() if self.path.exists() else b""

    def verify(self, *, head: str | None = None) -> AuditReport:
        """Read the whole chain again, in the database and in the file, and say where it is not what was recorded.

        Parameters
        ----------
        head : str, optional
            The hash of a last entry that was noted elsewhere: it must still be in the chain.

        Returns
        -------
        AuditReport

        Raises
        ------
        StoreBroken
            The file cannot be read.
        """
        committed = not self._database.in_transaction  # else what is being decided here may yet be undone
        with self._database.transaction(revises=False):  # nobody decides meanwhile
            with suppress(StoreBroken):
                if committed:
                    self._write()
            lines, written = self._kept(), self._written()
            content = self.content()
        own = check(lines)
        found = own or compare(content, lines[:written])
        known = [entry_of(line).hash for line in lines] if not own else []
        if head and not own and head.strip().lower() not in {BEGINNING, *known}:
            message = f"No entry has the hash {head!r}, which was noted as that of the last one."
            found = (*found, AuditFault(line=None, code="head", message=message))
        return AuditReport(
            whole=not found and written == len(lines),
            entries=len(lines),
            head=known[-1] if known else BEGINNING,
            waiting=len(lines) - written,
            faults=found[:FAULTS_MAX],
            advice=_advice(found),
        )

    def mend(self, *, by: str, reason: str) -> AuditReport:
        """Write the file anew from the database, keep what stood in its place, and note who did so.

        Parameters
        ----------
        by, reason : str
            Who does it and why.

        Returns
        -------
        AuditReport
            Of the new file.

        Raises
        ------
        InvalidDefinition
            Nobody and no reason was named.
        Refused
            The file is whole, or the database itself was changed.
        StoreBroken
            The file cannot be moved or written.
        """
        if not by.strip() or not reason.strip():
            raise InvalidDefinition("The audit file is mended by a person for a reason, which stay in it. Say both.")
        with self._database.transaction():
            report = self.verify()
            if not report.faults:
                raise Refused(f"The audit file is whole, with {report.entries:,} entries; there is nothing to mend.")
            if report.faults[0].code == "database":
                raise Refused(f"{report.faults[0].message} {report.advice} The file cannot be written from it.")
            content = self.content()
            aside = self.path.with_name(f"{self.path.name}.broken-{self._database.now():%Y%m%dT%H%M%S%f}")
            found = [{"code": fault.code, "line": fault.line} for fault in report.faults]
            about = {"kept_as": aside.name, "sha256": hashlib.sha256(content).hexdigest(), "faults": found}
            with _told(self.path, "Nothing was done"):
                if self.path.exists():
                    self.path.replace(aside)
            self._database.run("UPDATE meta SET number = 0 WHERE name = 'audit_written'")
            self.add(Deed(act=Act.MEND, model="", by=by.strip(), reason=reason.strip(), about=about))
        self.notices = ()
        return self.verify()

    def _kept(self) -> list[str]:
        return [row[0] for row in self._database.rows("SELECT line FROM audit ORDER BY sequence")]

    def _written(self) -> int:
        return int(self._database.rows("SELECT number FROM meta WHERE name = 'audit_written'")[0][0])

    def _write(self) -> None:
        """Bring to the file what is kept and not in it; a half of it, left by a process that died, is written over."""
        waiting = self._database.rows(
            "SELECT sequence, line FROM audit WHERE sequence > (SELECT number FROM meta WHERE name = 'audit_written')"
            " ORDER BY sequence"
        )
        if not waiting:
            return
        sizes = "SELECT coalesce(sum(strlen(line) + 1), 0)::BIGINT FROM audit WHERE sequence < ?"
        place = int(self._database.rows(sizes, [waiting[0][0]])[0][0])
        content = text_of([line for _, line in waiting])
        with _told(self.path, "What was just decided is kept in the database, and its line waits there"):
            size, rest, ends = _end_of(self.path, place)
            torn = size >= place and content.startswith(rest)
            if not torn and not ends:
                content = b"\n" + content  # somebody cut the file: what is left stays as it is, for people to see
            at = place if torn else size
            write_through(self.path, content, at=at, flushing=lambda: faults.point("audit.before_flush"))
        faults.point("audit.after_flush")
        with self._database.transaction(revises=False):
            self._database.run("UPDATE meta SET number = ? WHERE name = 'audit_written'", [waiting[-1][0]])


def _end_of(path: Path, place: int) -> tuple[int, bytes, bool]:
    """Give the size of a file, what stands behind a place in it, and whether its last line has its end."""
    if not path.exists():
        return 0, b"", True
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, min(place, size) - 1))
        end = file.read()
    return size, end[1:] if place else end, size == 0 or end.endswith(b"\n")


@contextmanager
def _told(path: Path, done: str) -> Generator[None]:
    """Turn an error of the disk into one of the house."""
    try:
        yield
    except OSError as error:
        raise StoreBroken(
            f"The audit file {path} cannot be read or written: {error.strerror}. {done}. Free disk space or mend its permissions,"
            " and look again."
        ) from error


def _advice(found: tuple[AuditFault, ...]) -> str:
    codes = {fault.code for fault in found}
    if not codes:
        return ""
    if "database" in codes:
        return _ADVICE_DATABASE
    if codes == {"head"}:
        return _ADVICE_HEAD
    return _ADVICE_AHEAD if codes == {"ahead"} else _ADVICE
