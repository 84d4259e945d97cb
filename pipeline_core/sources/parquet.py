"""What a Parquet file holds, slice by slice, without believing what it says about its size.

A few hundred bytes can stand for gigabytes: a dictionary with one long text, and a million references to it. So text is
read as references, what it would unfold to is added up, and only then it is unfolded. Neighbours: ``files`` has looked
at the first bytes, ``simple`` gives each column a simple type. It refuses nothing because of a single column that
cannot be read: such a column arrives as text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline_core.errors import Unreadable
from pipeline_core.records import Reading
from pipeline_core.sources import naming, simple
from pipeline_core.sources.cells import null_words, without_told_nulls
from pipeline_core.sources.opened import SLICE_ROWS, Asked, Ledger, Opened

SLICE_BYTES = 67_108_864

_BUFFER_BYTES = 1_048_576
_VALUE_BYTES = {"INT64": 8, "DOUBLE": 8, "INT96": 12, "INT32": 4, "FLOAT": 4, "BYTE_ARRAY": 4}


def open_(asked: Asked) -> Opened:
    """Open a Parquet file: names and types from its footer, rows by slices.

    Parameters
    ----------
    asked : Asked
        The file and its limit.

    Returns
    -------
    Opened

    Raises
    ------
    Unreadable
        It unfolds to more than the limit, or breaks a rule about names.
    """
    with pq.ParquetFile(asked.path) as footer:
        arrow, metadata = footer.schema_arrow, footer.metadata
        leaves = [footer.schema.column(i) for i in range(len(footer.schema))]
    names = naming.checked(arrow.names, asked.label, asked.policy)
    check_unfolded(_declared(metadata, leaves), asked)
    texts = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY" and leaf.precision < 0]
    widest = max((leaf.length for leaf in leaves), default=0)
    rows = max(1, min(SLICE_ROWS, SLICE_BYTES // max(widest, 1)))

    def batches(columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        # a page at a time: a row group may be as large as the file
        with pq.ParquetFile(asked.path, read_dictionary=texts, buffer_size=_BUFFER_BYTES, pre_buffer=False) as file:
            for group in range(file.num_row_groups):
                yield from file.iter_batches(batch_size=rows, columns=columns, row_groups=[group], use_threads=False)

    times = [f.name for f in arrow if _may_lie_beyond(f.type)] if len(set(arrow.names)) == len(arrow.names) else []
    beyond = beyond_calendar(batches(times)) if times else set()
    schema = pa.schema([
        (name, pa.string() if field.name in beyond else simple.simple_type(field.type))
        for name, field in zip(names, arrow, strict=True)
    ])
    has_rows = bool(metadata.num_rows and names)  # any number of rows without a column are none

    def parts(ledger: Ledger) -> Iterator[pa.Table]:
        return unfolded(batches() if has_rows else (), schema, asked, ledger)

    return Opened(schema=schema, parts=parts, reading=Reading(format="parquet", nulls=null_words(asked)))


def beyond_calendar(batches: Iterable[pa.RecordBatch]) -> set[str]:
    """Find the columns that hold a time beyond the calendar.

    Parameters
    ----------
    batches : iterable of pa.RecordBatch
        Columns of times.

    Returns
    -------
    set of str
    """
    found: set[str] = set()
    for batch in batches:
        pairs = zip(batch.schema.names, batch.columns, strict=True)
        found.update(name for name, column in pairs if name not in found and simple.beyond_calendar(column))
    return found


def unfolded(batches: Iterable[pa.RecordBatch], schema: pa.Schema, asked: Asked, ledger: Ledger) -> Iterator[pa.Table]:
    """Give record batches of any type as tables of simple types, in slices of a bounded size.

    Parameters
    ----------
    batches : iterable of pa.RecordBatch
        Dictionaries not unfolded.
    schema : pa.Schema
        The simple types, under the names that are shown.
    asked : Asked
        The limit on what all of them unfold to, and the words that mean "no value".
    ledger : Ledger
        Where it is said what was changed.

    Yields
    ------
    pa.Table

    Raises
    ------
    Unreadable
        They unfold to more.
    """
    total, rows = 0, 0
    for batch in batches:
        bytes_ = sum(simple.size(column) for column in batch.columns)
        total += bytes_
        check_unfolded(total, asked)
        for part in _small_enough(batch, bytes_):
            columns = [simple.simplified(c, to=field.type) for c, field in zip(part.columns, schema, strict=True)]
            yield without_told_nulls(pa.Table.from_arrays(columns, schema=schema), asked, ledger, rows)
            rows += part.num_rows


def check_unfolded(unfolded_bytes: int, asked: Asked) -> None:
    """Refuse a file that unfolds to more than the limit.

    Parameters
    ----------
    unfolded_bytes : int
        So far.
    asked : Asked
        The limit.

    Raises
    ------
    Unreadable
        It is above it.
    """
    if unfolded_bytes > asked.limit:
        raise Unreadable(
            f"File {asked.label!r} unfolds to more than {asked.limit:,} bytes, which the policy allows (a multiple of"
            " upload_bytes_max). Split it into several batches."
        )


def _small_enough(batch: pa.RecordBatch, bytes_: int) -> Iterator[pa.RecordBatch]:
    """Halve a batch until each part unfolds to a slice."""
    if bytes_ <= SLICE_BYTES or batch.num_rows <= 1:
        yield batch
        return
    middle = batch.num_rows // 2
    for half in (batch.slice(0, middle), batch.slice(middle)):
        yield from _small_enough(half, sum(simple.size(column) for column in half.columns))


def _may_lie_beyond(kind: pa.DataType) -> bool:
    if isinstance(kind, pa.BaseExtensionType):
        return _may_lie_beyond(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return _may_lie_beyond(kind.value_type)
    return pa.types.is_date(kind) or (pa.types.is_timestamp(kind) and kind.unit != "ns")


def _declared(metadata: pq.FileMetaData, leaves: list[pq.ColumnSchema]) -> int:
    """Add up what the footer says: many equal numbers take no room in the file."""
    widths = [_VALUE_BYTES.get(leaf.physical_type, max(leaf.length, 1)) for leaf in leaves]
    groups = (metadata.row_group(i) for i in range(metadata.num_row_groups))
    return sum(group.column(i).num_values * width for group in groups for i, width in enumerate(widths))
