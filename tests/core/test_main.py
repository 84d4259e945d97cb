"""The commands as typed: words in, exit code and one JSON object out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.csv
import pytest

from pipeline_core import __main__ as command_line
from pipeline_core.errors import InvalidDefinition, NotFound, PipelineError
from pipeline_core.service import verbs
from pipeline_core.store.home import Store
from tests.core.service.conftest import loans

DEFINE = ("--target", "late", "--positive", "yes", "--time", "day", "--id", "loan")


@pytest.fixture
def first(tmp_path: Path) -> str:
    path = tmp_path / "first.csv"
    pyarrow.csv.write_csv(loans(800, seed=1, start=1000), path)
    return str(path)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def say(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Any, str]:
    code = command_line.main(words)
    told = capsys.readouterr()
    lines = told.out.splitlines()
    assert len(lines) == 1
    return code, json.loads(lines[0]), told.err


def read(*words: str) -> command_line.Command:
    command = command_line.read(words)
    assert command is not None
    return command


# --- reading ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ("--home", "H", "--json", "status", "m"),
        ("status", "m", "--json", "--home", "H"),
        ("--json", "status", "--home=H", "m"),
    ],
)
def test_home_and_json_stand_before_or_behind_the_verb(words: Sequence[str]) -> None:
    command = read(*words)
    assert (command.home, command.as_json, command.verb, command.model) == (Path("H").resolve(), True, "status", "m")


def test_home_comes_from_the_environment_or_is_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIPELINE_HOME", raising=False)
    assert read("status").home == Path("data").resolve()
    monkeypatch.setenv("PIPELINE_HOME", "/somewhere")
    assert read("status").home == Path("/somewhere")
    assert read("status", "--home", "/else").home == Path("/else")


def test_arguments_of_define_are_read_as_lists_and_types(first: str) -> None:
    command = read(
        "define", "m", "--data", first, "--target", "late", "--exclude", "a, b,", "--types", "x=number,y=z=category"
    )
    assert command.arguments == {
        "target": "late",
        "exclude": ["a", "b"],
        "types": {"x": "number", "y=z": "category"},
    }
    assert command.file == Path(first)


def test_a_version_is_a_whole_number() -> None:
    assert read("promote", "m", "--version", "v2", "--by", "Ada", "--reason", "x").arguments["version"] == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("recieve", "m"), "Did you mean 'receive'"),
        (("train", "m", "--estimater", "x"), "Did you mean '--estimator'"),
        (("train", "m", "--est", "x"), "Did you mean '--estimator'"),
        (("train",), "none was named"),
        (("train", "m", "n"), "nrecognized arguments"),
        (("receive", "m"), "--data FILE"),
        (("receive", "m", "--data", "/no/where.csv"), "There is no file '/no/where.csv'"),
        (("promote", "m", "--version", "two", "--by", "A", "--reason", "x"), "no whole number"),
        (("promote", "m", "--version", "2", "--reason", "x"), "--by is missing"),
        (("train", "m", "--class-weight", "balancd"), "Did you mean 'balanced'"),
    ],
)
def test_a_command_that_does_not_fit_names_what_does(words: Sequence[str], said: str) -> None:
    with pytest.raises(PipelineError, match=said):
        command_line.read(words)


def test_where_to_write_is_checked_before_anything_is_done(first: str) -> None:
    with pytest.raises(InvalidDefinition, match="no ending"):
        command_line.read(("score", "m", "--data", first, "--out", "scores.xls"))


@pytest.mark.parametrize("words", [(), ("--help",), ("--json",), ("train", "--help")])
def test_help_is_no_error(words: Sequence[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(words) == 0
    assert "pipeline_core" in capsys.readouterr().out


# --- exit codes ---------------------------------------------------------------------------------


def test_yes_no_and_error(first: str, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, defined, aside = say(capsys, "--home", str(home), "define", "loans", "--data", first, *DEFINE, "--json")
    assert (code, defined["batch"]["status"]) == (0, "accepted")
    assert aside == "took the store's lock\n"

    broken = tmp_path / "broken.csv"
    pyarrow.csv.write_csv(loans(300, seed=2, start=2000).drop_columns(["income"]), broken)
    code, batch, _ = say(capsys, "--home", str(home), "receive", "loans", "--data", str(broken), "--json")
    assert (code, batch["status"]) == (1, "quarantined")
    code, refused, aside = say(capsys, "--home", str(home), "score", "loans", "--data", str(broken), "--json")
    assert code in {1, 2}
    assert set(refused) == {"error", "message"}
    code, error, aside = say(capsys, "--home", str(home), "train", "loanz", "--json")
    assert (code, error["error"]) == (2, "Not found")
    assert "Did you mean 'loans'" in error["message"]
    assert error["message"] in aside


def test_an_unknown_column_names_the_nearest(first: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, error, _ = say(capsys, "define", "loans", "--data", first, "--target", "lat", "--home", str(home), "--json")
    assert code == 2
    assert "Did you mean 'late'" in error["message"]


def test_for_people_there_are_lines_and_no_traceback(
    first: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command_line.main(("define", "loans", "--data", first, *DEFINE, "--home", str(home))) == 0
    told = capsys.readouterr().out
    assert told.startswith("Model loans: binary, target late, 2 features")
    assert command_line.main(("lineage", "loans", "--home", str(home))) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "Traceback" not in told.err


def test_a_bug_says_so_and_shows_its_traceback(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def bug(*_args: object) -> object:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr(verbs, "_status", bug)
    monkeypatch.setitem(
        verbs.VERBS,  # type: ignore[arg-type]
        "status",
        verbs.Verb(summary="", run=bug, model="optional"),
    )
    code, told, aside = say(capsys, "status", "--home", str(home), "--json")
    assert code == 2
    assert told == {"error": "A bug in the program", "message": "ZeroDivisionError: by nothing. Please report it."}
    assert "Traceback" in aside


def test_scores_go_to_a_file_or_into_the_json(
    first: str, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = ("--home", str(home), "--json")
    say(capsys, "define", "loans", "--data", first, *DEFINE, *at)
    code, version, _ = say(capsys, "train", "loans", "--estimator", "logistic_regression", *at)
    assert (code, version["version"]) == (0, 1)
    say(capsys, "promote", "loans", "--version", "1", "--by", "Ada", "--reason", "first", *at)
    code, scored, _ = say(capsys, "score", "loans", "--data", first, *at)
    assert (code, len(scored["predictions"])) == (0, 800)
    out = tmp_path / "scores.csv"
    code, scored, _ = say(capsys, "score", "loans", "--data", first, "--out", str(out), *at)
    assert (code, scored["out"], "predictions" in scored) == (0, str(out), False)
    assert len(out.read_text().splitlines()) == 801
    code, again, _ = say(capsys, "rollback", "loans", "--by", "Ada", "--reason", "x", *at)
    assert (code, again["error"]) == (1, "Refused")


def test_a_card_is_written_by_its_ending(
    first: str, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InvalidDefinition, match="no ending that says how to write a card"):
        command_line.read(("card", "m", "--out", "card.pdf"))
    at = ("--home", str(home))
    say(capsys, "define", "loans", "--data", first, *DEFINE, *at, "--json")
    say(capsys, "train", "loans", "--estimator", "logistic_regression", *at, "--json")
    out = tmp_path / "card.html"
    code, told, _ = say(capsys, "card", "loans", "--version", "1", "--out", str(out), *at, "--json")
    assert (code, told["out"]) == (0, str(out))
    assert out.read_text().startswith("<!DOCTYPE html>")
    assert command_line.main(("card", "loans", "--version", "v1", *at)) == 0
    assert capsys.readouterr().out.startswith("# Model card\\: loans, version 1 (challenger)\n")


def test_as_a_process(home: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline_core", "--home", str(home), "status", "--json"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    )
    assert done.returncode == 0
    assert json.loads(done.stdout) == {"home": str(home), "models": [], "losses": [], "notices": []}
    assert done.stderr == "took the store's lock\n"


def test_a_store_that_stays_busy_is_an_error(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command_line, "WAIT_S", 0.3)
    monkeypatch.setattr(command_line, "RETRY_S", 0.05)
    with Store.open(home):
        code, error, _ = say(capsys, "status", "--home", str(home), "--json")
    assert (code, error["error"]) == (2, "The store is in use")
    assert say(capsys, "status", "--home", str(home), "--json")[0] == 0


def test_an_owner_that_does_not_answer_is_an_error(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Store.open(home, url="http://127.0.0.1:9", token="word"):
        code, error, aside = say(capsys, "status", "--home", str(home), "--json")
    assert (code, error["error"]) == (2, "The app does not answer")
    assert aside.startswith("through the running app at http://127.0.0.1:9\n")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("store.duckdb", b"no database", "cannot be trusted"),
        ("store.duckdb", b"", "is empty, but 1 files of its batches are there"),
        ("policy.toml", b"alpha = 'much'", "alpha is 'much'"),
        ("policy.toml", b"\xff", "is not valid TOML"),
    ],
)
def test_a_damaged_home_is_an_error_with_a_sentence(
    home: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes, said: str
) -> None:
    Store.open(home).close()
    (home / "raw" / f"{'0' * 64}.csv").write_text("a")
    (home / name).write_bytes(content)
    code, error, aside = say(capsys, "status", "--home", str(home), "--json")
    assert code == 2
    assert said in error["message"]
    assert "Traceback" not in aside


def test_names_that_are_no_text_are_errors_with_a_sentence(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = tmp_path / os.fsdecode(b"odd \xff.csv")
    odd.write_text("a,b\n1,2\n")
    for words in (
        ("define", "loans", "--data", str(odd), "--target", "b"),
        ("status", "--home", str(tmp_path / os.fsdecode(b"\xff"))),
        ("promote", os.fsdecode(b"\xff"), "--version", "1", "--by", "Ada", "--reason", "x"),
        ("promote", "loans", "--version", "1", "--by", os.fsdecode(b"\xff"), "--reason", "x"),
    ):
        given = words if "--home" in words else (*words, "--home", str(home))
        code, error, _ = say(capsys, *given, "--json")
        assert code == 2
        assert "not valid" in error["message"]


def test_not_found_is_an_error_and_not_a_no() -> None:
    assert not command_line._is_no(NotFound("x"))
