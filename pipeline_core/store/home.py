"""One home folder, opened by one process: where everything that a team keeps is found.

Neighbours: ``ownership`` takes the lock, ``database`` the connection and the transactions; ``batches``, ``models``,
``signals``, ``artifacts`` and ``jobs`` are the rooms. It refuses to open a home that another process owns.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
import time
import uuid
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType

from pipeline_core.clock import Clock, machine_clock
from pipeline_core.errors import InvalidDefinition, NotFound, StoreBroken, nearest
from pipeline_core.policy import load_policy
from pipeline_core.records import Loss
from pipeline_core.sql import identifier, text
from pipeline_core.store.acknowledged import Acknowledged
from pipeline_core.store.admission import Admission
from pipeline_core.store.artifacts import VERSION_FILES, Artifacts, version_files
from pipeline_core.store.audit import Audit
from pipeline_core.store.batches import Batches
from pipeline_core.store.choices import Choices
from pipeline_core.store.database import Database
from pipeline_core.store.datasets import Datasets
from pipeline_core.store.day_counts import DayCounts
from pipeline_core.store.feeds import Feeds
from pipeline_core.store.files import Folders, Staged, remove_files, stage_copy, sweep
from pipeline_core.store.jobs import Jobs
from pipeline_core.store.losses import catch_up, find_losses
from pipeline_core.store.migrations import MODEL_TABLES
from pipeline_core.store.models import Models
from pipeline_core.store.ownership import Ownership, take
from pipeline_core.store.repeats import Repeats
from pipeline_core.store.scratch import Part, Side, copy_model
from pipeline_core.store.shadows import Shadows
from pipeline_core.store.signals import Signals

LOGGER = logging.getLogger(__name__)
_FILE = "store.duckdb"
_LOG = "acknowledged.log"
_AUDIT = "audit.jsonl"
_SPACE_TIMES, _SPACE_BYTES = 3, 100_000_000


class Store:
    """The home folder of one process. Make one with ``Store.open``; it is a context manager, and threads may share it.

    Parameters
    ----------
    folders : Folders
        Of the home.
    ownership : Ownership
        The taken lock.
    database : Database
        The open file.

    Attributes
    ----------
    home : Path
        The folder.
    policy : Policy
        What ``policy.toml`` in the folder said when it was opened.
    files : Folders
        Where things lie; ``files.lost_raw`` finds a file as received.
    batches, day_counts, repeats, models, signals, artifacts, jobs, feeds, choices, shadows, datasets, audit
        The rooms.
    """

    def __init__(self, folders: Folders, ownership: Ownership, database: Database) -> None:
        self._log = Acknowledged(folders.home / _LOG, at=database.now())
        self._losses: tuple[Loss, ...] = ()
        self._looked_at = database.connection.instance
        self.home = folders.home
        self.policy = load_policy(folders.home)
        self.files = folders
        self._ownership = ownership
        self._database = database
        self.artifacts = Artifacts(database, folders)
        self.audit = Audit(database, folders.home / _AUDIT)
        self.models = Models(database, folders, self.artifacts, log=self._log, audit=self.audit)
        self.signals = Signals(database)
        admission = Admission(database, folders, self.models, self.signals, log=self._log, audit=self.audit)
        self.batches = Batches(database, folders, self.models, admission)
        self.day_counts = DayCounts(database, self.models)
        self.repeats = Repeats(database, self.batches)
        self.jobs = Jobs(database)
        self.feeds = Feeds(database)
        self.choices = Choices(database, self.audit)
        self.shadows = Shadows(database)
        self.datasets = Datasets(database)

    @classmethod
    def open(
        cls, home: Path | str, *, url: str | None = None, token: str | None = None, clock: Clock = machine_clock
    ) -> Store:
        """Take a home folder for this process, making it if it is not there.

        Jobs that a dead process left running are marked as failed. Of files that no row names, half-written ones are
        removed and whole ones are set aside in ``lost/``.

        Parameters
        ----------
        home : Path or str
            The folder.
        url, token : str or None
            Where this process answers others, and the word that it accepts; written to ``owner.json``.
        clock : callable
            What the time is for everything that this store is told to keep; the machine's, unless said.

        Returns
        -------
        Store

        Raises
        ------
        StoreBusy
            Another process owns the folder; its url and token are on the error.
        StoreBroken
            The file is damaged, or newer than this program, or the folder cannot be written.
        InvalidDefinition
            ``policy.toml`` is not valid.
        """
        opened_at = time.time()  # compared with the times of files, which are the machine's whatever the clock
        folders = Folders(Path(home).expanduser().resolve())
        try:
            str(folders.home).encode("utf-8")
            folders.make()
            _refuse_lost(folders)
            ownership = take(folders.home)
        except (OSError, UnicodeEncodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "its path is not valid UTF-8"
            shown = str(folders.home).encode("utf-8", "backslashreplace").decode("utf-8")
            raise StoreBroken(
                f"{shown} cannot be a home folder: {why}. Mend its permissions, or choose another folder."
            ) from error
        database = None
        try:
            database = Database(folders.home / _FILE, clock=clock)
            store = cls(folders, ownership, database)
            store._look_after(opened_at)
            ownership.announce(url=url, token=token, since=store.now())
        except BaseException:
            if database is not None:
                database.close()
            ownership.release()
            raise
        return store

    @property
    def revision(self) -> int:
        """A number that grows with every committed write (job progress apart): the key of cached reads."""
        return self._database.revision

    @property
    def losses(self) -> tuple[Loss, ...]:
        """Batches that were acknowledged and were not whole when the database was opened, until they are again."""
        instance = self._database.connection.instance
        if self._losses or instance != self._looked_at:
            self._looked_at = instance
            self._losses = find_losses(self._database, self.files, self._log)
        return self._losses

    @property
    def notices(self) -> tuple[str, ...]:
        """Sentences about what was found damaged when the store was opened."""
        return (*self._database.connection.notices, *self._log.notices, *self.audit.notices)

    def check_space(self, size: int) -> None:
        """Refuse to begin what the disk may have no room for.

        Parameters
        ----------
        size : int, bytes
            Of the file as received; three times as much and 100 MB are needed.

        Raises
        ------
        StoreBroken
            Less is free; nothing was begun.
        """
        needed, free = _SPACE_TIMES * size + _SPACE_BYTES, shutil.disk_usage(self.home).free
        if free < needed:
            raise StoreBroken(
                f"The disk of {self.home} has {free / 1e6:,.0f} MB free; to take in {size / 1e6:,.0f} MB it needs "
                f"{needed / 1e6:,.0f} MB, so nothing was begun. Free disk space, and send it again."
            )

    def now(self) -> datetime:
        """Say what time it is here, aware in UTC: what everything that writes a moment into this store asks."""
        return self._database.now()

    def transaction(self) -> AbstractContextManager[None]:
        """All or nothing: writes inside commit together; joins a transaction that this thread has open.

        Other writers wait meanwhile, so compute before it, not inside.

        Returns
        -------
        context manager
        """
        return self._database.transaction()

    @contextmanager
    def work_dir(self) -> Generator[Path]:
        """Give a scratch folder inside the home, removed at the end.

        Yields
        ------
        Path

        Raises
        ------
        StoreBroken
            It cannot be made.
        """
        try:
            folder = Path(tempfile.mkdtemp(dir=self.files.work))
        except OSError as error:
            raise StoreBroken(
                f"{self.files.work} cannot be written: {error.strerror}. Free disk space, or mend its permissions."
            ) from error
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)  # what is held open now goes at the next open

    @contextmanager
    def scratch(self, part: Part) -> Generator[Store]:
        """Open a second home in a scratch folder that holds a part of a model, removed at the end; this one is only read.

        Parameters
        ----------
        part : Part
            One version of a model, and which batches.

        Yields
        ------
        Store
            With the same policy and clock.

        Raises
        ------
        StoreBroken
            It cannot be made, or a batch's file is gone.
        """
        with self.work_dir() as work, Store.open(work / "home", clock=self._database.now) as other:
            other.policy = self.policy
            there = Side(other._database, other.files)  # ruff: ignore[private-member-access] - a store as well
            copy_model(Side(self._database, self.files), there, part, work=work)
            yield other

    def absorb(self, other_home: Path | str, model: str) -> None:
        """Import a model with everything that belongs to it from another, closed home, in one transaction.

        Jobs stay behind: they tell of the other process's work. Call it outside ``transaction()``.

        Parameters
        ----------
        other_home : Path or str
            The home in which the model was built; its file is brought to this program's format if it is older.
        model : str
            The model's name.

        Raises
        ------
        NotFound
            The other home has no such model.
        InvalidDefinition
            A model of that name is already here.
        StoreBusy
            A process still owns the other home.
        StoreBroken
            The other home cannot be read.
        """
        other = Folders(Path(other_home).expanduser().resolve())
        if not (other.home / _FILE).is_file():
            raise NotFound(f"{other.home} holds no store. Name a home folder with a {_FILE}.")
        ownership = take(other.home)
        name = f"other_{uuid.uuid4().hex}"
        try:
            # checks it, and brings it to the format of this program
            Database(other.home / _FILE, clock=self.now).close()
            self._database.run(f"ATTACH {text(other.home / _FILE)} AS {name} (READ_ONLY)")
            try:
                self._import(other, name, model)
            finally:
                self._database.run(f"DETACH {name}")
        finally:
            ownership.release()

    def close(self) -> None:
        """Give the folder back; calling it again does nothing."""
        self._database.close()
        self._ownership.release()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _import(self, other: Folders, name: str, model: str) -> None:
        database = self._database
        known = [row[0] for row in database.rows(f"SELECT model FROM {name}.aliases")]
        if model not in known:
            raise NotFound(f"{other.home} has no model {model!r}. {nearest(model, known)}")
        batches = database.rows(f"SELECT batch_id, status, raw_name FROM {name}.batches WHERE model = ?", [model])
        versions = database.rows(VERSION_FILES.replace("FROM ", f"FROM {name}.") + " WHERE model = ?", [model])
        rows = [other.batch_rows(model, r[0]) for r in batches if r[1] == "accepted"]
        rows += [path for r in batches if (path := other.batch_aside(model, r[0])).is_file()]
        shared = {other.raw / r[2] for r in batches if r[2] is not None} | version_files(other, versions)
        staged: list[Staged] = []
        try:
            # extended one by one, so that what was copied before a failure is discarded too
            staged.extend(
                stage_copy(path, self.home / path.relative_to(other.home), shared=path in shared)
                for path in [*rows, *shared]
            )
            with database.transaction():
                if model in self.models.names():
                    raise InvalidDefinition(f"A model {model!r} is already here. Remove it first.")
                for file in staged:
                    file.place(database)
                for table in MODEL_TABLES:
                    self._import_table(name, table, model)
                self.audit.absorb(name, model)
                database.after_commit(lambda: catch_up(database, self.files, batches=self.batches, log=self._log))
        finally:
            for file in staged:
                file.discard()

    def _import_table(self, name: str, table: str, model: str) -> None:
        # entries are numbered anew, in their old order: both homes count from one
        columns = [row[1] for row in self._database.rows(f"PRAGMA table_info({text(table)})")]
        ordered = "ORDER BY entry" if "entry" in columns else ""
        kept = ", ".join(identifier(c) for c in columns if c != "entry")
        self._database.run(
            f"INSERT INTO {table} ({kept}) SELECT {kept} FROM {name}.{table} WHERE model = ? {ordered}", [model]
        )

    def _look_after(self, opened_at: float) -> None:
        """Put in order what a process that died has left."""
        self._sweep(opened_at)
        self._look_for_losses()
        self.audit.catch_up()
        self.jobs.fail_orphans(at=self.now())

    def _look_for_losses(self) -> None:
        catch_up(self._database, self.files, batches=self.batches, log=self._log)
        self._losses = find_losses(self._database, self.files, self._log)
        for loss in self._losses:
            LOGGER.error(
                "Batch %s of model %r (%d rows from %r) was acknowledged, and its %s is missing; the file as received is %s.",
                loss.batch_id, loss.model, loss.rows, loss.source, loss.missing, "there" if loss.raw_kept else "gone",
            )  # fmt: skip

    def _sweep(self, opened_at: float) -> None:
        batches = self._database.rows("SELECT model, batch_id, status, raw_name FROM batches")
        artifacts = version_files(self.files, self._database.rows(VERSION_FILES))
        rows = {path for r in batches if r[2] == "accepted" for path in self.files.of_batch(r[0], r[1])}
        sweep(self.files.rows, named=rows, before=opened_at, lost=self.files.lost)
        sweep(
            self.files.raw,
            named={self.files.raw / r[3] for r in batches if r[3]},
            before=opened_at,
            lost=self.files.lost,
        )
        sweep(self.files.artifacts, named=artifacts, before=opened_at, lost=self.files.lost)
        queued = " ".join(r[0] for r in self._database.rows("SELECT record FROM jobs WHERE status = 'queued'"))
        remove_files(p for p in self.files.work.iterdir() if p.name not in queued)


def _refuse_lost(folders: Folders) -> None:
    """Refuse to begin anew where only the database is gone: it would set everything else aside as strays."""
    file = folders.home / _FILE
    if file.is_file() and file.stat().st_size:
        return
    kept = sum(p.is_file() and p.suffix != ".tmp" for part in (folders.raw, folders.rows) for p in part.rglob("*"))
    if kept:
        raise StoreBroken(
            f"{file} is {'empty' if file.is_file() else 'missing'}, but {kept:,} files of its batches are there. Put back"
            " a copy of it, or move the folders raw, rows and artifacts away to begin anew."
        )
