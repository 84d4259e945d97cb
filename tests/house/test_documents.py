"""What a person can set, say or meet is listed in a document, and the other way round."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pipeline_core
from pipeline_core.policy import Policy
from pipeline_core.service.verbs import VERBS
from pipeline_core.stages.validation import CODES

ROOT = Path(__file__).resolve().parents[2]


def first_cells(document: str) -> list[str]:
    text = (ROOT / "docs" / document).read_text(encoding="utf-8")
    return re.findall(r"^\| `([^`]+)` \|", text, flags=re.MULTILINE)


def test_every_policy_knob_is_documented_with_its_default() -> None:
    assert first_cells("policy.md") == [f.name for f in fields(Policy)]
    text = (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")
    for knob in fields(Policy):
        shown = re.search(rf"^\| `{knob.name}` \| ([^|]+) \|", text, flags=re.MULTILINE)
        assert shown is not None
        default = "none" if knob.name in {"severities", "estimators"} else str(knob.default)
        assert shown[1].replace(",", "").strip() == default


def test_alpha_is_documented_as_the_level_of_the_calibrated_rule_too() -> None:
    text = (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")
    (told,) = re.findall(r"^\| `alpha` \| [^|]+ \| ([^|]+) \|", text, flags=re.MULTILINE)
    assert "Benjamini-Hochberg" in told
    assert "of the calibrated rule (maxT:" in told
    needed = [Policy(alpha=alpha).healthy_windows_needed for alpha in (0.05, 0.01)]
    assert told.endswith(f"1 / alpha - 1, so {needed[0]} at 0.05 and {needed[1]} at 0.01")


def test_every_finding_code_is_documented() -> None:
    assert sorted(first_cells("findings.md")) == sorted(str(code) for code in CODES)


def test_every_verb_is_documented() -> None:
    assert sorted(first_cells("commands.md")) == sorted(VERBS)


def test_the_front_door_lists_what_it_shows() -> None:
    for name in pipeline_core.__all__:
        assert hasattr(pipeline_core, name)
    assert sorted(first_cells("api.md")) == sorted(pipeline_core.__all__)


def test_the_readme_is_short_and_its_links_lead_somewhere() -> None:
    for document in [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").glob("*.md"))]:
        text = document.read_text(encoding="utf-8")
        for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
            assert (document.parent / link).exists(), f"{document.name} links to {link}"
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 120
    assert len((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").splitlines()) < 80
