"""How a model begins, or begins anew: a first file, what a person says about it, and what it teaches.

Neighbours: ``stages.schema`` proposes and learns, ``arrival`` keeps the same file as the first batch
(decision 0004). It refuses a definition under which its own first file would be quarantined, and a
redefinition under which rows that are already stored would mean something else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Required, TypedDict, Unpack

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline_core.clock import zone_named
from pipeline_core.errors import InvalidDefinition
from pipeline_core.flows import sandbox, taking
from pipeline_core.flows.arrival import Arrived, arrive, first_error, keep, unpack
from pipeline_core.flows.compute import Compute
from pipeline_core.flows.judging import judge
from pipeline_core.flows.taking import Raw, TakeRequest, UnpackRequest, UnpackResult
from pipeline_core.records import (
    BatchReport,
    BatchStatus,
    ColumnType,
    Finding,
    Reading,
    Role,
    Schema,
    Task,
    TimeUnit,
    Unpacked,
)
from pipeline_core.stages import schema as schemas
from pipeline_core.stages import validation
from pipeline_core.store.home import Store

PREVIEW_ROWS = 20
LOOKED_AT_ROWS = 50_000
"""What a preview reads of a file: enough to guess what its columns are."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")


class Named(TypedDict, total=False):
    """What a person says about a model; only the target is required."""

    target: Required[str]
    positive: str | None
    time: str | None
    id: str | None
    protected: tuple[str, ...]
    exclude: tuple[str, ...]
    features: tuple[str, ...]
    task: Task | None
    types: Mapping[str, ColumnType]
    source: str | None
    reading: Reading | None
    zone: str | None
    demo: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A model's schema, and the batch that its first file became."""

    schema: Schema
    batch: BatchReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A first file before anything is stored: how it reads, a guess to correct, and its first rows as they arrived."""

    suggestion: schemas.Suggestion
    rows: pa.Table
    unpacked: Unpacked


def preview(
    store: Store,
    path: Path | str,
    *,
    name: str | None = None,
    reading: Reading | None = None,
    compute: Compute = sandbox.confined,
) -> Preview:
    """Look at the beginning of a first file and guess what its columns are for; nothing is stored.

    Parameters
    ----------
    store : Store
        Whose policy limits what is read.
    path : Path or str
        The file.
    name : str, optional
        What a person calls it.
    reading : Reading, optional
        How it is to be read, where the person has said so.
    compute : callable
        Where it is read.

    Returns
    -------
    Preview
        ``unpacked.doubts`` are what the person has to settle before anything is stored.

    Raises
    ------
    NotFound
        No such file.
    Unreadable
        It is no table of an allowed format.
    """
    arrived = arrive(store, path, source=name, reading=reading)
    with store.work_dir() as folder:
        request = UnpackRequest(raw=arrived.raw(store), folder=folder, rows=LOOKED_AT_ROWS)
        seen = compute(taking.unpack, request)
        table = pq.read_table(seen.arrived)
    return Preview(suggestion=schemas.suggest(table), rows=table.slice(0, PREVIEW_ROWS), unpacked=seen.unpacked)


def define(
    store: Store, model: str, path: Path | str, *, compute: Compute = sandbox.confined, **named: Unpack[Named]
) -> Definition:
    """Keep a model's schema, learned from a first file, and that file as a batch.

    Parameters
    ----------
    store : Store
        The home.
    model : str
        Lower-case letters, digits, ``-`` and ``_``, up to 60. A model that is there already gets its next
        schema version.
    path : Path or str
        The first file.
    compute : callable
        Where it is read: ``sandbox.confined``, or ``compute.in_process`` for what this process wrote itself.
    **named
        ``target`` (required), ``positive``, ``time``, ``id``, ``protected``, ``exclude``, ``features`` (kept
        although a default would exclude them), ``task``, ``types``, ``source``, ``reading``, ``zone`` (an IANA name; UTC, or
        as before, unless said), ``demo``.

    Returns
    -------
    Definition

    Raises
    ------
    NotFound
        No such file, column or class; the message names the nearest.
    Unreadable
        The file is no table of an allowed format.
    Doubtful
        It can be read in two ways, and nobody has said which is right.
    InvalidDefinition
        The name, or what was named, does not fit the file or what is stored already.
    """
    if not _NAME.fullmatch(model):
        raise InvalidDefinition(
            f"A model cannot be called {model[:80]!r}: lower-case letters, digits, '-' and '_' are allowed, up to 60,"
            " beginning with a letter or digit. Choose such a name."
        )
    arrived = arrive(store, path, source=named.pop("source", None), reading=named.pop("reading", None))
    old = store.models.schema(model) if model in store.models.names() else None
    stored = len(store.batches.list(model, status=BatchStatus.ACCEPTED)) if old else 0
    zone = zone_named(named.get("zone") or (old.zone if old else "UTC")).key
    with store.work_dir() as folder:
        seen = unpack(store, arrived, folder=folder, compute=compute)
        table = pq.read_table(seen.arrived)
        if old is not None and stored:
            table = _in_old_order(table, old, stored)
        schema, suspects = learned(
            table, _request(model, named, arrived=arrived, old=old, table=table), arrived, zone=zone
        )
        schema = replace(schema, reading=seen.unpacked.reading)
        if old is not None and stored:
            schema = _continued(old, schema, stored=stored)
        del table  # the child needs the memory more
        judged = judge(store, schema, compute(taking.take, _again(store, arrived, seen, schema)), more=suspects)
        _refuse_quarantined(model, judged.status, judged.findings)
        with store.transaction():
            store.models.define(schema)
            batch = keep(store, schema, arrived=arrived, judged=judged)
            _refuse_quarantined(model, batch.status, batch.findings)  # another batch may have come in meanwhile
    return Definition(schema=schema, batch=batch)


def learned(
    table: pa.Table, request: schemas.DefineRequest, arrived: Arrived, *, zone: str = "UTC"
) -> tuple[Schema, tuple[Finding, ...]]:
    """Propose, type and learn: a file and what a person said about it give a schema and what is suspicious about it.

    Parameters
    ----------
    table : pa.Table
        What the file holds, columns by display name.
    request : DefineRequest
        What a person said.
    arrived : Arrived
        The file.
    zone : str
        The IANA zone whose days and hours windows follow.

    Returns
    -------
    tuple of Schema and tuple of Finding
        The findings name features that give the target away.

    Raises
    ------
    NotFound
        The request names a column or class that is not there.
    InvalidDefinition
        It contradicts itself or the file.
    """
    proposed = _zoned(schemas.propose(table, request), zone)
    typed = validation.type_rows(table, proposed, sha256=arrived.sha256, received_at=arrived.received_at)
    schema = schemas.learn(proposed, typed.rows)
    return schema, schemas.suspects(typed.rows, schema)


def _zoned(schema: Schema, zone: str) -> Schema:
    if zone != schema.zone and schema.time_unit in {TimeUnit.DAY, TimeUnit.ROW}:
        what = "days" if schema.time_unit is TimeUnit.DAY else "rows"
        raise InvalidDefinition(
            f"Zone {zone!r} was given, but the event time of {schema.model!r} counts {what} and knows no clock; zones are"
            " for times of a clock. Leave the zone out."
        )
    return replace(schema, zone=zone)


def _again(store: Store, arrived: Arrived, seen: UnpackResult, schema: Schema) -> TakeRequest:
    """Take what was unpacked already; the ledger of its reading goes along."""
    return TakeRequest(
        raw=Raw(path=seen.arrived, name=arrived.source, policy=store.policy),
        folder=seen.arrived.parent,
        schema=schema,
        sha256=arrived.sha256,
        received_at=arrived.received_at,
        unpacked=seen.unpacked,
    )


def _refuse_quarantined(model: str, status: BatchStatus, findings: tuple[Finding, ...]) -> None:
    if status is BatchStatus.QUARANTINED:
        raise InvalidDefinition(
            f"Model {model!r} cannot be defined by this file, because the file would be quarantined under its own"
            f" definition. {first_error(findings)} A column that is not needed can be excluded."
        )


def _request(
    model: str, named: Named, *, arrived: Arrived, old: Schema | None, table: pa.Table
) -> schemas.DefineRequest:
    given = dict(named.get("types") or {})
    roles = {named["target"], named.get("time"), named.get("id")}
    kept = {c.name: c.type for c in old.columns if c.name not in roles} if old else {}
    here = set(table.column_names)
    return schemas.DefineRequest(
        model=model,
        target=named["target"],
        positive=named.get("positive") or _old_positive(named, table, old),
        time=named.get("time"),
        id=named.get("id"),
        protected=tuple(named.get("protected", ())),
        exclude=tuple(named.get("exclude", ())),
        features=tuple(named.get("features", ())),
        task=named.get("task"),
        types={**{name: kind for name, kind in kept.items() if name in here}, **given},
        defined_at=arrived.received_at,
        schema_version=old.schema_version + 1 if old else 1,
        demo=named.get("demo", False),
    )


def _old_positive(named: Named, table: pa.Table, old: Schema | None) -> str | None:
    """Keep what the scores mean where nobody says otherwise."""
    target = named["target"]
    if old is None or old.positive is None or old.target.name != target or target not in table.column_names:
        return None
    if named.get("task") not in {None, Task.BINARY}:
        return None
    levels = validation.convert(table.column(target), ColumnType.CATEGORY).unique()
    return old.positive if old.positive in levels.to_pylist() else None


def _in_old_order(table: pa.Table, old: Schema, stored: int) -> pa.Table:
    names, here = [c.name for c in old.columns], set(table.column_names)
    other = sorted(here.symmetric_difference(names))
    if other:
        raise InvalidDefinition(
            f"Model {old.model!r} has {_batches(stored)} with other columns: {other[0]!r} is"
            f" {'new' if other[0] in here else 'missing'} in this file. A redefinition may change what columns are for,"
            " not which there are: define a model under a new name."
        )
    return table.select(names)


def _continued(old: Schema, new: Schema, *, stored: int) -> Schema:
    here = f"Model {old.model!r} has {_batches(stored)}"
    if old.zone != new.zone:
        raise InvalidDefinition(
            f"{here}, counted by days of {old.zone}; this definition says {new.zone}. Keep the zone, or define a model under"
            " a new name."
        )
    for before, now in zip(old.columns, new.columns, strict=True):
        fixed = {Role.TARGET, Role.TIME, Role.ID}
        if before.type is not now.type or (before.role is not now.role and fixed & {before.role, now.role}):
            raise InvalidDefinition(
                f"{here} in which column {now.name!r} is {before.role} and {before.type}; this definition makes it"
                f" {now.role} and {now.type}. Features, protected and excluded columns may change places, nothing else:"
                " define a model under a new name."
            )
    if (old.task, old.time_unit, old.classes) != (new.task, new.time_unit, new.classes):
        raise InvalidDefinition(
            f"{here} of task {old.task} with the classes {', '.join(old.classes) or '(none)'}; this file makes it"
            f" {new.task} with {', '.join(new.classes) or '(none)'}. Use a file with the same classes, or a new name."
        )
    # the days that are counted already were counted on the old grids
    grids = {g.column_id for g in old.grids}
    lost = next(
        (c.name for c in new.columns if c.role in {Role.FEATURE, Role.PROTECTED} and c.column_id not in grids), None
    )
    if lost is not None:
        raise InvalidDefinition(
            f"{here} in which column {lost!r} was not counted, because it was excluded. Define a model under a new name"
            " and receive the batches there."
        )
    return replace(new, grids=old.grids)


def _batches(stored: int) -> str:
    return f"{stored} stored batch{'' if stored == 1 else 'es'}"
