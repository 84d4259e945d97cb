"""How a file was read, in words, and what is asked where its content leaves that open."""

from __future__ import annotations

from dataclasses import replace

from pages.intake import findings, ledger, readings
from pipeline_core.records import (
    BatchReport,
    Change,
    ColumnArrival,
    Doubt,
    Example,
    Finding,
    Reading,
    Severity,
)
from tests.pages.conftest import batch

DECIMAL = Doubt(
    topic="decimal", chosen=",", options=(",", "."), column="a", message="It may be either: say --decimal , or --decimal ."
)  # fmt: skip


def test_a_reading_is_one_line() -> None:
    used = Reading(
        format="csv",
        encoding="cp949",
        delimiter=";",
        decimal=",",
        date_order="dmy",
        header=False,
        nulls=("-200", "<b>"),
    )
    assert readings.described(used) == (
        "Read as **CSV**, cp949 (Korean), semicolons between the fields, decimal comma, dates day first, no header,"
        " \\-200 and \\<b\\> as missing."
    )
    assert readings.described(Reading(format="excel", sheet="[Q1](x)")) == "Read as **Excel**, sheet \\[Q1\\]\\(x\\)."
    assert readings.described(Reading(format="csv", encoding="utf_8_sig", delimiter="\t")) == (
        "Read as **CSV**, UTF-8, tabs between the fields."
    )
    assert readings.described(Reading()) == "Read as **a table**."


def test_a_question_is_asked_without_the_flags_of_the_command_line() -> None:
    assert readings.question(DECIMAL) == "It may be either\\."
    hint = replace(DECIMAL, message="-200 is far out in 'a'. If it means \"no value\", say --null -200.")
    assert readings.question(hint) == "\\-200 is far out in \\'a\\'\\."
    plain = replace(DECIMAL, message="More than one sheet has rows.")
    assert readings.question(plain) == "More than one sheet has rows\\."


def test_an_answer_settles_its_topic_and_nothing_else() -> None:
    said = readings.answered(Reading(encoding="cp949"), "header", "no")
    assert said == Reading(encoding="cp949", header=False)
    assert readings.answered(said, "names", "a\n\n b \n").names == ("a", "b")
    twice = readings.answered(readings.answered(said, "nulls", "-200"), "nulls", "-200")
    assert twice.nulls == ("-200",)
    assert readings.unsaid(twice, "nulls") == said


def test_each_topic_is_asked_once_and_only_while_it_is_open() -> None:
    twin, hint = (
        replace(DECIMAL, column="b"),
        replace(DECIMAL, topic="nulls", chosen="", options=("-200",), blocking=False),
    )
    assert readings.open_questions((DECIMAL, twin, hint), Reading()) == (DECIMAL,)
    assert readings.open_questions((DECIMAL, twin, hint), Reading(decimal=",")) == ()
    assert readings.answers(DECIMAL) == (",", ".")
    assert readings.answers(hint) == ("-200",)
    assert readings.hints((DECIMAL, hint), Reading()) == (hint,)
    assert readings.hints((hint,), Reading(nulls=("-200",))) == ()


def test_the_ledger_names_what_failed_first_and_counts_cells() -> None:
    trimmed = Change(kind="trimmed", rows=40, examples=(Example(row_number=3, arrived=" x", stored="x"),))
    failed = Change(kind="failed", rows=2, examples=(Example(row_number=1, arrived="=1+1"),))
    column = ColumnArrival(column="a", arrived="text", stored="number", null_share=0.0, changes=(trimmed, failed))
    report: BatchReport = replace(batch(0, rows=200), columns=(column,))
    rows = ledger.rows(report)
    assert [(row["Cells"], row["Share"], row["For example"]) for row in rows] == [
        (2, "1.0 %", "'=1+1' → null"),
        (40, "20.0 %", "' x' → 'x'"),
    ]
    assert ledger.examples(("a", failed)) == [{"Row": 1, "Column": "a", "Arrived": "=1+1", "Stored": "null"}]


def test_how_often_a_rule_would_have_fired_is_a_sentence() -> None:
    found = Finding(code="imputed", column="a", severity=Severity.WARNING, message="x")
    assert findings.history(found) == "No accepted batch before this one was measured by this rule yet."
    never = replace(found, fired_batches=0, past_batches=1)
    assert findings.history(never) == "On the 1 accepted batch before, today's limit would never have fired."
    often = replace(found, fired_batches=3, past_batches=40)
    assert findings.history(often) == "On the 40 accepted batches before, today's limit would have fired 3 times (8 %)."
