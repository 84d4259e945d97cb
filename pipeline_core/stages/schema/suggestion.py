"""What a person would probably say about a first file: a guess to be corrected, each with its reason.

Neighbours: the screen shows it, ``proposal`` takes the corrected version. It refuses to be believed:
nothing is stored from a guess.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from pipeline_core.records import ColumnType, Finding, Role, Severity, Task, TimeUnit
from pipeline_core.stages.schema import leakage
from pipeline_core.stages.schema.looks import Look, look
from pipeline_core.stages.schema.proposal import default_role, default_task

EXAMPLES = 3

_TARGETS = ("target", "label", "y", "class", "outcome", "churn", "churned", "fraud", "is_fraud", "income", "default")
_PROTECTED = frozenset({
    "sex", "gender", "race", "ethnicity", "ethnic_group", "religion", "nationality", "disability", "age_band", "age_group",
})  # fmt: skip
_TIME_WORDS = ("event", "time", "date")


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnGuess:
    """One line of the editable table; shares are 0-1, ``why`` is a clause for people."""

    name: str
    type: ColumnType
    role: Role
    distinct: int
    null_share: float
    examples: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A guess about a whole file. ``task`` is None where there is no target that could be one.

    ``suspects``: features that look as if they knew the target, as far as the rows at hand tell.
    """

    rows: int
    columns: tuple[ColumnGuess, ...]
    target: str | None
    time: str | None
    id: str | None
    protected: tuple[str, ...]
    exclude: tuple[str, ...]
    task: Task | None
    time_unit: TimeUnit
    suspects: tuple[Finding, ...] = ()


def suggest(table: pa.Table) -> Suggestion:
    """Guess what the columns of a first file are for.

    Parameters
    ----------
    table : pa.Table
        As read.

    Returns
    -------
    Suggestion
    """
    looks = look(table)
    time = _guess_time(table, looks.values())
    target = _guess_target([s for s in looks.values() if s.name != time])
    row_id = _guess_id(s for s in looks.values() if s.name not in {time, target})
    named = {name: role for name, role in ((target, Role.TARGET), (time, Role.TIME), (row_id, Role.ID)) if name}
    columns = []
    for name, seen in looks.items():
        role, why = (named[name], _REASONS[named[name]]) if name in named else _rest(table, seen)
        columns.append(
            ColumnGuess(
                name=name,
                type=seen.type,
                role=role,
                distinct=seen.distinct,
                null_share=seen.nulls / seen.rows if seen.rows else 0.0,
                examples=_examples(table.column(name)),
                why=why,
            )
        )
    unit = looks[time].time_unit if time else None
    task = default_task(looks[target]) if target else None
    suspects = _suspects(table, columns, target=target, task=task)
    doubted = {f.column for f in suspects if f.severity is Severity.WARNING}
    columns = [replace(c, why=_DOUBT) if c.name in doubted else c for c in columns]
    return Suggestion(
        rows=table.num_rows,
        columns=tuple(columns),
        target=target,
        time=time,
        id=row_id,
        protected=tuple(c.name for c in columns if c.role is Role.PROTECTED),
        exclude=tuple(c.name for c in columns if c.role is Role.EXCLUDED),
        task=task,
        time_unit=unit or TimeUnit.NONE,
        suspects=suspects,
    )


_DOUBT = "it looks as if it knew the target: keep it only if it is known before"
_REASONS = {
    Role.TARGET: "its name or its place at the end says that it is what to predict",
    Role.TIME: "it says when each row happened",
    Role.ID: "it names each row once",
}


def _suspects(
    table: pa.Table, columns: list[ColumnGuess], *, target: str | None, task: Task | None
) -> tuple[Finding, ...]:
    if target is None or task is None:
        return ()
    features = {c.name: table.column(c.name) for c in columns if c.role is Role.FEATURE}
    return leakage.find(features, table.column(target), target=target, task=task)


def _guess_target(looks: list[Look]) -> str | None:
    possible = [s for s in looks if default_task(s) is not None]
    for word in _TARGETS:
        found = next((s.name for s in possible if s.name.casefold() == word), None)
        if found is not None:
            return found
    return next((s.name for s in reversed(possible)), None)


def _guess_time(table: pa.Table, looks: Iterable[Look]) -> str | None:
    times = [s for s in looks if s.is_time and s.nulls == 0 and not s.constant]
    times.sort(key=lambda s: (s.type is not ColumnType.TIMESTAMP, not any(w in s.name.casefold() for w in _TIME_WORDS)))
    if times:
        return times[0].name
    days = (s for s in looks if s.time_unit is TimeUnit.DAY and s.nulls == 0)
    return next((s.name for s in days if _counts_up(table.column(s.name))), None)


def _guess_id(looks: Iterable[Look]) -> str | None:
    for seen in looks:
        name = seen.name.casefold()
        named = name in {"id", "uuid", "key"} or name.endswith(("_id", " id", "uuid"))
        if seen.unique and named and seen.type is not ColumnType.TIMESTAMP:
            return seen.name
    return None


def _rest(table: pa.Table, seen: Look) -> tuple[Role, str]:
    if seen.constant:
        return Role.EXCLUDED, "it never changes"
    if seen.name.casefold() in _PROTECTED:
        return Role.PROTECTED, "it is kept for audits and never fed to a model"
    if seen.unique and seen.whole and _counts_up(table.column(seen.name)):
        return Role.EXCLUDED, "it counts the rows"
    if default_role(seen) is Role.EXCLUDED:
        return Role.EXCLUDED, "it is a time" if seen.is_time else "nearly every row has its own text"
    if seen.near_constant:
        return Role.FEATURE, "nearly all rows have the same value: it will hardly help"
    return Role.FEATURE, "it may help to predict the target"


def _counts_up(column: pa.ChunkedArray) -> bool:
    if len(column) < 2 or column.null_count:
        return False
    steps = pc.subtract(
        column.slice(1).cast(pa.float64(), safe=False), column.slice(0, len(column) - 1).cast(pa.float64(), safe=False)
    )
    return bool(pc.all(pc.greater(steps, 0)).as_py())


def _examples(column: pa.ChunkedArray) -> tuple[str, ...]:
    some = column.slice(0, 1_000).drop_null().unique()
    return tuple(str(v.as_py())[:40] for v in some[:EXAMPLES])
