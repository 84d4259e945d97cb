"""Names of columns: what is taken, and what is refused with its place."""

from __future__ import annotations

import pytest

from pipeline_core.errors import Unreadable
from pipeline_core.policy import Policy
from pipeline_core.sources import naming


def test_names_are_composed_and_trimmed() -> None:
    assert naming.checked([" cafe\u0301 ", "b"], "t.csv", Policy()) == ["caf\u00e9", "b"]
    assert naming.checked(["x" * 128], "t.csv", Policy()) == ["x" * 128]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["a", " "], "column 2 has no name"),
        (["x" * 129], "a name of 129 characters"),
        (["a\u202eb"], r"holds the control or direction character U\+202E"),
        (["a\nb"], r"U\+000A"),
        (["Straße", "STRASSE"], "differ in nothing but case"),
        (["a"] * 3, "--header no"),
    ],
)
def test_what_is_no_name(names: list[str], said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        naming.checked(names, "t.csv", Policy())


def test_a_table_that_is_too_wide() -> None:
    naming.check_width(2_000, "t.csv", Policy())
    with pytest.raises(Unreadable, match="has 2,001 columns; policy allows 2,000"):
        naming.check_width(2_001, "t.csv", Policy())
