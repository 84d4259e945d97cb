"""What came in: schema, batch, finding, labels, scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pipeline_core.records.reading import Change, Example, Reading
from pipeline_core.records.words import BatchStatus, ColumnType, Role, Severity, Task, TimeUnit


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a schema. ``column_id`` (c001 ...) is its name in SQL, Parquet and pipelines.

    ``calendar``: it only repeats what the event time says (hour, weekday, month, season ...).
    """

    column_id: str
    name: str
    type: ColumnType
    role: Role
    calendar: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """How a column's values become countable cells (``performance.md``, grid, bound, refine).

    ``kind`` is ``value`` (the cell is the number itself), ``cells`` (cell = arithmetic map with
    ``centre`` and ``spread`` onto 0..65535) or ``level`` (the category itself). ``starts``: the first cells of the bins
    that cells are put together in (ascending, from 0), each named by its first cell; none: every cell for itself.
    """

    column_id: str
    kind: str
    centre: float = 0.0
    spread: float = 1.0
    starts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnBaseline:
    """What the first file taught about a column; shares are 0-1, unit of low/high is the column's.

    ``levels`` maps a category (or a number with at most 20 values, as text) to its share, the 200
    commonest only; ``quantiles`` are the 1001 evenly spaced quantiles of a number, for drawing and
    for the distribution finding. ``follows_calendar``: a category that each day has one of (a month, a
    season), so that new levels come with time. ``spikes``: numbers that are conspicuously common, with their share of
    the rows with a value, commonest first.
    """

    column_id: str
    rows: int
    null_share: float
    distinct: int
    low: float | None = None
    high: float | None = None
    mean: float | None = None
    levels: Mapping[str, float] = field(default_factory=dict)
    levels_complete: bool = True
    quantiles: tuple[float, ...] = ()
    follows_calendar: bool = False
    spikes: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """What a model expects at the door. ``classes`` are the target's labels, sorted.

    ``reading``: how the first file was read; what the content of later ones does not settle is read the same way.
    ``null_patterns``: columns (ids) that were null together in the first file, with their share of the rows.
    ``zone``: the IANA time zone whose days and hours the model's windows follow.
    """

    model: str
    schema_version: int
    task: Task
    columns: tuple[Column, ...]
    baselines: tuple[ColumnBaseline, ...]
    grids: tuple[Grid, ...]
    time_unit: TimeUnit
    positive: str | None = None
    classes: tuple[str, ...] = ()
    defined_at: datetime
    demo: bool = False
    reading: Reading = field(default_factory=Reading)
    null_patterns: tuple[tuple[tuple[str, ...], float], ...] = ()
    zone: str = "UTC"

    def role(self, role: Role) -> tuple[Column, ...]:
        """Give the columns of one role, in schema order."""
        return tuple(c for c in self.columns if c.role is role)

    @property
    def features(self) -> tuple[Column, ...]:
        """The columns that are fed to the model, in schema order."""
        return self.role(Role.FEATURE)

    @property
    def target(self) -> Column:
        """The one target column."""
        return self.role(Role.TARGET)[0]

    @property
    def time(self) -> Column | None:
        """The event time column, if there is one."""
        return next(iter(self.role(Role.TIME)), None)

    @property
    def id(self) -> Column | None:
        """The id column, if there is one."""
        return next(iter(self.role(Role.ID)), None)

    def by_id(self, column_id: str) -> Column:
        """Give the column with that internal id."""
        return next(c for c in self.columns if c.column_id == column_id)

    def by_name(self, name: str) -> Column | None:
        """Give the column with that display name, if there is one."""
        return next((c for c in self.columns if c.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing about a batch that a person should know. ``code`` is stable (docs/findings.md).

    ``rule`` says in a sentence what was held against which limit, and why there is such a rule; it would have fired on
    ``fired_batches`` of the ``past_batches`` before this one (None: not known). ``examples``: offending cells.
    """

    code: str
    column: str | None
    severity: Severity
    message: str
    value: float | str | None = None
    allowed: str | None = None
    rule: str = ""
    fired_batches: int | None = None
    past_batches: int | None = None
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnArrival:
    """One column of one batch as it arrived and as it was stored; shares are 0-1. ``changes``: the ledger."""

    column: str
    arrived: str
    stored: str
    null_share: float
    failed_rows: int = 0
    low: float | None = None
    high: float | None = None
    distinct: int | None = None
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What a person decided about a quarantined batch: taken in all the same, or thrown away."""

    decided_by: str
    decided_at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchReport:
    """What came in and what the door decided. ``duplicate``: this content was already known.

    ``set_aside_rows`` rows broke a rule about rows and take part in nothing; the rest was accepted. ``ruling``: a
    person decided otherwise than the door. ``notes`` tell what reading left out. ``reading`` is how it was read; read
    again it is by what led to that: ``asked`` of it by somebody, and ``remembered`` of an earlier file.
    """

    model: str
    batch_id: str
    status: BatchStatus
    rows: int
    sha256: str
    source: str
    received_at: datetime
    findings: tuple[Finding, ...]
    columns: tuple[ColumnArrival, ...] = ()
    first_event_at: datetime | None = None
    last_event_at: datetime | None = None
    labelled_rows: int = 0
    schema_version: int = 1
    duplicate: bool = False
    set_aside_rows: int = 0
    reading: Reading = field(default_factory=Reading)
    asked: Reading = field(default_factory=Reading)
    remembered: Reading = field(default_factory=Reading)
    notes: tuple[str, ...] = ()
    ruling: Ruling | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A batch that was acknowledged and is not whole any more. ``missing``: record, rows, ruling or raw.

    ``raw_kept``: the file as received is still there, so that it can be received again, read as was ``asked``.
    """

    model: str
    batch_id: str
    sha256: str
    source: str
    rows: int
    status: BatchStatus
    missing: str
    raw_kept: bool
    acknowledged_at: datetime
    asked: Reading = field(default_factory=Reading)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelReport:
    """What a file of ground truth changed; all figures in rows."""

    model: str
    rows: int
    new_rows: int
    changed_rows: int
    unchanged_rows: int
    unknown_rows: int
    matched_predictions: int
    batch_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringReport:
    """What the champion said about a batch. ``predictions`` is the table row_id, prediction, score."""

    model: str
    batch_id: str
    version: int
    rows: int
    mean_score: float | None
    predicted: Mapping[str, int]
    already_scored: bool = False
