"""A source that was set up once, how far it was read, and what one run of it brought."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from pipeline_core.records.reading import Reading


class FeedKind(StrEnum):
    """Where a feed gets its rows."""

    FOLDER = "folder"
    DATABASE = "database"
    URL = "url"
    KAFKA = "kafka"
    REDIS = "redis"


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A source of one model's batches. ``docs/sources.md`` lists the settings of each kind.

    ``secrets`` maps a setting to where its value is found (``env:NAME`` or ``streamlit:NAME``), never to the value.
    ``every_s``: how often the worker runs it; None: only when asked. A batch is closed at ``batch_rows`` rows, or (of a
    stream) ``batch_s`` seconds after its first one.
    """

    name: str
    model: str
    kind: FeedKind
    settings: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    reading: Reading = field(default_factory=Reading)
    every_s: int | None = None
    batch_rows: int = 50_000
    batch_s: float = 5.0
    enabled: bool = True
    added_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedState:
    """How far a feed was read. ``cursor`` is its own note (JSON), written together with the batch that it follows.

    ``deliveries`` and ``rows`` were kept since it was added, quarantined ones and duplicates included.
    """

    name: str
    cursor: str | None = None
    last_run_at: datetime | None = None
    last_error: str | None = None
    deliveries: int = 0
    rows: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedStatus:
    """A feed and how far it was read."""

    feed: Feed
    state: FeedState


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedReport:
    """What one run brought. ``batches`` are ids, oldest first, quarantined ones included, duplicates not.

    ``stopped`` says why the run ended; ``errors`` are the sentences of deliveries that could not be read (they are
    tried again by the next run), ``notes`` tell what was left out or waits.
    """

    name: str
    model: str
    batches: tuple[str, ...] = ()
    rows: int = 0
    quarantined: int = 0
    duplicates: int = 0
    stopped: str = ""
    errors: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
