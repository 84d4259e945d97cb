"""PostgreSQL, Redis, Kafka and a folder each deliver their rows through kill -9: none is lost, none comes twice.

Every other kill hits a point around the commit, between files and record or between commit and acknowledgement; the
others hit wherever the process is. Rows go on coming in between. ``FEED_ROWS`` and ``FEED_KILLS`` set how many there
are for each source; ``make bars`` sets 100,000 and 10.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from pipeline_core.flows import feeds, intake
from pipeline_core.records import BatchStatus, Feed, FeedKind
from pipeline_core.store import Store

ROOT = Path(__file__).resolve().parents[2]
ROWS = int(os.environ.get("FEED_ROWS", "5000"))
KILLS = int(os.environ.get("FEED_KILLS", "4"))
POINTS = ("receive.after_commit", "receive.before_commit", "receive.after_files", "receive.before_files")
BATCH_ROWS = ROWS // (4 * KILLS)
START = datetime(2026, 1, 5, tzinfo=UTC)

Row = dict[str, Any]


def row(number: int) -> Row:
    dice = random.Random(number)
    return {
        "id": f"r{number:06d}",
        "at": (START + timedelta(minutes=dice.randrange(40_000))).strftime("%Y-%m-%dT%H:%M:%S"),
        "amount": round(dice.gauss(50, 10), 2),
        "city": dice.choice(["Rome", "Oslo", "Bonn"]),
        "y": dice.choice(["yes", "no"]),
    }


@dataclass
class Broker:
    """Where rows are put, and how a source gets at them. ``unread``: what it believes not to have been acknowledged."""

    kind: FeedKind
    settings: dict[str, str]
    put: Callable[[Sequence[Row]], None]
    unread: Callable[[], int] = field(default=lambda: 0)


@pytest.fixture
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Broker:
    made: Broker = globals()[f"a_{request.param}"](request, tmp_path)
    return made


def a_folder(_request: pytest.FixtureRequest, tmp_path: Path) -> Broker:
    (tmp_path / "in").mkdir()
    files: Iterator[int] = iter(range(10_000))

    def put(rows: Sequence[Row]) -> None:
        for start in range(0, len(rows), BATCH_ROWS):
            target = tmp_path / "in" / f"{next(files):05d}.parquet"
            pq.write_table(pa.Table.from_pylist(list(rows[start : start + BATCH_ROWS])), f"{target}.tmp")
            Path(f"{target}.tmp").rename(target)

    return Broker(FeedKind.FOLDER, {"root": str(tmp_path / "in"), "settle_s": "0"}, put)


def a_postgres(request: pytest.FixtureRequest, _tmp_path: Path) -> Broker:
    from adbc_driver_postgresql import dbapi

    dsn = request.getfixturevalue("postgres")

    def do(*statements: str, rows: pa.Table | None = None) -> None:
        with closing(dbapi.connect(dsn)) as connection, closing(connection.cursor()) as cursor:
            for statement in statements:
                cursor.execute(statement)
            if rows is not None:
                cursor.adbc_ingest("sales", rows, mode="append")
            connection.commit()

    do("DROP TABLE IF EXISTS sales", "CREATE TABLE sales (id text, at text, amount float8, city text, y text)")
    query = "SELECT id, at::timestamp AS at, amount, city, y FROM sales"
    settings = {"dsn": dsn, "query": query, "cursor": "id"}
    return Broker(FeedKind.DATABASE, settings, lambda rows: do(rows=pa.Table.from_pylist(list(rows))))


def a_redis(request: pytest.FixtureRequest, tmp_path: Path) -> Broker:
    import redis

    url = request.getfixturevalue("redis_url")
    stream = f"sales-{tmp_path.name}"

    def put(rows: Sequence[Row]) -> None:
        with closing(redis.from_url(url)) as client, client.pipeline(transaction=False) as pipe:
            for each in rows:
                pipe.xadd(stream, {k: str(v) for k, v in each.items()})
            pipe.execute()

    def unread() -> int:
        with closing(redis.from_url(url)) as client:
            return int(client.xinfo_groups(stream)[0]["lag"])

    return Broker(FeedKind.REDIS, {"url": url, "stream": stream}, put, unread)


def a_kafka(request: pytest.FixtureRequest, tmp_path: Path) -> Broker:
    from confluent_kafka import Consumer, Producer, TopicPartition

    address = request.getfixturevalue("kafka_servers")
    topic = f"sales-{tmp_path.name}"
    producer = Producer({"bootstrap.servers": address, "linger.ms": 5, "log_level": 0})

    def put(rows: Sequence[Row]) -> None:
        for number, each in enumerate(rows):
            producer.produce(topic, json.dumps(each).encode(), partition=number % 4)
        assert producer.flush(30) == 0

    def unread() -> int:
        with closing(Consumer({"bootstrap.servers": address, "group.id": "pipeline-sales"})) as consumer:
            places = consumer.committed([TopicPartition(topic, p) for p in range(4)], timeout=10)
            return sum(consumer.get_watermark_offsets(p, timeout=10)[1] - p.offset for p in places)

    return Broker(FeedKind.KAFKA, {"servers": address, "topic": topic}, put, unread)


def start(home: Path, fault: str | None = None) -> subprocess.Popen[str]:
    plain = {k: v for k, v in os.environ.items() if k != "FAULT"}
    return subprocess.Popen(
        [sys.executable, "-m", "tests.story.feeding", str(home), "sales"],
        cwd=ROOT,
        env={**plain, "FAULT": fault} if fault else plain,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def kill_somewhere(child: subprocess.Popen[str], dice: random.Random) -> None:
    """Let it keep one or two batches, and kill it a moment later wherever it is."""
    assert child.stdout is not None
    for _ in range(dice.choice([2, 3])):  # the first line says that the store is open
        child.stdout.readline()
    time.sleep(dice.random() * 0.4)
    child.send_signal(signal.SIGKILL)


@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("broker", ["folder", "postgres", "redis", "kafka"], indirect=True)
def test_no_row_is_lost_and_none_comes_twice(broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = [row(10**6 + i) for i in range(2_000)]
    home, file = tmp_path / "home", tmp_path / "first.parquet"
    pq.write_table(pa.Table.from_pylist(first), file)
    with Store.open(home) as store:
        intake.define(store, "shop", file, target="y", time="at", id="id")
        settings = {k: v for k, v in broker.settings.items() if not v.startswith("postgresql://")}
        monkeypatch.setenv("FEED_DSN", broker.settings.get("dsn", ""))
        secrets = {"dsn": "env:FEED_DSN"} if "dsn" in broker.settings else {}
        feeds.add_source(
            store,
            Feed(
                name="sales", model="shop", kind=broker.kind, settings=settings, secrets=secrets,
                batch_rows=BATCH_ROWS, batch_s=60.0, added_at=store.now(),
            ),
        )  # fmt: skip
    dice, portion = random.Random(7), ROWS // KILLS
    for kill in range(KILLS):
        broker.put([row(i) for i in range(kill * portion, (kill + 1) * portion)])
        point = POINTS[kill // 2] if kill % 2 == 0 and kill // 2 < len(POINTS) else None
        with start(home, fault=point and f"{point}:{1 + kill % 3}") as child:
            if point is None:
                kill_somewhere(child, dice)
            _, said = child.communicate(timeout=120)
        assert child.returncode == -signal.SIGKILL, said
    with start(home) as child:
        told, said = child.communicate(timeout=300)
    assert child.returncode == 0, said
    assert json.loads(told.splitlines()[-1]) == {"stopped": "caught up", "errors": [], "notes": []}
    check(home, expected=[*first, *(row(i) for i in range(ROWS))])
    assert broker.unread() == 0


def check(home: Path, *, expected: Sequence[Row]) -> None:
    with Store.open(home) as store:
        batches = store.batches.list("shop")
        assert {b.status for b in batches} == {BatchStatus.ACCEPTED}, [
            (b.batch_id, b.source, [f.message for f in b.findings])
            for b in batches
            if b.status is not BatchStatus.ACCEPTED
        ]
        found = Counter(
            pa.concat_tables(pq.read_table(p, columns=["row_id"]) for p in store.batches.rows_paths("shop"))[
                "row_id"
            ].to_pylist()
        )
        assert found == Counter(each["id"] for each in expected)
        counts = store.batches.counts("shop")
        by_column = counts.group_by("column_id").aggregate([("n", "sum")])
        assert set(by_column["n_sum"].to_pylist()) == {len(expected)}
        assert store.batches.labelled_rows("shop") == len(expected)
        assert pc.sum(pa.array([b.rows for b in batches])).as_py() == len(expected)
        assert store.feeds.state("sales").deliveries == len(batches) - 1
