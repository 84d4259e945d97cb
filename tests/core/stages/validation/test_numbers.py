"""Ranges with what chance leaves, shifts beyond it, and columns that stand still."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import ks_2samp

from tests.core.stages.validation.drawn import drawn, numbers, said, with_numbers


def test_a_row_or_two_beyond_the_range_are_chance_and_far_ones_are_not() -> None:
    columns = drawn(10, 1_000, day=1)
    values = numbers(columns, "normal")
    top = float(np.nanmax(numbers(drawn(0), "normal")))
    values[:3] = top + 1
    assert ("out_of_range", "normal") not in said(with_numbers(columns, "normal", values))
    values[:3] = top + 200
    finding = said(with_numbers(columns, "normal", values))["out_of_range", "normal"]
    assert finding.value == pytest.approx(0.003)
    assert "out_of_range_share_min" in finding.rule
    values[:20] = top + 1
    assert said(with_numbers(columns, "normal", values))["out_of_range", "normal"].value == pytest.approx(0.02)


def test_a_shift_is_measured_on_the_bins() -> None:
    columns = drawn(10, 2_000, day=1)
    values = numbers(columns, "normal") + 6
    finding = said(with_numbers(columns, "normal", values))["distribution_shift", "normal"]
    assert finding.value == pytest.approx(ks_2samp(numbers(drawn(0), "normal"), values).statistic, abs=0.003)


def test_a_column_that_stands_still() -> None:
    columns = drawn(10, 1_000, day=1)
    columns |= {"gauss": pa.array([5.0] * 1_000), "city": pa.array(["Rome"] * 1_000), "flag": pa.array([0.0] * 1_000)}
    found = said(columns)
    assert "holds 5 in all 1,000 rows" in found["constant", "gauss"].message
    assert "holds 'Rome' in all" in found["constant", "city"].message
    assert ("constant", "flag") in found


def test_a_rare_level_alone_is_chance_in_few_rows() -> None:
    columns = {name: values[:20] for name, values in drawn(10, 1_000, day=1).items()}
    columns |= {"flag": pa.array([0.0] * 20), "rare": pa.array(["x"] * 20)}
    assert [key for key in said(columns) if key[0] == "constant"] == []
