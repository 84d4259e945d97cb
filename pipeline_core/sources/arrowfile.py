"""What an Arrow file or stream (IPC, Feather 2) holds, slice by slice.

Its buffers are used where they lie in the file, so every batch is checked before anything follows an offset in it.
Neighbours: ``parquet`` unfolds and slices the batches, ``simple`` gives each column a simple type. It refuses what the
checks of Arrow find broken.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pyarrow as pa

from pipeline_core.records import Reading
from pipeline_core.sources import naming, parquet, simple
from pipeline_core.sources.cells import null_words
from pipeline_core.sources.opened import Asked, Ledger, Opened

_FILE = b"ARROW1"
_STREAM = b"\xff\xff\xff\xff"
_MESSAGE_BYTES_MAX = 100_000_000


def looks_like(head: bytes) -> bool:
    """Say whether a file begins like an Arrow file or stream.

    Parameters
    ----------
    head : bytes
        The beginning of the file.

    Returns
    -------
    bool
    """
    if head.startswith(_FILE):
        return True
    return head.startswith(_STREAM) and len(head) > 8 and 0 < struct.unpack("<i", head[4:8])[0] < _MESSAGE_BYTES_MAX


def open_(asked: Asked) -> Opened:
    """Open an Arrow file or stream.

    Parameters
    ----------
    asked : Asked
        The file and its limit.

    Returns
    -------
    Opened

    Raises
    ------
    Unreadable
        It breaks a rule about names.
    """
    with asked.path.open("rb") as file:
        is_file = file.read(len(_FILE)) == _FILE

    def batches() -> Iterator[pa.RecordBatch]:
        # mapped: a batch may be as large as the file
        with pa.memory_map(str(asked.path)) as mapped:
            for batch in _batches(mapped, is_file=is_file):
                batch.validate(full=True)
                yield batch

    with pa.memory_map(str(asked.path)) as mapped:
        arrow = (pa.ipc.open_file(mapped) if is_file else pa.ipc.open_stream(mapped)).schema
    names = naming.checked(arrow.names, asked.label, asked.policy)
    shown = pa.schema([(name, field.type) for name, field in zip(names, arrow, strict=True)])
    beyond = parquet.beyond_calendar(b.rename_columns(names) for b in batches())
    schema = pa.schema([(f.name, pa.string() if f.name in beyond else simple.simple_type(f.type)) for f in shown])

    def parts(ledger: Ledger) -> Iterator[pa.Table]:
        return parquet.unfolded(batches() if names else (), schema, asked, ledger)

    return Opened(schema=schema, parts=parts, reading=Reading(format="arrow", nulls=null_words(asked)))


def _batches(mapped: pa.MemoryMappedFile, *, is_file: bool) -> Iterator[pa.RecordBatch]:
    if not is_file:
        yield from pa.ipc.open_stream(mapped)
        return
    reader = pa.ipc.open_file(mapped)
    for position in range(reader.num_record_batches):
        yield reader.get_batch(position)
