"""Is anything wrong: check, distribution, status.

``check`` compares every window since the champion's fitted rows end with its baseline, looks closely at the rows of those
that stand out, and keeps the answer and its alerts in one transaction. Neighbours: ``watched`` finds and counts the rows,
``baselines`` says what they are compared with, ``examining`` looks at rows, ``stages`` judge. It refuses to act: whom to
wake and what to train is for people and for ``release``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Required, TypedDict, Unpack

import pyarrow as pa
import pyarrow.compute as pc

from pipeline_core.engines.duck import DuckEngine
from pipeline_core.errors import InvalidDefinition, NotFound, nearest
from pipeline_core.flows import baselines, examining
from pipeline_core.flows import compute as computing
from pipeline_core.flows.learned import between, deciding_distance, grid_of
from pipeline_core.flows.replies import Compute, Progress
from pipeline_core.flows.sides import Side
from pipeline_core.flows.watched import Cut, Watched, cut, watched
from pipeline_core.policy import Policy
from pipeline_core.records import (
    AlertLevel,
    Column,
    Distribution,
    Examination,
    Grid,
    ModelStatus,
    ModelVersion,
    NotMeasured,
    Performance,
    Period,
    PredictionDrift,
    Rule,
    WatchReport,
    WindowReport,
)
from pipeline_core.stages import alerts, detachment, drift, impact, performance, profiling
from pipeline_core.stats.columns import ColumnCounts
from pipeline_core.stats.scores import PRIMARY
from pipeline_core.stats.truth import judged
from pipeline_core.store.home import Store

LOOKS: Compute = computing.in_child
"""Where rows are looked at, unless a caller says otherwise."""
_INSTANT = timedelta(microseconds=1)

Counted = Mapping[str, ColumnCounts]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Bench:
    """What every window is judged with."""

    seen: Watched
    policy: Policy
    scores: ColumnCounts | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Away:
    """Rows by day that are not in the store, and where they are, in words."""

    side: Side
    told: str


class Asked(TypedDict, total=False):
    """Which distribution is meant: ``start`` and ``end`` of the window, ``exact``, and the ``report`` that holds it."""

    start: Required[datetime]
    end: Required[datetime]
    exact: bool
    report: WatchReport | None


def check(
    store: Store,
    model: str,
    *,
    window: str | None = None,
    progress: Progress | None = None,
    compute: Compute | None = None,
    away: Away | None = None,
) -> WatchReport:
    """Compare every window since the champion's fitted rows end with its baseline.

    Parameters
    ----------
    store : Store
        The home.
    model : str
        The model's name.
    window : str, optional
        ``6h``, ``7d``, ``1mo``, ``7d/1d`` (rolling), ``1000rows``; none: the shortest of 1, 7, 30, 90 and 365 days that holds
        enough rows.
    progress : callable, optional
        Is told the share done (0-1) and what is being done.
    compute : callable, optional
        Where rows are looked at; none: ``LOOKS``.
    away : Away, optional
        Rows that are not here, watched instead of the accepted ones; nobody looks at them one by one.

    Returns
    -------
    WatchReport
        Kept, with its alerts; checking again replaces the answer and raises no alert twice.

    Raises
    ------
    NotFound
        No such model, or it has no champion.
    InvalidDefinition
        The window is not allowed for this model, or gives too many windows.
    """
    champion = champion_of(store, model)
    tell = progress or _nobody
    seen = watched(store, champion)
    scores = profiling.columns(store.models.score_baseline(model, champion.version)).get(profiling.SCORE)
    bench = _Bench(seen=seen, policy=store.policy, scores=scores)
    kept = profiling.columns(store.models.baseline(model, champion.version))
    with store.work_dir() as work, DuckEngine(work=work) as engine:
        tell(0.05, "Laying the windows")
        rows = cut(store, engine, seen, window=window, away=None if away is None else away.side)
        basis = baselines.basis(store, engine, seen, rows)
        tell(0.2, f"Comparing {len(rows.spans):,} windows of {rows.length}")
        moved = drift.judge(
            list(baselines.compared(store, engine, seen, rows, basis=basis, kept=kept)),
            basis.laid,
            shares=champion.shap_shares,
            policy=store.policy,
            evidence=[] if away else _evidence(seen, rows),
        )
        windows = _windows(bench, rows, basis, moved, said=_said(store, seen, rows), kept=kept)
        found: Mapping[int, Examination] = {}
        if away is None:
            tell(0.6, "Looking at rows of the windows that stand out")
            against = basis.times(len(windows))
            found = examining.examined(store, engine, seen, rows, windows, compute=compute or LOOKS, against=against)
    past = basis.past[: basis.laid.healthy]
    report = WatchReport(
        model=model,
        version=champion.version,
        window=str(rows.length),
        baseline_rows=max((counts.rows for counts in kept.values()), default=0),
        checked_at=store.now(),
        windows=tuple(
            alerts.window_level(
                _with_look(window, found.get(place), store.policy),
                weighted_reason=moved.windows[place].weighted_reason,
                seasonal=basis.choice.season is not None,
                policy=store.policy,
            )
            for place, window in enumerate(windows)
        ),
        baseline=basis.choice,
        rule=Rule(
            words=moved.words,
            uncalibrated_words=moved.uncalibrated_words,
            calibrated=moved.calibrated,
            healthy_windows=moved.healthy,
            fired=moved.fired,
            tried=moved.tried,
        ),
        rows_in="" if away is None else away.told,
        past=tuple(
            Period(start=span.start, end=span.end, rows=int(n)) for span, n in zip(past, basis.laid.rows, strict=False)
        ),
    )
    return _kept(store, report)


def distribution(store: Store, model: str, *, feature: str, **asked: Unpack[Asked]) -> Distribution:
    """Give one feature in a window and in the window's baseline, ready to draw.

    Parameters
    ----------
    store : Store
        The home.
    model : str
        The model's name.
    feature : str
        Its display name.
    **asked
        ``start`` and ``end`` of the window, as ``check`` reported it; any other time is taken as from ``start`` to before
        ``end``, and held against the champion's fitted rows. ``exact``: read the rows of the cells that decide the KS
        distance again. ``report``: the check that the window is of, where the caller has it; none: the newest.

    Returns
    -------
    Distribution

    Raises
    ------
    NotFound
        No such model, champion or feature, a feature that is not counted, or a window whose rows are not in the store.
    InvalidDefinition
        The window ends before it starts.
    """
    champion = champion_of(store, model)
    seen = watched(store, champion)
    column = _feature(seen, feature)
    start, end = asked["start"], asked["end"]
    if end < start:
        raise InvalidDefinition(f"The window ends at {end:%Y-%m-%d %H:%M}, before it starts at {start:%Y-%m-%d %H:%M}.")
    grid = grid_of(seen.schema, column.column_id)
    report = asked.get("report") or store.signals.watch(model, version=champion.version)
    ends = [(w.start, w.end) for w in report.windows] if report else []
    with store.work_dir() as work, DuckEngine(work=work) as engine:
        if report is not None and (start, end) in ends:
            _refuse_away(report)
            place = ends.index((start, end))
            base, now = baselines.counts_of(store, engine, seen, report=report, place=place, grid=grid)
        else:
            base, now = baselines.NOTHING, _between(store, engine, seen, grid=grid, span=(start, end))
        learned = profiling.columns(store.models.baseline(model, champion.version)).get(column.column_id)
        base = base if base.rows else learned or baselines.NOTHING
        found = profiling.distribution(base, now, grid=grid, feature=feature)
        if asked.get("exact") and base.known and now.known:
            distance = deciding_distance(store, engine, seen, grid=grid, span=(start, end), pair=(base, now))
            found = replace(found, exact_ks=distance)
    return found


def status(store: Store, model: str | None = None) -> tuple[ModelStatus, ...]:
    """Give each model at a glance.

    Parameters
    ----------
    store : Store
        The home.
    model : str, optional
        Only this one.

    Returns
    -------
    tuple of ModelStatus

    Raises
    ------
    NotFound
        No model of that name.
    """
    if model is not None:
        store.models.schema(model)
    return tuple(s for s in store.models.statuses() if model in {None, s.model})


def champion_of(store: Store, model: str) -> ModelVersion:
    """Give the version that is watched.

    Parameters
    ----------
    store : Store
        The home.
    model : str
        The model's name.

    Returns
    -------
    ModelVersion

    Raises
    ------
    NotFound
        No such model, or it has no champion.
    """
    store.models.schema(model)
    champion = store.models.champion(model)
    if champion is None:
        raise NotFound(
            f"Model {model!r} has no champion, so there is nothing to watch. Train a version and promote it, or roll back."
        )
    return champion


def _feature(seen: Watched, name: str) -> Column:
    names = {c.name: c for c in seen.schema.features}
    if name not in names:
        raise NotFound(f"Model {seen.schema.model!r} has no feature {name!r}. {nearest(name, names)}")
    return names[name]


def _refuse_away(report: WatchReport) -> None:
    if report.rows_in:
        raise NotFound(
            f"The rows of this window are in {report.rows_in} and stay there, so there is no distribution to draw; windows of rows"
            f" in the store can be drawn. Bring the rows by `receive`, and check model {report.model!r} without --engine."
        )


def _nobody(_share: float, _doing: str) -> None:
    """Nobody listens."""


def _evidence(seen: Watched, rows: Cut) -> list[Mapping[str, tuple[str, ...]]]:
    """Give what the door found in the batches that each window holds as a whole; of others their own alerts tell."""
    suspect = [b for b in seen.batches if alerts.hard_evidence([b])]
    return [alerts.hard_evidence(b for b in suspect if rows.holds(span, b)) for span in rows.spans]


def _between(
    store: Store, engine: DuckEngine, seen: Watched, *, grid: Grid, span: tuple[datetime, datetime]
) -> ColumnCounts:
    start, end = span
    found = between(store, engine, seen, grid=grid, span=(start, max(end, start + _INSTANT)))
    return found.get(grid.column_id, baselines.NOTHING)


def _said(store: Store, seen: Watched, rows: Cut) -> list[pa.Table]:
    """Give the champion's logged predictions with the newest labels, window by window."""
    table = store.signals.predictions(seen.schema.model, version=seen.champion.version, since=seen.rows.since)
    if seen.batch_ids is not None:
        table = table.filter(pc.is_in(table.column("batch_id"), value_set=pa.array(seen.batch_ids, pa.string())))
    return [table.take(pa.array(places)) for places in rows.members(table)]


def _windows(
    bench: _Bench,
    rows: Cut,
    basis: baselines.Basis,
    moved: drift.Judged,
    *,
    said: Sequence[pa.Table],
    kept: Counted,
) -> list[WindowReport]:
    """Put together what is known of each window without a look at its rows."""
    learned = max((counts.rows for counts in kept.values()), default=0)
    found = []
    for place, (span, data) in enumerate(zip(rows.spans, moved.windows, strict=True)):
        at = basis.laid.healthy + place
        window = WindowReport(
            start=span.start,
            end=span.end,
            rows=int(basis.laid.rows[at]),
            alert=AlertLevel.NONE,
            reasons=(),
            weighted_drift=data.weighted_drift,
            features=data.features,
            prediction_drift=_prediction_drift(bench, said[place]),
            performance=_performance(bench, said[place]),
            baseline_rows=int(basis.rows[at]) if basis.past else learned,
            calibrated=data.calibrated,
            p_calibrated=data.p_calibrated,
            weighted_limit=data.weighted_limit,
            weighted_alert=data.weighted_level,
        )
        found.append(alerts.window_level(window, weighted_reason=data.weighted_reason, policy=bench.policy))
    return found


def _with_look(window: WindowReport, found: Examination | None, policy: Policy) -> WindowReport:
    features = impact.priced(window.features, found, policy=policy)
    if found is not None:
        features = detachment.louder(features, found.detached, policy=policy)
    return replace(window, examined=found, features=features)


def _prediction_drift(bench: _Bench, said: pa.Table) -> PredictionDrift:
    counts = profiling.columns(profiling.value_counts(said.column("score").cast(pa.float64()).to_numpy()))
    return drift.prediction_drift(bench.scores, counts.get(profiling.SCORE), policy=bench.policy)


def _performance(bench: _Bench, said: pa.Table) -> Performance:
    schema, champion = bench.seen.schema, bench.seen.champion
    known = said.filter(pc.is_valid(said.column("label")))
    rows = judged(schema, known.column("label").to_numpy(), known)
    missing = NotMeasured(reason=f"version {champion.version} has no validation figure")
    return performance.window_performance(
        rows,
        reference=champion.metrics.get(PRIMARY[schema.task], missing),
        scored_rows=said.num_rows,
        policy=bench.policy,
        seed=champion.run.seed,
    )


def _kept(store: Store, report: WatchReport) -> WatchReport:
    with store.transaction():
        known = store.signals.alerts(report.model)
        new = store.signals.add_alerts(alerts.alerts_of(report, known, policy=store.policy))
        report = replace(report, new_alerts=len(new))
        store.signals.put_windows(report)
    return report
