"""Answers as text for a terminal and as files for a spreadsheet."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline_core.errors import InvalidDefinition
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
    assert lines.lines("status", {"home": "/x", "models": []})[0].startswith("No models in /x yet.")


def test_control_characters_of_a_name_stay_out_of_the_terminal() -> None:
    finding = {"severity": "error", "code": "column_missing", "message": "no \x1b[31mincome"}
    content = {"batch_id": "b-1", "status": "quarantined", "rows": 1000, "findings": [finding]}
    assert lines.lines("receive", content) == [
        "Batch b-1: quarantined, 1,000 rows",
        "  error    column_missing: no \N{REPLACEMENT CHARACTER}[31mincome",
    ]


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("=1+1", "'=1+1"),
        ("@x", "'@x"),
        ("-cmd", "'-cmd"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("\0x", "'\0x"),
        (" =x", "' =x"),
        ("-inf", "'-inf"),
        ("-12", "-12"),
        ("-1.5e-05", "-1.5e-05"),
        ("a=1", "a=1"),
        (None, None),
    ],
)
def test_formulas_are_disarmed_and_numbers_stay(text: str | None, safe: str | None) -> None:
    assert lines.harmless(text) == safe


@pytest.fixture
def predictions() -> pa.Table:
    return pa.table({"row_id": ["=A1", "b"], "prediction": ["yes", "no"], "score": [0.75, 0.25]})


def test_predictions_as_csv_parquet_and_json_lines(predictions: pa.Table, tmp_path: Path) -> None:
    for ending in ("csv", "parquet", "jsonl"):
        lines.write(predictions, tmp_path / f"p.{ending}")
    assert (tmp_path / "p.csv").read_text().splitlines()[1] == '"\'=A1","yes",0.75'
    assert pq.read_table(tmp_path / "p.parquet").equals(predictions)
    first = json.loads((tmp_path / "p.jsonl").read_text().splitlines()[0])
    assert first == {"row_id": "=A1", "prediction": "yes", "score": 0.75}


def test_a_file_that_cannot_be_written_says_why(predictions: pa.Table, tmp_path: Path) -> None:
    with pytest.raises(InvalidDefinition, match="no ending"):
        lines.write(predictions, tmp_path / "p.xlsx")
    with pytest.raises(InvalidDefinition, match="cannot be written"):
        lines.write(predictions, tmp_path / "none" / "p.csv")
