"""One process owns a home, and others are told whom to ask."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline_core.errors import StoreBusy
from pipeline_core.store import Store

REPOSITORY = Path(__file__).resolve().parents[3]


def test_a_second_process_is_refused_and_told_whom_to_ask(tmp_path: Path) -> None:
    code = (
        "import sys; from pipeline_core.store import Store; from pipeline_core.errors import StoreBusy\n"
        "try: Store.open(sys.argv[1])\n"
        "except StoreBusy as e: print(e.url, e.token, e.message)"
    )
    with Store.open(tmp_path, url="http://127.0.0.1:1", token="word"):
        told = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)], cwd=REPOSITORY, capture_output=True, text=True, check=True
        ).stdout
        with pytest.raises(StoreBusy, match=f"process {os.getpid()}"):
            Store.open(tmp_path)
    assert told.startswith("http://127.0.0.1:1 word The store in ")
    assert f"in use by process {os.getpid()} at http://127.0.0.1:1" in told
    Store.open(tmp_path).close()


def test_an_owner_that_left_no_word_is_still_an_owner(tmp_path: Path) -> None:
    with Store.open(tmp_path):
        (tmp_path / "owner.json").write_text("{")
        with pytest.raises(StoreBusy, match="another process"):
            Store.open(tmp_path)
