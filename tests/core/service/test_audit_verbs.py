"""Reject, retire and the audit file, as a person types them: exit codes, sentences, JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline_core import __main__ as command_line
from pipeline_core.store import Store
from tests.core.store import made


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with three versions, of which the second is champion after the first."""
    with Store.open(tmp_path / "home") as store:
        store.models.define(made.schema())
        for _ in range(3):
            made.add_version(store)
        store.models.apply(made.promotion(1, epoch=1, previous=None))
        store.models.apply(made.promotion(2, epoch=2, previous=1))
    return tmp_path / "home"


def say(capsys: pytest.CaptureFixture[str], home: Path, *words: str) -> tuple[int, str, str]:
    code = command_line.main(["--home", str(home), *words])
    told = capsys.readouterr()
    return code, told.out, told.err


def ask(capsys: pytest.CaptureFixture[str], home: Path, *words: str) -> tuple[int, Any]:
    code, out, _ = say(capsys, home, *words, "--json")
    return code, json.loads(out)


WHO = ("--by", "Ada", "--reason", "leaks \x1b[31m")


def test_reject_and_retire_by_words(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = say(capsys, home, "reject", "bank", "--version", "3", *WHO)
    assert (code, out) == (0, "Version 3 is rejected for good, by Ada: leaks \N{REPLACEMENT CHARACTER}[31m\n")
    code, _, err = say(capsys, home, "reject", "bank", "--version", "3", *WHO)
    assert code == 1
    assert "Version 3 of model 'bank' was rejected by Ada" in err
    code, _, err = say(capsys, home, "reject", "bank", "--version", "2", *WHO)
    assert (code, "Roll back, or retire version 2 instead." in err) == (1, True)
    code, _, err = say(capsys, home, "retire", "bank", "--version", "2", *WHO)
    assert (code, "or say --leave-empty." in err) == (1, True)
    code, gone = ask(capsys, home, "retire", "bank", "--version", "2", "--leave-empty", *WHO)
    assert (code, gone["action"], gone["version"], gone["epoch"]) == (0, "retire", 2, 3)
    code, status = ask(capsys, home, "status", "bank")
    assert (code, status["models"][0]["champion"]) == (0, None)
    code, back = ask(capsys, home, "rollback", "bank", *WHO)
    assert (code, back["version"], back["previous"]) == (0, 1, None)
    code, _, err = say(capsys, home, "retire", "bank", "--version", "1", "--by", "Ada")
    assert (code, "--reason is missing" in err) == (2, True)


def test_the_audit_is_listed_and_verified(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = say(capsys, home, "audit", "list", "bank", "--last", "2")
    assert code == 0
    header, newest, second = out.splitlines()
    assert header.split() == ["entry", "when", "(UTC)", "act", "model", "by", "why", "hash"]
    assert newest.split()[:7] == ["6", "2025-01-06T00:00:00", "promote", "bank", "Ada", "better", newest.split()[-1]]
    assert second.startswith("    5")
    code, listed = ask(capsys, home, "audit", "list")
    assert [entry["sequence"] for entry in listed["entries"]] == [6, 5, 4, 3, 2, 1]
    code, out, _ = say(capsys, home, "audit", "verify")
    assert (code, out) == (0, f"Audit chain whole: 6 entries. Hash of the last one: {listed['entries'][0]['hash']}\n")
    assert say(capsys, home, "audit", "verify", "--head", listed["entries"][3]["hash"])[0] == 0
    code, out, _ = say(capsys, home, "audit", "verify", "--head", "0123")
    assert (code, "No entry has the hash '0123'" in out) == (1, True)
    assert say(capsys, home, "audit", "list", "nobody")[1] == "Nothing was decided yet.\n"


def test_a_forged_line_is_named_and_mending_wants_a_name(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = home / "audit.jsonl"
    whole = path.read_bytes()
    assert say(capsys, home, "audit", "mend", *WHO)[0] == 1  # nothing to mend
    path.write_bytes(whole.replace(b"better", b"bitter", 1))
    code, out, _ = say(capsys, home, "audit", "verify")
    first, second, advice = out.splitlines()
    assert (code, first) == (1, "Audit chain broken: 6 entries were recorded.")
    assert second == (
        "  changed   Line 5 was changed. Recorded was entry 5: promote of bank by Ada at 2025-01-06 00:00:00 UTC."
    )
    assert "(audit mend): the file is kept as it is" in advice
    code, status = ask(capsys, home, "status")
    assert "Line 5 was changed" in status["notices"][0]
    code, _, err = say(capsys, home, "audit", "mend", "--by", "Ada")
    assert (code, "--reason is missing" in err) == (2, True)
    code, report = ask(capsys, home, "audit", "mend", "--by", "Ada", "--reason", "seen")
    assert (code, report["whole"], report["entries"]) == (0, True, 7)
    assert path.read_bytes().startswith(whole)
    assert ask(capsys, home, "status")[1]["notices"] == []
