"""Whole rows of one batch: which repeat, which columns are null together, when they happened.

Neighbours: ``facts`` describes single columns, ``duck`` runs the statements. A row leaves SQL as a few hashes, and
sorting these is all the work; that two of a million differing rows share their 64 bits happens once in 40 million
batches. It refuses to name rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline_core.engines import expressions as sql
from pipeline_core.engines.localtime import offsets
from pipeline_core.records import Role, Schema
from pipeline_core.sql import identifier
from pipeline_core.stats.gaps import Patterns, named

Codes = npt.NDArray[np.uint64]
Run = Callable[[str], pa.Table]
Stream = Callable[[str], Iterator[pa.RecordBatch]]

_DAY_US = 86_400_000_000
_HOUR_US, _HOURS = 3_600_000_000, 24
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_READ_ROWS = 122_880


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """When the rows of a batch happened; fields as in ``BatchFacts``."""

    untimed_rows: int
    unordered_rows: int
    first_event_at: datetime | None
    last_event_at: datetime | None
    rows_by_day: dict[str, int]
    rows_by_hour: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeats:
    """Rows and ids that come again, and columns that are null together; fields as in ``BatchFacts``."""

    rows: int
    distinct_ids: int
    repeated_rows: int
    null_patterns: Patterns


def times(file: Path, zone: ZoneInfo) -> Times:
    """Say when the rows happened, in the order of the file.

    Parameters
    ----------
    file : Path
        Typed rows as Parquet.
    zone : ZoneInfo
        Whose days are counted; hours are those of UTC.

    Returns
    -------
    Times
    """
    days: Counter[int] = Counter()
    hours = np.zeros(_HOURS, np.int64)
    untimed = unordered = 0
    ends: list[int] = []
    before = np.empty(0, np.int64)
    for batch in pq.ParquetFile(file, pre_buffer=False).iter_batches(columns=["event_at"], batch_size=_READ_ROWS):
        moments = batch.column(0).drop_null().cast(pa.int64()).to_numpy()
        untimed += batch.column(0).null_count
        if len(moments):
            unordered += int((np.diff(moments, prepend=before) < 0).sum())
            before = moments[-1:]
            ends = [min(*ends[:1], int(moments.min())), max(*ends[1:], int(moments.max()))] if ends else _ends(moments)
            found, n = np.unique(_on_the_wall(moments, zone) // _DAY_US, return_counts=True)
            days.update(dict(zip(found.tolist(), n.tolist(), strict=True)))
            hours += np.bincount(moments // _HOUR_US % _HOURS, minlength=_HOURS)
    first, last = (_EPOCH + timedelta(microseconds=end) for end in ends) if ends else (None, None)
    return Times(
        untimed_rows=untimed,
        unordered_rows=unordered,
        first_event_at=first,
        last_event_at=last,
        rows_by_day={str(np.datetime64(day, "D")): days[day] for day in sorted(days)},
        rows_by_hour=tuple(hours.tolist()) if ends else (),
    )


def repeats(run: Run, stream: Stream, file: Path, schema: Schema, *, gaps: Sequence[str]) -> Repeats:
    """Count rows and ids that come again, and find columns that are null together.

    Parameters
    ----------
    run, stream : callable
        Run a statement and give its rows, whole or bit by bit.
    file : Path
        Typed rows as Parquet.
    schema : Schema
        All its columns but the id make a row.
    gaps : sequence of str
        As ``stats.gaps.gaps_of`` gives them.

    Returns
    -------
    Repeats
    """
    cells = [identifier(c.column_id) for c in schema.columns if c.role is not Role.ID]
    row = f"hash({', '.join(cells)})"  # what comes twice often has got an id of its own each time
    id_ = "NULL::UBIGINT" if schema.id is None else _hash_or_null(schema.id.column_id)
    statement = f"SELECT {row} AS row, {id_} AS id, {_pattern(gaps)} AS pattern FROM {sql.scan([file])}"
    count = int(run(f"SELECT count(*) AS n FROM {sql.scan([file])}").column("n")[0].as_py())
    rows, ids = np.empty(count, np.uint64), np.empty(count if schema.id else 0, np.uint64)
    seen = named_rows = 0
    patterns: Counter[int] = Counter()
    for batch in stream(statement):
        rows[seen : seen + batch.num_rows] = batch.column(0).to_numpy()
        seen += batch.num_rows
        known = batch.column(1).drop_null().to_numpy()
        ids[named_rows : named_rows + len(known)] = known
        named_rows += len(known)
        if len(gaps) > 1:
            found, n = np.unique(batch.column(2).to_numpy(), return_counts=True)
            patterns.update(dict(zip(found.tolist(), n.tolist(), strict=True)))
    return Repeats(
        rows=count,
        distinct_ids=_distinct(ids[:named_rows]),
        repeated_rows=count - _distinct(rows),
        null_patterns=named(gaps, patterns),
    )


def _on_the_wall(moments: npt.NDArray[np.int64], zone: ZoneInfo) -> npt.NDArray[np.int64]:
    low, high = (_EPOCH + timedelta(microseconds=end) for end in _ends(moments))
    known = offsets(zone, low, high)
    changes = np.array([(since - _EPOCH) // timedelta(microseconds=1) for since, _ in known[1:]], np.int64)
    ahead = np.array([offset // timedelta(microseconds=1) for _, offset in known], np.int64)
    return moments + ahead[np.searchsorted(changes, moments, side="right")]


def _ends(moments: npt.NDArray[np.int64]) -> list[int]:
    return [int(moments.min()), int(moments.max())]


def _hash_or_null(column_id: str) -> str:
    return f"CASE WHEN {identifier(column_id)} IS NOT NULL THEN hash({identifier(column_id)}) END"


def _distinct(codes: Codes) -> int:
    codes.sort()
    return int((codes[1:] != codes[:-1]).sum()) + bool(len(codes))


def _pattern(gaps: Sequence[str]) -> str:
    """Write a number whose bits say which columns are null."""
    bits = [f"CASE WHEN {identifier(c)} IS NULL THEN {1 << i}::UBIGINT ELSE 0::UBIGINT END" for i, c in enumerate(gaps)]
    return " + ".join(bits) or "0::UBIGINT"
