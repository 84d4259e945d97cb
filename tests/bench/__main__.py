"""``make bench``: the cost of a drift report over 1M + 1M rows x 30 columns, as ratios to the scan floor."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path

from tests.bench import made, workloads

RUNS = 3
FLOOR_RATIO_MAX, MEMORY_MIB_MAX = 4.0, 400.0
BARRED = "ours"


def measure(where: Path, runs: int = RUNS) -> dict[str, list[dict[str, float]]]:
    """Run each piece of work in fresh processes, interleaved so that a busy machine slows all alike."""
    found: dict[str, list[dict[str, float]]] = {}
    for name in workloads.WORKS:
        reason = workloads.available(name)
        if reason:
            print(f"skipped: {workloads.LABELS[name]}: {reason}")
        else:
            found[name] = []
    for _ in range(runs):
        for name, costs in found.items():
            command = [sys.executable, "-m", "tests.bench.workloads", name, str(where)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            costs.append(json.loads(done.stdout))
    return found


def main() -> int:
    """Make the rows, measure, print the table; 1 when the bar is missed."""
    where = made.folder()
    print(f"rows: 2 x {made.ROWS:,} x {made.NUMBERS + len(made.LEVELS)} columns in {where}")
    made.make(where)
    if not (where / "counts.parquet").exists():
        workloads.keep_counts(where)
    found = measure(where)
    floor_s = statistics.median(cost["cpu_s"] for cost in found["floor"])
    print(f"\n{'medians of ' + str(RUNS) + ' runs':44}{'CPU s':>8}{'x floor':>9}{'peak MiB':>10}{'largest KS':>14}")
    table = {}
    for name, costs in found.items():
        cpu_s, peak = (statistics.median(cost[key] for cost in costs) for key in ("cpu_s", "peak_mib"))
        table[name] = (cpu_s / floor_s, peak)
        largest = f"{costs[0]['largest']:.9f}" if costs[0]["largest"] else "-"
        print(f"{workloads.LABELS[name]:44}{cpu_s:8.2f}{cpu_s / floor_s:9.2f}{peak:10.0f}{largest:>14}")
    ratio, peak = table[BARRED]
    kept = ratio <= FLOOR_RATIO_MAX and peak < MEMORY_MIB_MAX
    print(
        f"\nbar: at most {FLOOR_RATIO_MAX:.0f} x floor and under {MEMORY_MIB_MAX:.0f} MiB: {'kept' if kept else 'MISSED'}"
    )
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
