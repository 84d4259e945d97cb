"""Answers as text for a terminal."""

from __future__ import annotations

from pipeline_core.service import lines
from pipeline_core.service.verbs import VERBS


def test_every_verb_has_its_lines() -> None:
    assert set(lines.WRITERS) == set(VERBS)


def test_a_table_sets_numbers_to_the_right() -> None:
    assert lines.table(("name", "rows"), [("a", 5), ("long name", 1234)]) == [
        "name       rows",
        "a             5",
        "long name  1234",
    ]


def test_a_figure_tells_its_interval_or_why_it_is_missing() -> None:
    assert lines.figure({"value": 0.81234, "low": 0.8, "high": 0.83, "rows": 100}) == "0.8123 (0.8 to 0.83)"
    assert lines.figure({"value": 2.0, "low": None, "high": None, "rows": None}) == "2"
    assert lines.figure({"reason": "one class only"}) == "not measured: one class only"
    assert lines.figure(None) == "-"


def test_the_demo_and_an_empty_home() -> None:
    assert lines.lines("demo", {"model": "lending", "removed": True}) == ["The demo model lending is removed."]
    built = {"model": "lending", "champion": 1, "batches": 53}
    assert lines.lines("demo", built) == ["The demo model lending is ready: champion 1, 53 batches."]
    assert lines.lines("status", {"home": "/x", "models": [], "losses": [], "notices": []})[0].startswith(
        "No models in /x yet."
    )


def test_control_characters_of_a_name_stay_out_of_the_terminal() -> None:
    finding = {"severity": "error", "code": "column_missing", "message": "no \x1b[31mincome"}
    content = {"batch_id": "b-1", "status": "quarantined", "rows": 1000, "findings": [finding]}
    assert lines.lines("receive", content) == [
        "Batch b-1: quarantined, 1,000 rows",
        "  error    column_missing: no \N{REPLACEMENT CHARACTER}[31mincome",
    ]


def test_what_was_lost_is_said_first() -> None:
    loss = {"batch_id": "b-0007", "model": "m", "source": "a.csv", "missing": "rows"}
    said = lines.lines("status", {"home": "/x", "models": [], "losses": [loss], "notices": ["The log was mended."]})
    assert said[:3] == ["Lost: batch b-0007 of m (a.csv, rows)", "Bring them back with: restore", "The log was mended."]


def test_a_challenge_tells_the_worst_parts_and_what_each_side_costs_to_run() -> None:
    difference = {"value": -0.09, "low": -0.12, "high": -0.06, "rows": 412}
    part = {"columns": ["city", "gender"], "levels": ["Os\x1blo", "f"], "difference": difference, "blocks": True}
    content = {
        "version": 2, "champion": 1, "verdict": "keep", "rows": 4000, "reasons": ["It is better."], "metrics": {},
        "slices_judged": 31, "slices": [part, *[part | {"blocks": False}] * 5],
        "champion_footprint": None,
        "challenger_footprint": {"p50_ms": 4.11, "p99_ms": 9.0, "calls": 100, "artifact_bytes": 250_000},
    }  # fmt: skip
    said = lines.lines("challenge", content)
    assert said[:4] == [
        "Verdict on version 2 against champion 1: keep (4,000 rows)",
        "  It is better.",
        "  31 parts of the rows were judged; the worst:",
        "    city Os\N{REPLACEMENT CHARACTER}lo and gender f: -0.09 (-0.12 to -0.06), blocks",
    ]
    assert said[5] == "    city Os\N{REPLACEMENT CHARACTER}lo and gender f: -0.09 (-0.12 to -0.06)"
    assert said[6] == "  challenger: a row in 4.1 ms (99 % in 9.0 ms), a file of 250,000 bytes"
