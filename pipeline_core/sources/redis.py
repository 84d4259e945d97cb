"""What stands in a Redis stream behind the last entry that was kept? Files of entries, by count or time.

Entries are read by their ids from the caller's place on, and not through a consumer group: a group hands each entry to one
reader, and a second home with a source of that name would take half of ours away. The group only shows others how far
we are. Neighbours: ``messages`` writes the file, ``feed`` is the shape. It refuses to go on where entries were trimmed
from the stream before they were read, unless ``gaps`` is ``go_on``.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline_core.errors import Unreadable
from pipeline_core.sources.feed import Delivery, Setup, imported, noted
from pipeline_core.sources.messages import BATCH_BYTES_MAX, Messages

REQUIRED = ("url", "stream")
OPTIONAL = ("group", "field", "gaps")

_READ_ROWS = 1_000
_BLOCK_MS = 200
_START = "0-0"

Entry = tuple[str, Mapping[bytes, bytes]]


class Redis:
    """A stream. Settings: ``url``, ``stream``, ``group``, ``field`` (it holds a JSON object; else each field is a column), ``gaps``.

    Parameters
    ----------
    setup : Setup
        The settings.

    Raises
    ------
    NotFound
        redis-py is not installed.
    """

    def __init__(self, setup: Setup) -> None:
        self.notes: list[str] = []
        self._setup = setup
        self._stream = setup.get("stream")
        self._group = setup.get("group", f"pipeline-{setup.name}")
        self._library = imported(_load, package="redis")
        with self._told():
            self._client = self._library.from_url(setup.get("url"), socket_timeout=30, socket_connect_timeout=10)
        self._last = _START
        self._read: int | None = None  # entries that ever stood at or before the last one, where Redis counts them
        self._grouped = False

    def deliveries(self, cursor: str | None, *, folder: Path) -> Generator[Delivery]:
        """Hand over entries in files of ``batch_rows``, or what came in ``batch_s``; end where no entry waits.

        Parameters
        ----------
        cursor : str or None
            The id of the last entry that was kept.
        folder : Path
            Where to write.

        Yields
        ------
        Delivery

        Raises
        ------
        Unreadable
            Redis does not answer, or entries are gone that were never read.
        """
        self.notes.clear()
        said = noted(cursor)
        with self._told():
            self._prepare(str(said.get("last", _START)), said.get("read"))
        if cursor is not None and self._last != _START:
            self.settled(cursor)  # whoever was killed behind a commit could not say so
        entries = self._entries()
        for number in itertools.count():
            first = self._last
            with Messages(folder / f"{number:08d}.jsonl.gz") as messages:
                self._fill(messages, entries)
                if not messages.rows:
                    return
                path = messages.seal(f"{self._setup.name} {self._stream} ({first}, {self._last}]")
            if messages.unreadable:
                self.notes.append(
                    f"{messages.unreadable:,} entries up to {self._last} are no JSON objects: kept as text."
                )
            yield Delivery(
                path=path,
                name=f"{self._setup.name}: {self._stream} to {self._last}",
                cursor=json.dumps({"stream": self._stream, "last": self._last, "read": self._read}),
                rows=messages.rows,
            )

    def settled(self, cursor: str) -> None:
        """Set our group to that place, for others to see; should Redis not hear, nothing depends on it."""
        said = noted(cursor)
        try:
            if not self._grouped:
                self._make_group()
            self._client.xgroup_setid(self._stream, self._group, id=said["last"], entries_read=said["read"])
        except (self._library.RedisError, OSError) as error:
            self.notes.append(f"Redis did not take note of {said['last']} ({self._setup.hide(error)}); the store did.")

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _prepare(self, last: str, read: int | None) -> None:
        """Stand behind the last kept entry, and see that nothing is missing between it and what is there."""
        self._last, self._read = last, read
        if not self._client.exists(self._stream):
            if last != _START:
                self._gap(f"it is gone; {last} is the last entry kept")
            return
        info = self._client.xinfo_stream(self._stream)
        added, end = info.get("entries-added"), _key(_text(info["last-generated-id"]))  # the count since Redis 7.0
        if end < _key(last):
            self._gap(f"it ends before {last}, the last entry kept: it was made anew")
            self._last = last = _START
        if last == _START:
            self._read = None if added is None else added - info["length"]
        elif added is not None:
            self._count_missing(info, added, caught_up=end == _key(last))

    def _count_missing(self, info: Mapping[str, Any], added: int, *, caught_up: bool) -> None:
        """Compare how many entries ever came with how many were read and how many are there."""
        if caught_up:
            if self._read is not None and added > self._read:
                self.notes.append(
                    f"{added - self._read:,} entries up to {self._last} were deleted before they were read."
                )
            self._read = added
            return
        first = info.get("first-entry")
        if self._read is None or (first is not None and _key(_text(first[0])) <= _key(self._last)):
            return
        missing = added - self._read - info["length"]
        if missing > 0:
            self._gap(f"{missing:,} entries behind {self._last} were deleted before they were read")
            self._read += missing

    def _make_group(self) -> None:
        try:
            self._client.xgroup_create(self._stream, self._group, id=_START)
        except self._library.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
        self._grouped = True

    def _gap(self, what: str) -> None:
        said = f"Source {self._setup.name!r}: stream {self._stream!r} has a gap: {what}."
        if self._setup.get("gaps") != "go_on":
            raise Unreadable(f"{said} Nothing was read. To go on with what is there, set gaps to go_on.")
        self.notes.append(said)

    def _fill(self, messages: Messages, entries: Iterator[Entry]) -> None:
        until: float | None = None
        for entry_id, fields in entries:
            messages.add(self._message(fields))
            self._last = entry_id
            self._read = None if self._read is None else self._read + 1
            until = until or time.monotonic() + self._setup.batch_s
            full = messages.rows >= self._setup.batch_rows or messages.bytes >= BATCH_BYTES_MAX
            if full or time.monotonic() >= until:
                return

    def _message(self, fields: Mapping[bytes, bytes]) -> bytes:
        chosen = self._setup.get("field")
        if chosen:
            return fields.get(chosen.encode(), b"")
        return json.dumps({_text(k): _text(v) for k, v in fields.items()}, ensure_ascii=False).encode()

    def _entries(self) -> Generator[Entry]:
        last = self._last
        while True:
            with self._told():
                found = self._client.xread({self._stream: last}, count=_READ_ROWS, block=_BLOCK_MS)
            entries = _entries_of(found)
            if not entries:
                return
            last = entries[-1][0]
            yield from entries

    @contextmanager
    def _told(self) -> Generator[None]:
        try:
            yield
        except (self._library.RedisError, ValueError, OSError) as error:
            raise Unreadable(
                f"Source {self._setup.name!r}: Redis says: {self._setup.hide(error)}. Check url, stream and that the server"
                " runs, then run again; nothing is lost."
            ) from None


def _load() -> Any:
    import redis

    return redis


def _entries_of(found: Any) -> list[Entry]:
    """Give the entries of one stream, whichever shape the protocol's version gives the answer."""
    if not found:
        return []
    streams = found.items() if isinstance(found, dict) else found
    entries: list[Entry] = []
    for _, pages in streams:
        flat = pages[0] if pages and isinstance(pages[0], list) else pages
        entries += [(_text(i), fields or {}) for i, fields in flat]
    return entries


def _key(entry_id: str) -> tuple[int, int]:
    time_ms, _, number = entry_id.partition("-")
    return int(time_ms), int(number or 0)


def _text(value: Any) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
