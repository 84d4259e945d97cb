"""What a gzip or zstd file unfolds to: written beside it, a piece at a time, up to the limit.

Neighbours: ``files`` asks whether a file is compressed, and reads what comes out by its content. It refuses archives of
several files, what unfolds to more than the policy allows, and what is compressed twice.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pyarrow as pa

from pipeline_core.errors import Unreadable
from pipeline_core.sources.opened import Asked

_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_PIECE_BYTES = 1_048_576


def kind(head: bytes) -> str | None:
    """Say what a file is compressed with.

    Parameters
    ----------
    head : bytes
        The beginning of the file.

    Returns
    -------
    str or None
        gzip, zstd, or None: it is not.
    """
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), None)


def unfold(asked: Asked, *, only: int | None = None) -> Path:
    """Unfold a compressed file into the folder for work.

    Parameters
    ----------
    asked : Asked
        The file, its limit, the folder.
    only : int or None
        About so many bytes from its beginning; None: all.

    Returns
    -------
    Path
        What it unfolded to.

    Raises
    ------
    Unreadable
        It unfolds to more than the limit, or is torn.
    """
    with asked.path.open("rb") as file:
        name = kind(file.read(4))
    written = 0
    with (
        tempfile.NamedTemporaryFile(dir=asked.work, prefix="unfolded-", delete=False) as out,
        pa.OSFile(str(asked.path)) as raw,
        pa.CompressedInputStream(raw, name) as stream,
    ):
        while piece := stream.read(_PIECE_BYTES):
            written += len(piece)
            if written > asked.limit:
                raise Unreadable(
                    f"File {asked.label!r} unfolds to more than {asked.limit:,} bytes, which the policy allows (a"
                    " multiple of upload_bytes_max). Split it into several batches."
                )
            out.write(piece)
            if only is not None and written >= only:
                break
    return Path(out.name)
