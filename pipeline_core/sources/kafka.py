"""What stands in a Kafka topic behind the offsets that were kept? Files of messages, by count or time.

Partitions are assigned by hand at the caller's offsets: no group decides where reading begins, and what the broker
believes to have handed over does not count. Offsets are committed to the broker too, for others to see how far we
are. Neighbours: ``messages`` writes the file, ``feed`` is the shape. It refuses to go on where messages expired before
they were read, unless ``gaps`` is ``go_on``: a jump to the beginning or the end is never silent.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline_core.errors import Unreadable
from pipeline_core.sources.feed import Delivery, Setup, imported, noted
from pipeline_core.sources.messages import BATCH_BYTES_MAX, Messages

REQUIRED = ("servers", "topic")
OPTIONAL = ("group", "gaps", "security_protocol", "sasl_mechanism", "sasl_username", "sasl_password", "ca_location")

_CONSUMED_ROWS = 1_000
_POLL_S = 0.2
_ANSWER_S = 30.0
_SILENT_S = 30.0
"""A broker that neither sends nor says that its partitions are at their end for so long is taken to be away."""


class Kafka:
    """A topic of JSON messages. Settings: ``servers``, ``topic``, ``group``, ``gaps``, and those of the connection.

    Parameters
    ----------
    setup : Setup
        The settings.

    Raises
    ------
    NotFound
        confluent-kafka is not installed.
    """

    def __init__(self, setup: Setup) -> None:
        self.notes: list[str] = []
        self._setup = setup
        self._topic = setup.get("topic")
        self._library = imported(_load, package="confluent-kafka")
        given = {name.replace("_", "."): setup.get(name) for name in OPTIONAL[2:] if setup.get(name)}
        if "ca.location" in given:
            given["ssl.ca.location"] = given.pop("ca.location")
        config = {
            **given,
            "bootstrap.servers": setup.get("servers"),
            "group.id": setup.get("group", f"pipeline-{setup.name}"),
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "queued.max.messages.kbytes": 16_384,
            "log_level": 0,
        }
        with self._told():
            self._consumer: Any = self._library.Consumer(config, error_cb=_ignore)
        self._offsets: dict[int, int] = {}

    def deliveries(self, cursor: str | None, *, folder: Path) -> Generator[Delivery]:
        """Hand over messages in files of ``batch_rows``, or what came in ``batch_s``; end at the end of the partitions.

        Parameters
        ----------
        cursor : str or None
            The next offset of each partition.
        folder : Path
            Where to write.

        Yields
        ------
        Delivery

        Raises
        ------
        Unreadable
            The broker does not answer, or messages are gone that were never read.
        """
        self.notes.clear()
        with self._told():
            self._begin({int(p): int(o) for p, o in noted(cursor).get("offsets", {}).items()})
        if cursor is not None and not self.notes:
            self.settled(cursor)  # whoever was killed behind a commit could not say so
        messages = self._messages()
        for number in itertools.count():
            first = dict(self._offsets)
            with Messages(folder / f"{number:08d}.jsonl.gz") as file:
                self._fill(file, messages)
                if self._offsets == first or not file.rows:
                    return
                moved = {p: (first[p], o) for p, o in sorted(self._offsets.items()) if o != first[p]}
                span = ", ".join(f"{p}: {since}-{until - 1}" for p, (since, until) in moved.items())
                path = file.seal(f"{self._setup.name} {self._topic} {span}")
            if file.unreadable:
                self.notes.append(f"{file.unreadable:,} messages of {span} are no JSON objects: kept as text.")
            yield Delivery(
                path=path,
                name=f"{self._setup.name}: {self._topic} {span}",
                cursor=json.dumps({"topic": self._topic, "offsets": dict(sorted(self._offsets.items()))}),
                rows=file.rows,
            )

    def settled(self, cursor: str) -> None:
        """Tell the broker how far we are; should it not hear, the next start does not depend on it."""
        offsets = noted(cursor).get("offsets", {})
        places = [self._library.TopicPartition(self._topic, int(p), int(o)) for p, o in offsets.items()]
        try:
            self._consumer.commit(offsets=places, asynchronous=False)
        except self._library.KafkaException as error:
            self.notes.append(
                f"The broker did not take note of the offsets ({self._setup.hide(error)}); the store did."
            )

    def close(self) -> None:
        """Close the connections."""
        self._consumer.close()

    def _begin(self, kept: dict[int, int]) -> None:
        described = self._consumer.list_topics(self._topic, timeout=_ANSWER_S).topics[self._topic]
        if described.error is not None:
            raise Unreadable(
                f"Source {self._setup.name!r}: topic {self._topic!r}: {self._setup.hide(described.error.str())}."
                " Name a topic of this broker that we may read."
            )
        starts = []
        for number in sorted(described.partitions):
            place = self._library.TopicPartition(self._topic, number)
            low, high = self._consumer.get_watermark_offsets(place, timeout=_ANSWER_S)
            starts.append(self._library.TopicPartition(self._topic, number, self._start(number, kept, low, high)))
        gone = sorted(set(kept) - set(described.partitions))
        if gone:
            self._gap(f"partitions {gone} are no more: it was made anew")
        self._offsets = {p.partition: p.offset for p in starts}
        self._consumer.assign(starts)

    def _start(self, number: int, kept: dict[int, int], low: int, high: int) -> int:
        """Say where to begin in a partition; one that is new begins at its first message."""
        offset = kept.get(number, low)
        if offset < low:
            self._gap(f"offsets {offset} to {low - 1} of partition {number} expired before they were read")
            return low
        if offset > high:
            self._gap(f"partition {number} ends at {high}, before {offset}, which is next: it was made anew")
            return low
        return offset

    def _gap(self, what: str) -> None:
        said = f"Source {self._setup.name!r}: topic {self._topic!r} has a gap: {what}."
        if self._setup.get("gaps") != "go_on":
            raise Unreadable(f"{said} Nothing was read. To go on with what is there, set gaps to go_on.")
        self.notes.append(said)

    def _fill(self, file: Messages, messages: Iterator[Any]) -> None:
        until: float | None = None
        for message in messages:
            value = message.value()
            if value is not None:  # a tombstone says that a key is no more: it is no row
                file.add(value)
            self._offsets[message.partition()] = message.offset() + 1
            until = until or time.monotonic() + self._setup.batch_s
            full = file.rows >= self._setup.batch_rows or file.bytes >= BATCH_BYTES_MAX
            if file.rows and (full or time.monotonic() >= until):
                return

    def _messages(self) -> Generator[Any]:
        """Give messages until every partition has said that it is at its end and sent nothing since."""
        ended: set[int] = set()
        heard = time.monotonic()
        while len(ended) < len(self._offsets):
            with self._told():
                found = self._consumer.consume(_CONSUMED_ROWS, _POLL_S)
            if found:
                heard = time.monotonic()
            elif time.monotonic() - heard > _SILENT_S:
                raise Unreadable(
                    f"Source {self._setup.name!r}: the broker has been silent for {_SILENT_S:g} s. Check servers and that"
                    " it runs, then run again; nothing is lost."
                )
            for message in found:
                error = message.error()
                if error is None:
                    ended.discard(message.partition())
                    yield message
                elif error.code() == self._library.KafkaError._PARTITION_EOF:  # ruff: ignore[private-member-access] - a public code
                    ended.add(message.partition())
                else:
                    raise Unreadable(
                        f"Source {self._setup.name!r}: Kafka says: {self._setup.hide(error.str())}. Mend that, then run"
                        " again; nothing is lost."
                    )

    @contextmanager
    def _told(self) -> Generator[None]:
        try:
            yield
        except (self._library.KafkaException, ValueError, TypeError) as error:
            raise Unreadable(
                f"Source {self._setup.name!r}: Kafka says: {self._setup.hide(error)}. Check servers, topic and that the"
                " broker runs, then run again; nothing is lost."
            ) from None


def _load() -> Any:
    import confluent_kafka

    return confluent_kafka


def _ignore(_error: Any) -> None:
    """Do nothing: an error that matters is raised by the call that meets it."""
