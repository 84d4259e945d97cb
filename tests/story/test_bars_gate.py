"""Bar 9: how often the gate promotes what it must not, and what it should, on fixed seeds.

Truth is drawn with a fifth of positives; champion and challengers see it through noise of their own and noise that they
share (correlation .9), and say calibrated probabilities. Every pair goes through ``gate.compare`` as a challenge does, with
the p-values of the tries before it; only the metrics that neither decide nor block are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import norm

from pipeline_core.policy import Policy
from pipeline_core.records import Decision, Measured, Task
from pipeline_core.stages import gate
from tests.core import modelling
from tests.story.bars import FULL, TITLES, Bar, each, hold, rate

POLICY = Policy()
AUC, POSITIVE_SHARE, CORRELATION = 0.80, 0.2, 0.9
MARGIN = POLICY.auc_margin
ROWS = 5_000
RUNS = 1_000 if FULL else 40
COVERED = 2_000 if FULL else 100
TRIED, LUCKY = 20, 200 if FULL else 4
CITIES = 12

SCHEMA = modelling.schema()
NUMBERS = modelling.schema(Task.REGRESSION)


def said(auc: float, noise: np.ndarray, truth: np.ndarray) -> pa.Table:
    """Give what a model of that AUC says: two normals a distance apart, as the probability that Bayes gives."""
    apart = 2**0.5 * norm.ppf(auc)
    logit = np.log(POSITIVE_SHARE / (1 - POSITIVE_SHARE)) + apart * (noise + apart * truth) - apart**2 / 2
    score = 1 / (1 + np.exp(-logit))
    return pa.table({"prediction": np.where(score >= 0.5, "yes", "no"), "score": score})


def models(seed: int, rows: int, gains: Sequence[float]) -> tuple[list[str], list[pa.Table]]:
    """Give truth, and what the champion and a challenger of each gain in AUC say."""
    random = np.random.default_rng(seed)
    truth = random.random(rows) < POSITIVE_SHARE
    shared = CORRELATION**0.5 * random.normal(size=rows)
    tables = [
        said(AUC + gain, shared + (1 - CORRELATION) ** 0.5 * random.normal(size=rows), truth) for gain in (0.0, *gains)
    ]
    return np.where(truth, "yes", "no").tolist(), tables


def judged(labels: Sequence[str], challenger: pa.Table, champion: pa.Table, *, setting: gate.Setting) -> gate.Outcome:
    return gate.compare(labels, challenger, champion=champion, schema=SCHEMA, policy=POLICY, setting=setting)


def promoted(seed: int, *, gain: float, rows: int = ROWS) -> bool:
    labels, (champion, challenger) = models(seed, rows, [gain])
    outcome = judged(labels, challenger, champion, setting=gate.Setting(told=()))
    return outcome.decision is Decision.PROMOTE


def lucky(seed: int, *, gain: float) -> tuple[bool, bool]:
    """Try 20 challengers one after another on the same rows: does any pass, and would any have passed uncorrected?"""
    labels, (champion, *challengers) = models(seed, ROWS, [gain] * TRIED)
    earlier: tuple[float, ...] = ()
    passed = alone = False
    for challenger in challengers:
        outcome = judged(labels, challenger, champion, setting=gate.Setting(told=(), earlier=earlier))
        assert outcome.trial is not None
        passed |= outcome.decision is Decision.PROMOTE
        alone |= outcome.trial.p_value < 0.025
        earlier = (*earlier, outcome.trial.p_value)
    return passed, alone


@cache
def promotions() -> tuple[Bar, ...]:
    bars = []
    for rows in (500, 1_000, ROWS):
        hits = each(partial(promoted, gain=-MARGIN, rows=rows), range(RUNS))
        bars.append(rate(f"worse by exactly the margin, {rows:,} rows: promoted", hits, most=0.065))
    worse = each(partial(promoted, gain=-2 * MARGIN), range(RUNS // 4))
    bars.append(rate(f"worse by twice the margin, {ROWS:,} rows: promoted", worse, most=0.01))
    equal = each(partial(promoted, gain=0.0), range(10_000, 10_000 + RUNS // 2))
    bars.append(rate(f"exactly as good, {ROWS:,} rows: promoted", equal))
    better = each(partial(promoted, gain=2 * MARGIN), range(20_000, 20_000 + RUNS))
    bars.append(rate(f"better by twice the margin, {ROWS:,} rows: promoted", better, least=0.90))
    return tuple(bars)


@cache
def luck() -> tuple[Bar, ...]:
    found = each(partial(lucky, gain=-MARGIN), range(30_000, 30_000 + LUCKY))
    return (
        rate(
            f"{TRIED} versions worse by the margin, tried in turn: any is promoted", [p for p, _ in found], most=0.065
        ),
        rate("the same without the stricter level of each next try", [alone for _, alone in found]),
    )


def refused(seed: int) -> bool:
    """Ask about a challenger as good as the champion on rows too few to tell."""
    labels, (champion, challenger) = models(seed, 500, [0.0])
    outcome = judged(labels, challenger, champion, setting=gate.Setting(told=()))
    assert outcome.trial is not None
    assert outcome.trial.power is not None
    assert outcome.trial.power < POLICY.gate_power_min
    return outcome.decision is Decision.INSUFFICIENT and (outcome.rows_needed or 0) > 500


def covered(seed: int) -> tuple[bool, bool, bool]:
    """Say whether the drawn intervals of AUC, Brier score and accuracy hold the true differences."""
    labels, (champion, challenger) = models(seed, 1_000, [0.02])
    told = judged(labels, challenger, champion, setting=gate.Setting(told=("accuracy",))).metrics
    auc, brier, accuracy = (inside(told[name].difference, truths()[name]) for name in ("auc", "brier", "accuracy"))
    return auc, brier, accuracy


@cache
def truths() -> dict[str, float]:
    """Give the true differences: AUC by construction, the means by integration over the score."""
    found = {}
    for metric in ("brier", "accuracy"):
        ours, theirs = (expected(metric, auc) for auc in (AUC, AUC + 0.02))
        found[metric] = theirs - ours if metric == "accuracy" else ours - theirs
    return found | {"auc": 0.02}


def expected(metric: str, auc: float) -> float:
    apart = 2**0.5 * norm.ppf(auc)
    grid = np.linspace(-9, 9 + apart, 200_001)
    logit = np.log(POSITIVE_SHARE / (1 - POSITIVE_SHARE)) + apart * grid - apart**2 / 2
    score = 1 / (1 + np.exp(-logit))
    density = POSITIVE_SHARE * norm.pdf(grid - apart), (1 - POSITIVE_SHARE) * norm.pdf(grid)
    values = ((1 - score) ** 2, score**2) if metric == "brier" else (score >= 0.5, score < 0.5)
    return float(sum(np.trapezoid(d * v, grid) for d, v in zip(density, values, strict=True)))


def inside(difference: object, truth: float) -> bool:
    assert isinstance(difference, Measured)
    assert difference.low is not None
    assert difference.high is not None
    return difference.low <= truth <= difference.high


def covered_error(seed: int) -> tuple[bool, bool]:
    """Say the same of RMSE and MAE, where both err by normals of 1 and of 1.1."""
    random = np.random.default_rng(seed)
    truth, shared = random.normal(size=(2, 500))
    errors = [spread * (0.8 * shared + 0.6 * random.normal(size=500)) for spread in (1.1, 1.0)]
    champion, challenger = (
        pa.table({"prediction": [""] * 500, "score": truth + error}) for error in errors
    )  # fmt: skip
    labels = [repr(float(value)) for value in truth]
    told = gate.compare(
        labels, challenger, champion=champion, schema=NUMBERS, policy=POLICY, setting=gate.Setting(told=("mae",))
    ).metrics
    return inside(told["rmse"].difference, 0.1), inside(told["mae"].difference, 0.1 * (2 / np.pi) ** 0.5)


@cache
def coverage() -> tuple[Bar, ...]:
    found = np.array(each(covered, range(40_000, 40_000 + COVERED)))
    errors = np.array(each(covered_error, range(50_000, 50_000 + COVERED)))
    bars = []
    names = ("AUC (DeLong)", "Brier score (bootstrap)", "accuracy (bootstrap)")
    hits = [(f"{name}, 1,000 rows", column) for name, column in zip(names, found.T, strict=True)]
    hits += [(f"{name} (bootstrap), 500 rows", column) for name, column in zip(("RMSE", "MAE"), errors.T, strict=True)]
    for name, column in hits:
        bars.append(rate(f"the interval of the paired difference misses the truth: {name}", ~column, most=0.07))
    return tuple(bars)


def sliced(seed: int, *, hurt: float = 0.0) -> tuple[bool, bool]:
    """Cut 5,000 rows by a city of 12 and a protected column: does any slice block, and does the city that is hurt?"""
    random = np.random.default_rng(seed + 7)
    labels, (champion, challenger) = models(seed, ROWS, [0.0])
    city, gender = random.integers(0, CITIES, ROWS), random.choice(["f", "m"], ROWS)
    score = challenger["score"].to_numpy().copy()
    spoilt = (city == 0) & (random.random(ROWS) < hurt)
    score[spoilt] = random.permutation(score[spoilt])
    cells = pa.table({"c004": [f"city {c}" for c in city], "c006": gender})
    setting = gate.Setting(told=(), cells=cells)
    outcome = judged(labels, challenger.set_column(1, "score", pa.array(score)), champion, setting=setting)
    blocking = [found for found in outcome.slices if found.blocks]
    assert all(found.blocks or not outcome.blocks for found in outcome.slices[: len(blocking)])
    return bool(blocking), any(found.levels == ("city 0",) for found in blocking)


@cache
def slices() -> tuple[Bar, ...]:
    runs = RUNS // 4
    quiet = [any_block for any_block, _ in each(sliced, range(60_000, 60_000 + runs))]
    spoilt = [named for _, named in each(partial(sliced, hurt=1.0), range(70_000, 70_000 + runs))]
    return (
        rate("exactly as good everywhere: some slice blocks", quiet, most=0.05),
        rate("one city of 12 is scored at random: it blocks by its name", spoilt, least=0.95),
    )


@cache
def too_few() -> tuple[Bar, ...]:
    hits = each(refused, range(80_000, 80_000 + RUNS // 4))
    return (rate("exactly as good, 500 rows: insufficient, with the rows that are needed", hits, least=0.90),)


@pytest.mark.timeout(7_200)
def test_the_bar_is_met() -> None:
    hold(TITLES[5], [bar for part in (promotions, luck, too_few, coverage, slices) for bar in part()])
