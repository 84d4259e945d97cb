"""The article's incident: nulls become 0, -1 or the mean, in one batch of 5,000 rows, and are called by name.

``peers.md`` has what a well-known tool says to the same change with its defaults: nothing.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline_core.flows import intake
from pipeline_core.records import BatchReport
from pipeline_core.store import Store
from tests.story.deliveries import DEFINE, FIRST_WEEK, Frame, as_parquet, parcels, sent_at
from tests.story.doors import Clock
from tests.story.faults import known

ROWS = 5_000
NULL_SHARE = 0.12
FULL = "CLEAN_BATCHES" in os.environ
"""`make bars` also turns the columns in which few cells may go unseen."""
TO: dict[str, Callable[[Frame, str], Any]] = {
    "0": lambda _frame, _column: 0,
    "-1": lambda _frame, _column: -1,
    "mean": lambda frame, column: statistics.fmean(known(frame, column)),
}


def shipment(rows: int, seed: int, *, days: int, start: int = 0) -> Frame:
    return parcels(FIRST_WEEK + timedelta(days=start), days=days, rows=rows, seed=seed)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("incident")
    first = folder / "first.parquet"
    first.write_bytes(as_parquet(shipment(10_000, 1, days=42, start=-42)))
    with Store.open(folder / "home", clock=Clock(sent_at(0))) as opened:
        intake.define(opened, "parcels", first, **DEFINE)  # type: ignore[typeddict-item]
        yield opened


def sent(store: Store, frame: Frame, folder: Path) -> BatchReport:
    path = folder / "week.parquet"
    path.write_bytes(as_parquet(frame))
    return intake.receive(store, "parcels", path)


def turned(frame: Frame, column: str, to: str, cells: int) -> Frame:
    """Turn so many of a column's nulls."""
    value, left, values = TO[to](frame, column), cells, []
    for each in frame[column]:
        turn = each is None and left > 0
        left -= turn
        values.append(value if turn else each)
    assert left == 0
    if any(isinstance(v, float) for v in values):
        values = [None if v is None else float(v) for v in values]
    return {**frame, column: values}


def named(report: BatchReport, column: str, to: str) -> bool:
    wanted = "null -> the mean" if to == "mean" else f"null -> {to}:"
    return any(f.code == "imputed" and f.column == column and (wanted in f.message) for f in report.findings)


def told(report: BatchReport, column: str) -> bool:
    return any(f.code == "imputed" and f.column == column for f in report.findings)


@pytest.mark.parametrize("to", list(TO))
@pytest.mark.parametrize("column", ["distance_km", "weight_kg", "customer_age"])
@pytest.mark.parametrize("share", [0.10, 0.02])
def test_two_percent_of_the_rows_are_called_by_name(
    store: Store, tmp_path: Path, column: str, to: str, share: float
) -> None:
    frame = gappy(shipment(ROWS, 77, days=7), column)
    report = sent(store, turned(frame, column, to, round(share * ROWS)), tmp_path)
    assert told(report, column), [f.message for f in report.findings]
    assert store.signals.alerts("parcels")


def gappy(frame: Frame, column: str) -> Frame:
    """Give a column nulls in ``NULL_SHARE`` of the rows, as its baseline has about."""
    every = round(1 / NULL_SHARE)
    return {**frame, column: [None if i % every == 0 else v for i, v in enumerate(full(frame[column]))]}


def full(values: list[Any]) -> list[Any]:
    there = [v for v in values if v is not None]
    return [there[i % len(there)] if v is None else v for i, v in enumerate(values)]


def test_the_same_batch_unturned_says_nothing_of_it(store: Store, tmp_path: Path) -> None:
    for column in ("distance_km", "weight_kg", "customer_age"):
        report = sent(store, gappy(shipment(ROWS, 78, days=7), column), tmp_path)
        assert not told(report, column)
        assert replace(report, duplicate=False) == report


def test_what_half_a_percent_and_few_cells_give(store: Store, tmp_path: Path) -> None:
    """Not a bar but a figure: 25 rows (0.5 % of the rows), and 12 (2 % of the nulls)."""
    found = {}
    columns = ("distance_km", "weight_kg", *(("customer_age", "discount") if FULL else ()))
    for column in columns:
        for to in TO:
            for cells in (25, 12):
                frame = gappy(shipment(ROWS, 79, days=7), column)
                found[column, to, cells] = told(sent(store, turned(frame, column, to, cells), tmp_path), column)
    for cells in (25, 12):
        hits = [key[:2] for key, hit in found.items() if key[2] == cells and hit]
        print(f"{cells} of {ROWS} rows turned: {len(hits)} of {len(found) // 2} told: {hits}")
    # where the value is none that the column ever held, a dozen cells are proof enough
    assert all(found["weight_kg", to, cells] for to in TO for cells in (25, 12))
    assert all(found["distance_km", to, cells] for to in ("0", "-1") for cells in (25, 12))
