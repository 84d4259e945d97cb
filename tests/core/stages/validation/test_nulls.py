"""Null shares and columns that are null together."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from tests.core.stages.validation.drawn import drawn, numbers, said, with_numbers


def without(columns: dict[str, pa.Array], names: tuple[str, ...], rows: np.ndarray) -> dict[str, pa.Array]:
    for name in names:
        values = numbers(columns, name)
        values[rows] = np.nan
        columns = with_numbers(columns, name, values)
    return columns


@pytest.mark.parametrize("share", [0.06, 0.2])
def test_columns_of_a_join_that_found_nothing(share: float) -> None:
    random = np.random.default_rng(3)
    rows = np.flatnonzero(random.random(4_000) < share)
    found = said(without(drawn(11, 4_000, day=1), ("normal", "lognormal", "big"), rows))
    finding = found["null_pattern", "normal"]
    assert "3 columns are null together" in finding.message
    assert "'normal', 'lognormal', 'big'" in finding.message
    assert finding.value == pytest.approx(share, rel=0.5)


def test_nulls_that_fall_together_by_chance_are_no_pattern() -> None:
    random = np.random.default_rng(3)
    columns = drawn(11, 4_000, day=1)
    for name in ("normal", "big"):
        columns = without(columns, (name,), np.flatnonzero(random.random(4_000) < 0.4))
    found = said(columns)
    assert [key for key in found if key[0] == "null_pattern"] == []
    assert ("null_share_up", "big") in found


def test_a_column_without_any_value_is_told_alone() -> None:
    found = said(without(drawn(11, 2_000, day=1), ("big",), np.arange(2_000)))
    assert set(found) == {("all_null", "big")}
