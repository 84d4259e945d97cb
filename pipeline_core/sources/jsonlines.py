"""What a JSON file holds: one object a line, or one array of objects.

The fast reader goes first; where a column mixes types it gives up on the whole file, so a slower one
keeps the other columns' types and gives the mixed column as text. Neighbour: ``files`` has checked
content and encoding. It refuses documents that are no table.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.json as pajson

from pipeline_core.errors import Unreadable

# a document is held in memory as Python objects, ten times its size; lines are the format for more
DOCUMENT_BYTES_MAX = 200_000_000

_BLOCK_BYTES = 16_777_216
_BOM = b"\xef\xbb\xbf"
_START = re.compile(rb'\s*(\{\s*["}]|\[\s*[\]{])')


def looks_like(head: bytes) -> bool:
    """Say whether a text file begins like JSON.

    Parameters
    ----------
    head : bytes
        The beginning of the file.

    Returns
    -------
    bool
    """
    return _START.match(head.removeprefix(_BOM)) is not None


def read(path: Path, label: str) -> pa.Table:
    """Read objects, one a line or in one array; a key that an object lacks is a null.

    Parameters
    ----------
    path : Path
        The file, UTF-8.
    label : str
        What it is called in messages.

    Returns
    -------
    pa.Table
        Columns in the order in which their keys first appear.

    Raises
    ------
    Unreadable
        A line is no JSON object, or an array of more than ``DOCUMENT_BYTES_MAX`` bytes.
    """
    with path.open("rb") as file:
        head = file.read(4096).removeprefix(_BOM).lstrip()
    if head.startswith(b"["):
        return _columns(_array(path, label))
    try:
        # opened here, not by name: by name a .gz would be unpacked without a limit
        with pa.memory_map(str(path)) as lines:
            return pajson.read_json(lines, read_options=pajson.ReadOptions(block_size=_BLOCK_BYTES))
    except pa.ArrowException:
        # mixed types, a key twice, NaN: read again, line by line, and say which line is wrong
        return _columns(list(_lines(path, label)))


def as_text(values: Sequence[Any]) -> pa.ChunkedArray:
    """Give values of any kind as text: text as it is, everything else as JSON.

    Parameters
    ----------
    values : sequence
        Plain Python values; None is a null.

    Returns
    -------
    pa.ChunkedArray
        Of string.
    """
    return pa.chunked_array([pa.array([_text(v) for v in values], pa.string())])


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, str):
        return _whole(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="backslashreplace")
    if isinstance(value, dict | list | bool | int | float):
        return _whole(json.dumps(value, ensure_ascii=False, default=str))
    return _whole(str(value))


def _whole(text: str) -> str:
    """Write half characters (a lone surrogate, which JSON can spell) as their escapes: no table holds them."""
    return text.encode("utf-8", errors="backslashreplace").decode("utf-8")


def _lines(path: Path, label: str) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield _object(_parsed(line, label, f"line {number:,}"), label, f"line {number:,}")


def _array(path: Path, label: str) -> list[dict[str, Any]]:
    size = path.stat().st_size
    if size > DOCUMENT_BYTES_MAX:
        raise Unreadable(
            f"File {label!r} is one JSON array of {size:,} bytes; arrays up to {DOCUMENT_BYTES_MAX:,} bytes are allowed."
            " Write one object a line (JSON lines) instead."
        )
    items = _parsed(path.read_text(encoding="utf-8-sig"), label, "the array")
    return [_object(item, label, f"item {i:,}") for i, item in enumerate(items, start=1)]


def _parsed(text: str, label: str, place: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        cause = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deeply or a number too long"
        raise Unreadable(
            f"File {label!r}: {place} is not JSON ({cause}). Allowed is one object a line, or one array of objects."
            " Mend it there and send it again."
        ) from error


def _object(item: Any, label: str, place: str) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise Unreadable(
            f"File {label!r}: {place} is {type(item).__name__}, not an object. Allowed is one object a row, with the"
            " columns as its keys."
        )
    return item


def _columns(items: Sequence[dict[str, Any]]) -> pa.Table:
    names = list(dict.fromkeys(key for item in items for key in item))
    if not names:
        return pa.table({})
    columns = [_column([item.get(name) for item in items]) for name in names]
    return pa.table(columns, names=[_whole(name) for name in names])


def _column(values: Sequence[Any]) -> pa.ChunkedArray:
    try:
        return pa.chunked_array([pa.array(values)])
    except (pa.ArrowException, OverflowError, UnicodeEncodeError):
        return as_text(values)
