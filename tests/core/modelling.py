"""A small model of each task, with rows whose truth is known: what the release rooms are tested on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from pipeline_core.records import Column, ColumnType, Grid, Role, Schema, Task, TimeUnit

START = datetime(2025, 1, 1, tzinfo=UTC)
CLASSES = {Task.BINARY: ("no", "yes"), Task.MULTICLASS: ("high", "low", "mid"), Task.REGRESSION: ()}
TASKS = tuple(Task)


def schema(task: Task = Task.BINARY, *, unit: TimeUnit = TimeUnit.CLOCK, model: str = "loans") -> Schema:
    """Give a schema of two numbers, two categories, a date, a protected column, id, time and target."""
    number, category, stamp = ColumnType.NUMBER, ColumnType.CATEGORY, ColumnType.TIMESTAMP
    columns = (
        Column(column_id="c001", name="amount", type=number, role=Role.FEATURE),
        Column(column_id="c002", name="income", type=number, role=Role.FEATURE),
        Column(column_id="c003", name="plan_name", type=category, role=Role.FEATURE),
        Column(column_id="c004", name="city", type=category, role=Role.FEATURE),
        Column(column_id="c005", name="opened", type=stamp, role=Role.FEATURE),
        Column(column_id="c006", name="gender", type=category, role=Role.PROTECTED),
        Column(column_id="c007", name="loan", type=category, role=Role.ID),
        Column(column_id="c008", name="when", type=stamp, role=Role.TIME),
        Column(
            column_id="c009", name="outcome", type=number if task is Task.REGRESSION else category, role=Role.TARGET
        ),
    )
    return Schema(
        model=model,
        schema_version=1,
        task=task,
        columns=columns,
        baselines=(),
        grids=(
            Grid(column_id="c001", kind="cells", centre=0.0, spread=1.35),
            Grid(column_id="c003", kind="level"),
        ),
        time_unit=unit,
        positive="yes" if task is Task.BINARY else None,
        classes=CLASSES[task],
        defined_at=START,
    )


def rows(count: int = 400, task: Task = Task.BINARY, *, seed: int = 1, day: int = 0, noise: float = 1.0) -> pa.Table:
    """Give labelled typed rows, ten an hour, starting ``day`` days after the start.

    The outcome rests on amount, then on plan "a"; income says nothing, but is null in a tenth of the rows.
    """
    random = np.random.default_rng(seed)
    amount = random.normal(size=count)
    plan = random.choice(np.array(["a", "b_c", "d"], dtype=object), count)
    signal = 1.5 * amount + (plan == "a") + noise * random.normal(size=count)
    income = np.where(random.random(count) < 0.1, np.nan, random.normal(size=count))
    begin = START.replace(tzinfo=None) + timedelta(days=day)
    events = [begin + timedelta(minutes=6 * i) for i in range(count)]
    target = outcome(signal, task)
    numeric = task is Task.REGRESSION
    return pa.table({
        "row_id": [f"s{seed}-{i}" for i in range(count)],
        "row_number": pa.array(range(count), pa.int64()),
        "event_at": pa.array(events, pa.timestamp("us")),
        "c001": amount,
        "c002": pa.array(income, pa.float64(), from_pandas=True),
        "c003": pa.array([None if i % 17 == 0 else p for i, p in enumerate(plan)], pa.string()),
        "c004": pa.array([f"city_{i % 40}" for i in random.integers(0, 1000, count)], pa.string()),
        "c005": pa.array([e - timedelta(days=int(d)) for e, d in zip(events, random.integers(1, 99, count), strict=True)], pa.timestamp("us")),
        "c006": pa.array(random.choice(np.array(["f", "m"], dtype=object), count), pa.string()),
        "c007": pa.array([f"s{seed}-{i}" for i in range(count)], pa.string()),
        "c008": pa.array(events, pa.timestamp("us")),
        "c009": pa.array([float(t) for t in target] if numeric else target, pa.float64() if numeric else pa.string()),
        "label": pa.array(target, pa.string()),
    })  # fmt: skip


def outcome(signal: np.ndarray, task: Task) -> list[str]:
    """Give the label of each row as the store keeps it: text."""
    if task is Task.BINARY:
        return ["yes" if s > 0.5 else "no" for s in signal]
    if task is Task.MULTICLASS:
        return ["low" if s < -0.5 else "high" if s > 1 else "mid" for s in signal]
    return [repr(float(s)) for s in signal]
