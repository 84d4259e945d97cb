"""What the intake pages read from the store, once per revision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from pipeline_core.errors import NotFound
from pipeline_core.flows import intake
from pipeline_core.flows.quarantine import Offending
from pipeline_core.records import BatchReport, BatchStatus
from pipeline_core.store.home import Store

ROWS_SHOWN = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """The batches of a model, newest first, with who scored them."""

    batches: tuple[BatchReport, ...]
    scored: frozenset[str]
    champion: int | None
    severities: Mapping[tuple[str, str | None], str] = field(default_factory=dict)

    @property
    def quarantined(self) -> tuple[BatchReport, ...]:
        """The batches that were refused."""
        return tuple(b for b in self.batches if b.status is BatchStatus.QUARANTINED)

    def numbered(self, batch_id: str) -> BatchReport | None:
        """Give the batch of that id."""
        return next((b for b in self.batches if b.batch_id == batch_id), None)


def arrivals(store: Store, model: str) -> Arrivals:
    """Read everything that came in for a model."""
    champion = store.models.champion(model)
    scored = store.signals.prediction_batches(model, version=champion.version) if champion else ()
    return Arrivals(
        batches=store.batches.list(model),
        scored=frozenset(scored),
        champion=champion.version if champion else None,
        severities=store.models.severities(model),
    )


def first_rows(store: Store, model: str, batch_id: str) -> pa.Table:
    """Read the first typed rows of an accepted batch."""
    return store.batches.read_rows(model, batch_id).slice(0, ROWS_SHOWN)


def offending(store: Store, model: str, batch_id: str) -> Offending:
    """Read the rows of a refused file that its findings are about, as they arrived."""
    return intake.offending(store, model, batch_id)


def aside(store: Store, model: str, batch_id: str) -> pa.Table:
    """Read which rows of an accepted batch were set aside, and why."""
    return store.batches.read_aside(model, batch_id)


def predictions(store: Store, model: str, batch_id: str) -> pa.Table:
    """Read what the champion said about a batch."""
    champion = store.models.champion(model)
    version = champion.version if champion else None
    return store.signals.predictions(model, version=version, batch_id=batch_id)


def raw_file(store: Store, report: BatchReport) -> Path | None:
    """Give the file as it was received, if it was kept."""
    try:
        return store.batches.raw_path(report)
    except NotFound:
        return None
