"""What each window is compared with: a selection of windows that were accepted before.

Answers "which rows are the baseline of this window, who said so, and which windows are the healthy past?". The windows of
the champion's dataset (or of a period that a person chose) are the material; a baseline is a set of them, so the same
season, everything but the window itself, or the window before are all sums of counts. Neighbours: ``watched`` cuts and
counts, ``stages.drift`` judges. It refuses to choose in a person's name: what the data suggests says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from pipeline_core.engines.duck import DuckEngine
from pipeline_core.flows.learned import between, within
from pipeline_core.flows.watched import Cut, Watched, counted, cut, laid_over, spanned
from pipeline_core.flows.windows import Span, zone_of
from pipeline_core.policy import Policy
from pipeline_core.records import BaselineChoice, BaselineKind, Grid, Season, TimeUnit, WatchReport
from pipeline_core.stages import drift
from pipeline_core.stats import seasons
from pipeline_core.stats.columns import ColumnCounts
from pipeline_core.stats.cubes import Cube, cube
from pipeline_core.stats.moves import effects
from pipeline_core.store.home import Store

NOTHING = ColumnCounts(keys=np.empty(0), n=np.empty(0, np.int64))
THE_DATA = "the data"
"""Who decided, where nobody has."""
FEATURES_ASKED = 10
"""How many of the most important features say whether there is a season."""
_LARGER = 2.0
_MATCHED = 0.8

Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Basis:
    """What the watched windows are compared with.

    ``past`` are the windows that baselines are made of; ``selection`` (past + watched, past) says which of them make the
    baseline of each window, the past's own (``laid.healthy`` of them) first; ``rows`` (past + watched,) are the rows of those
    baselines. ``laid`` belongs to the same order. Without a past (``past`` empty), all
    windows are compared with the counts that the champion keeps.
    """

    choice: BaselineChoice
    past: tuple[Span, ...]
    selection: Flags
    laid: drift.Laid
    rows: Ints

    def times(self, windows: int) -> dict[int, tuple[tuple[datetime, datetime], ...]]:
        """Give the stretches of time of each watched window's baseline, where it is not all of the past."""
        found = {}
        for place in range(windows if self.past else 0):
            chosen = self.selection[len(self.selection) - windows + place]
            if self.choice.kind is not BaselineKind.TRAINING:
                found[place] = _joined([self.past[at] for at in np.flatnonzero(chosen)])
        return found


def basis(store: Store, engine: DuckEngine, seen: Watched, cut: Cut, *, choice: BaselineChoice | None = None) -> Basis:
    """Find what the watched windows are compared with: what a person chose, or what the data suggests.

    Parameters
    ----------
    store : Store
        The home.
    engine : DuckEngine
        Reads what day counts cannot tell.
    seen : Watched
        The champion and its rows.
    cut : Cut
        Their windows.
    choice : BaselineChoice, optional
        What holds, where it is known already.

    Returns
    -------
    Basis
    """
    chosen = choice or store.choices.newest(seen.schema.model)
    past, rows = cut.reference, np.array(cut.reference_rows, dtype=np.int64)
    if chosen is not None and chosen.kind is BaselineKind.PERIOD:
        past, counted_rows = laid_over(store, engine, seen, cut, period=(chosen.start, chosen.end))
        rows = np.array(counted_rows, dtype=np.int64)
    others = seasons.apart(_edges((*past, *cut.spans)), _edges(past))
    choice = chosen or _suggested(store, engine, seen, cut, others[: len(past)])
    if choice.kind is BaselineKind.PREVIOUS:
        return _previous(store.policy, choice, cut)
    selection = others
    if choice.season is not None:
        zone = zone_of(seen.schema).key
        selection = others & seasons.of_season(choice.season, _edges((*past, *cut.spans)), _edges(past), zone=zone)
    return _basis(store.policy, choice, cut, past=(past, rows), selection=selection, others=others)


def compared(
    store: Store, engine: DuckEngine, seen: Watched, cut: Cut, *, basis: Basis, kept: Mapping[str, ColumnCounts]
) -> Iterator[drift.Compared]:
    """Compare every feature in every window, the past first.

    Parameters
    ----------
    store, engine, seen, cut
        As ``basis`` takes them.
    basis : Basis
        Which windows make which baseline.
    kept : mapping of str to ColumnCounts
        The champion's own baseline counts, for where there is no past.

    Yields
    ------
    Compared
        In the order of the schema; a few columns are in memory at a time.
    """
    grids = {grid.column_id: grid for grid in seen.grids}
    features = {c.column_id: c for c in seen.schema.features}
    found: dict[str, drift.Compared] = {}
    for column_id, now, past in _counted(store, engine, seen, cut, basis):
        base, both = _sides(basis, now=now, past=past, kept=kept.get(column_id))
        found[column_id] = drift.compared(features[column_id], grids.get(column_id), base=base, now=both)
    for column_id, column in features.items():
        yield found.get(column_id) or drift.compared(column, grids.get(column_id), base=None, now=None)


def counts_of(
    store: Store, engine: DuckEngine, seen: Watched, *, report: WatchReport, place: int, grid: Grid
) -> tuple[ColumnCounts, ColumnCounts]:
    """Give one column in the baseline of a reported window and in the window.

    Parameters
    ----------
    store, engine, seen
        As ``basis`` takes them.
    report : WatchReport
        The kept answer of a check.
    place : int
        Which of its windows.
    grid : Grid
        The column.

    Returns
    -------
    base, now : ColumnCounts
        Empty where nothing was counted, or the window is not there any more.
    """
    choice, window = report.baseline, report.windows[place]
    if choice is None or not report.past or report.window.endswith("rows") or choice.kind is BaselineKind.PREVIOUS:
        laid = cut(store, engine, seen, window=report.window)
        found_at = _found(laid, report, place)
        if found_at is None:
            return NOTHING, NOTHING
        held = basis(store, engine, seen, laid, choice=choice)
        at = held.laid.healthy + found_at
        for _, now, past in _counted(store, engine, seen, laid, held, columns=(grid.column_id,)):
            base, both = _sides(held, now=now, past=past, kept=None)
            return NOTHING if base is None else base.window(at), both.window(at)
        return NOTHING, NOTHING
    spans = [Span(bucket=p.start, start=p.start, end=p.end) for p in report.past]
    rows = np.array([p.rows for p in report.past])
    edges = [(window.start, window.end)]
    others = seasons.apart(edges, _edges(spans))[0]
    chosen = others
    if choice.season is not None:
        zone = zone_of(seen.schema).key
        chosen = others & seasons.of_season(choice.season, edges, _edges(spans), zone=zone)[0]
        chosen = chosen if chosen @ rows >= store.policy.window_rows_min else others
    joined = _joined([spans[at] for at in np.flatnonzero(chosen)])
    batch_ids = None if choice.kind is BaselineKind.PERIOD else seen.champion.dataset.batches
    learned = within(store, engine, seen, joined, grid=grid, batch_ids=batch_ids)
    found = between(store, engine, seen, grid=grid, span=(window.start, window.end))
    return learned, found.get(grid.column_id, NOTHING)


def _found(cut: Cut, report: WatchReport, place: int) -> int | None:
    """Find a reported window among those of now: rows that came since may have moved it, or cut it otherwise."""
    reported = [(w.start, w.end, w.rows) for w in report.windows]
    wanted = reported[place]
    same = [at for at, edges in enumerate(_edges(cut.spans)) if edges == wanted[:2]]
    if len(same) > 1 or [one[:2] for one in reported].count(wanted[:2]) > 1:
        # windows of rows at one moment: as many rows, and the same turn
        same = [at for at in same if cut.rows[at] == wanted[2]][reported[:place].count(wanted) :]
    return same[0] if same else None


def _counted(
    store: Store, engine: DuckEngine, seen: Watched, cut: Cut, basis: Basis, columns: Sequence[str] | None = None
) -> Iterator[tuple[str, Cube, Cube]]:
    """Count the watched windows and the past, column by column."""
    if basis.choice.kind is not BaselineKind.PERIOD:
        for column_id, now, then in counted(store, engine, seen, cut, columns=columns):
            past = then
            if basis.choice.kind is BaselineKind.PREVIOUS:
                past = cube([side.window(place) for side in (then, now) for place in range(side.windows)][:-1])
            yield column_id, now, past
        return
    periods = dict(spanned(store, engine, seen, basis.past, columns=columns))
    for column_id, now, _ in counted(store, engine, seen, cut, columns=columns):
        yield column_id, now, periods[column_id]


def _sides(basis: Basis, *, now: Cube, past: Cube, kept: ColumnCounts | None) -> tuple[Cube | None, Cube]:
    """Give the baseline of each window and the windows, over the same keys; the past's own windows first."""
    if not basis.past:
        return (None if kept is None or not kept.rows else cube([kept])), now
    own = past if basis.laid.healthy == past.windows else _first(past, basis.laid.healthy)
    keys = np.union1d(past.keys, now.keys)
    past, both = past.on(keys), [side.on(keys) for side in (own, now)]
    together = Cube(
        keys=keys,
        n=np.concatenate([side.n for side in both]),
        nulls=np.concatenate([side.nulls for side in both]),
    )
    return past.selected(basis.selection), together


def _joined(spans: Sequence[Span]) -> tuple[tuple[datetime, datetime], ...]:
    """Join windows that follow each other."""
    found: list[tuple[datetime, datetime]] = []
    for start, end in _edges(spans):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return tuple(found)


def _first(windows: Cube, count: int) -> Cube:
    return Cube(keys=windows.keys, n=windows.n[:count], nulls=windows.nulls[:count])


def _edges(spans: Sequence[Span]) -> list[tuple[datetime, datetime]]:
    return [(span.start, span.end) for span in spans]


def _suggested(store: Store, engine: DuckEngine, seen: Watched, cut: Cut, others: Flags) -> BaselineChoice:
    """Say what the data suggests: the season in which the past looks most alike, or everything."""
    policy, zone = store.policy, zone_of(seen.schema).key
    edges = _edges(cut.reference)
    # rows that are only in an order have no season
    possible = seasons.candidates(edges, zone=zone) if seen.schema.time_unit in _TIMED and not cut.length.rows else ()
    means: dict[Season | None, float] = {}
    if possible:
        same: dict[Season | None, Flags] = {
            season: others & seasons.of_season(season, edges, edges, zone=zone) for season in possible
        }
        means = _mean_effects(store, engine, seen, cut, {None: others, **same})
    season = seasons.best_season(means, policy.season_gain_min)
    found = ", ".join(f"{means[s]:.3f} from the same {s}" for s in possible)
    if season is not None:
        reason = (
            f"windows of the training data lie {means[None]:.3f} from all of it (weighted effect), {found}: the same"
            f" {season} is nearer by more than {policy.season_gain_min:.0%}".replace("%", " %")
        )
    elif possible:
        reason = f"windows of the training data lie {means[None]:.3f} from all of it (weighted effect), {found}: no season is clearly nearer"
    else:
        reason = "the training data is too short, or has no clock, to know a season"
    return BaselineChoice(
        model=seen.schema.model,
        number=0,
        kind=BaselineKind.TRAINING if season is None else BaselineKind.SEASON,
        season=season,
        decided_by=THE_DATA,
        decided_at=store.now(),
        reason=reason,
    )


_TIMED = frozenset({TimeUnit.CLOCK, TimeUnit.DAY})


def _mean_effects(
    store: Store, engine: DuckEngine, seen: Watched, cut: Cut, selections: Mapping[Season | None, Flags]
) -> dict[Season | None, float]:
    """Give the mean weighted effect of the past's windows against each selection, over the most important features."""
    shares = seen.champion.shap_shares
    features = [c for c in seen.schema.features if not c.calendar]
    features = sorted(features, key=lambda c: -shares.get(c.name, 0.0))[:FEATURES_ASKED]
    weights = {c.column_id: max(shares.get(c.name, 0.0), 1e-6) for c in features}
    kinds = {grid.column_id: grid.kind for grid in seen.grids}
    sums: dict[Season | None, list[tuple[float, float]]] = {season: [] for season in selections}
    for column_id, _, past in counted(store, engine, seen, cut, columns=tuple(weights)):
        for season, chosen in selections.items():
            effect, _ = effects(past.selected(chosen), past, by_level=kinds[column_id] == "level")
            if np.any(known := ~np.isnan(effect)):
                sums[season].append((weights[column_id], float(effect[known].mean())))
    return {
        season: sum(w * e for w, e in found) / sum(w for w, _ in found) if found else float("nan")
        for season, found in sums.items()
    }


def _previous(policy: Policy, choice: BaselineChoice, cut: Cut) -> Basis:
    """Compare each window with the one before."""
    spans = (*cut.reference, *cut.spans)
    if len(spans) < 2:
        return _basis(
            policy, choice, cut, past=((), np.empty(0, np.int64)), selection=np.empty((len(cut.spans), 0), np.bool_)
        )
    edges = _edges(spans)
    before = np.zeros((len(spans), len(spans) - 1), dtype=np.bool_)
    for place in range(1, len(spans)):
        # rolling windows overlap, and so may the last of the past and the first that is watched
        earlier = [other for other in range(place) if edges[other][1] <= edges[place][0]]
        before[place, earlier[-1:] or [place - 1]] = True
    before[0, 0] = True  # nothing comes before the first; it is not comparable, as it is held against itself
    rows = np.array([*cut.reference_rows, *cut.rows][:-1], dtype=np.int64)
    found = _basis(policy, choice, cut, past=(spans[:-1], rows), selection=before)
    found.laid.comparable[0] = False
    return found


def _basis(
    policy: Policy,
    choice: BaselineChoice,
    cut: Cut,
    *,
    past: tuple[tuple[Span, ...], Ints],
    selection: Flags,
    others: Flags | None = None,
) -> Basis:
    spans, rows = past
    count = len(selection) - len(cut.spans)
    now = np.array(cut.rows, dtype=np.int64)
    every = np.concatenate([rows[:count], now])
    if not spans:
        laid = drift.Laid(rows=now, healthy=0, comparable=np.zeros(len(now), dtype=np.bool_))
        return Basis(choice=choice, past=(), selection=selection, laid=laid, rows=np.zeros(len(now), np.int64))
    base_rows = selection @ rows
    enough = base_rows >= policy.window_rows_min
    if others is not None:
        # a window whose season the past never saw is compared with all of it, and with no healthy window
        selection = np.where(enough[:, None], selection, others)
        base_rows = selection @ rows
    whole = np.array([s.whole for s in spans[:count]] + [True] * len(now), dtype=np.bool_)
    calm = rows[:count][whole[:count] & (rows[:count] >= policy.window_rows_min)]
    typical = float(np.median(calm)) if len(calm) else 0.0
    # small windows vary more by chance alone: they may not lend their spread, nor borrow a larger one's calm
    sized = (every >= _MATCHED * typical) & (every >= policy.window_rows_min) & (typical > 0)
    sized[:count] &= every[:count] <= _LARGER * typical
    edges = _edges((*spans[:count], *cut.spans))
    overlaps = seasons.overlapping(edges, edges)
    if cut.length.rows:  # each row is in one window of its side, even where many happened in the same moment
        side = np.arange(len(edges)) < count
        overlaps &= side[:, None] != side
    laid = drift.Laid(
        rows=every, healthy=count, comparable=np.asarray(sized & whole & enough), overlaps=np.asarray(overlaps)
    )
    return Basis(choice=choice, past=spans, selection=selection, laid=laid, rows=base_rows)
