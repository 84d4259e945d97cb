"""One piece of work in a fresh process: ``python -m tests.bench.workloads NAME FOLDER`` prints one JSON line.

CPU is user and system time after the imports; memory is the peak resident set with the imports.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.bench import peers

Work = Callable[[], float]
"""Does the work and gives the largest KS distance, so that the ways can be compared."""


def floor(where: Path) -> Work:
    import duckdb

    def work() -> float:
        connection = duckdb.connect(config={"threads": 2})
        for name in ("reference", "current"):
            scan = f"FROM read_parquet('{where / name}.parquet')"
            types = [row[:2] for row in connection.execute(f"DESCRIBE {scan}").fetchall()]
            # max() would be answered from the footer
            read = ", ".join(f"sum({c})" if kind == "DOUBLE" else f"sum(strlen({c}))" for c, kind in types)
            connection.execute(f"SELECT {read} {scan}").fetchall()
        return 0.0

    return work


def ours(where: Path, *, exact: bool = False, stored: bool = False) -> Work:
    import pyarrow.parquet as pq

    from pipeline_core.engines.duck import DuckEngine, Rows
    from pipeline_core.policy import Policy
    from pipeline_core.stages import drift, profiling
    from pipeline_core.stats.columns import aligned
    from tests.bench import made

    # pyarrow and the counting would load these at their first use: imports, taken off like the others
    importlib.import_module("pandas")
    importlib.import_module("ibis.backends.sql.compilers.duckdb")
    schema = made.schema(where)
    # single cells leave fewer rows to be read again than bins, and cost no more to count where days do not multiply them
    grids = [replace(g, starts=()) if exact else g for g in schema.grids]
    shares = {c.name: 1 / len(schema.features) for c in schema.features}
    files = [where / f"{name}.parquet" for name in ("reference", "current")]

    def work() -> float:
        with DuckEngine() as engine:
            if stored:
                base = profiling.columns(pq.read_table(where / "counts.parquet"))
            else:
                base = profiling.columns(engine.counts(files[:1], grids, buckets="one"))
            now = profiling.columns(engine.counts(files[1:], grids, buckets="one"))
            found = {}
            for grid in grids if exact else ():
                if grid.kind == "cells":
                    pair = aligned(base[grid.column_id], now[grid.column_id])
                    rows = [Rows(files=(file,)) for file in files]
                    found[grid.column_id] = engine.exact_ks(rows[0], rows[1], grid, pairs={None: pair})[None]
        report = drift.window_drift(base, now, schema=schema, shares=shares, policy=Policy(), exact_ks=found)
        return max(f.effect or 0.0 for f in report.features if f.test == drift.KS)

    return work


def keep_counts(where: Path) -> None:
    """Store the reference's counts, as a training does."""
    import pyarrow.parquet as pq

    from pipeline_core.engines.duck import DuckEngine
    from tests.bench import made

    with DuckEngine() as engine:
        counts = engine.counts([where / "reference.parquet"], made.schema(where).grids, buckets="one")
    pq.write_table(counts, where / "counts.parquet", compression="zstd")


def with_scipy(where: Path) -> Work:
    import numpy as np
    import pandas as pd
    from scipy.stats import chi2_contingency, ks_2samp

    def work() -> float:
        reference, current = (pd.read_parquet(where / f"{name}.parquet") for name in ("reference", "current"))
        distances = []
        for name in reference.columns:
            before, now = reference[name], current[name]
            if before.dtype == np.float64:
                distances.append(float(ks_2samp(before.dropna(), now.dropna(), method="asymp").statistic))
            else:
                counts = pd.concat([side.value_counts(dropna=False) for side in (before, now)], axis=1).fillna(0)
                chi2_contingency(counts.to_numpy().T, correction=False)
        return max(distances)

    return work


WORKS: dict[str, Callable[[Path], Work]] = {
    "floor": floor,
    "ours": ours,
    "ours exact": lambda where: ours(where, exact=True),
    "ours stored": lambda where: ours(where, stored=True),
    "scipy": with_scipy,
    **{name: work for name, (_, work) in peers.PEERS.items()},
}
LABELS = {
    "floor": "scan floor: DuckDB reads all columns once",
    "ours": "drift report, KS as an interval",
    "ours exact": "drift report, exact KS",
    "ours stored": "drift report, baseline counts stored",
    "scipy": "scipy over pandas columns",
    **{name: name for name in peers.PEERS},
}


def python_for(name: str) -> str | None:
    """Give the interpreter that can do a piece of work; None where it is not installed."""
    return peers.interpreter(peers.PEERS[name][0]) if name in peers.PEERS else sys.executable


def main(name: str, where: Path) -> None:
    """Do one piece of work and print what it cost."""
    work = WORKS[name](where)
    before = resource.getrusage(resource.RUSAGE_SELF)
    largest = work()
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"cpu_s": cpu_s, "peak_mib": peak_mib(), "largest": largest}))


def peak_mib() -> float:
    """Give the largest resident set of this process; ``ru_maxrss`` would count what its parent held when it started it."""
    (line,) = (x for x in Path("/proc/self/status").read_text(encoding="utf-8").splitlines() if x.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
