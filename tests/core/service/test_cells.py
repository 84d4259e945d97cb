"""Values and tables in a terminal."""

from __future__ import annotations

from pipeline_core.service import cells


def test_numbers_stand_to_the_right_and_nothing_steers_the_terminal() -> None:
    assert cells.table(("name", "rows"), [("a\x1b", 5), ("long name", None)]) == [
        "name       rows",
        "a\N{REPLACEMENT CHARACTER}            5",
        "long name     -",
    ]
    assert cells.cell(0.123456) == "0.1235"
    assert cells.figure({"reason": "one class only"}) == "not measured: one class only"
