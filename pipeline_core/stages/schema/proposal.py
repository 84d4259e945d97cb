"""What the columns of a first file are: what a person said, and defaults for the rest.

A default leaves out what teaches a model nothing or the wrong thing: times, near-unique text,
constants. Neighbours: ``learning`` adds what the values teach. It refuses contradictions, and names
the nearest column where one is unknown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa

from pipeline_core.errors import InvalidDefinition, NotFound, nearest
from pipeline_core.records import Column, ColumnType, Role, Schema, Task, TimeUnit
from pipeline_core.stages.schema.looks import Look, look

CLASSES_MAX = 20
"""More levels than this make a multiclass task only when a person says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DefineRequest:
    """What a person says about a model. ``features`` are kept although a default would exclude them."""

    model: str
    target: str
    positive: str | None = None
    time: str | None = None
    id: str | None = None
    protected: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    task: Task | None = None
    types: Mapping[str, ColumnType] = field(default_factory=dict)
    defined_at: datetime
    schema_version: int = 1
    demo: bool = False


def propose(table: pa.Table, request: DefineRequest) -> Schema:
    """Say what each column of a first file is, and what the model predicts.

    Parameters
    ----------
    table : pa.Table
        As read.
    request : DefineRequest
        What a person named.

    Returns
    -------
    Schema
        Complete but for what ``learn`` adds: classes, baselines and grids.

    Raises
    ------
    NotFound
        The request names a column that is not there.
    InvalidDefinition
        It contradicts itself or the file.
    """
    roles = _named_roles(request)
    _refuse_unknown([*roles, *request.types], table.column_names)
    looks = look(table)
    task = _task(looks[request.target], request)
    unit = TimeUnit.NONE if request.time is None else _time_unit(looks[request.time])
    _refuse_unusable_id(request, looks)
    columns = []
    for position, (name, seen) in enumerate(looks.items(), start=1):
        role = roles.get(name) or default_role(seen, request.types.get(name))
        kind = _type(seen, role, request=request, task=task, unit=unit)
        columns.append(Column(column_id=f"c{position:03d}", name=name, type=kind, role=role))
    if not any(c.role is Role.FEATURE for c in columns):
        raise InvalidDefinition(
            f"Model {request.model!r} would have no feature: every column is the target, the time, the id, protected or"
            " excluded. Leave at least one column as a feature."
        )
    return Schema(
        model=request.model,
        schema_version=request.schema_version,
        task=task,
        columns=tuple(columns),
        baselines=(),
        grids=(),
        time_unit=unit,
        positive=request.positive,
        defined_at=request.defined_at,
        demo=request.demo,
    )


def default_role(seen: Look, kind: ColumnType | None = None) -> Role:
    """Say whether a column that nobody named is a feature.

    Parameters
    ----------
    seen : Look
        The column.
    kind : ColumnType or None
        The type that a person gave it, if any.

    Returns
    -------
    Role
        ``FEATURE`` or ``EXCLUDED``.
    """
    is_time = kind is ColumnType.TIMESTAMP or (kind is None and seen.is_time)
    return Role.EXCLUDED if is_time or seen.near_unique_text or seen.constant else Role.FEATURE


def default_task(seen: Look) -> Task | None:
    """Say what kind of task a target makes, if its values tell.

    Parameters
    ----------
    seen : Look
        The target.

    Returns
    -------
    Task or None
        None for times, constants and text of more than ``CLASSES_MAX`` levels.
    """
    if seen.type is ColumnType.TIMESTAMP or seen.distinct < 2:
        return None
    if seen.distinct == 2:
        return Task.BINARY
    counted = seen.type is ColumnType.CATEGORY or seen.whole
    if counted and seen.distinct <= CLASSES_MAX:
        return Task.MULTICLASS
    return Task.REGRESSION if seen.type is ColumnType.NUMBER else None


def _named_roles(request: DefineRequest) -> dict[str, Role]:
    named = [(request.target, Role.TARGET)]
    named += [(request.time, Role.TIME)] if request.time is not None else []
    named += [(request.id, Role.ID)] if request.id is not None else []
    named += [(name, Role.PROTECTED) for name in dict.fromkeys(request.protected)]
    named += [(name, Role.EXCLUDED) for name in dict.fromkeys(request.exclude)]
    named += [(name, Role.FEATURE) for name in dict.fromkeys(request.features)]
    twice = next((name for name, times in Counter(name for name, _ in named).items() if times > 1), None)
    if twice is not None:
        roles = " and ".join(str(role) for name, role in named if name == twice)
        raise InvalidDefinition(f"Column {twice!r} was named as {roles}; one role is allowed. Choose one.")
    return dict(named)


def _refuse_unknown(names: Iterable[str], known: list[str]) -> None:
    for name in names:
        if name not in known:
            raise NotFound(f"Column {name!r} is not in the file. {nearest(name, known)}")


def _task(target: Look, request: DefineRequest) -> Task:
    here = f"Target {target.name!r}"
    if target.distinct < 2:
        raise InvalidDefinition(
            f"{here} has {target.distinct} distinct value{'' if target.distinct == 1 else 's'} in {target.rows:,} rows; a"
            " model needs at least 2. Choose another target, or a file in which it varies."
        )
    if target.type is ColumnType.TIMESTAMP:
        raise InvalidDefinition(f"{here} is a time; a number or a category is allowed. Choose another target.")
    task = request.task or default_task(target)
    if task is None:
        raise InvalidDefinition(
            f"{here} is text with {target.distinct:,} levels; up to {CLASSES_MAX} are taken for classes. Choose another"
            " target, or say task=multiclass if these are classes."
        )
    if task is Task.BINARY and target.distinct != 2:
        raise InvalidDefinition(
            f"{here} has {target.distinct:,} distinct values; a binary task needs exactly 2. Say task=multiclass or"
            " regression, or reduce the target to two classes."
        )
    if task is Task.REGRESSION and target.type is not ColumnType.NUMBER:
        raise InvalidDefinition(f"{here} is text; regression needs numbers. Say task=binary or multiclass.")
    if task is not Task.BINARY and request.positive is not None:
        raise InvalidDefinition(
            f"A positive class ({request.positive!r}) was named, but the task is {task}: {here} has"
            f" {target.distinct:,} distinct values. Leave it out, or reduce the target to two classes."
        )
    return task


def _time_unit(seen: Look) -> TimeUnit:
    if seen.time_unit is None:
        raise InvalidDefinition(
            f"Column {seen.name!r} cannot be the event time: it is no time. Allowed are timestamps, ISO 8601 text"
            " (2024-05-01, 2024-05-01 12:30), numbers since 1970, day numbers and row orders."
        )
    return seen.time_unit


def _refuse_unusable_id(request: DefineRequest, looks: Mapping[str, Look]) -> None:
    if request.id is None:
        return
    seen = looks[request.id]
    if seen.nulls or seen.distinct < seen.rows:
        raise InvalidDefinition(
            f"Column {seen.name!r} cannot be the id: {seen.rows:,} rows have {seen.distinct:,} distinct values and"
            f" {seen.nulls:,} nulls; every row needs its own. Choose another column, or none: ids are then generated."
        )


def _type(seen: Look, role: Role, *, request: DefineRequest, task: Task, unit: TimeUnit) -> ColumnType:
    wanted = request.types.get(seen.name)
    implied = {
        Role.ID: ColumnType.CATEGORY,
        Role.TARGET: ColumnType.NUMBER if task is Task.REGRESSION else ColumnType.CATEGORY,
        Role.TIME: ColumnType.TIMESTAMP if unit is TimeUnit.CLOCK else ColumnType.NUMBER,
    }.get(role)
    if implied is not None:
        if wanted not in {None, implied, seen.type}:
            raise InvalidDefinition(
                f"Column {seen.name!r} is the {role} and is stored as {implied}; {wanted} is not allowed. Leave its type"
                " out."
            )
        return implied
    kind = wanted or seen.type
    if role is Role.FEATURE and kind is ColumnType.TIMESTAMP:
        raise InvalidDefinition(
            f"Column {seen.name!r} is a time and cannot be a feature: it only ever grows. Exclude it, or add what matters"
            " about it (hour, weekday, age) as a column upstream."
        )
    return kind
