"""Work in progress and the state of a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipeline_core.records.words import JobStatus, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A long piece of work and how far it is (``progress`` 0-1)."""

    job_id: str
    model: str | None
    verb: str
    arguments: Mapping[str, Any]
    status: JobStatus
    progress: float
    message: str
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    result: Mapping[str, Any] | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelStatus:
    """One model at a glance."""

    model: str
    task: Task
    champion: int | None
    versions: int
    batches: int
    quarantined: int
    rows: int
    last_received_at: datetime | None
    open_pages: int
    open_watches: int
    demo: bool
    next_step: str
