"""What was decided, by whom and why: one line of the audit file, and what a reading of the whole file found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Act(StrEnum):
    """What is kept in the audit file: what a person decided, and what changes what is served or how it is judged."""

    DEFINE = "define"
    TRAIN = "train"
    VERDICT = "verdict"
    PROMOTE = "promote"
    ROLLBACK = "rollback"
    REJECT = "reject"
    RETIRE = "retire"
    SHADOW = "shadow"
    BASELINE = "baseline"
    SEVERITY = "severity"
    RULING = "ruling"
    REMOVE = "remove"
    ABSORB = "absorb"
    MEND = "mend"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One act before it is kept. ``by`` and ``reason`` are empty where no person was asked; ``about`` holds ids and hashes."""

    act: Act
    model: str
    by: str = ""
    reason: str = ""
    about: Mapping[str, Any] = field(default_factory=dict)
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One line of the audit file. ``previous`` is the hash of the line before; ``hash`` is of this one without it."""

    sequence: int
    at: datetime
    act: Act
    model: str
    by: str
    reason: str
    about: Mapping[str, Any]
    previous: str
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFault:
    """One place where the file is not what was recorded: the line in it (None: it has none there) and a sentence."""

    line: int | None
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """Whether the audit file is whole: how many entries were recorded, the hash of the last one, and every fault.

    ``waiting`` entries are recorded and could not be written to the file yet. ``advice`` says what to do.
    """

    whole: bool
    entries: int
    head: str
    waiting: int = 0
    faults: tuple[AuditFault, ...] = ()
    advice: str = ""
