"""How does the demo come into a store? A year is lived through the ordinary verbs in a home of its own, then absorbed.

``sources.demo`` makes the files. ``live`` runs in a niced child on a scratch home whose clock walks through 2025, so that
nobody's pages wait and every record carries the date on which a team would have made it; ``build`` takes the finished
model over in one transaction. Nothing here is a short cut: each file is received, each week scored, each file of outcomes
joined, each check made with what was known on its day. It refuses to build over a model that has the demo's name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pyarrow.csv

from pipeline_core.errors import InvalidDefinition, NotFound
from pipeline_core.flows import compute, intake, release, watch
from pipeline_core.flows.compute import Compute, Progress
from pipeline_core.records import BatchStatus, ModelStatus
from pipeline_core.sources import demo as source
from pipeline_core.sources.demo import Delivery
from pipeline_core.store.home import Store

WHO = "demo"
WINDOW = "7d"
TRAINS = datetime(2025, 4, 14, 9, 30, tzinfo=UTC)
"""When the first champion is made: the outcomes of about eight weeks are known."""
RETRAINS = datetime(2025, 12, 29, 9, 30, tzinfo=UTC)
"""When the challenger is made that waits for a person."""
CHECKS = tuple(datetime(2025, 4, 28, 8, 0, tzinfo=UTC) + timedelta(weeks=week) for week in range(0, 37, 2))
"""When the weeks are checked: every other Monday, after the files of the day have come."""


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


class Calendar:
    """The demo's clock: it stands still until it is moved, and never goes back.

    Parameters
    ----------
    start : datetime
        Aware; the first moment.
    """

    def __init__(self, start: datetime) -> None:
        self._now = start

    def __call__(self) -> datetime:
        """Say what time it is."""
        return self._now

    def move(self, moment: datetime) -> None:
        """Let time pass until a moment; one that has passed changes nothing."""
        self._now = max(self._now, moment)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Act:
    """What somebody does at a moment of the year; ``effort`` is how much of the work it is, for the progress."""

    at: datetime
    told: str
    do: Callable[[], object]
    effort: float = 1.0


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
    calendar = Calendar(source.STARTS)
    with Store.open(request.home, clock=calendar) as store, store.work_dir() as folder:
        acts = [_arriving(store, folder, delivery) for delivery in (*year.weeks, *year.labels)]
        acts += [*_releases(store), *_checks(store)]
        effort, done = sum(act.effort for act in acts), 0.0
        for act in sorted(acts, key=lambda act: act.at):
            progress(0.02 + 0.97 * done / effort, f"{act.at.day} {act.at:%B %Y}: {act.told}")
            calendar.move(act.at)
            act.do()
            done += act.effort
        progress(0.99, "Handing over")
        batches = store.batches.list(source.MODEL)
        return DemoReport(
            model=source.MODEL,
            batches=len(batches),
            quarantined=sum(batch.status is BatchStatus.QUARANTINED for batch in batches),
            rows=sum(batch.rows for batch in batches if batch.status is BatchStatus.ACCEPTED),
            versions=len(store.models.versions(source.MODEL)),
        )


def _arriving(store: Store, folder: Path, delivery: Delivery) -> _Act:
    if delivery.arrives == source.STARTS:
        told = "defining the model from the first file"
        return _Act(at=delivery.arrives, told=told, do=partial(_define, store, folder, delivery))
    outcomes = delivery.table.column_names == [source.ID, source.TARGET]
    do = partial(_label if outcomes else _receive, store, folder, delivery)
    return _Act(at=delivery.arrives, told=f"receiving {delivery.name}", do=do)


def _define(store: Store, folder: Path, first: Delivery) -> None:
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
        compute=compute.in_process,  # this process wrote the file itself
    )


def _receive(store: Store, folder: Path, delivery: Delivery) -> None:
    batch = intake.receive(store, source.MODEL, _write(delivery, folder), compute=compute.in_process)
    if batch.status is BatchStatus.ACCEPTED and store.models.champion(source.MODEL):
        intake.score(store, source.MODEL, batch_id=batch.batch_id)


def _label(store: Store, folder: Path, delivery: Delivery) -> None:
    intake.labels(store, source.MODEL, _write(delivery, folder), compute=compute.in_process)


def _releases(store: Store) -> list[_Act]:
    minute = timedelta(minutes=1)
    reason = "First champion: on the weeks that were held out it beats the trivial predictor."

    def train() -> None:
        release.train(store, source.MODEL, compute=compute.in_process)

    def challenge() -> None:
        release.challenge(store, source.MODEL)

    def promote() -> None:
        release.promote(store, source.MODEL, version=1, by=WHO, reason=reason)
        # what came in since the start is scored now that there is somebody to score it
        for batch in reversed(store.batches.list(source.MODEL)[: -source.HISTORY_WEEKS]):
            intake.score(store, source.MODEL, batch_id=batch.batch_id)

    return [
        _Act(at=TRAINS, told="training the first version", do=train, effort=8),
        _Act(at=TRAINS + 20 * minute, told="comparing it with the trivial predictor", do=challenge),
        _Act(at=TRAINS + 280 * minute, told="promoting it", do=promote, effort=2),
        _Act(at=RETRAINS, told="training a challenger on the newer data", do=train, effort=10),
        _Act(at=RETRAINS + 20 * minute, told="comparing it with the champion", do=challenge, effort=3),
    ]


def _checks(store: Store) -> list[_Act]:
    def check() -> None:
        watch.check(store, source.MODEL, window=WINDOW, compute=compute.in_process)  # the year has a child of its own

    return [_Act(at=at, told="checking the weeks so far", do=check, effort=3) for at in CHECKS]


def _write(delivery: Delivery, folder: Path) -> Path:
    path = folder / delivery.name
    pyarrow.csv.write_csv(delivery.table, path)
    return path
