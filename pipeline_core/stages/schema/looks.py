"""What a column looks like before anybody has said what it is for.

Neighbours: ``proposal`` and ``suggestion`` decide by it. It refuses to give roles.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from pipeline_core.clock import ISO_8601, epoch_micros
from pipeline_core.policy import NUMBER_MAX
from pipeline_core.records import ColumnType, TimeUnit

NEAR_UNIQUE_SHARE = 0.5
NEAR_UNIQUE_LEVELS = 50
NEAR_CONSTANT_SHARE = 0.999
"""A column of which so many rows have one value tells little, and a model nothing it can count on."""

TIME_WORDS = ("time", "date", "epoch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One column of a first file. ``distinct`` counts values, nulls apart; ``whole``: all are whole numbers.

    ``commonest_share``: of the rows, those with the commonest value (or none); counted only where it may be large.
    """

    name: str
    type: ColumnType
    rows: int
    nulls: int
    distinct: int
    boolean: bool = False
    whole: bool = False
    low: float | None = None
    high: float | None = None
    commonest_share: float = 0.0

    @property
    def near_constant(self) -> bool:
        """Nearly all rows have the same value, nulls counted as one."""
        return self.constant or self.commonest_share >= NEAR_CONSTANT_SHARE

    @property
    def constant(self) -> bool:
        """Nothing ever changes in it, nulls counted as a value."""
        return self.distinct + (self.nulls > 0) <= 1

    @property
    def unique(self) -> bool:
        """Every row has its own value."""
        return self.rows > 1 and self.nulls == 0 and self.distinct == self.rows

    @property
    def near_unique_text(self) -> bool:
        """Text that names the row rather than describes it."""
        known = self.rows - self.nulls
        many = self.distinct > NEAR_UNIQUE_LEVELS and self.distinct > NEAR_UNIQUE_SHARE * known
        return self.type is ColumnType.CATEGORY and many

    @property
    def is_time(self) -> bool:
        """A time, or a number since 1970 that is called one (a tract or a telephone has such numbers too)."""
        if self.type is ColumnType.TIMESTAMP:
            return True
        called = any(word in self.name.casefold() for word in TIME_WORDS)
        return called and self.time_unit is TimeUnit.CLOCK

    @property
    def time_unit(self) -> TimeUnit | None:
        """How it would count as the event time; None where it cannot."""
        if self.type is ColumnType.TIMESTAMP:
            return TimeUnit.CLOCK
        if self.type is not ColumnType.NUMBER or self.low is None or self.high is None:
            return None
        if self.whole and epoch_micros(self.low) is not None and epoch_micros(self.low) == epoch_micros(self.high):
            return TimeUnit.CLOCK
        return TimeUnit.DAY if self.whole and "day" in self.name.casefold() else TimeUnit.ROW


def look(table: pa.Table, names: Iterable[str] | None = None) -> dict[str, Look]:
    """Look at columns once.

    Parameters
    ----------
    table : pa.Table
        As read.
    names : iterable of str or None
        Which columns; all by default.

    Returns
    -------
    dict of str to Look
        By name, in the order of the file.
    """
    wanted = table.column_names if names is None else names
    return {name: _look(name, table.column(name)) for name in wanted}


def _look(name: str, column: pa.ChunkedArray) -> Look:
    kind = column.type
    if pa.types.is_null(kind):
        column = column.cast(pa.float64())
    elif pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        usable = pc.less_equal(pc.abs(column.cast(pa.float64(), safe=False)), NUMBER_MAX)
        column = pc.if_else(pc.fill_null(usable, fill_value=False), column, None)
    elif pa.types.is_string(kind):
        trimmed = pc.utf8_trim_whitespace(column)
        column = pc.if_else(pc.equal(trimmed, ""), None, trimmed)
    seen = pc.count_distinct(column).as_py()
    nulls = column.null_count
    natural = _natural_type(column)
    low = high = None
    whole = False
    if natural is ColumnType.NUMBER and seen:
        number = column.cast(pa.float64(), safe=False)
        ends = pc.min_max(number).as_py()
        low, high = ends["min"], ends["max"]
        whole = pa.types.is_integer(kind) or pc.all(pc.equal(pc.floor(number), number)).as_py()
    return Look(
        name=name,
        type=natural,
        rows=len(column),
        nulls=nulls,
        distinct=seen,
        boolean=pa.types.is_boolean(kind),
        whole=whole,
        low=low,
        high=high,
        commonest_share=_commonest_share(column, seen + (nulls > 0)),
    )


def _commonest_share(column: pa.ChunkedArray, values: int) -> float:
    # more other values than rows are left for them: no need to count
    if not len(column) or values - 1 > (1 - NEAR_CONSTANT_SHARE) * len(column):
        return 0.0
    return pc.max(column.value_counts().field("counts")).as_py() / len(column)


def _natural_type(column: pa.ChunkedArray) -> ColumnType:
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return ColumnType.TIMESTAMP
    if pa.types.is_string(kind):
        known = column.drop_null()
        is_time = len(known) > 0 and pc.all(pc.match_substring_regex(known, ISO_8601)).as_py()
        return ColumnType.TIMESTAMP if is_time else ColumnType.CATEGORY
    return ColumnType.CATEGORY if pa.types.is_boolean(kind) else ColumnType.NUMBER
