"""What a file holds: one table with its columns as they arrived, or one sentence why not.

Content decides before the name does: a Parquet file called ``.csv`` is read as Parquet. Neighbours:
``delimited`` and ``jsonlines`` read the two text formats; ``stages.validation`` gives the columns the
schema's types. It refuses to guess encodings, to unpack archives and to load pickles.
"""

from __future__ import annotations

import codecs
import hashlib
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from pipeline_core.errors import NotFound, Unreadable
from pipeline_core.policy import Policy
from pipeline_core.sources import delimited, jsonlines, parquet

NAME_CHARACTERS_MAX = 128
# a small file can unfold into gigabytes (dictionaries, compression): the limit is on what it unfolds to
UNFOLDED_FACTOR = 4

_HEAD_BYTES = 65_536
_CHUNK_BYTES = 4_194_304
_SHOWN = 40
_PARQUET = b"PAR1"
_FOREIGN = {
    b"PK\x03\x04": "a zip archive or an Excel workbook",
    b"\x1f\x8b": "compressed with gzip",
    b"\x28\xb5\x2f\xfd": "compressed with zstd",
    b"BZh": "compressed with bzip2",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"%PDF": "a PDF document",
    b"SQLite format 3": "an SQLite database",
    b"ARROW1": "an Arrow file",
    b"ORC": "an ORC file",
    b"Obj\x01": "an Avro file",
    b"\x89HDF": "an HDF5 file",
    b"\x80\x03": "a Python pickle, which is never loaded",
    b"\x80\x04": "a Python pickle, which is never loaded",
    b"\x80\x05": "a Python pickle, which is never loaded",
    b"\xff\xfe": "text in UTF-16",
    b"\xfe\xff": "text in UTF-16",
}
_ENCODINGS = {
    "cp949": "CP949 (Korean)",
    "shift_jis": "Shift JIS (Japanese)",
    "gb18030": "GB18030 (Chinese)",
    "cp1252": "Windows-1252 (Western European)",
}
_ALLOWED = "Allowed are CSV in UTF-8, Parquet and JSON lines"


def read(path: Path | str, *, name: str | None = None, policy: Policy) -> pa.Table:
    """Read a file into a table with the columns as they arrived.

    CSV takes ``,``, ``;``, tab or ``|`` between fields and needs a header; the cells named in
    ``delimited.NULL_WORDS`` (blank, NA, NaN, null, ? ...) are nulls, codes with leading zeros stay
    text. Nested values become JSON text. Names are trimmed and normalised (NFC).

    Parameters
    ----------
    path : Path or str
        The file.
    name : str or None
        What a person calls it, if the path is a temporary one.
    policy : Policy
        ``columns_max`` and ``upload_bytes_max``.

    Returns
    -------
    pa.Table
        At least one row; names unique whatever their case, without control characters.

    Raises
    ------
    NotFound
        There is no such file.
    Unreadable
        It is no table of an allowed format, or breaks a limit; the sentence says which.
    """
    path = _existing(path)
    label = _printable(name or path.name)
    size = path.stat().st_size
    if size > policy.upload_bytes_max:
        raise Unreadable(
            f"File {label!r} has {size:,} bytes; policy allows {policy.upload_bytes_max:,}. Split it into several"
            " batches, or raise upload_bytes_max in the policy."
        )
    try:
        table = _read_by_content(path, label, policy)
    except (pa.ArrowException, OSError) as error:
        raise Unreadable(_foreign_sentence(label, error)) from error
    return _checked(table, label, policy)


def sha256(path: Path | str) -> str:
    """Name the content of a file: the same bytes are the same batch.

    Parameters
    ----------
    path : Path or str
        The file.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    NotFound
        There is no such file.
    """
    with _existing(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _existing(path: Path | str) -> Path:
    path = Path(path)
    if not path.is_file():
        raise NotFound(f"There is no file {_printable(str(path), most=200)!r}. Check the path; a folder is not read.")
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        raise Unreadable(
            f"The path {_printable(str(path), most=200)!r} is not valid UTF-8, which is what the readers of files take."
            " Rename the file or its folder."
        ) from None
    return path


def _read_by_content(path: Path, label: str, policy: Policy) -> pa.Table:
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if not head.strip():
        raise Unreadable(f"File {label!r} is empty. {_ALLOWED}, with at least one row.")
    if head.startswith(_PARQUET):
        return _read_parquet(path, label, policy)
    foreign = next((what for magic, what in _FOREIGN.items() if head.startswith(magic)), None)
    if foreign is None and b"\0" in head:
        foreign = "binary (it holds zero bytes)"
    if foreign is not None:
        raise Unreadable(f"File {label!r} is {foreign}. {_ALLOWED}: export or unpack it first.")
    _check_encoding(path, label)
    if jsonlines.looks_like(head):
        return jsonlines.read(path, label)
    # only a header is read before the body, so that a table that is too wide costs nothing
    delimiter, names = delimited.header(head, label)
    _check_names([n for n in _normalised(names) if n], label, policy)
    return delimited.read(path, label, delimiter=delimiter, names=names)


def _read_parquet(path: Path, label: str, policy: Policy) -> pa.Table:
    _check_names(_normalised(parquet.names(path)), label, policy)
    return parquet.read(path, label, limit=UNFOLDED_FACTOR * policy.upload_bytes_max)


def _checked(table: pa.Table, label: str, policy: Policy) -> pa.Table:
    names = _normalised(table.column_names)
    _check_names(names, label, policy)
    if not table.num_rows:
        raise Unreadable(f"File {label!r} has columns but no rows. Send it again when it has at least one.")
    return pa.table([_plain(c) for c in table.columns], names=names)


def _normalised(names: Sequence[str]) -> list[str]:
    return [unicodedata.normalize("NFC", n).strip() for n in names]


def _check_names(names: Sequence[str], label: str, policy: Policy) -> None:
    if len(names) > policy.columns_max:
        raise Unreadable(
            f"File {label!r} has {len(names):,} columns; policy allows {policy.columns_max:,}. Leave out columns, or"
            " raise columns_max in the policy."
        )
    seen: dict[str, str] = {}
    for position, name in enumerate(names, start=1):
        trouble = _name_trouble(name)
        if trouble:
            raise Unreadable(
                f"File {label!r}: column {position} {trouble}; names of 1 to {NAME_CHARACTERS_MAX} visible characters"
                " are allowed. Rename it in the file."
            )
        twin = seen.get(name.casefold())
        seen[name.casefold()] = name
        if twin is not None:
            raise Unreadable(
                f"File {label!r} has the columns {_printable(twin)!r} and {_printable(name)!r}, which differ in nothing"
                " but case, if at all. Rename one of them; if these are values, the header row is missing."
            )


def _name_trouble(name: str) -> str | None:
    if not name:
        return "has no name"
    if len(name) > NAME_CHARACTERS_MAX:
        return f"has a name of {len(name):,} characters ({_printable(name)!r})"
    hidden = next((c for c in name if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}), None)
    if hidden is not None:
        return f"({_printable(name)!r}) holds the control or direction character U+{ord(hidden):04X}"
    return None


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return parquet.within_calendar(column)
    parts = [parquet.plain(chunk) for chunk in column.chunks]
    return pa.chunked_array(parts) if parts else column


def _check_encoding(path: Path, label: str) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset = 0
    with path.open("rb") as file:
        while True:
            chunk = file.read(_CHUNK_BYTES)
            held = len(decoder.getstate()[0])
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                place = offset - held + error.start
                raise Unreadable(_encoding_sentence(label, place, error.object[: error.end + _HEAD_BYTES])) from error
            if not chunk:
                return
            offset += len(chunk)


def _encoding_sentence(label: str, place: int, around: bytes) -> str:
    fits = [name for codec, name in _ENCODINGS.items() if _decodes(around, codec)]
    guess = f"it may be {' or '.join(fits)}" if fits else "its encoding is unknown"
    return (
        f"File {label!r} is not UTF-8 (first wrong byte at position {place:,}); {guess}. Only UTF-8 is allowed,"
        " because a wrong guess would change names and categories silently. Save it as UTF-8 and send it again."
    )


def _decodes(around: bytes, codec: str) -> bool:
    try:
        codecs.getincrementaldecoder(codec)().decode(around)
    except UnicodeDecodeError:
        return False
    return True


def _foreign_sentence(label: str, error: Exception) -> str:
    cause = _printable(str(error).split("\n", maxsplit=1)[0], most=300).rstrip(". ")
    return f"File {label!r} cannot be read: {cause}. {_ALLOWED}. Write it again and check that it arrived whole."


def _printable(text: str, *, most: int = _SHOWN) -> str:
    # what a stranger wrote goes into messages, terminals and logs: nothing invisible, nothing endless
    shown = "".join(c if c.isprintable() else "�" for c in text)
    return shown if len(shown) <= most else f"{shown[:most]}…"
