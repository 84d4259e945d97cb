"""Which verbs are there, what do they take, and when is the answer no? One table for all who ask.

The command line, the HTTP API and the worker read ``VERBS`` and call ``carry_out``; each verb is one call of a flow.
This module turns arguments (text, as typed or as JSON) into what the flow takes and the flow's record into plain
values; it decides nothing about data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline_core.errors import InvalidDefinition, NotFound, nearest
from pipeline_core.flows import choosing, demo, elsewhere, intake, restoring, watch
from pipeline_core.flows.times import number_of
from pipeline_core.records import (
    AlertLevel,
    BaselineKind,
    BatchStatus,
    ColumnType,
    ScoringReport,
    Season,
    Task,
    TimeUnit,
    dump,
)
from pipeline_core.service.asking import READING, Arguments, Call, Option, Progress, Verb, reading_of
from pipeline_core.service.audit_verbs import AUDIT
from pipeline_core.service.release_verbs import RELEASE
from pipeline_core.service.replay_verb import REPLAY
from pipeline_core.service.source_verbs import SOURCES
from pipeline_core.store.home import Store

MOMENTS = {
    "start",
    "end",
    "since",
    "first_event_at",
    "last_event_at",
    "holdout_from",
    "until",
    "window_start",
    "window_end",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a verb said: the exit code (0 yes, 1 no) and its record as plain values in the user's own units.

    ``predictions`` goes with ``score``: row_id, prediction, score.
    """

    verb: str
    code: int
    content: dict[str, Any]
    predictions: pa.Table | None = None

    @property
    def summary(self) -> dict[str, Any]:
        """What a finished job keeps: the plain single values of the content, or all of it where nothing else keeps it."""
        if VERBS[self.verb].whole:
            return self.content
        return {name: value for name, value in self.content.items() if not isinstance(value, dict | list)}


def verb_named(name: str) -> Verb:
    """Give a verb.

    Parameters
    ----------
    name : str
        As typed.

    Returns
    -------
    Verb

    Raises
    ------
    NotFound
        There is none of that name; the message names the nearest.
    """
    if name not in VERBS:
        raise NotFound(f"There is no verb {name!r}. {nearest(name, VERBS)}")
    return VERBS[name]


def carry_out(
    store: Store, name: str, model: str | None, *, arguments: Arguments, file: Path | None, progress: Progress
) -> Answer:
    """Carry out a verb.

    Parameters
    ----------
    store : Store
        The home to work on.
    name : str
        The verb.
    model : str or None
        The model, if the verb is about one.
    arguments : mapping
        By option name; see ``VERBS``.
    file : Path or None
        The data, if the verb reads a file.
    progress : callable
        Is told the share done (0-1) and what is being done.

    Returns
    -------
    Answer

    Raises
    ------
    PipelineError
        As the flow does; ``NotFound`` and ``InvalidDefinition`` also for the verb and its arguments.
    """
    verb = verb_named(name)
    verb.check(model, arguments, file=file)
    record = verb.run(store, Call(model=model or "", arguments=arguments, file=file, progress=progress))
    content = dump(record) if not isinstance(record, dict) else record
    unit = _unit(store, model)
    if unit in {TimeUnit.DAY, TimeUnit.ROW}:
        content = in_own_unit(content, unit)
    said = None
    if isinstance(record, ScoringReport):
        said = intake.predictions_of(store, record.model, record.batch_id, version=record.version)
    return Answer(verb=name, code=int(verb.no(record)), content=content, predictions=said)


# --- times in the user's own unit ---------------------------------------------------------------


def _unit(store: Store, model: str | None) -> TimeUnit | None:
    if model is None or model not in store.models.names():
        return None
    return store.models.schema(model).time_unit


def in_own_unit(content: Any, unit: TimeUnit) -> Any:
    """Turn event times into the numbers that the user's file counts in (days, or an order).

    Parameters
    ----------
    content : JSON value
        A dumped record.
    unit : TimeUnit
        ``DAY`` or ``ROW``.

    Returns
    -------
    JSON value
        The same with a number in the place of each event time; moments of the clock stay.
    """
    if isinstance(content, dict):
        return {
            key: number_of(datetime.fromisoformat(value), unit)
            if key in MOMENTS and isinstance(value, str)
            else in_own_unit(value, unit)
            for key, value in content.items()
        }
    if isinstance(content, list):
        return [in_own_unit(value, unit) for value in content]
    return content


# --- the verbs ----------------------------------------------------------------------------------


def _define(store: Store, call: Call) -> object:
    given = {name: value for name, value in call.arguments.items() if value is not None}
    types = {name: ColumnType(value) for name, value in given.pop("types", {}).items()}
    task = Task(given.pop("task")) if "task" in given else None
    for name in ("protected", "exclude", "features"):
        given[name] = tuple(given.get(name, ()))
    reading = reading_of(given)
    given = {name: value for name, value in given.items() if name not in READING}
    return intake.define(store, call.model, call.data, types=types, task=task, reading=reading, **given)


def _receive(store: Store, call: Call) -> object:
    source, reading = call.arguments.get("source"), reading_of(call.arguments)
    return intake.receive(store, call.model, call.data, source=source, reading=reading)


def _labels(store: Store, call: Call) -> object:
    source, reading = call.arguments.get("source"), reading_of(call.arguments)
    return intake.labels(store, call.model, call.data, source=source, reading=reading)


def _score(store: Store, call: Call) -> object:
    source, reading = call.arguments.get("source"), reading_of(call.arguments)
    batch_id = call.arguments.get("batch")
    return intake.score(store, call.model, call.file, batch_id=batch_id, source=source, reading=reading)


def _readmit(store: Store, call: Call) -> object:
    said = call.arguments
    return intake.readmit(store, call.model, said["batch"], by=said["by"], reason=said["reason"])


def _discard(store: Store, call: Call) -> object:
    said = call.arguments
    return intake.discard(store, call.model, said["batch"], by=said["by"], reason=said["reason"])


def _restore(store: Store, call: Call) -> object:
    return restoring.restore(store, call.model or None)


def _check(store: Store, call: Call) -> object:
    window, source = call.arguments.get("window"), call.arguments.get("data")
    if (source is None) == (call.arguments.get("engine") == "spark"):
        raise InvalidDefinition("A table on Spark is checked with both: --engine spark --data TABLE_OR_PATH.")
    if source is None:
        return watch.check(store, call.model, window=window, progress=call.progress)
    return elsewhere.check_on_spark(store, call.model, source, window=window, progress=call.progress)


def _baseline(store: Store, call: Call) -> object:
    return choosing.choose(store, call.model, **call.arguments)


def _demo(store: Store, call: Call) -> object:
    if call.arguments.get("remove"):
        return {"model": demo.remove(store), "removed": True}
    return demo.build(store, progress=call.progress)


def _status(store: Store, call: Call) -> object:
    return {
        "home": str(store.home),
        "models": [dump(status) for status in watch.status(store, call.model or None)],
        "losses": [dump(loss) for loss in store.losses],
        "notices": list(store.notices),
    }


_BY = Option(help="who decides", required=True)
_SOURCE = Option(help="where the file comes from, for the record")
_REASON = Option(help="why, in a sentence", required=True)
_BATCH = Option(help="the batch", required=True)
VERBS: Mapping[str, Verb] = {
    "define": Verb(
        summary="propose and keep a model's schema from a first file, which becomes the first batch",
        run=_define,
        no=lambda record: record.batch.status is BatchStatus.QUARANTINED,
        file="required",
        options={
            "target": Option(help="the column to predict", required=True),
            "positive": Option(help="the value of the target that a score is the probability of"),
            "time": Option(help="the event time column"),
            "zone": Option(help="the time zone whose days and hours windows follow, like Europe/Berlin (UTC)"),
            "id": Option(help="the column that names a row"),
            "protected": Option(kind="names", help="columns for audits only, A,B"),
            "exclude": Option(kind="names", help="columns to leave out, A,B"),
            "features": Option(kind="names", help="columns to keep as features that would be left out by default, A,B"),
            "task": Option(help="what is predicted", choices=tuple(Task)),
            "types": Option(
                kind="types",
                help="column types where the proposal is wrong, A=number,B=category",
                choices=tuple(ColumnType),
            ),
            "source": _SOURCE,
            **READING,
        },
    ),
    "receive": Verb(
        summary="check a file against schema and baseline and keep it as a batch, accepted or quarantined",
        run=_receive,
        no=lambda record: record.status is BatchStatus.QUARANTINED,
        file="required",
        options={"source": _SOURCE, **READING},
    ),
    "readmit": Verb(
        summary="take a quarantined batch in all the same, with a reason that stays with it",
        run=_readmit,
        options={"batch": _BATCH, "by": _BY, "reason": _REASON},
    ),
    "discard": Verb(
        summary="throw a quarantined batch away: its file goes, its findings stay",
        run=_discard,
        options={"batch": _BATCH, "by": _BY, "reason": _REASON},
    ),
    "restore": Verb(
        summary="bring back batches that were acknowledged and are no longer whole, from the files as received",
        run=_restore,
        no=lambda record: bool(record.left),
        model="optional",
    ),
    **RELEASE,
    "score": Verb(
        summary="let the champion score a batch and log the predictions",
        run=_score,
        file="optional",
        options={"batch": Option(help="score this received batch instead of a file"), "source": _SOURCE, **READING},
    ),
    "labels": Verb(
        summary="join late ground truth by row id",
        run=_labels,
        file="required",
        options={"source": _SOURCE, **READING},
    ),
    "check": Verb(
        summary="compare each window with its baseline (the training data or its same season, unless chosen): drift, predictions, realised performance",
        run=_check,
        no=lambda record: any(window.alert is AlertLevel.PAGE for window in record.windows),
        long=True,
        options={
            "window": Option(help="the window, like 6h, 7d, 1mo, 7d/1d (rolling) or 1000rows"),
            "engine": Option(help="where rows are counted; the store's are, unless said", choices=("spark",)),
            "data": Option(help="with --engine spark: the table, or the path of Parquet files, that is watched"),
        },
    ),
    "baseline": Verb(
        summary="choose what windows are compared with, with a reason that stays with the choice",
        run=_baseline,
        options={
            "kind": Option(help="what they are compared with", required=True, choices=tuple(BaselineKind)),
            "season": Option(help="the cycle, for the kind season", choices=tuple(Season)),
            "start": Option(help="where the period starts, for the kind period"),
            "end": Option(help="where it ends (exclusive)"),
            "by": _BY,
            "reason": _REASON,
        },
    ),
    **REPLAY,
    "demo": Verb(
        summary="build the demo: a year of a lending portfolio with five incidents",
        run=_demo,
        long=True,
        model="no",
        options={"remove": Option(kind="flag", help="remove the demo instead")},
    ),
    "status": Verb(summary="say how each model stands", run=_status, model="optional"),
    **AUDIT,
    **SOURCES,
}
