"""Counting changes, and putting what reading did before what typing did."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipeline_core.records import ArrivedColumn, Change, ColumnArrival, Example, Reading, Unpacked
from pipeline_core.stages.validation import merge_changes
from pipeline_core.stages.validation.ledger import TEXT_MAX, Ledger, as_text


def test_changes_add_up_over_slices_and_keep_twenty_examples() -> None:
    ledger = Ledger()
    for first in (0, 15):
        arrived, stored = (
            pa.array([f" {first + i}" for i in range(15)]),
            pa.array([float(first + i) for i in range(15)]),
        )
        mask = np.ones(15, bool)
        ledger.add(
            {"parsed": mask, "trimmed": mask & (np.arange(15) > 12), "failed": ~mask},
            arrived=arrived,
            stored=stored,
            first_row=first,
        )
    trimmed, parsed = ledger.changes()
    assert (trimmed.kind, trimmed.rows, [e.row_number for e in trimmed.examples]) == ("trimmed", 4, [13, 14, 28, 29])
    assert (parsed.kind, parsed.rows, len(parsed.examples)) == ("parsed", 30, 20)
    assert parsed.examples[19] == Example(row_number=19, arrived=" 19", stored="19")
    assert (ledger.rows("failed"), ledger.examples("failed")) == (0, ())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        (0.1, "0.1"),
        (1e300, "1e+300"),
        (True, "True"),
        (date(2024, 5, 1), "2024-05-01"),
        (datetime(2024, 5, 1, 12, 30), "2024-05-01 12:30:00"),  # ruff: ignore[call-datetime-without-tzinfo]  # as stored
        ("x" * TEXT_MAX, "x" * TEXT_MAX),
        ("x" * (TEXT_MAX + 1), "x" * (TEXT_MAX - 1) + "…"),
        ("<b>'; --", "<b>'; --"),
    ],
)
def test_cells_as_text(value: Any, text: str) -> None:
    assert as_text(value) == text


def test_a_time_beyond_the_calendar_is_shown_in_ticks() -> None:
    ledger = Ledger()
    arrived = pa.array([10**14], pa.timestamp("s"))
    ledger.add({"failed": np.array([True])}, arrived=arrived, stored=pa.nulls(1, pa.timestamp("us")), first_row=0)
    assert ledger.examples("failed") == (Example(row_number=0, arrived=str(10**14), stored=None),)


def test_reading_comes_before_typing() -> None:
    comma = Change(kind="decimal_comma", rows=3, examples=(Example(row_number=0, arrived="2,6", stored="2.6"),))
    failed = Change(kind="failed", rows=1)
    unpacked = Unpacked(
        rows=4,
        columns=(
            ArrivedColumn(name="a", arrived="text", changes=(comma,)),
            ArrivedColumn(name="elsewhere", arrived="integer"),
        ),
        reading=Reading(),
    )
    arrivals = (
        ColumnArrival(
            column="a", arrived="decimal", stored="number", null_share=0.25, failed_rows=1, changes=(failed,)
        ),
        ColumnArrival(column="b", arrived="integer", stored="number", null_share=0.0),
    )
    merged = merge_changes(unpacked, arrivals)
    assert [(m.column, m.arrived, m.changes) for m in merged] == [("a", "text", (comma, failed)), ("b", "integer", ())]
    assert (merged[0].failed_rows, merged[0].null_share) == (1, 0.25)
