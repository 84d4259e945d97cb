"""A Kafka topic goes on behind the offsets that were kept, whatever the broker believes."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from pipeline_core.errors import Unreadable
from pipeline_core.sources.feed import Setup
from pipeline_core.sources.kafka import Kafka
from pipeline_core.sources.messages import UNREADABLE_COLUMN
from tests.core.sources.setups import setup, taken


@pytest.fixture
def topic() -> str:
    return f"orders-{uuid.uuid4().hex[:8]}"


def put(servers: str, topic: str, messages: list[bytes | None], *, partition: int | None = None) -> None:
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": servers, "linger.ms": 5, "log_level": 0})
    for i, message in enumerate(messages):
        producer.produce(topic, message, key=str(i), partition=i % 4 if partition is None else partition)
    assert producer.flush(10) == 0


def rows(*numbers: int) -> list[bytes | None]:
    return [json.dumps({"id": n}).encode() for n in numbers]


def ids(found: list[list[dict[str, Any]]]) -> list[int]:
    return sorted(row["id"] for rows in found for row in rows)


def source(servers: str, topic: str, **changes: Any) -> Setup:
    return setup(servers=servers, topic=topic, **changes)


def test_all_partitions_are_read_to_their_end_and_on(kafka_servers: str, topic: str, tmp_path: Path) -> None:
    put(kafka_servers, topic, rows(*range(100)))
    found, cursor, brought = taken(Kafka(source(kafka_servers, topic, batch_rows=30)), tmp_path)
    assert [len(rows) for rows in found] == [30, 30, 30, 10]
    assert ids(found) == list(range(100))
    assert json.loads(cursor or "")["offsets"] == {"0": 25, "1": 25, "2": 25, "3": 25}
    assert taken(Kafka(source(kafka_servers, topic)), tmp_path, cursor)[0] == []
    put(kafka_servers, topic, rows(100, 101))
    assert ids(taken(Kafka(source(kafka_servers, topic)), tmp_path, cursor)[0]) == [100, 101]
    behind = taken(Kafka(source(kafka_servers, topic)), tmp_path, brought[1].cursor)[0]
    assert ids(behind) == sorted({*range(102)} - {row["id"] for rows in found[:2] for row in rows})


def test_the_broker_hears_how_far_we_are(kafka_servers: str, topic: str, tmp_path: Path) -> None:
    from confluent_kafka import Consumer, TopicPartition

    put(kafka_servers, topic, rows(1, 2, 3), partition=2)
    taken(Kafka(source(kafka_servers, topic, group="ours")), tmp_path)
    consumer = Consumer({"bootstrap.servers": kafka_servers, "group.id": "ours"})
    assert consumer.committed([TopicPartition(topic, 2)], timeout=10)[0].offset == 3
    put(kafka_servers, topic, rows(4), partition=2)
    killed = Kafka(source(kafka_servers, topic, group="killed"))
    (delivery,) = killed.deliveries(None, folder=tmp_path)
    killed.close()
    assert taken(Kafka(source(kafka_servers, topic, group="ours")), tmp_path, delivery.cursor)[0] == []
    assert consumer.committed([TopicPartition(topic, 2)], timeout=10)[0].offset == 4
    consumer.close()


def test_messages_that_are_no_rows_do_not_stop_the_stream(kafka_servers: str, topic: str, tmp_path: Path) -> None:
    put(kafka_servers, topic, [*rows(1), None, b"\xff", *rows(2)], partition=0)
    kafka = Kafka(source(kafka_servers, topic))
    found, cursor, _ = taken(kafka, tmp_path)
    assert found == [[{"id": 1}, {UNREADABLE_COLUMN: "\\xff"}, {"id": 2}]]
    assert kafka.notes == ["1 messages of 0: 0-3 are no JSON objects: kept as text."]
    put(kafka_servers, topic, [None], partition=0)
    assert taken(Kafka(source(kafka_servers, topic)), tmp_path, cursor)[0] == []


def test_an_offset_that_is_not_there_any_more_is_told(kafka_servers: str, topic: str, tmp_path: Path) -> None:
    put(kafka_servers, topic, rows(1), partition=0)
    anew = json.dumps({"offsets": {"0": 7}})
    with pytest.raises(
        Unreadable, match=r"partition 0 ends at 1, before 7, which is next: it was made anew. Nothing was"
    ):
        taken(Kafka(source(kafka_servers, topic)), tmp_path, anew)
    going_on = Kafka(source(kafka_servers, topic, gaps="go_on"))
    assert ids(taken(going_on, tmp_path, anew)[0]) == [1]
    assert "it was made anew" in going_on.notes[0]
    with pytest.raises(Unreadable, match=r"partitions \[9\] are no more"):
        taken(Kafka(source(kafka_servers, topic)), tmp_path, json.dumps({"offsets": {"9": 1}}))


def test_what_expired_is_told(kafka_servers: str, topic: str) -> None:
    kafka = Kafka(source(kafka_servers, topic))
    with pytest.raises(Unreadable, match="offsets 3 to 9 of partition 0 expired before they were read"):
        kafka._start(0, {0: 3}, 10, 20)
    assert (kafka._start(1, {0: 3}, 10, 20), kafka._start(0, {0: 10}, 10, 20), kafka._start(0, {0: 20}, 10, 20)) == (
        10,
        10,
        20,
    )
    kafka.close()


class Saying:
    """A broker that says what a test wants."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)

    def consume(self, *_: object) -> Any:
        return self.answers.pop(0) if self.answers else []

    def commit(self, **_: object) -> None:
        from confluent_kafka import KafkaError, KafkaException

        raise KafkaException(KafkaError(KafkaError.REQUEST_TIMED_OUT))


class Failed:
    def error(self) -> Any:
        from confluent_kafka import KafkaError

        return KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)


def test_a_broker_that_fails_on_the_way_is_told(
    kafka_servers: str, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline_core.sources.kafka._SILENT_S", 0.0)
    kafka = Kafka(source(kafka_servers, topic, ca_location="/etc/ssl/certs/ca-certificates.crt"))
    kafka.close()
    kafka._offsets = {0: 0}
    kafka._consumer = Saying([Failed()])
    with pytest.raises(Unreadable, match=r"Kafka says: .*[Aa]uthorization"):
        list(kafka._messages())
    kafka._consumer = Saying()
    with pytest.raises(Unreadable, match="the broker has been silent for 0 s"):
        list(kafka._messages())
    kafka.settled(json.dumps({"offsets": {"0": 1}}))  # the store knows; the broker need not
    assert kafka.notes[0].startswith("The broker did not take note of the offsets")


def test_a_topic_that_is_not_there_is_told(kafka_servers: str, tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match=r"topic 'or/ders': .* Name a topic of this broker"):
        taken(Kafka(source(kafka_servers, "or/ders")), tmp_path)


def test_a_broker_that_is_away_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline_core.sources.kafka._ANSWER_S", 0.3)
    with pytest.raises(Unreadable, match="Kafka says"):
        taken(Kafka(source("127.0.0.1:1", "orders")), tmp_path)
    with pytest.raises(Unreadable, match="Kafka says"):
        Kafka(source("127.0.0.1:1", "orders", security_protocol="nonsense"))
