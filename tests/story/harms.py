"""Worlds whose truth is known, what goes wrong in them, and what the product says of a window: for bars 4 and 5.

A window is drawn from another population (rows are chosen by one or three columns, so that the others come along) or from
the old one through a fault of one column. What it costs is measured on 6,000 labelled rows of the same kind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

import numpy as np
import pandas as pd
from scipy.stats import norm, rankdata

from pipeline_core.policy import Policy
from pipeline_core.records import (
    AlertLevel,
    Coherence,
    Column,
    ColumnType,
    Detachment,
    Examination,
    FeatureDrift,
    Grid,
    Role,
    Schema,
    Task,
    TimeUnit,
)
from pipeline_core.stages import attribution, detachment, drift, impact, preprocessing, serving, training
from pipeline_core.stages.coherence import coherence
from pipeline_core.stats.columns import ColumnCounts
from pipeline_core.stats.cubes import cube
from pipeline_core.stats.curves import curves
from pipeline_core.stats.grids import CELLS, cells_of

POLICY = Policy()
REFERENCE, FITTED, LABELLED = 20_000, 8_000, 6_000
VALUES_MAX = 2_000
STEP = 32
FAULTS = ("added", "scaled", "zeroed", "ten times", "a tenth", "shuffled")
SLIPS = ("added", "scaled", "emptied", "rewritten")
"""Faults of columns that may be categories."""

Rows = pd.DataFrame


@dataclass(frozen=True, kw_only=True, eq=False)
class World:
    """Rows with their truth (0 or 1), by column id."""

    rows: Rows
    truth: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Shift:
    """What happened to a window: ``kind`` is "none", "population" or "fault"."""

    kind: str
    columns: tuple[str, ...] = ()
    fault: str = ""
    size: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Told:
    """One window: what happened, what it cost (accuracy, 0-1), and what the product says."""

    shift: Shift
    loss: float = float("nan")
    drifted: tuple[str, ...]
    lasting: bool
    page: bool
    largest: float
    weighted: float
    fault_loss: float = 0.0
    restored_loss: float = 0.0
    detached: tuple[str, ...] = ()
    joint: float = 0.0
    coherence: Coherence | None = None
    features: tuple[FeatureDrift, ...] = ()


# --- worlds -------------------------------------------------------------------------------------


def smooth(random: np.random.Generator, rows: int) -> World:
    """Twenty normal columns that share factors; the truth hangs on sums, products and waves of them."""
    latent = _latent(random, rows)
    weights = random.permutation(0.8 ** np.arange(20)) * random.choice([-1, 1], 20)
    pairs = random.permutation(20)[:8].reshape(4, 2)
    score = 1.3 * latent @ weights + 0.7 * sum(latent[:, a] * latent[:, b] for a, b in pairs)
    score += np.sin(2 * latent[:, pairs[0, 0]])
    return _world(random, latent, score)


def stepped(random: np.random.Generator, rows: int) -> World:
    """Skewed, whole, bounded and half-empty columns; the truth hangs on thresholds of them."""
    latent = _latent(random, rows)
    shares = norm.cdf(latent)
    values = np.column_stack([
        *np.exp(latent[:, :6] * 0.8).T,
        *np.floor(-np.log1p(-shares[:, 6:11] * 0.999) * 4).T,
        *shares[:, 11:16].T,
        *np.where(shares[:, 16:20] < 0.4, 0.0, latent[:, 16:20] + 1).T,
    ])
    score = np.zeros(rows)
    order = random.permutation(20)
    for place, strength in zip(order[:12], 2.0 * 0.85 ** np.arange(12), strict=True):
        score += strength * random.choice([-1, 1]) * (shares[:, place] > random.uniform(0.25, 0.75))
    for a, b in order[:8].reshape(4, 2):
        score += 1.2 * ((shares[:, a] > 0.5) ^ (shares[:, b] > 0.5))
    return _world(random, values, score - np.median(score))


def _latent(random: np.random.Generator, rows: int) -> np.ndarray:
    loadings = random.normal(size=(4, 20)) * random.uniform(0.2, 0.9, 20)
    raw = random.normal(size=(rows, 4)) @ loadings + random.normal(size=(rows, 20))
    return raw / np.sqrt(np.square(loadings).sum(axis=0) + 1)


def _world(random: np.random.Generator, values: np.ndarray, score: np.ndarray) -> World:
    rows = pd.DataFrame(values, columns=[f"c{place + 1:03d}" for place in range(values.shape[1])])
    return World(rows=rows, truth=(random.random(len(score)) < 1 / (1 + np.exp(-score))).astype(np.int64))


# --- what goes wrong ----------------------------------------------------------------------------


def population(random: np.random.Generator, names: Sequence[str]) -> Shift:
    count = int(random.choice([1, 3]))
    columns = tuple(random.choice(list(names), count, replace=False))
    return Shift(kind="population", columns=columns, size=float(random.uniform(0.3, 1.2) * random.choice([-1, 1])))


def fault(random: np.random.Generator, names: Sequence[str], faults: Sequence[str] = FAULTS) -> Shift:
    said = str(random.choice(list(faults)))
    size = {
        "added": random.uniform(0.3, 2.5) * random.choice([-1, 1]),
        "scaled": np.exp(random.uniform(0.35, 1.1) * random.choice([-1, 1])),
        "ten times": 10.0,
        "a tenth": 0.1,
    }.get(said, random.uniform(0.1, 0.8))
    return Shift(kind="fault", columns=(str(random.choice(list(names))),), fault=said, size=float(size))


def drawn(world: World, shift: Shift, count: int, random: np.random.Generator) -> tuple[Rows, np.ndarray]:
    """Draw rows and their truth as they arrive under a shift."""
    chance = None
    if shift.kind == "population":
        tilt = sum(_standing(world.rows[name]) for name in shift.columns) * shift.size / len(shift.columns) ** 0.5
        chance = np.exp(tilt - np.max(tilt))
        chance /= chance.sum()
    places = random.choice(len(world.rows), count, p=chance)
    rows = world.rows.iloc[places].reset_index(drop=True)
    if shift.kind == "fault":
        (name,) = shift.columns
        rows[name] = broken(rows[name], shift, world.rows[name], random)
    return rows, world.truth[places]


def _standing(values: pd.Series) -> np.ndarray:
    """Give each row's place among all, as a normal score; levels by how common they are."""
    known = values if pd.api.types.is_numeric_dtype(values) else values.map(values.value_counts(), na_action="ignore")
    filled = known.astype(float).fillna(known.astype(float).median())
    return norm.ppf((rankdata(filled) - 0.5) / len(filled))


def broken(values: pd.Series, shift: Shift, before: pd.Series, random: np.random.Generator) -> pd.Series:
    """Give a column as a fault delivers it."""
    some = random.random(len(values)) < shift.size
    if not pd.api.types.is_numeric_dtype(values):
        return values.where(~some, None if shift.fault == "emptied" else str(before.mode()[0]))
    middle, spread = float(before.mean()), float(before.std())
    return {
        "added": lambda: values + shift.size * spread,
        "scaled": lambda: middle + (values - middle) * shift.size,
        "ten times": lambda: values * shift.size,
        "a tenth": lambda: values * shift.size,
        "zeroed": lambda: values.where(~some, 0.0),
        "emptied": lambda: values.where(~some, np.nan),
        "rewritten": lambda: values.where(~some, 0.0),
        "shuffled": lambda: pd.Series(random.permutation(values.to_numpy())),
    }[shift.fault]()


# --- what the product says ----------------------------------------------------------------------


class Watch:
    """The product's judge of windows against a reference, without a model and without a past."""

    def __init__(self, reference: Rows) -> None:
        self.reference = reference
        self.columns = [
            Column(
                column_id=name,
                name=name,
                type=ColumnType.NUMBER if pd.api.types.is_numeric_dtype(values) else ColumnType.CATEGORY,
                role=Role.FEATURE,
            )
            for name, values in reference.items()
        ]
        self.grids = [self._grid(column) for column in self.columns]
        self.base = [self._counted(reference, place) for place in range(len(self.columns))]
        self.shares: dict[str, float] = {}

    def told(self, shift: Shift, windows: Sequence[Rows]) -> Told:
        """Judge windows that follow each other; told is the last one."""
        found = [
            drift.compared(
                column,
                self.grids[place],
                base=cube([self.base[place]]),
                now=cube([self._counted(window, place) for window in windows]),
            )
            for place, column in enumerate(self.columns)
        ]
        laid = drift.Laid(
            rows=np.array([len(window) for window in windows]),
            healthy=0,
            comparable=np.zeros(len(windows), dtype=bool),
        )
        last = drift.judge(found, laid, shares=self.shares, policy=POLICY).windows[-1]
        # furthest first, as the closer look takes them
        moved = sorted((f for f in last.features if f.drifted), key=lambda f: -(f.effect or 0.0))
        names = tuple(f.feature for f in moved)
        return Told(
            shift=shift,
            drifted=names,
            lasting=any(f.windows_drifted >= POLICY.alert_windows_min for f in moved),
            page=any(f.alert is AlertLevel.PAGE for f in moved),
            largest=max(f.effect or 0.0 for f in last.features),
            weighted=last.weighted_drift or 0.0,
            coherence=self._coherence(windows[-1], names),
            features=last.features,
        )

    def _coherence(self, window: Rows, drifted: Sequence[str]) -> Coherence | None:
        if not drifted:
            return None
        others = [column.name for column in self.columns]
        return coherence(window, self.reference, feature=drifted[0], others=others, policy=POLICY)

    def _grid(self, column: Column) -> Grid:
        if column.type is ColumnType.CATEGORY:
            return Grid(column_id=column.column_id, kind="level")
        values = self.reference[column.name].dropna()
        if values.nunique() <= VALUES_MAX:
            return Grid(column_id=column.column_id, kind="value")
        low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
        return Grid(
            column_id=column.column_id,
            kind="cells",
            centre=float(middle),
            spread=float(high - low),
            starts=tuple(range(0, CELLS, STEP)),
        )

    def _counted(self, rows: Rows, place: int) -> ColumnCounts:
        values, grid = rows[self.columns[place].name], self.grids[place]
        known = values.dropna().to_numpy()
        placed = known if grid.kind == "level" else cells_of(known.astype(np.float64), grid)
        keys, n = np.unique(placed, return_counts=True)
        return ColumnCounts(keys=keys, n=n, nulls=int(len(values) - len(known)))


class Model(Watch):
    """The same with a model that was trained, calibrated and explained by the product's stages."""

    def __init__(self, world: World, estimator: str, seed: int) -> None:
        super().__init__(world.rows.iloc[:REFERENCE])
        fitted, held = slice(0, FITTED), slice(FITTED, REFERENCE)
        self.world = World(rows=world.rows.iloc[REFERENCE:], truth=world.truth[REFERENCE:])
        self.schema = Schema(
            model="m",
            schema_version=1,
            task=Task.BINARY,
            columns=tuple(self.columns),
            baselines=(),
            grids=tuple(self.grids),
            time_unit=TimeUnit.CLOCK,
            positive="1",
            classes=("0", "1"),
            defined_at=datetime(2025, 1, 1, tzinfo=UTC),
        )
        steps = preprocessing.build(self.schema, estimator)
        features = self.reference.iloc[fitted]
        self.pipeline = training.fit(
            steps, features, world.truth[fitted], task=Task.BINARY, estimator=estimator, seed=seed
        )
        self.predict: Callable[[Rows], np.ndarray] = partial(serving.scores, self.pipeline, schema=self.schema)
        said, truth = self.predict(self.reference.iloc[held]), world.truth[held]
        self.calibration = curves(truth, said).calibration
        self.accuracy = float(np.mean((said >= impact.THRESHOLD) == truth))
        leaned = attribution.explained(
            self.pipeline, features, preprocessing.source_features(self.pipeline), rows=POLICY.shap_rows, seed=seed
        )
        self.shares = dict(leaned.shares)

    def window(self, shift: Shift, seed: int) -> Told:
        """Let two windows of one shift arrive, have the second one looked at, and count what it costs."""
        random = np.random.default_rng(seed)
        rows = int(random.integers(600, 1_500))
        first, window = (drawn(self.world, shift, rows, random)[0] for _ in range(2))
        labelled, truth = drawn(self.world, shift, LABELLED, random)
        told = self.told(shift, [first, window])
        given = {"features": told.drifted, "seed": seed}
        each, joint = impact.impact(self.predict, window, self.reference, **given)
        lost = impact.fault_loss(self.predict, window, self.reference, calibration=self.calibration, **given)
        loose = self._detached(window, told.drifted, seed)
        right = float(np.mean((self.predict(labelled) >= impact.THRESHOLD) == truth))
        look = Examination(rows=rows, baseline_rows=REFERENCE, impacts=each, joint=joint, fault_loss=lost)
        priced = impact.priced(told.features, look, policy=POLICY)
        loud = any(f.alert is AlertLevel.PAGE for f in detachment.louder(priced, loose, policy=POLICY))
        figures = {"loss": self.accuracy - right, "joint": joint.mean_change if joint else 0.0}
        cost = max([lost, *(one.fault_loss or 0.0 for one in loose)])
        names = tuple(one.feature for one in loose)
        return replace(told, page=loud, features=(), fault_loss=cost, restored_loss=lost, detached=names, **figures)

    def _detached(self, window: Rows, drifted: Sequence[str], seed: int) -> tuple[Detachment, ...]:
        kept = [column.name for column in self.columns if column.name not in drifted]
        return tuple(
            replace(
                one,
                fault_loss=impact.shuffle_loss(
                    self.predict,
                    self.reference,
                    feature=one.feature,
                    share=1 - one.kept,
                    seed=seed,
                    calibration=self.calibration,
                ),
            )
            for one in detachment.detached(window, self.reference, columns=kept, policy=POLICY)
        )
