"""Is anything wrong: check, distribution, status.

``check`` compares every window since the champion's fitted rows end with what the champion learned from,
and keeps the answer and its alerts in one transaction. Neighbours: ``watched`` finds and counts the rows,
``stages`` judge. It refuses to act: whom to wake and what to train is for people and for ``release``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline_core.engines.duck import DuckEngine
from pipeline_core.errors import InvalidDefinition, NotFound, nearest
from pipeline_core.flows.watched import (
    Counted,
    Cut,
    Watched,
    between,
    cut,
    exact_distances,
    grid_of,
    learned_rows,
    watched,
)
from pipeline_core.flows.windows import Span
from pipeline_core.policy import Policy
from pipeline_core.records import (
    Column,
    Distribution,
    Grid,
    ModelStatus,
    ModelVersion,
    NotMeasured,
    Performance,
    WatchReport,
    WindowReport,
)
from pipeline_core.stages import alerts, drift, performance, profiling
from pipeline_core.stats.columns import ColumnCounts
from pipeline_core.stats.scores import PRIMARY
from pipeline_core.stats.truth import judged
from pipeline_core.store.home import Store

_NO_COUNTS = ColumnCounts(keys=np.empty(0), n=np.empty(0, np.int64))
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Bench:
    """What every window is compared with."""

    seen: Watched
    policy: Policy
    base: Counted
    scores: ColumnCounts | None


def check(store: Store, model: str, *, window: str | None = None) -> WatchReport:
    """Compare every window since the champion's fitted rows end with what the champion learned from.

    Parameters
    ----------
    store : Store
        The home.
    model : str
        The model's name.
    window : str, optional
        ``7d``, ``24h``, ``1000rows``; none: the shortest of 1, 7, 30, 90 and 365 days that holds enough rows.

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
    champion = _champion(store, model)
    seen = watched(store, champion)
    bench = _Bench(
        seen=seen,
        policy=store.policy,
        base=profiling.columns(store.models.baseline(model, champion.version)),
        scores=profiling.columns(store.models.score_baseline(model, champion.version)).get(profiling.SCORE),
    )
    with store.work_dir() as work, DuckEngine(work=work) as engine:
        rows = cut(store, engine, seen, window=window)
        learned = learned_rows(store, engine, seen, work=work) if rows.spans else None
        exact = exact_distances(engine, seen, rows, base=bench.base, learned=learned)
    said = _said(store, seen, rows)
    report = WatchReport(
        model=model,
        version=champion.version,
        window=str(rows.length),
        baseline_rows=max((counts.rows for counts in bench.base.values()), default=0),
        checked_at=store.now(),
        windows=tuple(
            _window(bench, span, rows.counts.get(span.bucket, {}), said=predictions, exact=exact[span.bucket])
            for span, predictions in zip(rows.spans, said, strict=True)
        ),
    )
    return _kept(store, report)


def distribution(store: Store, model: str, *, feature: str, start: datetime, end: datetime) -> Distribution:
    """Give one feature in the champion's baseline and in a window, ready to draw.

    Parameters
    ----------
    store : Store
        The home.
    model : str
        The model's name.
    feature : str
        Its display name.
    start, end : datetime
        Of the window, as ``check`` reported it; any other time is taken as from ``start`` to before ``end``.

    Returns
    -------
    Distribution

    Raises
    ------
    NotFound
        No such model, champion or feature, or a feature that is not counted.
    InvalidDefinition
        The window ends before it starts.
    """
    champion = _champion(store, model)
    seen = watched(store, champion)
    column = _feature(seen, feature)
    if end < start:
        raise InvalidDefinition(f"The window ends at {end:%Y-%m-%d %H:%M}, before it starts at {start:%Y-%m-%d %H:%M}.")
    grid = grid_of(seen.schema, column.column_id)
    base = profiling.columns(store.models.baseline(model, champion.version))
    with store.work_dir() as work, DuckEngine(work=work) as engine:
        current = _counted(store, engine, seen, grid=grid, span=(start, end))
    return profiling.distribution(
        base.get(column.column_id, _NO_COUNTS),
        current.get(column.column_id, _NO_COUNTS),
        grid=grid,
        feature=feature,
    )


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


def _champion(store: Store, model: str) -> ModelVersion:
    store.models.schema(model)
    champion = store.models.champion(model)
    if champion is None:
        raise NotFound(
            f"Model {model!r} has no champion yet, so there is nothing to watch. Train a version and promote it."
        )
    return champion


def _feature(seen: Watched, name: str) -> Column:
    names = {c.name: c for c in seen.schema.features}
    if name not in names:
        raise NotFound(f"Model {seen.schema.model!r} has no feature {name!r}. {nearest(name, names)}")
    return names[name]


def _counted(
    store: Store, engine: DuckEngine, seen: Watched, *, grid: Grid, span: tuple[datetime, datetime]
) -> Counted:
    """Count a column in a reported window; windows in rows are cut again, as they may share their times."""
    version = seen.champion.version
    kept = store.signals.watch(seen.schema.model, version=version)
    if kept is not None and kept.window.endswith("rows"):
        ends = [(w.start, w.end) for w in store.signals.windows(seen.schema.model, version=version, window=kept.window)]
        if span in ends:
            size = int(kept.window.removesuffix("rows"))
            rows = seen.rows
            table = engine.counts(rows.files, [grid], buckets=size, since=rows.since, without=rows.without)
            return list(profiling.windows(table).values())[ends.index(span)]
    start, end = span
    return between(store, engine, seen, grid=grid, span=(start, max(end, start + _INSTANT)))


def _said(store: Store, seen: Watched, rows: Cut) -> list[pa.Table]:
    """Give the champion's logged predictions with the newest labels, window by window."""
    table = store.signals.predictions(seen.schema.model, version=seen.champion.version, since=seen.rows.since)
    if seen.batch_ids is not None:
        table = table.filter(pc.is_in(table.column("batch_id"), value_set=pa.array(seen.batch_ids, pa.string())))
    places = _places(table, rows)
    order = np.argsort(places, kind="stable")
    edges = np.searchsorted(places[order], np.arange(len(rows.spans) + 1))
    return [table.take(pa.array(order[a:b])) for a, b in pairwise(edges.tolist())]


def _places(table: pa.Table, rows: Cut) -> npt.NDArray[np.int64]:
    """Give the number of the window that each prediction belongs to; -1 for none."""
    if rows.row_ids is not None and rows.row_places is not None:
        known = pc.index_in(table.column("row_id"), value_set=rows.row_ids)
        found = pc.fill_null(known, -1).to_numpy().astype(np.int64)
        return np.where(found < 0, -1, rows.row_places[found])
    events = table.column("event_at").cast(pa.timestamp("us")).cast(pa.int64())
    at = pc.fill_null(events, np.iinfo(np.int64).min).to_numpy()
    starts, ends = _micros([s.start for s in rows.spans]), _micros([s.end for s in rows.spans])
    if not len(starts):
        return np.full(len(at), -1)
    place = np.searchsorted(starts, at, side="right") - 1
    return np.where((place >= 0) & (at < ends[np.maximum(place, 0)]), place, -1)


def _micros(moments: Sequence[datetime]) -> npt.NDArray[np.int64]:
    naive = [profiling.naive(m) for m in moments]
    return pa.array(naive, pa.timestamp("us")).cast(pa.int64()).to_numpy()


def _window(bench: _Bench, span: Span, counts: Counted, *, said: pa.Table, exact: Mapping[str, float]) -> WindowReport:
    champion, policy = bench.seen.champion, bench.policy
    moved = drift.window_drift(
        bench.base, counts, schema=bench.seen.schema, shares=champion.shap_shares, policy=policy, exact_ks=exact
    )
    scores = profiling.columns(profiling.value_counts(said.column("score").cast(pa.float64()).to_numpy()))
    moved_scores = drift.prediction_drift(bench.scores, scores.get(profiling.SCORE), policy=policy)
    realised = _performance(bench, said)
    rows = max((c.rows for c in counts.values()), default=0)
    level, reasons = alerts.window_level(
        moved.features, rows=rows, prediction_drift=moved_scores, performance=realised, policy=policy
    )
    return WindowReport(
        start=span.start,
        end=span.end,
        rows=rows,
        alert=level,
        reasons=reasons,
        weighted_drift=moved.weighted_drift,
        features=moved.features,
        prediction_drift=moved_scores,
        performance=realised,
    )


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
