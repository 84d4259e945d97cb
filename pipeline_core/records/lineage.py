"""Where a version comes from: its dataset, what was checked about it, and the card that tells it all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetPart:
    """What one batch gave to a dataset: its rows' values and their labels, each by hash.

    ``sha256`` is that of the file as received.
    """

    batch_id: str
    sha256: str
    rows: int
    rows_sha256: str
    labels_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetVersion:
    """An immutable selection of accepted, labelled rows, named by its content.

    ``since`` (inclusive) and ``until`` (exclusive) are the filter, ``asked`` the batches that were named (empty: all).
    ``also_read`` gave no row, but could have replaced some. Labels count as they were known at ``labels_at``.
    ``schema_sha256`` names the schema with its baseline.
    """

    model: str
    dataset_id: str
    sha256: str
    schema_version: int
    schema_sha256: str
    rows: int
    parts: tuple[DatasetPart, ...]
    also_read: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    first_event_at: datetime | None = None
    last_event_at: datetime | None = None
    labels_at: datetime
    made_at: datetime


class LinkState(StrEnum):
    """Whether what a link says still holds; ``NOT_KEPT``: there is nothing to hold it against."""

    AGREES = "agrees"
    DIFFERS = "differs"
    NOT_KEPT = "not kept"


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkCheck:
    """One statement of a lineage, held against what is there now: the value that was kept, and the one found."""

    link: str
    what: str
    state: LinkState
    kept: str = ""
    found: str = ""
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageCheck:
    """What still agrees about where a version comes from."""

    model: str
    version: int
    agrees: bool
    checked_at: datetime
    links: tuple[LinkCheck, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CardTable:
    """A table of a model card; every cell is text."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CardSection:
    """One section of a model card: sentences, then a table. All of it is plain text, to be escaped by whoever shows it."""

    title: str
    sentences: tuple[str, ...] = ()
    table: CardTable | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """What a version is for, what it was made from, how good it is, and what nobody knows about it."""

    model: str
    version: int
    title: str
    sections: tuple[CardSection, ...]
    made_at: datetime
