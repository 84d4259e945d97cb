"""Where batches come from by themselves: add a source, list, change and remove it, and run it.

A run asks the source for what lies behind the place that was kept, and hands file by file to ``receive``, which keeps
the rows and the new place in one transaction. Killed anywhere, the next run goes on behind the last batch that was kept:
nothing is lost, nothing comes twice. Neighbours: ``arrival`` is the door, ``sources.feed`` the shape of a source,
``store.feeds`` the memory. It refuses to hold secrets and to run one source twice at a time.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Protocol, TypedDict, Unpack

from pipeline_core.errors import InvalidDefinition, PipelineError, Unreadable
from pipeline_core.flows import arrival, intake
from pipeline_core.records import BatchStatus, Feed, FeedKind, FeedReport, FeedStatus, Reading
from pipeline_core.sources import database, folder, kafka, redis, web
from pipeline_core.sources.feed import Delivery, Setup, Source, check_settings, revealed
from pipeline_core.store.home import Store

LOGGER = logging.getLogger(__name__)
Progress = Callable[[float, str], None]

SAMPLE_ROWS = 1_000
"""A sample is cut at so many rows where the source can."""

EVERY_S_MIN = 1
_CAUGHT_UP = "caught up"
_FIXED = ("cursor", "start", "glob", "field")


class _Kind(Protocol):
    def __call__(self, setup: Setup) -> Source: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of source: what opens it, the settings that it knows, and what looks at their values before they are kept."""

    opens: _Kind
    required: tuple[str, ...]
    optional: tuple[str, ...]
    check: Callable[[str, Mapping[str, str]], None] = lambda _name, _settings: None


KINDS = {
    FeedKind.FOLDER: Kind(opens=folder.Folder, required=folder.REQUIRED, optional=folder.OPTIONAL, check=folder.check),
    FeedKind.DATABASE: Kind(opens=database.Database, required=database.REQUIRED, optional=database.OPTIONAL),
    FeedKind.URL: Kind(opens=web.Web, required=web.REQUIRED, optional=web.OPTIONAL, check=web.check),
    FeedKind.KAFKA: Kind(opens=kafka.Kafka, required=kafka.REQUIRED, optional=kafka.OPTIONAL),
    FeedKind.REDIS: Kind(opens=redis.Redis, required=redis.REQUIRED, optional=redis.OPTIONAL),
}
"""Every kind with its settings, for screens, commands and ``docs/sources.md``."""


def add_source(store: Store, feed: Feed) -> Feed:
    """Keep a new source; it is not asked for anything yet.

    Parameters
    ----------
    store : Store
        The home.
    feed : Feed
        The source.

    Returns
    -------
    Feed

    Raises
    ------
    NotFound
        No such model.
    InvalidDefinition
        The name is taken, or a setting is unknown, missing, out of bounds or a secret in the clear.
    """
    store.models.schema(feed.model)
    _check(feed)
    return store.feeds.keep(feed, new=True)


class Changes(TypedDict, total=False):
    """What may change about a source without moving its place."""

    reading: Reading
    enabled: bool
    every_s: int | None
    batch_rows: int
    batch_s: float
    secrets: Mapping[str, str]


def change_source(
    store: Store, name: str, *, settings: Mapping[str, str] | None = None, **changes: Unpack[Changes]
) -> Feed:
    """Change how a source is read, how often it runs and how it connects; where it stands does not change.

    Parameters
    ----------
    store : Store
        The home.
    name : str
        The source.
    settings : mapping of str to str, optional
        Settings to change, empty ones to drop; not those that say what is read (another place is another source).
    **changes
        ``reading``, ``enabled``, ``every_s`` (0 or None: only when asked), ``batch_rows``, ``batch_s``, ``secrets``.

    Returns
    -------
    Feed

    Raises
    ------
    NotFound
        There is no such source.
    InvalidDefinition
        A setting or a pace is not allowed.
    """
    feed = store.feeds.get(name).feed
    fixed = sorted({*KINDS[feed.kind].required, *_FIXED} & {*(settings or {})})
    if fixed:
        raise InvalidDefinition(
            f"Source {name!r}: {', '.join(fixed)} says what is read, and where it stands would mean nothing there. Remove the"
            " source and add it anew, or add another one."
        )
    told = {k: v for k, v in {**feed.settings, **(settings or {})}.items() if v}
    feed = replace(feed, settings=told, **changes)
    feed = replace(feed, every_s=feed.every_s or None)
    _check(feed)
    return store.feeds.keep(feed)


def list_sources(store: Store, model: str | None = None) -> tuple[FeedStatus, ...]:
    """Give the sources by name, of one model if one is named."""
    return store.feeds.list(model)


def remove_source(store: Store, name: str) -> Feed:
    """Forget a source and where it stood (NotFound where there is none); what it brought stays."""
    return store.feeds.remove(name)


def due_sources(store: Store) -> tuple[Feed, ...]:
    """Give the sources whose time has come, the one that waited longest first.

    Parameters
    ----------
    store : Store
        The home.

    Returns
    -------
    tuple of Feed
    """
    now = store.now()
    waiting = []
    for status in store.feeds.list():
        feed, last = status.feed, status.state.last_run_at
        if feed.enabled and feed.every_s is not None:
            due_at = feed.added_at if last is None else last + timedelta(seconds=feed.every_s)
            if due_at <= now:
                waiting.append((due_at, feed.name, feed))
    return tuple(feed for _, _, feed in sorted(waiting, key=lambda entry: entry[:2]))


def sample(store: Store, feed: Feed, *, to: Path) -> Delivery | None:
    """Fetch the first file that a source would bring, so that a person sees how it reads; nothing is kept.

    Parameters
    ----------
    store : Store
        Whose policy limits what is fetched.
    feed : Feed
        The source; it need not be kept yet.
    to : Path
        The folder to write to.

    Returns
    -------
    Delivery or None
        None: there is nothing to bring now.

    Raises
    ------
    Unreadable
        The source does not answer.
    InvalidDefinition
        A setting is not allowed.
    NotFound
        A secret, a library or a place is not there.
    """
    _check(feed)
    smaller = replace(feed, batch_rows=min(feed.batch_rows, SAMPLE_ROWS))
    with closing(_opened(store, smaller)) as source, closing(source.deliveries(None, folder=to)) as deliveries:
        return next(deliveries, None)


def run_source(
    store: Store,
    name: str,
    *,
    most: int | None = None,
    progress: Progress | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> FeedReport:
    """Receive what a source holds behind the place where it was left.

    Parameters
    ----------
    store : Store
        The home.
    name : str
        The source.
    most : int, optional
        Stop after so many received files; the next run goes on from there.
    progress : callable, optional
        Told after each file.
    stop : callable
        Asked after each file whether to end there.

    Returns
    -------
    FeedReport
        A file of a folder that cannot be read is an entry of ``errors`` and the others are received; the next run
        tries it again.

    Raises
    ------
    NotFound
        No such source, or a secret, a library or a place is not there.
    Stale
        It is running already.
    Unreadable
        It does not answer, or what it brought cannot be read; what was received before stays, and the next run begins
        with the file at which this one stopped.
    PipelineError
        The store cannot keep it.
    """
    with store.feeds.running(name) as status:
        try:
            report = _run(store, status, most=most, progress=progress, stop=stop)
        except Exception as error:
            # whatever it was, a run was made: unnoted, the source would be due again at once, before all others
            told = f"An unexpected error ({type(error).__name__}); the log of the app has the details."
            if isinstance(error, PipelineError):
                told = f"{error.headline}. {error.message}"
            store.feeds.ran(name, at=store.now(), error=told)
            raise
        store.feeds.ran(name, at=store.now(), error=report.errors[0] if report.errors else None)
    return report


def score_brought(store: Store, name: str) -> int:
    """Let the champion score what a source brought since its promotion and is not scored yet.

    What is left to do is asked of the store: also what an earlier run brought that ended in an error, or with the process.

    Parameters
    ----------
    store : Store
        The home.
    name : str
        The source.

    Returns
    -------
    int
        How many batches were scored; one that cannot be is told to the log, and holds up no other.

    Raises
    ------
    NotFound
        There is no such source.
    """
    feed = store.feeds.get(name).feed
    champion, scored = store.models.champion(feed.model), 0
    if champion is None:
        return 0
    since = store.models.promotions(feed.model)[0].at
    for batch_id in store.feeds.unscored(feed, version=champion.version, since=since):
        try:
            intake.score(store, feed.model, batch_id=batch_id)
        except PipelineError as error:
            LOGGER.warning("Batch %s of source %s is not scored: %s. %s", batch_id, name, error.headline, error.message)
        else:
            scored += 1
    return scored


@dataclass(slots=True)
class _Tally:
    """What a run has brought so far."""

    batches: list[str] = field(default_factory=list)
    rows: int = 0
    quarantined: int = 0
    duplicates: int = 0
    errors: list[str] = field(default_factory=list)

    @property
    def received(self) -> int:
        return len(self.batches) + self.duplicates


def _run(
    store: Store, status: FeedStatus, *, most: int | None, progress: Progress | None, stop: Callable[[], bool]
) -> FeedReport:
    feed = status.feed
    tally, stopped = _Tally(), _CAUGHT_UP
    with store.work_dir() as scratch, closing(_opened(store, feed)) as source:
        with closing(source.deliveries(status.state.cursor, folder=scratch)) as deliveries:
            for delivery in deliveries:
                if _received(store, feed, delivery, tally):
                    source.settled(delivery.cursor)
                delivery.path.unlink(missing_ok=True)
                if progress is not None:
                    progress(0.0, f"{tally.rows:,} rows in {len(tally.batches):,} batches")
                if tally.received == most:  # what cannot be read comes first again, and would be all that a run does
                    stopped = f"after {most:,} files, as asked; the next run goes on"
                    break
                if stop():
                    stopped = "stopped with the app; the next run goes on"
                    break
        notes = tuple(source.notes)
    return FeedReport(
        name=feed.name,
        model=feed.model,
        batches=tuple(tally.batches),
        rows=tally.rows,
        quarantined=tally.quarantined,
        duplicates=tally.duplicates,
        stopped=stopped,
        errors=tuple(tally.errors),
        notes=notes,
    )


def _received(store: Store, feed: Feed, delivery: Delivery, tally: _Tally) -> bool:
    """Hand a file to the door; False for one of a folder that cannot be read, as the others do not depend on it."""
    try:
        arrived = arrival.arrive(
            store,
            delivery.path,
            source=delivery.name,
            reading=feed.reading,
            advance=(feed.name, delivery.cursor),
        )
        report = arrival.accept(store, feed.model, arrived)
    except Unreadable as error:
        if feed.kind is not FeedKind.FOLDER:
            raise
        tally.errors.append(f"{delivery.name}: {error.message}")
        return False
    if report.duplicate:
        tally.duplicates += 1
        return True
    tally.batches.append(report.batch_id)
    tally.rows += report.rows
    tally.quarantined += report.status is BatchStatus.QUARANTINED
    return True


def _opened(store: Store, feed: Feed) -> Source:
    secrets = revealed(feed.secrets)
    setup = Setup(
        name=feed.name,
        settings={**feed.settings, **secrets},
        batch_rows=feed.batch_rows,
        batch_s=feed.batch_s,
        bytes_max=store.policy.upload_bytes_max,
        hidden=tuple(secrets.values()),
    )
    return KINDS[feed.kind].opens(setup)


def _check(feed: Feed) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", feed.name):
        raise InvalidDefinition(
            f"{feed.name!r} cannot name a source; up to 64 letters, digits, dots, dashes and underscores are allowed."
            " Choose another name."
        )
    kind = KINDS[feed.kind]
    check_settings(feed.name, feed.settings, secrets=feed.secrets, required=kind.required, optional=kind.optional)
    kind.check(feed.name, feed.settings)
    if feed.batch_rows < 1 or not feed.batch_s > 0 or (feed.every_s is not None and feed.every_s < EVERY_S_MIN):
        raise InvalidDefinition(
            f"Source {feed.name!r}: batch_rows is {feed.batch_rows}, batch_s {feed.batch_s:g}, every_s {feed.every_s};"
            f" at least 1 row, more than 0 s and at least {EVERY_S_MIN} s are allowed. Change that."
        )
