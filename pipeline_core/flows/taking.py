"""What is done to a file that a stranger sent, in a child that holds nothing else: read, typed, counted.

Each step takes a request and gives a result, as ``compute`` wants them; what is large goes through files in the
request's folder. Neighbours: ``sandbox`` confines the child, ``arrival`` judges and keeps what comes back. It refuses
to open a store, and to guess where a file can be read in two ways.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline_core.engines.duck import DuckEngine
from pipeline_core.errors import Doubtful, Unreadable
from pipeline_core.flows.replies import Progress
from pipeline_core.flows.windows import zone_of
from pipeline_core.policy import Policy
from pipeline_core.records import BatchFacts, ColumnArrival, Doubt, Finding, Reading, Schema, Unpacked
from pipeline_core.sources import files
from pipeline_core.sources.incoming import Incoming
from pipeline_core.sources.opened import no_rows
from pipeline_core.stages import validation

COMPRESSION = {"compression": "zstd", "compression_level": 1}
ENGINE_MEMORY = "400MB"

_ROW_GROUP_ROWS = 122_880  # DuckDB's own size: one thread reads one group


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """A file as it came: where it lies, what a person calls it, how it is to be read.

    ``reading`` is what somebody asked for; ``remembered`` settles what the content leaves open.
    """

    path: Path
    name: str
    policy: Policy
    reading: Reading = field(default_factory=Reading)
    remembered: Reading = field(default_factory=Reading)


# --- unpacking ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpackRequest:
    """What ``unpack`` needs. ``rows``: only so many from the beginning, doubts and all; None: the whole file.

    ``only``: of the whole file just the rows of these numbers (from 0), in their order.
    """

    raw: Raw
    folder: Path
    rows: int | None = None
    only: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpackResult:
    """A file with the columns as they arrived, as Parquet of simple types."""

    arrived: Path
    unpacked: Unpacked


def unpack(request: UnpackRequest, _progress: Progress) -> UnpackResult:
    """Write what a file holds as Parquet, columns by display name.

    Parameters
    ----------
    request : UnpackRequest
        The file and the folder to write into.

    Returns
    -------
    UnpackResult

    Raises
    ------
    Unreadable
        It is no table of an allowed format, or breaks a limit.
    Doubtful
        The whole file is wanted, and it can be read in two ways.
    """
    raw, arrived = request.raw, request.folder / "arrived.parquet"
    if request.rows is not None:
        table, seen = files.peek(
            raw.path, name=raw.name, reading=raw.reading, policy=raw.policy, work=request.folder, rows=request.rows
        )
        pq.write_table(table, arrived, **COMPRESSION)
        return UnpackResult(arrived=arrived, unpacked=seen)
    with _opened(raw, request.folder) as incoming:
        if request.only is None:
            refuse_doubts(incoming.doubts)
            write(arrived, incoming.slices())
        else:
            write(arrived, _picked(incoming.slices(), request.only))
        return UnpackResult(arrived=arrived, unpacked=incoming.unpacked())


def refuse_doubts(doubts: Iterable[Doubt]) -> None:
    """Refuse a file that can be read in two ways, as long as nobody has said which.

    Parameters
    ----------
    doubts : iterable of Doubt
        What its content leaves open.

    Raises
    ------
    Doubtful
        One of them is blocking.
    """
    blocking = [d.message for d in doubts if d.blocking]
    if blocking:
        raise Doubtful(" ".join(blocking))


def write(path: Path, tables: Iterable[pa.Table]) -> int:
    """Write slices as one Parquet file.

    Parameters
    ----------
    path : Path
        Where to.
    tables : iterable of pa.Table
        All of one schema; at least one.

    Returns
    -------
    int
        Rows written.
    """
    rows, writer = 0, None
    try:
        for table in tables:
            if writer is None:
                # a dictionary of numbers or of row ids is tried in vain: more than half of the time of writing
                texts = [f.name for f in table.schema if pa.types.is_string(f.type) and f.name != "row_id"]
                writer = pq.ParquetWriter(path, table.schema, use_dictionary=texts, **COMPRESSION)
            writer.write_table(table, row_group_size=_ROW_GROUP_ROWS)
            rows += table.num_rows
    finally:
        if writer is not None:
            writer.close()
    return rows


def _opened(raw: Raw, work: Path) -> AbstractContextManager[Incoming]:
    return files.open_file(
        raw.path, name=raw.name, reading=raw.reading, remembered=raw.remembered, policy=raw.policy, work=work
    )


def _picked(tables: Iterable[pa.Table], wanted: tuple[int, ...]) -> Iterator[pa.Table]:
    first = 0
    for table in tables:
        here = [n - first for n in sorted(wanted) if first <= n < first + table.num_rows]
        yield table.take(pa.array(here, pa.int64()))
        first += table.num_rows


# --- taking -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeRequest:
    """What ``take`` needs. ``unpacked``: the file is what ``unpack`` wrote, and this is what it found."""

    raw: Raw
    folder: Path
    schema: Schema
    sha256: str
    received_at: datetime
    unpacked: Unpacked | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A batch before it is judged: typed rows and their counts as files, the ledger, and the facts.

    ``aside`` names rows that broke a rule about rows and are not among ``rows``; ``counts`` has a null bucket for rows
    that have no event time.
    """

    rows: Path
    counts: Path
    arrivals: tuple[ColumnArrival, ...]
    failures: tuple[Finding, ...]
    facts: BatchFacts
    unpacked: Unpacked
    aside: Path | None = None
    aside_rows: int = 0


def take(request: TakeRequest, _progress: Progress) -> Taken:
    """Type a file by a schema and count it, slice by slice.

    Parameters
    ----------
    request : TakeRequest
        The file, the schema and the folder to write into.

    Returns
    -------
    Taken

    Raises
    ------
    Unreadable
        It is no table of an allowed format, or breaks a limit.
    Doubtful
        It can be read in two ways.
    """
    raw, folder = request.raw, request.folder
    typing = validation.Typing(request.schema, sha256=request.sha256, received_at=request.received_at)
    rows = folder / "rows.parquet"
    with _opened(raw, folder) as incoming:
        refuse_doubts(incoming.doubts)
        if not write(rows, (typing.rows(part) for part in _grouped(incoming.slices()))):
            raise Unreadable(no_rows(raw.name))
        unpacked = request.unpacked or incoming.unpacked()
    arrivals = validation.merge_changes(unpacked, typing.arrivals())
    failures = typing.failures()
    aside = _set_aside(typing, rows, unpacked.rows, request)
    aside_rows = 0
    if aside is not None:
        # cells for which their row went are not stored, so they count as failed no more, and the ledger still tells of
        # them; a lost cell of a target or of a column that is only kept took no row with it, and stays a finding
        rows, aside_rows = folder / "kept.parquet", pc.count_distinct(aside.column("row_number")).as_py()
        gone = {c.name for c in request.schema.columns if c.role in validation.ROW_RULED}
        arrivals = tuple(replace(a, failed_rows=0) if a.column in gone else a for a in arrivals)
        failures = tuple(f for f in failures if f.code != validation.FindingCode.TYPE_CHANGED or f.column not in gone)
        pq.write_table(aside, folder / "aside.parquet", **COMPRESSION)
    with DuckEngine(work=folder, memory_limit=ENGINE_MEMORY) as engine:
        counts = engine.counts([rows], request.schema.grids, buckets=zone_of(request.schema))
        facts = engine.facts(rows, request.schema, counts=counts)
    pq.write_table(counts, folder / "counts.parquet", **COMPRESSION)
    return Taken(
        rows=rows,
        counts=folder / "counts.parquet",
        arrivals=_with_distinct(arrivals, request.schema, facts),
        failures=failures,
        facts=facts,
        unpacked=unpacked,
        aside=folder / "aside.parquet" if aside is not None else None,
        aside_rows=aside_rows,
    )


def _grouped(slices: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Put slices together to whole row groups: a file of many small groups is slow to read ever after."""
    held: list[pa.Table] = []
    rows = 0
    for part in slices:
        held.append(part)
        rows += part.num_rows
        if rows >= _ROW_GROUP_ROWS:
            joined = pa.concat_tables(held)
            yield joined.slice(0, _ROW_GROUP_ROWS)
            held, rows = [joined.slice(_ROW_GROUP_ROWS)], rows - _ROW_GROUP_ROWS
    if rows:
        yield pa.concat_tables(held)


def _set_aside(typing: validation.Typing, rows: Path, count: int, request: TakeRequest) -> pa.Table | None:
    limit = request.raw.policy.set_aside_share_max
    if not limit:
        return None
    aside = typing.aside()
    numbers = pc.unique(aside.column("row_number"))
    if not len(numbers) or len(numbers) > limit * count or len(numbers) == count:
        return None
    with pq.ParquetFile(rows, pre_buffer=False) as file:
        kept = (pa.Table.from_batches([batch]) for batch in file.iter_batches(batch_size=_ROW_GROUP_ROWS))
        good = (t.filter(pc.invert(pc.is_in(t.column("row_number"), value_set=numbers))) for t in kept)
        write(request.folder / "kept.parquet", good)
    return aside


def _with_distinct(arrivals: tuple[ColumnArrival, ...], schema: Schema, facts: BatchFacts) -> tuple[ColumnArrival, ...]:
    known = {c.name: facts.column(c.column_id) for c in schema.columns}
    return tuple(
        replace(a, distinct=found.distinct) if (found := known.get(a.column)) is not None else a for a in arrivals
    )
