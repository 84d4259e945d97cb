"""What the checks are given and what each gives back: shapes, and no judgement.

Neighbours: ``checks`` hands a ``Case`` to every check and turns their outcomes into findings and measures. An outcome
is one rule on one column: the figure that is held against the limit, and a finding where it fires. It refuses
figures that mean something else than the limit: a rule fires exactly where its figure reaches ``fires_from``, so that
it can be asked how often today's limit would have fired on batches of the past.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa

from pipeline_core.policy import Policy
from pipeline_core.records import (
    BatchFacts,
    Column,
    ColumnArrival,
    ColumnBaseline,
    ColumnFacts,
    Example,
    Finding,
    Measure,
    Role,
    Schema,
    Severity,
)
from pipeline_core.stages.validation.tallies import Tally
from pipeline_core.stats.twosample import share_test

MEASURES = pa.schema([
    ("batch_id", pa.string()),
    ("code", pa.string()),
    ("column_id", pa.string()),
    ("value", pa.float64()),
])
"""What was measured on batches before; ``column_id`` is null for the batch as a whole."""

ABOVE_ZERO = math.nextafter(0.0, 1.0)
"""``fires_from`` of a rule that allows none."""
P_VALUE_MAX = 0.001
"""Shares that are about to become an error need more than chance."""

WORST = {
    Role.FEATURE: Severity.ERROR,
    Role.TIME: Severity.ERROR,
    Role.ID: Severity.ERROR,
    Role.PROTECTED: Severity.WARNING,
    Role.TARGET: Severity.WARNING,
    Role.EXCLUDED: Severity.INFO,
}
"""What a column is for decides how bad it is that it is unusable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A typed batch, counted. ``failures`` are what typing could not hold; ``names``: columns in the file's order.

    ``set_aside_rows`` rows broke a rule about rows and are in none of the figures.
    """

    arrivals: tuple[ColumnArrival, ...]
    facts: BatchFacts
    counts: pa.Table
    failures: tuple[Finding, ...] = ()
    names: tuple[str, ...] = ()
    set_aside_rows: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PastBatch:
    """An accepted batch of before. ``rows_by_day`` maps ISO dates (of the schema's zone) to rows, where it is known."""

    rows: int
    received_at: datetime
    first_event_at: datetime | None = None
    last_event_at: datetime | None = None
    rows_by_day: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Context:
    """What is known beside the batch, as the store has it.

    ``repeats``: accepted rows whose ids come again (``repeats.known_ids``). ``measures``: of accepted batches before
    (``MEASURES``). ``past``: those batches, oldest first. ``severities``: what people set on screen, by (code,
    column_id) or (code, None).
    """

    received_at: datetime
    repeats: pa.Table | None = None
    measures: pa.Table = field(default_factory=MEASURES.empty_table)
    past: tuple[PastBatch, ...] = ()
    severities: Mapping[tuple[str, str | None], str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What the door says of a batch, errors first, and everything that it measured to say so."""

    findings: tuple[Finding, ...]
    measures: tuple[Measure, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Compared:
    """A feature or protected column that is in the batch and has a baseline."""

    column: Column
    baseline: ColumnBaseline
    arrival: ColumnArrival
    facts: ColumnFacts
    tally: Tally

    @property
    def nulls(self) -> int:
        """Rows that arrived as nulls: cells that failed to convert are a finding of their own."""
        return max(0, self.facts.nulls - self.arrival.failed_rows)

    @property
    def known(self) -> int:
        """Rows with a value."""
        return self.facts.rows - self.facts.nulls

    @property
    def baseline_known(self) -> int:
        """Rows with a value in the baseline."""
        return round(self.baseline.rows * (1 - self.baseline.null_share))

    @property
    def baseline_nulls(self) -> int:
        """Nulls of the baseline."""
        return self.baseline.rows - self.baseline_known


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """One batch before the door: what every check is given."""

    batch: Batch
    schema: Schema
    policy: Policy
    context: Context
    compared: tuple[Compared, ...] = ()
    past_measures: Mapping[tuple[str, str | None], tuple[float, ...]] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Rows of the batch."""
        return self.batch.facts.rows

    def has(self, column: Column | None) -> bool:
        """Say whether a column of the schema is in the file."""
        return column is not None and any(a.column == column.name for a in self.batch.arrivals)

    def history(self, code: str, column: Column | None = None) -> tuple[float, ...]:
        """Give what a rule measured on accepted batches before."""
        return self.past_measures.get((code, column.column_id if column else None), ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One rule on one column (None: the batch). It fires, with a finding, where ``measured`` reaches ``fires_from``.

    ``told``: the measure of this code and column comes with another outcome; this one only adds its finding.
    """

    code: str
    column: Column | None
    measured: float
    fires_from: float = ABOVE_ZERO
    finding: Finding | None = None
    told: bool = False


Outcomes = Iterator[Outcome]


def significant(base_hits: int, base_rows: int, hits: int, rows: int) -> bool:
    """Say whether a share changed by more than chance; where the baseline knows nothing, whatever comes is a change."""
    if base_rows < 1 or rows < 1:
        return True
    return share_test(base_hits, base_rows, hits, rows).p_value < P_VALUE_MAX


def examples_of(arrival: ColumnArrival | None, *kinds: str) -> tuple[Example, ...]:
    """Give the cells that the ledger holds of some kinds of change, all kinds unless said."""
    if arrival is None:
        return ()
    return next((c.examples for c in arrival.changes if c.examples and (not kinds or c.kind in kinds)), ())
