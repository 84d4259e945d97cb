"""What a file holds: its columns as they arrived, slice by slice, or one sentence why not.

Content decides before the name does: a Parquet file called ``.csv`` is read as Parquet. Neighbours: one module a format
(``delimited``, ``jsonlines``, ``parquet``, ``arrowfile``, ``excel``) understands it, ``compressed`` unpacks it before,
``texts`` finds the encoding; ``stages.validation`` gives the columns the schema's types. It refuses to guess silently
(a choice that the content does not settle is a doubt), to unpack archives of several files and to load pickles.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from pipeline_core.errors import NotFound, Unreadable
from pipeline_core.policy import Policy
from pipeline_core.records import Reading, Unpacked
from pipeline_core.sources import arrowfile, compressed, delimited, excel, jsonlines, parquet, texts
from pipeline_core.sources.incoming import ALLOWED, Incoming, Translated
from pipeline_core.sources.opened import Asked, Opened, printable

_HEAD_BYTES = 65_536
_PEEKED_BYTES = 1_048_576
_FOREIGN = {
    b"BZh": "compressed with bzip2",
    b"\xfd7zXZ": "compressed with xz",
    b"7z\xbc\xaf": "a 7-zip archive",
    b"Rar!": "a RAR archive",
    b"%PDF": "a PDF document",
    b"SQLite format 3": "an SQLite database",
    b"ORC": "an ORC file",
    b"Obj\x01": "an Avro file",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUMPY": "a NumPy file",
    b"\x80\x02": "a Python pickle, which is never loaded",
    b"\x80\x03": "a Python pickle, which is never loaded",
    b"\x80\x04": "a Python pickle, which is never loaded",
    b"\x80\x05": "a Python pickle, which is never loaded",
}
_NOTHING = Reading()


def open_file(
    path: Path | str,
    *,
    policy: Policy,
    work: Path,
    name: str | None = None,
    reading: Reading = _NOTHING,
    remembered: Reading = _NOTHING,
) -> Incoming:
    """Understand a file, so that its rows can be read slice by slice in bounded memory.

    Parameters
    ----------
    path : Path or str
        The file.
    policy : Policy
        ``columns_max`` and ``upload_bytes_max``.
    work : Path
        A folder for what is unfolded on the way; emptied by whoever made it.
    name : str or None
        What a person calls it, if the path is a temporary one.
    reading : Reading
        An order: where it does not fit the file, the file is refused.
    remembered : Reading
        How an earlier file was read; it settles what the content leaves open, and nothing else.

    Returns
    -------
    Incoming
        A context manager.

    Raises
    ------
    NotFound
        There is no such file.
    Unreadable
        It is no table of an allowed format, or breaks a limit; the sentence says which.
    """
    asked = _asked(path, name, reading=reading, remembered=remembered, policy=policy, work=work)
    return _opened(asked)


def read(
    path: Path | str,
    *,
    policy: Policy,
    name: str | None = None,
    reading: Reading = _NOTHING,
    work: Path | None = None,
) -> pa.Table:
    """Read a small file whole.

    Parameters
    ----------
    path : Path or str
        The file.
    policy : Policy
        As for ``open_file``.
    name : str or None
        As for ``open_file``.
    reading : Reading
        As for ``open_file``; doubts are settled by what is most likely.
    work : Path or None
        As for ``open_file``; None: a temporary one.

    Returns
    -------
    pa.Table
        At least one row.

    Raises
    ------
    NotFound
        There is no such file.
    Unreadable
        It is no table of an allowed format, or breaks a limit.
    """
    if work is None:
        with tempfile.TemporaryDirectory() as folder:
            return read(path, policy=policy, name=name, reading=reading, work=Path(folder))
    with open_file(path, policy=policy, work=work, name=name, reading=reading) as incoming:
        return pa.concat_tables(incoming.slices())


def peek(
    path: Path | str,
    *,
    policy: Policy,
    work: Path,
    name: str | None = None,
    reading: Reading = _NOTHING,
    rows: int = 20,
) -> tuple[pa.Table, Unpacked]:
    """Read only the beginning of a file, for a preview.

    Parameters
    ----------
    path : Path or str
        The file.
    policy : Policy
        As for ``open_file``.
    work : Path
        As for ``open_file``.
    name : str or None
        As for ``open_file``.
    reading : Reading
        As for ``open_file``.
    rows : int
        How many are given; a few more are looked at.

    Returns
    -------
    tuple of pa.Table and Unpacked
        The rows, and what is known from the beginning alone: its doubts, its ``rows`` those looked at.

    Raises
    ------
    NotFound
        There is no such file.
    Unreadable
        Its beginning is no table of an allowed format, or breaks a limit.
    """
    asked = _asked(path, name, reading=reading, remembered=_NOTHING, policy=policy, work=work)
    with _opened(asked, partial=True) as incoming:
        first = next(iter(incoming.slices()))
        return first.slice(0, rows), incoming.unpacked()


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


def _asked(
    path: Path | str, name: str | None, *, reading: Reading, remembered: Reading, policy: Policy, work: Path
) -> Asked:
    path = _existing(path)
    label = printable(name or path.name)
    bytes_ = path.stat().st_size
    if bytes_ > policy.upload_bytes_max:
        raise Unreadable(
            f"File {label!r} has {bytes_:,} bytes; policy allows {policy.upload_bytes_max:,}. Split it into several"
            " batches, or raise upload_bytes_max in the policy."
        )
    return Asked(path=path, label=label, reading=reading, remembered=remembered, policy=policy, work=work)


def _existing(path: Path | str) -> Path:
    path = Path(path)
    if not path.is_file():
        raise NotFound(f"There is no file {printable(str(path), most=200)!r}. Check the path; a folder is not read.")
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        raise Unreadable(
            f"The path {printable(str(path), most=200)!r} is not valid UTF-8, which is what the readers of files take."
            " Rename the file or its folder."
        ) from None
    return path


def _opened(asked: Asked, *, partial: bool = False) -> Incoming:
    with Translated(asked.label):
        head = _head(asked)
        if compressed.kind(head) is not None:
            unfolded = compressed.unfold(asked, only=_PEEKED_BYTES if partial else None)
            # of a table that is no text the beginning says nothing
            if partial and _reader(_head(asked.at(unfolded)), asked) is not _text:
                unfolded = compressed.unfold(asked)
            asked = asked.at(unfolded)
            head = _head(asked)
        reader = _reader(head, asked)
        if partial and reader is _text:
            beginning = _beginning(asked)
            asked = replace(asked, path=beginning, partial=beginning != asked.path)
        return Incoming(asked, reader(asked))


def _beginning(asked: Asked) -> Path:
    """Copy the beginning of a text, if it is longer than that."""
    with asked.path.open("rb") as file:
        head = file.read(_PEEKED_BYTES)
        whole = not file.read(1)
    if whole:
        return asked.path
    end = head.rfind(b"\n") + 1
    with tempfile.NamedTemporaryFile(dir=asked.work, prefix="beginning-", delete=False) as out:
        # a letter of UTF-16 takes two bytes, of which a line end is one
        out.write(head if b"\0" in head or not end else head[:end])
    return Path(out.name)


def _head(asked: Asked) -> bytes:
    with asked.path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if not head.strip():
        raise Unreadable(f"File {asked.label!r} is empty. {ALLOWED}, with at least one row.")
    return head


def _reader(head: bytes, asked: Asked) -> Callable[[Asked], Opened]:
    if head.startswith(b"PAR1"):
        return parquet.open_
    if arrowfile.looks_like(head):
        return arrowfile.open_
    if excel.looks_like(head):
        return excel.open_
    foreign = next((what for magic, what in _FOREIGN.items() if head.startswith(magic)), None)
    if head[257:262] == b"ustar":
        foreign = "a tar archive"
    if compressed.kind(head) is not None:
        foreign = "compressed twice"
    if foreign is not None:
        raise Unreadable(f"File {asked.label!r} is {foreign}. {ALLOWED}: export or unpack it first.")
    return _text


def _text(asked: Asked) -> Opened:
    text = texts.as_utf8(asked)
    with text.path.open("rb") as file:
        file.seek(text.start)
        head = file.read(_HEAD_BYTES)
    told = asked.reading.format
    if told == "json" or (told != "csv" and jsonlines.looks_like(head)):
        return jsonlines.open_(asked, text)
    return delimited.open_(asked, text)
