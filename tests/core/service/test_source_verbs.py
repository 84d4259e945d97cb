"""A source is set up, listed, run, changed and removed by typing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pipeline_core.__main__ import main
from pipeline_core.service import host
from tests.core.service.conftest import Files


def test_the_life_of_a_source(
    trained_home: Path, files: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home, drop = tmp_path / "home", tmp_path / "drop"
    shutil.copytree(trained_home, home)
    drop.mkdir()
    shutil.copyfile(files.later, drop / "later.csv")
    host.stop()

    def typed(*words: str) -> tuple[int, str]:
        code = main(["--home", str(home), *words])
        return code, capsys.readouterr().out

    settings = ("--set", f"root={drop}", "--set", "settle_s=0", "--set", "glob=*.csv")
    code, said = typed("source", "add", "loans", "--name", "drop", "--kind", "folder", *settings, "--every", "60")
    assert (code, said) == (0, "Source drop (folder) for model loans: every 60 s while the app runs\n")
    code, said = typed("source", "run", "drop")
    assert (code, said.splitlines()[0]) == (
        0,
        "Source drop: 300 rows in 1 batches, 0 quarantined, 0 known already; caught up",
    )
    shutil.copyfile(files.broken, drop / "broken.csv")
    code, said = typed("source", "run", "drop", "--json")
    assert (code, json.loads(said)["quarantined"]) == (1, 1)
    code, said = typed("source", "list", "--json")
    (status,) = json.loads(said)["sources"]
    assert (status["feed"]["settings"]["glob"], status["state"]["rows"]) == ("*.csv", 600)
    assert typed("source", "change", "drop", "--pause")[1] == "Source drop (folder) for model loans: paused\n"
    assert typed("source", "change", "drop")[0] == 2
    assert typed("source", "remove", "drop")[0] == 0
    assert typed("source", "run", "drop")[0] == 2
    assert typed("source", "list")[1].startswith("No sources yet.")


def test_a_pair_holds_anything_and_needs_an_equals_sign(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--home", str(tmp_path), "source", "add", "m", "--name", "db", "--kind", "database"]
    assert main([*words, "--set", "query"]) == 2
    assert "is not like KEY=VALUE" in capsys.readouterr().err
