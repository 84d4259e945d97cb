"""The smallest workbook that Excel would open, written by hand: sheets of rows of plain values."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from xml.sax.saxutils import escape

_NS = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_EPOCH = datetime(1899, 12, 30)  # ruff: ignore[call-datetime-without-tzinfo] a sheet knows no zone


def workbook(sheets: Mapping[str, Sequence[Sequence[object]]]) -> bytes:
    """Write sheets; None is an empty cell."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        types = "".join(
            f'<Override PartName="/xl/worksheets/sheet{i}.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>'
            for i in range(1, len(sheets) + 1)
        )
        archive.writestr(
            "[Content_Types].xml",
            '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>'
            '<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
            f"{types}</Types>",
        )
        archive.writestr("_rels/.rels", _relations(["officeDocument"], ["xl/workbook.xml"]))
        names = "".join(
            f'<sheet name="{escape(n)}" sheetId="{i}" r:id="rId{i}"/>' for i, n in enumerate(sheets, start=1)
        )
        archive.writestr("xl/workbook.xml", f'<workbook {_NS} xmlns:r="{_REL}"><sheets>{names}</sheets></workbook>')
        targets = [f"worksheets/sheet{i}.xml" for i in range(1, len(sheets) + 1)]
        kinds = ["worksheet"] * len(targets)
        archive.writestr("xl/_rels/workbook.xml.rels", _relations([*kinds, "styles"], [*targets, "styles.xml"]))
        archive.writestr(
            "xl/styles.xml",
            f'<styleSheet {_NS}><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="22"/></cellXfs></styleSheet>',
        )
        for target, rows in zip(targets, sheets.values(), strict=True):
            lines = "".join(f'<row r="{i}">{_row(row, i)}</row>' for i, row in enumerate(rows, start=1))
            archive.writestr(f"xl/{target}", f"<worksheet {_NS}><sheetData>{lines}</sheetData></worksheet>")
    return buffer.getvalue()


def _relations(kinds: Sequence[str], targets: Sequence[str]) -> str:
    lines = "".join(
        f'<Relationship Id="rId{i}" Type="{_REL}/{kind}" Target="{target}"/>'
        for i, (kind, target) in enumerate(zip(kinds, targets, strict=True), start=1)
    )
    return (
        f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{lines}</Relationships>'
    )


def _row(cells: Sequence[object], row: int) -> str:
    return "".join(_cell(c, f"{chr(65 + i)}{row}") for i, c in enumerate(cells) if c is not None)


def _cell(cell: object, place: str) -> str:
    if isinstance(cell, bool):
        return f'<c r="{place}" t="b"><v>{int(cell)}</v></c>'
    if isinstance(cell, datetime):
        return f'<c r="{place}" s="1"><v>{(cell - _EPOCH).total_seconds() / 86_400}</v></c>'
    if isinstance(cell, int | float):
        return f'<c r="{place}"><v>{cell}</v></c>'
    return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{escape(str(cell))}</t></is></c>'
