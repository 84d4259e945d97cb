"""What one scan of a batch counted: all that the checks of the door need to know, never a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnFacts:
    """One typed column of a batch. ``distinct`` is exact up to 10,000, beyond it about right.

    ``spikes``: values of a number column that occur conspicuously often, with their rows, commonest first, at most
    20. A value that is asked for (0, -1, the baseline's mean and median) is in ``asked`` with its rows, be it none.
    """

    column_id: str
    rows: int
    nulls: int
    distinct: int
    low: float | None = None
    high: float | None = None
    mean: float | None = None
    quantiles: tuple[float, ...] = ()
    spikes: tuple[tuple[float, int], ...] = ()
    asked: tuple[tuple[float, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFacts:
    """A typed batch. ``null_patterns``: columns (ids) that are null together, with rows, commonest first, at most 20.

    ``repeated_rows`` are equal to another row of the batch in every column but the id; ``repeated_ids`` and
    ``missing_ids`` count rows; ``rows_by_day`` maps ISO dates (of the schema's zone) to rows, ``rows_by_hour`` counts the 24 hours
    of the day (UTC; empty: not counted); ``unordered_rows`` are earlier than the row before them.
    """

    rows: int
    columns: tuple[ColumnFacts, ...]
    null_patterns: tuple[tuple[tuple[str, ...], int], ...] = ()
    repeated_rows: int = 0
    repeated_ids: int = 0
    missing_ids: int = 0
    untimed_rows: int = 0
    unordered_rows: int = 0
    first_event_at: datetime | None = None
    last_event_at: datetime | None = None
    rows_by_day: Mapping[str, int] = field(default_factory=dict)
    rows_by_hour: tuple[int, ...] = ()

    def column(self, column_id: str) -> ColumnFacts | None:
        """Give the facts of one column, if it was counted."""
        return next((c for c in self.columns if c.column_id == column_id), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What one rule measured on one batch, whether it fired or not; ``column_id`` is None for the batch as a whole."""

    code: str
    column_id: str | None
    value: float
