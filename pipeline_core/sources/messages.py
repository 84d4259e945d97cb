"""How messages of a stream become one file: a JSON object a line, packed, with its place in the stream in the head.

A message that is no JSON object is kept as text in a column ``unreadable_message``: it is neither lost nor does it stop
the stream, and the door shows it. Neighbours: ``kafka`` and ``redis`` bring the messages; whatever they hold is judged
by the door. It refuses a message longer than ``MESSAGE_BYTES_MAX`` in the same way.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from types import TracebackType
from typing import IO

UNREADABLE_COLUMN = "unreadable_message"
MESSAGE_BYTES_MAX = 1_000_000
BATCH_BYTES_MAX = 64_000_000

_SHOWN_CHARACTERS = 2_000
_LINE_ENDS = (b"\n", b"\r")


class Messages:
    """A file of messages that is being written; ``seal`` names its place, so that no two places are the same bytes.

    Parameters
    ----------
    path : Path
        The file to make.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = 0
        self.bytes = 0
        self.unreadable = 0
        self._lines: IO[bytes] = path.with_suffix(".lines").open("w+b")

    def add(self, message: bytes) -> None:
        """Add one message, as it came."""
        line = message if _is_object(message) else None
        if line is None:
            shown = message[: 4 * _SHOWN_CHARACTERS].decode("utf-8", "backslashreplace")[:_SHOWN_CHARACTERS]
            line = json.dumps({UNREADABLE_COLUMN: shown}).encode()
            self.unreadable += 1
        elif any(end in line for end in _LINE_ENDS):
            line = line.replace(b"\r", b" ").replace(b"\n", b" ")  # between tokens: inside a text JSON forbids both
        self._lines.write(line + b"\n")
        self.rows += 1
        self.bytes += len(line) + 1

    def seal(self, place: str) -> Path:
        """Pack the file, with the place in its head.

        Parameters
        ----------
        place : str
            Source and range of the stream, different for every file.

        Returns
        -------
        Path
        """
        self._lines.seek(0)
        head = place.encode("ascii", "backslashreplace").decode().replace("\0", "?")
        with self.path.open("wb") as file, gzip.GzipFile(head, "wb", 1, file, mtime=0) as packed:
            while block := self._lines.read(1 << 20):
                packed.write(block)
        self.discard()
        return self.path

    def discard(self) -> None:
        """Remove what was not packed."""
        self._lines.close()
        self.path.with_suffix(".lines").unlink(missing_ok=True)

    def __enter__(self) -> Messages:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()


def _is_object(message: bytes) -> bool:
    if len(message) > MESSAGE_BYTES_MAX:
        return False
    try:
        return isinstance(json.loads(message.decode("utf-8")), dict)
    except (ValueError, RecursionError):
        return False
