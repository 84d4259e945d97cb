"""Bars 4 and 5: whether weighting and restoring tell drift that does harm, and whether coherence tells a fault from a shift.

Worlds, shifts and what the product says of them are in ``harms``; harm is a loss of 2 points of accuracy on 6,000 labelled
rows. ``make test`` runs a reduced size, ``BARS=1`` the full one, which writes its part of ``docs/statistics.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline_core.stats.ranking import auc
from tests.story import harms
from tests.story.bars import FULL, TITLES, Bar, each, hold, mean, rate
from tests.story.harms import POLICY, Model, Shift, Told, Watch

RUNS, WINDOWS = (8, 300) if FULL else (3, 30)
HARM_MIN = 0.02
REAL = 400 if FULL else 60
Runs = tuple[tuple[Told, ...], ...]


def one_run(run: int) -> tuple[Told, ...]:
    """Train one model and let windows arrive: one in ten healthy, the others half faults and half other populations."""
    made, estimator = (harms.smooth, harms.stepped)[run % 2], ("lightgbm", "logistic_regression")[run // 2 % 2]
    model = Model(made(np.random.default_rng(100 + run), 80_000), estimator, run)
    random, names = np.random.default_rng(run), [column.name for column in model.columns]
    return tuple(model.window(_shift(random, names, place), place) for place in range(WINDOWS))


def _shift(random: np.random.Generator, names: Sequence[str], place: int) -> Shift:
    if place % 10 == 0:
        return Shift(kind="none")
    return harms.fault(random, names) if place % 2 else harms.population(random, names)


@cache
def runs() -> Runs:
    return tuple(each(one_run, range(RUNS)))


def areas(figure: str, *, but: str = "") -> list[float]:
    """Give the area under the curve of harm by one figure, over the faults of each run."""
    found = []
    for windows in runs():
        faults = [w for w in windows if w.shift.kind == "fault" and w.shift.fault != but]
        harm = np.array([w.loss >= HARM_MIN for w in faults])
        if 0 < harm.sum() < harm.size:
            found.append(float(auc(harm, np.array([getattr(w, figure) for w in faults]))))
    return found


@cache
def harm() -> tuple[Bar, ...]:
    """Bar 4, the first half: which figure ranks faults by what they cost."""
    counted = f"{RUNS} runs of {WINDOWS} windows"
    plain, weighted, restored = (areas(figure) for figure in ("largest", "weighted", "fault_loss"))
    alone, kept = areas("restored_loss"), areas("restored_loss", but="shuffled")
    over = [np.subtract(figure, plain).tolist() for figure in (weighted, restored)]
    return (
        mean("faults: harm AUC of the largest D, unweighted", plain, counted),
        mean("faults: harm AUC of weighted drift", weighted, counted),
        mean(
            "faults: harm AUC of the loss if it is a fault (restored, and detached columns)",
            restored,
            counted,
            least=0.82,
        ),
        mean("the same of restored columns alone: a shuffled column keeps its distribution", alone, counted),
        mean("the same of restored columns alone, without shuffled ones", kept, counted),
        mean("weighted drift above the largest D", over[0], counted, least=0.10),
        mean("the loss if it is a fault above the largest D", over[1], counted, least=0.10),
    )


@cache
def filtered() -> tuple[Bar, ...]:
    """Bar 4, the second half: what the filter by importance leaves out."""
    moved = [w for windows in runs() for w in windows if w.shift.kind != "none"]
    harmless, harmful = ([w for w in moved if (w.loss >= HARM_MIN) is bad] for bad in (False, True))
    quiet = [bool(w.drifted) for windows in runs() for w in windows if w.shift.kind == "none"]
    shares = {name: np.mean([getattr(w, name) for w in harmless]) for name in ("lasting", "page")}
    ratio, floor = float(shares["page"] / shares["lasting"]), np.mean([w.lasting for w in harmful])
    spread = 1.96 * float(np.sqrt((1 - shares["page"]) / (shares["page"] * len(harmless))))
    return (
        rate("harmless drift is told (BH and floor, lasting)", [w.lasting for w in harmless]),
        rate("harmless drift pages (and important, or dear)", [w.page for w in harmless]),
        Bar(
            what="harmless pages for each harmless drift told",
            counted=f"{len(harmless):,} windows",
            value=ratio,
            interval=(ratio * (1 - spread), ratio * (1 + spread)),
            most=0.6,
            share=False,
        ),
        rate("harmful drift is told (BH and floor, lasting)", [w.lasting for w in harmful]),
        rate("harmful drift pages (and important, or dear)", [w.page for w in harmful], least=float(floor) - 0.05),
        rate("a healthy window has a drifted feature", quiet, most=0.05),
    )


@cache
def detached() -> tuple[Bar, ...]:
    """Columns whose values come from other rows: found, by name; and never found where none is."""
    windows = [w for told in runs() for w in told]
    shuffled = [w for w in windows if w.shift.fault == "shuffled"]
    others = [w for w in windows if w.shift.kind != "fault"]
    return (
        rate("a shuffled column is told, by its name", [w.detached == w.shift.columns for w in shuffled], least=0.90),
        rate(
            "a column is called detached in healthy and tilted windows", [bool(w.detached) for w in others], most=0.01
        ),
    )


@cache
def coherent() -> tuple[Bar, ...]:
    """Bar 5 on what was drawn: drifted windows, with the truth of each."""
    drifted = [w for windows in runs() for w in windows if w.shift.kind != "none" and w.coherence is not None]
    return _told("simulated", drifted)


@cache
def coherent_on(source: Path) -> tuple[Bar, ...]:
    """Bar 5 on rows of real people: adult_census, tilted or broken by us."""
    rows = pd.read_parquet(source / "adult_census.parquet").drop(columns=["income", "split", "fnlwgt"])
    rows = rows.astype({n: float if pd.api.types.is_numeric_dtype(t) else object for n, t in rows.dtypes.items()})
    mixed = rows.sample(frac=1, random_state=0).reset_index(drop=True)
    watch = Watch(mixed.iloc[: harms.REFERENCE])
    world = harms.World(rows=mixed.iloc[harms.REFERENCE :], truth=np.zeros(len(mixed) - harms.REFERENCE))
    said = each(partial(_real, watch, world), range(REAL))
    return _told("adult_census", [w for w in said if w.coherence is not None])


def _real(watch: Watch, world: harms.World, seed: int) -> Told:
    random, names = np.random.default_rng(seed), [column.name for column in watch.columns]
    shift = harms.fault(random, names, harms.SLIPS) if seed % 2 else harms.population(random, names)
    if shift.fault and not pd.api.types.is_numeric_dtype(world.rows[shift.columns[0]]):
        shift = Shift(kind="fault", columns=shift.columns, fault=("emptied", "rewritten")[seed // 2 % 2], size=0.5)
    windows = [harms.drawn(world, shift, 1_500, random)[0] for _ in range(2)]
    return watch.told(shift, windows)


def _told(where: str, drifted: Sequence[Told]) -> tuple[Bar, ...]:
    strong = [w for w in drifted if w.coherence is not None and w.coherence.strength >= POLICY.coherence_strength_min]
    truth = np.array([w.shift.kind == "population" for w in strong])
    ratios = np.array([w.coherence.ratio for w in strong if w.coherence is not None], dtype=np.float64)
    area = float(auc(truth, ratios))
    half = 1.96 * float(np.sqrt(area * (1 - area) / max(1, min(truth.sum(), (~truth).sum()))))
    right = (ratios >= POLICY.coherence_ratio_min) == truth
    return (
        Bar(
            what=f"{where}: AUC of the ratio, population against fault, where it can be told",
            counted=f"{len(strong):,} windows",
            value=area,
            interval=(area - half, min(1.0, area + half)),
            least=0.93,
            share=False,
        ),
        rate(f"{where}: the verdict is right, where it can be told", right, least=0.90),
        rate(f"{where}: it says that it cannot tell", [w not in strong for w in drifted]),
    )


@pytest.mark.timeout(7_200)
def test_drift_that_does_harm() -> None:
    hold(TITLES[3], [*harm(), *filtered(), *detached()])


@pytest.mark.timeout(7_200)
def test_a_fault_or_another_population(real_data: Path) -> None:
    hold(TITLES[4], [*coherent(), *coherent_on(real_data)])
