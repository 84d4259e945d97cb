"""What a JSON file holds: one object a line, or one array of objects; a block of lines at a time, twice.

The first pass finds the keys and the type that every value of a key agrees with, the second gives the rows. The fast
reader goes first; where a block mixes types it gives up, so a slower one keeps the other columns' types and gives the
mixed column as text. Neighbours: ``texts`` gives UTF-8, ``simple`` writes what is nested as text. It refuses documents
that are no table.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.json as pajson

from pipeline_core.errors import Unreadable
from pipeline_core.records import Reading
from pipeline_core.sources import naming, simple
from pipeline_core.sources.cells import null_words, without_told_nulls
from pipeline_core.sources.opened import Asked, Ledger, Opened
from pipeline_core.sources.texts import Text

LINE_BYTES_MAX = 16_777_216

_BLOCK_BYTES = 4_194_304
_START = re.compile(rb'\s*(\{\s*["}]|\[\s*[\]{])')
_LONG = re.compile(rb"[:,\[\s]-?[0-9]{17,}\s*[,}\]]")  # a whole number with more digits than a float keeps
_NESTED = (pa.types.is_nested, pa.types.is_dictionary, pa.types.is_binary)
_BLANK = " \t\r\n"


def looks_like(head: bytes) -> bool:
    """Say whether a text file begins like JSON.

    Parameters
    ----------
    head : bytes
        The beginning of the file, without a byte order mark.

    Returns
    -------
    bool
    """
    return _START.match(head) is not None


def open_(asked: Asked, text: Text) -> Opened:
    """Open objects, one a line or in one array; a key that an object lacks is a null.

    Parameters
    ----------
    asked : Asked
        What was told.
    text : Text
        The file as UTF-8.

    Returns
    -------
    Opened
        Columns in the order in which their keys first appear.

    Raises
    ------
    Unreadable
        A line is no JSON object, or too long.
    """
    with text.path.open("rb") as file:
        file.seek(text.start)
        is_array = file.read(_BLOCK_BYTES).lstrip().startswith(b"[")
    if is_array:
        text = Text(path=_as_lines(text, asked), start=0, encoding=text.encoding)
    lines = _Lines(asked=asked, text=text, unit="item" if is_array else "line")
    kinds: dict[str, pa.DataType] = {}
    for table in lines.tables({}):
        for field in table.schema:
            kinds[field.name] = _common(kinds.get(field.name), field.type)
    naming.check_width(len(kinds), asked.label, asked.policy)
    names = naming.checked([simple.whole(k) for k in kinds], asked.label, asked.policy)
    schema = pa.schema(list(zip(names, kinds.values(), strict=True)))

    def parts(ledger: Ledger) -> Iterator[pa.Table]:
        first_row = 0
        for table in lines.tables(kinds):
            columns = [_column(table, key, kind) for key, kind in kinds.items()]
            yield without_told_nulls(pa.Table.from_arrays(columns, schema=schema), asked, ledger, first_row)
            first_row += table.num_rows

    reading = Reading(format="json", encoding=text.encoding, nulls=null_words(asked))
    return Opened(schema=schema, parts=parts, reading=reading, doubts=text.doubts)


def _common(known: pa.DataType | None, other: pa.DataType) -> pa.DataType:
    if known is None or known == other or pa.types.is_null(known):
        return other
    if pa.types.is_null(other):
        return known
    numbers = {known, other} <= {pa.int64(), pa.float64()}
    return pa.float64() if numbers else pa.string()


def _column(table: pa.Table, key: str, kind: pa.DataType) -> pa.Array:
    if key not in table.column_names:
        return pa.nulls(table.num_rows, kind)
    column = table.column(key).combine_chunks()
    if column.type == kind:
        return column
    if pa.types.is_string(kind):
        return simple.as_text(column.to_pylist())
    return column.cast(kind, safe=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lines:
    """Blocks of whole lines, each as a table."""

    asked: Asked
    text: Text
    unit: str

    def tables(self, kinds: dict[str, pa.DataType]) -> Iterator[pa.Table]:
        """Give each block; columns whose type is known are read as that, if the block allows it."""
        done = 0
        for block in self._blocks():
            table = _fast(block, kinds)
            yield self._slow(block, kinds, done) if table is None else table
            done += block.count(b"\n") + (not block.endswith(b"\n"))

    def _blocks(self) -> Iterator[bytes]:
        rest = b""
        with self.text.path.open("rb") as file:
            file.seek(self.text.start)
            while chunk := file.read(_BLOCK_BYTES):
                end = chunk.rfind(b"\n") + 1
                if not end:
                    rest += chunk
                    self._check_length(rest)
                    continue
                whole, rest = rest + chunk[:end], chunk[end:]
                if whole.strip():
                    yield whole
        if rest.strip() and not (self.asked.partial and not _is_json(rest)):
            yield rest

    def _check_length(self, line: bytes) -> None:
        if len(line) > LINE_BYTES_MAX:
            raise Unreadable(
                f"File {self.asked.label!r}: one {self.unit} is longer than {LINE_BYTES_MAX:,} bytes. Allowed is one object a"
                " line: split it."
            )

    def _slow(self, block: bytes, kinds: dict[str, pa.DataType], done: int) -> pa.Table:
        items = []
        for number, line in enumerate(block.split(b"\n"), start=done + 1):
            if line.strip():
                place = f"{self.unit} {number:,}"
                items.append(_object(_parsed(line, self.asked.label, place), self.asked.label, place))
        names = list(dict.fromkeys(key for item in items for key in item))
        columns = [_values([item.get(name) for item in items], kinds.get(name)) for name in names]
        return (
            pa.Table.from_arrays(columns, names=[simple.whole(n) for n in names]) if names else _rows_only(len(items))
        )


def _rows_only(rows: int) -> pa.Table:
    return pa.table({"": pa.nulls(rows)}).select([])


def _fast(block: bytes, kinds: dict[str, pa.DataType]) -> pa.Table | None:
    """Read a block by Arrow's own reader; None where it cannot, or would lose digits or spell what is nested anew."""
    if _LONG.search(block):
        return None
    known = pa.schema([(name, kind) for name, kind in kinds.items() if not pa.types.is_null(kind)])
    try:
        table = pajson.read_json(
            pa.BufferReader(block),
            read_options=pajson.ReadOptions(block_size=len(block) + 1, use_threads=False),
            parse_options=pajson.ParseOptions(explicit_schema=known if kinds else None),
        )
    except pa.ArrowException:
        return None
    if any(is_kind(kind) for kind in table.schema.types for is_kind in _NESTED):
        return None
    return table


def _values(values: Sequence[Any], kind: pa.DataType | None) -> pa.Array:
    if kind is not None and pa.types.is_string(kind):
        return simple.as_text(values)
    try:
        found = pa.array(values, kind)
    except (pa.ArrowException, OverflowError, UnicodeEncodeError):
        try:
            found = pa.array(values)
        except (pa.ArrowException, OverflowError, UnicodeEncodeError):
            return simple.as_text(values)
    return simple.as_text(values) if pa.types.is_nested(found.type) else found


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _parsed(line: bytes, label: str, place: str) -> Any:
    try:
        return json.loads(line)
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


# --- an array -----------------------------------------------------------------------------------


def _as_lines(text: Text, asked: Asked) -> Path:
    """Write the objects of an array one a line, so that the array need not be held in memory."""
    with (
        text.path.open(encoding="utf-8", newline="") as file,
        tempfile.NamedTemporaryFile(dir=asked.work, prefix="array-", delete=False) as out,
    ):
        file.seek(text.start)
        for item in _items(file, asked):
            # a line end inside of an object is a blank: in a JSON text it is written \n
            out.write(item.replace("\n", " ").replace("\r", " ").encode() + b"\n")
    return Path(out.name)


def _items(file: Any, asked: Asked) -> Iterator[str]:
    decoder = json.JSONDecoder()
    buffer, number = file.read(_BLOCK_BYTES).lstrip(_BLANK)[1:].lstrip(_BLANK), 1
    while not buffer.startswith("]"):
        try:
            item, end = decoder.raw_decode(buffer)
            after = _after(buffer, end)
        except (ValueError, RecursionError) as error:
            more = file.read(max(_BLOCK_BYTES, len(buffer))) if len(buffer) <= LINE_BYTES_MAX else ""
            if more:
                buffer += more
                continue
            if asked.partial:
                return
            cause = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deeply or a number too long"
            raise _no_array(asked, number, cause) from error
        _object(item, asked.label, f"item {number:,}")
        yield buffer[:end]
        buffer, number = after, number + 1
    _check_end(buffer[1:], file, asked)


def _after(buffer: str, end: int) -> str:
    """Give what stands behind an item and its comma; it may be that the block ends there, too early to say."""
    after = buffer[end:].lstrip(_BLANK)
    if after.startswith("]"):
        return after
    item = after[1:].lstrip(_BLANK)
    if not after.startswith(",") or not item:
        raise json.JSONDecodeError("Expecting ',' delimiter", after, 0)
    return item


def _check_end(rest: str, file: Any, asked: Asked) -> None:
    if rest.strip() or file.read(_BLOCK_BYTES).strip():
        raise Unreadable(
            f"File {asked.label!r} goes on after the end of its array. Allowed is one array of objects, or one object a line."
        )


def _no_array(asked: Asked, number: int, cause: str) -> Unreadable:
    return Unreadable(
        f"File {asked.label!r}: the array is not JSON at item {number:,} ({cause}). Allowed is one array of objects of up to"
        f" {LINE_BYTES_MAX:,} characters each, or one object a line. Mend it there and send it again."
    )
