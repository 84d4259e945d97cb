"""How values get into SQL text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_core.errors import InvalidDefinition
from pipeline_core.sql import identifier, moment, text

hostile = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=30)


@given(value=hostile)
def test_a_text_comes_back_as_it_went_in(value: str) -> None:
    assert duckdb.execute(f"SELECT {text(value)}").fetchall() == [(value,)]


@given(name=hostile)
def test_a_name_is_only_a_name(name: str) -> None:
    result = duckdb.execute(f"SELECT 1 AS {identifier(name)}")
    assert [d[0] for d in result.description] == [name]
    result.fetchall()


@pytest.mark.parametrize("name", ["", "a\0b"])
def test_a_name_that_no_column_can_have_is_refused(name: str) -> None:
    with pytest.raises(InvalidDefinition, match="cannot name a column"):
        identifier(name)


def test_a_text_with_nul_is_refused() -> None:
    with pytest.raises(InvalidDefinition, match="NUL"):
        text("a\0b")


def test_a_moment_is_written_in_utc() -> None:
    here = datetime(2025, 3, 1, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    assert moment(here) == "TIMESTAMP '2025-02-28 23:30:00.000000'"
    assert moment(datetime(2025, 1, 6, tzinfo=UTC)) == "TIMESTAMP '2025-01-06 00:00:00.000000'"
