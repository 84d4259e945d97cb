"""What a CSV file holds, in any dialect: a block at a time, twice, so that its size does not matter.

Every cell is read as text first and a type is given only where nothing is lost by it, so that the bad cell in row
900,000 costs no more than a type. Neighbours: ``texts`` gives UTF-8, ``dialect`` the layout, ``cells`` decides and
casts. It refuses ragged rows, and rows longer than a block.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.csv as pacsv

from pipeline_core.errors import Unreadable
from pipeline_core.records import Reading
from pipeline_core.sources import cells, dialect, naming
from pipeline_core.sources.dialect import Dialect
from pipeline_core.sources.opened import Asked, Opened, no_rows
from pipeline_core.sources.texts import Text

BLOCK_BYTES = 2_097_152

_HEAD_BYTES = 1_048_576
_WIDE_COLUMNS = 50
_BLOCKS_MAX = 8
_EXCERPT_CHARACTERS = 60


def open_(asked: Asked, text: Text) -> Opened:
    """Open a delimited text: layout from its beginning, types from all its cells, rows by slices.

    Parameters
    ----------
    asked : Asked
        What was told.
    text : Text
        The file as UTF-8.

    Returns
    -------
    Opened

    Raises
    ------
    Unreadable
        A row has more or fewer fields than the header; what was told does not fit; no rows.
    """
    layout = _sniffed(asked, text)
    names = [naming.normalised(n) for n in layout.names]
    naming.checked([n for n in names if n], asked.label, asked.policy)
    blocks = _Blocks(asked=asked, text=text, layout=layout)
    nameless = [not n or layout.generated for n in names]
    body = cells.judge(blocks.batches, names, asked, delimiter=layout.delimiter, nameless=nameless)
    naming.checked(body.schema.names, asked.label, asked.policy)
    reading = Reading(
        format="csv",
        encoding=text.encoding,
        delimiter=layout.delimiter,
        decimal=body.decimal,
        date_order=body.date_order,
        header=layout.header,
        names=() if layout.header else tuple(body.schema.names),
        nulls=cells.null_words(asked),
    )
    doubts = (*text.doubts, *layout.doubts, *body.doubts)
    skipped = f"{blocks.blank:,} blank row{'s' if blocks.blank > 1 else ''} with too few or too many fields left out."
    notes = (*text.notes, *((skipped,) if blocks.blank else ()), *body.notes)
    return Opened(schema=body.schema, parts=body.tables, reading=reading, doubts=doubts, notes=notes)


def _sniffed(asked: Asked, text: Text) -> Dialect:
    with text.path.open("rb") as file:
        file.seek(text.start)
        head = file.read(_HEAD_BYTES)
    if len(head) == _HEAD_BYTES and b"\n" not in head and b"\r" not in head:
        raise Unreadable(
            f"File {asked.label!r}: the first line is longer than {_HEAD_BYTES:,} bytes. A table has one row a line: check"
            " that this is a text table."
        )
    try:
        return dialect.sniff(head.decode("utf-8", errors="ignore"), asked)
    except csv.Error as error:
        raise Unreadable(
            f"File {asked.label!r} is no delimited text ({error}). Check its quotes and delimiters, and say --delimiter."
        ) from error


@dataclass(slots=True)
class _Blocks:
    """The cells of a delimited text, block by block."""

    asked: Asked
    text: Text
    layout: Dialect
    blank: int = 0
    _ragged: list[pacsv.InvalidRow] = field(default_factory=list)

    def batches(self, kinds: Sequence[pa.DataType]) -> Iterator[pa.RecordBatch]:
        """Give the cells from the beginning, columns of these types."""
        self.blank = 0
        self._ragged.clear()
        names = [str(i) for i in range(len(self.layout.names))]
        with pa.OSFile(str(self.text.path)) as file:
            file.seek(self.text.start + self.layout.skipped)
            try:
                yield from pacsv.open_csv(
                    file,
                    read_options=pacsv.ReadOptions(
                        block_size=self._block_bytes,
                        column_names=names,
                        skip_rows_after_names=int(self.layout.header),
                        use_threads=False,  # only one thread knows which row it is in
                    ),
                    parse_options=pacsv.ParseOptions(
                        delimiter=self.layout.delimiter,
                        quote_char=self.layout.quote,
                        newlines_in_values=True,
                        invalid_row_handler=self._invalid,
                    ),
                    convert_options=pacsv.ConvertOptions(
                        column_types=dict(zip(names, kinds, strict=True)), strings_can_be_null=True, null_values=[""]
                    ),
                )
            except pa.ArrowInvalid as error:
                raise self._sentence(error) from error

    @property
    def _block_bytes(self) -> int:
        # every column of a block costs something, so a wide table gets larger ones
        return BLOCK_BYTES * min(_BLOCKS_MAX, max(1, len(self.layout.names) // _WIDE_COLUMNS))

    def _invalid(self, row: pacsv.InvalidRow) -> str:
        if self.asked.partial or not row.text.strip(self.layout.delimiter + " \t"):
            self.blank += not self.asked.partial  # the last row of a beginning is torn
            return "skip"
        self._ragged.append(row)
        return "error"

    def _is_one_line(self) -> bool:
        with self.text.path.open("rb") as file:
            head = file.read(self._block_bytes)
        return len(head) < self._block_bytes and head.count(self.layout.quote.encode()) % 2 == 0

    def _sentence(self, error: pa.ArrowInvalid) -> Unreadable:
        label = self.asked.label
        if "Empty CSV" in str(error) or ("straddl" in str(error) and self._is_one_line()):
            return Unreadable(no_rows(label))
        if "straddl" in str(error):
            return Unreadable(
                f"File {label!r}: a row is longer than {self._block_bytes:,} bytes. Perhaps a quote is never closed: mend it, or"
                " leave out the long cells."
            )
        if not self._ragged:
            raise error
        row = self._ragged[0]
        excerpt = "".join(c if c.isprintable() else " " for c in row.text[:_EXCERPT_CHARACTERS])
        first = "the header (row 1)" if self.layout.header else "row 1"
        return Unreadable(
            f"File {label!r}: row {row.number:,} {excerpt!r} has {row.actual_columns} fields; {first} has"
            f" {row.expected_columns}. Every row needs as many fields as the header: mend or quote that row."
        )
