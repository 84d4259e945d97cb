"""What is in a row, as a number, and what is in a table, as a name: equal content gives equal keys on every machine.

Neighbours: ``stages.training`` holds rows out by their keys, ``flows.datasets`` names datasets, ``flows.overlaps`` looks
for fitted rows among those to judge on. It refuses to tell ``-0.0`` from ``0.0``, and a row from its twin.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline_core.records import ColumnType

_ODD = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)

Keys = npt.NDArray[np.uint64]


def head(key: bytes) -> bytes:
    """Give the first eight bytes of the md5 of a key.

    Parameters
    ----------
    key : bytes
        Of any length.

    Returns
    -------
    bytes
    """
    return hashlib.md5(key, usedforsecurity=False).digest()[:8]


def eight_bytes(values: pa.ChunkedArray, kind: ColumnType) -> Keys:
    """Give each cell of a column as eight bytes; what is null gives zeros.

    Parameters
    ----------
    values : pa.ChunkedArray
        The column.
    kind : ColumnType
        What it is read as: a category by the hash of its text, a time by its microseconds, a number by its bits.

    Returns
    -------
    np.ndarray of uint64

    Examples
    --------
    >>> eight_bytes(pa.chunked_array([[0.0, -0.0, None, 1.0]]), ColumnType.NUMBER)
    array([                  0,                   0,                   0,
           4607182418800017408], dtype=uint64)
    """
    if kind is ColumnType.CATEGORY:
        levels = values.cast(pa.string()).combine_chunks().dictionary_encode()
        heads = b"".join(head(level.encode()) for level in levels.dictionary.to_pylist())
        known = np.frombuffer(heads + bytes(8), dtype="<u8")
        return known[levels.indices.fill_null(len(levels.dictionary)).to_numpy()]
    if kind is ColumnType.TIMESTAMP:
        micros = values.cast(pa.timestamp("us")).cast(pa.int64()).fill_null(0)
        return micros.to_numpy().astype("<i8").view("<u8")
    # + 0.0 makes -0.0 the same value as 0.0
    return (values.cast(pa.float64()).fill_null(0.0).to_numpy() + 0.0).astype("<f8").view("<u8")


def row_hashes(rows: pa.Table, columns: Sequence[tuple[str, ColumnType]]) -> Keys:
    """Give a hash of the named cells of each row.

    Parameters
    ----------
    rows : pa.Table
        Typed rows.
    columns : sequence of (str, ColumnType)
        Which columns, in this order; one that the table does not have counts as null.

    Returns
    -------
    np.ndarray of uint64, shape (rows,)
        Two different rows share a hash with a chance of about 2 ** -64.
    """
    found = np.zeros(rows.num_rows, dtype=np.uint64)
    for name, kind in columns:
        if name in rows.column_names:
            values = rows.column(name)
            known, cells = values.is_valid().to_numpy().astype(np.uint64), eight_bytes(values, kind)
        else:
            known = cells = np.zeros(rows.num_rows, dtype=np.uint64)
        found = _mixed(_mixed(found ^ cells) + known)
    return found


def _mixed(keys: Keys) -> Keys:
    """Mix the bits of each key (splitmix64): near keys end far apart."""
    mixed = keys + _ODD
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _FIRST
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _SECOND
    return mixed ^ (mixed >> np.uint64(31))


def content_sha256(table: pa.Table) -> str:
    """Name the content of a table: the values of its columns by name, in the order of its rows.

    Parameters
    ----------
    table : pa.Table
        Of numbers, times and text.

    Returns
    -------
    str
        64 hexadecimal digits; the order of columns, the chunks and the width of whole numbers do not change it.
    """
    digest = hashlib.sha256(f"{table.num_rows} rows".encode())
    for name in sorted(table.column_names):
        values = table.column(name)
        digest.update(f"\0{name}\0".encode())
        digest.update(np.packbits(values.is_valid().to_numpy()).tobytes())
        digest.update(_bytes(values))
    return digest.hexdigest()


def _bytes(values: pa.ChunkedArray) -> bytes:
    kind = values.type
    if pa.types.is_timestamp(kind):
        return eight_bytes(values, ColumnType.TIMESTAMP).tobytes()
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        # the texts whole, in the order in which they first come, and which one stands in each row
        levels = values.cast(pa.string()).combine_chunks().dictionary_encode()
        places = levels.indices.fill_null(-1).to_numpy().astype("<i8")
        return json.dumps(levels.dictionary.to_pylist()).encode() + b"\0" + places.tobytes()
    return eight_bytes(values, ColumnType.NUMBER).tobytes()
