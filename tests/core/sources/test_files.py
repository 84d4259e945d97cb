"""Files as they come: right readings with exact figures, and one sentence for everything else."""

from __future__ import annotations

import hashlib
import io
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline_core.errors import NotFound, Unreadable
from pipeline_core.policy import Policy
from pipeline_core.sources import files

POLICY = Policy()


@pytest.fixture
def put(tmp_path: Path) -> Callable[[str, bytes], Path]:
    def write(name: str, content: bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


def parquet(path: Path, table: pa.Table) -> Path:
    pq.write_table(table, path)
    return path


# --- what is read -------------------------------------------------------------------------------


def test_content_decides_before_the_extension(tmp_path: Path, put: Callable[[str, bytes], Path]) -> None:
    expected = [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
    table = pa.table({"a": [1, 2], "b": ["x", "y"]})
    assert files.read(parquet(tmp_path / "t.csv", table), policy=POLICY).to_pylist() == expected
    assert files.read(put("t.parquet", b"a,b\n1,x\n2,y\n"), policy=POLICY).to_pylist() == expected
    lines = b'{"a":1,"b":"x"}\n{"a":2,"b":"y"}\n'
    assert files.read(put("t.txt", lines), policy=POLICY).to_pylist() == expected


def test_parquet_types_arrive_as_they_are_and_exotic_ones_as_plain_columns(tmp_path: Path) -> None:
    table = pa.table({
        "small": pa.array([1, None], pa.int8()),
        "level": pa.array(["x", "y"]).dictionary_encode(),
        "large": pa.array(["x", None], pa.large_string()),
        "nested": pa.array([{"k": 1}, None]),
        "list": pa.array([[1, 2], None]),
        "bytes": pa.array([b"ab", b"\xff"]),
        "clock": pa.array([1, None], pa.time32("s")),
        "day": pa.array([1, None], pa.date32()),
        "nothing": pa.nulls(2),
    })
    read = files.read(parquet(tmp_path / "t.parquet", table), policy=POLICY)
    kinds = {name: str(read.schema.field(name).type) for name in read.column_names}
    assert kinds == {
        "small": "int8",
        "level": "string",
        "large": "string",
        "nested": "string",
        "list": "string",
        "bytes": "string",
        "clock": "string",
        "day": "date32[day]",
        "nothing": "null",
    }
    assert read.slice(0, 1).to_pylist()[0] | {"day": None} == {
        "small": 1,
        "level": "x",
        "large": "x",
        "nested": '{"k": 1}',
        "list": "[1, 2]",
        "bytes": "ab",
        "clock": "00:00:01",
        "day": None,
        "nothing": None,
    }
    assert read["bytes"][1].as_py() == "\\xff"


def test_names_are_trimmed_and_normalised(put: Callable[[str, bytes], Path]) -> None:
    read = files.read(put("t.csv", " caf\u0065\u0301 ,b\n1,2\n".encode()), policy=POLICY)
    assert read.column_names == ["caf\u00e9", "b"]


def test_a_content_has_one_name(put: Callable[[str, bytes], Path]) -> None:
    assert files.sha256(put("a.csv", b"a\n1\n")) == hashlib.sha256(b"a\n1\n").hexdigest()
    with pytest.raises(NotFound, match="There is no file"):
        files.sha256("/nowhere/a.csv")


def test_a_wide_and_long_csv_is_read_whole(put: Callable[[str, bytes], Path]) -> None:
    buffer = io.StringIO()
    buffer.write(",".join(f"n{i}" for i in range(20)) + "\n")
    for row in range(50_000):
        buffer.write(",".join(str(row + i) for i in range(20)) + "\n")
    buffer.write(",".join(["x"] * 20) + "\n")
    read = files.read(put("t.csv", buffer.getvalue().encode()), policy=POLICY)
    assert (read.num_rows, read.num_columns) == (50_001, 20)
    assert read["n3"][50_000].as_py() == "x"
    assert read["n3"][49_999].as_py() == "50002"


# --- what is refused ----------------------------------------------------------------------------


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.csv", "a\n1\n")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b" \n \n", "is empty"),
        (b"a,b\n", "has columns but no rows"),
        (b"[]", "has columns but no rows"),
        (zipped(), "a zip archive or an Excel workbook"),
        (b"\x1f\x8b\x08\x00", "compressed with gzip"),
        (pickle.dumps([1]), "pickle, which is never loaded"),
        ("a,b\n1,2\n".encode("utf-16"), "text in UTF-16"),
        (b"a,b\n1,\x002\n", "holds zero bytes"),
        (b"PAR1 and then nothing of the kind", "cannot be read"),
        ("이름,값\n가,1\n".encode("cp949"), "CP949 (Korean)"),
        ("name,straße\nMüller,1\n".encode("cp1252"), "Windows-1252"),
        (b"a,b\n1,2\n" + b"\xe9" * 10 + b"\n", "first wrong byte at position 8"),
        (b"a,A\n1,2\n", "differ in nothing but case"),
        (b"a,a\n1,2\n", "differ in nothing but case"),
        (b"a,\n1,2\n", "column 2 has no name"),
        (b"a," + b"x" * 129 + b"\n1,2\n", "a name of 129 characters"),
        ("a,b\u202egnp\n1,2\n".encode(), r"U\+202E"),
        (b"a,b\x07\n1,2\n", r"U\+0007"),
        (b'{"a": 1}\n{"a": \n', "line 2 is not JSON"),
    ],
)
def test_everything_else_ends_in_a_sentence(put: Callable[[str, bytes], Path], content: bytes, said: str) -> None:
    with pytest.raises(Unreadable, match=said.replace("(", r"\(").replace(")", r"\)")) as refused:
        files.read(put("upload.csv", content), name="income\u202e.csv", policy=POLICY)
    assert "\u202e" not in refused.value.message
    assert "income�.csv" in refused.value.message


def test_a_wrong_byte_far_into_the_file_is_found(put: Callable[[str, bytes], Path]) -> None:
    content = b"a\n" + b"1\n" * 3_000_000 + b"\xff\n"
    with pytest.raises(Unreadable, match="position 6,000,002"):
        files.read(put("t.csv", content), policy=POLICY)


def test_a_letter_across_two_chunks_is_no_error(put: Callable[[str, bytes], Path]) -> None:
    head = b"a,b\n"
    filler = b"x" * (files._CHUNK_BYTES - len(head) - 1)
    read = files.read(put("t.csv", head + filler + "é,1\n".encode()), policy=POLICY)
    assert read["a"][0].as_py()[-2:] == "xé"


def test_limits_of_the_policy(tmp_path: Path, put: Callable[[str, bytes], Path]) -> None:
    wide = ",".join(f"c{i}" for i in range(2_001)) + "\n" + ",".join("1" for _ in range(2_001)) + "\n"
    with pytest.raises(Unreadable, match=r"2,001 columns; policy allows 2,000"):
        files.read(put("t.csv", wide.encode()), policy=POLICY)
    small = replace(POLICY, upload_bytes_max=10)
    with pytest.raises(Unreadable, match="has 13 bytes; policy allows 10"):
        files.read(put("t.csv", b"a,b\n1,2\n3,4\n\n"), policy=small)
    # 100,000 times one long text is a small file and a large table
    bomb = parquet(tmp_path / "bomb.parquet", pa.table({"a": ["x" * 2_000] * 100_000}))
    size = bomb.stat().st_size
    assert size < 100_000
    with pytest.raises(Unreadable, match="unfolds to more than 400,000 bytes"):
        files.read(bomb, policy=replace(POLICY, upload_bytes_max=100_000))


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="a folder is not read"):
        files.read(tmp_path, policy=POLICY)


def test_every_truncation_of_a_parquet_file_is_a_sentence(tmp_path: Path) -> None:
    whole = parquet(tmp_path / "t.parquet", pa.table({"a": list(range(50)), "b": ["x"] * 50})).read_bytes()
    path = tmp_path / "cut.parquet"
    for length in range(4, len(whole) - 1, 37):
        path.write_bytes(whole[:length])
        with pytest.raises(Unreadable, match="cannot be read"):
            files.read(path, policy=POLICY)


# --- the difficult files of the data folder -----------------------------------------------------


def test_ugly_files(real_data: Path) -> None:
    ugly = real_data / "ugly"
    wine = files.read(ugly / "wine_quality_red.csv", policy=POLICY)
    assert (wine.num_rows, wine.num_columns) == (1_599, 12)
    assert {str(t) for t in wine.schema.types[:-1]} == {"double"}
    assert str(wine.schema.field("quality").type) == "int64"
    air = files.read(ugly / "air_quality_decimal_comma.csv", policy=POLICY)
    assert (air.num_rows, air.num_columns) == (9_357, 15)
    assert air["CO(GT)"][0].as_py() == pytest.approx(2.6)
    with pytest.raises(Unreadable, match="CP949"):
        files.read(ugly / "incheon_airport_cp949.csv", policy=POLICY)
    with pytest.raises(Unreadable, match="looks like values, not names"):
        files.read(ugly / "adult_test_no_header.csv", policy=POLICY)
