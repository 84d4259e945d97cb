"""How batches come back that were acknowledged and are no longer whole.

A torn write-ahead log or a removed file loses what was promised; the store says so (``store.losses``), and mostly the
file as received is still there. Neighbours: ``arrival`` takes it in again, ``store.losses`` finds what is missing. It
refuses to bring back what a source will deliver again by itself, and to repeat a person's decision.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline_core.errors import NotEnough, PipelineError
from pipeline_core.flows import arrival, sandbox
from pipeline_core.flows.compute import Compute
from pipeline_core.records import BatchReport, BatchStatus, Loss
from pipeline_core.store.home import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A loss that was not made good, and why."""

    loss: Loss
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What became of the losses: ``batches`` are whole again (ids as they are now)."""

    batches: tuple[str, ...]
    left: tuple[Left, ...]


def restore(store: Store, model: str | None = None, *, compute: Compute = sandbox.confined) -> Restored:
    """Bring back what was lost, from the files as they were received.

    Parameters
    ----------
    store : Store
        The home.
    model : str, optional
        Of this model only.
    compute : callable
        Where files are read.

    Returns
    -------
    Restored
    """
    brought: list[tuple[Loss, str]] = []
    batches: list[str] = []
    left: list[Left] = []
    for loss in store.losses:
        if model is not None and loss.model != model:
            continue
        try:
            report = _again(store, loss, compute)
        except PipelineError as error:
            left.append(Left(loss=loss, reason=error.message))
        else:
            brought.append((loss, report.batch_id))
    lost = {(loss.model, loss.batch_id, loss.sha256) for loss in store.losses}
    for loss, batch_id in brought:
        if (loss.model, loss.batch_id, loss.sha256) in lost:
            said = f"Its file was received again, as {batch_id}; its {loss.missing} did not come back by that. Look at that batch."
            left.append(Left(loss=loss, reason=said))
        else:
            batches.append(batch_id)
    return Restored(batches=tuple(batches), left=tuple(left))


def _again(store: Store, loss: Loss, compute: Compute) -> BatchReport:
    raw = _raw(store, loss)
    if loss.missing == "rows":
        report = store.batches.find(loss.model, loss.sha256) or store.batches.get(loss.model, loss.batch_id)
        arrival.mend(store, report, raw, compute=compute)
        return report
    feed = next((s.feed.name for s in store.feeds.list(loss.model) if loss.source.startswith(f"{s.feed.name}: ")), None)
    if feed is not None and loss.missing == "record":
        raise NotEnough(
            f"Batch {loss.batch_id} came by the source {feed!r}, whose place went back with it: run the source, and its rows"
            " come again. Taken from the file as well they would be there twice."
        )
    report = arrival.receive(store, loss.model, raw, source=loss.source, reading=loss.asked, compute=compute)
    if loss.missing == "ruling" and report.status is not BatchStatus.ACCEPTED:
        raise NotEnough(
            f"A person had decided about batch {loss.batch_id}, and that decision is lost; it is in quarantine again as"
            f" {report.batch_id}. Decide once more."
        )
    return report


def _raw(store: Store, loss: Loss) -> Path:
    raw = store.files.lost_raw(loss.sha256)
    if raw is None:
        raise NotEnough(
            f"The file of batch {loss.batch_id} ({loss.source!r}, {loss.rows:,} rows) is gone as well. Send it again: the same"
            f" bytes have the SHA-256 {loss.sha256}."
        )
    return raw
