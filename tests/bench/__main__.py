"""``make bench``: the cost of a drift report over 1M + 1M rows x 30 columns, of taking in a batch of 1M rows,
of windows summed from a year of stored counts (``python -m tests.bench year`` alone), and of a training (``train`` alone).

``python -m tests.bench receive 10`` takes in 10M rows, once; ``drift 10`` reports on 10M + 10M; ``scale`` counts a day by
DuckDB and by local Spark.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path
from types import ModuleType

from tests.bench import fitting, made, peers, receiving, scaling, summing, workloads

RUNS = 3
FLOOR_RATIO_MAX, MEMORY_MIB_MAX = {"ours": 2.5, "ours exact": 4.0}, 400.0
RECEIVE_RATIO_MAX, RECEIVE_MIB_MAX = 5.0, 1_024.0
WINDOW_S_MAX = 0.3
TRAIN_EXTRA_MAX = 1.5


def measure(
    kind: ModuleType, arguments: list[str], runs: int = RUNS, *, names: tuple[str, ...] = ()
) -> dict[str, dict[str, float]]:
    """Run each piece of work in fresh processes, interleaved so that a busy machine slows all alike; give medians.

    Other tools run once: they are too far away for the spread to matter, and take minutes.
    """
    found: dict[str, list[dict[str, float]]] = {}
    for name in names or kind.WORKS:
        if kind.python_for(name) is None:
            print(f"skipped: {kind.LABELS[name]}: not installed here, nor under $BENCH_PEERS")
        else:
            found[name] = []
    for turn in range(runs):
        for name, costs in found.items():
            if turn and name in peers.PEERS:
                continue
            command = [str(kind.python_for(name)), "-m", kind.__name__, name, *arguments]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode and name in peers.PEERS:
                print(f"failed: {name}: {(done.stderr.strip().splitlines() or ['no word'])[-1]}")
                continue
            if done.returncode:
                raise SystemExit(f"{name}: {done.stderr}{done.stdout}")
            costs.append(json.loads(done.stdout.splitlines()[-1]))
    return {
        n: {key: statistics.median(c[key] for c in costs) for key in costs[0]} for n, costs in found.items() if costs
    }


def drift(where: Path, millions: int = 1) -> bool:
    """Print the table of the drift report; say whether the bars are kept."""
    print(f"rows: 2 x {millions}M x {made.NUMBERS + len(made.LEVELS)} columns in {where}")
    made.make(where, millions)
    if not (where / "counts.parquet").exists():
        workloads.keep_counts(where)
    # what reads all rows into memory is left out where there are many
    names = () if millions == 1 else ("floor", "ours", "ours exact", "ours stored")
    found = measure(workloads, [str(where)], names=names)
    floor_s = found["floor"]["cpu_s"]
    print(f"\n{'medians of ' + str(RUNS) + ' runs':44}{'CPU s':>8}{'x floor':>9}{'peak MiB':>10}{'largest KS':>14}")
    for name, cost in found.items():
        largest = f"{cost['largest']:.9f}" if cost["largest"] else "-"
        ratio = cost["cpu_s"] / floor_s
        print(f"{workloads.LABELS[name]:44}{cost['cpu_s']:8.2f}{ratio:9.2f}{cost['peak_mib']:10.0f}{largest:>14}")
    kept = True
    for name, most in FLOOR_RATIO_MAX.items():
        held = found[name]["cpu_s"] / floor_s <= most and found[name]["peak_mib"] < MEMORY_MIB_MAX
        bar = f"{workloads.LABELS[name]}: at most {most} x floor and under {MEMORY_MIB_MAX:.0f} MiB"
        print(f"bar: {bar}: {'kept' if held else 'MISSED'}")
        kept &= held
    return kept


def receive(where: Path, millions: int) -> bool:
    """Print the table of taking a batch in; say whether the bar is kept."""
    print(f"\nbatch: {millions}M rows x {made.NUMBERS + len(made.LEVELS) + 2} columns as Parquet in {where}")
    receiving.make(where, millions)
    runs = RUNS if millions == 1 else 1
    found = measure(receiving, [str(where), str(millions)], runs)
    floor_s = found["create table"]["cpu_s"]
    print(
        f"\n{'medians of ' + str(runs) + ' runs':46}{'CPU s':>8}{'x DuckDB':>9}{'wall s':>8}{'owner MiB':>11}{'child MiB':>11}"
    )
    for name, cost in found.items():
        figures = f"{cost['cpu_s']:8.2f}{cost['cpu_s'] / floor_s:9.2f}{cost['wall_s']:8.2f}"
        print(f"{receiving.LABELS[name]:46}{figures}{cost['own_mib']:11.0f}{cost['child_mib']:11.0f}")
    ours = found["receive"]
    ratio, peak = ours["cpu_s"] / floor_s, max(ours["own_mib"], ours["child_mib"])
    kept = (millions > 1 or ratio <= RECEIVE_RATIO_MAX) and peak < RECEIVE_MIB_MAX
    bar = f"each process under {RECEIVE_MIB_MAX:.0f} MiB" + (
        f", at most {RECEIVE_RATIO_MAX:.0f} x DuckDB" if millions == 1 else ""
    )
    print(f"\nbar: {bar}: {'kept' if kept else 'MISSED'}")
    return kept


def year(where: Path) -> bool:
    """Print the table of sums over a year of stored counts; say whether the bar is kept."""
    features = summing.NUMBERS + summing.CATEGORIES
    print(f"\ncounts: {summing.DAYS} days x {features} features, no row is read; in {where}")
    where.mkdir(parents=True, exist_ok=True)
    summing.make(where)
    found = measure(summing, [str(where)])
    print(f"\n{'medians of ' + str(RUNS) + ' runs':44}{'CPU s':>8}{'wall s':>8}{'peak MiB':>10}{'rows counted':>14}")
    for name, cost in found.items():
        figures = f"{cost['cpu_s']:8.2f}{cost['wall_s']:8.2f}{cost['peak_mib']:10.0f}{cost['rows']:14,.0f}"
        print(f"{summing.LABELS[name]:44}{figures}")
    kept = found["window"]["cpu_s"] <= WINDOW_S_MAX
    print(f"\nbar: one window in at most {WINDOW_S_MAX} s: {'kept' if kept else 'MISSED'}")
    return kept


def train(where: Path) -> bool:
    """Print what a training costs beside its fit; say whether the bar is kept."""
    print(f"\nrows: {fitting.ROWS:,} x {fitting.FEATURES} numbers, HistGradientBoosting, one thread; in {where}")
    fitting.make(where)
    found = measure(fitting, [str(where)])
    bare = found["fit"]["cpu_s"]
    print(f"\n{'medians of ' + str(RUNS) + ' runs':44}{'CPU s':>8}{'x bare fit':>11}{'extra':>8}")
    for name, cost in found.items():
        ratio = cost["cpu_s"] / bare
        print(f"{fitting.LABELS[name]:44}{cost['cpu_s']:8.2f}{ratio:11.2f}{ratio - 1:8.2f}")
    kept = found["train"]["cpu_s"] / bare - 1 <= TRAIN_EXTRA_MAX
    print(f"\nbar: everything around the fit at most {TRAIN_EXTRA_MAX} x the bare fit: {'kept' if kept else 'MISSED'}")
    return kept


def main() -> int:
    """Measure and print; 1 when a bar is missed."""
    where, asked = made.folder(), sys.argv[1:]
    if asked[:1] == ["receive"]:
        return 0 if receive(where, int(asked[1]) if len(asked) > 1 else 1) else 1
    if asked[:1] == ["scale"]:
        scaling.main(where)
        return 0
    if asked[:1] == ["drift"]:
        millions = int(asked[1]) if len(asked) > 1 else 1
        return 0 if drift(where if millions == 1 else where / f"{millions}M", millions) else 1
    if asked[:1] == ["train"]:
        return 0 if train(where) else 1
    if asked[:1] == ["year"]:
        return 0 if year(where) else 1
    kept = [drift(where), receive(where, 1), year(where), train(where)]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
