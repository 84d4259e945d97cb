"""Files as they come: right readings with exact figures, and one sentence for everything else."""

from __future__ import annotations

import hashlib
import io
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline_core.errors import NotFound, Unreadable
from pipeline_core.policy import Policy
from pipeline_core.records import Reading
from pipeline_core.sources import files
from tests.core.sources.conftest import Take

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
        (zipped(), "a zip archive, and no Excel workbook"),
        (b"x" * 257 + b"ustar", "a tar archive"),
        (b"BZh91AY", "compressed with bzip2"),
        (pickle.dumps([1], 2), "pickle, which is never loaded"),
        (pickle.dumps([1]), "pickle, which is never loaded"),
        (b"a,b\n1,\x002\n", "holds zero bytes"),
        (b"PAR1 and then nothing of the kind", "cannot be read"),
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


UGLY = {
    "adult_test_no_header.csv": (
        ["header"],
        Reading(header=False, names=tuple("abcdefghijklmno")),
        (16_281, 15),
    ),
    "air_quality_decimal_comma.csv": ([], Reading(nulls=("-200",)), (9_357, 15)),
    "incheon_airport_cp949.csv": (["encoding"], Reading(encoding="cp949"), (222, 10)),
    "wine_quality_red.csv": ([], Reading(), (1_599, 12)),
}


@pytest.mark.parametrize("name", UGLY)
def test_ugly_files_read_as_their_readme_says(take: Take, real_data: Path, name: str) -> None:
    blocking, reading, shape = UGLY[name]
    path = real_data / "ugly" / name
    assert take(path).blocking == blocking
    told = take(path, **{f.name: getattr(reading, f.name) for f in fields(reading)})
    assert (told.blocking, told.table.shape) == ([], shape)
    # what is used can be said of the next file, and then reads the same
    again = take(path, **{f.name: getattr(told.reading, f.name) for f in fields(reading)})
    assert (again.table.equals(told.table), again.blocking, again.reading) == (True, [], told.reading)


def test_ugly_values(take: Take, real_data: Path) -> None:
    ugly = real_data / "ugly"
    wine = take(ugly / "wine_quality_red.csv").table
    assert [str(t) for t in wine.schema.types] == ["double"] * 11 + ["int64"]
    told = take(ugly / "air_quality_decimal_comma.csv", nulls=("-200",))
    assert told.table["CO(GT)"].slice(0, 2).to_pylist() == [2.6, 2.0]
    assert told.table["Date"][0].as_py().isoformat() == "2004-03-10T00:00:00"
    assert told.changes("CO(GT)") == {"decimal_comma": 7_220, "null_word": 1_683}
    assert told.unpacked.notes == ("114 empty rows at the end left out.", "2 empty columns without a name left out.")
    markers = [d for d in take(ugly / "air_quality_decimal_comma.csv").doubts if d.topic == "nulls"]
    assert [d.options for d in markers] == [("-200",)]
    incheon = take(ugly / "incheon_airport_cp949.csv").table
    assert (incheon.column_names[0], incheon.column(0)[0].as_py()) == ("기간", "2002-01")
    adult = take(ugly / "adult_test_no_header.csv", header=False)
    assert set(adult.table["column_15"].to_pylist()) == {"<=50K.", ">50K."}
    assert (adult.table["column_2"].null_count, adult.changes("column_2")["null_word"]) == (963, 963)


# --- previews -----------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "cp949", "utf-16"])
def test_a_preview_reads_only_the_beginning(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(("이름,값\n" + "가나다,1\n" * 400_000 + "x\n").encode(encoding))
    table, unpacked = files.peek(path, policy=POLICY, work=tmp_path, rows=2)
    assert table.to_pylist() == [{"이름": "가나다", "값": 1}] * 2
    assert 20_000 < unpacked.rows < 150_000
    assert [d.topic for d in unpacked.doubts] == (["encoding"] if encoding == "cp949" else [])


@pytest.mark.parametrize("array", [False, True])
def test_a_preview_of_json(tmp_path: Path, array: bool) -> None:
    path = tmp_path / "t.json"
    rows = ['{"a": 1, "b": "x"}'] * 200_000
    path.write_text("[" + ",\n".join(rows) + "]" if array else "\n".join(rows))
    table, unpacked = files.peek(path, policy=POLICY, work=tmp_path, rows=2)
    assert table.to_pylist() == [{"a": 1, "b": "x"}] * 2
    assert unpacked.rows < 100_000


def test_a_preview_of_a_small_file_is_all_of_it(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\n1,2\n3\n")
    with pytest.raises(Unreadable, match="row 3 '3' has 1 fields"):
        files.peek(path, policy=POLICY, work=tmp_path)


def test_a_told_format_settles_text(take: Take) -> None:
    assert take('{"a"}\nx\n', format="csv").table.to_pylist() == [{'{"a"}': "x"}]
    with pytest.raises(Unreadable, match="line 1 is not JSON"):
        take("a,b\n1,2\n", format="json")
