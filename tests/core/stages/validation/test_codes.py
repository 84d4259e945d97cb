"""Stable names and how shares are written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline_core.stages.validation.codes import CODES, percent


def test_every_code_has_its_line_in_the_document() -> None:
    text = (Path(__file__).resolve().parents[4] / "docs" / "findings.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `([^`]+)` \|", text, flags=re.MULTILINE) == [str(c) for c in CODES]


@pytest.mark.parametrize(
    ("share", "text"), [(0, "0.0 %"), (0.124, "12.4 %"), (1, "100.0 %"), (0.001, "0.1 %"), (0.00012, "0.012 %")]
)
def test_percent(share: float, text: str) -> None:
    assert percent(share) == text
