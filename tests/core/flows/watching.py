"""A champion with rows after its fitted ones: what the watch is tested on."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.stats import ks_2samp

from pipeline_core.flows import compute, intake, release
from pipeline_core.records import BatchStatus, WatchReport
from pipeline_core.store.home import Store

MODEL = "loans"
START = datetime(2025, 1, 6, 5, 0, tzinfo=UTC)
STEP = timedelta(minutes=8)
ROWS_A_DAY = 180
LEARNED, LATER = 1_400, 1_800
SHIFT_FROM = LEARNED + 900


def rows(first: int, count: int, *, seed: int, shift_from: int = SHIFT_FROM) -> pa.Table:
    """Give rows ``first`` to ``first + count`` of a stream whose income rises from ``shift_from`` on."""
    random = np.random.default_rng(seed)
    place = np.arange(first, first + count)
    income = random.normal(size=count) + np.where(place >= shift_from, 1.0, 0.0)
    plan = random.choice(np.array(["basic", "plus", "gold"], dtype=object), count)
    chance = 1 / (1 + np.exp(-(2 * income + (plan == "gold") - 0.5)))
    begin = START.replace(tzinfo=None)
    return pa.table({
        "loan": [f"loan-{i}" for i in place],
        "when": pa.array([begin + int(i) * STEP for i in place], pa.timestamp("us")),
        "income": pa.array(income, mask=random.random(count) < 0.1),
        "age": pa.array(random.integers(18, 60, count).astype(float)),
        "plan": pa.array([None if i % 23 == 0 else p for i, p in zip(place, plan, strict=True)], pa.string()),
        "outcome": pa.array(np.where(random.random(count) < chance, "yes", "no")),
    })


def write(folder: Path, name: str, table: pa.Table) -> Path:
    """Write a delivery."""
    pq.write_table(table, folder / name)
    return folder / name


def champion(store: Store, folder: Path, *, time: str | None = "when", late: int = 0, zone: str | None = None) -> None:
    """Define, train and promote; of the first rows the earliest ``late`` come in a batch of their own, and only
    the first half of those has a label when it is trained.
    """
    first = rows(0, LEARNED, seed=1)
    unnamed = () if time else ("when",)
    intake.define(
        store,
        MODEL,
        write(folder, "first.parquet", first.slice(late)),
        target="outcome",
        positive="yes",
        time=time,
        id="loan",
        exclude=unnamed,
        zone=zone,
    )
    truth = first.select(["loan", "outcome"])
    if late:
        batch = intake.receive(
            store, MODEL, write(folder, "late.parquet", first.slice(0, late).drop_columns(["outcome"]))
        )
        assert batch.status is BatchStatus.ACCEPTED
        intake.labels(store, MODEL, write(folder, "half.parquet", truth.slice(0, late // 2)))
    release.train(store, MODEL, estimator="logistic_regression", compute=compute.in_process)
    release.promote(store, MODEL, version=1, by="test", reason="first")
    if late:
        intake.labels(store, MODEL, write(folder, "rest.parquet", truth.slice(late // 2, late - late // 2)))


def deliver(store: Store, folder: Path) -> None:
    """Receive and score what came later, in two batches; the first one's truth arrives."""
    later = rows(LEARNED, LATER, seed=2)
    for number, (first, count) in enumerate([(0, 1_000), (1_000, LATER - 1_000)]):
        part = later.slice(first, count)
        batch = intake.receive(store, MODEL, write(folder, f"b{number}.parquet", part.drop_columns(["outcome"])))
        intake.score(store, MODEL, batch_id=batch.batch_id)
        if number == 0:
            intake.labels(store, MODEL, write(folder, "truth.parquet", part.select(["loan", "outcome"])))


@cache
def home(time: str | None = "when", zone: str | None = None) -> Path:
    """Give a home with a champion and later rows, made once; copy it before it is opened."""
    folder = Path(tempfile.mkdtemp(prefix="watching-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with Store.open(folder / "home") as store:
        champion(store, folder, time=time, zone=zone)
        deliver(store, folder)
    return folder / "home"


def copied(to: Path, *, time: str | None = "when", zone: str | None = None) -> Path:
    """Give a copy of ``home`` that may be written to."""
    return Path(shutil.copytree(home(time, zone), to / "home"))


def stream() -> dict[str, np.ndarray]:
    """Give all rows as arrays: place, time and income."""
    both = pa.concat_tables([rows(0, LEARNED, seed=1), rows(LEARNED, LATER, seed=2)])
    return {"when": both.column("when").to_numpy(), "income": both.column("income").to_numpy()}


def distance(fitted: np.ndarray, window: np.ndarray) -> tuple[float, float]:
    """Give scipy's statistic and p-value without nulls."""
    found = ks_2samp(fitted[~np.isnan(fitted)], window[~np.isnan(window)], method="asymp")
    return float(found.statistic), float(found.pvalue)


def moment(value: datetime) -> np.datetime64:
    """Give an aware time as numpy has it."""
    return np.datetime64(value.astimezone(UTC).replace(tzinfo=None))


def income_of(report: WatchReport) -> list[tuple[float | None, float | None]]:
    """Give statistic and p-value of income, window by window."""
    found = []
    for window in report.windows:
        feature = next(f for f in window.features if f.feature == "income")
        assert feature.test == "ks"
        found.append((feature.statistic, feature.p_value))
    return found
