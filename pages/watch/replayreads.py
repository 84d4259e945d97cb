"""What the replay page reads: the newest replay of a model, as a record again; no Streamlit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipeline_core.flows.replayed import ReplayReport
from pipeline_core.flows.times import parse_time
from pipeline_core.records import Schema, load
from pipeline_core.store import Store

_MOMENTS = ("start", "end", "until")


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """A replay that came to its end: the record, its plain values as the command prints them, and when it ended."""

    report: ReplayReport
    content: Mapping[str, Any]
    ended_at: datetime | None


def latest(store: Store, model: str) -> Replayed | None:
    """Read the newest replay of a model."""
    job = store.jobs.latest(model, "replay")
    if job is None or not job.result:
        return None
    content = {name: value for name, value in job.result.items() if name != "answer"}
    report = load(ReplayReport, _in_time(content, store.models.schema(model)))
    return Replayed(report=report, content=content, ended_at=job.ended_at)


def _in_time(value: Any, schema: Schema) -> Any:
    """Turn the numbers that a model counts its events in back into moments."""
    if isinstance(value, Mapping):
        return {
            key: parse_time(inner, schema) if key in _MOMENTS and inner is not None else _in_time(inner, schema)
            for key, inner in value.items()
        }
    return [_in_time(inner, schema) for inner in value] if isinstance(value, list) else value
