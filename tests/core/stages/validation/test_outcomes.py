"""What checks are given: significance, history, examples."""

from __future__ import annotations

import pytest

from pipeline_core.policy import Policy
from pipeline_core.records import Change, ColumnArrival, Example
from pipeline_core.stages.validation import Context
from pipeline_core.stages.validation.outcomes import MEASURES, Case, examples_of, significant
from tests.core.stages.validation.drawn import drawn, schema, typed
from tests.core.stages.validation.made import NOW, batch_of


@pytest.mark.parametrize(
    ("counts", "expected"),
    [((0, 1_000, 5, 1_000), False), ((0, 1_000, 30, 1_000), True), ((0, 0, 1, 5), True), ((1, 5, 0, 0), True)],
)
def test_a_share_changes_beyond_chance(counts: tuple[int, int, int, int], expected: bool) -> None:
    assert significant(*counts) is expected


def test_examples_come_from_the_ledger() -> None:
    one, two = Example(row_number=1, arrived=" a"), Example(row_number=2, arrived="NA")
    arrival = ColumnArrival(
        column="x",
        arrived="text",
        stored="category",
        null_share=0.0,
        changes=(Change(kind="trimmed", rows=1, examples=(one,)), Change(kind="null_word", rows=1, examples=(two,))),
    )
    assert examples_of(arrival, "null_word") == (two,)
    assert examples_of(arrival) == (one,)
    assert examples_of(arrival, "case") == examples_of(None) == ()


def test_a_case_knows_its_columns_and_its_past() -> None:
    columns = drawn(15, 300)
    del columns["big"]
    of = schema()
    past = {("imputed", of.by_name("gauss").column_id): (0.0, 0.1), ("row_count", None): (0.5,)}
    case = Case(
        batch=batch_of(typed(columns), of),
        schema=of,
        policy=Policy(),
        context=Context(received_at=NOW),
        past_measures=past,
    )
    assert (case.rows, case.has(of.by_name("gauss")), case.has(of.by_name("big")), case.has(None)) == (
        300,
        True,
        False,
        False,
    )
    assert case.history("imputed", of.by_name("gauss")) == (0.0, 0.1)
    assert case.history("row_count") == (0.5,)
    assert case.history("imputed") == ()


def test_without_a_past_there_are_no_measures() -> None:
    context = Context(received_at=NOW)
    assert context.measures.schema == MEASURES
    assert (context.measures.num_rows, context.past, context.repeats) == (0, (), None)
