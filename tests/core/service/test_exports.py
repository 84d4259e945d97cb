"""Predictions as files for a spreadsheet."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline_core.errors import InvalidDefinition
from pipeline_core.service import exports


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
    assert exports.harmless(text) == safe


@pytest.fixture
def predictions() -> pa.Table:
    return pa.table({"row_id": ["=A1", "b"], "prediction": ["yes", "no"], "score": [0.75, 0.25]})


def test_predictions_as_csv_parquet_and_json_lines(predictions: pa.Table, tmp_path: Path) -> None:
    for ending in ("csv", "parquet", "jsonl"):
        exports.write(predictions, tmp_path / f"p.{ending}")
    assert (tmp_path / "p.csv").read_text().splitlines()[1] == '"\'=A1","yes",0.75'
    assert pq.read_table(tmp_path / "p.parquet").equals(predictions)
    first = json.loads((tmp_path / "p.jsonl").read_text().splitlines()[0])
    assert first == {"row_id": "=A1", "prediction": "yes", "score": 0.75}


def test_a_file_that_cannot_be_written_says_why(predictions: pa.Table, tmp_path: Path) -> None:
    with pytest.raises(InvalidDefinition, match="no ending"):
        exports.write(predictions, tmp_path / "p.xlsx")
    with pytest.raises(InvalidDefinition, match="cannot be written"):
        exports.write(predictions, tmp_path / "none" / "p.csv")
