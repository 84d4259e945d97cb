"""gzip and zstd of every format, up to the limit and no further."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline_core.errors import Unreadable
from pipeline_core.policy import Policy
from pipeline_core.sources import files
from tests.core.sources.conftest import Take
from tests.core.sources.workbooks import workbook


def zstd(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as out:
        out.write(content)
    return bytes(sink.getvalue())


def parquet() -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"a": [1, 2]}), buffer)
    return buffer.getvalue()


PACKERS = pytest.mark.parametrize("pack", [gzip.compress, zstd])


@PACKERS
@pytest.mark.parametrize(
    "content",
    [b"a\n1\n2\n", b'{"a": 1}\n{"a": 2}\n', parquet(), workbook({"s": [["a"], [1], [2]]})],
    ids=["csv", "json", "parquet", "excel"],
)
def test_content_decides_below_as_well(take: Take, pack: Callable[[bytes], bytes], content: bytes) -> None:
    assert take(pack(content)).table.to_pylist() == [{"a": 1}, {"a": 2}]


def test_several_members_are_one_file(take: Take) -> None:
    assert take(gzip.compress(b"a\n1\n") + gzip.compress(b"2\n")).table.to_pylist() == [{"a": 1}, {"a": 2}]


@PACKERS
def test_a_bomb_is_stopped_at_the_limit(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "t.csv.gz"
    path.write_bytes(pack(b"a\n" + b"1\n" * 5_000_000))
    work = tmp_path / "work"
    work.mkdir()
    with pytest.raises(Unreadable, match="unfolds to more than 400,000 bytes"):
        files.open_file(path, policy=Policy(upload_bytes_max=100_000), work=work)
    assert sum(p.stat().st_size for p in work.iterdir()) <= 400_000


@PACKERS
def test_a_preview_unfolds_only_the_beginning(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "t.csv.gz"
    path.write_bytes(pack(b"a,b\n" + b"1,x\n" * 2_000_000))
    table, unpacked = files.peek(path, policy=Policy(), work=tmp_path, rows=3)
    assert table.to_pylist() == [{"a": 1, "b": "x"}] * 3
    assert unpacked.rows < 500_000
    assert max(p.stat().st_size for p in tmp_path.iterdir() if p != path) <= 2_097_152


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (gzip.compress(b"a\n1\n" * 1_000)[:-12], "cannot be read"),
        (zstd(b"a\n1\n" * 1_000)[:-4], "cannot be read"),
        (b"\x1f\x8b\x08\x00", "cannot be read|is empty"),
        (gzip.compress(b""), "is empty"),
        (gzip.compress(gzip.compress(b"a\n1\n")), "is compressed twice"),
    ],
    # gzip writes the time into its head, and every worker must find the same names
    ids=["gzip cut", "zstd cut", "gzip head", "gzip of nothing", "gzip twice"],
)
def test_what_is_torn_or_packed_twice(take: Take, content: bytes, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        take(content)
