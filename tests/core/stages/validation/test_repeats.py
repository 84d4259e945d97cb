"""What the door says of ids that are known."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from pipeline_core.records import BatchStatus, Finding, TimeUnit
from pipeline_core.stages.validation import decide, type_rows
from pipeline_core.stages.validation.repeats import known_ids
from tests.core import modelling
from tests.core.stages.validation.made import findings_of

TIMED = modelling.schema()
PLAIN = replace(TIMED, time_unit=TimeUnit.NONE, columns=tuple(c for c in TIMED.columns if c.name != "when"))


def repeats(*rows: tuple[str, bool]) -> pa.Table:
    return pa.table({
        "batch_id": pa.array([r[0] for r in rows], pa.string()),
        "row_number": pa.array(range(len(rows)), pa.int64()),
        "same": pa.array([r[1] for r in rows], pa.bool_()),
    })


def said(*rows: tuple[str, bool], timed: bool = True) -> list[Finding]:
    return list(known_ids(repeats(*rows), TIMED if timed else PLAIN, rows=10))


def test_the_same_row_again_is_a_note() -> None:
    (finding,) = said(("b-0001", True), ("b-0001", True))
    assert (finding.code, finding.column, finding.severity, finding.value) == ("ids_known", "loan", "info", 0.2)
    assert finding.message == (
        "Column 'loan' (id): 2 rows replace rows of b-0001 (same id, same event time); each counts once."
    )


def test_another_event_time_is_an_error() -> None:
    error, note = said(("b-0001", False), ("b-0002", False), ("b-0002", True))
    assert (error.severity, error.value, note.severity, note.value) == ("error", 0.2, "info", 0.1)
    assert error.message == (
        "Column 'loan' (id): the id names an entity, not a row: 2 ids came before with another event time (b-0001, b-0002),"
        " and their rows would take the labels of those. Define a model whose id is a column that is unique per row, or"
        " none."
    )


def test_without_an_event_time_other_values_are_a_warning() -> None:
    (note,) = said(("b-0001", True), timed=False)
    (warning,) = said(("b-0001", False), timed=False)
    assert (note.severity, warning.severity) == ("info", "warning")
    assert "(same id, same values)" in note.message
    assert "1 rows replace rows of b-0001 that had other values (same id), and keep their labels." in warning.message


def test_many_batches_are_not_all_named() -> None:
    (finding,) = said(*[(f"b-000{n}", True) for n in range(1, 6)])
    assert "rows of b-0001, b-0002, b-0003 and 2 more (" in finding.message


@pytest.mark.parametrize(("same", "status"), [(True, BatchStatus.ACCEPTED), (False, BatchStatus.QUARANTINED)])
def test_the_check_lists_them_with_its_own(same: bool, status: BatchStatus) -> None:
    table = pa.table({"loan": ["x"], "amount": [1.0], "income": [1.0], "plan_name": ["a"], "city": ["c"],
                      "opened": ["2025-01-01"], "gender": ["f"], "when": ["2025-01-02"]})  # fmt: skip
    typed = type_rows(table, TIMED, sha256="a" * 64, received_at=datetime(2025, 1, 1, tzinfo=UTC))
    assert findings_of(typed, TIMED) == findings_of(typed, TIMED, repeats=repeats()) == []
    findings = findings_of(typed, TIMED, repeats=repeats(("b-0001", same)))
    assert [f.code for f in findings] == ["ids_known"]
    assert decide(findings) is status
