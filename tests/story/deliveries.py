"""A shop's parcels, week by week, as its systems send them: the clean source that faults are done to.

A week is a plain frame (column name -> values, None for a gap): money, weights, lengths and temperatures of several
shapes, shares with a pile at zero, ages and ratings with gaps, categories with accents, an id, a time with a daily
rhythm and a target. ``carrier`` and ``rating`` come from a join, so they are missing together. Everything is seeded.
"""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

Frame = dict[str, list[Any]]

FIRST_WEEK = datetime.fromisoformat("2026-01-26")
"""A Monday; the first file holds the weeks before it."""
FIRST_FILE_WEEKS = 6
WEEK_ROWS = 2_000
HOURS = np.array([0, 0, 0, 0, 0, 0, 1, 2, 5, 8, 10, 10, 9, 8, 8, 7, 7, 7, 6, 5, 4, 2, 1, 0], dtype=float)
CITIES = {
    "Berlin": 0.26, "São Paulo": 0.18, "Paris": 0.16, "Köln": 0.12, "Malmö": 0.10, "Rome": 0.08, "New York": 0.06, "Oslo": 0.04,
}  # fmt: skip
CHANNELS = {"web": 0.55, "app": 0.25, "store": 0.15, "phone": 0.05}
CARRIERS = {"northbound": 0.45, "swift": 0.30, "parcelo": 0.25}
NUMBERS = (
    "amount",
    "items",
    "weight_kg",
    "length_cm",
    "distance_km",
    "temperature_c",
    "discount",
    "customer_age",
    "rating",
)
DEFINE = {"target": "late", "positive": "yes", "time": "ordered_at", "id": "order_id"}


def moments(dice: np.random.Generator, start: datetime, days: int, rows: int) -> list[datetime]:
    """Give moments with the shop's daily rhythm, in order."""
    day = dice.integers(0, days, rows)
    hour = dice.choice(24, size=rows, p=HOURS / HOURS.sum())
    seconds = np.sort(day * 86_400 + hour * 3_600 + dice.integers(0, 3_600, rows))
    return [start + timedelta(seconds=int(s)) for s in seconds]


def parcels(start: datetime, *, days: int, rows: int, seed: int) -> Frame:
    """Make a clean delivery."""
    dice = np.random.default_rng(seed)

    def of(levels: Mapping[str, float]) -> list[Any]:
        return [str(level) for level in dice.choice(list(levels), size=rows, p=list(levels.values()))]

    def gaps(values: Sequence[Any], share: float) -> list[Any]:
        return [None if gone else v for v, gone in zip(values, dice.random(rows) < share, strict=True)]

    amount = np.round(dice.lognormal(4.8, 1.1, rows), 2)
    weight = np.round(dice.lognormal(0.4, 0.6, rows), 3)
    distance = np.round(dice.gamma(2.0, 90.0, rows) + 2, 1)
    warmth = np.round(dice.normal(12.0, 7.0, rows), 1)
    discount = np.where(dice.random(rows) < 0.6, 0.0, np.round(dice.beta(2, 8, rows), 2))
    late = dice.random(rows) < 1 / (1 + np.exp(1.6 - distance / 150 - (weight > 2.5)))
    unjoined = dice.random(rows) < 0.04
    return {
        "order_id": [f"o{seed:04d}-{i:06d}" for i in range(rows)],
        "ordered_at": list(moments(dice, start, days, rows)),
        "amount": amount.tolist(),
        "items": (1 + dice.poisson(1.4, rows)).tolist(),
        "weight_kg": gaps(weight.tolist(), 0.12),
        "length_cm": np.round(dice.normal(42, 9, rows).clip(12), 1).tolist(),
        "distance_km": gaps(distance.tolist(), 0.08),
        "temperature_c": warmth.tolist(),
        "discount": gaps(discount.tolist(), 0.15),
        "customer_age": gaps(dice.integers(18, 80, rows).tolist(), 0.08),
        "rating": [
            None if gone else int(v)
            for v, gone in zip(dice.choice(5, rows, p=[0.05, 0.08, 0.17, 0.4, 0.3]) + 1, unjoined, strict=True)
        ],
        "city": gaps(of(CITIES), 0.12),
        "channel": of(CHANNELS),
        "carrier": [None if gone else v for v, gone in zip(of(CARRIERS), unjoined, strict=True)],
        "late": ["yes" if each else "no" for each in late],
    }


def first_file(seed: int = 1) -> Frame:
    """Make what the model is defined by."""
    return parcels(
        FIRST_WEEK - timedelta(weeks=FIRST_FILE_WEEKS), days=7 * FIRST_FILE_WEEKS, rows=3 * WEEK_ROWS, seed=seed
    )


def week(number: int, *, rows: int = WEEK_ROWS, seed: int | None = None) -> Frame:
    """Make the delivery of a week, from Monday to Sunday; ``number`` 0 follows the first file. No two are of one size."""
    start = FIRST_WEEK + timedelta(weeks=number)
    rows += round(rows * random.Random(number).gauss(0, 0.05))
    return parcels(start, days=7, rows=rows, seed=100 + number if seed is None else seed)


def sent_at(number: int) -> datetime:
    """Say when a week is delivered: on the Monday after, early."""
    return (FIRST_WEEK + timedelta(weeks=number + 1, hours=5)).replace(tzinfo=UTC)


# --- as a system would write it -----------------------------------------------------------------


def cell(value: Any) -> str:
    """Write a value as text."""
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, datetime) else str(value)


def as_csv(frame: Frame, *, delimiter: str = ",", encoding: str = "utf-8", decimal: str = ".") -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    writer.writerow(frame)
    for row in zip(*frame.values(), strict=True):
        writer.writerow([cell(v).replace(".", decimal) if isinstance(v, float) else cell(v) for v in row])
    return out.getvalue().encode(encoding)


def as_lines(frame: Frame) -> bytes:
    rows = (dict(zip(frame, row, strict=True)) for row in zip(*frame.values(), strict=True))
    return b"".join(json.dumps(row, default=cell, allow_nan=False).encode() + b"\n" for row in rows)


def as_table(frame: Frame) -> pa.Table:
    """Give it typed columns; one that holds a text among other values becomes text, as exports do it."""
    return pa.table({name: column(values) for name, values in frame.items()})


def column(values: Sequence[Any]) -> pa.Array:
    kinds = {type(v) for v in values if v is not None}
    if str in kinds and len(kinds) > 1:
        return pa.array([None if v is None else cell(v) for v in values], pa.string())
    if datetime in kinds:
        return pa.array(values, pa.timestamp("us"))
    return pa.array([float(v) if v is not None and kinds == {int, float} else v for v in values])


def as_parquet(frame: Frame) -> bytes:
    out = io.BytesIO()
    pq.write_table(as_table(frame), out)
    return out.getvalue()
