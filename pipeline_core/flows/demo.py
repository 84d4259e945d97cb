"""How does the demo come into a store? A year is lived through the ordinary verbs in a home of its own, then absorbed.

``sources.demo`` makes the files. ``live`` runs in a niced child on a scratch home, so that nobody's pages wait; ``build``
takes the finished model over in one transaction. Nothing here is a short cut: each file is received, each week scored,
each label file joined, as a team would have done it. It refuses to build over a model that has the demo's name.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow.csv

from pipeline_core.errors import InvalidDefinition, NotFound
from pipeline_core.flows import compute, intake, release, watch
from pipeline_core.flows.compute import Compute, Progress
from pipeline_core.records import BatchStatus, ModelStatus
from pipeline_core.sources import demo as source
from pipeline_core.sources.demo import Delivery, Year
from pipeline_core.store.home import Store

WHO = "demo"
WINDOW = "7d"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoRequest:
    """Where to live the year, and how big it is."""

    home: Path
    seed: int = source.SEED
    week_rows: int = source.WEEK_ROWS


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoReport:
    """What the year came to."""

    model: str
    batches: int
    quarantined: int
    rows: int
    versions: int


def build(
    store: Store,
    *,
    progress: Progress | None = None,
    run: Compute = compute.in_child,
    seed: int = source.SEED,
    week_rows: int = source.WEEK_ROWS,
) -> ModelStatus:
    """Build the demo model and take it into a store.

    Parameters
    ----------
    store : Store
        The home that receives it.
    progress : callable, optional
        Is told the share done (0-1) and what is being done.
    run : Compute
        Where the year is lived: a child process, or here.
    seed : int
        The same seed makes the same year.
    week_rows : int
        About how many applications a week.

    Returns
    -------
    ModelStatus
        The demo model at a glance.

    Raises
    ------
    InvalidDefinition
        A model of that name is already there.
    ComputeFailed
        The child died or was stopped; nothing was kept.
    """
    if source.MODEL in store.models.names():
        raise InvalidDefinition(f"A model named {source.MODEL!r} is already here. Remove it before building the demo.")
    with store.work_dir() as folder:
        request = DemoRequest(home=folder / "home", seed=seed, week_rows=week_rows)
        run(live, request, progress=progress)
        store.absorb(request.home, source.MODEL)
    return next(status for status in store.models.statuses() if status.model == source.MODEL)


def remove(store: Store) -> str:
    """Remove the demo model with everything that belongs to it.

    Parameters
    ----------
    store : Store
        The home to remove it from.

    Returns
    -------
    str
        The model's name.

    Raises
    ------
    NotFound
        There is no demo; a model of that name that somebody defined himself is left alone.
    """
    if source.MODEL not in store.models.names() or not store.models.schema(source.MODEL).demo:
        raise NotFound("There is no demo here to remove.")
    store.models.remove(source.MODEL)
    return source.MODEL


def live(request: DemoRequest, progress: Progress) -> DemoReport:
    """Live the year in a home of its own.

    Parameters
    ----------
    request : DemoRequest
        An empty or missing folder, and the size of the year.
    progress : callable
        Is told the share done (0-1) and what is being done.

    Returns
    -------
    DemoReport
    """
    progress(0.01, "Inventing a year of applications")
    year = source.year(seed=request.seed, week_rows=request.week_rows)
    with Store.open(request.home) as store, store.work_dir() as folder:
        _train_on_spring(store, year, folder, progress)
        _work_through(store, year, folder, progress)
        progress(0.80, "Checking every week")
        watch.check(store, source.MODEL, window=WINDOW)
        progress(0.86, "Training a challenger on the newer data")
        second = release.train(store, source.MODEL, compute=compute.in_process)
        progress(0.97, "Comparing it with the champion")
        release.challenge(store, source.MODEL, version=second.version)
        batches = store.batches.list(source.MODEL)
        progress(0.99, "Handing over")
        return DemoReport(
            model=source.MODEL,
            batches=len(batches),
            quarantined=sum(batch.status is BatchStatus.QUARANTINED for batch in batches),
            rows=sum(batch.rows for batch in batches if batch.status is BatchStatus.ACCEPTED),
            versions=len(store.models.versions(source.MODEL)),
        )


def _train_on_spring(store: Store, year: Year, folder: Path, progress: Progress) -> None:
    first, *rest = year.weeks[: source.TRAINING_WEEKS]
    progress(0.03, "Defining the model from the first file")
    intake.define(
        store,
        source.MODEL,
        _write(first, folder),
        target=source.TARGET,
        positive=source.POSITIVE,
        time=source.TIME,
        id=source.ID,
        protected=source.PROTECTED,
        demo=True,
    )
    for delivery in rest:
        progress(0.05, f"Receiving {delivery.name}")
        intake.receive(store, source.MODEL, _write(delivery, folder))
    progress(0.15, "Training on the first 13 weeks")
    version = release.train(store, source.MODEL, compute=compute.in_process)
    release.challenge(store, source.MODEL, version=version.version)
    reason = "First champion: beats the trivial predictor on the held-out weeks of March."
    release.promote(store, source.MODEL, version=version.version, by=WHO, reason=reason)


def _work_through(store: Store, year: Year, folder: Path, progress: Progress) -> None:
    labels = {delivery.name for delivery in year.labels}
    later = sorted([*year.weeks[source.TRAINING_WEEKS :], *year.labels], key=lambda delivery: delivery.arrives)
    for number, delivery in enumerate(later):
        progress(0.25 + 0.55 * number / len(later), f"Receiving {delivery.name}")
        file = _write(delivery, folder)
        if delivery.name in labels:
            intake.labels(store, source.MODEL, file)
            continue
        batch = intake.receive(store, source.MODEL, file)
        if batch.status is BatchStatus.ACCEPTED:
            intake.score(store, source.MODEL, batch_id=batch.batch_id)


def _write(delivery: Delivery, folder: Path) -> Path:
    path = folder / delivery.name
    pyarrow.csv.write_csv(delivery.table, path)
    return path
