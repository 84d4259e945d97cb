"""The ledger of a reader, and how a stranger's text is shown."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from pipeline_core.policy import Policy
from pipeline_core.records import Reading
from pipeline_core.sources import opened
from pipeline_core.sources.opened import Asked, Ledger


def test_the_ledger_counts_all_and_keeps_the_first_of_each_kind() -> None:
    ledger = Ledger()
    arrived, stored = pa.array([f" {i}" for i in range(15)]), pa.array([str(i) for i in range(15)])
    for first_row in (0, 15):
        changed = pa.array([None, False, *[True] * 13])
        ledger.add("a", "trimmed", changed=changed, arrived=arrived, stored=stored, first_row=first_row)
    ledger.add("a", "null_word", changed=pa.array([True]), arrived=pa.array(["?"]), stored=None, first_row=7)
    ledger.add("b", "trimmed", changed=pa.array([False]), arrived=pa.array(["?"]), stored=None, first_row=0)
    words, trimmed = ledger.changes("a")
    assert (trimmed.kind, trimmed.rows, len(trimmed.examples)) == ("trimmed", 26, 20)
    assert (trimmed.examples[0].row_number, trimmed.examples[13].row_number) == (2, 17)
    assert (trimmed.examples[13].arrived, trimmed.examples[13].stored) == (" 2", "2")
    assert [(e.row_number, e.arrived, e.stored) for e in words.examples] == [(7, "?", None)]
    assert ledger.changes("b") == ()


def test_examples_are_not_endless() -> None:
    ledger = Ledger()
    ledger.add("a", "x", changed=pa.array([True]), arrived=pa.array(["y" * 1_000]), stored=None, first_row=0)
    assert len(ledger.changes("a")[0].examples[0].arrived) == opened.EXAMPLE_CHARACTERS


def test_columns_are_described() -> None:
    schema = pa.schema([
        ("n", pa.int8()),
        ("t", pa.timestamp("us")),
        ("s", pa.string()),
        ("z", pa.null()),
        ("b", pa.bool_()),
    ])
    words = [column.arrived for column in opened.arrived_columns(schema, Ledger())]
    assert words == ["integer", "timestamp", "text", "empty", "true/false"]
    assert opened.word(pa.time32("s")) == "time32[s]"


def test_what_is_shown_is_visible_and_short() -> None:
    assert opened.printable("a\u202eb") == "a�b"
    assert opened.printable("x" * 50) == "x" * 40 + "…"
    assert opened.listed(["a", "b"]) == "'a', 'b'"
    assert opened.listed(list("abcdef")) == "'a', 'b', 'c', 'd', 'e' …"


def test_an_order_comes_before_a_memory() -> None:
    asked = Asked(
        path=Path("t"),
        label="t",
        reading=Reading(decimal=","),
        remembered=Reading(decimal=".", date_order="dmy"),
        policy=Policy(upload_bytes_max=10),
        work=Path("w"),
    )
    assert (asked.settled("decimal"), asked.settled("date_order"), asked.settled("sheet")) == (",", "dmy", None)
    assert (asked.limit, asked.at(Path("u")).path) == (40, Path("u"))
