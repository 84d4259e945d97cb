"""A file that is understood: slices of one schema, errors in one sentence, everything closed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline_core.errors import Unreadable
from pipeline_core.policy import Policy
from pipeline_core.records import Reading
from pipeline_core.sources.incoming import Incoming
from pipeline_core.sources.opened import Asked, Ledger, Opened

SCHEMA = pa.schema([("a", pa.string())])
ASKED = Asked(path=Path("t"), label="t.csv", reading=Reading(), remembered=Reading(), policy=Policy(), work=Path("w"))


def incoming(*tables: pa.Table, error: Exception | None = None, closed: list[bool] | None = None) -> Incoming:
    def parts(_ledger: Ledger) -> Iterator[pa.Table]:
        yield from tables
        if error is not None:
            raise error

    opened = Opened(
        schema=SCHEMA,
        parts=parts,
        reading=Reading(format="csv"),
        notes=("n",),
        close=lambda: (closed or []).append(True),
    )
    return Incoming(ASKED, opened)


def table(*cells: str) -> pa.Table:
    return pa.table({"a": pa.array(cells, pa.string())})


def test_slices_and_what_is_told_of_them() -> None:
    told = incoming(table(*["x"] * 70_000), table("y"))
    assert [piece.num_rows for piece in told.slices()] == [65_536, 4_464, 1]
    assert (told.names, told.schema, told.notes, told.unpacked().rows) == (["a"], SCHEMA, ("n",), 70_001)


def test_foreign_errors_become_one_sentence() -> None:
    with pytest.raises(Unreadable, match=r"File 't\.csv' cannot be read: broken here\. Allowed are"):
        list(incoming(table("x"), error=pa.ArrowInvalid("broken here\nand more")).slices())
    with pytest.raises(ZeroDivisionError):
        list(incoming(error=ZeroDivisionError()).slices())


def test_no_rows_and_cells_that_are_documents() -> None:
    with pytest.raises(Unreadable, match="has columns but no rows"):
        list(incoming().slices())
    with pytest.raises(Unreadable, match="row 2 of column 'a' is a text of 1,000,001 bytes"):
        list(incoming(table("x", "y"), table("z" * 1_000_001)).slices())


def test_it_is_closed() -> None:
    closed = [False]
    with incoming(closed=closed):
        pass
    assert closed == [False, True]
