"""The whole process: screens, API and worker on one port, the command line through it, and a clean end."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.core.service.conftest import Files

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Running:
    url: str
    home: Path
    process: subprocess.Popen[bytes]
    log: Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def answers(url: str) -> dict[str, object] | None:
    try:
        with urllib.request.urlopen(f"{url}/api/health", timeout=2) as reply:
            told: dict[str, object] = json.loads(reply.read())
            return told
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return None


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Running]:
    url, home, log = f"http://127.0.0.1:{(port := free_port())}", tmp_path / "home", tmp_path / "app.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)],
            cwd=ROOT,
            env={**os.environ, "PIPELINE_HOME": str(home), "DEMO": "0"},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + 60
        while answers(url) is None:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield Running(url=url, home=home, process=process, log=log)
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def command(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipeline_core", "--home", str(home), *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )


def test_one_process_owns_the_store_and_the_command_line_goes_through_it(app: Running, files: Files) -> None:
    assert answers(app.url) == {"status": "ok", "models": 0, "revision": 0, "active_jobs": 0} | {
        "revision": (answers(app.url) or {})["revision"]
    }
    owner = app.home / "owner.json"
    assert owner.stat().st_mode & 0o777 == 0o600
    assert json.loads(owner.read_text())["url"] == app.url
    token = json.loads(owner.read_text())["token"]
    assert len(token) >= 32

    define = ("--target", "late", "--positive", "yes", "--time", "day", "--id", "loan")
    defined = command(app.home, "define", "loans", "--data", str(files.first), *define, "--json")
    assert defined.stderr == f"through the running app at {app.url}\n"
    assert (defined.returncode, json.loads(defined.stdout)["batch"]["rows"]) == (0, 800)
    assert json.loads(defined.stdout)["batch"]["source"] == "first.csv"

    trained = command(app.home, "train", "loans", "--estimator", "logistic_regression", "--json")
    assert (trained.returncode, json.loads(trained.stdout)["version"]) == (0, 1)
    promoted = command(app.home, "promote", "loans", "--version", "1", "--by", "Ada", "--reason", "first", "--json")
    assert promoted.returncode == 0
    scores = app.home.parent / "scores.csv"
    scored = command(app.home, "score", "loans", "--data", str(files.later), "--out", str(scores))
    assert scored.returncode == 0
    assert len(scores.read_text().splitlines()) == 301

    quarantined = command(app.home, "receive", "loans", "--data", str(files.broken), "--json")
    assert (quarantined.returncode, json.loads(quarantined.stdout)["status"]) == (1, "quarantined")
    unknown = command(app.home, "lineage", "loan", "--json")
    assert unknown.returncode == 2
    assert "Did you mean 'loans'" in json.loads(unknown.stdout)["message"]
    refused = command(app.home, "rollback", "loans", "--by", "Ada", "--reason", "x")
    assert (refused.returncode, refused.stdout) == (1, "")

    app.process.terminate()
    assert app.process.wait(timeout=20) in {0, -15}
    assert not owner.exists()
    said = app.log.read_text()
    assert "Traceback" not in said
    assert token not in said
    assert not [p for p in app.home.rglob("*") if p.is_file() and token.encode() in p.read_bytes()]
    alone = command(app.home, "status", "--json")
    assert alone.stderr == "took the store's lock\n"
    assert json.loads(alone.stdout)["models"][0]["champion"] == 1


def first_line(app: Running, path: str, *, host: str, origin: str, socket_key: str = "") -> bytes:
    """Ask by hand, as a browser would that was told that ``host`` is this machine, and give the answer's first line."""
    port = int(app.url.rsplit(":", 1)[1])
    upgrade = (
        f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {socket_key}\r\n"
        if socket_key
        else "Connection: close\r\n"
    )
    with socket.create_connection(("127.0.0.1", port), timeout=10) as asked:
        asked.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\n{upgrade}\r\n".encode())
        return asked.recv(200).split(b"\r\n")[0]


def test_the_screens_are_served_to_their_own_pages_only(app: Running) -> None:
    place = app.url.removeprefix("http://")
    key = "AAAAAAAAAAAAAAAAAAAAAA=="
    for path, socket_key, opened in (("/", "", b"200 OK"), ("/_stcore/stream", key, b"101 Switching Protocols")):
        assert first_line(app, path, host=place, origin=app.url, socket_key=socket_key).endswith(opened)
        for host, origin in ((place, "http://evil.example"), ("evil.example:80", "http://evil.example:80")):
            assert first_line(app, path, host=host, origin=origin, socket_key=socket_key).endswith(b"403 Forbidden")


def test_the_screens_are_served(app: Running) -> None:
    with urllib.request.urlopen(f"{app.url}/_stcore/health", timeout=5) as reply:
        assert reply.status == 200
    with urllib.request.urlopen(app.url, timeout=5) as reply:
        assert b"<title>" in reply.read()
