"""The difficult files of the data folder: what is asked about each, and what it reads as once that is answered.

What a right reading gives stands in the README beside the files; the files themselves are never copied here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa

from pipeline_core.errors import Doubtful
from pipeline_core.flows import taking
from pipeline_core.policy import Policy
from pipeline_core.records import Reading
from pipeline_core.sources import files


@dataclass(frozen=True)
class Ugly:
    """A file. ``asks``: the flag that the refusal names, where the content leaves something open; ``reads``: as the README says."""

    name: str
    what: str
    asks: str
    reading: Reading
    reads: str
    right: Callable[[pa.Table], bool]


def _adult(table: pa.Table) -> bool:
    last = table.column(table.num_columns - 1).to_pylist()
    return (
        (table.num_rows, table.num_columns) == (16_281, 15)
        and {each.removesuffix(".") for each in last} == {"<=50K", ">50K"}
        and table.column(1).null_count > 0
        and "?" not in table.column(1).to_pylist()
    )


def _air(table: pa.Table) -> bool:
    first = table.column("Date")[0].as_py()
    day = first if type(first) is date else first.date()
    return (
        (table.num_rows, table.num_columns) == (9_357, 15)
        and str(table.column("CO(GT)")[0].as_py()) == "2.6"
        and day == date(2004, 3, 10)
        and table.column("NMHC(GT)").null_count > 8_000
    )


UGLY = (
    Ugly("adult_test_no_header.csv", "no header, a blank after each comma, ` ?` for missing", "--header",
         Reading(header=False), "16,281 rows x 15 columns, missing as nulls", _adult),
    Ugly("air_quality_decimal_comma.csv", "`;`, decimal comma among whole numbers, 2 empty columns, 114 empty rows, dd/mm/yyyy, -200 for missing", "",
         Reading(nulls=("-200",)), "9,357 rows x 15 columns; CO(GT) begins with 2.6; 2004-03-10", _air),
    Ugly("incheon_airport_cp949.csv", "CP949, which also decodes as Windows-1252", "--encoding",
         Reading(encoding="cp949"), "222 rows x 10 columns; the first header is 기간",
         lambda table: (table.num_rows, table.num_columns, table.column_names[0]) == (222, 10, "기간")),
    Ugly("wine_quality_red.csv", "`;`, quoted names with blanks, three blank lines at the end", "",
         Reading(), "1,599 rows, 11 decimals and the integer quality",
         lambda table: table.num_rows == 1_599 and [str(f.type) for f in table.schema] == [*["double"] * 11, "int64"]),
)  # fmt: skip


def asked(path: Path, work: Path, reading: Reading) -> str:
    """Read a file as ``receive`` does and give the sentence in which it asks, or nothing where it reads."""
    try:
        with files.open_file(path, reading=reading, policy=Policy(), work=work) as incoming:
            taking.refuse_doubts(incoming.doubts)
    except Doubtful as doubt:
        return doubt.message
    return ""
