"""What a training costs beside the fit: 200,000 rows x 30 numbers, HistGradientBoosting.

``fit`` is the bare estimator on the rows that are fitted, ``pipeline`` the same behind its preprocessing (2 % nulls a column
give every column an indicator); ``train`` is the verb on a store that holds them: select, split, fit in the child, metrics,
SHAP, leaks, artifact, baseline, record.
"""

from __future__ import annotations

import json
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from threadpoolctl import threadpool_limits

from pipeline_core.flows import intake, release
from pipeline_core.records import Task
from pipeline_core.stages import preprocessing, serving, training
from pipeline_core.store.home import Store

ROWS, FEATURES = 200_000, 30
LABELS = {"fit": "bare fit", "pipeline": "fit of the pipeline", "train": "the verb train, its child and imports too"}
WORKS = LABELS
HOLDOUT = 0.2


def python_for(_name: str) -> str:
    return sys.executable


def make(where: Path) -> None:
    """Write the rows and a home that has received them, once."""
    if (where / "train-home").exists():
        return
    random = np.random.default_rng(5)
    features = random.normal(size=(ROWS, FEATURES))
    signal = features[:, :12] @ np.geomspace(1, 0.1, 12) + 0.5 * features[:, 0] * features[:, 1]
    features[random.random((ROWS, FEATURES)) < 0.02] = np.nan
    label = np.where(signal + 1.5 * random.normal(size=ROWS) > 0, "yes", "no")
    start = np.datetime64("2024-01-01T00:00:00", "us")
    table = pa.table({
        "at": pa.array(start + np.arange(ROWS) * np.timedelta64(60_000_000, "us")),
        **{f"f{i:02d}": features[:, i] for i in range(FEATURES)},
        "label": pa.array(label.tolist()),
    })
    where.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, where / "train.parquet")
    with Store.open(where / "train-home.part") as store:
        intake.define(store, "bench", where / "train.parquet", target="label", positive="yes", time="at")
    (where / "train-home.part").rename(where / "train-home")


def fit(where: Path) -> float:
    """Fit the bare estimator on the rows that the verb fits on; give its CPU seconds."""
    table = pq.read_table(where / "train.parquet").slice(0, round(ROWS * (1 - HOLDOUT)))
    matrix = np.column_stack([table.column(f"f{i:02d}").to_numpy() for i in range(FEATURES)])
    target = (np.array(table.column("label").to_pylist()) == "yes").astype(int)
    model = training.ESTIMATORS["hist_gradient_boosting"](Task.BINARY, 7)
    with threadpool_limits(1):
        began = time.process_time()
        model.fit(matrix, target)
        return time.process_time() - began


def pipeline(where: Path) -> float:
    """Fit preprocessing and estimator on the same rows; give the CPU seconds."""
    with Store.open(where / "train-home") as store:
        schema = store.models.schema("bench")
    rows = pq.read_table(where / "train.parquet").slice(0, round(ROWS * (1 - HOLDOUT)))
    rows = rows.rename_columns([{c.name: c.column_id for c in schema.columns}[name] for name in rows.column_names])
    target = training.encode(rows.column(schema.target.column_id).to_pylist(), schema)
    steps, features = preprocessing.build(schema, "hist_gradient_boosting"), serving.frame(rows, schema)
    began = time.process_time()
    training.fit(steps, features, target, task=Task.BINARY, estimator="hist_gradient_boosting", seed=7)
    return time.process_time() - began


def train(where: Path) -> float:
    """Train by the verb, child and all; give the CPU seconds of both processes."""
    with tempfile.TemporaryDirectory(dir=where) as folder:
        home = Path(folder) / "home"
        shutil.copytree(where / "train-home", home)
        with Store.open(home) as store:
            began = _cpu_s()
            release.train(store, "bench")
            return _cpu_s() - began


def _cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


if __name__ == "__main__":
    print(json.dumps({"cpu_s": {"fit": fit, "pipeline": pipeline, "train": train}[sys.argv[1]](Path(sys.argv[2]))}))
