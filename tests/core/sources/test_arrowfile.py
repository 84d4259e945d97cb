"""Arrow files and streams: types, slices, and buffers that lie."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from pipeline_core.errors import Unreadable
from pipeline_core.sources import arrowfile
from tests.core.sources.conftest import Take

TABLE = pa.table({
    "a": pa.array([1, None], pa.int8()),
    "s": pa.array(["x", "y"]).dictionary_encode(),
    "far": pa.array([0, 2**62], pa.timestamp("us", "UTC")),
    "list": pa.array([[1], None]),
})
ROWS = [
    {"a": 1, "s": "x", "far": "1970-01-01 00:00:00.000000", "list": "[1]"},
    {"a": None, "s": "y", "far": str(2**62), "list": None},
]


def written(table: pa.Table, *, stream: bool, **options: object) -> bytes:
    sink = pa.BufferOutputStream()
    make = pa.ipc.new_stream if stream else pa.ipc.new_file
    with make(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as out:
        out.write_table(table)
    return bytes(sink.getvalue())


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("compression", [None, "zstd", "lz4"])
def test_files_and_streams(take: Take, stream: bool, compression: str | None) -> None:
    told = take(written(TABLE, stream=stream, compression=compression))
    assert told.table.to_pylist() == ROWS
    assert told.reading.format == "arrow"


def test_one_batch_of_many_rows_is_sliced(tmp_path: Path) -> None:
    from pipeline_core.policy import Policy
    from pipeline_core.sources import files

    path = tmp_path / "t.arrow"
    path.write_bytes(written(pa.table({"a": list(range(150_000))}), stream=False))
    with files.open_file(path, policy=Policy(), work=tmp_path) as incoming:
        assert [p.num_rows for p in incoming.slices()] == [65_536, 65_536, 18_928]


def test_a_dictionary_bomb_is_stopped(take: Take) -> None:
    bomb = pa.DictionaryArray.from_arrays(pa.array([0] * 100_000, pa.int32()), pa.array(["x" * 100_000]))
    with pytest.raises(Unreadable, match="unfolds to more than 2,000,000,000 bytes"):
        take(written(pa.table({"a": bomb}), stream=False))


def test_offsets_that_point_nowhere_are_found(take: Take) -> None:
    bad = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.py_buffer(b"\x00\x00\x00\x00\xff\xff\x00\x00\x04\x00\x00\x00"), pa.py_buffer(b"abcd")]
    )
    with pytest.raises(Unreadable, match="cannot be read"):
        take(written(pa.table({"a": bad}), stream=True))


@pytest.mark.parametrize("stream", [False, True])
def test_every_truncation_is_a_sentence(take: Take, stream: bool) -> None:
    whole = written(TABLE, stream=stream)
    for length in range(12, len(whole) - 12, 61):
        try:
            told = take(whole[:length])
        except Unreadable as refused:
            assert "t.csv" in refused.message
        else:
            assert told.table.to_pylist() == ROWS  # only the mark of the end is gone


def test_no_rows_and_beginnings(take: Take) -> None:
    with pytest.raises(Unreadable, match="no rows"):
        take(written(TABLE.slice(0, 0), stream=False))
    assert arrowfile.looks_like(b"ARROW1\0\0")
    assert arrowfile.looks_like(b"\xff\xff\xff\xff\x10\x00\x00\x00\x00")
    assert not arrowfile.looks_like(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff")
    assert not arrowfile.looks_like(b"a,b\n")
