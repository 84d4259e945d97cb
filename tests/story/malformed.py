"""A thousand uploads as broken senders, bad lines and attackers make them: seeded, so that each can be had again by its number.

Half are mutations of whole files in every format that is read, the rest are made by hand: bombs, bottomless lines, ten
thousand columns, hostile names, lying suffixes, pickles with a canary. ``uploads(1000)`` gives them all; fewer are every
one that must never be left out, and the rest at even steps.
"""

from __future__ import annotations

import gzip
import io
import json
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from tests.story import mutations

WHOLE = 1000
CANARY = "canary-sang"
HOSTILE = (
    "../../etc/passwd", "..\\..\\windows\\system32", "%2e%2e%2f%2e%2e%2fetc", "%252e%252e%252f", "/etc/passwd",
    "\\\\server\\share\\x", "C:\\x.csv", "nul\x00byte.csv", "x" * 400 + ".csv", "a\nb\r\tc.csv", "\u202efdp.csv",
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", '"; DROP TABLE batches; --', "'; drop table labels; --",
    "[link](javascript:alert(1))", "![x](http://127.0.0.1:1/x)", "$\\LaTeX$", "{{7*7}}", "${jndi:ldap://x}", "=1+1", "@x",
    ".", "..", "", " ", "\ud7ff\U0001f600", "Ａ.csv", "select", "x.csv.gz.zst", "CON", "-rf", "~root", "*?[]", "`id`",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Upload:
    """One upload: ``write`` puts it at a path, ``name`` is what its sender calls it; ``kind`` is for the table."""

    number: int
    kind: str
    name: str
    write: Callable[[Path], None]


@dataclass(frozen=True, slots=True)
class _Made:
    kind: str
    name: str
    write: Callable[[Path], None]
    always: bool = False


def uploads(count: int = WHOLE) -> list[Upload]:
    """Give so many of the thousand; the same ones each time."""
    made = [*_by_hand()]
    made += _mutated(WHOLE - len(made))
    numbered = [Upload(n, m.kind, m.name, m.write) for n, m in enumerate(made)]
    if count >= WHOLE:
        return numbered
    chosen = {n for n, m in enumerate(made) if m.always}
    others = [n for n in range(WHOLE) if n not in chosen]
    wanted = max(count - len(chosen), 1)
    chosen |= {others[i * len(others) // wanted] for i in range(wanted)}
    return [numbered[n] for n in sorted(chosen)]


# --- whole files, in every format ---------------------------------------------------------------


@cache
def _table() -> pa.Table:
    return mutations.loans(300, seed=11, first=2_000)


def _texts(table: pa.Table) -> list[list[str]]:
    columns = [[_shown(value) for value in column.to_pylist()] for column in table.columns]
    return [table.column_names, *(list(row) for row in zip(*columns, strict=True))]


def _shown(value: object) -> str:
    return "" if value is None else str(value)


def _csv(*, delimiter: str = ",", comma: bool = False, encoding: str = "utf-8") -> bytes:
    lines = []
    for row in _texts(_table()):
        cells = [cell.replace(".", ",") if comma and n == 2 else cell for n, cell in enumerate(row)]
        lines.append(delimiter.join(cells))
    return ("\r\n".join(lines) + "\r\n").encode(encoding, errors="replace")


def _plain_csv() -> bytes:
    out = io.BytesIO()
    pacsv.write_csv(_table(), out)
    return out.getvalue()


def _rows() -> list[dict[str, str | float | int | None]]:
    return json.loads(json.dumps(_table().to_pylist(), default=str))


def _parquet(table: pa.Table | None = None, **how: object) -> bytes:
    out = io.BytesIO()
    pq.write_table(_table() if table is None else table, out, **{"row_group_size": 64, **how})
    return out.getvalue()


def _arrow(table: pa.Table, *, stream: bool, compression: str | None = None) -> bytes:
    out = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    writer = (pa.ipc.new_stream if stream else pa.ipc.new_file)(out, table.schema, options=options)
    with writer:
        writer.write_table(table)
    return out.getvalue()


_SHEET = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">{}<sheetData>{}</sheetData></worksheet>'
_PARTS = {
    "[Content_Types].xml": '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    '<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
    '<Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>'
    "</Types>",
    "_rels/.rels": '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/>'
    "</Relationships>",
    "xl/workbook.xml": '<?xml version="1.0"?><workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    ' xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets>'
    '<sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/>'
    "</Relationships>",
}  # fmt: skip


def _workbook(sheet: str, **more: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in {**_PARTS, "xl/worksheets/sheet1.xml": sheet, **more}.items():
            archive.writestr(name, text)
    return out.getvalue()


def _xlsx(table: pa.Table | None = None) -> bytes:
    rows = []
    for n, row in enumerate(_texts(_table() if table is None else table)):
        number = n > 0
        cells = "".join(
            f"<c><v>{cell}</v></c>"
            if number and k in {2, 4} and cell
            else f'<c t="inlineStr"><is><t>{cell}</t></is></c>'
            for k, cell in enumerate(row)
        )
        rows.append(f"<row>{cells}</row>")
    return _workbook(_SHEET.format("", "".join(rows)))


WRITERS: dict[str, Callable[[], bytes]] = {
    "csv": _plain_csv,
    "semicolon.csv": lambda: _csv(delimiter=";", comma=True),
    "tsv": lambda: _csv(delimiter="\t"),
    "utf16.csv": lambda: _csv(encoding="utf-16"),
    "cp1252.csv": lambda: _csv(encoding="cp1252"),
    "jsonl": lambda: "\n".join(json.dumps(row) for row in _rows()).encode(),
    "json": lambda: json.dumps(_rows()).encode(),
    "parquet": lambda: _parquet(compression="zstd"),
    "plain.parquet": lambda: _parquet(compression="none", use_dictionary=False, data_page_version="2.0"),
    "arrow": lambda: _arrow(_table(), stream=False),
    "arrows": lambda: _arrow(_table(), stream=True, compression="zstd"),
    "xlsx": _xlsx,
    "csv.gz": lambda: gzip.compress(_plain_csv()),
    "csv.zst": lambda: pa.compress(_plain_csv(), codec="zstd", asbytes=True),
    "jsonl.gz": lambda: gzip.compress(WRITERS["jsonl"]()),
    "parquet.gz": lambda: gzip.compress(_parquet()),
}


@cache
def whole(form: str) -> bytes:
    """Give an undamaged file of that form."""
    return WRITERS[form]()


# --- mutations ----------------------------------------------------------------------------------


def _truncated(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content))]


def _flipped(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 5, 20])):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _overwritten(content: bytes, rng: random.Random) -> bytes:
    start, length = rng.randrange(len(content)), rng.randrange(1, 64)
    return content[:start] + rng.randbytes(length) + content[start + length :]


def _cut_out(content: bytes, rng: random.Random) -> bytes:
    start, length = rng.randrange(len(content)), rng.randrange(1, 1 + len(content) // 4)
    return content[:start] + content[start + length :]


def _doubled(content: bytes, rng: random.Random) -> bytes:
    start, length = rng.randrange(len(content)), rng.randrange(1, 1 + len(content) // 4)
    return content[:start] + content[start : start + length] * rng.choice([2, 3, 40]) + content[start + length :]


def _bad_head(content: bytes, rng: random.Random) -> bytes:
    return _flipped(content[:24], rng) + content[24:]


def _bad_tail(content: bytes, rng: random.Random) -> bytes:
    length = min(len(content) // 2, rng.choice([8, 64, 1_000]))
    return content[:-length] + _flipped(content[-length:], rng)


def _extreme(content: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(content))
    return (
        content[:start]
        + rng.choice([b"\xff" * 8, b"\x7f" + b"\xff" * 7, b"\x00" * 8, b'"', b"\x80" * 9])
        + content[start + 8 :]
    )


def _joined(content: bytes, rng: random.Random) -> bytes:
    other = whole(rng.choice(list(WRITERS)))
    return content[: len(content) // rng.choice([1, 2])] + other[len(other) // rng.choice([2, 3]) :]


MUTATIONS = (_truncated, _flipped, _overwritten, _cut_out, _doubled, _bad_head, _bad_tail, _extreme, _joined)


def _mutated(count: int) -> Iterator[_Made]:
    forms = list(WRITERS)
    for n in range(count):
        form, how = forms[n % len(forms)], MUTATIONS[n // len(forms) % len(MUTATIONS)]

        def write(path: Path, form: str = form, how: Callable[..., bytes] = how, seed: int = n) -> None:
            path.write_bytes(how(whole(form), random.Random(seed)))

        yield _Made(f"{how.__name__.strip('_')} {form}", f"{n}.{form}", write)


# --- by hand ------------------------------------------------------------------------------------


def _content(kind: str, name: str, content: Callable[[], bytes], *, always: bool = False) -> _Made:
    return _Made(kind, name, lambda path: _put(path, content()), always)


def _put(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _by_hand() -> Iterator[_Made]:
    yield from _lies()
    yield from _names()
    yield from _odd_texts()
    yield from _odd_json()
    yield from _wide()
    yield from _bottomless()
    yield from _bombs()
    yield from _odd_binaries()
    yield from _pickles()
    yield from _foreign()


def _lies() -> Iterator[_Made]:
    """Good content under every other suffix."""
    suffixes = ("csv", "parquet", "xlsx", "json", "arrow", "gz", "zst", "exe", "")
    for n, form in enumerate(("csv", "json", "parquet", "arrow", "xlsx", "csv.gz", "csv.zst")):
        for k, suffix in enumerate(suffixes):
            # a little different each time, or the second one would be known already
            def content(form: str = form, extra: int = n * 10 + k) -> bytes:
                return _renamed(form, extra)

            yield _content(f"lying suffix {form}", f"lie.{suffix}", content)


def _renamed(form: str, extra: int) -> bytes:
    table = mutations.loans(200 + extra, seed=extra, first=2_500)
    table = table.set_column(0, "loan", pa.array([f"R{extra}-{n}" for n in range(table.num_rows)]))
    base, _, outer = form.partition(".")
    content = {
        "csv": lambda: mutations.written(table, "csv"),
        "json": lambda: json.dumps(table.to_pylist(), default=str).encode(),
        "parquet": lambda: _parquet(table),
        "arrow": lambda: _arrow(table, stream=False),
        "xlsx": lambda: _xlsx(table),
    }[base]()
    if outer == "gz":
        return gzip.compress(content)
    return pa.compress(content, codec="zstd", asbytes=True) if outer else content


def _names() -> Iterator[_Made]:
    """Hostile names of files, of columns and of categories."""
    for n, name in enumerate(HOSTILE):
        yield _content("hostile file name", name, lambda n=n: _renamed("csv", 100 + n))
        yield _content("hostile column name", f"column-{n}.csv", lambda name=name: _with_column(name))
        yield _content("hostile category", f"level-{n}.jsonl", lambda name=name: _with_level(name))
    for name in (
        "x" * 129,
        "x" * 70_000,
        "e\u0301",
        "é",
        "INCOME",
        "income ",
        "_row",
        "row_id",
        "event_at",
        "__index_level_0__",
    ):
        yield _content("hostile column name", "column.parquet", lambda name=name: _parquet(_with_name(name)))


def _with_column(name: str) -> bytes:
    table = mutations.loans(100, seed=5)
    return mutations.written(table.rename_columns([*table.column_names[:-2], name, "late"]), "csv")


def _with_name(name: str) -> pa.Table:
    return _table().append_column(name, pa.array([1.5] * _table().num_rows))


def _with_level(name: str) -> bytes:
    rows = [{**row, "town": name} if n % 2 else row for n, row in enumerate(_rows())]
    return "\n".join(json.dumps(row) for row in rows).encode()


def _odd_texts() -> Iterator[_Made]:
    good = _plain_csv()
    head, first, rest = good.split(b"\n", 2)
    lines = rest.split(b"\n")
    odd = {
        "empty": b"", "newline": b"\n", "newlines": b"\n" * 100_000, "spaces": b" " * 10_000, "comma": b",", "nul": b"\0",
        "nuls": b"\0" * 100_000, "bom only": b"\xef\xbb\xbf", "bom": b"\xef\xbb\xbf" + good, "two boms": b"\xef\xbb\xbf" * 2 + good,
        "header only": head, "header and newline": head + b"\n", "header twice": head + b"\n" + good,
        "header in the middle": good + head + b"\n" + rest, "first row only": first, "one row": head + b"\n" + first,
        "no last newline": good.rstrip(b"\n"), "cr only": good.replace(b"\n", b"\r"), "crlf": good.replace(b"\n", b"\r\n"),
        "mixed ends": good.replace(b"\n", b"\r\n", 50), "utf-16le": good.decode().encode("utf-16-le"),
        "utf-16be": good.decode().encode("utf-16-be"), "utf-32": good.decode().encode("utf-32"),
        "utf-7": good.decode().encode("utf-7"), "latin-1": good.decode().encode("latin-1", "replace"),
        "two encodings": good + rest.decode().encode("cp1250", "replace"), "cp949": "이름,값\n가,1\n나,2\n".encode("cp949"),
        "shift-jis": "名前,値\nあ,1\nい,2\n".encode("shift-jis"), "ebcdic": good.decode().encode("cp500", "replace"),
        "overlong utf-8": good.replace(b"K", b"\xc1\x8b"), "surrogates": good.replace(b"K", b"\xed\xa0\x80"),
        "nul in a cell": good.replace(b"yes", b"y\0s", 3), "nul in the header": good.replace(b"town", b"to\0wn", 1),
        "control characters": good.replace(b"yes", b"\x1b[31myes\x07", 3), "open quote": good.replace(b"yes", b'"yes', 1),
        "quotes": b'"' * 100_001, "open quote at the end": good + b'"', "quote inside": good.replace(b"yes", b'y"e"s', 5),
        "ragged short": b"\n".join(x.rsplit(b",", 1)[0] if n % 7 == 3 else x for n, x in enumerate(good.split(b"\n"))),
        "ragged long": b"\n".join(x + b",9,9" if n % 7 == 3 else x for n, x in enumerate(good.split(b"\n"))),
        "one cell": b"x", "one column": b"\n".join(x.split(b",")[0] for x in good.split(b"\n")),
        "two names": b"a,a\n1,2\n3,4\n", "no names": b",,\n1,2,3\n", "names but for case": b"a,A\n1,2\n", "many delimiters": b",;\t|:" * 2_000,
        "1e400": _income(good, "1e400"), "-1e400": _income(good, "-1e400"), "nan": _income(good, "NaN"), "inf": _income(good, "Infinity"),
        "huge number": _income(good, "9" * 5_000), "long decimal": _income(good, "0." + "3" * 5_000), "hex": _income(good, "0x1F"),
        "arabic digits": _income(good, "١٢٣"), "minus zero": _income(good, "-0"), "1e38": _income(good, "1.1e38"),
        "year 0": _asked(good, "0000-01-01 00:00:00"), "year 99999": _asked(good, "99999-01-01 00:00:00"),
        "february 30": _asked(good, "2026-02-30 00:00:00"), "leap second": _asked(good, "2026-06-30 23:59:60"),
        "time zone": _asked(good, "2026-01-05 00:00:00+99:99"), "epoch": _asked(good, "1" * 30), "both orders": _asked(good, "03/04/2026"),
        "long cell": good.replace(b"yes", b"y" * 2_000_000, 1), "formula": good.replace(b"yes", b"=cmd|' /C calc'!A0"),
        "sep line": b"sep=,\n" + good, "comments": b"# a\n# b\n" + good, "html": b"<html><body><table><tr><td>1</td></tr></table></body></html>",
        "xml": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>', "log": b"2026-01-01 ERROR x\n" * 500,
        "reversed": good[::-1], "empty rows": good + b",,,,,\n" * 5_000, "empty columns": good.replace(b"\n", b",,,,\n"),
        "all rows the same": head + b"\n" + (first + b"\n") * 2_000, "sorted": head + b"\n" + b"\n".join(sorted(lines)),
    }  # fmt: skip
    for kind, content in odd.items():
        yield _content(f"text: {kind}", f"{kind}.csv", lambda content=content: content)


def _income(good: bytes, cell: str) -> bytes:
    lines = good.decode().split("\n")
    return "\n".join(_with_cell(line, 2, cell) if n % 3 == 1 else line for n, line in enumerate(lines)).encode()


def _asked(good: bytes, cell: str) -> bytes:
    lines = good.decode().split("\n")
    return "\n".join(_with_cell(line, 1, cell) if n else line for n, line in enumerate(lines)).encode()


def _with_cell(line: str, place: int, cell: str) -> str:
    cells = line.split(",")
    return ",".join(cell if n == place and len(cells) > 1 else old for n, old in enumerate(cells))


def _odd_json() -> Iterator[_Made]:
    row = json.dumps(_rows()[0])
    odd = {
        "deep list": "[" * 100_000, "deep object": '{"a":' * 100_000, "deep and closed": "[" * 5_000 + "]" * 5_000,
        "deep in a cell": '{"a":' + "[" * 100_000 + "]" * 100_000 + "}", "array left open": "[" + ",".join([row] * 50),
        "comma at the end": f"[{row},]", "single quotes": row.replace('"', "'"), "nan": '{"income": NaN}', "infinity": '{"income": -Infinity}',
        "1e400": '{"income": 1e400}\n' * 5, "huge integer": '{"income": ' + "9" * 100_000 + "}", "huge exponent": '{"income": 1e999999999}',
        "keys twice": '{"income": 1, "income": 2}', "scalar": "1", "scalars": "1\n2\n3\n", "null": "null", "text": '"x"', "empty object": "{}",
        "empty array": "[]", "array of arrays": "[[1,2],[3,4]]", "array of nulls": "[null,null]", "mixed": '{"income": 1}\n[1]\n"x"\n',
        "types change": "\n".join(json.dumps({"income": v}) for v in (1, "x", 1.5, None, True, [1], {"a": 1})),
        "nested": json.dumps({"income": {"a": {"b": [1, {"c": 2}]}}}), "lone surrogate": '{"town": "\\ud800"}', "nul": '{"town": "\\u0000"}',
        "half an escape": '{"town": "\\u12', "bad utf-8": '{"town": "x"}', "a key of 1 MB": json.dumps({"k" * 1_000_000: 1}),
        "10,000 keys": json.dumps({f"k{n}": n for n in range(10_000)}), "new keys in each row": "\n".join(json.dumps({f"k{n}": n}) for n in range(5_000)),
        "records": json.dumps({"records": _rows()[:20]}), "columns": json.dumps({"income": [1, 2], "town": ["a", "b"]}), "bom": "\ufeff" + row,
        "geojson": json.dumps({"type": "FeatureCollection", "features": []}), "concatenated": row * 20, "crlf": "\r\n".join([row] * 20),
    }  # fmt: skip
    for kind, content in odd.items():
        encoded = content.encode("utf-8", "surrogatepass")
        if kind == "bad utf-8":
            encoded = encoded.replace(b"x", b"\xff\xfe")
        yield _content(f"json: {kind}", f"{kind}.json", lambda content=encoded: content, always=kind == "deep list")


def _wide() -> Iterator[_Made]:
    def csv(columns: int, rows: int = 3) -> bytes:
        return "\n".join(",".join(f"{'c' * (not r)}{n}" for n in range(columns)) for r in range(rows)).encode()

    yield _content("10,000 columns csv", "wide.csv", lambda: csv(10_000), always=True)
    yield _content("100,000 columns csv", "wide.csv", lambda: csv(100_000))
    yield _content("2,000,000 columns csv", "wide.csv", lambda: csv(2_000_000, 2))
    yield _content("5,000,000 delimiters", "commas.csv", lambda: b"," * 5_000_000)
    table = pa.table({f"c{n}": [1.0, 2.0] for n in range(10_000)})
    yield _content("10,000 columns parquet", "wide.parquet", lambda: _parquet(table), always=True)
    yield _content("10,000 columns arrow", "wide.arrow", lambda: _arrow(table, stream=False))
    rows = "".join(f"<row>{''.join(f'<c><v>{n}</v></c>' for n in range(10_000))}</row>" for _ in range(3))
    yield _content("10,000 columns xlsx", "wide.xlsx", lambda: _workbook(_SHEET.format("", rows)))


def _repeated(block: bytes, times: int, *, head: bytes = b"", tail: bytes = b"") -> bytes:
    """Many times the same, as gzip members: made at once, and as long as one likes when it is unfolded."""
    return gzip.compress(head) + gzip.compress(block) * times + gzip.compress(tail)


def _frames(block: bytes, times: int, *, head: bytes = b"") -> bytes:
    return (
        pa.compress(head + block, codec="zstd", asbytes=True) + pa.compress(block, codec="zstd", asbytes=True) * times
    )


def _sparse(size: int) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with path.open("wb") as file:
            file.write(b"a,b\n1,")
            file.truncate(size)

    return write


def _bottomless() -> Iterator[_Made]:
    """Lines and cells without an end."""
    block = b"x" * 10_000_000
    yield _content("a line of 1 GB, gz", "line.csv.gz", lambda: _repeated(block, 100, head=b"a,b\n1,"), always=True)
    yield _content("a line of 1 GB, zst", "line.csv.zst", lambda: _frames(block, 100, head=b"a,b\n1,"))
    yield _content("a quoted cell of 1 GB", "cell.csv.gz", lambda: _repeated(block, 100, head=b'a,b\n1,"', tail=b'"\n'))
    yield _content("a header of 1 GB", "header.csv.gz", lambda: _repeated(block, 100))
    yield _content("a json text of 1 GB", "cell.json.gz", lambda: _repeated(block, 100, head=b'{"a":"', tail=b'"}'))
    yield _content("1 GB of newlines", "rows.csv.gz", lambda: _repeated(b"\n" * 10_000_000, 100, head=b"a,b\n"))
    yield _content("1 GB of empty rows", "rows.csv.gz", lambda: _repeated(b",,\n" * 3_000_000, 100, head=b"a,b,c\n"))
    yield _content("1 GB of commas", "commas.csv.gz", lambda: _repeated(b"," * 10_000_000, 100))
    yield _content("1 GB of quotes", "quotes.csv.gz", lambda: _repeated(b'"' * 10_000_000, 100))
    yield _content("1 GB of brackets", "brackets.json.gz", lambda: _repeated(b"[" * 10_000_000, 100))
    yield _content("a line of 50 MB", "line.csv", lambda: b"a,b\n1," + block * 5)
    yield _Made("a sparse line of 1 GB", "sparse.csv", _sparse(1_000_000_000), always=True)
    yield _Made("a byte more than an upload may have", "sparse.csv", _sparse(500_000_001), always=True)
    yield _Made("a sparse line of 200 MB", "sparse.csv", _sparse(200_000_000))


def _bombs() -> Iterator[_Made]:
    """Small files that unfold into gigabytes."""
    zeros = bytes(20_000_000)
    yield _content("gz bomb 1:1000", "bomb.csv.gz", lambda: _repeated(zeros, 250), always=True)
    yield _content("zst bomb", "bomb.csv.zst", lambda: _frames(zeros, 500), always=True)
    yield _content("gz in gz in gz", "nested.csv.gz", lambda: gzip.compress(gzip.compress(_repeated(zeros, 100))))
    yield _content("gz of rows", "rows.csv.gz", lambda: _repeated(b"1.5,2.5,3.5\n" * 1_000_000, 400, head=b"a,b,c\n"))
    yield _content("gz of parquet of zst", "in.parquet.gz", lambda: gzip.compress(_dictionary(20_000, 100_000)))
    yield _content("dictionary bomb 2 GB", "bomb.parquet", lambda: _dictionary(20_000, 100_000), always=True)
    yield _content("dictionary bomb, long cells", "bomb.parquet", lambda: _dictionary(900_000, 10_000))
    yield _content(
        "dictionary bomb in arrow",
        "bomb.arrow",
        lambda: _arrow(_one_word(20_000, 100_000), stream=False, compression="zstd"),
    )
    zeros_table = pa.table({f"c{n}": pa.array(np.zeros(20_000_000)) for n in range(1)})
    wide = pa.table({f"c{n}": zeros_table.column(0) for n in range(12)})
    yield _content(
        "arrow buffers of 2 GB", "bomb.arrow", lambda: _arrow(wide, stream=True, compression="zstd"), always=True
    )
    yield _content(
        "parquet of 20,000,000 rows of zeros",
        "rows.parquet",
        lambda: _parquet(wide, row_group_size=1 << 24, compression="zstd"),
    )
    yield _content("zip in zip", "nested.xlsx", lambda: _nested_zip(4), always=True)
    yield _content(
        "workbook of 600 MB", "bomb.xlsx", lambda: _workbook(_SHEET.format("", " " * 600_000_000)), always=True
    )
    yield _content("a sheet that claims 17 thousand million cells", "claims.xlsx", _claims, always=True)
    yield _content("a cell at the far corner", "corner.xlsx", lambda: _workbook(_SHEET.format("", _corner())))
    yield _content("a thousand million laughs", "laughs.xlsx", _laughs)
    yield _content(
        "shared strings beyond the end",
        "strings.xlsx",
        lambda: _workbook(_SHEET.format("", '<row><c t="s"><v>99999999</v></c></row>')),
    )
    yield _content(
        "parts outside the workbook",
        "traversal.xlsx",
        lambda: _workbook(_SHEET.format("", ""), **{"../../../tmp/" + CANARY: "x"}),
    )
    for claim in (1 << 31, (1 << 62) - 1, 10_000_000_000):
        yield _content(
            "parquet that claims many values",
            "claims.parquet",
            lambda claim=claim: _claimed(claim),
            always=claim == 1 << 31,
        )


def _dictionary(length: int, rows: int) -> bytes:
    return _parquet(_one_word(length, rows), compression="zstd", row_group_size=rows)


def _one_word(length: int, rows: int) -> pa.Table:
    word = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array(["x" * length]))
    return pa.table({"town": word, "income": np.ones(rows)})


def _blown_up() -> bytes:
    out = io.BytesIO()
    start, end = _SHEET.format("", "|").split("|")
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, text in _PARTS.items():
            archive.writestr(name, text)
        with archive.open("xl/worksheets/sheet1.xml", "w") as sheet:
            sheet.write(start.encode())
            for _ in range(60):
                sheet.write(b" " * 10_000_000)
            sheet.write(end.encode())
    return out.getvalue()


def _nested_zip(depth: int) -> bytes:
    content = bytes(10_000_000)
    for level in range(depth):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for n in range(16):
                archive.writestr(f"{level}-{n}.xlsx", content)
        content = out.getvalue()
    return content


def _corner() -> str:
    return '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>2</v></c></row>'


def _claims() -> bytes:
    return _workbook(_SHEET.format('<dimension ref="A1:XFD1048576"/>', '<row r="1"><c r="A1"><v>1</v></c></row>'))


def _laughs() -> bytes:
    entities = '<!ENTITY a0 "ha">' + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    cell = '<row><c t="inlineStr"><is><t>&a9;</t></is></c></row>'
    return _workbook(f"<?xml version='1.0'?><!DOCTYPE worksheet [{entities}]>" + _SHEET.format("", cell))


def _claimed(values: int) -> bytes:
    """A Parquet file whose footer says that each column holds so many values (300, as thrift writes it, replaced)."""
    content = _parquet(row_group_size=1_000)
    (length,) = struct.unpack("<I", content[-8:-4])
    body, footer = content[: -8 - length], content[-8 - length : -8]
    footer = footer.replace(_varint(300), _varint(values))
    return body + footer + struct.pack("<I", len(footer)) + b"PAR1"


def _varint(number: int) -> bytes:
    zigzag, out = number << 1, bytearray()
    while zigzag > 0x7F:
        out.append(zigzag & 0x7F | 0x80)
        zigzag >>= 7
    return bytes([*out, zigzag])


def _odd_binaries() -> Iterator[_Made]:
    table = _table()
    rows = table.num_rows
    columns = {
        "list": pa.array([[1, 2]] * rows), "struct": pa.array([{"a": {"b": 1}}] * rows), "bytes": pa.array([b"\xff\x00"] * rows),
        "map": pa.array([[("a", 1)]] * rows, pa.map_(pa.string(), pa.int64())), "decimal256": pa.array([1] * rows).cast(pa.decimal256(70, 3)),
        "duration": pa.array([1] * rows, pa.duration("ns")), "time": pa.array([1] * rows, pa.time64("ns")), "half": pa.array(np.ones(rows, np.float16)),
        "nanoseconds": pa.array([2**62] * rows, pa.timestamp("ns")), "seconds": pa.array([2**45] * rows, pa.timestamp("s")), "nothing": pa.nulls(rows),
        "zone": pa.array([0] * rows, pa.timestamp("us", "Nowhere/Land")), "uint64": pa.array([2**64 - 1] * rows, pa.uint64()),
        "dictionary of numbers": pa.array([1.5] * rows).dictionary_encode(), "runs": pa.array(["a"] * rows, pa.large_string()),
        "infinite": pa.array([float("inf")] * rows), "date64": pa.array([2**40] * rows, pa.date64()), "view": pa.array(["a"] * rows, pa.string_view()),
    }  # fmt: skip
    for kind, column in columns.items():
        odd = table.set_column(2, "income", column)
        for form, content in (("parquet", _parquet), ("arrow", lambda t: _arrow(t, stream=False))):
            try:
                made = content(odd)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                continue  # that format has no such type
            yield _content(f"{form}: a column of {kind}", f"odd.{form}", lambda made=made: made)
    schema = pa.schema([pa.field("income", pa.binary(), metadata=_extension())])
    extended = pa.table([pa.array([b"x"])], schema=schema)
    yield _content("arrow with a pickled type", "type.arrow", lambda: _arrow(extended, stream=False), always=True)
    yield _content("parquet with a pickled type", "type.parquet", lambda: _parquet(extended), always=True)
    good = _parquet()
    odd_bytes = {
        "magic only": b"PAR1", "magic twice": b"PAR1PAR1", "footer of 4 GB": b"PAR1" + b"\0" * 50 + b"\xff\xff\xff\xffPAR1",
        "footer of nothing": b"PAR1" + b"\0" * 50 + b"\0\0\0\0PAR1", "encrypted": good[:-4] + b"PARE", "two files": good + good,
        "no rows": _parquet(table.slice(0, 0)), "no columns": _parquet(pa.table({})), "arrow magic": b"ARROW1\0\0", "arrow end": b"ARROW1\0\0ARROW1",
        "arrow length": b"\xff\xff\xff\xff\xff\xff\xff\x7f" + b"x" * 100, "arrow no rows": _arrow(table.slice(0, 0), stream=True),
        "gz head": b"\x1f\x8b", "gz of nothing": gzip.compress(b""), "gz with tail": gzip.compress(_plain_csv()) + b"tail", "zst head": b"\x28\xb5\x2f\xfd",
        "gz bad sum": gzip.compress(_plain_csv())[:-8] + b"\0" * 8, "gz name": b"\x1f\x8b\x08\x08" + b"\0" * 6 + b"../../x" * 99, "zip end": b"PK\x05\x06" + b"\0" * 18,
        "zlib": zlib.compress(_plain_csv()), "zip of csv": _zip({"a.csv": _plain_csv()}), "zip without a sheet": _zip(dict(list(_PARTS.items())[:2])),
    }  # fmt: skip
    for kind, content in odd_bytes.items():
        yield _content(f"binary: {kind}", f"odd-{kind}.parquet", lambda content=content: content)


def _extension() -> dict[bytes, bytes]:
    return {b"ARROW:extension:name": b"arrow.py_extension_type", b"ARROW:extension:metadata": pickled(2)}


def _zip(parts: dict[str, bytes | str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


def pickled(protocol: int) -> bytes:
    """A pickle that, loaded, leaves the canary in the working folder and in ``/tmp``."""
    command = f"touch {CANARY} /tmp/{CANARY}".encode()
    if protocol == 0:
        return b"cposix\nsystem\n(S'" + command + b"'\ntR."
    head = bytes([0x80, protocol])
    return head + b"cposix\nsystem\nX" + struct.pack("<I", len(command)) + command + b"\x85R."


def _pickles() -> Iterator[_Made]:
    npy = b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(117) + b"\n"
    payloads = {
        "0.pkl": pickled(0), "0.txt": pickled(0), "2.pkl": pickled(2), "4.pkl": pickled(4), "5.csv": pickled(5), "2.onnx": pickled(2),
        "2.parquet": pickled(2), "4.arrow": pickled(4), "z.joblib": zlib.compress(pickled(4)), "g.csv.gz": gzip.compress(pickled(2)),
        "z.csv.zst": pa.compress(pickled(2), codec="zstd", asbytes=True), "z.zip": _zip({"data.pkl": pickled(2)}), "t.pt": _zip({"archive/data.pkl": pickled(2)}),
        "n.npy": npy + pickled(4), "n.npz": _zip({"a.npy": npy + pickled(4)}), "0.csv": b"a,b\n" + pickled(0), "j.json": json.dumps({"py/reduce": ["os.system"]}).encode(),
        "y.yaml": b"!!python/object/apply:os.system ['touch canary']\n",
    }  # fmt: skip
    for name, content in payloads.items():
        yield _content(f"pickle {name}", name, lambda content=content: content, always=name in {"2.pkl", "0.csv"})


def _foreign() -> Iterator[_Made]:
    """Files of other kinds, under a name that is allowed."""
    heads = {
        "pdf": b"%PDF-1.7\n", "png": b"\x89PNG\r\n\x1a\n", "elf": b"\x7fELF\x02\x01\x01", "sqlite": b"SQLite format 3\0", "7z": b"7z\xbc\xaf\x27\x1c",
        "rar": b"Rar!\x1a\x07\x00", "bz2": b"BZh91AY&SY", "xz": b"\xfd7zXZ\0", "xls": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "orc": b"ORC", "avro": b"Obj\x01",
        "hdf5": b"\x89HDF\r\n\x1a\n", "tar": b"a.csv" + b"\0" * 252 + b"ustar\x0000", "script": b"#!/bin/sh\ntouch canary\n", "mp4": b"\0\0\0\x18ftypmp42", "duckdb": b"\0" * 8 + b"DUCK",
    }  # fmt: skip
    for n, (kind, head) in enumerate(heads.items()):
        for suffix in ("csv", "parquet"):
            body = random.Random(n).randbytes(3_000)
            yield _content(f"foreign {kind}", f"x.{suffix}", lambda content=head + body: content)
    for n in range(10):
        yield _content("noise", f"noise-{n}.csv", lambda n=n: random.Random(n).randbytes(10_000 * (n + 1)))
