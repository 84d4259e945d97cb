"""What it costs to take a batch in: ``python -m tests.bench.receiving NAME FOLDER`` prints one JSON line.

CPU is that of the process and of all it started, after the imports; memory is the peak resident set of the process and of
the largest that it started. A million rows of 20 numbers and 10 categories, an event time and a target, as Parquet.
"""

from __future__ import annotations

import importlib.util
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.bench import made, workloads

MODEL = "bench"
FIRST_ROWS = 200_000
MONTH_US = 30 * 86_400_000_000
TICK_S = 1 / os.sysconf("SC_CLK_TCK")

Work = Callable[[], None]


def make(where: Path, millions: int) -> None:
    """Make the batch, and a home with a model that was defined by a smaller file like it, unless they are there."""
    batch, home = where / f"batch-{millions}.parquet", where / "home"
    where.mkdir(parents=True, exist_ok=True)
    if not batch.exists():
        unfinished = batch.with_suffix(".part")
        with pq.ParquetWriter(unfinished, _rows(1, seed=0).schema, compression="zstd") as writer:
            for seed in range(millions):
                rows = _rows(made.ROWS, seed=seed, since=1 + seed / millions, months=1 / millions)
                writer.write_table(rows, row_group_size=made.ROW_GROUP)
        unfinished.rename(batch)
    if not home.exists():
        pq.write_table(_rows(FIRST_ROWS, seed=1_000), where / "first.parquet")
        subprocess.run([sys.executable, "-m", "tests.bench.receiving", "define", str(where)], check=True)


def _rows(count: int, *, seed: int, since: float = 0.0, months: float = 1.0) -> pa.Table:
    """Draw rows of a part of a month of 30 days, in the order of time."""
    rng = np.random.default_rng(seed)
    micros = (since + months * np.arange(count) / count) * MONTH_US
    happened = np.datetime64("2026-01-01", "us") + micros.astype("timedelta64[us]")
    table = made.table(rng, count, shift=0.0)
    table = table.append_column("happened", pa.array(happened))
    return table.append_column("outcome", pa.array(np.where(rng.random(count) < 0.3, "yes", "no")))


def define(where: Path, _batch: Path) -> Work:
    """Make the home."""
    from pipeline_core.flows import intake, sandbox
    from pipeline_core.store.home import Store

    def work() -> None:
        unfinished = where / "home.part"
        shutil.rmtree(unfinished, ignore_errors=True)
        with Store.open(unfinished) as store:
            intake.define(store, MODEL, where / "first.parquet", target="outcome", time="happened")
        sandbox.stop()
        unfinished.rename(where / "home")

    return work


def ours(where: Path, batch: Path) -> Work:
    """Receive the batch in a copy of the home."""
    from pipeline_core.flows import intake, sandbox
    from pipeline_core.store.home import Store

    home = Path(tempfile.mkdtemp(dir=where)) / "home"
    shutil.copytree(where / "home", home)
    (home / "policy.toml").write_text(
        "upload_bytes_max = 50_000_000_000\nreader_seconds_max = 3_600\n", encoding="utf-8"
    )
    store = Store.open(home)
    small = where / "small.parquet"
    pq.write_table(pq.read_table(where / "first.parquet").slice(0, 100), small)
    intake.preview(store, small)  # the process that forks children is there once for all batches

    def work() -> None:
        report = intake.receive(store, MODEL, batch)
        store.close()
        sandbox.stop()
        shutil.rmtree(home.parent)
        if report.status != "accepted":
            raise SystemExit(f"not accepted: {[f.message for f in report.findings]}")

    return work


def create_table(where: Path, batch: Path) -> Work:
    """Let DuckDB copy the file into a table on disk."""
    import duckdb

    def work() -> None:
        file = where / f"copy-{os.getpid()}.duckdb"
        with duckdb.connect(str(file), config={"threads": 2}) as connection:
            connection.execute(f"CREATE TABLE rows AS FROM read_parquet('{batch}')")
        file.unlink()

    return work


def with_pandera(_where: Path, batch: Path) -> Work:
    """Check types, nulls and ranges only; nothing is kept or counted."""
    import pandas as pd
    import pandera.pandas as pandera

    def work() -> None:
        frame = pd.read_parquet(batch)
        columns = {}
        for name in frame.columns:
            number = frame[name].dtype == np.float64
            checks = [pandera.Check.in_range(-1e300, 1e300)] if number else []
            columns[name] = pandera.Column(frame[name].dtype, checks, nullable=True)
        pandera.DataFrameSchema(columns).validate(frame, lazy=True)

    return work


def with_great_expectations(_where: Path, batch: Path) -> Work:
    """Check nulls and ranges only; nothing is kept or counted."""
    import great_expectations as gx
    import pandas as pd

    def work() -> None:
        frame = pd.read_parquet(batch)
        context = gx.get_context(mode="ephemeral")
        asset = context.data_sources.add_pandas("rows").add_dataframe_asset("batch")
        part = asset.add_batch_definition_whole_dataframe("whole").get_batch({"dataframe": frame})
        suite = gx.ExpectationSuite(name="door")
        for name in frame.columns:
            suite.add_expectation(gx.expectations.ExpectColumnValuesToNotBeNull(column=name, mostly=0.5))
            if frame[name].dtype == np.float64:
                between = gx.expectations.ExpectColumnValuesToBeBetween(column=name, min_value=-1e300, max_value=1e300)
                suite.add_expectation(between)
        part.validate(suite)

    return work


WORKS: dict[str, Callable[[Path, Path], Work]] = {
    "create table": create_table,
    "receive": ours,
    "pandera": with_pandera,
    "great_expectations": with_great_expectations,
}
LABELS = {
    "create table": "DuckDB: CREATE TABLE AS, into a file",
    "receive": "receive: read, typed, checked, counted, kept",
    "pandera": "pandera: types and ranges only",
    "great_expectations": "Great Expectations: nulls and ranges only",
}


def python_for(name: str) -> str | None:
    """Give the interpreter that can do a piece of work; None where it is not installed."""
    missing = name in {"pandera", "great_expectations"} and importlib.util.find_spec(name) is None
    return None if missing else sys.executable


def _started() -> float:
    """Give the CPU seconds of everything below this process, living or waited for."""
    parents, cost = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue  # it ended meanwhile
        parents[int(folder.name)] = int(fields[1])
        cost[int(folder.name)] = sum(int(ticks) for ticks in fields[11:15]) * TICK_S
    mine = {os.getpid()}
    while grown := {child for child, parent in parents.items() if parent in mine} - mine:
        mine |= grown
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(cost[child] for child in mine - {os.getpid()}) + ended.ru_utime + ended.ru_stime


def _own() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main(name: str, where: Path, millions: int) -> None:
    """Do one piece of work and print what it cost."""
    work = {**WORKS, "define": define}[name](where, where / f"batch-{millions}.parquet")
    before, wall = (_own(), _started()), time.monotonic()
    work()
    seconds = time.monotonic() - wall
    own, started = _own() - before[0], _started() - before[1]
    peaks = workloads.peak_mib(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    if name != "define":
        cost = {"cpu_s": own + started, "own_cpu_s": own, "wall_s": seconds, "own_mib": peaks[0], "child_mib": peaks[1]}
        print(json.dumps(cost))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 1)
