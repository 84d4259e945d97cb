"""Two passes over the same cells, whatever gives them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline_core.policy import Policy
from pipeline_core.records import Reading
from pipeline_core.sources import cells
from pipeline_core.sources.cells import Body
from pipeline_core.sources.opened import Asked, Ledger

ASKED = Asked(path=Path("t"), label="t", reading=Reading(), remembered=Reading(), policy=Policy(), work=Path("w"))


def judged(values: Sequence[str | None], cut: int) -> Body:
    parts = [values[:cut], values[cut:]]

    def source(_kinds: Sequence[pa.DataType]) -> Iterator[pa.RecordBatch]:
        for part in parts:
            yield pa.RecordBatch.from_arrays([pa.array(part, pa.string())], names=["0"])

    return cells.judge(source, ["v"], ASKED, delimiter=";", nameless=[False])


CELLS = st.sampled_from([
    None,
    "1",
    "-7",
    "2.5",
    "1,5",
    "1.234",
    "1,234",
    "inf",
    ".5",
    "1.234,5",
    "007",
    "true",
    "x",
    " 3 ",
    "NA",
    "13/02/2024",
    "01/02/2024",
    "1e3",
    "1.234e3",
    "12345678901234567",
])


@given(st.lists(CELLS, min_size=1, max_size=8), st.integers(0, 8))
@example(["1.234", "1,5"], 1)
@example([None, "1.234", "1e3", "1,5"], 3)
@example(["1.234e3", "1,5"], 1)
def test_where_a_block_ends_changes_nothing(values: list[str | None], cut: int) -> None:
    whole, parts = judged(values, len(values)), judged(values, cut)
    assert (whole.schema, whole.rows, whole.doubts) == (parts.schema, parts.rows, parts.doubts)
    ledgers = Ledger(), Ledger()
    tables = [
        pa.concat_tables([b.schema.empty_table(), *b.tables(ledger)])
        for b, ledger in zip((whole, parts), ledgers, strict=True)
    ]
    assert tables[0].equals(tables[1])
    assert ledgers[0].changes("v") == ledgers[1].changes("v")


@given(st.lists(CELLS, min_size=1, max_size=8))
def test_text_is_what_arrived_and_nothing_is_lost(values: list[str | None]) -> None:
    body = judged(values, len(values))
    told = [cell for table in body.tables(Ledger()) for cell in table["v"].to_pylist()]
    given_ = [None if v in {None, "NA"} else v.strip() for v in values][: len(told)]
    assert [v is None for v in told] == [v is None for v in given_]
    assert all(v is None or v == "NA" for v in values[len(told) :])
    if pa.types.is_string(body.schema.field("v").type):
        assert told == given_


def test_told_nulls_in_columns_of_every_type() -> None:
    asked = Asked(
        path=Path("t"),
        label="t",
        reading=Reading(nulls=("-", "9")),
        remembered=Reading(nulls=("x",)),
        policy=Policy(),
        work=Path("w"),
    )
    table = pa.table({"i": [9, 1], "f": [9.0, 1.0], "s": [" x ", "-"], "b": [True, False]})
    ledger = Ledger()
    told = cells.without_told_nulls(table, asked, ledger, 100)
    assert told.to_pylist() == [{"i": None, "f": None, "s": None, "b": True}, {"i": 1, "f": 1.0, "s": None, "b": False}]
    assert [(e.row_number, e.arrived) for e in ledger.changes("s")[0].examples] == [(100, " x "), (101, "-")]
    assert cells.null_words(asked) == ("-", "9", "x")
    assert cells.without_told_nulls(table, ASKED, ledger, 0) is table


def test_a_source_that_changes_between_the_passes_is_said() -> None:
    turns = iter([["1"], ["x"]])

    def source(_kinds: Sequence[pa.DataType]) -> Iterator[pa.RecordBatch]:
        yield pa.RecordBatch.from_arrays([pa.array(next(turns))], names=["0"])

    body = cells.judge(source, ["v"], ASKED, delimiter=";", nameless=[False])
    with pytest.raises(pa.ArrowInvalid, match="changed while it was read"):
        list(body.tables(Ledger()))
