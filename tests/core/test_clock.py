"""What counts as a time."""

from __future__ import annotations

import re

import pytest

from pipeline_core.clock import ISO_8601, epoch_micros


@pytest.mark.parametrize(
    ("size", "micros"),
    [
        (41_187, None),
        (99_999_999, None),
        (1e8, 1e6),
        (1_357_000_200, 1e6),
        (1_357_000_200_000, 1e3),
        (1.357e15, 1.0),
        (1.357e18, 1e-3),
        (1e20, None),
    ],
)
def test_the_size_of_a_number_says_its_unit(size: float, micros: float | None) -> None:
    assert epoch_micros(size) == micros


@pytest.mark.parametrize(
    ("text", "is_time"),
    [
        ("2024-05-01", True),
        ("2024-05-01 12:30", True),
        ("2024-05-01T12:30:59.123456789+02:00", True),
        ("2024-05-01T12:30:59Z", True),
        ("2024", False),
        ("20240501", False),
        ("2024-05", False),
        ("01/05/2024", False),
        ("12:30", False),
    ],
)
def test_only_iso_8601_is_a_time(text: str, is_time: bool) -> None:
    assert (re.fullmatch(ISO_8601, text) is not None) is is_time
