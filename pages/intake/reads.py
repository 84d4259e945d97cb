"""What the intake pages read from the store, once per revision."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from pipeline_core.errors import NotFound
from pipeline_core.records import BatchReport, BatchStatus
from pipeline_core.store.home import Store

ROWS_SHOWN = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """The batches of a model, newest first, with who scored them."""

    batches: tuple[BatchReport, ...]
    scored: frozenset[str]
    champion: int | None

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
    )


def first_rows(store: Store, model: str, batch_id: str) -> pa.Table:
    """Read the first typed rows of an accepted batch."""
    return store.batches.read_rows(model, batch_id).slice(0, ROWS_SHOWN)


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
