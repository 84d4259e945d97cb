"""What a sheet of a workbook holds: xlsx, xlsb, xls and ods, by way of python-calamine.

Its cells are written as text and judged like those of a CSV file, so that a column of numbers with one word in it is
text here as there. Neighbours: ``cells`` decides and casts, ``dialect`` says whether the first row holds names. It
refuses zip files that are no workbook, and workbooks that unfold to more than is allowed.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from itertools import islice
from typing import TYPE_CHECKING

import pyarrow as pa

from pipeline_core.errors import Unreadable
from pipeline_core.records import Doubt, Reading
from pipeline_core.sources import cells, dialect, naming
from pipeline_core.sources.opened import Asked, Opened, listed, printable
from pipeline_core.sources.parquet import check_unfolded

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook

Cell = str | float | bool | date | time | timedelta | datetime

_ZIP, _OLD = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_PARTS = ("xl/workbook.xml", "xl/workbook.bin", "content.xml")
_BATCH_ROWS = 8_192
_SNIFFED_ROWS = 50
_EXACT_WHOLE_MAX = 2.0**53


def looks_like(head: bytes) -> bool:
    """Say whether a file begins like a workbook: a zip archive, or an old Office document.

    Parameters
    ----------
    head : bytes
        The beginning of the file.

    Returns
    -------
    bool
    """
    return head.startswith((_ZIP, _OLD))


def open_(asked: Asked) -> Opened:
    """Open a workbook: the sheet that was told, or the only one that holds rows.

    Parameters
    ----------
    asked : Asked
        The file; sheet, header and names that were told.

    Returns
    -------
    Opened

    Raises
    ------
    Unreadable
        It is no workbook, there is no such sheet, or it is empty.
    """
    from python_calamine import CalamineError, CalamineWorkbook

    _check_archive(asked)
    try:
        workbook = CalamineWorkbook.from_path(str(asked.path))
        sheet, doubts = _sheet(workbook, asked)
    except CalamineError as error:
        cause = printable(str(error), most=200).rstrip(". ")
        raise Unreadable(
            f"File {asked.label!r} is no workbook that can be read: {cause}. Save it again as .xlsx or CSV."
        ) from error
    return _opened(sheet, doubts, asked)


def _opened(sheet: CalamineSheet, doubts: tuple[Doubt, ...], asked: Asked) -> Opened:
    beginning = [[_text(cell) or "" for cell in row] for row in islice(sheet.iter_rows(), _SNIFFED_ROWS + 1)]
    first = beginning[0]
    naming.check_width(len(first), asked.label, asked.policy)
    header, more = dialect.has_header(first, beginning[1:], asked)
    names = [naming.normalised(n) for n in (first if header else dialect.given_names(asked, len(first)))]
    naming.checked([n for n in names if n], asked.label, asked.policy)

    def batches(_kinds: Sequence[pa.DataType]) -> Iterator[pa.RecordBatch]:
        rows = islice(sheet.iter_rows(), int(header), None)
        while some := list(islice(rows, _BATCH_ROWS)):
            columns = [pa.array([_text(row[i]) for row in some], pa.string()) for i in range(len(names))]
            yield pa.RecordBatch.from_arrays(columns, names=[str(i) for i in range(len(names))])

    body = cells.judge(batches, names, asked, delimiter=None, nameless=[not n for n in names])
    naming.checked(body.schema.names, asked.label, asked.policy)
    reading = Reading(
        format="excel",
        decimal=body.decimal,
        date_order=body.date_order,
        header=header,
        names=() if header else tuple(body.schema.names),
        nulls=cells.null_words(asked),
        sheet=sheet.name,
    )
    return Opened(
        schema=body.schema, parts=body.tables, reading=reading, doubts=(*doubts, *more, *body.doubts), notes=body.notes
    )


def _check_archive(asked: Asked) -> None:
    """Refuse a zip archive that is no workbook, or that unfolds to too much."""
    with asked.path.open("rb") as file:
        if file.read(4) != _ZIP:
            return
    try:
        with zipfile.ZipFile(asked.path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise Unreadable(f"File {asked.label!r} is a broken zip archive or workbook. Save it again.") from error
    check_unfolded(sum(m.file_size for m in members), asked)
    if not {m.filename for m in members} & set(_PARTS):
        raise Unreadable(
            f"File {asked.label!r} is a zip archive, and no Excel workbook. Allowed are CSV, JSON lines, Parquet, Arrow and"
            " Excel, also as .gz or .zst: unpack it first."
        )


def _sheet(workbook: CalamineWorkbook, asked: Asked) -> tuple[CalamineSheet, tuple[Doubt, ...]]:
    told = asked.reading.sheet
    known = workbook.sheet_names
    if told is not None and told not in known:
        raise Unreadable(
            f"File {asked.label!r} has no sheet {printable(told)!r}. It has {listed(known)}: say one of these, --sheet NAME."
        )
    name = told or (asked.remembered.sheet if asked.remembered.sheet in known else None)
    if name is not None:
        sheet = workbook.get_sheet_by_name(name)
        if not sheet.height:
            raise Unreadable(
                f"File {asked.label!r}: sheet {printable(name)!r} is empty. Say another one, --sheet NAME."
            )
        return sheet, ()
    filled = [sheet for sheet in map(workbook.get_sheet_by_name, known) if sheet.height]
    if not filled:
        raise Unreadable(f"File {asked.label!r} has no sheet with rows. Send it again when it has at least one.")
    if len(filled) == 1:
        return filled[0], ()
    options = tuple(sheet.name for sheet in filled)
    message = (
        f"File {asked.label!r} has {len(filled)} sheets with rows ({listed(options)}). Say which one is the table:"
        f" --sheet {printable(options[0])!r}."
    )
    return filled[0], (Doubt(topic="sheet", chosen=options[0], options=options, message=message),)


def _text(cell: Cell) -> str | None:
    """Write a cell as a CSV file would hold it."""
    if isinstance(cell, str):
        return cell or None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        whole = cell.is_integer() and abs(cell) < _EXACT_WHOLE_MAX
        return str(int(cell)) if whole else repr(cell)
    if isinstance(cell, datetime | time):
        return cell.isoformat()
    if isinstance(cell, date):
        return datetime(cell.year, cell.month, cell.day).isoformat()  # ruff: ignore[call-datetime-without-tzinfo] - a sheet knows no zone
    return str(cell)
