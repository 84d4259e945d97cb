"""How many rows are usual, by weekday and by ratio; rows that repeat."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from pipeline_core.records import Finding
from pipeline_core.stages.validation import PastBatch
from pipeline_core.stages.validation.outcomes import MEASURES
from pipeline_core.stages.validation.volume import ceiling
from tests.core.stages.validation.drawn import drawn, said

MONDAY = datetime(2024, 11, 4, tzinfo=UTC)
WEEKS = 6


def past(rows: dict[int, int], *, weeks: int = WEEKS) -> tuple[PastBatch, ...]:
    """Give batches of one day each, with so many rows by weekday, a little more from week to week."""
    days = [(MONDAY + timedelta(days=7 * week + day), rows[day] + 10 * week) for week in range(weeks) for day in rows]
    return tuple(
        PastBatch(rows=n, received_at=day, first_event_at=day, last_event_at=day + timedelta(hours=23))
        for day, n in days
    )


def row_count(rows: int, history: tuple[PastBatch, ...], *, day: int = 7) -> Finding | None:
    columns = drawn(12, rows, day=day)  # day 7: a Monday
    return said(columns, past=history).get(("row_count", None))


EVERY_DAY = dict.fromkeys(range(7), 2_000) | {5: 300, 6: 250}


@pytest.mark.parametrize(
    ("rows", "day", "told"),
    [(2_000, 7, False), (2_900, 7, False), (3_200, 7, True), (900, 7, True), (300, 12, False), (2_000, 12, True)],
)
def test_rows_are_held_against_the_same_weekday(rows: int, day: int, told: bool) -> None:
    assert (row_count(rows, past(EVERY_DAY), day=day) is not None) is told


def test_the_sentence_names_the_weekday_and_the_ratio() -> None:
    finding = row_count(900, past(EVERY_DAY))
    assert finding is not None
    assert "900 rows; the median of 6 batches of Mondays before is 2,025: 44.4 % of it" in finding.message
    assert finding.value == pytest.approx(900 / 2025, rel=1e-4)


def test_few_batches_say_nothing_and_all_of_them_where_a_weekday_has_few() -> None:
    assert row_count(300, past({0: 2_000}, weeks=3)) is None
    finding = row_count(300, past({1: 2_000, 2: 2_000, 3: 2_000}, weeks=2))
    assert finding is not None
    assert "of 6 batches before" in finding.message


def test_a_source_that_varies_is_let_vary() -> None:
    wild = tuple(
        PastBatch(rows=n, received_at=MONDAY + timedelta(days=7 * i))
        for i, n in enumerate((100, 9_000, 700, 4_000, 250))
    )
    assert row_count(2_500, wild) is None


def test_repeated_rows_beyond_what_was_usual() -> None:
    columns = drawn(12, 1_000, day=1)
    twice = {n: pa.concat_arrays([pa.array(v), pa.array(v[:30])]) for n, v in columns.items()}
    finding = said(twice)["duplicate_rows", None]
    assert finding.value == pytest.approx(30 / 1_030)
    assert (finding.fired_batches, finding.past_batches) == (None, None)

    def measures(*shares: float) -> pa.Table:
        rows = [
            {"batch_id": f"b-{i}", "code": "duplicate_rows", "column_id": None, "value": s}
            for i, s in enumerate(shares)
        ]
        return pa.Table.from_pylist(rows, MEASURES)

    finding = said(twice, measures=measures(0.0, 0.001))["duplicate_rows", None]
    assert (finding.fired_batches, finding.past_batches) == (0, 2)
    assert ("duplicate_rows", None) not in said(twice, measures=measures(0.02))


def test_a_ceiling_is_twice_the_most() -> None:
    assert (ceiling(0.01, ()), ceiling(0.01, (0.001, 0.004)), ceiling(0.01, (0.001, 0.02))) == (0.01, 0.01, 0.04)
