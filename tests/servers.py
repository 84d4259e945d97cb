"""PostgreSQL, Redis, a Kafka mock and local Spark for the tests that need them, on loopback, stopped by their process ids.

A server that is not installed skips the test with that reason; with REQUIRE_SERVERS=1 (CI) it fails it.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest

ROOT = Path(__file__).resolve().parents[1]
READY_S = 30.0


def absent(
    what: str, how: str = "apt-get install postgresql redis-server; pip install -r requirements.txt"
) -> NoReturn:
    """Skip, or fail where the servers are required."""
    reason = f"{what} is not installed ({how})"
    if os.environ.get("REQUIRE_SERVERS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(ready: Callable[[], bool], process: subprocess.Popen[Any]) -> None:
    until = time.monotonic() + READY_S
    while not ready():
        assert process.poll() is None, f"the server ended with {process.returncode}"
        assert time.monotonic() < until, "the server did not answer"
        time.sleep(0.05)


@contextmanager
def running(
    command: list[str], *, stop: signal.Signals = signal.SIGTERM, **options: Any
) -> Generator[subprocess.Popen[Any]]:
    """Run a server and stop it, whatever happens."""
    with subprocess.Popen(command, **options) as process:
        try:
            yield process
        finally:
            process.send_signal(stop)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def postgres_server() -> Generator[str]:
    """Give the address of an empty PostgreSQL of our own. It refuses to run as root, so root runs it as ``postgres``."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    found = programs[-1].parent if programs else None
    if found is None:
        absent("PostgreSQL")
    as_user: dict[str, Any] = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    port = free_port()
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/tmp", **as_user}
    try:
        if as_user:
            shutil.chown(folder, "postgres", "postgres")
        data = str(folder / "data")
        initdb = [str(found / "initdb"), "-D", data, "-U", "tester", "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run([*initdb, "--no-locale"], check=True, **options)
        quick = ["-F", "-c", f"unix_socket_directories={folder}", "-c", "listen_addresses=127.0.0.1"]
        ready = [str(found / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
        command = [str(found / "postgres"), "-D", data, "-p", str(port), *quick]
        with running(command, stop=signal.SIGINT, **options) as process:  # SIGTERM would wait for its clients
            wait_until(lambda: subprocess.run(ready, check=False).returncode == 0, process)
            yield f"postgresql://tester@127.0.0.1:{port}/postgres"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def redis_server() -> Generator[str]:
    """Give the address of an empty Redis of our own, which keeps nothing on the disk."""
    program = shutil.which("redis-server")
    if program is None:
        absent("redis-server")
    redis = pytest.importorskip("redis")
    port = free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with running(command, stdout=subprocess.DEVNULL) as process:
        client = redis.Redis(port=port)

        def answers() -> bool:
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                return False

        wait_until(answers, process)
        client.close()
        yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def kafka_server() -> Generator[str]:
    """Give the address of librdkafka's mock cluster in a process of its own; it keeps a few MB a partition."""
    try:
        import confluent_kafka  # ruff: ignore[unused-import]
    except ImportError:
        absent("confluent-kafka")
    command = [sys.executable, "-m", "tests.servers"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with running(command, cwd=ROOT, **pipes) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address, "the mock cluster did not start"
        yield address


@pytest.fixture(scope="session")
def postgres() -> Generator[str]:
    with postgres_server() as address:
        yield address


@pytest.fixture(scope="session")
def redis_url() -> Generator[str]:
    with redis_server() as address:
        yield address


@pytest.fixture(scope="session")
def kafka_servers() -> Generator[str]:
    with kafka_server() as address:
        yield address


def serve_kafka() -> None:
    """Say the address of a mock cluster and serve until stdin closes."""
    from confluent_kafka import Producer

    producer = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "unused", "log_level": 0})
    brokers = producer.list_topics(timeout=10).brokers
    print(",".join(f"{b.host}:{b.port}" for b in brokers.values()), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    serve_kafka()


def spark_master() -> None:
    """Skip, or fail where servers are required, unless PySpark and Java are here; one core is enough."""
    if importlib.util.find_spec("pyspark") is None or shutil.which("java") is None:
        absent("PySpark or Java", "apt-get install default-jre-headless; pip install -r requirements-spark.txt")
    os.environ.setdefault(
        "PYSPARK_SUBMIT_ARGS",
        "--master local[1] --conf spark.ui.enabled=false --conf spark.driver.bindAddress=127.0.0.1"
        " --conf spark.driver.host=127.0.0.1 --conf spark.sql.shuffle.partitions=2 --conf spark.log.level=ERROR pyspark-shell",
    )
