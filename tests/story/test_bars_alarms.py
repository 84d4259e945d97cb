"""Bars 1 to 3: how often healthy windows alert, what is found, and what persistence makes of it, on fixed seeds.

60 features (50 numbers, correlated by 0.3; 10 categories of six levels) are drawn row by row, counted on the product's own
grids, compared and judged by ``stages.drift``. ``make test`` runs a reduced size, whose assertions allow for its
chance; with ``BARS=1`` the full size must meet the bars themselves (``bars``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np
import pandas as pd
import pytest

from pipeline_core.policy import Policy
from pipeline_core.records import AlertLevel, Column, ColumnType, Grid, Role
from pipeline_core.stages import drift
from pipeline_core.stages.domain import domain_test
from pipeline_core.stats.cubes import Cube
from pipeline_core.stats.grids import CELLS, cells_of
from tests.story.bars import FULL, TITLES, Bar, each, hold, rate

NUMBERS, CATEGORIES, LEVELS, ROWS = 50, 10, 6, 1_000
HEALTHY = 60 if FULL else 50
STEP = 64
GRID = Grid(column_id="", kind="cells", starts=tuple(range(0, CELLS, STEP)))
NULL_SHARE = 0.02
MOVED, NULLED, NAMED = 0, 5, NUMBERS  # which feature gets a shift, nulls, a new level; none leans on another
REGIMES = ("iid", "batch .05 sd", "batch .10 sd", "weekly .15 sd")
POLICY = Policy()


@dataclass(frozen=True, kw_only=True)
class World:
    """How windows come about. Shifts are in standard deviations and meet the live windows only."""

    regime: str = "iid"
    live: int = 5
    shift: float = 0.0
    null_share: float = NULL_SHARE
    new_share: float = 0.0
    healthy: int = HEALTHY
    alpha: float = POLICY.alpha


@dataclass(frozen=True, kw_only=True)
class Told:
    """What the product said, over all live windows of all histories."""

    any_alert: np.ndarray  # (histories, windows)
    any_page: np.ndarray
    found: np.ndarray  # (histories, windows, 3): shift, nulls, new level


def columns() -> list[Column]:
    kinds = [ColumnType.NUMBER] * NUMBERS + [ColumnType.CATEGORY] * CATEGORIES
    return [
        Column(column_id=f"c{place:03d}", name=f"f{place:02d}", type=kind, role=Role.FEATURE)
        for place, kind in enumerate(kinds)
    ]


SHARES = {c.name: 0.93**place * 0.0709 for place, c in enumerate(columns())}
"""Importance falls slowly from 7 % to 0.1 %, and adds up to about 1."""


def wobble(random: np.random.Generator, world: World, windows: int) -> np.ndarray:
    """Give the shift of each number in each window."""
    if world.regime.startswith("batch"):
        return random.normal(0, float(world.regime.split()[1]), (windows, NUMBERS))
    if world.regime.startswith("weekly"):
        phase = random.uniform(0, 2 * np.pi, NUMBERS)
        return float(world.regime.split()[1]) * np.sin(2 * np.pi * np.arange(windows)[:, None] / 7 + phase)
    return np.zeros((windows, NUMBERS))


def numbers(random: np.random.Generator, world: World) -> list[Cube]:
    windows = world.healthy + world.live
    shift = wobble(random, world, windows)
    shift[world.healthy :, MOVED] += world.shift
    common = random.standard_normal(windows * ROWS, dtype=np.float32) * np.float32(0.3**0.5)
    window = np.repeat(np.arange(windows), ROWS)
    made = []
    for feature in range(NUMBERS):
        values = common + random.standard_normal(windows * ROWS, dtype=np.float32) * np.float32(0.7**0.5)
        cells = cells_of(values + shift[window, feature], GRID).astype(np.int64) // STEP
        share = np.full(windows, NULL_SHARE if feature < 10 else 0.0)
        if feature == NULLED:
            share[world.healthy :] = world.null_share
        null = random.random(windows * ROWS) < share[window]
        flat = np.where(null, CELLS // STEP, cells) + window * (CELLS // STEP + 1)
        n = np.bincount(flat, minlength=windows * (CELLS // STEP + 1)).reshape(windows, -1)
        made.append(Cube(keys=np.arange(0.0, CELLS, STEP), n=n[:, :-1], nulls=n[:, -1]))
    return made


def categories(random: np.random.Generator, world: World) -> list[Cube]:
    windows = world.healthy + world.live
    keys = np.array([*"abcdef", "new"], dtype=object)
    spread = float(world.regime.split()[1]) if world.regime.startswith("batch") else 0.0
    made = []
    for feature in range(NUMBERS, NUMBERS + CATEGORIES):
        logits = random.normal(0, 0.7, LEVELS) + random.normal(0, spread, (windows, LEVELS))
        shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        new = np.zeros(windows, dtype=np.int64)
        if feature == NAMED:
            new[world.healthy :] = round(world.new_share * ROWS)
        n = np.column_stack([random.multinomial(ROWS - new, shares), new])
        made.append(Cube(keys=keys, n=n, nulls=np.zeros(windows, dtype=np.int64)))
    return made


def judged(world: World, seed: int, *, calibrated: bool) -> Sequence[drift.DataDrift]:
    """Let the product judge one history: the healthy windows against each other, the live ones against all of them."""
    random = np.random.default_rng(seed)
    counted = [*numbers(random, world), *categories(random, world)]
    windows = world.healthy + world.live
    past = np.arange(world.healthy)
    baseline = np.arange(windows)[:, None] != past
    first = 0 if calibrated else world.healthy  # without a past nothing but the live windows is known to the judge
    found = []
    for column, cube in zip(columns(), counted, strict=True):
        kind = "cells" if column.type is ColumnType.NUMBER else "level"
        reference = Cube(keys=cube.keys, n=cube.n[past], nulls=cube.nulls[past])
        now = Cube(keys=cube.keys, n=cube.n[first:], nulls=cube.nulls[first:])
        grid = Grid(column_id=column.column_id, kind=kind)
        found.append(drift.compared(column, grid, base=reference.selected(baseline[first:]), now=now))
    laid = drift.Laid(
        rows=np.full(windows - first, ROWS),
        healthy=world.healthy - first,
        comparable=np.full(windows - first, calibrated),
    )
    said = drift.judge(found, laid, shares=SHARES, policy=replace(POLICY, alpha=world.alpha))
    assert said.calibrated is calibrated
    return said.windows


def history(world: World, seed: int, calibrated: bool) -> tuple[list[bool], list[bool], list[list[bool]]]:
    """Give what ``Told`` holds, of one history."""
    names = [column.name for column in columns()]
    windows = judged(world, seed, calibrated=calibrated)
    levels = [{w.weighted_level, *(f.alert for f in w.features)} for w in windows]
    drifted = [{f.feature for f in w.features if f.drifted} for w in windows]
    return (
        [bool(said - {AlertLevel.NONE}) for said in levels],
        [AlertLevel.PAGE in said for said in levels],
        [[names[place] in said for place in (MOVED, NULLED, NAMED)] for said in drifted],
    )


@cache
def told(world: World, *, histories: int, calibrated: bool = True, seed: int = 1) -> Told:
    seeds = [seed * 100_000 + number for number in range(histories)]
    said = each(partial(history, world, calibrated=calibrated), seeds)
    alerts, pages, found = (np.array(part) for part in zip(*said, strict=True))
    return Told(any_alert=alerts, any_page=pages, found=found)


@cache
def alarms() -> tuple[Bar, ...]:
    """Bar 1: windows in which nothing is wrong. Every history has its own healthy past, so the rate is over pasts too."""
    histories, live = (100, 5) if FULL else (3, 5)
    bars = [
        rate(
            "healthy window alerts: iid, before there is a past (BH and floor)",
            told(World(live=live), histories=histories, calibrated=False).any_alert,
            most=0.02,
        )
    ]
    for regime in REGIMES:
        said = told(World(regime=regime, live=live), histories=histories)
        bars.append(rate(f"healthy window alerts: {regime} (maxT and floor)", said.any_alert, most=0.07))
    return tuple(bars)


@cache
def finds() -> tuple[Bar, ...]:
    """Bar 2: 1,000 rows, every live window with +.3 sd in one number, nulls from 2 % to 6 % in another, a new level."""
    world = World(live=5, shift=0.3, null_share=0.06, new_share=0.01)
    bars = []
    for calibrated in (True, False):
        how = "maxT and floor" if calibrated else "BH and floor"
        found = told(world, histories=100 if FULL else 3, calibrated=calibrated, seed=2).found
        for place, (what, least) in enumerate((
            ("+.3 sd in one number is found", 0.95),
            ("nulls from 2 % to 6 % are found", 0.95),
            ("a new level in 1 % of the rows is found", 1.0),
        )):
            bars.append(rate(f"{what} ({how})", found[:, :, place], least=least))
    return tuple(bars)


@cache
def persistence() -> tuple[Bar, ...]:
    """Bar 3: a page on a stable history of 30 windows, and within three windows of a change in an important feature."""
    bars = []
    for alpha, most in ((POLICY.alpha, 0.20), (0.02, 0.05)):
        world = World(regime="batch .10 sd", live=30, alpha=alpha)
        stable = told(world, histories=500 if FULL else 4, seed=3)
        how = f"batch .10 sd, alpha {alpha:.2f}"
        bars.append(rate(f"a window of a stable history alerts: {how}", stable.any_alert, most=alpha + 0.02))
        pages = stable.any_page.any(axis=1)
        bars.append(rate(f"a stable history of 30 windows pages: {how}", pages, most=most))
    for regime in ("iid", "batch .05 sd"):
        moved = told(World(regime=regime, live=3, shift=0.5), histories=200 if FULL else 4, seed=4).any_page
        bars.append(rate(f"+.5 sd pages within 3 windows: {regime}", moved.any(axis=1), least=0.99))
    return tuple(bars)


def frame(random: np.random.Generator, rows: int, features: int, correlation: float) -> pd.DataFrame:
    """Draw features of which the first two hang together as told, and the others by 0.3."""
    values = random.normal(scale=0.7**0.5, size=(rows, features)) + random.normal(scale=0.3**0.5, size=(rows, 1))
    values[:, 0] = random.normal(size=rows)
    values[:, 1] = correlation * values[:, 0] + (1 - correlation**2) ** 0.5 * random.normal(size=rows)
    return pd.DataFrame(values, columns=[f"c{place:03d}" for place in range(features)])


def told_apart(seed: int, *, features: int, correlation: float) -> bool:
    """Ask the domain test about a window whose columns each kept their distribution."""
    random = np.random.default_rng(seed)
    reference, window = frame(random, 5_000, features, 0.6), frame(random, ROWS, features, correlation)
    return domain_test(window, reference, policy=POLICY, seed=seed).drifted


@cache
def flips() -> tuple[Bar, ...]:
    """Bar 2: a correlation of .6 that becomes -.6, which no single column shows."""
    seeds = range(200 if FULL else 4)
    bars = []
    for features in (20, 60):
        said = each(partial(told_apart, features=features, correlation=-0.6), seeds)
        bars.append(rate(f"correlation .6 becomes -.6, {features} features (domain test)", said, least=0.95))
    quiet = each(partial(told_apart, features=60, correlation=0.6), seeds)
    return (*bars, rate("no change, 60 features: the domain test says drift", quiet, most=0.07))


@pytest.mark.timeout(7_200)
@pytest.mark.parametrize(
    ("title", "measured"), list(zip(TITLES, [(alarms,), (finds, flips), (persistence,)], strict=False)), ids="123"
)
def test_the_bar_is_met(title: str, measured: Sequence[Callable[[], tuple[Bar, ...]]]) -> None:
    hold(title, [bar for part in measured for bar in part()])


def test_the_same_windows_alert_all_the_time_where_nothing_is_calibrated() -> None:
    said = told(World(regime="batch .10 sd"), histories=3, calibrated=False).any_alert
    assert said.mean() > 0.5, "the regimes must be hard: 87 % in 150 windows when this was written"
