"""Measures and times of the batches before, and the severities that people set, with their history."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone
from pathlib import Path

import pytest

from pipeline_core.errors import InvalidDefinition, NotFound
from pipeline_core.records import BatchStatus, Measure
from pipeline_core.store import Store
from pipeline_core.store.history import PAST
from tests.core.store import made

NULLS = Measure(code="nulls", column_id="c001", value=0.25)
ROWS = Measure(code="row_count", column_id=None, value=1.5)


def test_measures_of_accepted_batches_come_back_oldest_first(store: Store) -> None:
    made.add_batch(store, ["a"], measures=[NULLS, ROWS])
    made.add_batch(store, ["b"], measures=[NULLS], status=BatchStatus.QUARANTINED)
    made.add_batch(store, ["c"])
    made.add_batch(store, ["d"], measures=[replace(NULLS, value=0.5)])
    expected = [
        {"batch_id": "b-0001", "code": "nulls", "column_id": "c001", "value": 0.25},
        {"batch_id": "b-0001", "code": "row_count", "column_id": None, "value": 1.5},
        {"batch_id": "b-0004", "code": "nulls", "column_id": "c001", "value": 0.5},
    ]
    assert store.batches.measures("bank").to_pylist() == expected
    assert store.batches.measures("bank", last=2).to_pylist() == expected[2:]  # of the last two batches, not figures
    assert store.batches.measures("other").num_rows == 0


def test_the_past_is_size_and_times_of_accepted_batches(store: Store, tmp_path: Path) -> None:
    assert store.batches.past("bank") == PAST.empty_table()
    made.add_batch(store, ["a", "b"])
    made.add_batch(store, ["c"], status=BatchStatus.QUARANTINED)
    tokyo = made.day(3).astimezone(timezone(timedelta(hours=9)))
    told = replace(
        made.report("b-0003", 1, b"x"), received_at=made.day(4), first_event_at=tokyo, last_event_at=made.day(3)
    )
    store.batches.add(told, rows=made.file(made.typed_rows(["d"]), tmp_path))
    assert store.batches.past("bank").schema == PAST
    first, last = store.batches.past("bank").to_pylist()
    assert first == {
        "batch_id": "b-0001", "rows": 2, "received_at": made.DAY, "first_event_at": None, "last_event_at": None,
        "rows_by_day": [("2025-01-06", 1), ("2025-01-07", 1)],
    }  # fmt: skip
    assert last == {
        "batch_id": "b-0003", "rows": 1, "received_at": made.day(4), "first_event_at": made.day(3),
        "last_event_at": made.day(3), "rows_by_day": [],
    }  # fmt: skip
    assert store.batches.past("bank", last=1).to_pylist() == [last]


def test_the_newest_severity_counts_and_the_others_are_kept(store: Store) -> None:
    assert store.models.severities("bank") == {}
    why = {"by": "Ada", "reason": "known upstream"}
    store.models.set_severity("bank", code="nulls", severity="warning", **why)
    store.models.set_severity("bank", code="nulls", column_id="c001", severity="off", **why)
    store.models.set_severity("bank", code="range", column_id="c001", severity="info", **why)
    assert store.models.severities("bank") == {
        ("nulls", None): "warning", ("nulls", "c001"): "off", ("range", "c001"): "info",
    }  # fmt: skip
    store.models.set_severity("bank", code="nulls", column_id="c001", severity=None, **why)
    store.models.set_severity("bank", code="range", column_id="c001", severity="error", **why)
    assert store.models.severities("bank") == {("nulls", None): "warning", ("range", "c001"): "error"}
    history = store._database.rows("SELECT severity, decided_by, reason FROM severities ORDER BY entry")
    assert history == [(word, "Ada", "known upstream") for word in ("warning", "off", "info", None, "error")]


def test_a_severity_needs_a_model_a_word_a_person_and_a_reason(store: Store) -> None:
    why = {"by": "Ada", "reason": "known upstream"}
    with pytest.raises(NotFound, match="'bank'"):
        store.models.set_severity("bamk", code="nulls", severity="off", **why)
    with pytest.raises(InvalidDefinition, match=r"'fatal' is no severity\. There are: error, warning, info, off"):
        store.models.set_severity("bank", code="nulls", severity="fatal", **why)
    for blank in ("by", "reason"):
        with pytest.raises(InvalidDefinition, match="by a person for a reason"):
            store.models.set_severity("bank", code="nulls", severity="off", **{**why, blank: " "})
    assert store.models.severities("bank") == {}
