"""Each import contract is broken on purpose once, in a copy, to see that it fails."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

BREACHES = {
    "The house has one direction": ("pipeline_core/stats/multiplicity.py", "import pipeline_core.flows.watch"),
    "Stages never import each other: only flows join them": (
        "pipeline_core/stages/alerts/raising.py",
        "import pipeline_core.stages.gate",
    ),
    "Nothing inside imports the front door": ("pipeline_core/service/verbs.py", "from pipeline_core import Store"),
    "DuckDB is spoken in the store and the engines only": ("pipeline_core/flows/watch.py", "import duckdb"),
    "SHAP is spoken in attribution only": ("pipeline_core/flows/release.py", "import shap"),
    "The core knows no screen": ("pipeline_core/flows/watch.py", "import streamlit"),
    "No import ring": ("pipeline_core/records/words.py", "import pipeline_core.records.intake"),
}


def lint(folder: Path) -> str:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command; lint_imports_command()",
            "--no-cache",
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(folder), "COLUMNS": "300"},
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("name", sorted(BREACHES))
def test_a_contract_that_is_broken_fails(name: str, tmp_path: Path) -> None:
    for part in ("pipeline_core", "pages"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    path, line = BREACHES[name]
    broken = tmp_path / path
    broken.write_text(f"{broken.read_text(encoding='utf-8')}\n{line}\n", encoding="utf-8")
    assert f"{name} BROKEN" in lint(tmp_path)


def test_the_house_as_it_stands_keeps_them_all() -> None:
    said = lint(ROOT)
    assert "BROKEN" not in said
    assert f"{len(BREACHES)} kept, 0 broken" in said
